"""What other people call the columns of interactions and catalogues: the only declaration of these names.

Names are compared without case and without what separates words: ``userId``, ``User-ID`` and ``user_id`` are one name.
"""

import re
from collections.abc import Iterable

USER, ITEM, TIME, RATING, TITLE, TEXT = "user", "item", "time", "rating", "title", "text"
ROLES = (USER, ITEM, TIME, RATING, TITLE, TEXT)

# Role -> groups of names, the surest first. Two columns of names of one group are not told apart by their names, unless
# they stand in one word of it, separated by '>': then the first counts.
NAMES: dict[str, tuple[str, ...]] = {
    USER: (
        "user_id>userid>uid>user>users>user_name>username user_idx>user_index user_no>user_nr>user_number",
        "customer_id>customer>customers>cust_id>cust>customer_no>customer_number>customer_code client_id>client "
        "reviewer_id>reviewer>reviewer_name member_id>member account_id>account profile_id>profile>profile_name "
        "player_id>player buyer_id>buyer shopper_id>shopper reader_id>reader listener_id>listener viewer_id>viewer "
        "steamid>steam_id patient_id>patient person_id>person usuario>usuario_id>id_usuario "
        "utilisateur>utilisateur_id>id_utilisateur benutzer>benutzer_id nutzer>nutzer_id kunde>kunden_id>kunden_nr>"
        "kundennummer cliente>cliente_id>id_cliente utente>utente_id",
        "visitor_id>visitor device_id>device cookie_id>cookie fullvisitorid",
        "session_id>session>sess_id basket_id playlist_id>pid order_id",
    ),
    ITEM: (
        "item_id>itemid>iid>item>items item_idx>item_index item_no>item_nr>item_number",
        "parent_asin>asin movie_id>movie film_id>film product_id>product>prod_id>product_code>product_no sku>sku_id "
        "book_id>book>isbn track_id>track song_id>song article_id>article news_id>news video_id>video game_id>game "
        "app_id>appid>app artist_id>artist business_id venue_id>venue poi_id>poi listing_id>listing "
        "recipe_id>recipe anime_id>anime show_id>show series_id content_id>content stock_code>stockcode ean gtin upc "
        "goods_id offer_id page_id event_item_id post_id>post course_id>course job_id>job hotel_id>hotel "
        "restaurant_id>restaurant beer_id>beer>beer_beerid podcast_id>podcast episode_id>episode "
        "artikel>artikel_id>artikel_nr>artikelnummer producto>producto_id>id_producto produit>produit_id>id_produit "
        "prodotto>prodotto_id>id_prodotto film_titre",
    ),
    TIME: (
        "timestamp>time_stamp>ts>unix_review_time>unix_time>unixtime>epoch>event_timestamp>event_time>datetime>"
        "date_time>time>created_at>created_utc>creation_time>rated_at>watched_at>played_at>listened_at>clicked_at>"
        "review_time>reviewed_at>purchased_at>ordered_at>time_ms>timestamp_ms>ts_ms>when>date>event_date>review_date>"
        "purchase_date>order_date>transaction_date>invoice_date>rating_date>submission_date>date_submitted>date_added>"
        "t_dat>day>utc_time>datum>zeit>zeitpunkt>zeitstempel>fecha>fecha_hora>hora>heure>horodatage>data>data_ora",
    ),
    RATING: (
        "rating>ratings>user_rating>star_rating>stars>overall>score>review_score>review_rating>review_overall>rate>"
        "movie_rating>book_rating>item_rating>my_rating>preference>grade>bewertung>note>calificacion>puntuacion>"
        "valoracion>voto>punteggio",
    ),
    TITLE: (
        "item_title>product_title>movie_title>film_title>book_title>song_title>track_title>game_title>article_title>"
        "news_title>item_name>product_name>prod_name>movie_name>film_name>book_name>track_name>song_name>game_name>"
        "artist_name>app_name>title>name>item_description>titel>titre>titulo>titolo>nombre>nom>bezeichnung",
    ),
    TEXT: ("genres>genre>categories>category>description>about>summary>brand",),
}
CATALOGUE_KEYS = ("id", "key", "code")  # of a catalogue's item, where its own name is not there
_TYPE = re.compile(r":(?:token|token_seq|float|float_seq|string|int|long)$")


def plain(name: str) -> str:
    """A name without case, separators and the type that some programs write behind it."""
    return "".join(letter for letter in _TYPE.sub("", name.strip()).casefold() if letter.isalnum())


def _table() -> dict[str, tuple[str, int, int, int]]:
    """Plain name -> role, group, word of the group, rank in the word."""
    found: dict[str, tuple[str, int, int, int]] = {}
    for role, groups in NAMES.items():
        for number, group in enumerate(groups):
            for index, word in enumerate(group.split()):
                for rank, name in enumerate(word.split(">")):
                    found.setdefault(plain(name), (role, number, index, rank))
    return found


_KNOWN = _table()


def known(name: str) -> tuple[str, int, int, int] | None:
    """Role, group, word and rank of a column's name; of ``review/userId`` and ``author.steamid`` the last part."""
    whole = _KNOWN.get(plain(name))
    last = re.split(r"[./]", name)[-1]
    return whole or (_KNOWN.get(plain(last)) if last != name else None)


def ranked(role: str, names: Iterable[str]) -> list[str]:
    """The names that could mean the role, the surest first."""
    found = [(means[1:], name) for name in names if (means := known(name)) is not None and means[0] == role]
    return [name for _, name in sorted(found)]


def best(role: str, names: Iterable[str]) -> list[str]:
    """The surest name that could mean the role; several where none of them is surer."""
    order = ranked(role, names)
    firsts: dict[int, str] = {}
    for name in order:
        means, surest = known(name), known(order[0])
        assert means is not None and surest is not None  # they are ranked by what they mean
        if means[1] == surest[1]:
            firsts.setdefault(means[2], name)
    return list(firsts.values())
