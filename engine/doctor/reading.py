"""Checks of what the teacher reads: the history in the order of time, nothing of later items, the same at inference.

Letters: Q prompts, P predicted positions, E events, D width of the student's states.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.data.sequences import Rows, Sequences
from engine.doctor import subset
from engine.doctor.case import Case
from engine.doctor.check import Outcome, Unavailable, check, failed, judged, passed
from engine.doctor.noise import SAME, difference
from engine.doctor.teacher import Probe, candidates_of, probe_of
from engine.knowledge.scorers import catalogue_scorer
from engine.stages import SEQUENCES, VALIDATION
from engine.teacher.build import TeacherSetup
from engine.teacher.objectives import generate, rank
from engine.teacher.objectives.generate import GenerateCollator
from engine.teacher.objectives.rank_collator import RankCollator, all_queries, batch_queries
from engine.teacher.prompting.prompts import item_name
from engine.teacher.prompting.spans import PromptSpans, heldout_spans, training_spans

USERS = 32  # of the subset, whose events are replaced
PROMPTS, STEPS = 8, 8  # prompts whose later items are replaced, and training steps that are looked at
SHOWN = 4  # items of a prompt before its first position, so that no prompt is cut to the context

GATE, TOKENS, SLOTS, MEANS, STATE, STUDENT = (
    "the gate",
    "the tokens",
    "the slots",
    "the means of text vectors",
    "the language model's state",
    "the student's state",
)
WHY = {
    GATE: "the gate reads the user's state after a later event than the one before the first target",
    TOKENS: "the prompt shows the target, or items behind it",
    SLOTS: "slots hold the vector of the target, or of items behind it",
    MEANS: "means of text vectors are taken over items behind the position",
    STATE: "a prediction is read behind later items, or attention is not causal",
    STUDENT: "the student's state is one of a later event, or the student has no causal mask",
}


@check(
    "prompt-order",
    "teacher",
    detects="prompts that list a history in another order than that of time",
    cause="the history is reversed, or sorted, between the rows and the prompt",
    remedy="PromptSpans.history is oldest first, and so is PromptTokenizer.assemble's list.",
)
def prompt_order(case: Case) -> Outcome:
    """The titles of a history stand in its prompt oldest first."""
    probe = probe_of(case)
    vocabulary, longest = probe.setup.tokenizer.vocabulary, case.config.teacher.title_tokens
    candidates = candidates_of(case, probe.spans.history) if case.config.teacher.objective == "generate" else None
    prompts = probe.setup.tokenizer.assemble(
        probe.template, probe.spans.history, candidates, slots=case.config.teacher.slots
    )
    shown = ""
    for prompt, tokens in enumerate(prompts.ids.tolist()):
        count = int((prompts.history[prompt] != 0).sum())
        stop = int(probe.spans.stop[prompt])
        names = [item_name(case.titles[item], item) for item in probe.spans.items[stop - count : stop].tolist()]
        titles = [ids[:longest] for ids in vocabulary.encode([vocabulary.space + name for name in names])]
        missing = [name for name, title in zip(names, titles, strict=True) if _find(title, tokens, 0) < 0]
        if missing:
            raise Unavailable(f"{missing[0]} is not in its prompt: see prompt-titles")
        at = 0
        for name, title in zip(names, titles, strict=True):
            found = _find(title, tokens, at)
            if found < 0:
                return failed(f"{name} stands before older items of its history: {' | '.join(names)}")
            at = found + len(title)
        shown = shown or " | ".join(names)
    return passed(f"{len(prompts.ids)} prompts, oldest item first: {shown}")


@check(
    "reads-no-later-items",
    "teacher",
    detects="a prediction that depends on its target or on later items: through prompt, gate, means or attention",
    cause="",
    remedy="What is read before a target ends with the event before it: see spans.py, rank_collator.py and "
    "FrozenStudent.after_events.",
)
def reads_no_later_items(case: Case) -> Outcome:
    """Other items in place of the target and of later ones change nothing that a prediction reads."""
    setup = probe_of(case).setup
    whole = subset.sequences(Sequences.load(case.small_artifact(SEQUENCES)), USERS)
    found = _in_training(case, setup, whole) + _held_out(case, setup)
    prompts = 0
    if setup.settings.objective == "rank":
        several, prompts = _in_prompts(case, setup, whole)
        found += several
    if found:
        parts = list(dict.fromkeys(part for part, _ in found))
        return failed("; ".join(f"{part} of {where} changes" for part, where in found[:3]), WHY[parts[0]])
    return passed(f"training steps, held-out rows and {prompts} prompts of several targets: nothing changes")


@check(
    "teacher-positions",
    "teacher",
    detects="predictions at inference that differ from those of training after the same history",
    cause="positions are counted in another way, padding is read, or the prediction is read at another token",
    remedy="Compare RankCollator's positions for prompts of several targets and of one; padding on the left, which "
    "GenerateCollator makes, needs its mask.",
)
def teacher_positions(case: Case) -> Outcome:
    """A prompt of one target gives the prediction that a prompt of several gives; padding on the left changes none."""
    probe = probe_of(case)
    if probe.setup.settings.objective != "rank":
        change = _by_side_of_padding(case, probe)
        return judged(change <= SAME, f"states behind prompts padded left and right differ by {change:.1g}")
    whole = subset.sequences(Sequences.load(case.small_artifact(SEQUENCES)), USERS)
    spans = _several(case, probe.setup, whole)
    states = probe.setup.student.after_events(whole, case.device, lambda *_: None)
    teacher, collator = probe.setup.teacher, RankCollator(probe.setup)
    with torch.no_grad():
        prompt, last = spans.positions
        batch = collator(probe.template, spans, states, last)
        gates = teacher.gates(batch.inputs.users)
        together = batch_queries(teacher, batch, gates)
        single = PromptSpans(spans.items, spans.start[prompt], last + 1, np.ones_like(last))
        alone = batch_queries(teacher, collator(probe.template, single, states, last), gates[torch.from_numpy(prompt)])
    change = max(difference(together[:, part], alone[:, part]) for part in _parts(probe.setup).values())
    return judged(
        change <= SAME, f"{len(last)} predictions of {len(spans)} prompts differ by {change:.1g} from those of one each"
    )


@dataclass(frozen=True)
class Reads:
    """What passed into the parts of a teacher."""

    parts: dict[str, list[Tensor]]

    def other(self, other: "Reads") -> list[str]:
        """The parts that read something else."""
        return [
            name
            for name, values in self.parts.items()
            if len(values) != len(other.parts[name])
            or any(difference(a, b) > SAME for a, b in zip(values, other.parts[name], strict=True))
        ]


@contextmanager
def _recorded(setup: TeacherSetup) -> Iterator[Reads]:
    """Records the inputs of gate, projector, embeddings and head."""
    teacher, head = setup.teacher, setup.teacher.head
    modules: dict[str, nn.Module] = {GATE: teacher.gate}
    if head is not None:  # candidates of the generate objective hold the target, and are read too
        modules |= {TOKENS: teacher.language_model.get_input_embeddings(), SLOTS: teacher.projector, MEANS: head.query}
        modules |= {STATE: head.read} if head.states else {}
    reads = Reads({name: [] for name in modules})

    def record(name: str) -> None:
        keep = reads.parts[name]
        handles.append(modules[name].register_forward_pre_hook(lambda _, given: keep.append(given[0].detach().cpu())))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for name in modules:
        record(name)
    try:
        yield reads
    finally:
        for handle in handles:
            handle.remove()


def _in_training(case: Case, setup: TeacherSetup, whole: Sequences) -> list[tuple[str, str]]:
    """Parts that read another last event of a user in training: it is a target alone."""
    short = replace(setup, settings=subset.short(case.config).teacher)
    rows = Rows.load(case.small_artifact(VALIDATION))
    make = rank.objective if setup.settings.objective == "rank" else generate.objective
    items = whole.items.copy()
    items[whole.offsets[1:] - 1] = _others(items[whole.offsets[1:] - 1], case.items)
    found = []
    for name, events in (("sound", whole.items), ("replaced", items)):
        inputs = {maker: case.run_of(maker).name for maker in case.inputs["teacher"]} | {"data": case.small.name}
        run = case.scratch_run("teacher", inputs, f"reads-{name}")
        objective = make(short, replace(whole, items=events), rows, run)
        with _recorded(setup) as reads, torch.no_grad():
            for step in range(min(STEPS, objective.per_epoch)):
                objective.part(step, 0)
        found.append(reads)
    setup.teacher.eval()
    return [(part, "a training step") for part in found[0].other(found[1])]


def _held_out(case: Case, setup: TeacherSetup) -> list[tuple[str, str]]:
    """Parts that read another target of a held-out row."""
    found = list[tuple[str, str]]()
    for row in range(
        min(PROMPTS, len(case.rows["validation"]))
    ):  # one by one: a target may be in another row's history
        own = case.rows["validation"].some(np.array([row]))
        items = own.items.copy()
        items[own.stop] = _others(own.targets, case.items)
        other = replace(own, items=items)
        history, changed = (heldout_spans(part, setup.settings.history + 1).history for part in (own, other))
        states = [setup.student.after_rows(part, case.device, lambda *_: None) for part in (own, other)]
        found += [(TOKENS, "a held-out row")] if not np.array_equal(history, changed) else []
        found += [(STUDENT, "a held-out row")] if difference(*states) > SAME else []
    return list(dict.fromkeys(found))


def _in_prompts(case: Case, setup: TeacherSetup, whole: Sequences) -> tuple[list[tuple[str, str]], int]:
    """Parts that read items behind the first target of a prompt of several, and the number of these prompts."""
    spans = _several(case, setup, whole)
    first = spans.stop - spans.count  # the last item before the first target
    items = whole.items.copy()
    for begin, user in zip(first + 1, np.searchsorted(whole.offsets, first, side="right"), strict=True):
        later = slice(begin, whole.offsets[user])
        items[later] = _others(items[later], case.items)
    queries, gates, states = [], [], []
    for events in (whole.items, items):
        _, last = spans.positions
        states.append(setup.student.after_events(replace(whole, items=events), case.device, lambda *_: None))
        some = replace(spans, items=events)
        query, gate = all_queries(setup, some, states[-1], last, len(spans), lambda *_: None)
        queries.append(query[torch.from_numpy(spans.first_position)])
        gates.append(gate)
    where = "a prompt of several targets"
    found = [(GATE, where)] if difference(*gates) > SAME else []
    for part, columns in _parts(setup).items():
        if difference(*(query[:, columns] for query in queries)) > SAME:
            found.append((part, where))
    return found, len(spans)


def _parts(setup: TeacherSetup) -> dict[str, slice]:
    """The columns of a query vector."""
    head, width = setup.teacher.head, setup.student.table.shape[1]
    assert head is not None
    text = width + head.query.out_features
    return {STUDENT: slice(0, width), MEANS: slice(width, text), STATE: slice(text, None)}


def _several(case: Case, setup: TeacherSetup, whole: Sequences) -> PromptSpans:
    """Prompts of several targets, as ``knowledge`` makes them, one a user, that show few items before the first."""
    targets = catalogue_scorer(setup, case.config.knowledge).targets
    spans = training_spans(whole, setup.settings.history, targets)
    user = np.searchsorted(whole.offsets, spans.start, side="right")
    order = np.lexsort((-spans.count, user))
    chosen = order[np.unique(user[order], return_index=True)[1]]  # of each user the one of most targets
    chosen = np.sort(chosen[np.argsort(-spans.count[chosen], kind="stable")][:PROMPTS])
    if not len(chosen):
        raise Unavailable("no user has two training events")
    some = spans.some(chosen)
    return replace(some, start=np.maximum(some.start, some.stop - some.count - SHOWN + 1))


def _by_side_of_padding(case: Case, probe: Probe) -> float:
    """Difference of the states behind prompts that are padded on the right, as in training, and on the left."""
    history, collator, teacher = probe.spans.history, GenerateCollator(probe.setup), probe.setup.teacher
    candidates, found = candidates_of(case, history), []
    with torch.no_grad():
        for left in (False, True):
            inputs = collator(probe.template, history, probe.states, candidates, left=left).inputs
            states = teacher.states(inputs, teacher.gates(inputs.users))
            real = inputs.ids != probe.setup.tokenizer.vocabulary.padding
            at = torch.full_like(inputs.users[:, 0], -1).long() if left else real.sum(dim=1) - 1
            found.append(states[torch.arange(len(states)), at])
    return difference(*found)


def _others(items: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Another item in place of each."""
    draw = np.random.default_rng(0).integers(1, count, len(items))  # 1..n-1
    return np.where(draw >= items, draw + 1, draw).astype(np.int32)


def _find(part: list[int], whole: list[int], start: int) -> int:
    """Where ``whole`` contains ``part`` first, from ``start`` on; -1 where it does not."""
    size = len(part)
    ends = range(start, len(whole) - size + 1)
    return next((at for at in ends if whole[at : at + size] == part), -1) if size else start
