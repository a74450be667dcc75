"""The answers that commands print as JSON and the cockpit reads, each declared once. Standard library only.

The names of the fields are the keys of the JSON. ``plain`` gives what ``json.dumps`` writes, ``read`` the answer again.
"""

import functools
import types
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

# -- engine compare --json ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ComparedRun:
    """A run of a group."""

    id: str
    stage: str
    experiment: str
    seed: int
    state: str
    dirty: bool  # made from code with uncommitted changes
    ended: float | None  # unix seconds


@dataclass(frozen=True)
class ComparedGroup:
    """Runs that count as repetitions of one setting; ``label`` names their experiments."""

    name: str
    label: str
    runs: list[ComparedRun]


@dataclass(frozen=True)
class ComparedSetting:
    """The values of a setting by group. ``same``: the groups do not differ in it."""

    name: str
    values: list[Any]
    same: bool


@dataclass(frozen=True)
class Spread:
    """A metric within one group. ``sd`` (over seeds, n - 1) is None for one value, ``mean`` where there is none."""

    mean: float | None
    sd: float | None
    n: int
    values: list[float | None]  # in order of the group's runs


@dataclass(frozen=True)
class GroupDifference:
    """Group ``other`` minus group ``base``. ``low`` and ``high`` are None where no interval can be computed."""

    base: int
    other: int
    mean: float
    percent: float | None
    low: float | None
    high: float | None
    p: float
    p_holm: float  # corrected for every metric and group of the model
    n: int  # pairs: seeds or rows; 0 where the groups share no seed
    over: str  # seeds, rows
    verdict: str  # better, worse or undecided, by interval and corrected p
    p_bh: float = 1.0  # the same by Benjamini and Hochberg
    correction: str = "holm"  # that the verdict follows: holm or bh
    test: str = ""  # that p comes from: t, sign-flip or wilcoxon

    @property
    def p_corrected(self) -> float:
        return self.p_bh if self.correction == "bh" else self.p_holm


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of one model in every group, and how the groups differ from the first one."""

    metric: str
    model: str | None  # None: of a training
    goal: str  # max, min or "": neither is better
    groups: list[Spread]
    differences: list[GroupDifference]


@dataclass(frozen=True)
class Overlap:
    """Share of common first items of two models over the test rows; mean over the runs of a group."""

    group: int
    models: list[str]
    value: float


@dataclass(frozen=True)
class Maker:
    """A run that others were made from."""

    stage: str
    id: str
    shared_with_all: bool


@dataclass(frozen=True)
class RunLineage:
    """The runs that a run was made from, in order of their stages."""

    group: int
    run: str
    made_from: list[Maker]


@dataclass(frozen=True)
class Caveat:
    """A reason why a comparison may mislead: ``code`` for programs, ``text`` for people."""

    code: str
    text: str


@dataclass(frozen=True)
class PairAnswer:
    """Whether a part pays that a group or the first one lacks. ``verdict``: yes, no or undecided."""

    question: str
    group: int
    model: str
    verdict: str
    text: str


@dataclass(frozen=True)
class Comparison:
    """How groups of runs differ."""

    groups: list[ComparedGroup]
    settings: list[ComparedSetting]
    protocol: str | None
    metrics: list[ComparedMetric]
    overlaps: list[Overlap]
    lineage: list[RunLineage]
    notes: list[Caveat]
    verdict: list[str]
    answers: list[PairAnswer] = field(default_factory=list)


# -- engine results --board --json -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BoardRun:
    """A run of a board: how it ended, its seconds of wall time and its largest memory in bytes."""

    id: str
    seed: int
    state: str
    seconds: float | None
    memory: int | None


@dataclass(frozen=True)
class BoardRow:
    """Runs that differ only by seed. ``figures``: metric -> its spread over the ``finished`` ones, in their order."""

    values: list[Any]  # of the board's settings
    runs: list[BoardRun]
    finished: list[str]
    figures: dict[str, Spread]
    seconds: float | None  # mean of the finished runs
    memory: int | None

    def value(self, run: BoardRun, metric: str) -> float | None:
        """A metric of one of the runs."""
        figure = self.figures.get(metric)
        return figure.values[self.finished.index(run.id)] if figure and run.id in self.finished else None


@dataclass(frozen=True)
class BoardMetric:
    """A metric of a board; of an evaluation with its model."""

    name: str
    goal: str  # max, min or ""


@dataclass(frozen=True)
class SettingImportance:
    """The share of a setting in what the settings matter for the main metric."""

    setting: str
    share: float


@dataclass(frozen=True)
class Board:
    """An experiment's runs of one stage by the settings that differ. ``best``: index of the row by ``main``."""

    experiment: str
    stage: str
    settings: list[str]
    metrics: list[BoardMetric]
    main: str
    rows: list[BoardRow]
    best: int | None
    importances: list[SettingImportance]
    evaluator: str
    note: str  # why there are no importances


# -- engine show --json ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShownRun:
    """What the cockpit reads of a shown run: its settings that differ from the defaults."""

    run: str
    changed: dict[str, list[Any]] | None  # name -> [value, default]; None where its configuration cannot be read


# -- engine recommend --json, engine serve-local -----------------------------------------------------------------------

READY, LOADING, MISSING_MODEL, FAILED = "ready", "loading", "missing", "failed"


@dataclass(frozen=True)
class ItemNames:
    """An item and its names."""

    item: int
    raw: str
    title: str


@dataclass(frozen=True)
class RankedItem:
    """An item of a model's list. ``next``: it is the item that the user chose next."""

    rank: int
    item: int
    raw: str
    title: str
    score: float
    next: bool = False

    @property
    def names(self) -> ItemNames:
        return ItemNames(self.item, self.raw, self.title)


@dataclass(frozen=True)
class ModelList:
    """The list of one model, or why it has none (``note``)."""

    model: str
    run: str  # that trained it; "" where no run did
    state: str  # ready, loading, missing, failed
    note: str = ""
    source: str = ""  # of a teacher that is ready: knowledge or live
    items: list[RankedItem] = field(default_factory=list)
    next_rank: float | None = None  # of the true next item among the items not seen
    gates: list[float] | None = None
    ms: float | None = None


@dataclass(frozen=True)
class Recommendations:
    """The lists of all models for one history, and how many items every two of them share."""

    history: list[ItemNames]  # oldest first
    user: str
    next: ItemNames | None
    columns: list[ModelList]
    overlap: list[tuple[str, str, int]]

    @property
    def complete(self) -> bool:
        return all(column.state != LOADING for column in self.columns)


@dataclass(frozen=True)
class HeldOutRow:
    """A held-out row of a user, and the rank that an evaluation gave its next item by model."""

    row: int
    user: str
    events: int
    ranks: dict[str, float]


# -- engine doctor --json ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReportedCheck:
    """One check: its verdict, the evidence, and for anything but a pass the likely cause and the remedy."""

    check: str
    about: str  # the stage
    verdict: str  # pass, warn, fail, skip
    evidence: str
    cause: str = ""
    remedy: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class DoctorProgress:
    """A line of ``engine doctor --json --lines``: what begins, or the check that has ended. The last line is the
    Examination."""

    done: int  # checks that have ended
    total: int
    now: str = ""  # the check, or the part of it, that begins
    found: ReportedCheck | None = None


@dataclass(frozen=True)
class Examination:
    """All checks; ``sound`` where none failed."""

    sound: bool
    seconds: float
    checks: list[ReportedCheck]


# -- to and from plain values ------------------------------------------------------------------------------------------


def plain(answer: Any) -> dict[str, Any]:
    """An answer as the values that JSON has."""
    return asdict(answer)


def read(kind: type[T], value: Any, text: Callable[[str], str] = str) -> T:
    """The answer that plain values hold; every text in it has passed ``text``. Unknown keys are ignored.

    ValueError where a key without a default is missing or a value has another type.
    """
    return cast(T, _read(kind, value, kind.__name__, text))


def _read(kind: Any, value: Any, name: str, text: Callable[[str], str]) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):  # of a type and None
        return None if value is None else _read(inner[0], value, name, text)
    if is_dataclass(kind) and isinstance(value, dict):
        values = {}
        for key, (hint, needed) in _declared(cast(type, kind)).items():
            if key in value:
                values[key] = _read(hint, value[key], f"{name}.{key}", text)
            elif needed:
                raise ValueError(f"{name} has no '{key}'")
        return cast(type, kind)(**values)
    if origin is dict and isinstance(value, dict):
        return {text(str(key)): _read(inner[1], one, f"{name}.{key}", text) for key, one in value.items()}
    if origin is list and isinstance(value, (list, tuple)):
        return [_read(inner[0], one, name, text) for one in value]
    if origin is tuple and isinstance(value, (list, tuple)) and len(value) == len(inner):
        return tuple(_read(part, one, name, text) for part, one in zip(inner, value, strict=True))
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind is str and isinstance(value, str):
        return text(value)
    if kind in (int, bool) and type(value) is kind:
        return value
    raise ValueError(f"{name} cannot be {value!r:.80}")


@functools.cache
def _declared(kind: type) -> dict[str, tuple[Any, bool]]:
    """Type of every field, and whether an answer has to have it."""
    hints = get_type_hints(kind)
    return {f.name: (hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)}
