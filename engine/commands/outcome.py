"""What a finished run has to show: facts for programs, a table or a list for people."""

from typing import Any

from engine.jobs.store import Entry


def facts(entry: Entry) -> dict[str, Any]:
    """The run's id, stage, state and everything it noted about itself."""
    return {
        "run": entry.id,
        "stage": entry.info.stage,
        "experiment": entry.info.experiment,
        "state": entry.state.value,
        **noted(entry),
    }


def noted(entry: Entry) -> dict[str, Any]:
    """What the stage noted about its result; nothing when it never began."""
    return entry.summary.facts if entry.summary else {}


def outcome(entry: Entry) -> str:
    """The result table of an evaluation, the noted facts of every other stage."""
    if entry.info.stage == "evaluate":
        from engine.report.evaluation import render

        return render(entry.folder)
    lines = [f"{entry.id}  {entry.state.value}"]
    lines += [f"  {name}: {_shown(value)}" for name, value in noted(entry).items()]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(entry)}" for name, entry in value.items())
    return str(value)
