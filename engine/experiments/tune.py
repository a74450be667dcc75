"""A search space from overrides, and a study of its trials: which settings are tried next, and what they gave.

Optuna proposes (tree-structured Parzen estimator) and keeps the trials in a journal file below the folder of runs. A
proposal depends only on the trial's number and the trials before it, so an interrupted search continues unchanged.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import config as configuration
from engine.config.grammar import values_of
from engine.config.settings.search import EPOCHS, epochs_of
from engine.config.settings.tree import Setting, parse
from engine.errors import ConfigError, UserError
from engine.experiments.trial_log import damaged
from engine.runs.files import refused

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

FOLDER = ".tune"  # <runs>/.tune/<experiment>.journal
LOG = "log:"
RUNS = "runs of trial {}"  # attribute of the study
DIGITS = 4  # of a drawn number; more make no difference


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, evenly or evenly in their logarithm."""

    low: float
    high: float
    log: bool
    whole: bool


@dataclass(frozen=True)
class Categorical:
    """One of some values, as they were typed."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Space:
    """What is searched, what is fixed, and the seeds that every trial is run with."""

    searched: dict[str, Range | Categorical]
    fixed: list[str]  # overrides
    seeds: list[str]

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The overrides of a trial, without a seed."""
        return [*self.fixed, *self.drawn(params)]

    def size(self, target: str, trials: int) -> list[str]:
        """The overrides that record the search: its size, added to that of the one that chose what it began from."""
        sections = {target, *(key.partition(".")[0] for key in self.searched)}
        begun = asdict(configuration.load(self.fixed).search)
        found = []
        for name in [name for name in EPOCHS if name in sections]:
            count, epochs = begun[name] or 0, begun[epochs_of(name)]
            length = trials * max(1, len(self.seeds)) * self._longest(EPOCHS[name])
            whole = None if count and epochs is None else (epochs or 0) + length  # the first part was not recorded
            found += [
                f"search.{name}={count + trials}",
                f"search.{epochs_of(name)}={'null' if whole is None else whole}",
            ]
        return found

    def _longest(self, setting: str) -> int:
        """The most epochs that a training of a trial may have."""
        epochs = attrgetter(setting)
        return max(int(epochs(configuration.load(self.overrides(point)))) for point in self._points())

    def _points(self) -> Iterator[dict[str, Any]]:
        """Both corners of the space, and every choice of a setting that has choices."""
        lowest = self.corner(0)
        yield from (lowest, self.corner(-1))
        for key, domain in self.searched.items():
            if isinstance(domain, Categorical):
                yield from (lowest | {key: value} for value in domain.values)

    def drawn(self, params: Mapping[str, Any]) -> list[str]:
        """Those of the settings that are searched."""
        return [f"{key}={self._text(key, params[key])}" for key in self.searched]

    def corner(self, side: int) -> dict[str, Any]:
        """The lowest values of everything (0), or the highest (-1)."""
        return {
            key: domain.values[side] if isinstance(domain, Categorical) else (domain.low, domain.high)[side]
            for key, domain in self.searched.items()
        }

    def _text(self, key: str, value: Any) -> str:
        domain = self.searched[key]
        if isinstance(domain, Categorical):
            return str(value)
        if domain.whole:
            return str(int(value))
        near = float(f"{value:.{DIGITS}g}")
        return repr(min(max(near, domain.low), domain.high))


def space(overrides: Sequence[str]) -> Space:
    """``key=log:1e-4..1e-2``, ``key=0.1..0.5``, ``key=64,128`` are searched, ``key=value`` is fixed.

    ``seed=1,2`` is not searched: every trial is run with each, and their mean counts. ConfigError for a space that is
    empty, or whose limits are not allowed values.
    """
    known, choices = configuration.declared(), configuration.groups()
    searched: dict[str, Range | Categorical] = {}
    fixed: list[str] = []
    seeds: list[str] = []
    for word in overrides:
        key, _, text = word.partition("=")
        item = known.get(key)
        if item is None and key not in choices:
            configuration.load([word])  # raises, with the likely name
        found = _range(item, text) if item is not None and item.kind in (int, float) and key != "seed" else None
        parts = [] if found else values_of(key, text, item, group=key in choices)
        if key == "seed":
            seeds = parts
        elif found:
            searched[key] = found
        elif len(parts) > 1:
            searched[key] = Categorical(tuple(parts))
        else:
            fixed.append(word)
    if not searched:
        raise ConfigError(
            "nothing is searched",
            remedy="Write for example student.learning_rate=log:1e-4..1e-2 student.batch=64,128",
        )
    whole = Space(searched, fixed, seeds)
    for side in (0, -1):
        configuration.load([*whole.overrides(whole.corner(side)), *(f"seed={seed}" for seed in seeds[:1])])
    return whole


def _range(item: Setting, text: str) -> Range | None:
    """A range where the text is one; None for anything else."""
    log = text.startswith(LOG)
    first, dots, last = text.removeprefix(LOG).partition("..")
    if not dots or "," in text:
        if log:
            raise ConfigError(f"'{text}' is not a range", location=item.key, remedy=f"Write {item.key}=log:1e-4..1e-2")
        return None
    plain = Setting(item.key, item.kind, item.meta)
    low, high = parse(plain, first), parse(plain, last)
    if not low < high or (log and low <= 0) or not math.isfinite(high - low):
        raise ConfigError(
            f"'{text}' is not a range",
            location=item.key,
            remedy=f"Write the smaller end first{', above 0' if log else ''}: {item.key}={LOG if log else ''}LOW..HIGH",
        )
    return Range(low, high, log, whole=item.kind is int)


@dataclass(frozen=True)
class Trial:
    """One point that was tried. ``state``: done, failed, or open where the search was interrupted."""

    number: int
    params: dict[str, Any]
    state: str
    value: float | None
    runs: list[str]


DONE, FAILED, OPEN = "done", "failed", "open"


class Search:
    """The trials of one search, kept in the journal at ``path``. One process at a time may have it."""

    def __init__(self, path: Path, asked: Mapping[str, Any], space: Space, goal: str, seed: int) -> None:
        """``asked`` describes the search: the journal of another one is refused."""
        import optuna  # here and below, because no other command should pay for it
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._path, self._space, self._seed = path, space, seed
        try:
            with self._disk():
                self._study: Study = optuna.create_study(
                    storage=JournalStorage(JournalFileBackend(str(path))),
                    study_name=path.stem,
                    direction="minimize" if goal == "min" else "maximize",
                    load_if_exists=True,
                )
                before = self._study.user_attrs.get("asked")
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:  # of the replay
            raise damaged(path, f"{type(error).__name__}: {error}") from error
        if before is not None and before != dict(asked):
            raise UserError(
                f"the experiment {path.stem} is a search for something else",
                location=str(path),
                remedy=f"Name another one: --experiment NAME; or type its own words again: {before.get('words')}",
            )
        if before is None:
            with self._disk():
                self._study.set_user_attr("asked", dict(asked))

    def trials(self) -> list[Trial]:
        """All trials so far, in order."""
        from optuna.trial import TrialState

        names, runs = {TrialState.COMPLETE: DONE, TrialState.FAIL: FAILED}, self._study.user_attrs
        return [
            Trial(
                *(t.number, t.params, names.get(t.state, OPEN), t.value),
                runs.get(RUNS.format(t.number)) or t.user_attrs.get("runs", []),  # where earlier versions kept them
            )
            for t in self._study.get_trials(deepcopy=False)
        ]

    def next(self) -> Trial:
        """What to try now: a trial that was left open, else a new one."""
        from optuna.samplers import TPESampler

        known = self.trials()
        for trial in known:
            if trial.state == OPEN and trial.params.keys() == self._space.searched.keys():
                return trial
            if trial.state == OPEN:  # interrupted while it was drawn
                self.tell(trial, None, [])
        self._study.sampler = TPESampler(seed=(self._seed * 1_000_003 + len(known)) % 2**32)
        with self._disk():
            asked = self._study.ask({key: _distribution(domain) for key, domain in self._space.searched.items()})
        return Trial(asked.number, asked.params, OPEN, None, [])

    def tell(self, trial: Trial, value: float | None, runs: Sequence[str]) -> None:
        """Record the result of a trial; None where it failed."""
        from optuna.trial import TrialState

        with self._disk():
            self._study.set_user_attr(RUNS.format(trial.number), list(runs))
            if value is None or not math.isfinite(value):
                self._study.tell(trial.number, state=TrialState.FAIL)
            else:
                self._study.tell(trial.number, value)

    def best(self) -> Trial | None:
        """The trial with the best value; None where none is done."""
        done = [trial for trial in self.trials() if trial.value is not None and trial.state == DONE]
        sign = -1.0 if self._study.direction.name == "MINIMIZE" else 1.0
        return max(done, key=lambda trial: (sign * (trial.value or 0.0), -trial.number), default=None)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Name the file where the disk does not allow it to be read or written."""
        try:
            yield
        except OSError as error:
            raise refused(error, self._path) from error


def _distribution(domain: Range | Categorical) -> "BaseDistribution":
    from optuna import distributions

    if isinstance(domain, Categorical):
        return distributions.CategoricalDistribution(domain.values)
    if domain.whole:
        return distributions.IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return distributions.FloatDistribution(domain.low, domain.high, log=domain.log)
