"""What a second training of a distilled student learns from: which ranking belongs to which event."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.config.settings.distill import DistillSettings
from engine.data.sequences import Rows, Sequences
from engine.distill.inputs import DistillInputs
from engine.knowledge.rankings import Rankings, joined
from engine.runs.run import Run
from engine.stages import RANKINGS, RANKINGS_REFIT, SEQUENCES, VALIDATION
from tests.engine.distill.conftest import last_positions_of, teacher_of
from tests.fixtures.students import counting, sequences_of


def ranked(rows: list[int], events: list[tuple[int, int]]) -> Rankings:
    """A ranking of each row whose items name the user and place of the event that it is about."""
    items = torch.tensor(events, dtype=torch.int32).reshape(-1, 2)
    return Rankings(torch.tensor(rows, dtype=torch.int64), items, items.float())


def loaded(run: Run, settings: DistillSettings) -> tuple[DistillInputs, Rows]:
    """What a run learns from, and its validation rows."""
    with run:
        rows = Rows.load(run.input(VALIDATION))
        return DistillInputs.load(settings, Sequences.load(run.input(SEQUENCES)), run), rows


def places(sequences: Sequences) -> dict[int, tuple[int, int]]:
    """Index of an event -> its user and place."""
    return {
        int(begin) + place: (int(user), place)
        for user, begin, end in zip(sequences.users, sequences.offsets[:-1], sequences.offsets[1:], strict=True)
        for place in range(end - begin)
    }


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), min_size=1, max_size=6),
    st.sets(st.integers(0, 29)),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_every_ranking_stays_with_its_event_and_one_of_an_end_belongs_to_the_validation_event_there(
    users: list[tuple[int, int]], answered: set[int], ends: bool, order: Any
) -> None:
    whole = sequences_of([list(range(1, trained + held_out + 1)) for trained, held_out in users])
    training = sequences_of([list(range(1, trained + 1)) for trained, _ in users])
    held_out = [
        (user, trained + step) for user, (trained, count) in enumerate(users) for step in range(count)
    ]  # user and place of every validation target
    order.shuffle(held_out)
    begins = whole.offsets[[user for user, _ in held_out]] if held_out else np.zeros(0, dtype=np.int64)
    stops = begins + np.array([place for _, place in held_out], dtype=np.int64)
    rows = Rows(whole.items, begins, stops, np.array([user for user, _ in held_out], dtype=np.int64))
    events = {index: place for index, place in places(training).items() if index in answered and place[1]}
    last = ranked(training.offsets[1:].tolist(), [(user, trained) for user, (trained, _) in enumerate(users)])
    before = DistillInputs(
        training, ranked(list(events), list(events.values())), last if ends else None, torch.zeros(9, 2)
    )
    after = before.with_validation(rows)

    known = places(after.sequences)
    assert after.sequences.items.tolist() == whole.items.tolist()
    pairs = zip(after.rankings.rows.tolist(), after.rankings.items.tolist(), strict=True)
    found = {known[row]: tuple(items) for row, items in pairs}
    followed = [(user, trained) for user, (trained, count) in enumerate(users) if count and ends]
    assert found == {place: place for place in [*events.values(), *followed]}
    assert len(after.rankings.rows) == len(found)
    left = [] if after.last_position is None else after.last_position.rows.tolist()
    unfollowed = [user for user, (_, count) in enumerate(users) if ends and not count]
    assert left == [int(after.sequences.offsets[user + 1]) for user in unfollowed]


def test_rankings_of_ends_with_fewer_items_shorten_the_others(
    settings: Callable[..., DistillSettings], distill_run: Callable[..., Run]
) -> None:
    inputs, rows = loaded(distill_run(), settings(last_position=0.5))
    last = inputs.last_position
    assert last is not None and inputs.rankings.items.shape[1] == 5
    short = replace(last, items=last.items[:, :3], distances=last.distances[:, :3])
    found = replace(inputs, last_position=short).with_validation(rows)
    assert found.rankings.items.shape[1] == found.rankings.distances.shape[1] == 3
    assert torch.equal(found.rankings.items[: len(inputs.rankings.rows)], inputs.rankings.items[:, :3])


def test_knowledge_of_ends_that_has_no_weight_stays_out_of_the_second_training(
    settings: Callable[..., DistillSettings], distill_run: Callable[..., Run]
) -> None:
    inputs, rows = loaded(distill_run(), settings(last_position=0.0))
    found = inputs.with_validation(rows)
    assert found.last_position is None and len(found.rankings.rows) == len(inputs.rankings.rows)
    assert len(found.sequences.items) == len(inputs.sequences.items) + len(rows)


def test_rankings_that_count_validation_events_take_the_place_of_the_others(
    settings: Callable[..., DistillSettings], distill_run: Callable[..., Run]
) -> None:
    run = distill_run()
    whole = sequences_of(counting(60, 20))
    events, ends = teacher_of(whole), last_positions_of(whole)
    counted = replace(joined(events, ends), distances=joined(events, ends).distances + 1)
    counted.save(run.input(RANKINGS).with_name(RANKINGS_REFIT.file))
    with run:
        training, rows = Sequences.load(run.input(SEQUENCES)), Rows.load(run.input(VALIDATION))
        for weight in (0.0, 0.5):
            again = settings(student={"refit": True}, last_position=weight)
            found = DistillInputs.load(again, training, run).with_validation(rows)
            assert (
                torch.equal(found.rankings.rows, events.rows) and found.sequences.items.tolist() == whole.items.tolist()
            )
            assert torch.equal(found.rankings.distances, events.distances + 1)
            last = found.last_position
            assert (last is not None) == bool(weight) and (last is None or torch.equal(last.rows, ends.rows))
        without = DistillInputs.load(settings(last_position=0.5), training, run)
    assert without.again is None
