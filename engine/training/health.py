"""The health monitor: findings about gradients, gates, progress and speed.

Pure functions of reported events (``engine.runs.events``), for a stage's own process, recorded streams and finished
runs. A group is compared with its own past, never with other groups: a new head
beside low-rank adapters has, and should have, a gradient a thousand times theirs.

Letters: E experts. A report is one event of its kind; the thresholds are ``engine.config.settings.health``.
"""

import math
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from engine.runs.events import expert_name, number
from engine.runs.reader import Tail
from engine.runs.schema import DEVICES
from engine.stages import LOSS, SPEED
from engine.training.device_health import GPU_IDLE, LOADER_BOUND, MEMORY, DeviceMonitor

if TYPE_CHECKING:
    from engine.config.settings.health import HealthSettings
    from engine.runs.run import Run

# Share of the total norm below which growth cannot hurt: parts that start at zero grow by nature.
CARRIES = 0.1
INFO, WARNING, ERROR = "info", "warning", "error"
ABOVE = 1.05  # a loss in multiples of that of equal scores, at which every training begins
REST = 0.75  # share of the steps after which a group that rests has had a gradient, if it ever will
READINGS_EVERY = 5.0  # seconds between two looks at the readings of devices

# What each code means: likely cause and next step. ``engine doctor`` looks closer.
CAUSES = {
    "nan_loss": "the learning rate is too high, or a batch has nothing to learn from: lower it, set a clip (1.0) or "
    "more warm-up",
    "grad_none": "frozen, detached, or not part of the loss: engine doctor names the parameters",
    "grad_zero": "the loss does not depend on it, or it is saturated: engine doctor names the parameters",
    "still": "a learning rate of 0, or not in the optimizer: look at the learning rate, then engine doctor",
    "explode": "the learning rate is too high: lower it, set a clip (1.0) or more warm-up",
    "grad_small": "saturated, or all there is to learn is learned: look at the loss; if that is high, start smaller",
    "gate_collapse": "the gate's learning rate is too high: lower teacher.gate_rate, or another teacher.gate",
    "dead_expert": "the gate never chose it: fewer teacher.lora.experts, or a lower teacher.gate_rate",
    "above_uniform": "scores are too large for the learning rate: lower it or distill.injection.weight, or a higher "
    "student.temperature; engine doctor looks at the first loss",
    "stagnation": "learning is stuck or the rest is learned by heart: set a patience; engine doctor overfits one batch",
    GPU_IDLE: "the process waits for a disk, a network or another process: engine logs, and the rates of the disk",
    LOADER_BOUND: "a step's work on the CPU (its batch, starting kernels) takes longer than the GPU's: a larger batch, "
    "or trainer=cpu where the model is small",
    MEMORY: "the kernel ends a process of the run when it is full: a smaller batch or window, fewer runs at a time",
    "slow": "other work on the machine, a hot or shared device, a slow disk: engine runs, and the machine's own tools",
}


@dataclass(frozen=True)
class HealthFinding:
    """Something that looks wrong, or (level info) no longer does."""

    code: str
    level: str  # info, warning, error
    hint: str  # the observation, its likely cause, the next step
    groups: tuple[str, ...] = ()


def monitor(run: "Run", rules: "HealthSettings") -> None:
    """Monitor what ``run`` reports from now on and write the findings into its summary and events."""
    watch = HealthMonitor(rules)

    tail, looked, newest = Tail(run.folder / DEVICES), 0.0, time.time()  # those of earlier attempts are not judged

    def readings() -> list[Mapping[str, Any]]:
        """Those of the run's devices that are new: the supervisor writes them, and repeats some when it thins out."""
        nonlocal looked, newest
        if time.monotonic() - looked < READINGS_EVERY:
            return []
        found = [event for event in tail.read() if event["k"] == "machine" or event["t"] > newest]
        looked, newest = time.monotonic(), max([newest, *(event["t"] for event in found)])
        return list(found)

    def look(event: Mapping[str, Any]) -> None:
        for one in (*readings(), event):
            for finding in watch.feed(one):
                run.health(finding.code, finding.level, finding.hint, finding.groups)

    run.watch(look)


def not_a_number(what: str, step: int, groups: Iterable[str] = ()) -> HealthFinding:
    """A number that is not finite: nothing can be learned from here on."""
    return _finding("nan_loss", ERROR, f"{what} is not a finite number at step {step}", groups)


@dataclass
class Baseline:
    """Numbers that were sound, and the latest ones, which are not classified yet."""

    window: int
    reports: int
    sound: deque[float] = field(init=False)
    latest: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        self.sound, self.latest = deque(maxlen=self.window), deque(maxlen=self.reports)

    def take(self, value: float, low: float, high: float) -> float | None:
        """The middle of the latest numbers over that of the past when all of them are below ``low`` or above ``high``.

        None when they are not, or when there is too little past. What is out of bounds never becomes the past.
        """
        if len(self.latest) == self.reports:
            oldest, known = self.latest[0], self.typical
            if known is None or low * known <= oldest <= high * known:
                self.sound.append(oldest)
        self.latest.append(value)
        known = self.typical
        if known is None or known == 0 or len(self.latest) < self.reports:
            return None
        ratios = [value / known for value in self.latest]
        return median(ratios) if max(ratios) < low or min(ratios) > high else None

    @property
    def typical(self) -> float | None:
        """The median of the past, once half of the window is known."""
        return median(self.sound) if len(self.sound) >= max(1, self.window // 2) else None


def all_of(values: Sequence[float | None], count: int, wanted: float | None) -> bool:
    """Whether the last ``count`` values exist and all equal ``wanted``: None is no gradient, 0 a zero gradient."""
    return len(values) >= count and all(value == wanted for value in list(values)[-count:])


class HealthMonitor:
    """Events in, findings out: each once when it begins, and once more (level info) when it ends."""

    def __init__(self, rules: "HealthSettings") -> None:
        self.rules = rules
        self.current: dict[str, HealthFinding] = {}
        self.step = 0
        self._groups: list[str] = []
        self._resting: frozenset[str] = frozenset()  # groups that may go without a gradient for a while
        self._longest_rest = math.inf  # steps
        self._reached: set[str] = set()  # groups that have had a gradient
        self._reports = 0  # of gradients
        self._patience, self._stale, self._evaluations = 0, 0, 0
        self._uniform: tuple[str, float] | None = None  # a loss, and its value where all items have one score
        self._losses: deque[float] = deque(maxlen=rules.window)
        few = rules.reports
        self._norms: dict[str, deque[float | None]] = defaultdict(lambda: deque(maxlen=few))
        self._updates: dict[str, deque[float | None]] = defaultdict(lambda: deque(maxlen=few))
        self._pasts: dict[str, Baseline] = defaultdict(lambda: Baseline(rules.window, few))
        self._speed: Baseline = Baseline(rules.window, few)
        self._collapsed: dict[str, int] = {}  # layer -> reports in a row
        self._dead: dict[tuple[str, int], int] = {}  # layer, expert -> reports in a row
        self._devices = DeviceMonitor(rules)

    def feed(self, event: Mapping[str, Any]) -> list[HealthFinding]:
        """What changed with this event. Other kinds are ignored."""
        self.step = int(event.get("step") or self.step)
        match event["k"]:
            case "schema":
                self._schema(event)
                return []
            case "s":
                return self._turned(*self._numbers(event))
            case "val":
                return self._turned(*self._evaluated(event))
            case "grad":
                return self._turned(*self._gradients(event))
            case "gate":
                return self._turned(*self._gate(event))
            case "prog":
                self._devices.phase(str(event["phase"]))
            case "machine":
                self._devices.machine(event)
            case "sys":
                judged, seen = self._devices.feed(event)
                levels = {LOADER_BOUND: INFO}  # nothing is broken
                found = [_finding(code, levels.get(code, WARNING), text, groups) for code, text, groups in seen]
                return self._turned(judged, found)
        return []

    def _turned(self, judged: Sequence[str], found: Sequence[HealthFinding]) -> list[HealthFinding]:
        """What is new, what changed its groups or level, and which of the codes that were ``judged`` are over."""
        by_code = {finding.code: finding for finding in found}
        changes = []
        for code in (*judged, *(code for code in by_code if code not in judged)):
            before, now = self.current.pop(code, None), by_code.get(code)
            if now is not None:
                self.current[code] = now
                if before is None or (before.groups, before.level) != (now.groups, now.level):
                    changes.append(now)
            elif before is not None:
                changes.append(HealthFinding(code, INFO, f"over since step {self.step}: {before.hint}", before.groups))
        return changes

    def _schema(self, event: Mapping[str, Any]) -> None:
        self._groups = [str(group.get("name")) for group in event["groups"] if isinstance(group, Mapping)]
        plan = event.get("course") or {}
        self._patience, self._stale = int(plan.get("patience", 0)), int(plan.get("stale", 0))
        self._evaluations = int(plan.get("evaluations", 0))
        self._resting = frozenset(plan.get("resting", ()))
        self._longest_rest = REST * (number(plan.get("steps")) or math.inf)
        name, value = plan.get("uniform") or ("", 0.0)
        self._uniform = (str(name), float(value)) if name else None

    def _numbers(self, event: Mapping[str, Any]) -> tuple[list[str], list[HealthFinding]]:
        found, judged = _finite({LOSS.name: event["m"].get(LOSS.name)}, self.step), []
        if self._uniform is not None and (loss := number(event["m"].get(self._uniform[0]))) is not None:
            judged.append("above_uniform")
            found += self._above_uniform(loss, *self._uniform)
        if (speed := number(event["m"].get(SPEED.name))) is not None:
            judged.append("slow")
            share = self._speed.take(speed, self.rules.slow, math.inf)
            if share is not None:
                found.append(_finding("slow", WARNING, f"training runs at {share:.0%} of its own past speed"))
        return judged, found

    def _above_uniform(self, loss: float, name: str, uniform: float) -> list[HealthFinding]:
        self._losses.append(loss)
        if len(self._losses) < self.rules.window or min(self._losses) <= ABOVE * uniform:
            return []
        seen = f"for {self.rules.window} reports {name} is above {uniform:.3g}, which equal scores of all items have"
        return [_finding("above_uniform", WARNING, f"{seen}: {loss:.3g} at step {self.step}")]

    def _evaluated(self, event: Mapping[str, Any]) -> tuple[list[str], list[HealthFinding]]:
        found = _finite(event["m"], self.step)
        self._evaluations += 1
        self._stale = 0 if event.get("best") else self._stale + 1
        if self._stale >= self.rules.stale:
            never = self._stale + 1 >= self._evaluations
            seen = f"no better evaluation for {self._stale}" + (", never better than the first one" if never else "")
            if self._patience and not never:
                seen += f"; training ends by itself after {self._patience}."
                found.append(HealthFinding("stagnation", INFO, seen))
            else:
                found.append(_finding("stagnation", WARNING, seen))
        return ["stagnation"], found

    def _gradients(self, event: Mapping[str, Any]) -> tuple[list[str], list[HealthFinding]]:
        rules, total = self.rules, number(event["total"]) or 0.0
        norms = [number(value) for value in event["g"]]
        updates = [number(value) for value in event.get("u") or [None] * len(norms)]
        seen: dict[str, list[str]] = defaultdict(list)
        ratios: dict[str, float] = {}
        self._reports += 1
        for name, norm, update in zip(self._groups, norms, updates, strict=False):
            self._norms[name].append(norm)
            self._updates[name].append(update)
            if norm is not None:
                self._reached.add(name)
            if norm is not None and not math.isfinite(norm):
                seen["nan_loss"].append(name)
            elif all_of(self._norms[name], rules.reports, None):
                if not self._rests(name):
                    seen["grad_none"].append(name)
            elif all_of(self._norms[name], rules.reports, 0.0):
                seen["grad_zero"].append(name)
            elif norm:
                ratio = self._pasts[name].take(norm, rules.vanish, rules.explode)
                if ratio is not None and ratio < 1:
                    seen["grad_small"].append(name)
                elif ratio is not None and norm >= CARRIES * total:
                    seen["explode"].append(name)
                if ratio is not None:
                    ratios[name] = ratio
                if all_of(self._updates[name], rules.reports, 0.0):
                    seen["still"].append(name)
        return _GRADIENT_CODES, [self._about(code, groups, ratios) for code, groups in seen.items()]

    def _rests(self, name: str) -> bool:
        """Whether a group may go without a gradient: as one whose time has come and goes, or may still come."""
        early = self.step < self._longest_rest or self._reports <= self.rules.window
        return name in self._resting and (early or name in self._reached)

    def _about(self, code: str, groups: Sequence[str], ratios: Mapping[str, float]) -> HealthFinding:
        worst = [ratios[name] for name in groups if name in ratios]
        seen = {
            "nan_loss": f"a gradient is not a finite number at step {self.step}",
            "grad_none": f"no gradient reaches it for {self.rules.reports} reports",
            "grad_zero": f"its gradient is exactly zero for {self.rules.reports} reports",
            "still": f"it has a gradient, and its weights have not moved for {self.rules.reports} reports",
            "explode": f"its gradient is {max(worst, default=0):.3g} times its own past",
            "grad_small": f"its gradient is {min(worst, default=0):.1g} of its own past",
        }
        level = WARNING if code in ("explode", "grad_small") else ERROR
        return _finding(code, level, seen[code], groups)

    def _gate(self, event: Mapping[str, Any]) -> tuple[list[str], list[HealthFinding]]:
        layer, rules = str(event["layer"]), self.rules
        load = [number(share) or 0.0 for share in event["load"]]
        experts, entropy = len(load), number(event["ent"])
        flat = entropy is not None and experts > 1 and entropy < rules.entropy * math.log(experts)
        self._collapsed[layer] = self._collapsed.get(layer, 0) + 1 if flat else 0
        for expert, share in enumerate(load):
            idle = experts > 1 and share < rules.load / experts
            self._dead[layer, expert] = self._dead.get((layer, expert), 0) + 1 if idle else 0
        found = []
        collapsed = [name for name, times in self._collapsed.items() if times >= rules.reports]
        if collapsed:
            seen = f"its entropy is under {rules.entropy:.0%} of the largest: one expert does all the work"
            found.append(_finding("gate_collapse", WARNING, seen, collapsed))
        dead = [expert_name(*which) for which, times in self._dead.items() if times >= rules.reports]
        if dead:
            seen = f"it gets less than {rules.load:.0%} of an even load"
            found.append(_finding("dead_expert", WARNING, seen, dead))
        return ["gate_collapse", "dead_expert"], found


# A NaN is not among them: later numbers cannot revoke it.
_GRADIENT_CODES = ["grad_none", "grad_zero", "still", "explode", "grad_small"]


def _finite(numbers: Mapping[str, Any], step: int) -> list[HealthFinding]:
    bad = [name for name, value in numbers.items() if not math.isfinite(number(value) or 0.0)]
    return [not_a_number(bad[0], step)] if bad else []


def _finding(code: str, level: str, seen: str, groups: Iterable[str] = ()) -> HealthFinding:
    return HealthFinding(code, level, f"{seen}. Likely: {CAUSES[code]}.", tuple(groups))
