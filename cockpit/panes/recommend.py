"""The parts of the Recommend screen: history, completions, the lists of the models, and their overlap."""

from collections.abc import Sequence

from cockpit.models.recommendation import common as common_items
from cockpit.models.recommendation import rank_in, shown
from cockpit.render.lines import Line, Lines, Piece, box, fit, selected, width, wrap
from engine.report import numbers
from engine.report.tables import cells, column, right, short
from engine.wire import FAILED, LOADING, ItemNames, ModelList, Recommendations

NEXT, COMMON = "▸", "="  # the true next item; an item that every list has
RANK, SCORE = 2, 6  # cells of a rank and of a score
BAR = "█"


def history(
    title: str, items: Sequence[ItemNames], known: ItemNames | None, note: str, across: int, down: int
) -> Lines:
    """The history, the latest item first; above it the true next item."""
    inside = across - 2
    lines: Lines = []
    if known is not None:
        lines.append([(f"{NEXT} ", "mark"), (short(known.title, inside - 2), "mark")])
    for item in reversed(items):
        lines.append([("  " + short(item.title, inside - 2), "")])
    if not items:
        lines += wrap([(note, "dim")], inside, 0)
    hidden = len(lines) - (down - 2)
    if hidden > 0:
        lines = [*lines[: down - 3], [(f"  ... {hidden + 1} before", "dim")]]
    return box([(title, "title")], lines, across, down)


def choices(title: str, found: Sequence[str], cursor: int, busy: str, across: int, down: int) -> Lines:
    """The completions of the text that is being typed."""
    rows = max(1, down - 2)
    top = max(0, min(cursor - rows + 1, len(found) - rows)) if cursor >= rows else 0
    lines: Lines = []
    for index, text in enumerate(found[top : top + rows], top):
        line: Line = [(" " + short(text, across - 3), "")]
        lines.append(selected(line, across - 2) if index == cursor else line)
    if not found:
        lines = [[(" " + busy, "dim")]]
    return box([(title, "title")], lines, across, down, focused=True)


def model(
    listed: ModelList,
    common: frozenset[int],
    chosen: ItemNames | None,
    cursor: int | None,
    top: int,
    each: int,
    across: int,
    down: int,
) -> Lines:
    """One model's list from index ``top`` on, ``each`` lines per item.

    ``chosen`` is the item under the cursor, wherever it stands.
    """
    inside = across - 2
    head: Line = [(listed.model, "title")]
    if listed.source:
        head.append((f" {'live' if listed.source == 'live' else 'written'}", "dim"))
    if listed.ms is not None and across >= 28:
        head.append((f"  {listed.ms:.1f} ms", "dim"))
    lines: Lines = []
    room = _room(across)
    for index, one in enumerate(listed.items[top : top + max(1, (down - 2) // each)], top):
        style = "mark" if one.next else "key" if one.names == chosen else ""
        mark = NEXT if one.next else COMMON if one.item in common else " "
        first, rest = _halves(one.title, room) if each > 1 else (one.title, "")
        line: Line = [
            (right(str(index + 1), RANK), "dim"),
            (mark + " ", "mark" if one.next else "ok"),
            (column(first, room), style),
            (right(numbers.figure(one.score), SCORE), "dim"),
        ]
        both: Lines = [line, [(" " * (RANK + 2) + short(rest, room), style)]][:each]
        lines += [selected(part, inside) for part in both] if index == cursor else both
    if not listed.items:
        style = "warn" if listed.state == LOADING else "bad" if listed.state == FAILED else "dim"
        lines = wrap([(listed.note, style)], inside, 0)
    return box(head, lines, across, down, cursor is not None)


def _room(across: int) -> int:
    """Cells of a title in a list of this width."""
    return max(1, across - 2 - RANK - 2 - SCORE)


def _halves(text: str, room: int) -> tuple[str, str]:
    """A text broken at a blank so that its first part fits; whole where it fits already."""
    if cells(text) <= room:
        return text, ""
    parts = wrap([(text, "")], room, 0)
    first = "".join(piece for piece, _ in parts[0]).rstrip()
    return first, text[len(first) :].strip()


def cramped(columns: Sequence[ModelList], sizes: Sequence[int]) -> bool:
    """Whether some title does not fit into one line."""
    pairs = zip(columns, sizes, strict=True)
    return any(cells(one.title) > _room(size) for listed, size in pairs for one in listed.items)


def instead(trouble: str, note: str, across: int, down: int) -> Lines:
    """Shown instead of the lists: an error, or what is waited for."""
    line: Line = [(trouble, "bad") if trouble else (note, "dim")]
    return box([("recommendations", "title")], wrap(line, across - 2, 0), across, down)


def verdict(answer: Recommendations, chosen: ItemNames | None, across: int) -> Lines:
    """The ranks of the true next item and of the item under the cursor, and the overlap of the lists: three lines."""
    listed = [one for one in answer.columns if one.items]
    lines: Lines = []
    if answer.next is not None:
        ranks = [(one.model, one.next_rank) for one in listed if one.next_rank is not None]
        best = min((rank for _, rank in ranks), default=None)
        line: Line = [("  rank " if ranks else "", "dim")]
        for name, rank in ranks:
            line += [(f"{name} ", "dim"), (f"{rank:,.10g}  ", "ok" if rank == best else "")]
        lines.append(_titled([(f" {NEXT} next was ", "dim")], (answer.next.title, "mark"), line, across))
    if answer.overlap:
        line = [(" shared  ", "dim")]
        for one, other, count in answer.overlap:
            pair = f"{one} ∩ {other}" if across >= 100 else f"{one[:4]} ∩ {other[:4]}"
            line.append((f"{pair} {count}   ", ""))
        if len(listed) > 2:
            line.append((f"{COMMON} in all {len(common_items(answer))}", "ok"))
        lines.append(line)
    if chosen is not None:
        line = [(f"  id {chosen.raw}  ", "dim")]
        for ranked in listed:
            line += [(f"{ranked.model} ", "dim"), (f"{rank_in(ranked, chosen.item) or '-'}  ", "")]
        lines.append(_titled([(" ", "")], (chosen.title, "key"), line, across))
    absent = [one for one in answer.columns if one not in shown(answer)]
    if absent:
        names = " and ".join(one.model for one in absent)
        lines.append([(f" {names}: {absent[0].note}", "dim")])
    return [fit(line, across) for line in lines]


def _titled(before: Line, title: Piece, after: Line, across: int) -> Line:
    """A line whose title is cut to fit."""
    text, style = title
    return [*before, (short(text, max(8, across - width(before) - width(after))), style), *after]


def gate(listed: ModelList, across: int, most: int) -> Lines:
    """The teacher's expert weights as bars, in at most ``most`` lines and a frame."""
    inside = across - 2
    each = 2 if across >= 100 else 1
    size, name = inside // each, 5 if len(listed.gates or ()) <= 10 else 6
    parts: Lines = []
    for expert, weight in enumerate(listed.gates or ()):
        full = max(0.0, min(weight, 1.0)) * (size - name - 8)
        bar = BAR * int(full) + ("▌" if full - int(full) >= 0.5 else "")
        parts.append(
            fit([(f" e{expert}".ljust(name), "dim"), (bar, f"series{expert % 6}"), (_weight(weight), "dim")], size)
        )
    lines = [[piece for part in parts[at : at + each] for piece in part] for at in range(0, len(parts), each)]
    title: Line = [(f"gate weights of the {listed.model}", "title"), (f"  {len(listed.gates or ())} experts", "dim")]
    return box(title, lines, across, min(len(lines), most) + 2)


def brief_gate(listed: ModelList, across: int) -> Line:
    """The same in one line, for small screens."""
    line: Line = [(" gate  ", "dim")]
    for expert, weight in enumerate(listed.gates or ()):
        line += [(f"e{expert} ", "dim"), (BAR * round(weight * 8), f"series{expert % 6}"), (_weight(weight), "dim")]
    return fit(line, across)


def _weight(value: float) -> str:
    return f" {value:.2f}  ".replace("0.", ".", 1)


def widths(across: int, parts: int) -> list[int]:
    """``across`` cells divided evenly."""
    return [across * (part + 1) // parts - across * part // parts for part in range(parts)]
