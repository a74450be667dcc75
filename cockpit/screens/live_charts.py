"""Which metrics have a chart on the Live screen, and the curves of each."""

from cockpit.context import Context
from cockpit.models.chart import Chart, Trace
from cockpit.models.gates import Layer
from cockpit.models.rows import Row
from cockpit.models.run_data import TOTAL, RunData
from cockpit.models.series import Series
from cockpit.panes import gates
from cockpit.panes.side import kept_and_best
from cockpit.theme import CURVES
from engine.report import numbers
from engine.stages import LOSS, TERMS

ENTROPY = "gate entropy"
LOSS_TERMS = "loss terms"  # the loss and the terms that it is the sum of
FIRST = ("val_recall@10", "val_loss", "loss", LOSS_TERMS, TOTAL, ENTROPY, "val_ndcg@10", "lr")


class Charts:
    """Charts by metric. A run has the same colour on all of them; of several metrics on one, each has its own dash."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.layer = 0  # of the gates whose entropy is drawn
        self.chosen: dict[str, list[str]] = {}  # stage -> charts chosen by hand, in order
        self.beside: dict[tuple[str, str], list[str]] = {}  # (stage, chart) -> metrics overlaid on it
        self._charts: dict[tuple[str, str], Chart] = {}

    def names(self, row: Row, data: RunData) -> list[str]:
        """Metrics that have a chart: those chosen by hand, then the usual ones, then all others."""
        usual = [*([row.metric] if row.metric else []), *FIRST, *data.series]
        known = set(self.known(data))
        present = [name for name in usual if name in known]
        expected = [row.metric or "loss"] if row.open else []  # an ended run reports nothing any more
        return list(dict.fromkeys([*self.chosen.get(row.stage, []), *present])) or expected

    def known(self, data: RunData) -> list[str]:
        """Everything that a chart can show."""
        more = {ENTROPY: bool(data.gates.layers), LOSS_TERMS: len(loss_terms(data)) > 2}
        return [*data.series, *(name for name, there in more.items() if there)]

    def description(self, name: str, data: RunData) -> str:
        """What a metric is."""
        own = {TOTAL: "before clipping", LOSS_TERMS: "the loss and all its terms"}
        return str(data.schema.get(name, {}).get("help", "")) or own.get(name, "")

    def chart(self, metric: str, row: Row, runs: list[str]) -> Chart:
        """The chart of a metric. ``runs``: the run that is shown, then the marked ones."""
        data = self.context.watch.follow(row.id).data
        drawn = self._charts.setdefault((row.id, metric), Chart(metric))
        drawn.total, drawn.growing = data.total if row.open else 0.0, row.open
        drawn.traces = []
        more = self.beside.get((row.stage, metric), [])
        if metric == LOSS_TERMS:
            drawn.traces = self._terms(data)
            runs, drawn.note = [], []
        for dash, name in enumerate([metric, *more]):
            for colour, run in enumerate(runs):
                series = self._series(self.context.watch.follow(run).data, name)
                if series is not None and run in self.context.list.rows:
                    label = self.context.list.rows[run].name[-4:] if len(runs) > 1 or not more else ""
                    label = f"{label} {name}".strip() if more else label
                    drawn.traces.append(Trace(label, series, colour + CURVES * dash, metric=name))
        if metric == LOSS_TERMS:
            return drawn
        best = kept_and_best(row, metric)
        drawn.note = [(best, "dim")] if best else []
        if metric == TOTAL and data.gradients.clip:
            drawn.line = data.gradients.clip
            style = "warn" if data.gradients.always_clipped else "dim"
            drawn.note = [(f"  clip {drawn.line:g} hit {data.gradients.clip_share:.0%}", style)]
        elif not best and drawn.traces and drawn.traces[0].series.count:
            drawn.note = [(f"  now {numbers.figure(float(drawn.traces[0].series.values[-1]))}", "dim")]
        return drawn

    def _terms(self, data: RunData) -> list[Trace]:
        """A curve for the loss and each of its terms."""
        names = loss_terms(data)
        return [Trace(name, data.series[name], colour, metric=name) for colour, name in enumerate(names)]

    def version(self, row: Row, metric: str, runs: list[str]) -> object:
        """A value that changes whenever the chart does, also when a series was truncated."""
        names = [metric, *self.beside.get((row.stage, metric), [])]
        series = [self._series(self.context.watch.follow(run).data, name) for run in runs for name in names]
        return runs, names, [(one.count, one.last_step) if one else None for one in series]

    def _series(self, data: RunData, metric: str) -> Series | None:
        if metric != ENTROPY:
            return data.series.get(metric)
        found = gates.chosen(data.gates, self.layer)
        return _entropy(found[1]) if found else None


def loss_terms(data: RunData) -> list[str]:
    """The loss and its terms, as far as the run reports them."""
    return [name for name in (LOSS.name, *TERMS) if name in data.series]


def _entropy(layer: Layer) -> Series:
    series = Series()
    count = len(layer.steps)
    series.extend(layer.steps, layer.entropies, [0.0] * count, [float("nan")] * count)
    return series
