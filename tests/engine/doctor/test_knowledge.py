"""Rankings that are about other rows, in another numbering, or not this teacher's."""

import pytest
import torch

from engine.data import ids
from engine.knowledge.rankings import Rankings

BEFORE = ("data", "student", "backbone", "teacher")
ALL = ("rankings-fit-rows", "rankings-in-our-ids", "asked-again")


def altered(copy, change):
    """A finished knowledge run whose rankings were changed."""
    folder = copy("knowledge")
    path = folder / "artifacts" / "rankings.safetensors"
    found = Rankings.load(path)
    change(found).save(path)
    return {"knowledge": folder}


def test_sound_knowledge_passes(case, look):
    found = look(case(*BEFORE, "knowledge"), *ALL)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(ALL, "pass"), found


def test_knowledge_that_was_just_rehearsed_passes(case, look):
    found = look(case(*BEFORE), *ALL)
    assert [outcome.verdict for outcome in found.values()] == ["pass", "pass", "skip"]


@pytest.mark.parametrize("shift", [1, -1])
def test_rankings_misaligned_by_one_row_are_named(case, copy, look, shift):
    def moved(found):
        return Rankings(found.rows, found.items.roll(shift, dims=0), found.distances.roll(shift, dims=0))

    found = look(case(*BEFORE, altered=altered(copy, moved)), "rankings-fit-rows", "asked-again")
    assert {outcome.verdict for outcome in found.values()} == {"fail"}


def test_rows_that_are_users_first_events_are_named(case, copy, named):
    runs = altered(copy, lambda found: Rankings(found.rows - 1, found.items, found.distances))
    assert "first events" in named(case(*BEFORE, altered=runs), "rankings-fit-rows").evidence


def test_rows_outside_of_the_data_are_named(case, copy, named):
    runs = altered(copy, lambda found: Rankings(found.rows + 10_000, found.items, found.distances))
    assert "no training event" in named(case(*BEFORE, altered=runs), "rankings-fit-rows").evidence


def test_ends_that_are_other_users_are_named(case, copy, named):
    folder = copy("knowledge")
    path = folder / "artifacts" / "last_position.safetensors"
    found = Rankings.load(path)
    Rankings(found.rows, found.items.roll(1, dims=0), found.distances).save(path)
    assert (
        "item of their own history" in named(case(*BEFORE, altered={"knowledge": folder}), "rankings-fit-rows").evidence
    )
    Rankings(found.rows - 1, found.items, found.distances).save(path)
    assert "not the ends" in named(case(*BEFORE, altered={"knowledge": folder}), "rankings-fit-rows").evidence


def test_rankings_in_a_foreign_numbering_are_named(case, copy, look):
    def from_zero(found):
        return Rankings(found.rows, torch.from_numpy(ids.to_zero_based(found.items)).int(), found.distances)

    runs = altered(copy, from_zero)
    found = look(case(*BEFORE, altered=runs), *ALL)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(ALL, "fail"), found
    assert "in another numbering" in found["rankings-in-our-ids"].evidence


def test_a_ranked_padding_is_named(case, copy, named):
    def padded(found):
        items = found.items.clone()
        items[3, 2] = ids.PADDING
        return Rankings(found.rows, items, found.distances)

    evidence = named(case(*BEFORE, altered=altered(copy, padded)), "rankings-in-our-ids").evidence
    assert "ids go from 0 to" in evidence


def test_an_item_ranked_twice_is_named(case, copy, named):
    def twice(found):
        items = found.items.clone()
        items[:, 1] = items[:, 0]
        return Rankings(found.rows, items, found.distances)

    assert "twice" in named(case(*BEFORE, altered=altered(copy, twice)), "rankings-in-our-ids").evidence


def test_answers_of_another_teacher_are_named(case, copy, named):
    def others(found):
        draw = torch.Generator().manual_seed(0)
        return Rankings(found.rows, found.items[torch.randperm(len(found.rows), generator=draw)], found.distances)

    named(case(*BEFORE, altered=altered(copy, others)), "asked-again")
