"""The stage as a whole: however a step is cut, recomputed or shared, it is the same step; and what a fault says."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from engine.cli import main
from engine.config import load
from engine.errors import UserError
from engine.runs.reader import history
from engine.runs.schema import EVENTS, Summary
from engine.stages import ADAPTER, LEARNING_RATE, TRAIN_TOKENS
from engine.teacher.model import Teacher
from engine.teacher.stage import _refuse_untitled, _too_large
from tests.fixtures.processes import run_in_processes

RANK = ["teacher.rank.dropout=0.0", "teacher.steps=6"]
GENERATE = [
    "teacher=generate",
    "teacher.templates=Seen [HistoryHere]. One of [CansHere]:",
    "teacher.generate.candidates=4",
    "teacher.generate.new_tokens=4",
    "teacher.evaluate_rows=8",
    "teacher.lora.dropout=0.0",
    "teacher.steps=6",
]
OBJECTIVES = {"rank": RANK, "generate": GENERATE}


@pytest.fixture(scope="module")
def chain(new_chain: Callable[[], Any]) -> Any:
    return new_chain()


@pytest.fixture(scope="module")
def plain(chain: Any) -> Callable[[str], dict[str, torch.Tensor]]:
    """What is trained by whole steps in one process."""
    return lambda objective: adapter(chain, objective, f"{objective}-plain", [])


def adapter(chain: Any, objective: str, name: str, words: list[str]) -> dict[str, torch.Tensor]:
    if not (chain.runs / name).exists():
        chain.perform("teacher", name, [*OBJECTIVES[objective], *words])
    return load_file(chain.made(name, ADAPTER))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=2e-3, atol=2e-5, msg=lambda text, name=name: name + text)


@pytest.mark.parametrize("objective", ["rank", "generate"])
def test_a_step_cut_into_parts_that_are_recomputed_in_backward_trains_the_same(
    chain: Any, plain: Callable[[str], dict[str, torch.Tensor]], objective: str
) -> None:
    words = ["teacher.accumulate=4", "teacher.checkpointing=true"]
    same(plain(objective), adapter(chain, objective, f"{objective}-cut", words))
    names = (f"{objective}-plain", f"{objective}-cut")
    whole, cut = (history(chain.runs / name).series["loss"].values for name in names)
    assert cut[:1] == pytest.approx(whole[:1], rel=1e-6)
    read = [Summary.read(chain.runs / name).facts[TRAIN_TOKENS] for name in names]
    assert read[0] > 6 * 8 * 10 and read[1] == pytest.approx(
        read[0], rel=0.05
    )  # a part without a prompt reads one for nothing


def test_a_teacher_of_text_alone_reads_no_tokens(chain: Any) -> None:
    adapter(chain, "rank", "rank-no-states", ["teacher.rank.states=false"])
    assert TRAIN_TOKENS not in Summary.read(chain.runs / "rank-no-states").facts


def test_the_language_model_learns_without_the_texts_score_where_that_is_left_out(chain: Any) -> None:
    words = ["teacher.rank.pretrain_epochs=0", "teacher.rank.text_score_dropout=1.0"]
    alone = adapter(chain, "rank", "rank-alone", words)
    assert not alone["head.query.weight"].any() and alone["head.read.weight"].any()
    beside = adapter(chain, "rank", "rank-beside", [words[0], "teacher.rank.text_score_dropout=0.5"])
    assert beside["head.query.weight"].any()
    text = adapter(chain, "rank", "rank-text", [*words, "teacher.rank.states=false"])
    assert text["head.query.weight"].any()  # with no language model there is nothing else to learn


@pytest.mark.parametrize("objective", ["rank", "generate"])
def test_replayed_passes_train_the_same_and_the_log_names_them(
    chain: Any, plain: Callable[[str], dict[str, torch.Tensor]], objective: str
) -> None:
    words = ["trainer.cuda_graph=true", "teacher.accumulate=2"]
    same(plain(objective), adapter(chain, objective, f"{objective}-replayed", words))
    log = (chain.runs / f"{objective}-replayed" / EVENTS).read_text()
    assert "the language model's passes are replayed" in log
    facts = Summary.read(chain.runs / f"{objective}-replayed").facts
    assert facts["batches_not_replayed"] == 0 and 1 <= facts["replayed_shapes"] <= 12


def test_what_cannot_be_captured_runs_without_and_the_log_names_the_reason(chain: Any) -> None:
    words = ["trainer.cuda_graph=true", "teacher.checkpointing=true", "teacher.steps=1", "teacher.evaluations=1"]
    adapter(chain, "rank", "rank-recomputed", words)
    log = (chain.runs / "rank-recomputed" / EVENTS).read_text()
    assert "runs without CUDA graphs: teacher.checkpointing recomputes" in log


@pytest.mark.parametrize(("objective", "tokens"), [("rank", 900), ("generate", 1500)])
def test_steps_by_tokens_are_counted_in_the_schedule_and_have_no_padding(
    chain: Any, objective: str, tokens: int
) -> None:
    name = f"{objective}-tokens"
    few = [f"teacher.batch_tokens={tokens}", "teacher.steps=null", "trainer.report_every=1", "teacher.evaluate_rows=8"]
    chain.perform("teacher", name, [*OBJECTIVES[objective], *few])
    found, facts = history(chain.runs / name), Summary.read(chain.runs / name).facts
    rates = found.series[LEARNING_RATE.name].values
    assert len(rates) == facts["steps"] > 2
    assert rates[-1] < 0.3 * max(rates) and rates[0] < 0.1 * max(rates)  # the whole schedule, from end to end
    assert all(0 <= share < 0.05 for share in found.series["padding_share"].values)


@pytest.mark.parametrize("objective", ["rank", pytest.param("generate", marks=pytest.mark.slow)])
def test_two_processes_train_what_one_trains_on_the_same_batches(
    chain: Any, plain: Callable[[str], dict[str, torch.Tensor]], objective: str
) -> None:
    own, name = plain(objective), f"{objective}-shared"
    settings, folder = chain.start("teacher", name, OBJECTIVES[objective])
    run_in_processes(settings, folder)
    same(own, load_file(chain.made(name, ADAPTER)))
    shared, alone = history(folder), history(chain.runs / f"{objective}-plain")
    for one, other in zip(alone.evaluations, shared.evaluations, strict=True):
        assert other.values == pytest.approx(one.values, rel=1e-3)
    losses = [story.series["loss"].values[-1] for story in (alone, shared)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_processes_that_hold_a_part_of_the_language_model_each_train_what_one_trains_with_all_of_it(
    chain: Any, plain: Callable[[str], dict[str, torch.Tensor]]
) -> None:
    own = plain("rank")
    words = ["trainer.strategy=fsdp", "trainer.devices=2", "teacher.accumulate=2", "teacher.checkpointing=true"]
    settings, folder = chain.start("teacher", "in-parts", [*RANK, *words])
    run_in_processes(settings, folder)
    same(own, load_file(chain.made("in-parts", ADAPTER)))
    shared, alone = history(folder), history(chain.runs / "rank-plain")
    assert shared.series["loss"].values == pytest.approx(alone.series["loss"].values, rel=1e-4)
    for one, other in zip(alone.evaluations, shared.evaluations, strict=True):
        assert other.values == pytest.approx(one.values, rel=1e-3)
    here, whole = re.search(r"([\d,]+) of the ([\d,]+) weights", (folder / EVENTS).read_text()).groups()  # type: ignore[union-attr]
    assert int(here.replace(",", "")) == int(whole.replace(",", "")) // 2 > 0


def test_frozen_weights_in_bfloat16_train_experts_in_float32_to_nearly_the_same(
    chain: Any, plain: Callable[[str], dict[str, torch.Tensor]]
) -> None:
    own, half = plain("rank"), adapter(chain, "rank", "half", ["teacher.precision=bf16-mixed"])
    assert all(value.dtype == torch.float32 for name, value in half.items() if name != "gate.num_batches_tracked")
    losses = [history(chain.runs / name).series["loss"].values[-1] for name in ("rank-plain", "half")]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert any(not torch.equal(own[name], half[name]) for name in own)


def failed(chain: Any, name: str, words: list[str]) -> str:
    """What the command says when the stage fails; the run is FAILED with status 2."""
    _, folder = chain.start("teacher", name, [*RANK, *words])
    assert main(["stage", str(folder)]) == 2
    summary = Summary.read(folder)
    assert summary is not None and summary.ended == "failed"
    assert not chain.made(name, ADAPTER).exists()
    return str(summary.error)


def test_a_loss_that_is_not_a_number_fails_the_run_with_step_and_groups(chain: Any) -> None:
    message = failed(chain, "nan", ["teacher.learning_rate=1e30", "teacher.clip=null"])
    assert "not a finite number at step" in message and "lora_b" in message
    assert "lower it" in message


@pytest.mark.parametrize("kind", ["device", "machine"])
def test_out_of_memory_fails_the_run_with_the_split_to_try(
    chain: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def states(self: Teacher, *given: Any) -> torch.Tensor:
        if kind == "device":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")
        return torch.empty(1 << 60)

    monkeypatch.setattr(Teacher, "states", states)
    message = failed(chain, f"full-{kind}", ["teacher.accumulate=2"])
    assert "8 prompts of up to 320 tokens" in message and "teacher.accumulate=4" in message


def test_a_step_that_cannot_be_split_names_the_other_ways() -> None:
    error: UserError = _too_large(replace(load([]).teacher, batch=1, accumulate=1))
    assert "accumulate" not in error.remedy and "checkpointing" in error.remedy


@pytest.mark.parametrize(("lacking", "heard"), [(3, True), (2, False)])
def test_a_teacher_refuses_items_without_titles_unless_they_are_asked_for(
    tmp_path: Path, lacking: int, heard: bool
) -> None:
    raw, items = [str(number) for number in range(5)], tmp_path / "items.parquet"
    names = [f"item {name}" if int(name) < lacking else f"Film {name}" for name in raw]
    pq.write_table(pa.table({"raw": raw, "title": names}), items)
    settings = load(["teacher=rank"]).teacher
    _refuse_untitled(replace(settings, without_titles=True), items)
    if heard:
        with pytest.raises(UserError, match="3 of 5 items have no title") as error:
            _refuse_untitled(settings, items)
        assert "teacher.without_titles=true" in error.value.remedy and "data.catalogue" in error.value.remedy
    else:
        _refuse_untitled(settings, items)


def test_the_stage_looks_at_the_titles_before_it_trains(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.teacher.stage.MOST_UNTITLED", -1.0)
    with pytest.raises(UserError, match="have no title"):
        chain.perform("teacher", "untitled", OBJECTIVES["rank"])
