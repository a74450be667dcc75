"""Does the language model read titles and item vectors, and do its experts answer to the gate?

Letters: Q questions, L places of a history, E experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.backbone.pieces import Ints
from engine.data.ids import PADDING
from engine.doctor.case import Case
from engine.doctor.outcome import NotThere, Outcome, judged
from engine.stages import ADAPTER
from engine.teacher.build import Built, build
from engine.teacher.lora.moe_lora import adapters
from engine.teacher.model import Inputs
from engine.teacher.objectives.generate import GenerateCollator
from engine.teacher.objectives.rank_collator import RankCollator
from engine.teacher.prompting.candidates import offered
from engine.teacher.prompting.prompts import titled
from engine.teacher.prompting.spans import PromptSpans, of_rows

QUESTIONS = 6
SAME = 1e-4  # share of their size by which states may differ that should be equal
STRONG = 0.05  # standard deviation of experts that were not trained, so that their effect shows
SHOWN = 160  # characters of a prompt in the evidence


@dataclass(frozen=True)
class Asked:
    """A teacher and a few questions about validation histories."""

    built: Built
    questions: PromptSpans
    states: Tensor  # [Q, D] the student's states before the answers

    @property
    def template(self) -> str:
        return self.built.templates[0]


def prompts_hold_titles(case: Case) -> Outcome:
    """Every item of a history stands in the prompt by its own title."""
    asked, wrong = _asked(case), []
    ids, length, shown = _assembled(case, asked)
    words, settings = asked.built.book.vocabulary, case.config.teacher
    for question in range(len(ids)):
        tokens = ids[question, : length[question]].tolist()
        for item in shown[question][shown[question] != PADDING].tolist():
            name = titled(case.titles[item], item)
            title = words.encode([words.space + name])[0][: settings.title_tokens]
            if not _within(title, tokens):
                wrong.append(name)
    text = words.decode(ids[0, : length[0]].tolist())
    return judged(
        not wrong,
        f"{len(wrong)} titles are missing, first: {wrong[0]}; the prompt: {text[:SHOWN]}" if wrong else text[:SHOWN],
        "prompts are made of slots alone, or of other items' titles: without titles a language model has nothing to "
        "read, and accuracy stalls",
        "Each item stands as its title followed by its slot (engine/teacher/prompting/prompts.py); compare ids and "
        "titles with engine doctor --only ids.",
    )


def prompts_hold_slots(case: Case) -> Outcome:
    """Behind each title stands one slot, and the vector that is put there is that item's."""
    settings = case.config.teacher
    if not settings.slots:
        raise NotThere("this teacher is a text-only one: teacher.slots=false")
    asked, wrong = _asked(case), []
    ids, _, shown = _assembled(case, asked)
    words = asked.built.book.vocabulary
    for question in range(len(ids)):
        items, found = (shown[question] != PADDING).sum(), (ids[question] == words.history_slot).sum()
        if found != items:
            wrong.append(f"prompt {question} has {found} slots for {items} items")
    inputs = _inputs(case, asked, asked.questions)
    expected = shown[shown != PADDING]
    rank = settings.objective == "rank"  # of the other kind, candidates have slots too
    if rank and len(inputs.slots) != len(expected):
        wrong.append(f"{len(inputs.slots)} vectors are put in for {len(expected)} items")
    elif rank:
        table = asked.built.student.table
        off = ~torch.isclose(inputs.vectors, table[torch.from_numpy(expected).to(table.device)]).all(dim=1)
        if off.any():
            wrong.append(f"{int(off.sum())} slots hold another item's vector")
    return judged(
        not wrong,
        "; ".join(wrong[:3]) or f"{len(expected)} items of {len(ids)} prompts, a slot and its own vector each",
        "slots are lost or shifted between prompt and embeddings: items and vectors no longer belong together",
        "Look at PromptTokenizer.assemble and the places that RankCollator fills.",
    )


def gate_acts(case: Case) -> Outcome:
    """Other expert weights give other states: the gate is not only computed, it is used."""
    settings, asked = case.config.teacher, _asked(case)
    if settings.lora.experts < 2:
        raise NotThere("there is one expert only")
    inputs = _inputs(case, asked, asked.questions)
    with torch.no_grad():
        gates = asked.built.teacher.gates(inputs.users)
        only = torch.eye(gates.shape[1]).to(gates)  # [E, E] everything to one expert
        states = [asked.built.teacher.states(inputs, row.expand_as(gates)) for row in only[:2]]
    change = _difference(*states)
    return judged(
        change > SAME,
        f"expert 0 alone against expert 1 alone changes the states by {change:.2g} of their size",
        "the expert weights are computed and never used, so the model is plain LoRA; or the experts are all the same",
        "Every adapted layer has to multiply its experts by the weights of its sequence "
        "(engine/teacher/lora/moe_lora.py).",
    )


def gate_is_per_user(case: Case) -> Outcome:
    """Two users get two mixtures, and a batch answers as its rows do one by one."""
    settings, asked = case.config.teacher, _asked(case)
    if settings.gate.kind == "uniform" or settings.lora.experts < 2:
        raise NotThere("this teacher has no gate: teacher.gate.kind=uniform, or one expert")
    teacher, inputs = asked.built.teacher, _inputs(case, asked, asked.questions)
    with torch.no_grad():
        gates = teacher.gates(inputs.users)
        together = teacher.states(inputs, gates)
        spread = float((gates - gates[:1]).abs().max())
        sums = float((gates.sum(dim=1) - 1).abs().max())
        worst = 0.0
        for question in range(len(gates)):
            alone = _inputs(case, asked, asked.questions.some(np.array([question])))
            own = teacher.states(alone, teacher.gates(alone.users))
            real = int((alone.ids[0] != asked.built.book.vocabulary.padding).sum())
            worst = max(worst, _difference(own[0, :real], together[question, :real]))
    wrong = [f"{len(gates)} users get the same mixture"] if spread < 1e-7 else []
    wrong += [f"a user's answer changes by {worst:.2g} with the batch around it"] if worst > 10 * SAME else []
    wrong += [f"weights sum to 1 ± {sums:.2g}"] if sums > 1e-3 else []
    return judged(
        not wrong,
        "; ".join(wrong) or f"mixtures of {len(gates)} users differ by up to {spread:.3f}, alone and in a batch alike",
        "one mixture is used for the whole batch: a mean, the first row's, or that of an earlier batch",
        "The gate reads each user's own vector, and Routing hands row b its own weights.",
    )


def frozen_stays(case: Case) -> Outcome:
    """Of the language model only the experts learn, and nothing else of it moves."""
    learner = case.learner("teacher")
    module = learner.fresh()
    inside = {name: value for name, value in module.named_parameters() if ".language_model." in name}
    frozen = {name: value for name, value in inside.items() if not name.endswith(("lora_a", "lora_b"))}
    learning = [name for name, value in frozen.items() if value.requires_grad]
    before = {name: _sum(value) for name, value in frozen.items()}
    optimizer = module.configure_optimizers()
    for step in range(2):
        optimizer.zero_grad()
        with torch.enable_grad():
            learner.loss(step)[0].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    moved = [name for name, value in frozen.items() if _sum(value) != before[name]]
    learner.fresh()
    wrong = [*moved, *(name for name in learning if name not in moved)]
    return judged(
        not wrong,
        f"{len(wrong)} frozen parameters learn, first: {wrong[0]}" if wrong else f"{len(frozen)} frozen ones stay",
        "a weight of the language model was not frozen, or is in the optimizer",
        "adapt() freezes the model it is given; only lora_a and lora_b may require a gradient.",
    )


def _asked(case: Case) -> Asked:
    def make() -> Asked:
        settings = case.config.teacher
        run = case.scratch_run("teacher", {maker: case.run_of(maker).name for maker in case.inputs["teacher"]}, "asked")
        built = build(settings, run, case.device)
        built.teacher.load(case.artifact(ADAPTER))
        if "teacher" not in case.finished:
            torch.manual_seed(0)
            for _, layer in adapters(built.teacher.language_model):
                nn.init.normal_(layer.lora_b, std=STRONG)
        rows = case.rows["validation"]
        chosen = np.flatnonzero(rows.stop - rows.start >= 2)[:QUESTIONS]
        rows = type(rows)(rows.items, rows.start[chosen], rows.stop[chosen], rows.users[chosen])
        if not len(rows):
            raise NotThere("no validation row has a history of two items")
        return Asked(built, of_rows(rows, settings.history + 1), built.student.after_rows(rows, case.device, _nothing))

    asked: Asked = case.once("asked", make)
    return asked


def _assembled(case: Case, asked: Asked) -> tuple[Ints, Ints, Ints]:
    """Token ids [Q, T], lengths [Q] and the items that found room [Q, L] of the questions' prompts."""
    history = asked.questions.history
    candidates = _candidates(case, history) if case.config.teacher.objective == "generate" else None
    prompts = asked.built.book.assemble(asked.template, history, candidates, slots=case.config.teacher.slots)
    return prompts.ids, prompts.length, prompts.history


def _inputs(case: Case, asked: Asked, questions: PromptSpans) -> Inputs:
    """What the language model is given for some of the questions, as the objective itself makes it."""
    settings, history = case.config.teacher, questions.history
    place = np.searchsorted(asked.questions.stop, questions.stop)
    if settings.objective == "rank":
        asking = RankCollator(asked.built.book, asked.built.student, settings.slots, case.device)
        return asking(asked.template, questions, asked.states, place).inputs
    telling = GenerateCollator(asked.built, settings.slots, case.device)
    users = asked.states[torch.from_numpy(place)]
    return telling(asked.template, history, users, _candidates(case, history)).inputs


def _candidates(case: Case, history: Ints) -> Ints:
    """The same ones for a question whatever batch it is in."""
    rules = case.config.teacher.generate
    assert rules is not None  # Teacher.check
    targets = np.full(1, PADDING + 1)
    rows = [offered(row[None], targets, case.items, rules.candidates, np.random.default_rng(0)) for row in history]
    return np.concatenate(rows)


def _within(part: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether ``part`` stands in ``whole`` as it is."""
    size = len(part)
    return bool(size) and any(list(whole[at : at + size]) == list(part) for at in range(len(whole) - size + 1))


def _difference(a: Tensor, b: Tensor) -> float:
    """Largest difference as a share of the largest number."""
    return float((a.float() - b.float()).abs().max() / a.float().abs().max().clamp(min=1e-9))


def _sum(value: Tensor) -> tuple[float, float]:
    whole = value.detach().double()
    return float(whole.sum()), float(whole.abs().sum())


def _nothing() -> None:
    """No sign of life is needed for a few rows."""
