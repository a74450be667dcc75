"""What the processes of a run tell each other, and how they share work."""

from hypothesis import given
from hypothesis import strategies as st

from engine.training.processes import Processes
from tests.fixtures.processes import together


@given(st.integers(0, 9), st.integers(1, 4))
def test_every_piece_of_work_belongs_to_one_process_and_all_do_as_many(pieces: int, count: int) -> None:
    dealt = [Processes(rank, count).dealt(range(pieces)) for rank in range(count)]
    assert len({len(part) for part in dealt}) == 1
    own = [piece for part in dealt for piece, mine in part if mine]
    assert sorted(own) == (list(range(pieces)) if pieces != 1 else [0] * count)
    assert all(len(part) == -(-pieces // count) for part in dealt)


@given(st.integers(0, 9), st.integers(1, 4))
def test_every_numbered_piece_is_owned_by_one_process(pieces: int, count: int) -> None:
    owners = [[rank for rank in range(count) if Processes(rank, count).owns(number)] for number in range(pieces)]
    assert all(len(own) == 1 for own in owners)
    shares = [sum(Processes(rank, count).owns(number) for number in range(pieces)) for rank in range(count)]
    assert max(shares) - min(shares) <= 1


def test_all_know_what_the_first_has_and_what_any_wants() -> None:
    found = together(lambda own: (own.first(own.rank + 5), own.any(own.rank == 1), own.gathered(own.rank)), 3)
    assert found == [(5, True, [0, 1, 2])] * 3
    alone = Processes()
    assert (alone.first(7), alone.any(False), alone.gathered(7)) == (7, False, [7])
