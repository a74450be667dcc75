"""A run as text: one line of status, its problems, its result; and its facts for programs."""

from collections.abc import Iterator
from typing import Any

from engine.jobs.state import State
from engine.jobs.store import Entry
from engine.report.numbers import duration, fixed, rate
from engine.runs.reader import History
from engine.runs.schema import Summary
from engine.runs.text import clean, clean_values
from engine.stages import METRICS_TABLE, STAGES, Metric, makes

GLYPHS = {"error": "✗", "warning": "⚠"}  # of the level of a problem


def status_line(entry: Entry) -> str:
    """``student  RUNNING  7f21  train 120/1,200  62 steps/s  eta 0:17  val_recall@10 0.1234  kept 0.1300``."""
    summary, state, reason = entry.summary, entry.state, entry.status.reason
    parts = [f"{entry.info.stage:<9}", f"{state.value:<8}", entry.id.rsplit("-", 1)[-1]]
    if not state.living:
        parts += [duration(entry.end.wall) if entry.end else "", reason.replace("\n", " · ")]
    elif state is not State.RUNNING:
        parts.append(reason)
    elif summary:
        steps = f"{summary.phase} {summary.step:,}/{summary.total:,}".strip()
        parts.append(steps if summary.total else summary.phase)
        parts.append(f"{rate(summary.rate)} {summary.unit}/s" if summary.rate else "")
        parts.append(f"eta {duration(summary.eta)}" if summary.eta is not None else "")
    metric = STAGES[entry.info.stage].main_metric(summary.last if summary else ())
    if summary and metric and metric.name in summary.last:
        parts.append(f"{metric.name} {fixed(summary.last[metric.name])}")
        parts += _kept_and_best(summary, metric)
    parts.append(problem_codes(entry))
    return "  ".join(part for part in parts if part)


def _kept_and_best(summary: Summary, metric: Metric) -> Iterator[str]:
    """The metric of the weights that are kept, and the best of all evaluations where that is of others."""
    kept, best = summary.kept.get(metric.name), summary.best.get(metric.name)
    if kept is not None:
        yield f"kept {fixed(kept)}"
    if best and best["v"] != kept:
        yield f"{'best' if kept is None else metric.goal} {fixed(best['v'])}"


def problems(entry: Entry) -> list[tuple[str, str, dict[str, Any]]]:
    """(level, code, note) of everything that ``engine.training.health`` has reported of the run, errors first."""
    health = clean_values(entry.summary.health) if entry.summary else {}
    found = [(str(note.get("level")), code, note) for code, note in health.items() if isinstance(note, dict)]
    return sorted(found, key=lambda item: [*GLYPHS, item[0]].index(item[0]))


def problem_codes(entry: Entry) -> str:
    """``✗ grad_none ⚠ slow``: the problems that are not over."""
    return " ".join(f"{GLYPHS[level]} {code}" for level, code, _ in problems(entry) if level in GLYPHS)


def problem_lines(entry: Entry) -> Iterator[str]:
    """Every problem with its hint, errors first; what is over by now last."""
    for level, code, note in problems(entry):
        groups = ", ".join(map(str, note.get("groups") or ()))
        yield f"  {GLYPHS.get(level, '·')} {code}{f' ({groups})' if groups else ''}: {note.get('hint', '')}"


def warning_lines(history: History) -> list[str]:
    """``  ⚠ the knowledge has no ...``: the warnings and errors that the stage logged, each once, oldest first."""
    logged = (event for event in history.notices if event["k"] == "log" and event.get("level") in GLYPHS)
    return list(dict.fromkeys(f"  {GLYPHS[event['level']]} {clean(str(event.get('msg', '')))}" for event in logged))


def facts(entry: Entry) -> dict[str, Any]:
    """The run's id, stage, state and the facts that its stage has noted."""
    identity = {"run": entry.id, "stage": entry.info.stage, "experiment": entry.info.experiment}
    return {**identity, "state": entry.state.value, **_noted(entry)}


def result_text(entry: Entry) -> str:
    """The result table of an evaluation, the noted facts of every other stage."""
    if makes(entry.info.stage, METRICS_TABLE):
        from engine.report.evaluation import render

        return render(entry.folder)
    lines = [f"{entry.id}  {entry.state.value}"]
    return "\n".join([*lines, *(f"  {name}: {_fact(value)}" for name, value in _noted(entry).items())])


def _noted(entry: Entry) -> dict[str, Any]:
    return entry.summary.facts if entry.summary else {}


def _fact(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, list):
        return "".join(f"\n    {_fact(entry)}" for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_fact(entry)}" for name, entry in value.items())
    return str(value)
