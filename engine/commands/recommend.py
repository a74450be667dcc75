"""``engine recommend``: what the models behind a run would recommend to anybody who has a history, side by side."""

import argparse
import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.jobs.store import Entry, Store

if TYPE_CHECKING:
    from engine.wire import ModelList, Recommendations

WIDTH = 100  # of a table that goes into a file
LATEST = 6  # items of a history that are named
NEXT, COMMON = "▸", "="  # marks of the true next item, and of an item that every list has


def recommend(options: argparse.Namespace) -> int:
    """Print or write recommendations: for one person side by side, for the users of a file by the best student."""
    if len(options.ids) != 1:
        raise UserError("one run is asked at a time", remedy="engine recommend ID --history TITLE TITLE ...")
    asked = [word for word in ("history", "user", "file") if getattr(options, word) is not None]
    if len(asked) != 1:
        raise UserError(
            f"{' and '.join(f'--{word}' for word in asked) or 'nobody'} was asked about, where one person or file is",
            remedy="Give one of --history TITLE TITLE ..., --user ID or --file histories.csv.",
        )
    if options.count < 1:
        raise UserError(f"--count {options.count} is not at least 1", remedy="Write for example --count 10.")
    written = options.csv is not None or options.vectors is not None
    if options.user is not None and written:
        raise UserError("--csv and --vectors write what --file or --history asks", remedy="Leave out --user.")
    entry = Store(options.runs).find(options.ids[0])
    return _one_model(entry, options) if options.file is not None or written else _side_by_side(entry, options)


def _side_by_side(entry: Entry, options: argparse.Namespace) -> int:
    from engine.recommend import histories
    from engine.recommend.panel import TEACHER, Panel, Question
    from engine.wire import plain

    panel = Panel(entry.folder)
    row: int | None = None
    if options.user is not None:
        row = panel.people.find(options.user)
        history = panel.people.history(row)
    else:
        history = histories.of_titles(panel.catalogue, options.history).items
    question = Question(history, row, options.count, not options.show_seen, not options.no_live)
    for name in panel.needs(question):
        if name == TEACHER:
            print("loading the teacher's language model; --no-live leaves it out", file=sys.stderr)
        panel.load(name)
    answer = panel.answer(question)
    if options.json:
        print(json.dumps({"run": entry.id, "data": panel.data, "split": panel.people.split, **plain(answer)}))
    else:
        print("\n".join(table(entry.id, panel.people.split, answer, shutil.get_terminal_size((WIDTH, 24)).columns)))
    return 0


def table(run: str, split: str, answer: "Recommendations", width: int) -> list[str]:
    """The answer as lines of at most ``width`` cells: what was seen, the lists beside each other, what they share."""
    from rich.cells import set_cell_size

    whom = f"{split} user {answer.user}" if answer.user else "you"
    latest = ", ".join(item.title for item in reversed(answer.history[-LATEST:])) or "nothing"
    seen = f"seen {len(answer.history)}, the latest first: {latest}"
    lines = [f"{run} for {whom}", *textwrap.wrap(seen, width, subsequent_indent="  "), ""]
    told = [column for column in answer.columns if column.items]
    lists = [{item.item for item in column.items} for column in told]
    common = set.intersection(*lists) if len(lists) > 1 else set()
    if told:
        size = max(24, (width - 4) // len(told) - 2)
        lines.append("    " + "  ".join(set_cell_size(_head(column), size) for column in told).rstrip())
        for place in range(max(len(column.items) for column in told)):
            cells = []
            for column in told:
                item = column.items[place] if place < len(column.items) else None
                mark = "" if item is None else NEXT if item.next else COMMON if item.item in common else " "
                score = "" if item is None else f"{item.score:.3f}"
                title = "" if item is None else _short(f"{mark} {item.title}", size - len(score) - 1)
                cells.append(set_cell_size(title, size - len(score)) + score)
            lines.append(f"{place + 1:>3} " + "  ".join(cells))
        lines.append("")
    if answer.next is not None:
        ranks = ", ".join(f"{c.model} {c.next_rank:,.10g}" for c in told if c.next_rank is not None)
        lines.append(_short(f"{NEXT} next was {answer.next.title}; rank by {ranks}", width))
    if answer.overlap:
        pairs = ", ".join(f"{one} and {other} {count}" for one, other, count in answer.overlap)
        in_all = f"; {COMMON} in all of them: {len(common)}" if len(told) > 2 else ""
        lines.append(_short(f"shared: {pairs}{in_all}", width))
    for column in answer.columns:
        if column.gates is not None:
            gates = "  ".join(f"e{number} {weight:.2f}" for number, weight in enumerate(column.gates))
            lines.append(_short(f"gate of the {column.model}: {gates}", width))
        if not column.items:
            lines.append(_short(f"{column.model}: {column.note}", 2 * width))
    return lines


def _head(column: "ModelList") -> str:
    source = {"live": ", asked live", "knowledge": ", from knowledge"}.get(column.source, "")
    return f"{column.model}{source}"


def _short(text: str, size: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= size else set_cell_size(text, size - 1) + "…"


def _one_model(entry: Entry, options: argparse.Namespace) -> int:
    """What the best student recommends to the users of a file, or to one history, as rows."""
    from engine.recommend import histories, recommendations

    recommender = recommendations.load(entry.folder)
    if options.file is not None:
        asked = histories.read_histories(options.file, recommender.catalogue)
    else:
        asked = histories.of_titles(recommender.catalogue, options.history)
    for line in asked.unknown:
        print(line, file=sys.stderr)
    if options.vectors is not None:
        recommendations.write_vectors(options.vectors, recommender, asked)
        print(f"vectors of {len(asked.users):,} users in {options.vectors}", file=sys.stderr)
    rows = recommendations.rows(recommender, asked, options.count, not options.show_seen)
    if options.csv is not None:
        written = recommendations.write_csv(options.csv, rows)
        print(f"{written:,} rows in {options.csv}", file=sys.stderr)
    elif options.json:
        print(json.dumps(list(rows)))
    else:
        _print(list(rows), recommender.name)
    return 0


def _print(rows: list[dict[str, Any]], name: str) -> None:
    from engine.report.tables import align

    print(f"{name} recommends")
    for user in dict.fromkeys(row["user"] for row in rows):
        own = [row for row in rows if row["user"] == user]
        cells = [[row["title"], row["raw"], f"{row['score']:.3f}"] for row in own]
        print("\n".join(["", *align([f"to {user}", "id", "score"], cells)]))
