"""Titles as people write them, from titles as catalogues write them."""

import html
import re

from engine.runs.text import clean

LONGEST = 200  # characters of a title that is shown or put into a prompt
LONGEST_TEXT = 2000

_YEAR = re.compile(r"\s*\((\d{4})(?:\s*[-–]\s*\d{0,4})?\)(?:\s*\(T?V\))?\s*$")
_ARTICLES = r"The|An|A|Les|Le|La|L'|Los|Las|El|Il|Lo|Gli|I|Die|Der|Das|Den|Det|De|Ein|Eine|Un|Une|Una|Uno|Os|As|O"
# Only at the end of the title or of a part in brackets: "Good, The Bad and The Ugly, The" has one article to move.
_MOVED = re.compile(rf"^(\s*)(\S.*), ({_ARTICLES})(\s*)$", re.IGNORECASE)
_BRACKETS = re.compile(r"([()])")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_SPACES = re.compile(r"\s+")


def film(title: str) -> tuple[str, str]:
    """Title and year of a MovieLens title: 'Usual Suspects, The (1995)' -> ('The Usual Suspects', '1995').

    The year is '' where there is none. Articles at the end of the title, or of another title in brackets, come first.
    """
    title = _SPACES.sub(" ", title.strip().strip('"'))
    year = _YEAR.search(title)
    if year and year.start() > 0:
        title = title[: year.start()]
    parts = [_MOVED.sub(_article_first, part) for part in _BRACKETS.split(title)]
    return "".join(parts).strip(), year.group(1) if year else ""


def shown(title: str, raw: str) -> str:
    """A title that is safe to show, of bounded length, and never empty: 'item 7' where item 7 has no title."""
    if not (title.isascii() and title.isprintable()) or "&" in title or "<" in title:
        title = _TAG.sub(" ", html.unescape(title))
    title = _SPACES.sub(" ", clean(title, LONGEST * 4)).strip()
    if not title.strip("\ufffd?. "):
        return clean(f"item {raw}", LONGEST)
    return title if len(title) <= LONGEST else title[: LONGEST - 1].rstrip() + "…"


def description(text: str) -> str:
    """More about an item, safe and of bounded length; may be empty."""
    if "&" in text or "<" in text:
        text = _TAG.sub(" ", html.unescape(text))
    return _SPACES.sub(" ", clean(text, LONGEST_TEXT)).strip()


def _article_first(match: re.Match[str]) -> str:
    before, title, article, after = match.groups()
    gap = "" if article.endswith("'") else " "
    return f"{before}{article}{gap}{title}{after}"
