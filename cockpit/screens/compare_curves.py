"""The chart of the compare screen: a curve a group, from the events that the cockpit follows anyway."""

from collections.abc import Sequence
from itertools import chain, zip_longest

from cockpit.context import Context
from cockpit.models.band import mean_and_band
from cockpit.models.chart import Chart, Trace
from cockpit.models.groups import RunGroup, trained
from cockpit.models.series import STEP, Series
from cockpit.services.watch import FOLLOWED
from cockpit.theme import CURVES
from engine.metrics.band import Band


class Curves:
    """``metric`` is what a person chose; empty: the main one. ``ranges``: whether the range of the seeds is shown."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.metric = ""
        self.ranges = True
        self._chart = Chart("")
        self._bands: dict[str, tuple[object, tuple[Series, Band] | None]] = {}

    def _runs(self, groups: Sequence[RunGroup]) -> list[list[str]]:
        """For each group the training runs whose curves are drawn."""
        rows = self.context.list.rows
        return [
            list(dict.fromkeys(run.id for row in group.rows if (run := trained(row, rows)) is not None))
            for group in groups
        ]

    def watched(self, groups: Sequence[RunGroup]) -> list[str]:
        """As many of them as can be followed, every group's first one before any group's second."""
        turns = chain.from_iterable(zip_longest(*self._runs(groups)))
        return list(dict.fromkeys(run for run in turns if run is not None))[:FOLLOWED]

    def names(self, groups: Sequence[RunGroup]) -> list[str]:
        """Metrics that any of the trainings reported, its main one first."""
        rows = [self.context.list.rows[run] for run in self.watched(groups)]
        found = [row.metric for row in rows if row.metric]
        for row in rows:
            found += self.context.watch.follow(row.id).data.series
        return list(dict.fromkeys(found))

    def chart(self, groups: Sequence[RunGroup]) -> Chart:
        """Means, and around them the ranges; a group is known by its letter, colour and dash."""
        names, watched, rows = self.names(groups), self.watched(groups), self.context.list.rows
        metric = self.metric if self.metric in names else next(iter(names), "")
        stages = {rows[run].stage for run in watched} - {groups[0].rows[0].stage}
        title = metric + (f" of {', '.join(sorted(stages))}" if stages else "")
        if self._chart.title != title:
            self._chart = Chart(title)
        drawn, axis = self._chart, self.context.view.axis
        drawn.traces, drawn.total, drawn.growing, drawn.note = [], 0.0, False, []
        for index, (group, runs) in enumerate(zip(groups, self._runs(groups), strict=True)):
            datas = [self.context.watch.follow(run).data for run in runs if run in watched]
            own = [series for data in datas if (series := data.series.get(metric)) is not None]
            key = (metric, axis, [(id(series), series.count, series.last_step) for series in own])
            if group.letter not in self._bands or self._bands[group.letter][0] != key:
                self._bands[group.letter] = (key, mean_and_band(own, axis))
            found = self._bands[group.letter][1]
            if found is None:
                drawn.traces += [Trace(group.letter, series, index) for series in own[:1]]  # without points
                continue
            dash = 4 if index % 2 or index >= CURVES else 0
            mean, band = found
            ranged = band if self.ranges and len(own) > 1 else None
            drawn.traces.append(Trace(group.letter, mean, index, dash, ranged))
            if ranged is not None:
                drawn.note = [("  mean, range of seeds", "dim")]
            if any(rows[run].open for run in runs):
                drawn.growing = True
                if axis == STEP:
                    drawn.total = max([drawn.total, *(data.total for data in datas)])
        left = len(set(chain.from_iterable(self._runs(groups)))) - len(watched)
        if left:
            drawn.note = [*drawn.note, (f"  {left} runs not drawn", "warn")]
        return drawn
