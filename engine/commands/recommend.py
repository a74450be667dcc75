"""``engine recommend``: recommendations of all models of a run for one history, or of its best student for many."""

import argparse
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

from engine.commands.run_ids import run_of
from engine.errors import UserError
from engine.jobs.store import Entry, Store
from engine.report.tables import align, resized, short, wrapped

if TYPE_CHECKING:
    from engine.wire import ModelList, RankedItem, Recommendations

WIDTH = 100  # of a table that is not printed on a terminal
LATEST = 6  # items of a history that are shown
NEXT, COMMON = "▸", "="  # marks of the true next item, and of an item that is in every list


def recommend(options: argparse.Namespace) -> int:
    """Print or write recommendations: side by side for one user, by the best student for the users of a file."""
    entry = run_of(Store(options.runs), options.ids, "engine recommend ID --history TITLE TITLE ...")
    given = [name for name in ("history", "user", "file") if getattr(options, name) is not None]
    if len(given) != 1:
        raise UserError(
            f"one history is needed, not {' and '.join(f'--{name}' for name in given) or 'none'}",
            remedy="Give one of --history TITLE TITLE ..., --user ID or --file histories.csv.",
        )
    if options.count < 1:
        raise UserError(f"--count {options.count} is not at least 1", remedy="Write for example --count 10.")
    written = options.csv is not None or options.vectors is not None
    if options.user is not None and written:
        raise UserError("--csv and --vectors need --file or --history", remedy="Leave out --user.")
    return _one_model(entry, options) if options.file is not None or written else _side_by_side(entry, options)


def _hide_seen(options: argparse.Namespace) -> bool | None:
    """What the command line says; None leaves it to the data."""
    return None if options.show_seen is None else not options.show_seen


def _side_by_side(entry: Entry, options: argparse.Namespace) -> int:
    from engine.recommend import histories
    from engine.recommend.panel import TEACHER, Panel, RecommendRequest
    from engine.wire import plain

    panel = Panel(entry.folder)
    row: int | None = None
    if options.user is not None:
        row = panel.users.find(options.user)
        history = panel.users.history(row)
    else:
        history = histories.of_titles(panel.catalogue, options.history).items
    question = RecommendRequest(history, row, options.count, _hide_seen(options), not options.no_live)
    for name in panel.needs(question):
        if name == TEACHER:
            print("loading the teacher's language model; use --no-live to skip it", file=sys.stderr)
        panel.load(name)
    answer = panel.answer(question)
    if options.json:
        print(json.dumps({"run": entry.id, "data": panel.data, "split": panel.users.split, **plain(answer)}))
    else:
        print("\n".join(table(entry.id, panel.users.split, answer, shutil.get_terminal_size((WIDTH, 24)).columns)))
    return 0


def table(run: str, split: str, answer: "Recommendations", width: int) -> list[str]:
    """The answer as lines of at most ``width`` cells: the history, the lists side by side, their overlap, the gates."""
    user = f"{split} user {answer.user}" if answer.user else "the given history"
    latest = ", ".join(item.title for item in reversed(answer.history[-LATEST:])) or "nothing"
    lines = [f"{run} for {user}", *wrapped(f"seen {len(answer.history)}, the latest first: {latest}", width), ""]
    ready = [column for column in answer.columns if column.items]
    lists = [{item.item for item in column.items} for column in ready]
    common = set.intersection(*lists) if len(lists) > 1 else set()
    if ready:
        size = max(24, (width - 4) // len(ready) - 2)
        lines.append("    " + "  ".join(resized(_head(column), size) for column in ready).rstrip())
        for row in range(max(len(column.items) for column in ready)):
            cells = [_cell(column.items[row], common, size) if row < len(column.items) else "" for column in ready]
            lines.append(f"{row + 1:>3} " + "  ".join(resized(cell, size) for cell in cells).rstrip())
        lines.append("")
    if answer.next is not None:
        ranks = ", ".join(f"{c.model} {c.next_rank:,.10g}" for c in ready if c.next_rank is not None)
        why = next((c.note for c in ready if c.note), "")
        about = f"rank by {ranks}" if ranks or not why else why.replace("the next item", "it")
        lines += wrapped(f"{NEXT} next was {answer.next.title}; {about}", width)
    if answer.overlap:
        pairs = ", ".join(f"{one} and {other} {count}" for one, other, count in answer.overlap)
        in_all = f"; {COMMON} in all of them: {len(common)}" if len(ready) > 2 else ""
        lines.append(short(f"shared: {pairs}{in_all}", width))
    for column in answer.columns:
        if column.gates is not None:
            gates = "  ".join(f"e{number} {weight:.2f}" for number, weight in enumerate(column.gates))
            lines.append(short(f"gate of the {column.model}: {gates}", width))
        if not column.items:
            lines.append(short(f"{column.model}: {column.note}", 2 * width))
    return lines


def _head(column: "ModelList") -> str:
    return column.model + {"live": ", live", "knowledge": ", from knowledge"}.get(column.source, "")


def _cell(item: "RankedItem", common: set[int], size: int) -> str:
    """Mark, title and score in ``size`` cells."""
    mark = NEXT if item.next else COMMON if item.item in common else " "
    score = f"{item.score:.3f}"
    return resized(short(f"{mark} {item.title}", size - len(score) - 1), size - len(score)) + score


def _one_model(entry: Entry, options: argparse.Namespace) -> int:
    """The best student's recommendations for the users of a file, or for one history, as rows."""
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
    hide_seen = _hide_seen(options)
    if hide_seen is None:
        hide_seen = recommender.hide_seen
    rows = recommendations.rows(recommender, asked, options.count, hide_seen)
    if options.csv is not None:
        written = recommendations.write_csv(options.csv, rows)
        print(f"{written:,} rows in {options.csv}", file=sys.stderr)
    elif options.json:
        print(json.dumps(list(rows)))
    else:
        _print(list(rows), recommender.name)
    return 0


def _print(rows: list[dict[str, Any]], name: str) -> None:
    print(f"{name} recommends")
    for user in dict.fromkeys(row["user"] for row in rows):
        own = [row for row in rows if row["user"] == user]
        cells = [[row["title"], row["raw"], f"{row['score']:.3f}"] for row in own]
        print("\n".join(["", *align([f"to {user}", "id", "score"], cells)]))
