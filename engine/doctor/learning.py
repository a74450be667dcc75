"""Can it learn? Looks at whatever a stage is about to train, before its first step, and at what its steps report."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch

from engine.config.settings.student import StudentSettings
from engine.doctor.case import Case, Learner
from engine.doctor.outcome import NotThere, Outcome, failed, judged, passed, warned
from engine.runs.events import Event
from engine.runs.reader import Tail, history
from engine.runs.schema import ARTIFACTS, EVENTS
from engine.stages import LEARNING_RATE, LOSS, STAGES
from engine.student.losses import chance_loss
from engine.training import health

# A first loss this many times that of guessing is none of a model that knows nothing. A taught student has its
# teacher's vectors in its table from the first step on: it begins by guessing with great confidence.
FAR = {"student": 2.0, "backbone": 2.0, "teacher": 2.0, "distill": 4.0}
OVERFIT_STEPS = 150  # at most
OVERFIT_RATE = 1e-2
LEARNED = 0.3  # of the loss of guessing is left when one batch is known by heart
SPOKEN = 0.8  # the same for titles said through a frozen language model that was hardly trained
GRADIENT_STEPS = 30  # at most: parts that start at zero pass a gradient on from the second step on, dead ones later


def runs(case: Case, stage: str) -> Outcome:
    """The stage's own code runs through, on a cut of the data."""
    try:
        folder = case.rehearsal(stage).folder
    except NotThere:
        if stage not in case.broken:
            raise
        return failed(
            case.broken[stage].replace("\n", " "),
            "the stage's own code ended in an error",
            f"The same with its whole trace: engine run {stage}, then engine logs last.",
        )
    made = [artifact.file for artifact in STAGES[stage].makes if (folder / ARTIFACTS / artifact.file).exists()]
    return passed(f"a few steps on a cut of the data, and it wrote {', '.join(made)}")


def starts_at_chance(case: Case, stage: str) -> Outcome:
    """The loss before training is that of guessing: ln n for cross-entropy over n items."""
    learner = case.learner(stage)
    learner.fresh()
    chance, of = _chance(case, stage)
    with torch.enable_grad():  # some losses look at the gradients of their own parts
        first = float(learner.loss(0)[1])
    evidence = f"first loss {first:.3f}, guessing {chance:.3f} ({of})"
    if not math.isfinite(first) or first > FAR[stage] * chance:
        return failed(
            evidence,
            "the first scores are far too large: initial vectors, or a temperature, of the wrong size",
            "Check the setting of initial weights (student.initial, student.temperature) and what is added to them.",
        )
    return judged(
        2 * first >= chance,
        evidence,
        "it knows the answer before it has learned anything: the target can be seen in the input, or weights of an "
        "earlier training were read",
        "Look at the first batches (engine doctor --only first-batches): is the target among the inputs?",
    )


def overfits(case: Case, stage: str) -> Outcome:
    """One batch can be learned by heart: data, model, loss and optimizer are connected."""
    learner = case.learner(stage)
    module = learner.fresh()
    torch.manual_seed(0)
    optimizer = module.configure_optimizers()
    for group in optimizer.param_groups:
        group["lr"] = OVERFIT_RATE if group["lr"] else 0.0  # a learning rate of 0 stays one
    first, best, step = math.nan, math.inf, 0
    for step in range(1, OVERFIT_STEPS + 1):
        optimizer.zero_grad()
        with torch.enable_grad():
            loss, own = learner.loss(0)
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], _clip(learner))
        optimizer.step()
        first = float(own) if step == 1 else first
        best = min(best, float(own))
        if best <= _goal(case, stage, first) or not math.isfinite(float(own)):
            break
    learner.fresh()
    evidence = f"loss of one batch {first:.3f} → {best:.3f} in {step} steps"
    return judged(
        best <= _goal(case, stage, first),
        evidence,
        "targets do not follow from the inputs, the loss does not reach the weights, or the model cannot tell its "
        "inputs apart",
        f"engine doctor {stage} --only gradients names parameters without a gradient; --only first-batches shows what "
        "is learned from.",
    )


def gradients_reach(case: Case, stage: str) -> Outcome:
    """Every trainable parameter gets a gradient that is neither None nor zero, and moves."""
    none, zero, still, count, steps = _steps(case, stage)
    parts = [
        f"{what}: {_listed(names)}"
        for what, names in (("no gradient", none), ("zero gradient", zero), ("does not move", still))
        if names
    ]
    return judged(
        not parts,
        "; ".join(parts) or f"{count} of {count} parameters get one and move within {steps} steps",
        "detached from the loss (.detach(), no_grad, a layer that is not called), saturated, or not in the optimizer",
        "Follow the first of them from the loss backwards; a part that is meant to be frozen must not require a "
        "gradient.",
    )


def learning_rate(case: Case, stage: str) -> Outcome:
    """The learning rate is not 0 all along, and steps move weights: as reported by the run, or by its rehearsal."""
    folder = case.run_of(stage)
    rates = history(folder).series.get(LEARNING_RATE.name)
    if rates is None or not rates.values:
        raise NotThere(f"{stage} reported no learning rate")
    most = max(rates.values)
    return judged(
        most > 0 and math.isfinite(most),
        f"largest learning rate {most:.3g} over {len(rates.values)} reports",
        "the schedule or the setting makes it 0: nothing is learned, and everything else looks normal",
        f"engine config {stage} shows learning_rate, warmup and schedule.",
    )


def reports_are_sound(case: Case, stage: str) -> Outcome:
    """What the finished run reported, watched again: NaN, gradients, gates, progress, speed."""
    folder = case.trained(stage)
    watch, seen = health.HealthMonitor(case.config.health), list[health.HealthFinding]()
    for event in events_of(folder):
        seen += watch.feed(event)
    lasting = [finding for finding in watch.current.values() if finding.level != health.INFO]
    worst = [finding for finding in lasting if finding.level == health.ERROR]
    if not lasting:
        losses = history(folder).series.get(LOSS.name)
        return passed(f"{len(losses.values) if losses else 0} reports, nothing looks wrong at the end")
    first = (worst or lasting)[0]
    named = ", ".join(f"{f.code} ({', '.join(f.groups)})" if f.groups else f.code for f in lasting)
    return (failed if worst else warned)(named, first.hint, f"Look at the run: engine show {folder.name}")


def _steps(case: Case, stage: str) -> tuple[list[str], list[str], list[str], int, int]:
    """Parameters without a gradient, with a zero one, that did not move; how many learn, and after how many steps."""
    learner = case.learner(stage)
    module = learner.fresh()
    torch.manual_seed(0)
    optimizer = module.configure_optimizers()
    learning = {name: value for name, value in module.named_parameters() if value.requires_grad}
    before = {name: value.detach().clone() for name, value in learning.items()}
    best: dict[str, float] = {}
    step = 0
    for step in range(1, GRADIENT_STEPS + 1):
        optimizer.zero_grad()
        with torch.enable_grad():
            learner.loss(step - 1)[0].backward()  # type: ignore[no-untyped-call]
        for name, value in learning.items():
            if value.grad is not None:
                best[name] = max(best.get(name, 0.0), float(value.grad.abs().max()))
        optimizer.step()
        if len(best) == len(learning) and min(best.values()) > 0:
            break
    none = [name for name in learning if name not in best]
    zero = [name for name, most in best.items() if most == 0.0]
    still = [
        name
        for name, value in learning.items()
        if name not in none and name not in zero and torch.equal(value.detach(), before[name])
    ]
    learner.fresh()
    return none, zero, still, len(learning), step


def _chance(case: Case, stage: str) -> tuple[float, str]:
    """The loss of guessing, and what it is made of."""
    config = case.config
    if stage == "backbone":
        words = int(case.learner(stage).module.model.config.vocab_size)
        return chance_loss(words), f"ln {words} tokens"
    if stage == "teacher":
        if config.teacher.objective != "rank":
            raise NotThere("a teacher that says titles starts from what its language model knows")
        return chance_loss(case.items), f"ln {case.items} items"
    student = config.student if stage == "student" else config.distill.student
    if stage == "distill" and config.distill.as_released:
        return math.log(2), "ln 2: one item against one negative"
    return _student_chance(student, case.items)


def _goal(case: Case, stage: str, first: float) -> float:
    """What is left of a first loss when a batch is known by heart."""
    try:
        return LEARNED * min(first, _chance(case, stage)[0])
    except NotThere:
        return SPOKEN * first


def _student_chance(student: StudentSettings, items: int) -> tuple[float, str]:
    if student.loss == "cross-entropy":
        return chance_loss(items), f"ln {items} items"
    drawn = student.negatives or 1
    if student.loss == "sampled-softmax":
        return chance_loss(drawn + 1), f"ln of the target and {drawn} negatives"
    if student.loss == "bce":
        return (1 + drawn) * math.log(2), f"ln 2 for the target and {drawn} negatives"
    alpha, t = drawn / max(1, items - 1), student.calibration or 0.0
    beta = alpha * (t * (1.0 - 1.0 / alpha) + 1.0 / alpha)
    return (beta + drawn) * math.log(2), f"ln 2 for the target (weight {beta:.2f}) and {drawn} negatives"


def _clip(learner: Learner) -> float:
    return learner.plan.clip or math.inf


def _listed(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def events_of(folder: Path) -> Iterator[Event]:
    """Every event of a run."""
    tail = Tail(folder / EVENTS)
    yield from tail.read()
    while tail.behind:
        yield from tail.read()
