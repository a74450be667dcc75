"""The board of an experiment: a row per setting with its seeds, their figures, time and memory; what matters most."""

import difflib
import statistics
from collections.abc import Iterator, Sequence
from typing import IO, Any

from engine.compare.figures import kept_metrics
from engine.compare.groups import Group, Member, by_settings, differing, member_of, newest
from engine.compare.report import spread_of
from engine.compare.spreads import SettingSpreads, spreads
from engine.compare.table import clean_text
from engine.errors import UserError
from engine.experiments import importance
from engine.jobs.state import State
from engine.jobs.store import Entry
from engine.report.csv_files import write_rows
from engine.report.numbers import NOTHING, duration, mean_sd, setting, size
from engine.report.tables import fitted, wrapped
from engine.stages import METRICS_TABLE, MODELS, REFERENCES, STAGES, VAL_NDCG, makes
from engine.wire import Board, BoardMetric, BoardRow, BoardRun, SettingImportance


def build(label: str, entries: Sequence[Entry], metric: str = "", stage: str = "") -> Board:
    """The board of the experiment ``label``, or without one of the newest that has several runs of a stage.

    UserError for an unknown label, stage or metric.
    """
    own = _of_label(label, entries)
    label = own[0].info.experiment
    chosen = _stage(own, stage, label)
    by_id = {entry.id: entry for entry in entries}
    members = [member_of(entry, by_id) for entry in newest([entry for entry in own if entry.info.stage == chosen])]
    names = differing(members)
    groups = by_settings(members)
    done = [Group(group.name, finished) for group in groups if (finished := _done(group))]
    lines = _lines(done, chosen)
    main = main_metric(lines, metric)
    known = {id(group.members[0]): index for index, group in enumerate(done)}
    rows = [_row(group, names, lines, known) for group in groups]
    points = [(row, value.mean) for row in rows if (value := row.figures.get(main.name)) and value.mean is not None]
    shares = importance.importances([(dict(zip(names, row.values, strict=True)), v) for row, v in points], main.goal)
    return Board(
        experiment=label,
        stage=chosen,
        settings=names,
        metrics=[BoardMetric(_name(line), line.goal) for line in lines],
        main=main.name,
        rows=rows,
        best=best(rows, main),
        importances=[SettingImportance(name, share) for name, share in shares.items()],
        evaluator=importance.EVALUATOR if shares else "",
        note="" if shares or not names else _why_not(len(points)),
    )


def _why_not(points: int) -> str:
    if points < importance.LEAST:
        return f"importance needs {importance.LEAST} settings with a figure; there are {points}"
    return "every setting has the same figure"


def _of_label(label: str, entries: Sequence[Entry]) -> list[Entry]:
    """The runs of an experiment; UserError where there is none."""
    labels = list(dict.fromkeys(entry.info.experiment for entry in entries))
    if label:
        own = [entry for entry in entries if entry.info.experiment == label]
        if own:
            return own
        near = difflib.get_close_matches(label, labels, n=3) or labels[-8:]
        raise UserError(
            f"no experiment is called '{label}'",
            remedy=f"Experiments: {', '.join(near)}" if near else "Start one: engine sweep student seed=1..3",
        )
    for name in reversed(labels):
        own = [entry for entry in entries if entry.info.experiment == name]
        if len([entry for entry in own if entry.info.stage == own[-1].info.stage]) > 1:
            return own
    raise UserError("no experiment has several runs of a stage", remedy="Start one: engine sweep student seed=1..3")


def _stage(own: Sequence[Entry], stage: str, label: str) -> str:
    """The last stage that the experiment ran, or the one that is asked for."""
    ran = [name for name in STAGES if any(entry.info.stage == name for entry in own)]
    if stage and stage not in ran:
        raise UserError(f"'{label}' has no {stage} run", remedy=f"It has runs of {', '.join(ran)}.")
    return stage or ran[-1]


def _done(group: Group) -> list[Member]:
    return [member for member in group.members if member.entry.state is State.DONE]


def _lines(groups: Sequence[Group], stage: str) -> list[SettingSpreads]:
    """Metrics with a direction, of validation rows first; of a training those of its kept checkpoint."""
    if not groups:
        return []
    if not makes(stage, METRICS_TABLE):
        return [
            SettingSpreads(
                name,
                None,
                next(metric.goal for metric in STAGES[stage].metrics if metric.name == name),
                [spread_of([kept_metrics(member.entry).get(name) for member in group.members]) for group in groups],
            )
            for name in _kept_names(groups, stage)
        ]
    return [line for line in spreads(groups) if line.model not in REFERENCES]


def _kept_names(groups: Sequence[Group], stage: str) -> list[str]:
    """The metrics that a kept checkpoint has, that of the selection first."""
    reported = {name for group in groups for member in group.members for name in kept_metrics(member.entry)}
    names = [metric.name for metric in STAGES[stage].metrics if metric.name in reported and metric.goal]
    return sorted(names, key=lambda name: name != VAL_NDCG.name)


def _name(line: SettingSpreads) -> str:
    return f"{line.model} {line.metric}" if line.model else line.metric


def main_metric(lines: Sequence[SettingSpreads], metric: str = "") -> BoardMetric:
    """The metric that chooses: of validation rows, of the last trained model. Test rows choose nothing."""
    if metric:
        found = next((line for line in lines if metric in (_name(line), line.metric)), None)
        if found is None:
            known = ", ".join(map(_name, lines)) or "none: no run is done"
            raise UserError(f"these runs have no metric '{metric}'", remedy=f"Metrics: {known}")
        return BoardMetric(_name(found), found.goal)
    order = list(MODELS)
    chosen = [line for line in lines if line.metric.startswith("val_") and line.goal]
    chosen = sorted(chosen, key=lambda line: -order.index(line.model) if line.model else 0) or list(lines)
    return BoardMetric(_name(chosen[0]), chosen[0].goal) if chosen else BoardMetric("", "")


def _row(group: Group, names: Sequence[str], lines: Sequence[SettingSpreads], known: dict[int, int]) -> BoardRow:
    runs = [
        BoardRun(
            member.entry.id,
            member.seed,
            member.entry.state.value,
            member.entry.end.wall if member.entry.end else None,
            member.entry.end.max_rss if member.entry.end else None,
        )
        for member in group.members
    ]
    finished = _done(group)
    index = known.get(id(finished[0])) if finished else None
    figures = {_name(line): line.groups[index] for line in lines} if index is not None else {}
    times = [run.seconds for run in runs if run.seconds is not None and run.state == State.DONE.value]
    return BoardRow(
        values=[group.members[0].settings.get(name) for name in names],
        runs=runs,
        finished=[member.entry.id for member in finished],
        figures=figures,
        seconds=statistics.fmean(times) if times else None,
        memory=max((run.memory for run in runs if run.memory is not None), default=None),
    )


def best(rows: Sequence[BoardRow], main: BoardMetric) -> int | None:
    """The row whose mean is best."""
    found = [
        (value.mean, index)
        for index, row in enumerate(rows)
        if (value := row.figures.get(main.name)) and value.mean is not None
    ]
    if not found or not main.goal:
        return None
    return (min if main.goal == "min" else max)(found, key=lambda pair: pair[0])[1]


def text(board: Board) -> str:
    """The board for a terminal, the best setting first."""
    shown = sorted((metric.name for metric in board.metrics), key=lambda name: name != board.main)[:4]
    whole = all(len(row.finished) == len(row.runs) for row in board.rows)
    order = sorted(range(len(board.rows)), key=lambda index: _rank(board, index))
    cells = [
        [
            ("* " if index == board.best else "  ") + ", ".join(str(run.seed) for run in row.runs),
            *(setting(value) for value in row.values),
            *(mean_sd(f.mean, f.sd) if (f := row.figures.get(name)) else NOTHING for name in shown),
            duration(row.seconds) if row.seconds is not None else NOTHING,
            size(row.memory) if row.memory is not None else NOTHING,
            *([] if whole else [_states(row)]),
        ]
        for index, row in enumerate(board.rows)
    ]
    names = [name.rpartition(".")[2] for name in board.settings]
    head = ["  seeds", *names, *shown, "time", "memory", *([] if whole else ["runs"])]
    lines = wrapped(f"{board.experiment}: {len(board.rows)} settings of {board.stage}, {_total(board)}")
    lines += ["", *fitted(head, [cells[index] for index in order])]
    if board.best is not None:
        lines += wrapped(f"* best mean of {board.main}; ± standard deviation over seeds; time: mean of a run")
    if board.importances:
        shares = ", ".join(f"{one.setting} {one.share:.2f}" for one in board.importances)
        lines += ["", *wrapped(f"importance for {board.main} ({board.evaluator}): {shares}")]
    elif board.note:
        lines += ["", *wrapped(board.note)]
    return clean_text("\n".join(lines))


def _rank(board: Board, index: int) -> tuple[bool, float]:
    figure = board.rows[index].figures.get(board.main)
    goal = next((metric.goal for metric in board.metrics if metric.name == board.main), "")
    mean = figure.mean if figure else None
    return mean is None, (mean or 0.0) * (1 if goal == "min" else -1)


def _states(row: BoardRow) -> str:
    counts: dict[str, int] = {}
    for run in row.runs:
        counts[run.state] = counts.get(run.state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def _total(board: Board) -> str:
    runs = [run for row in board.rows for run in row.runs]
    return f"{len(runs)} runs, {duration(sum(run.seconds or 0.0 for run in runs))} in all"


def write_csv(board: Board, file: IO[str]) -> int:
    """One row per run: its settings, seed, state, figures, time and memory; returns the number of rows."""
    names = [metric.name for metric in board.metrics]
    columns = ["experiment", "run", "seed", "state", *board.settings, *names, "seconds", "memory", "best"]
    return write_rows(file, columns, _csv_rows(board, names))


def _csv_rows(board: Board, names: Sequence[str]) -> Iterator[list[Any]]:
    for index, row in enumerate(board.rows):
        for run in row.runs:
            values = [row.value(run, name) for name in names]
            yield [
                *(board.experiment, run.id, run.seed, run.state, *row.values, *values),
                *(run.seconds, run.memory, index == board.best),
            ]
