"""Caveats of a comparison."""

import shutil
from typing import Any

import numpy as np
import pytest

from engine.compare.groups import resolve
from engine.compare.report import build
from engine.wire import Comparison


def compared(world: Any, *groups: str) -> Comparison:
    return build(resolve(groups, world.store))


def codes(comparison: Comparison) -> set[str]:
    return {note.code for note in comparison.notes}


def test_other_test_rows_decide_nothing(world: Any) -> None:
    for seed in (1, 2, 3):
        world.evaluate("a", seed, ranks=world.ranks(seed))
        world.evaluate("b", seed, ranks=world.ranks(seed, 0.9), targets=7)
    comparison = compared(world, "a", "b")
    metric = next(m for m in comparison.metrics if (m.model, m.metric) == ("student", "ndcg@10"))
    assert [(d.over, d.verdict) for d in metric.differences] == [("seeds", "undecided")]
    assert "targets-differ" in codes(comparison)


def test_two_protocols_are_compared_under_the_first_one_and_noted(world: Any) -> None:
    a = world.evaluate("a", 1, ranks=world.ranks(1))
    b = world.evaluate("b", 1, "evaluate.hide_seen=false", ranks=world.ranks(1))
    comparison = compared(world, a, b)
    metric = next(m for m in comparison.metrics if (m.model, m.metric) == ("student", "ndcg@10"))
    assert metric.groups[0].mean == metric.groups[1].mean
    assert "protocol-differs" in codes(comparison)


def test_what_a_name_stands_for_is_said_of_each_group_where_it_differs(world: Any) -> None:
    own = {"teacher": world.ranks(2)}
    a = world.evaluate("a", 1, ranks=world.ranks(1), about="the mean of two models", **own)
    b = world.evaluate("b", 1, ranks=world.ranks(1), **own)
    c = world.evaluate("c", 1, ranks=world.ranks(3), about="the mean of two models", **own)
    different, same = compared(world, a, b), compared(world, a, c)
    (note,) = [note.text for note in different.notes if note.code == "models-differ"]
    assert f"{different.groups[0].name}: teacher = the mean of two models" in note
    assert f"{different.groups[1].name}: what their names say" in note
    assert different.protocol is not None and "the mean of two models" not in different.protocol
    assert same.protocol is not None and "teacher = the mean of two models" in same.protocol
    assert "models-differ" not in codes(same)


def test_other_data_seeds_and_mixed_settings_are_noted(world: Any) -> None:
    other = world.other_data()
    for seed in (1, 2):
        world.student("a", seed)
    world.student("b", 1, "student.dropout=0.11", data=other)
    world.student("b", 3, "student.dropout=0.12", data=other)
    assert codes(compared(world, "a", "b")) >= {"data-differs", "unequal-seeds", "mixed-settings"}


def test_uncommitted_code_and_an_early_end_are_noted_with_the_run(world: Any) -> None:
    a, b = world.student("a", 1, dirty=True), world.student("b", 1, stopped=True)
    notes = {note.code: note.text for note in compared(world, a, b).notes}
    assert a in notes["dirty"] and b not in notes["dirty"]
    assert f"{b} (STOPPED)" in notes["stopped-early"]


def test_what_a_run_was_made_from_may_be_gone(world: Any) -> None:
    a, b = world.student("a", 1), world.student("b", 1)
    shutil.rmtree(world.store.root / world.data)
    assert codes(compared(world, a, b)) >= {"made-from-gone", "data-unknown"}


def test_a_training_that_was_still_improving_is_noted(world: Any) -> None:
    a, b = world.student("a", 1), world.student("b", 1, values=(0.1, 0.2, 0.3))
    (note,) = [note for note in compared(world, a, b).notes if note.code == "still-improving"]
    assert b in note.text
    assert a not in note.text


def test_one_evaluation_alone_is_no_sign_of_improvement(world: Any) -> None:
    a, b = world.student("a", 1), world.student("b", 1, values=(0.1,))
    assert "still-improving" not in codes(compared(world, a, b))


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        (("3", "20"), "student was searched less, which favours b: a 3 trials, b 20 trials"),
        (
            ("20 320", "20 2400"),
            "student was searched less, which favours b: a 20 trials (320 epochs), b 20 trials (2,400 epochs)",
        ),
        (("20 2400", "20 320"), ""),  # the baseline had more
        (("20", "3"), ""),
        (("20", "null"), "student may not have been searched alike: a 20 trials, b not recorded"),
        (("null", "20"), "student may not have been searched alike: a not recorded, b 20 trials"),
        (("20", "20"), ""),
        (("0", "null"), ""),
        (("null", "null"), ""),
    ],
)
def test_a_baseline_that_was_searched_less_is_noted(world: Any, sizes: tuple[str, str], text: str) -> None:
    for name, size in zip("ab", sizes, strict=True):
        trials, _, epochs = size.partition(" ")
        words = [f"search.student={trials}", f"search.student_epochs={epochs or 'null'}"]
        world.student(name, 1, *words, "search.distill=0" if name == "a" else "search.distill=99")  # no distill here
    found = [note.text for note in compared(world, "a", "b").notes if note.code == "unequal-search"]
    assert found == ([text] if text else [])


def test_a_model_below_an_untrained_one_is_noted_and_not_called_better(world: Any) -> None:
    for seed in (1, 2, 3):
        for label, strength, least in (("a", 0.0, 0.0), ("b", 0.6, 1.0)):
            titles = np.where(np.arange(60) < 50, 1.0, world.ranks(seed, least))
            world.evaluate(label, seed, ranks=world.ranks(seed, strength), titles=titles)
    comparison = compared(world, "a", "b")
    notes = [note.text for note in comparison.notes if note.code == "below-untrained"]
    (note,) = notes
    assert note.startswith("below titles, which needs no training, and so not called better (mean ndcg@10): student (")
    assert note.endswith("; 6 of 6 runs)")
    (sentence,) = [line for line in comparison.verdict if "student" in line]
    assert sentence.startswith(
        "b ranks above a (student), but below titles, which needs no training: not called better"
    )


def test_groups_below_different_untrained_models_are_noted_apart(world: Any) -> None:
    world.evaluate("a", 1, ranks=world.ranks(1, 0.0), titles=np.full(60, 1.0))
    world.evaluate("b", 1, ranks=world.ranks(1, 0.6), transitions=np.full(60, 1.0))
    notes = [note.text for note in compared(world, "a", "b").notes if note.code == "below-untrained"]
    assert [note.partition(",")[0] for note in notes] == ["below titles", "below transitions"]
    assert "student of a (" in notes[0] and "student of b (" in notes[1] and notes[1].endswith("; 1 of 2 runs)")


def test_a_model_above_every_untrained_one_is_called_better(world: Any) -> None:
    for seed in (1, 2, 3):
        for label, strength in (("a", 0.0), ("b", 0.9)):
            world.evaluate(label, seed, ranks=world.ranks(seed, strength), titles=np.full(60, 20.0))
    comparison = compared(world, "a", "b")
    assert not [note for note in comparison.notes if note.code == "below-untrained" and "of b" in note.text]
    assert any(line.startswith("b is better than a (student)") for line in comparison.verdict)
