"""Finished evaluations as one table: a row per model and run, with the settings in which the runs differ."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from engine.errors import UserError
from engine.report.evaluation import WIDTH, align, read
from engine.runs.schema import CONFIG
from engine.runs.text import clean, csv_safe
from engine.stages import METRICS_TABLE

FIRST = (
    *("experiment", "run", "data", "split", "seed", "model", "rows", "hide_seen"),
    *("hr@1", "hr@5", "hr@10", "hr@20", "ndcg@5", "ndcg@10", "ndcg@20", "mrr", "train_seconds"),
)
TEXTS = {"experiment", "run", "made_by", "data", "split", "split_rule", "model", "candidates", "targets_hash"}
MACHINE = ("launcher.", "trainer.")  # where a run ran, not what it was


def rows(folders: Sequence[Path], every: bool = False) -> list[dict[str, Any]]:
    """One row per model of the evaluations at ``folders``: test rows under the main protocol, or ``every`` one.

    After the figures come the settings that are not the same in all of these runs. Texts are cleaned, numbers are
    numbers, what a model does not have is None.
    """
    settings = [settings_of(folder) for folder in folders]
    seeds = [own.get("seed") for own in settings]
    names = dict.fromkeys(name for own in settings for name in own)
    different = [
        name
        for name in names
        if name != "seed"
        and not name.startswith(MACHINE)
        and any(own.get(name) != settings[0].get(name) for own in settings)
        and [own.get(name) for own in settings] != seeds  # follows the seed, which has its own column
    ]
    found = [
        (place, row)
        for place, folder in enumerate(folders)
        for row in read(folder, METRICS_TABLE)
        if every or (row["split"] == "test" and row["main"] == "true")
    ]
    columns = list(dict.fromkeys([*FIRST, *(name for _, row in found for name in row)]))
    return [
        {name: _value(name, row.get(name, "")) for name in columns}
        | {name: settings[place].get(name) for name in different}
        for place, row in found
    ]


def write_csv(rows: Sequence[dict[str, Any]], file: IO[str]) -> None:
    """The table as CSV whose cells no spreadsheet executes."""
    columns = list(dict.fromkeys([*FIRST, *(name for row in rows for name in row)]))
    table = csv.writer(file, lineterminator="\n")
    table.writerow(columns)
    table.writerows([csv_safe(_cell(row.get(name))) for name in columns] for row in rows)


def text(rows: Sequence[dict[str, Any]]) -> str:
    """The table for a terminal: the protocol in a line of its own above the rows that share it."""
    blocks: dict[str, list[list[str]]] = {}
    for row in rows:
        blocks.setdefault(protocol(row), []).append(
            [
                row["run"],
                str(row["seed"]),
                row["model"],
                *(f"{row[name]:.4f} ±{1.96 * row[f'{name} se']:.4f}" for name in ("hr@10", "ndcg@10")),
            ]
        )
    lines: list[str] = []
    for rule, cells in blocks.items():
        aligned = align(["run", "seed", "model", "hr@10", "ndcg@10"], cells)
        lines += [*([""] if lines else []), *wrapped(rule), *aligned]
    return "\n".join(lines)


def protocol(row: dict[str, Any]) -> str:
    """Under which rules the figures of a row were taken, in a line."""
    return (
        f"{row['data']}: {row['users']:,} users, {row['items']:,} items, {row['rows']:,} {row['split']} rows "
        f"({row['split_rule']}), seen items {'hidden' if row['hide_seen'] else 'not hidden'}, "
        f"among {row['candidates']} items, ties averaged, targets {row['targets_hash']}"
    )


def wrapped(line: str) -> Iterator[str]:
    """The line in pieces that fit a narrow terminal, broken at spaces."""
    while len(line) > WIDTH and " " in line[:WIDTH]:
        cut = line.rindex(" ", 0, WIDTH)
        yield line[:cut]
        line = "  " + line[cut + 1 :]
    yield line


def _value(name: str, cell: str) -> Any:
    if cell == "":
        return None
    if name in TEXTS:
        return clean(cell)
    if cell in ("true", "false"):
        return cell == "true"
    try:
        return int(cell)
    except ValueError:
        return float(cell)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def settings_of(folder: Path) -> dict[str, Any]:
    """Dotted names and values of the run's configuration."""
    import yaml  # here, because the other tables need none of it

    try:
        tree = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(
            f"the configuration cannot be read ({error})",
            location=str(folder / CONFIG),
            remedy=f"Remove the run: engine rm {folder.name}",
        ) from error
    return dict(_flat(tree, ""))


def _flat(tree: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, clean(value) if isinstance(value, str) else value
