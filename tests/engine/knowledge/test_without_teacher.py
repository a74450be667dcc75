"""Knowledge without a teacher that counts validation events, too: for the second training of a distilled student."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from engine.data.sequences import Rows, Sequences
from engine.knowledge.rankings import Rankings
from engine.stages import LAST_POSITION, RANKINGS, RANKINGS_REFIT, SEQUENCES, VALIDATION
from engine.student.refit import with_validation


@pytest.mark.parametrize("models", ["transitions+titles", "student,transitions"])
def test_it_is_the_knowledge_that_all_these_events_give(new_chain: Callable[[], Any], models: str) -> None:
    words = [f"knowledge.models=[{models}]"]
    chain, whole = new_chain(), new_chain()
    chain.perform("knowledge", "plain", words, {"teacher": "none"})
    chain.perform("knowledge", "again", [*words, "student.refit=true"], {"teacher": "none"})
    training = whole.made("data", SEQUENCES)
    with_validation(Sequences.load(training), Rows.load(whole.made("data", VALIDATION)))[0].save(training)
    whole.perform("knowledge", "whole", words, {"teacher": "none"})

    assert not chain.made("plain", RANKINGS_REFIT).exists()
    for artifact in (RANKINGS, LAST_POSITION):
        assert same(Rankings.load(chain.made("again", artifact)), Rankings.load(chain.made("plain", artifact)))
    found = Rankings.load(chain.made("again", RANKINGS_REFIT)).at_ends(Sequences.load(training))
    for part, artifact in zip(found, (RANKINGS, LAST_POSITION), strict=True):
        assert same(part, Rankings.load(whole.made("whole", artifact)))
    assert len(found[0].rows) > len(Rankings.load(chain.made("plain", RANKINGS)).rows)


def same(one: Rankings, other: Rankings) -> bool:
    parts = ((one.rows, other.rows), (one.items, other.items), (one.distances, other.distances))
    return all(torch.equal(*pair) for pair in parts)
