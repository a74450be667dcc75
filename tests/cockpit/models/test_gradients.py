"""Gradient events become one verdict per parameter group."""

import math

from cockpit.models.gradients import HIGH, NAN, NONE, OK, ZERO, Gradients


def made(*norms, names=("a", "b", "c")):
    gradients = Gradients()
    gradients.schema([{"name": name, "numel": 10} for name in names])
    gradients.feed({"step": 1, "g": list(norms), "total": 2.0})
    return gradients


def test_a_norm_alone_gives_none_zero_and_nan():
    assert [group.verdict for group in made(None, 0.0, math.inf).groups()] == [NONE, ZERO, NAN]
    assert [(group.name, group.size, group.norm) for group in made(1.0).groups()] == [("a", 10, 1.0)]


def test_a_group_that_the_schema_does_not_name_has_its_number():
    assert [group.name for group in made(1.0, 2.0, names=("a",)).groups()] == ["a", "group 1"]
    gradients = Gradients()
    gradients.schema(["odd", {}])
    assert gradients.names == [("?", 0)]


def test_a_noted_fault_is_the_verdict_of_an_ordinary_norm_only():
    gradients = made(1.0, None, 1.0)
    gradients.note({"code": "explode", "level": "warning", "groups": ["a", "b"]})
    assert [(group.verdict, group.noted) for group in gradients.groups()] == [(HIGH, True), (NONE, True), (OK, False)]
    gradients.note({"code": "explode", "level": "info", "groups": ["a"]})
    gradients.note({"code": "plateau", "level": "error", "groups": ["a"]})
    assert [group.noted for group in gradients.groups()] == [False] * 3


def test_updates_and_the_total_norm_are_read_where_they_are_reported():
    gradients = made(1.0)
    assert gradients.feed({"step": 1, "g": [1.0, 2.0], "total": 3.0, "u": [0.1, None]}) == 3.0
    assert [group.update for group in gradients.groups()] == [0.1, None]
    assert gradients.feed({"step": 1, "g": [1.0], "total": "nan", "u": None}) != 0 and gradients.updates == []


def test_the_share_of_clipped_reports_is_counted():
    gradients = Gradients()
    assert gradients.clip_share == 0
    for clipped in (True, False, False, True):
        gradients.feed({"step": 1, "g": [], "total": 1.0, "clip": 0.5, "clipped": clipped})
    assert gradients.clip_share == 0.5 and gradients.clip == 0.5
