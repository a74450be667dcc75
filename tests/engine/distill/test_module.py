"""The taught student's step: which terms it has, what they weigh, and that they teach."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.config.settings.distill import DistillSettings
from engine.data.sequences import Sequences
from engine.distill import losses, teacher_targets
from engine.distill.injection import tables
from engine.distill.module import DistillModule, Scored
from engine.distill.teacher_targets import TeacherTargets
from engine.knowledge.rankings import Rankings
from engine.stages import STAGES, TERMS
from engine.student import losses as student_losses
from engine.student.batches import BatchSampler
from engine.student.model import SequenceModel
from engine.student.module import StudentModule
from engine.training.processes import Processes
from tests.fixtures.processes import together

Settings = Callable[..., DistillSettings]
ITEMS = 20
World = tuple[Sequences, Rankings, Tensor]
NOTHING = {"injection": {"weight": 0.0}, "ranking": {"weight": 0.0}, "kl": {"weight": 0.0}}
RELEASED = {
    "as_released": True,
    "student": {"loss": "bce", "negatives": 1},
    "kl": {"weight": 0.0},
    "dro": {"alpha": 0.7},
    "ranking": {"weight": 0.8, "rows": None},
}


def module_of(
    settings: DistillSettings,
    world: World,
    every: int = 1,
    same_shapes: bool = False,
    last_position: Rankings | None = None,
    rank: int = 0,
    world_size: int = 1,
) -> DistillModule:
    sequences, rankings, vectors = world
    torch.manual_seed(settings.student.seed)
    student = settings.student
    sampler = BatchSampler(
        sequences,
        length=student.max_length,
        batch=student.batch,
        seed=student.seed,
        random=student.windows == "random",
        same_shapes=same_shapes,
        last_position=last_position is not None,
        rank=rank,
        world=world_size,
    )
    answers = TeacherTargets(rankings, len(sequences.items), 5, "cpu")
    after = None if last_position is None else TeacherTargets(last_position, len(sequences.items) + 1, 5, "cpu")
    ps = losses.propensities(torch.bincount(torch.from_numpy(sequences.items).long(), minlength=21), 0.05)
    return DistillModule(SequenceModel(20, student), settings, sampler, answers, vectors, ps, every, after)


def without(world: World) -> World:
    """The same world without rankings."""
    sequences, rankings, vectors = world
    return sequences, Rankings(rankings.rows[:0], rankings.items[:0], rankings.distances[:0]), vectors


@pytest.mark.parametrize("loss", ["cross-entropy", "bce", "sampled-softmax"])
def test_without_anything_of_the_teacher_a_step_is_the_students_own(
    settings: Settings, counting_world: World, loss: str
) -> None:
    chosen = settings(**NOTHING | {"student": {"loss": loss, "negatives": 3}})
    distilled = module_of(chosen, counting_world)
    alone = StudentModule(distilled.model, chosen.student, distilled.sampler)
    for step in (0, 5):
        got, expected = distilled.training_step(step, 0)["loss"], alone.training_step(step, 0)
        assert got.item() == pytest.approx(expected.item(), rel=1e-6)
        for one, other in zip(
            torch.autograd.grad(got, distilled.model.network.inputs()),
            torch.autograd.grad(expected, distilled.model.network.inputs()),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("same_shapes", [False, True])
@pytest.mark.parametrize("loss", ["cross-entropy", "bce"])
def test_the_loss_is_the_sum_of_its_weighted_terms_and_the_shares_add_up_to_one(
    settings: Settings, counting_world: World, loss: str, same_shapes: bool
) -> None:
    chosen = settings(student={"loss": loss, "negatives": 2}, dro={"alpha": 0.5}, hint=0.3)
    module = module_of(chosen, counting_world, same_shapes=same_shapes)
    out = module.training_step(0, 0)
    weights = {name: float(out[f"{name}_weight"]) for name in ("base", "dro", "ranking", "kl", "hint")}
    assert weights == pytest.approx({"base": 1.0, "dro": 0.5, "ranking": 0.1, "kl": 0.5, "hint": 0.3})
    shares = [float(out[f"{name}_share"]) for name in weights]
    assert sum(shares) == pytest.approx(1.0, rel=1e-5) and min(shares) > 0
    batch = module.sampler(0)
    read, table, bias = tables(module.model, module.injection, "inputs")
    module.start(0)
    scored = Scored(batch, module.model.encode(batch.items, batch.packed, read), table, bias)
    values, _ = module.terms(scored, False)
    assert out["loss"].item() == pytest.approx(sum(w * float(v.detach()) for w, v in values.values()), rel=1e-5)
    assert out["kl"] >= 0  # what is shown is the divergence itself


@pytest.mark.parametrize("same_shapes", [False, True])
@pytest.mark.parametrize("own", [{}, {"loss": "bce", "negatives": 2}, {"model": "gru4rec"}])
def test_at_a_last_position_and_nowhere_else_the_target_is_the_teachers_distribution(
    settings: Settings,
    counting_world: World,
    counting_last: Rankings,
    own: dict[str, object],
    same_shapes: bool,
) -> None:
    """The term is the mean cross-entropy, counted out in float64; the base loss is that of the other positions."""
    chosen = settings(student={"dropout": 0.0} | own, last_position=0.7, ranking={"weight": 0.0})
    module = module_of(chosen, counting_world, same_shapes=same_shapes, last_position=counting_last)
    out, batch = module.training_step(3, 0), module.sampler(3)
    module.start(3)
    read, table, bias = tables(module.model, module.injection, "inputs")
    scored = Scored(batch, module.model.encode(batch.items, batch.packed, read), table, bias)
    scores = scored.states.double() @ table.double().T + (0.0 if bias is None else bias.double())
    log_p = torch.log_softmax(scores[:, 1:], dim=1)
    q = torch.softmax(-counting_last.distances[0].double(), dim=0)
    last = [at for at in range(len(batch.items)) if batch.items[at] and not batch.targets[at]]
    expected = 0.0
    for at in last:
        ranked = counting_last.items[counting_last.rows.tolist().index(int(batch.events[at]))].tolist()
        expected -= sum(float(q[k]) * float(log_p[at, item - 1].detach()) for k, item in enumerate(ranked))
    assert last and out["last_position"].item() == pytest.approx(expected / batch.positions, rel=1e-5)
    assert out["loss"].item() == pytest.approx(
        sum(
            float(out[f"{name}_weight"]) * float(v.detach()) for name, (_, v) in module.terms(scored, False)[0].items()
        ),
        rel=1e-4,
    )
    if own == {}:
        mean = sum(-float(log_p[at, t - 1].detach()) for at, t in enumerate(batch.targets.tolist()) if t)
        assert out["base"].item() == pytest.approx(mean / batch.positions, rel=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"kl": {"weight": 0.5}, "ranking": {"rows": None}, "dro": {"alpha": 0.5}, "hint": 0.3},
        {"ranking": {"rows": None}, "student": {"loss": "bce", "negatives": 1, "model": "gru4rec"}, "hint": 0.3},
        {"ranking": {"rows": None}, "select": "kl-divergence", "share": 0.3},
    ],
)
def test_terms_at_a_fixed_number_of_positions_are_those_at_the_ranked_ones(
    settings: Settings, counting_world: World, counting_last: Rankings, changes: dict[str, Any]
) -> None:
    """A third of the events is ranked, and half of the last positions. Nothing is drawn but one negative a position."""
    sequences, rankings, vectors = counting_world
    world = (sequences, rankings.some(torch.arange(len(rankings.rows)) % 3 == 0), vectors)
    last = counting_last.some(torch.arange(len(counting_last.rows)) % 2 == 0)
    changes["student"] = {"dropout": 0.0} | changes.get("student", {})
    found = []
    for same_shapes in (False, True):
        module = module_of(settings(**changes, last_position=0.7), world, same_shapes=same_shapes, last_position=last)
        assert module.fixed == same_shapes
        batch = module.sampler(1)
        read, table, bias = tables(module.model, module.injection, "inputs")
        scored = Scored(batch, module.model.encode(batch.items, batch.packed, read), table, bias)
        with pytest.MonkeyPatch.context() as patch:  # the negatives of a step are drawn for as many positions
            patch.setattr(teacher_targets, "negatives", lambda history, targets, *_: targets % ITEMS + 1)
            patch.setattr(student_losses, "uniform_negatives", lambda shape, *_: torch.full(shape, 7))
            values, shown = module.terms(scored, True)
        loss = torch.stack([weight * value for weight, value in values.values()]).sum()
        wanted = [module.model.network.inputs(), *module.injection.parameters()]  # type: ignore[union-attr]
        gradients = torch.autograd.grad(loss, wanted)
        found.append(({name: value.detach() for name, (_, value) in values.items()} | shown, gradients))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-7)


def test_in_a_batch_without_a_ranked_position_terms_of_fixed_size_are_zero(
    settings: Settings, counting_world: World, counting_last: Rankings
) -> None:
    sequences, rankings, vectors = counting_world
    chosen = settings(dro={"alpha": 0.5}, hint=0.3, last_position=0.5)
    world, last = (sequences, rankings.some(torch.arange(4)), vectors), counting_last.some(torch.arange(1))
    module = module_of(chosen, world, same_shapes=True, last_position=last)  # all of them about the first history
    steps = [module.training_step(step, 0) for step in range(module.sampler.per_epoch)]
    terms = [
        {name: float(out[name].detach()) for name in ("ranking", "kl", "dro", "hint", "last_position")} for out in steps
    ]
    assert {"ranking": 0.0, "kl": 0.0, "dro": 0.0, "hint": 0.0, "last_position": 0.0} in terms
    assert any(value["ranking"] > 0 for value in terms) and all(torch.isfinite(out["loss"]) for out in steps)


@pytest.mark.parametrize("same_shapes", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {"dro": {"alpha": 0.5}, "hint": 0.3, "ranking": {"rows": 12}},
        {"student": {"loss": "bce", "negatives": 2}, "hint": 0.3, "ranking": {"rows": None}},
        {
            "student": {"loss": "gbce", "negatives": 2, "calibration": 0.5, "batch": 59},
            "select": "kl-divergence",
            "share": 0.3,
        },
        {"student": {"loss": "sampled-softmax", "negatives": 3}, "select": "ground-truth-error", "share": 0.5},
    ],
)
def test_two_processes_share_a_step_to_the_numbers_of_one(
    settings: Settings, counting_world: World, counting_last: Rankings, changes: dict[str, Any], same_shapes: bool
) -> None:
    """Half of the events is ranked; a batch of 59 of the 60 users leaves one process without a history."""
    changes = changes | {"student": {"dropout": 0.0} | changes.get("student", {}), "last_position": 0.7}
    sequences, rankings, vectors = counting_world
    world = (sequences, rankings.some(torch.arange(len(rankings.rows)) % 2 == 0), vectors)
    how: dict[str, Any] = {"same_shapes": same_shapes, "last_position": counting_last}

    def step(module: DistillModule, k: int) -> tuple[dict[str, Tensor], list[Tensor]]:
        out = module.training_step(k, 0)
        grads = torch.autograd.grad(out["loss"], list(module.parameters()), allow_unused=True)
        return {name: value.detach() for name, value in out.items()}, [g for g in grads if g is not None]

    modules = [module_of(settings(**changes), world, **how, rank=rank, world_size=2) for rank in range(2)]
    one = module_of(settings(**changes), world, **how)

    def work(processes: Processes, k: int) -> tuple[dict[str, Tensor], list[Tensor]]:
        modules[processes.rank].processes = processes
        return step(modules[processes.rank], k)

    for k in (0, 1):
        values, gradients = step(one, k)
        (first, own), (second, other) = together(partial(work, k=k))
        assert first.keys() == second.keys() == values.keys() and len(own) == len(other)
        mean = {name: (first[name] + second[name]) / 2 for name in values}
        torch.testing.assert_close(mean, values, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close([(a + b) / 2 for a, b in zip(own, other, strict=True)], gradients)


def test_a_student_learns_from_last_positions_alone(
    settings: Settings, counting_world: World, counting_last: Rankings
) -> None:
    """Every target of the data is item 1; the teacher ranks last positions only, by what follows."""
    nothing = {"injection": {"weight": 0.0}, "ranking": {"weight": 0.0}, "kl": {"weight": 0.0}}
    chosen = settings(**nothing, student={"dropout": 0.0}, last_position=3.0)
    module = module_of(chosen, without(counting_world), last_position=counting_last)
    batches = [module.sampler(step) for step in range(12)]
    batches = [replace(batch, targets=batch.targets.clamp(max=1)) for batch in batches]
    optimizer = module.configure_optimizers()
    for step in range(400):  # after 200 the processor's rounding decides whether nine tenths are right
        module.start(step)
        batch = batches[step % 12]
        read, table, bias = tables(module.model, None, "inputs")
        scored = Scored(batch, module.model.encode(batch.items, batch.packed, read), table, bias)
        values, _ = module.terms(scored, False)
        optimizer.zero_grad()
        torch.stack([weight * value for weight, value in values.values()]).sum().backward()
        optimizer.step()
    sequences, right = counting_world[0], []
    for begin, stop in zip(sequences.offsets[:-1].tolist(), sequences.offsets[1:].tolist(), strict=True):
        shown = torch.from_numpy(sequences.items[max(begin, stop - 8) : stop]).long()[None]
        scores = module.merged().user_vectors(shown) @ module.merged().item_table()[0].T
        right.append(int(scores[0, 2:].argmax()) + 2 == int(shown[0, -1]) % 20 + 1 or int(shown[0, -1]) == 20)
    assert sum(right) > 0.9 * len(right)


def test_every_number_that_a_step_reports_is_declared(
    settings: Settings, counting_world: World, counting_last: Rankings
) -> None:
    chosen = settings(student={"loss": "bce", "negatives": 2}, dro={"alpha": 0.5}, hint=0.3, last_position=0.5)
    out = module_of(chosen, counting_world, last_position=counting_last).training_step(0, 0)
    declared = {metric.name for metric in STAGES["distill"].metrics}
    assert set(out) <= declared
    assert {f"{name}{what}" for name in TERMS for what in ("", "_weight", "_share")} <= set(out)


def test_only_reported_steps_pay_for_the_report(settings: Settings, counting_world: World) -> None:
    module = module_of(settings(), counting_world, every=10)
    assert "base_share" in module.training_step(0, 0) and "base_share" in module.training_step(9, 0)
    assert set(module.training_step(1, 0)) == {"loss"}


def test_as_released_the_step_is_the_published_arithmetic(settings: Settings, counting_world: World) -> None:
    chosen = settings(**RELEASED)
    module = module_of(chosen, counting_world)
    out = module.training_step(2, 0)
    corrected = module_of(settings(**RELEASED | {"as_released": False}), counting_world).training_step(2, 0)
    assert set(name for name in out if name.endswith("_weight")) == {"base_weight", "dro_weight", "ranking_weight"}
    expected = out["base"] + 0.7 * out["dro"] + 0.8 * out["ranking"]
    assert out["loss"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert out["ranking"] < corrected["ranking"]  # softplus(z - 1) < softplus(z)
    torch.testing.assert_close(out["dro"], corrected["dro"])


def test_a_step_is_a_function_of_its_number(settings: Settings, counting_world: World) -> None:
    module = module_of(settings(), counting_world)
    first = module.training_step(3, 0)["loss"].item()
    module.training_step(7, 0)
    assert module.training_step(3, 0)["loss"].item() == first != module.training_step(4, 0)["loss"].item()


@pytest.mark.parametrize("select", ["kl-divergence", "ground-truth-error"])
def test_a_selection_keeps_its_share_of_the_ranked_positions(
    settings: Settings, counting_world: World, select: str
) -> None:
    module = module_of(settings(select=select, share=0.25), counting_world)
    batch = module.sampler(0)
    read, table, bias = tables(module.model, module.injection, "inputs")
    scored = Scored(batch, module.model.encode(batch.items, batch.packed, read), table, bias)
    rows = module.targets.rows(batch)
    rows[::2] = -1
    kept = module.selected(scored, rows)
    assert kept.sum() == -(-int((rows >= 0).sum()) // 4) and not kept[::2].any()


@pytest.mark.parametrize("as_released", [False, True])
def test_positions_without_a_ranking_get_no_term(settings: Settings, counting_world: World, as_released: bool) -> None:
    chosen = settings(**RELEASED) if as_released else settings(hint=0.0)
    out = module_of(chosen, without(counting_world)).training_step(0, 0)
    assert {name for name in out if name.endswith("_weight")} == (
        set() if as_released else {"base_weight", "kl_weight"}
    )
    if as_released:
        assert out["loss"] == 0.0
    else:
        assert out["loss"].item() == pytest.approx(out["base"].item(), rel=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"kl": {"weight": 1.0}, "ranking": {"weight": 0.0}},
        {"kl": {"weight": 0.0}, "ranking": {"weight": 5.0, "rows": None}},
        {"kl": {"weight": 0.0}, "ranking": {"weight": 5.0}, "select": "kl-divergence", "share": 0.5},
    ],
)
def test_a_student_learns_from_its_teacher_what_its_own_data_do_not_hold(
    settings: Settings, counting_world: World, changes: dict[str, object]
) -> None:
    """Every target of the data is item 1; the teacher says: those that follow the last one on the circle."""
    chosen = settings(**{"injection": {"weight": 0.0}, "student": {"dropout": 0.0}} | changes)
    module = module_of(chosen, counting_world)
    batches = [module.sampler(step) for step in range(12)]
    batches = [replace(batch, targets=torch.ones_like(batch.targets)) for batch in batches]
    optimizer = module.configure_optimizers()
    for step in range(120):
        module.start(step)
        read, table, bias = tables(module.model, module.injection, "inputs")
        batch = batches[step % 12]
        scored = Scored(batch, module.model.encode(batch.items, batch.packed, read), table, bias)
        values, _ = module.terms(scored, False)
        optimizer.zero_grad()
        torch.stack([weight * value for weight, value in values.values()]).sum().backward()
        optimizer.step()
    plain = module.merged()
    last = torch.arange(2, 16)  # whose next five do not reach item 1 again
    scores = plain.user_vectors(torch.stack([last - 1, last], dim=1)) @ plain.item_table()[0].T
    scores[:, :2] = -torch.inf  # the padding, and the item that the data name always
    first = scores.topk(5, dim=1).indices
    ranked = last[:, None] + torch.arange(1, 4)
    shared = (first[:, :, None] == ranked[:, None]).any(dim=1).float().mean()  # chance is 5 / 19
    assert shared > 0.9


def test_every_trained_parameter_is_in_one_reported_group(settings: Settings, counting_world: World) -> None:
    module = module_of(settings(hint=0.5), counting_world)
    grouped = [id(p) for group in module.groups().values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in module.parameters())
    assert list(module.groups()) == ["embedding", "blocks", "output", "projector"]
