"""Which column is the user, which the item, the time, the rating, the title: by name first, then by content.

What neither name nor content makes sure is left open, and a person is asked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.data.readers.columnar import position_of
from engine.data.schema.column import EMPTY, NUMBER, TEXT, WHOLE, SampleColumn
from engine.data.schema.names import ITEM, NAMES, RATING, TIME, TITLE, USER, best, known, plain, ranked
from engine.data.schema.sample import Sample

SESSIONS = len(NAMES[USER]) - 1  # the group of names that mean a visit or a list instead of a user
FITS: dict[str, Callable[[SampleColumn], bool]] = {
    USER: lambda column: column.is_id,
    ITEM: lambda column: column.is_id,
    TIME: lambda column: column.is_moment or column.kind in (WHOLE, NUMBER),
    RATING: lambda column: column.kind in (WHOLE, NUMBER),
    TITLE: lambda column: column.kind == TEXT,
}
WANTED = {TIME: "a number or an ISO date", RATING: "a number"}
OF_ITEMS = ("item", "product", "prod", "movie", "film", "book", "song", "track", "game", "app", "artist", "article")


@dataclass(frozen=True)
class Roles:
    """``chosen``: role -> column. ``open``: role that has to be named -> why. ``unused``: role -> why it has none."""

    chosen: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)


def roles(sample: Sample, given: Mapping[str, str | None]) -> Roles:
    """The columns of interactions. ``given``: roles that a person has named, or has given none."""
    found = Roles({role: _by_number(name, sample) for role, name in given.items() if name is not None})
    for role, name in list(found.chosen.items()):
        if name not in sample.by_name:
            found.open[role] = f"there is no column '{found.chosen.pop(role)}'"
    free = {name: column for name, column in sample.by_name.items() if name not in found.chosen.values()}
    for role in (USER, ITEM):
        if role not in given:
            _choose_id(role, free, found)
    if sample.header is False:
        _choose_ids_by_content(free, found)
    for role in (USER, ITEM):
        if role not in found.chosen:
            found.open.setdefault(role, "no column has a name for it")
    for role in (TIME, RATING):
        if role not in given:
            _choose_number(role, free, found, sample.header is False)
    item, user = (sample.by_name.get(found.chosen.get(role, "")) for role in (ITEM, USER))
    if TITLE not in given and item is not None:
        _choose_title(item, user, free, found, sample.header is False)
    return found


def _by_number(name: str, sample: Sample) -> str:
    """The column that a person means by a number, as the readers take it."""
    at = position_of(name, len(sample.columns)) if name not in sample.by_name else None
    return name if at is None else sample.columns[at].name


def _choose_id(role: str, free: dict[str, SampleColumn], found: Roles) -> None:
    names = best(role, [name for name, column in free.items() if FITS[role](column)])
    if len(names) > 1:  # an id of every row is no user and no item where another column repeats
        names = [name for name in names if free[name].distinct < len(free[name].filled)] or names
    if len(names) > 1:
        found.open[role] = f"{' and '.join(names)} may be it"
    elif names and role == USER and _is_session(names[0], free):
        found.open[role] = f"{names[0]} may be it, or what it belongs to"
    elif names:
        found.chosen[role] = names[0]
        del free[names[0]]


def _is_session(name: str, free: Mapping[str, SampleColumn]) -> bool:
    """Whether the column means a visit, and an unknown column may hold the user that made several of them."""
    meaning = known(name)
    if meaning is None or meaning[1] != SESSIONS:
        return False
    others = [column for other, column in free.items() if column.is_id and known(other) is None]
    return any(1 < other.distinct < free[name].distinct and bool(free[name].determines(other)) for other in others)


def _choose_ids_by_content(free: dict[str, SampleColumn], found: Roles) -> None:
    """Of columns without names the item has titles or Amazon's numbers, and the user is the one that is left."""
    ids = [column for column in free.values() if column.is_id and not (column.is_prose or column.is_grade)]
    ids = [column for column in ids if not column.is_moment]
    if ITEM not in found.chosen:
        titles = [column for column in free.values() if column.is_prose]
        items = [column for column in ids if _is_asin(column) or any(_names(column, title) for title in titles)]
        if len(items) != 1:
            found.open[ITEM] = "the columns have no names"
            return
        found.chosen[ITEM] = items[0].name
        del free[items[0].name]
        ids.remove(items[0])
    if USER not in found.chosen:
        users = [column for column in ids if column.distinct < len(column.filled)]
        if len(users) == 1:
            found.chosen[USER] = users[0].name
            del free[users[0].name]
        else:
            found.open[USER] = "the columns have no names"


def _names(column: SampleColumn, title: SampleColumn) -> bool:
    """Whether the second column has one text for each id of the first, and others for others."""
    return bool(column.determines(title)) and bool(title.determines(column))


def _is_asin(column: SampleColumn) -> bool:
    return bool(column.filled) and all(len(value) == 10 and value.startswith("B0") for value in column.filled)


def _choose_number(role: str, free: dict[str, SampleColumn], found: Roles, unnamed: bool) -> None:
    """The time or the rating; without a header by content where one column alone can be it."""
    named = [name for name in ranked(role, free) if free[name].kind != EMPTY]
    fitting = [name for name in named if FITS[role](free[name])]
    if not named:
        alike = [name for name, column in free.items() if (column.is_moment if role == TIME else column.is_grade)]
        if role == TIME and (len(alike) > 1 or (alike and not unnamed)):
            found.open[role] = f"{' and '.join(alike)} may be it"
        elif unnamed and len(alike) == 1:
            fitting = alike
    elif not fitting or (role == TIME and fitting[0] != named[0]):
        reason = f"{named[0]} is '{free[named[0]].shown(1)}', not {WANTED[role]}"
        if role == TIME and free[named[0]].may_be_dotted:
            reason = f"{named[0]} is '{free[named[0]].shown(1)}', and no day is above 12: named, it is day.month.year"
        (found.open if role == TIME else found.unused)[role] = reason
        return
    if fitting:
        found.chosen[role] = fitting[0]
        del free[fitting[0]]


def _choose_title(
    item: SampleColumn, user: SampleColumn | None, free: dict[str, SampleColumn], found: Roles, unnamed: bool
) -> None:
    """A title is one text for each item; a review's title and a user's name are not."""
    texts = [name for name, column in free.items() if FITS[TITLE](column)]
    for name in [name for name in texts if free[name].is_prose] if unnamed else ranked(TITLE, texts):
        column = free[name]
        verdict = item.determines(column)
        own = not (user is not None and user.determines(column)) and 2 * column.distinct > item.distinct
        if (verdict and own) or (verdict is None and plain(name).startswith(OF_ITEMS)):
            found.chosen[TITLE] = name
            del free[name]
            return
        if verdict is None:
            found.open[TITLE] = f"{name} may be the item's, or a review's or a user's"
            return
        found.unused[TITLE] = f"{name} is not one text for each item"
