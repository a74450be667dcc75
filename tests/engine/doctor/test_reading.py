"""Teachers that read the future, their history backwards, or another position than in training."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine import config
from engine.config import Config
from engine.data.sequences import Rows
from engine.doctor.check import Outcome
from engine.knowledge import scorers
from engine.stages import ITEMS, VALIDATION
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.model import Teacher
from engine.teacher.objectives import generate, rank_collator
from engine.teacher.objectives.rank_collator import RankCollator
from engine.teacher.prompting import prompts
from engine.teacher.prompting.spans import PromptSpans, heldout_spans
from tests.fixtures.doctor import Doctor
from tests.fixtures.small_runs import GENERATE, SMALL

BEFORE = ("data", "student", "backbone")
ALL = ["prompt-order", "reads-no-later-items", "teacher-positions"]
LATER, POSITIONS = "reads-no-later-items", "teacher-positions"


def verdicts(found: dict[str, Outcome]) -> dict[str, str]:
    return {name: outcome.verdict for name, outcome in found.items()}


def generative() -> Config:
    small = [word for word in SMALL if not word.startswith("teacher.rank")]
    return config.load([*small, *GENERATE])


def other(settings: Config, **teacher: Any) -> Config:
    return replace(settings, teacher=replace(settings.teacher, **teacher))


def test_a_sound_teacher_reads_its_history_forwards_and_nothing_later(doctor: Doctor) -> None:
    found = doctor.outcomes(ALL, *BEFORE, "teacher")
    assert verdicts(found) == dict.fromkeys(ALL, "pass"), found
    assert "8 prompts of several targets" in found[LATER].evidence and "oldest item first" in found[ALL[0]].evidence


def test_a_sound_generative_teacher_does_so_too(doctor: Doctor) -> None:
    found = doctor.outcomes(ALL, *BEFORE, config=generative())
    assert verdicts(found) == dict.fromkeys(ALL, "pass"), found


@pytest.mark.parametrize("kind", ["text alone", "no slots", "text behind", "resnet1d"])
def test_other_sound_teachers_are_none(doctor: Doctor, kind: str) -> None:
    teacher = doctor.settings.teacher
    assert teacher.rank is not None
    settings = {
        "text alone": other(doctor.settings, rank=replace(teacher.rank, states=False)),
        "no slots": other(doctor.settings, slots=False),
        "text behind": other(
            doctor.settings, rank=replace(teacher.rank, targets=1), templates=["Seen [HistoryHere]. Next:"]
        ),
        "resnet1d": other(doctor.settings, gate=replace(teacher.gate, kind="resnet1d")),
    }[kind]
    found = doctor.outcomes(ALL, *BEFORE, config=settings)
    assert verdicts(found) == dict.fromkeys(ALL, "pass"), found


def test_titles_that_contain_each_other_are_no_fault_of_order(doctor: Doctor) -> None:
    data = doctor.copy("data")
    path = data / "artifacts" / ITEMS.file
    table = pq.read_table(path)
    titles = [("Alien", "Alien Alien", "Aliens", "Alien")[at % 4] for at in range(len(table))]
    pq.write_table(table.set_column(table.column_names.index("title"), "title", [titles]), path)
    found = doctor.outcomes(["prompt-order"], *BEFORE, altered={"data": data})
    assert verdicts(found) == {"prompt-order": "pass"}, found


def test_targets_in_the_history_of_later_rows_are_none(doctor: Doctor) -> None:
    data = doctor.copy("data")
    path = data / "artifacts" / VALIDATION.file
    rows = Rows.load(path)
    earlier = np.flatnonzero(rows.stop - rows.start > 2)[:4]  # the same users' rows, two events before
    start, users = (np.concatenate([part[earlier], part]) for part in (rows.start, rows.users))
    Rows(rows.items, start, np.concatenate([rows.stop[earlier] - 2, rows.stop]), users).save(path)
    found = doctor.outcomes([LATER], *BEFORE[1:], altered={"data": data})
    assert verdicts(found) == {LATER: "pass"}, found


def backwards(history: Any) -> Any:
    length = (history != 0).sum(axis=1)
    column = np.arange(history.shape[1])
    real = column < length[:, None]
    turned = np.take_along_axis(history, np.where(real, length[:, None] - 1 - column, 0), axis=1)
    return np.where(real, turned, 0)


def test_a_history_that_is_listed_backwards_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = PromptSpans.history.fget
    assert sound is not None
    monkeypatch.setattr(PromptSpans, "history", property(lambda self: backwards(sound(self))))
    outcome = doctor.fault("prompt-order", *BEFORE)
    assert "stands before older items" in outcome.evidence and "reversed" in outcome.cause


def test_a_gate_that_reads_the_last_target_of_its_prompt_is_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = RankCollator.__call__

    def late(self: Any, template: str, spans: Any, *given: Any) -> Any:
        batch = sound(self, template, spans, *given)
        last = np.maximum(np.cumsum(spans.count) - 1, 0)
        return replace(batch, inputs=replace(batch.inputs, users=batch.students[last]))

    monkeypatch.setattr(RankCollator, "__call__", late)
    outcome = doctor.fault(LATER, *BEFORE)
    assert "the gate of a prompt of several targets" in outcome.evidence and outcome.cause.startswith("the gate reads")


def test_a_state_behind_the_target_is_named_in_training_too(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = FrozenStudent.after_events
    monkeypatch.setattr(FrozenStudent, "after_events", lambda self, *given: sound(self, *given).roll(-1, dims=0))
    evidence = doctor.fault(LATER, *BEFORE).evidence
    assert "the gate of a training step" in evidence
    assert "the gate of a training step" in doctor.fault(LATER, *BEFORE, config=generative()).evidence


def test_means_that_hold_the_target_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = rank_collator.visible_history

    def one_more(spans: Any, device: str) -> Any:
        visible = sound(spans, device)
        return replace(visible, count=(visible.count + 1).clamp(max=visible.history.shape[1]))

    monkeypatch.setattr(rank_collator, "visible_history", one_more)
    outcome = doctor.fault(LATER, *BEFORE, "teacher")
    assert outcome.evidence.startswith("the means of text vectors of a prompt of several targets")
    assert "behind the position" in outcome.cause


def test_attention_to_later_tokens_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Teacher.states

    def mixed(self: Any, inputs: Any, gates: Any) -> Any:
        states = sound(self, inputs, gates)
        return states + states.mean(dim=1, keepdim=True)

    monkeypatch.setattr(Teacher, "states", mixed)
    outcome = doctor.fault(LATER, *BEFORE, "teacher")
    assert "the language model's state" in outcome.evidence and "attention is not causal" in outcome.cause


def test_targets_shown_before_a_text_behind_the_history_are_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank = doctor.settings.teacher.rank
    assert rank is not None
    settings = other(doctor.settings, rank=replace(rank, targets=1), templates=["Seen [HistoryHere]. Next:"])
    monkeypatch.setattr(scorers, "predicts_each_item", lambda template: True)
    assert "the language model's state" in doctor.fault(LATER, *BEFORE, config=settings).evidence
    assert "predictions of 8 prompts" in doctor.fault(POSITIONS, *BEFORE, config=settings).evidence
    assert prompts.predicts_each_item(doctor.settings.teacher.templates[0])


def test_a_held_out_target_in_the_prompt_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(rows: Any, history: int) -> Any:
        spans = heldout_spans(rows, history)
        return replace(spans, stop=spans.stop + 1)

    monkeypatch.setattr("engine.doctor.reading.heldout_spans", shown)
    outcome = doctor.fault(LATER, *BEFORE)
    assert "the tokens of a held-out row" in outcome.evidence and "shows the target" in outcome.cause


def test_a_prediction_that_is_read_a_token_early_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = RankCollator._supervised

    def early(self: Any, template: str, spans: Any, ids: Any, length: Any) -> Any:
        found = sound(self, template, spans, ids, length)
        return found - (spans.count.max() > 1)  # as a prompt of several targets only

    monkeypatch.setattr(RankCollator, "_supervised", early)
    outcome = doctor.fault(POSITIONS, *BEFORE, "teacher")
    assert "from those of one each" in outcome.evidence and "another token" in outcome.cause


def test_left_padding_that_is_read_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = generate.GenerateCollator.__call__

    def all_real(self: Any, *given: Any, **named: Any) -> Any:
        batch = sound(self, *given, **named)
        mask = batch.inputs.mask
        return replace(batch, inputs=replace(batch.inputs, mask=None if mask is None else mask * 0 + 1))

    monkeypatch.setattr(generate.GenerateCollator, "__call__", all_real)
    assert "padded left and right" in doctor.fault(POSITIONS, *BEFORE, config=generative()).evidence
