"""Runs as pandas DataFrames, read anew at every call: no lock is taken, so runs may be at work meanwhile."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.notebook import columns
from engine.notebook.columns import TIME, Table
from engine.report import results
from engine.report import settings as configurations
from engine.runs.files import require_folder
from engine.runs.lineage import folders
from engine.runs.reader import events, history
from engine.runs.schema import ARTIFACTS
from engine.stages import GATE_WEIGHTS, METRICS_TABLE, ROW_RANKS, Artifact, makes


def open_runs(runs: str | Path | None = None) -> "RunFrames":
    """The runs below a folder: ``runs``, else $ENGINE_RUNS, else ``runs/``."""
    folder = Path(runs or os.environ.get("ENGINE_RUNS") or "runs")
    require_folder(folder)
    return RunFrames(Store(folder))


@dataclass(frozen=True)
class RunFrames:
    """Each method reads one table of ``engine.notebook.columns``.

    ``names`` are run ids, parts of one, ``last`` or experiments; without any, every run. A run that has nothing of a
    table (yet) gives no rows.
    """

    store: Store
    only: tuple[str, ...] = ()  # ids of the runs; empty: every run of the store

    def runs(self, *names: str) -> pd.DataFrame:
        """One row per run."""
        return _frame(columns.RUNS, [_facts(entry) for entry in self._entries(names)])

    def settings(self, *runs: str, differing: bool = False) -> pd.DataFrame:
        """One row per run, one column per setting; with ``differing`` those that tell the runs apart."""
        entries = self._entries(runs)
        found = [configurations.settings_of(entry.folder) for entry in entries]
        names = dict.fromkeys(name for own in found for name in own)
        kept = configurations.differing(found) if differing else names
        rows = [{name: own.get(name) for name in kept} for own in found]
        return _frame(columns.SETTINGS, [{"run": e.id} | row for e, row in zip(entries, rows, strict=True)])

    def metrics(self, *names: str, every: bool = False) -> pd.DataFrame:
        """One row per model of finished evaluations, as ``engine results`` prints them."""
        entries = [one for one in self._makers(METRICS_TABLE, names) if one.state is State.DONE]
        return _frame(columns.METRICS, results.rows([entry.folder for entry in entries], every))

    def curves(self, *names: str) -> pd.DataFrame:
        """Every metric of every step, in a long table."""
        rows = []
        for entry in self._entries(names):
            found = history(entry.folder)
            series = found.series | {f"grad/{group}": own for group, own in found.gradients.items()}
            rows += [
                (entry.id, metric, step, value, time)
                for metric, own in series.items()
                for step, value, time in zip(own.steps, own.values, own.times, strict=True)
            ]
        return _frame(columns.CURVES, rows)

    def curve(self, metric: str, *names: str) -> pd.DataFrame:
        """One metric with a row per step and a column per run: ``.plot()`` draws a line for each run."""
        found = self.curves(*names)
        wide = found[found["metric"] == metric].pivot_table(index="step", columns="run", values="value", sort=False)
        return wide.sort_index()

    def ranks(self, *names: str, every: bool = False) -> pd.DataFrame:
        """The rank of every row's target, by every model of finished evaluations."""
        return _joined(columns.RANKS, [_ranks(entry, every) for entry in self._makers(ROW_RANKS, names)])

    def gates(self, *names: str) -> pd.DataFrame:
        """The weights of the experts for every row that a teacher ranked."""
        parts = [part for entry in self._makers(GATE_WEIGHTS, names) for part in _gates(entry)]
        return _joined(columns.GATES, parts)

    def events(self, *names: str) -> pd.DataFrame:
        """Everything that runs have reported, in the order in which it was written."""
        rows = []
        for entry in self._entries(names):
            for event in events(entry.folder):
                rest = {name: value for name, value in event.items() if name not in ("v", "q", "k", "step", "t")}
                rows.append((entry.id, event["q"], event["k"], event.get("step"), event["t"], rest))
        return _frame(columns.EVENTS, rows)

    def _entries(self, names: Sequence[str]) -> list[Entry]:
        """The named runs, oldest first; RunError for a name that no run has."""
        every = self.store.scan()
        if not names:
            return [entry for entry in every if not self.only or entry.id in self.only]
        found = {
            entry.id: entry
            for name in names
            for entry in [one for one in every if one.info.experiment == name] or [self.store.find(name)]
        }
        return sorted(found.values(), key=lambda entry: (entry.info.created, entry.id))

    def _makers(self, artifact: Artifact, names: Sequence[str]) -> list[Entry]:
        """The named runs that make an artifact, and those which the others were made from, where it exists."""
        found: dict[str, Entry] = {}
        for entry in self._entries(names):
            if makes(entry.info.stage, artifact):
                found[entry.id] = entry
            elif names:
                others = [self.store.entry(folder) for folder in folders(entry.folder)]
                found |= {one.id: one for one in others if makes(one.info.stage, artifact)}
        return [entry for entry in found.values() if (entry.folder / ARTIFACTS / artifact.file).exists()]


def _facts(entry: Entry) -> dict[str, Any]:
    info, summary, end = entry.info, entry.summary, entry.end
    done = (end.t, end.wall, end.max_rss) if end else (None, None, None)
    at = (summary.phase, summary.step, summary.total) if summary else (None, None, None)
    return {
        "run": info.id,
        "stage": info.stage,
        "experiment": info.experiment,
        "seed": info.seed,
        "state": entry.state.value,
        "reason": entry.status.reason,
        **dict(zip(("phase", "step", "total"), at, strict=True)),
        "created": info.created,
        **dict(zip(("ended", "seconds", "memory"), done, strict=True)),
        "fingerprint": info.fingerprint,
        "commit": info.git.get("sha"),
        "dirty": info.git.get("dirty"),
        "made_from": info.inputs,
        **{f"best {name}": best["v"] for name, best in (summary.best if summary else {}).items()},
    }


def _ranks(entry: Entry, every: bool) -> pd.DataFrame:
    import pyarrow.parquet as pq

    chosen = None
    if not every:
        main = results.rows([entry.folder])[0]
        chosen = [("split", "=", "test"), ("candidates", "=", "all"), ("hide_seen", "=", main["hide_seen"])]
    found: pd.DataFrame = pq.read_table(entry.folder / ARTIFACTS / ROW_RANKS.file, filters=chosen).to_pandas()
    found.insert(0, "run", entry.id)
    return found


def _gates(entry: Entry) -> Iterator[pd.DataFrame]:
    from safetensors.numpy import load_file

    found = load_file(entry.folder / ARTIFACTS / GATE_WEIGHTS.file)
    for split, name in (("train", "weights"), ("validation", "validation"), ("test", "test")):
        weights = found[name]
        frame = pd.DataFrame(weights.astype("float64"), columns=[f"e{expert}" for expert in range(weights.shape[1])])
        frame.insert(0, "run", entry.id)
        frame.insert(1, "split", split)
        frame.insert(2, "row", found["rows"] if split == "train" else range(len(frame)))
        yield frame


def _joined(table: Table, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return _typed(table, pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(table.dtypes)))


def _frame(table: Table, rows: Sequence[Any]) -> pd.DataFrame:
    """Rows (dictionaries, or tuples in the order of the columns) as a frame with the declared columns first."""
    if rows and isinstance(rows[0], dict):
        names = list(dict.fromkeys([*table.dtypes, *(name for row in rows for name in row)]))
        return _typed(table, pd.DataFrame(rows, columns=names))
    return _typed(table, pd.DataFrame(rows, columns=list(table.dtypes)))


def _typed(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The declared types; times are unix seconds before."""
    times = [column.name for column in table.columns if column.kind == TIME]
    for name in times:
        milliseconds = (1000 * frame[name].astype("float64")).round()
        frame[name] = pd.to_datetime(milliseconds, unit="ms", utc=True)
    return frame.astype(table.dtypes)[[*table.dtypes, *(name for name in frame if name not in table.dtypes)]]
