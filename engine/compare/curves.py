"""Training curves of groups: mean, minimum and maximum over seeds at every step."""

from collections.abc import Sequence

from engine.compare.groups import Group, Member
from engine.errors import UserError
from engine.metrics.band import Band, band
from engine.runs.reader import MetricSeries, history
from engine.stages import METRICS_TABLE, STAGES, makes


def curves(groups: Sequence[Group], metric: str) -> list[Band | None]:
    """A band per group, None where no run reported the metric. An evaluation shows the model trained last."""
    found = [_series(group, metric) for group in groups]
    if not any(found):
        names = dict.fromkeys(name for group in groups for member in group.members for name in _reported(member))
        raise UserError(
            f"none of these runs reported '{metric}'", location="--curve", remedy=f"They reported: {', '.join(names)}."
        )
    return [shared_band(series) if series else None for series in found]


def shared_band(series: Sequence[MetricSeries]) -> Band:
    """Mean and range of several curves at every step that one of them has and all of them span."""
    first, last = max(one.steps[0] for one in series), min(one.steps[-1] for one in series)
    steps = sorted({step for one in series for step in one.steps if first <= step <= last})
    return band([(one.steps, one.values) for one in series], steps)


def _series(group: Group, metric: str) -> list[MetricSeries]:
    """The metric's curve of every member, from the last stage that reports it."""
    found = []
    for member in group.members:
        for run in (member.entry, *reversed(member.makers)):
            declared = {known.name for known in STAGES[run.info.stage].metrics}
            if metric not in declared and run is not member.entry:
                continue
            series = history(run.folder).series.get(metric)
            if series is not None and series.steps and not makes(run.info.stage, METRICS_TABLE):
                found.append(series)
                break
    return found


def _reported(member: Member) -> list[str]:
    return [
        name
        for run in (member.entry, *member.makers)
        if not makes(run.info.stage, METRICS_TABLE)
        for name in history(run.folder).series
    ]
