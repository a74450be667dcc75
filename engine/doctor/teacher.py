"""Checks of the teacher: the language model reads titles and item vectors, and its experts depend on the gate.

Letters: Q prompts, L positions of a history, E experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from engine.backbone.pieces import Ints
from engine.data.ids import PADDING
from engine.doctor import subset
from engine.doctor.case import Case
from engine.doctor.check import Outcome, Unavailable, check, judged, without
from engine.doctor.noise import SAME, difference, noise_of, silenced
from engine.metrics.candidates import offered
from engine.stages import ADAPTER
from engine.teacher.build import TeacherSetup, build
from engine.teacher.lora.gate import balance
from engine.teacher.lora.moe_lora import adapters
from engine.teacher.model import Inputs
from engine.teacher.objectives.generate import GenerateCollator
from engine.teacher.objectives.rank_collator import RankCollator
from engine.teacher.prompting.prompts import item_name
from engine.teacher.prompting.spans import PromptSpans, heldout_spans

PROMPTS = 6
USERS = 64  # whose expert weights are looked at
COLLAPSED = 0.99  # share of all weight from which one expert does all the work
STRONG = 0.05  # standard deviation of untrained experts, so that their effect is visible
SHOWN = 160  # characters of a prompt in the evidence


@dataclass(frozen=True)
class Probe:
    """A teacher and a few prompts about validation histories."""

    setup: TeacherSetup
    spans: PromptSpans
    states: Tensor  # [Q, D] the student's states at the targets
    noise: float  # relative difference of two evaluations before its dropout was switched off for good

    @property
    def template(self) -> str:
        return self.setup.templates[0]


@check(
    "prompt-titles",
    "teacher",
    detects="prompts without titles, or with other items' titles",
    cause="prompts hold slots alone, or other items' titles: without titles a language model has nothing to read, and "
    "accuracy stalls",
    remedy="Each item is its title followed by its slot (engine/teacher/prompting/prompts.py); compare ids and titles "
    "with engine doctor --only ids.",
)
def prompt_titles(case: Case) -> Outcome:
    """The prompt holds the title of every item of the history."""
    probe, missing = probe_of(case), []
    ids, length, shown = _assembled(case, probe)
    vocabulary, settings = probe.setup.tokenizer.vocabulary, case.config.teacher
    for prompt in range(len(ids)):
        tokens = ids[prompt, : length[prompt]].tolist()
        for item in shown[prompt][shown[prompt] != PADDING].tolist():
            name = item_name(case.titles[item], item)
            title = vocabulary.encode([vocabulary.space + name])[0][: settings.title_tokens]
            if not _within(title, tokens):
                missing.append(name)
    text = vocabulary.decode(ids[0, : length[0]].tolist())[:SHOWN]
    return judged(
        not missing,
        f"{len(missing)} titles are missing, first: {missing[0]}; the prompt: {text}" if missing else text,
    )


@check(
    "prompt-slots",
    "teacher",
    detects="a missing slot, or another item's vector in a slot",
    cause="slots are lost or shifted between prompt and embeddings: items and vectors no longer belong together",
    remedy="Look at PromptTokenizer.assemble and the positions that RankCollator fills.",
)
def prompt_slots(case: Case) -> Outcome:
    """One slot follows each title, and it is filled with that item's vector."""
    settings = case.config.teacher
    if not settings.slots:
        raise Unavailable("this teacher reads text only: teacher.slots=false")
    probe, faults = probe_of(case), []
    ids, _, shown = _assembled(case, probe)
    for prompt in range(len(ids)):
        items = (shown[prompt] != PADDING).sum()
        slots = (ids[prompt] == probe.setup.tokenizer.vocabulary.history_slot).sum()
        if slots != items:
            faults.append(f"prompt {prompt} has {slots} slots for {items} items")
    inputs = inputs_of(case, probe, probe.spans)
    expected = shown[shown != PADDING]
    rank = settings.objective == "rank"  # with the generate objective, candidates have slots too
    if rank and len(inputs.slots) != len(expected):
        faults.append(f"{len(inputs.slots)} vectors are inserted for {len(expected)} items")
    elif rank:
        table = probe.setup.student.table
        off = ~torch.isclose(inputs.vectors, table[torch.from_numpy(expected).to(table.device)]).all(dim=1)
        if off.any():
            faults.append(f"{int(off.sum())} slots hold another item's vector")
    return without(faults[:3], f"{len(expected)} items of {len(ids)} prompts, a slot and its own vector each")


@check(
    "gate-affects-output",
    "teacher",
    detects="expert weights that are computed and not used",
    cause="the expert weights are computed and never used, so the model is plain LoRA; or the experts are all the same",
    remedy="Every adapted layer has to multiply its experts by the weights of its sequence "
    "(engine/teacher/lora/moe_lora.py).",
)
def gate_affects_output(case: Case) -> Outcome:
    """Other expert weights give other states."""
    if case.config.teacher.lora.experts < 2:
        raise Unavailable("there is one expert only")
    probe = probe_of(case)
    inputs = inputs_of(case, probe, probe.spans)
    with torch.no_grad():
        gates = probe.setup.teacher.gates(inputs.users)
        only = torch.eye(gates.shape[1]).to(gates)  # [E, E] all weight on one expert
        states = [probe.setup.teacher.states(inputs, row.expand_as(gates)) for row in only[:2]]
    change = difference(*states)
    return judged(change > SAME, f"relative change of the states from expert 0 alone to expert 1 alone: {change:.2g}")


@check(
    "gate-collapse",
    "teacher",
    detects="a gate that gives all users to one expert",
    cause="the gate has collapsed: one expert does all the work, so the model is plain LoRA of a smaller rank",
    remedy="Lower teacher.gate_rate or teacher.learning_rate, or choose another teacher.gate; engine show of the "
    "teacher has the load of its experts over time.",
)
def gate_collapse(case: Case) -> Outcome:
    """Users of validation rows do not all give their whole weight to the same expert."""
    _gated(case)
    load, entropy = balance(_weights(case))
    top = int(np.argmax(load))
    return judged(
        load[top] < COLLAPSED,
        f"expert {top} has {load[top]:.1%} of the weight of {len(_weights(case))} users, mean entropy {entropy:.3f}",
    )


@check(
    "gate-per-user",
    "teacher",
    detects="one mixture of experts for the whole batch",
    cause="one mixture is used for the whole batch: a mean, the first row's, or that of an earlier batch",
    remedy="The gate reads each user's own vector, and Routing gives row b its own weights.",
)
def gate_per_user(case: Case) -> Outcome:
    """Two users get two mixtures, and a batch gives the same states as its rows one by one."""
    _gated(case)
    if max(balance(_weights(case))[0]) >= COLLAPSED:
        raise Unavailable("all users have the same expert: see gate-collapse")
    probe = probe_of(case)
    teacher, inputs = probe.setup.teacher, inputs_of(case, probe, probe.spans)
    with torch.no_grad():
        gates = teacher.gates(inputs.users)
        together = teacher.states(inputs, gates)
        spread = float((gates - gates[:1]).abs().max())
        sums = float((gates.sum(dim=1) - 1).abs().max())
        worst = 0.0
        for prompt in range(len(gates)):
            alone = inputs_of(case, probe, probe.spans.some(np.array([prompt])))
            own = teacher.states(alone, teacher.gates(alone.users))
            real = int((alone.ids[0] != probe.setup.tokenizer.vocabulary.padding).sum())
            worst = max(worst, difference(own[0, :real], together[prompt, :real]))
    faults = [f"{len(gates)} users get the same mixture"] if spread < 1e-7 else []
    faults += [f"a user's states change by {worst:.2g} with the other rows of the batch"] if worst > 10 * SAME else []
    faults += [f"weights sum to 1 ± {sums:.2g}"] if sums > 1e-3 else []
    return without(
        faults, f"mixtures of {len(gates)} users differ by up to {spread:.3f}; states are the same alone and in a batch"
    )


@check(
    "frozen-weights",
    "teacher",
    detects="a frozen weight of the language model that is trained",
    cause="a weight of the language model was not frozen, or is in the optimizer",
    remedy="adapt() freezes the model it is given; only lora_a and lora_b may require a gradient.",
)
def frozen_weights(case: Case) -> Outcome:
    """Only the experts of the language model are trained; no other weight of it changes."""
    trainable = case.trainable("teacher")
    module = trainable.fresh()
    inside = {name: value for name, value in module.named_parameters() if ".language_model." in name}
    frozen = {name: value for name, value in inside.items() if not name.endswith(("lora_a", "lora_b"))}
    learning = [name for name, value in frozen.items() if value.requires_grad]
    before = {name: _sum(value) for name, value in frozen.items()}
    optimizer = module.configure_optimizers()
    for step in range(2):
        trainable.backward(step, optimizer)
        optimizer.step()
    changed = [name for name, value in frozen.items() if _sum(value) != before[name]]
    trainable.fresh()
    wrong = list(dict.fromkeys([*changed, *learning]))
    return judged(
        not wrong,
        f"{len(wrong)} frozen parameters are trained, first: {wrong[0]}"
        if wrong
        else f"{len(frozen)} frozen parameters do not change",
    )


def _gated(case: Case) -> None:
    settings = case.config.teacher
    if settings.gate.kind == "uniform" or settings.lora.experts < 2:
        raise Unavailable("this teacher has no gate: teacher.gate.kind=uniform, or one expert")


@torch.no_grad()
def _weights(case: Case) -> Tensor:  # -> [R, E]
    """Expert weights of the users of some validation rows."""
    setup = probe_of(case).setup
    states = setup.student.after_rows(
        subset.rows(case.rows["validation"], USERS), case.device, lambda done, total: None
    )
    return setup.teacher.gates(states.to(case.device))


def probe_of(case: Case) -> Probe:
    """The teacher as later stages load it, then without dropout, whose own check is ``teacher-evaluation-mode``."""

    def make() -> Probe:
        settings = case.config.teacher
        run = case.scratch_run("teacher", {maker: case.run_of(maker).name for maker in case.inputs["teacher"]}, "probe")
        setup = build(settings, run, case.device)
        setup.teacher.load(case.artifact(ADAPTER))
        if "teacher" not in case.finished:
            torch.manual_seed(0)
            for _, layer in adapters(setup.teacher.language_model):
                nn.init.normal_(layer.lora_b, std=STRONG)
        rows = case.rows["validation"]
        chosen = np.flatnonzero(rows.stop - rows.start >= 2)[:PROMPTS]
        rows = type(rows)(rows.items, rows.start[chosen], rows.stop[chosen], rows.users[chosen])
        if not len(rows):
            raise Unavailable("no validation row has a history of two items")
        states = setup.student.after_rows(rows, case.device, lambda done, total: None)
        probe = Probe(setup, heldout_spans(rows, settings.history + 1), states, 0.0)
        inputs = inputs_of(case, probe, probe.spans)
        teacher = setup.teacher

        def compute() -> Tensor:
            gates = teacher.gates(inputs.users)
            return torch.cat([gates.flatten(), teacher.states(inputs, gates).flatten()])

        noise = noise_of(teacher, compute)
        silenced(teacher)
        return replace(probe, noise=noise)

    probe: Probe = case.once("teacher probe", make)
    return probe


def _assembled(case: Case, probe: Probe) -> tuple[Ints, Ints, Ints]:
    """Token ids [Q, T] and lengths [Q] of the prompts, and the items that fit into them [Q, L]."""
    history = probe.spans.history
    candidates = candidates_of(case, history) if case.config.teacher.objective == "generate" else None
    prompts = probe.setup.tokenizer.assemble(probe.template, history, candidates, slots=case.config.teacher.slots)
    return prompts.ids, prompts.length, prompts.history


def inputs_of(case: Case, probe: Probe, spans: PromptSpans) -> Inputs:
    """The inputs of the language model for some of the prompts, made by the objective's own collator."""
    settings, history = case.config.teacher, spans.history
    index = np.searchsorted(probe.spans.stop, spans.stop)
    if settings.objective == "rank":
        return RankCollator(probe.setup)(probe.template, spans, probe.states, index).inputs
    generate = GenerateCollator(probe.setup)
    return generate(probe.template, history, probe.states[torch.from_numpy(index)], candidates_of(case, history)).inputs


def candidates_of(case: Case, history: Ints) -> Ints:
    """Candidates of each prompt, independent of the batch that it is in."""
    rules = case.config.teacher.generate
    assert rules is not None  # TeacherSettings.check
    targets = np.full(1, PADDING + 1)
    rows = [offered(row[None], targets, case.items, rules.candidates, np.random.default_rng(0)) for row in history]
    return np.concatenate(rows)


def _within(part: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether ``whole`` contains ``part`` as a contiguous sequence."""
    size = len(part)
    return bool(size) and any(list(whole[at : at + size]) == list(part) for at in range(len(whole) - size + 1))


def _sum(value: Tensor) -> tuple[float, float]:
    whole = value.detach().double()
    return float(whole.sum()), float(whole.abs().sum())
