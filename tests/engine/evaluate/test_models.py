import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor

from engine.data.sequences import Rows, Sequences
from engine.evaluate import models
from engine.report.evaluation import read, render
from engine.runs.schema import Summary
from engine.stages import METRICS_TABLE


def test_popularity_scores_every_row_by_training_events(sequences: Sequences) -> None:
    score = models.popularity(sequences, 60, "cpu")
    block = score(slice(3, 5))
    assert block.shape == (2, 61)
    for item in range(1, 61):
        assert block[0, item] == block[1, item] == (sequences.items == item).sum()
    assert block[0, 0] == -torch.inf
    block[0, 7] = 99.0  # the caller may change what it gets
    assert score(slice(0, 1))[0, 7] != 99.0


def test_stored_scores_are_read_by_block_and_their_padding_never_wins(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).random((9, 5)).astype(np.float16)
    save_file({"scores": scores}, tmp_path / "oracle.safetensors")
    block = models.stored_scores(tmp_path / "oracle.safetensors", "scores", "cpu")(slice(4, 7))
    assert block.dtype == torch.float32
    assert block[:, 1:].tolist() == scores[4:7, 1:].astype(np.float32).tolist()
    assert block[:, 0].tolist() == [-torch.inf] * 3


@pytest.mark.parametrize("biased", [True, False])
def test_the_teacher_scores_by_its_answers_to_the_rows_of_a_split(tmp_path: Path, biased: bool) -> None:
    draw = np.random.default_rng(0)
    parts = {"validation": draw.random((4, 3)), "test": draw.random((9, 3)), "table": draw.random((6, 3))}
    parts |= {"bias": draw.random(6)} if biased else {}
    save_file({name: part.astype(np.float32) for name, part in parts.items()}, tmp_path / "held_out.safetensors")
    block = models.teacher_scores(tmp_path / "held_out.safetensors", "test", 9, "cpu")(slice(4, 7))
    expected = parts["test"][4:7] @ parts["table"].T + (parts["bias"] if biased else 0.0)
    assert block[:, 1:].numpy() == pytest.approx(expected[:, 1:], abs=1e-6)
    assert (block[:, 0] == -torch.inf).all()
    with pytest.raises(ValueError, match="answers 9 test rows, but there are 10"):
        models.teacher_scores(tmp_path / "held_out.safetensors", "test", 10, "cpu")


def test_a_trained_model_scores_by_its_latest_items_its_table_and_its_bias(held_out: Rows) -> None:
    table, bias = torch.randn(61, 2), torch.randn(61)
    read: list[Tensor] = []

    def user_vectors(history: Tensor) -> Tensor:
        read.append(history)
        return torch.stack([history[:, 0], history.sum(dim=1)], dim=1).float()

    network: Any = SimpleNamespace(max_length=3, user_vectors=user_vectors, item_table=lambda: (table, bias))
    block = models.student_scores(network, held_out, "cpu")(slice(2, 4))
    for row in (2, 3):
        latest = held_out.items[held_out.stop[row] - 3 : held_out.stop[row]].tolist()
        assert read[0][row - 2].tolist() == latest
        user = torch.tensor([float(latest[0]), float(sum(latest))])
        torch.testing.assert_close(block[row - 2, 1:], (table @ user + bias)[1:])
    assert (block[:, 0] == -torch.inf).all()


def test_knowledge_of_several_models_is_ranked_as_the_teacher_and_the_table_names_them(
    new_chain: Callable[[], Any], small_runs: Any
) -> None:
    chain = new_chain().copy(small_runs, "distill")
    chain.perform("knowledge", "knowledge", ["knowledge.models=[student,distill]"], {"model 1": "distill"})
    overrides = ["evaluate.models=[student,teacher]", "evaluate.candidates=4"]
    folder = chain.perform("evaluate", "", overrides)
    head = {row["model"]: row for row in read(folder, METRICS_TABLE) if row["split"] == "test"}
    sentence = "teacher = the mean log-probability of student and distill"
    assert {row["about_models"] for row in head.values()} == {sentence} and sentence in render(folder)
    assert head["teacher"]["made_by"] == "knowledge"
    trained = [Summary.read(chain.runs / name) for name in ("student", "distill")]
    seconds = sum(summary.facts["train_seconds"] for summary in trained if summary)
    assert float(head["teacher"]["train_seconds"]) == pytest.approx(seconds)
    assert float(head["teacher"]["ndcg@10"]) > 0


def test_weights_of_a_mixture_are_named_where_they_differ() -> None:
    assert models.mixture({"student": 1.0}) == "student"
    assert models.mixture({"student": 0.25, "a": 0.5, "b": 0.25}) == (
        "the mean log-probability of student (0.25), a (0.5) and b (0.25)"
    )


def test_a_teacher_alone_needs_no_words(seven_stages: Path) -> None:
    assert not any("about_models" in row for row in read(seven_stages / "evaluate", METRICS_TABLE))


def test_a_baseline_in_place_of_the_distilled_student_is_named_in_the_table(
    new_chain: Callable[[], Any], small_runs: Any
) -> None:
    chain = new_chain().copy(small_runs, "knowledge")
    again = ["student.refit=true"]
    chain.perform("student", "again", again)
    words = [*again, "distill.choose=better", "distill.student.learning_rate=1e-9"]
    chain.perform("distill", "", words, {"student": "again"})
    models = "evaluate.models=[student,student-refit,distilled,distilled-refit]"
    folder = chain.perform("evaluate", "", [*again, models], {"student": "again"})
    own, base = (
        [row["ndcg@10"] for row in read(folder, METRICS_TABLE) if row["model"] == name]
        for name in ("distilled", "student")
    )
    assert own == base
    (second, other) = (
        [row["ndcg@10"] for row in read(folder, METRICS_TABLE) if row["model"] == name]
        for name in ("student-refit", "distilled-refit")
    )
    assert second == other
    text = " ".join(render(folder).split())
    assert re.search(r"distilled = student: its gain on validation rows is -0\.\d+, -0\.\d+ to .0\.\d+ \(distill", text)
    assert "distilled-refit = student-refit, as distilled is the student" in text
