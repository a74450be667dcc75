"""Finished evaluations as one table: a row per model and run, with the settings that differ between the runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from engine.report import searches
from engine.report.csv_files import write_rows
from engine.report.evaluation import ABOUT, SEEN_SETTING, TIED, ends, read, repeats
from engine.report.numbers import with_margin
from engine.report.settings import differing, settings_of
from engine.report.tables import WIDTH, align, cells, wrapped
from engine.runs.text import clean
from engine.stages import METRICS_TABLE

FIRST = (
    *("experiment", "run", "data", "split", "seed", "model", "rows", "hide_seen"),
    *("hr@1", "hr@5", "hr@10", "hr@20", "ndcg@5", "ndcg@10", "ndcg@20", "mrr", "train_seconds"),
)
TEXTS = {
    "experiment",
    "run",
    "made_by",
    "data",
    "split",
    "split_rule",
    "model",
    "candidates",
    "targets_hash",
    *(SEEN_SETTING, TIED, ABOUT),
}


def rows(folders: Sequence[Path], every: bool = False) -> list[dict[str, Any]]:
    """One row per model of the evaluations at ``folders``: test rows under the main protocol, or ``every`` one.

    After the metrics come the size of the search for the model's settings, and the settings that differ between these
    runs. Texts are cleaned, numbers are numbers, missing values are None.
    """
    settings = [settings_of(folder) for folder in folders]
    different = differing(settings)
    found = [
        (index, row)
        for index, folder in enumerate(folders)
        for row in read(folder, METRICS_TABLE)
        if every or (row["split"] == "test" and row["main"] == "true")
    ]
    columns = list(dict.fromkeys([*FIRST, *(name for _, row in found for name in row)]))
    return [
        {name: _value(name, row.get(name, "")) for name in columns}
        | dict(zip(searches.COLUMNS, _searched(settings[index], row["model"]), strict=True))
        | {name: settings[index].get(name) for name in different}
        for index, row in found
    ]


def write_csv(rows: Sequence[dict[str, Any]], file: IO[str]) -> int:
    """Write the table as CSV; returns the number of rows."""
    columns = list(dict.fromkeys([*FIRST, *(name for row in rows for name in row)]))
    return write_rows(file, columns, ([row.get(name) for name in columns] for row in rows), digits=10)


def text(rows: Sequence[dict[str, Any]]) -> str:
    """The table for a terminal: each protocol above the rows that share it, the size of the search below."""
    sizes: dict[str, dict[str, searches.Size]] = {}  # run -> model
    for row in rows:
        if row["model"] in searches.COUNTS:
            sizes.setdefault(row["run"], {})[row["model"]] = searches.Size(*(row[name] for name in searches.COLUMNS))
    blocks: dict[tuple[str, str], list[list[str]]] = {}
    for row in rows:
        blocks.setdefault((protocol(row), searches.sentence(sizes.get(row["run"], {}))), []).append(
            [
                row["run"],
                str(row["seed"]),
                row["model"],
                *(with_margin(row[name], *ends(row, name)) for name in ("hr@10", "ndcg@10")),
            ]
        )
    lines: list[str] = []
    for (rule, search), own in blocks.items():
        aligned = _table(own)
        lines += [*([""] if lines else []), *wrapped(rule), *aligned, *wrapped(search)]
    return "\n".join(lines)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows under their names. Ids lose the stage where a line would be too long: every command takes them so."""
    header = ["run", "seed", "model", "hr@10", "ndcg@10"]
    whole = align(header, rows)
    if max(map(cells, whole)) <= WIDTH:
        return whole
    return align(header, [[run.removeprefix("evaluate-"), *others] for run, *others in rows])


def protocol(row: dict[str, Any], about: bool = True) -> str:
    """The protocol of a row in one line; with what was ranked where the names of models do not say it."""
    return (
        f"{row['data']}: {row['users']:,} users, {row['items']:,} items, {row['rows']:,} {row['split']} rows "
        f"({row['split_rule']}), seen items {'hidden' if row['hide_seen'] else 'not hidden'}, "
        f"among {row['candidates']} items, ties averaged, targets {row['targets_hash']}"
        + "".join(f"; {part}" for part in (repeats(row), row.get(TIED), row.get(ABOUT) if about else "") if part)
    )


def _searched(settings: Mapping[str, Any], model: str) -> tuple[int | None, int | None]:
    """Trials and epochs of the search for the settings of a model; none where it has no settings."""
    found = searches.sizes(settings, [model]).get(model, searches.Size(None, None))
    return found.trials, found.epochs


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
