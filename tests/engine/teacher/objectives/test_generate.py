"""The generate objective: only answers are learned, and an answer does not depend on the batch."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.backbone import language
from engine.config import load
from engine.data.sequences import Rows
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id
from engine.teacher.objectives.generate import (
    AT_ONCE,
    CandidateEvaluation,
    GenerateCollator,
    likelihoods,
    objective,
    token_losses,
)
from engine.teacher.prompting.tokenizer import PromptTokenizer
from engine.training.processes import Processes

NAMES = [chr(ord("a") + k % 26) * (1 + k % 3) for k in range(13)]
TEMPLATE = "Seen [HistoryHere]. One of [CansHere]:"
Make = Callable[[], Any]
TASK_ROWS = Rows(np.asarray([1, 2, 3, 4], dtype=np.int32), np.asarray([0]), np.asarray([3]), np.asarray([0]))
HISTORY = np.asarray([[1, 2, 3], [4, 0, 0]])
CANDIDATES = np.asarray([[5, 6, 7], [8, 5, 9]])


def collator_of(tiny: Any) -> GenerateCollator:
    return GenerateCollator(tiny.setup(TEMPLATE))


def users(rows: int = 2) -> torch.Tensor:
    return torch.randn(2, 8, generator=torch.Generator().manual_seed(0))[:rows]


def test_only_the_answer_is_learned_and_its_loss_is_that_of_a_loop(tiny: Make) -> None:
    made = tiny()
    batch = collator_of(made)(TEMPLATE, HISTORY, users(), CANDIDATES, np.asarray([6, 5]))
    gates = made.teacher.gates(batch.inputs.users)
    losses, row = token_losses(made.teacher, batch, gates)
    states = made.teacher.states(batch.inputs, gates)
    count = 0
    for b in range(2):
        answer = made.tokenizer.answers(np.asarray([[6, 5][b]]))[0][0].tolist()
        labelled = (batch.labels[b] != -100).nonzero()[:, 0]
        assert batch.labels[b, labelled].tolist() == answer
        for t in labelled.tolist():
            scores = made.teacher.language_model.lm_head(states[b, t - 1]).double()
            expected = torch.logsumexp(scores, 0) - scores[batch.labels[b, t]]
            torch.testing.assert_close(losses[count].double(), expected, rtol=1e-5, atol=1e-6)
            assert int(row[count]) == b
            count += 1
    assert count == len(losses)


def greedy(made: Any, rows: slice, tick: Callable[[], None] = lambda: None) -> list[list[int]]:
    batch = collator_of(made)(TEMPLATE, HISTORY[rows], users()[rows], CANDIDATES[rows], left=True)
    assert batch.inputs.mask is not None
    with made.teacher.routing.of(made.teacher.gates(batch.inputs.users)):
        model, stops = made.teacher.language_model, [made.tokenizer.stop]
        tokens = language.greedy(model, made.teacher.embed(batch.inputs), batch.inputs.mask, stops, 6, tick)
    return tokens.tolist()


def test_left_padded_generation_equals_unpadded(tiny: Make) -> None:
    made = tiny()
    both = greedy(made, slice(0, 2))
    for row in range(2):
        alone = greedy(made, slice(row, row + 1))[0]
        assert both[row][: len(alone)] == alone


def test_generation_with_a_cache_equals_reading_everything_again(tiny: Make) -> None:
    made = tiny()
    batch = collator_of(made)(TEMPLATE, HISTORY[:1], users(1), CANDIDATES[:1])
    ids, expected = batch.inputs.ids, []
    gates = made.teacher.gates(batch.inputs.users)
    embeddings = made.teacher.embed(batch.inputs)
    for _ in range(6):
        with made.teacher.routing.of(gates):
            last = language.states(made.teacher.language_model, embeddings)[:, -1]
        token = made.teacher.language_model.lm_head(last).argmax(dim=1)
        expected.append(int(token))
        if int(token) == made.tokenizer.stop:
            break
        embeddings = torch.cat([embeddings, made.teacher.language_model.get_input_embeddings()(token[:, None])], dim=1)
    assert greedy(made, slice(0, 1))[0] == expected and ids.shape[0] == 1


def test_every_generated_token_is_a_sign_of_life(tiny: Make) -> None:
    made, signs = tiny(), list[None]()
    generated = greedy(made, slice(0, 2), lambda: signs.append(None))[0]
    assert len(signs) == len(generated) > 1


def test_an_evaluation_gives_signs_of_life_within_a_batch_of_answers(tiny: Make) -> None:
    words = ["teacher=generate", "teacher.generate.candidates=3", "teacher.generate.scoring=greedy"]
    made, settings = tiny(), load(words).teacher
    assert settings.generate is not None
    rows, candidates = TASK_ROWS, np.stack([(target + np.arange(3)) % 5 + 1 for target in TASK_ROWS.targets - 1])
    reports = list[tuple[int, int]]()
    evaluation = CandidateEvaluation(
        made.setup(TEMPLATE, settings), settings.generate, rows, candidates, lambda *_: None
    )
    evaluation(lambda done, total: reports.append((done, total)))
    total = len(evaluation.targets)
    assert reports.count((0, total)) > 1 and reports[-1] == (total, total)


def test_text_only_prompts_leave_the_projector_out(tiny: Make) -> None:
    made = tiny()
    batch = collator_of(made)(TEMPLATE, HISTORY, users(), CANDIDATES, np.asarray([6, 5]), hybrid=False)
    losses, _ = token_losses(made.teacher, batch, made.teacher.gates(batch.inputs.users))
    losses.mean().backward()
    assert all(value.grad is None for value in made.teacher.projector.parameters())
    assert made.teacher.gate.scores.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("second_begin", [False, True])
def test_candidates_scored_after_a_shared_prompt_score_as_whole_prompts_do(tiny: Make, second_begin: bool) -> None:
    made = tiny()
    made = replace(made, tokenizer=PromptTokenizer(NAMES, made.tokenizer.vocabulary, 200, 6, second_begin))
    collator, candidates = collator_of(made), np.asarray([[5, 6, 7, 9, 10, 11, 12], [8, 5, 9, 1, 2, 3, 6]])
    assert candidates.shape[1] > AT_ONCE
    assert (
        len({len(ids) for ids in made.tokenizer.answers(candidates.reshape(-1))[0].tolist()}) == 1
    )  # padded to one width
    assert len(set(made.tokenizer.answers(candidates.reshape(-1))[1].tolist())) > 1
    found = likelihoods(made.setup(TEMPLATE), HISTORY, users(), candidates)
    for k in range(7):
        batch = collator(TEMPLATE, HISTORY, users(), candidates, candidates[:, k])
        losses, row = token_losses(made.teacher, batch, made.teacher.gates(batch.inputs.users))
        expected = torch.zeros(2).index_add_(0, row, -losses)
        torch.testing.assert_close(found[:, k], expected, rtol=1e-4, atol=1e-4)


def test_as_released_an_answer_begins_with_the_token_that_begins_every_text(tiny: Make) -> None:
    made = tiny()
    plain, released = (PromptTokenizer(NAMES, made.tokenizer.vocabulary, 200, 6, second) for second in (False, True))
    begin = made.tokenizer.vocabulary.begin
    one = plain.assemble(TEMPLATE, HISTORY, CANDIDATES, np.asarray([6, 5]))
    two = released.assemble(TEMPLATE, HISTORY, CANDIDATES, np.asarray([6, 5]))
    for row in range(2):
        answer = one.labels[row][one.labels[row] >= 0].tolist()
        assert two.labels[row][two.labels[row] >= 0].tolist() == [begin, *answer]


@pytest.mark.parametrize("processes", [1, 2])
def test_parts_of_a_step_whose_answers_differ_in_length_make_up_the_whole_step(
    tiny: Make, tmp_path: Path, processes: int
) -> None:
    """Every token of a step counts the same, however the step is cut and dealt out."""
    made = tiny()
    run = Run.open(Store(tmp_path).create(RunInfo(new_id("teacher"), "teacher", "test", 1, "0" * 16), ""))

    def losses(accumulate: int, processes: int) -> list[torch.Tensor]:
        """Of the first steps: the sum over parts, averaged over processes as DDP averages gradients."""
        words = ["teacher=generate", "teacher.batch=6", f"teacher.accumulate={accumulate}", "teacher.history=3"]
        settings = load([*words, "teacher.generate.candidates=3"]).teacher
        found = []
        for rank in range(processes):
            setup = replace(made.setup(TEMPLATE, settings), processes=Processes(rank, processes))
            made_objective = objective(setup, made.data, TASK_ROWS, run)
            parts = [[made_objective.part(step, k) for k in range(accumulate)] for step in range(2)]
            found.append([sum(part.weight * part.loss for part in step) for step in parts])
            lengths = {part.weight for part in parts[0]}
            assert accumulate * processes == 1 or len(lengths) > 1 or processes > 1  # the answers differ in length
        return [torch.stack(list(step)).mean() for step in zip(*found, strict=True)]

    whole = losses(1, 1)
    for expected, cut in zip(whole, losses(3, processes), strict=True):
        torch.testing.assert_close(cut, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("words", "last"), [(["teacher.steps=6"], 5), (["teacher.epochs=2"], None)])
def test_the_curriculum_reaches_item_vectors_in_every_prompt_at_the_last_step_of_the_training(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], last: int | None
) -> None:
    made, shown = tiny(), []
    read = GenerateCollator.__call__

    def noted(self: Any, *given: Any) -> Any:
        shown.append(given[-1])
        return read(self, *given)

    monkeypatch.setattr(GenerateCollator, "__call__", noted)
    run = Run.open(Store(tmp_path).create(RunInfo(new_id("teacher"), "teacher", "test", 1, "0" * 16), ""))
    given = ["teacher=generate", "teacher.batch=1", "teacher.history=3", "teacher.generate.candidates=3"]
    settings = load([*given, "teacher.epochs=100", *words]).teacher
    made_objective = objective(made.setup(TEMPLATE, settings), made.data, TASK_ROWS, run)
    last = 2 * made_objective.per_epoch - 1 if last is None else last
    for step in (0, last):
        made_objective.part(step, 0)
    assert shown == [False, True]


def test_what_a_teacher_is_compared_with_is_asked_about_the_same_candidates(tiny: Make) -> None:
    made, draw = tiny(), np.random.default_rng(4)
    size, items = 40, len(NAMES) - 1
    events = draw.integers(1, items + 1, 4 * size + 1).astype(np.int32)
    start = 4 * np.arange(size)
    stop = start + np.where(np.arange(size) % 8, 3, 0)  # every eighth row has no history
    rows = Rows(events, start, stop, np.arange(size))
    settings = load(["teacher=generate", "teacher.generate.candidates=3"]).teacher
    others = np.stack([draw.permutation(np.setdiff1d(np.arange(1, items + 1), [own]))[:2] for own in rows.targets])
    candidates = draw.permuted(np.column_stack([rows.targets, others]).astype(np.int64), axis=1)
    setup = replace(made.setup(TEMPLATE, settings), student=replace(made.student, bias=torch.randn(items + 1)))
    assert settings.generate is not None
    evaluation = CandidateEvaluation(setup, settings.generate, rows, candidates, lambda *_: None)
    counts = draw.integers(0, 3, items + 1)  # many are equal

    first = {"candidate_popularity": 0, "candidate_student": 0}
    ties = 0
    for row in range(size):
        history = torch.from_numpy(events[start[row] : stop[row]].astype(np.int64))
        if len(history) == 0:
            continue  # nothing can be asked: not right
        state = setup.student.model(history[None])[0, -1]
        own, negatives = (
            int(rows.targets[row]),
            [item for item in candidates[row].tolist() if item != rows.targets[row]],
        )
        score = {item: float(setup.student.table[item] @ state + setup.student.bias[item]) for item in candidates[row]}
        first["candidate_student"] += all(score[own] > score[item] for item in negatives)
        first["candidate_popularity"] += all(counts[own] > counts[item] for item in negatives)
        ties += counts[own] == max(counts[item] for item in negatives)
    assert ties and all(first.values())
    assert evaluation.controls(counts) == {name: count / size for name, count in first.items()}
