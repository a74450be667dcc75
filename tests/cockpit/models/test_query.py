"""The filter language finds what it says, and says what it does not understand and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.models.query import QueryError, parse
from cockpit.models.rows import Row

DAY = 86400.0
RUN = Row(
    "student-20260921-141320-00ab",
    "student",
    experiment="tails",
    seed=2,
    state="RUNNING",
    created=10 * DAY,
    step=50,
    total=200,
    best={"val_recall@10": (0.09, 40.0)},
    last={"loss": 0.4, "val_recall@10": 0.07},
    inputs={"data": "data-20260921-141000-0001"},
    tags=["moe8", "keep"],
    note="first try [lr]",
    config={"student.lr": 1e-3, "data.name": "ml-1m", "seed": 2},
)
NOW = 11 * DAY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "student",
        "TAILS",
        "00ab moe8",
        '"first try"',
        "state:run",
        "state:done,running",
        "state:open",
        "stage:stu*",
        "tag:moe8",
        "exp:tails",
        "needs:data-2026",
        "note:[lr]",
        "has:note has:tag has:metric",
        "val_recall@10>.08",
        "best(val_recall@10)>=.09",
        "last(val_recall@10)<.08",
        "loss<=.4",
        "cfg.student.lr>=1e-3",
        "cfg.data.name=ml-1m",
        "cfg.data.name=ML-*",
        "cfg.data.name!=lastfm",
        "age<2d",
        "age>=1d",
        "seed:1..3",
        "seed:2,9",
        "seed=2",
        "seed>1",
        "progress<.5 step>=50",
        "NOT teacher",
        "-teacher -tag:old",
        "teacher OR student",
        "(teacher OR student) AND NOT tag:old",
        "NOT (teacher OR state:failed)",
        "sort:-val_recall@10",
        "stage=student",
        "stage!=teacher",
    ],
)
def test_it_finds_the_run(text):
    assert parse(text).test(RUN, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "teacher",
        "state:done",
        "val_recall@10>.09",
        "last(val_recall@10)>.08",
        "best(loss)<1",  # nothing kept a best loss
        "unknown_metric>0",
        "cfg.student.lr<1e-3",
        "cfg.student.hidden=64",
        "age<1h",
        "seed:3..5",
        "student teacher",
        "NOT student",
        "-student",
        "teacher OR state:failed",
        "has:error",
        "stage!=student",
    ],
)
def test_it_leaves_the_run_out(text):
    assert not parse(text).test(RUN, NOW)


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("stat:run", "did you mean state", 0),
        ("state:runing", "did you mean running", 6),
        ("(student", "not closed", 0),
        ("student)", "has no (", 7),
        ("a OR", "missing", 4),
        ("OR a", "missing", 0),
        ("loss<", "needs a value", 5),
        ("loss<x", "is not a number", 5),
        ("age<soon", "age<2d", 4),
        ("seed:one", "seed:1..3", 5),
        ("group:colour", "cfg-seed", 6),
        ("state:", "needs a value", 6),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_place(text, message, position):
    with pytest.raises(QueryError, match=message.replace("(", r"\(")) as error:
        parse(text)
    assert error.value.position == position


def test_sort_and_group_are_kept_apart_from_the_test():
    query = parse("state:run sort:-loss group:cfg-seed")
    assert (query.sort, query.group, query.needs_config) == ("-loss", "cfg-seed", True)


def test_settings_are_asked_for_only_when_the_filter_names_them():
    assert parse("cfg.student.lr>0").needs_config and not parse("student").needs_config


@given(st.text(alphabet='ab:()<>=!,."-* ORANDNT@1\x1b[', max_size=30))
def test_no_text_breaks_it(text):
    try:
        parse(text).test(RUN, NOW)
    except QueryError as error:
        assert 0 <= error.position <= len(text)
