"""Pre-training learns, and its held-out loss counts the words of titles and nothing else."""

import numpy as np
import pytest
import torch

from engine.backbone import language, pretrain
from engine.backbone.corpus import Corpus
from engine.backbone.pretrain import PretrainModule, groups, new_model
from engine.backbone.tokenizer import train_tokenizer
from engine.config import load
from engine.data.sequences import Sequences
from engine.training.processes import Processes
from tests.fixtures.processes import together

TITLES = ["", "Iron Meadow", "Glass Harbour", "Old Salt", "Quiet Engine"]
WORDS = train_tokenizer(TITLES[1:], 300)
SIZES = ["width=16", "layers=1", "heads=2", "feedforward=16"]


def module(processes: Processes | None = None, batch: int = 8) -> PretrainModule:
    """Every user goes through the four items in order, from a random one on."""
    draw, length = np.random.default_rng(0), 6
    items = np.concatenate([(start + np.arange(length)) % 4 + 1 for start in draw.integers(0, 4, 40)])
    sequences = Sequences(items.astype(np.int32), np.arange(0, 41 * length, length), np.arange(40))
    vocabulary = language.vocabulary(WORDS)
    rules = {"context": 200, "batch": batch, "catalogue": 0.0, "held_out": 0.25, "seed": 0}
    corpus = Corpus(sequences, TITLES, [""] * 5, vocabulary, **rules)
    scratch = load([f"backbone.scratch.{size}" for size in SIZES]).backbone.scratch
    assert scratch is not None
    torch.manual_seed(0)
    return PretrainModule(new_model(scratch, WORDS), scratch, corpus, vocabulary, processes)


def test_it_learns_a_rule_a_person_can_see_and_the_history_is_what_tells_it() -> None:
    """The first title of a history is any of four, a later one is certain."""
    made = module()
    optimizer = torch.optim.AdamW(made.model.parameters(), lr=1e-2)
    before = made.held_out(lambda done, total: None)["val_loss"]
    for step in range(120):
        optimizer.zero_grad()
        made.training_step(step, 0).backward()
        optimizer.step()
    after = made.held_out(lambda done, total: None)
    assert after["val_loss"] < 0.1 < before
    assert after["val_loss_without_history"] > after["val_loss"] + 0.1


def test_the_held_out_loss_is_that_of_a_loop_over_title_tokens() -> None:
    made = module()
    tokens = made.corpus.histories(made.corpus.held_out)
    scores = made.model(input_ids=torch.from_numpy(tokens)).logits.double().log_softmax(dim=-1)
    slot, sums = made.vocabulary.history_slot, {"val_loss": [], "val_loss_without_history": []}
    for row, ids in enumerate(tokens.tolist()):
        for index in range(1, len(ids)):
            if ids[index] in (slot, made.vocabulary.padding) or ids[index - 1] == slot:
                continue  # slots, padding and the comma that follows a slot
            name = "val_loss" if slot in ids[:index] else "val_loss_without_history"
            sums[name].append(-scores[row, index - 1, ids[index]].item())
    found = made.held_out(lambda done, total: None)
    for name, values in sums.items():
        assert len(values) > 10
        torch.testing.assert_close(found[name], sum(values) / len(values), rtol=1e-4, atol=1e-5)


def test_every_parameter_is_in_one_reported_group() -> None:
    made = module()
    named = [id(value) for group in groups(made.model).values() for value in group]
    assert len(named) == len(set(named)) and set(named) == {id(value) for value in made.parameters()}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("batch", [7, 1])  # texts of a step: two processes get 4 and 3, or 1 and none
def test_the_mean_over_processes_is_the_loss_and_the_gradient_of_one(count: int, batch: int) -> None:
    def work(processes: Processes | None) -> list[torch.Tensor]:
        made = module(processes, batch)
        loss = made.training_step(3, 0)
        loss.backward()
        return [loss.detach(), *(value.grad for value in made.parameters() if value.grad is not None)]

    alone, shares = work(None), [work(Processes(rank, count)) for rank in range(count)]
    assert len({float(share[0]) for share in shares}) > 1  # no process computes what another does
    for whole, *parts in zip(alone, *shares, strict=True):
        torch.testing.assert_close(torch.stack(parts).mean(dim=0), whole, rtol=1e-4, atol=1e-6)


def test_each_process_measures_a_part_of_the_held_out_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "TEXTS_AT_ONCE", 3)  # ten histories in four pieces
    alone, ticks = module().held_out(lambda done, total: None), dict[int, list[int]]()
    made = [module(), module()]  # in one thread: both draw their weights from the same generator

    def work(processes: Processes) -> dict[str, float]:
        done, own = ticks.setdefault(processes.rank, []), made[processes.rank]
        own.processes = processes
        return own.held_out(lambda count, total: done.append(count))

    for found in together(work):
        assert found == pytest.approx(alone, rel=1e-9)
    assert ticks == {0: [3, 9], 1: [6, 10]}
