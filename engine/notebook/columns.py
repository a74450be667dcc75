"""The columns of every DataFrame, declared once; the tables of the README are tested against them."""

from dataclasses import dataclass

TEXT, INTEGER, NUMBER, TRUTH, TIME, OTHER = "text", "integer", "number", "truth", "time", "other"
DTYPES = {
    TEXT: "string",
    INTEGER: "Int64",
    NUMBER: "float64",
    TRUTH: "boolean",
    TIME: "datetime64[ns, UTC]",
    OTHER: "object",
}


@dataclass(frozen=True)
class Column:
    """A column that a table always has, filled or not."""

    name: str
    kind: str
    help: str


@dataclass(frozen=True)
class Table:
    """One kind of DataFrame: a row for each ``row``; ``more`` says which columns follow the declared ones."""

    name: str
    row: str
    columns: tuple[Column, ...]
    more: str = ""

    @property
    def dtypes(self) -> dict[str, str]:
        return {column.name: DTYPES[column.kind] for column in self.columns}


_RUN = Column("run", TEXT, "id of the run")
_STEP = Column("step", INTEGER, "training step")
_AT = Column("time", TIME, "when it was reported")

RUNS = Table(
    "runs",
    "run, oldest first",
    (
        _RUN,
        Column("stage", TEXT, "its stage"),
        Column("experiment", TEXT, "its label"),
        Column("seed", INTEGER, "its seed"),
        Column("state", TEXT, "WAITING, QUEUED, RUNNING, STALLED, DONE, FAILED, STOPPED, KILLED or LOST, as of now"),
        Column("reason", TEXT, "why it is in this state, where there is more to say"),
        Column("phase", TEXT, "what it works on, or did last"),
        Column("step", INTEGER, "units of the phase that are done"),
        Column("total", INTEGER, "units of the phase"),
        Column("created", TIME, "when it was planned"),
        Column("ended", TIME, "when its latest attempt ended"),
        Column("seconds", NUMBER, "wall time of the latest attempt"),
        Column("memory", INTEGER, "largest resident memory of a process, bytes"),
        Column("fingerprint", TEXT, "equal for runs that give the same results"),
        Column("commit", TEXT, "git commit of the code"),
        Column("dirty", TRUTH, "whether the code had uncommitted changes"),
        Column("made_from", OTHER, "ids of the runs whose artifacts it opens, by stage"),
    ),
    more="`best METRIC` for each metric of a training: its best value so far",
)
METRICS = Table(
    "metrics",
    "model of a finished evaluation: test rows, main protocol (`every=True`: each split and protocol)",
    (
        Column("experiment", TEXT, "label of the evaluation"),
        _RUN,
        Column("data", TEXT, "name of the data set"),
        Column("split", TEXT, "test or validation"),
        Column("seed", INTEGER, "seed of the evaluation"),
        Column(
            "model", TEXT, "popularity, transitions, titles, transitions+titles, student, teacher, distilled or oracle"
        ),
        Column("rows", INTEGER, "rows that were ranked"),
        Column("hide_seen", TRUTH, "whether items of a row's own history were left out"),
        *(Column(f"hr@{k}", NUMBER, f"share of rows whose target is among the first {k}") for k in (1, 5, 10, 20)),
        *(Column(f"ndcg@{k}", NUMBER, f"NDCG of the first {k}") for k in (5, 10, 20)),
        Column("mrr", NUMBER, "mean of 1 / rank"),
        Column("train_seconds", NUMBER, "wall time of the model's training"),
    ),
    more="the other columns of `metrics.csv` (`engine/evaluate`), `trials`, and settings that differ between the runs",
)
CURVES = Table(
    "curves",
    "metric and step of a training, as reported so far",
    (
        _RUN,
        Column("metric", TEXT, "name of the metric; of gradient norms `grad/GROUP` and `grad/total`"),
        _STEP,
        Column("value", NUMBER, "its value"),
        _AT,
    ),
)
RANKS = Table(
    "ranks",
    "row and model of a finished evaluation: test rows, main protocol (`every=True`: each split and protocol)",
    (
        _RUN,
        Column(
            "model", TEXT, "popularity, transitions, titles, transitions+titles, student, teacher, distilled or oracle"
        ),
        Column("split", TEXT, "test or validation"),
        Column("hide_seen", TRUTH, "whether items of the row's own history were left out"),
        Column("candidates", TEXT, "among how many items it was ranked; all"),
        Column("row", INTEGER, "index of the row in its split"),
        Column("user", INTEGER, "index of the user (`users.parquet` of the data run has raw ids)"),
        Column("target", INTEGER, "id of the target (`items.parquet` of the data run has titles)"),
        Column("rank", NUMBER, "rank of the target; ties share their mean, infinite where it was hidden"),
    ),
)
GATES = Table(
    "gates",
    "row that a teacher with a gate ranked",
    (
        _RUN,
        Column("split", TEXT, "train, validation or test"),
        Column(
            "row", INTEGER, "index of the row in its split; train: index of the event in the flat training sequences"
        ),
    ),
    more="`e0`, `e1` ...: the weight of each expert",
)
EVENTS = Table(
    "events",
    "event that a run has written so far (`engine/runs` lists the kinds)",
    (
        _RUN,
        Column("sequence", INTEGER, "its number over all attempts of the run"),
        Column("kind", TEXT, "kind of the event"),
        _STEP,
        _AT,
        Column("fields", OTHER, "its other fields"),
    ),
)
SETTINGS = Table(
    "settings",
    "run",
    (_RUN,),
    more="each setting, by its dotted name (`differing=True`: those that are not the same in all of the runs)",
)

TABLES = (RUNS, METRICS, CURVES, RANKS, GATES, EVENTS, SETTINGS)
