"""Screen 3 with real run folders and the real ``engine compare`` behind it, at the three sizes, driven by keys."""

import csv
import re
from unicodedata import category

import pytest

from cockpit.compose import draw
from cockpit.dispatch import click
from cockpit.render.lines import plain, width
from cockpit.services.engine import CommandResult
from tests.fixtures.in_process import engine_in_process

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
def seeds(maker):
    """Two settings with three seeds each on the same data: {name: run id}."""
    runs = {"data": maker.ended(maker.planned("data")).name}
    for name, lr, top in (("a", 1e-3, 0.080), ("b", 9e-4, 0.091)):
        for seed in (1, 2, 3):
            folder = maker.planned(
                seed=seed,
                inputs={"data": runs["data"]},
                config={"lr": lr},
                git={"sha": "a" * 40, "dirty": name == "b" and seed == 2},
            )
            maker.trained(folder, steps=200 - 20 * (seed == 3), top=top + 0.001 * seed)
            runs[f"{name}{seed}"] = folder.name
    return runs


@pytest.fixture
def answered(ready):
    """Reads and works until the last question about the groups is answered."""

    async def run(context):
        comparing = context.screen.comparing
        for _ in range(100):
            ready(context)
            await context.effects.run_pending()
            if comparing._answered == comparing._wanted and comparing._answered[0] == tuple(context.screen.words):
                return ready(context)
        raise AssertionError("no answer")

    return run


@pytest.fixture
async def open_compare(context, ready, answered, seeds, press):
    """The screen over both groups, with the answer there."""

    async def run():
        context.ask = engine_in_process
        ready(context).list.marks = [seeds[name] for name in ("a1", "a2", "a3", "b1", "b2", "b3")]
        press(context, "3")
        return await answered(context)

    return run


@pytest.mark.parametrize("size", SIZES)
async def test_groups_of_seeds_stand_side_by_side(open_compare, snapshot, size):
    lines = draw(await open_compare(), *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"compare-{size[0]}x{size[1]}", plain(lines))


@pytest.mark.parametrize("size", SIZES)
def test_without_marks_it_says_how_to_choose(context, ready, maker, press, snapshot, size):
    maker.trained(maker.planned())
    press(ready(context), "3")
    snapshot(f"compare-nothing-{size[0]}x{size[1]}", plain(draw(ready(context), *size)))


async def test_the_numbers_are_those_of_engine_compare(open_compare, seeds, context, tmp_path, press):
    context = await open_compare()
    file = tmp_path / "figures.csv"
    press(context, "e", "ctrl+u", f'"{file}"', "enter")
    await context.effects.run_pending()
    assert "metrics written to" in context.message[0]
    rows = list(csv.DictReader(file.read_text().splitlines()))
    reported = next(metric for metric in context.screen.comparing.answer.metrics if metric.metric == "val_recall@10")
    row = next(row for row in rows if row["metric"] == "val_recall@10")
    one = reported.differences[0]
    means = [group.mean for group in reported.groups[:2]]
    assert [row[name] for name in ("base_mean", "other_mean", "mean", "low", "high", "p_holm")] == [
        repr(value) for value in (*means, one.mean, one.low, one.high, one.p_holm)
    ]
    text = plain(draw(context, 200, 60))
    assert "better" in text and f"{one.mean:+.4f}".replace("0.", ".") in text
    press(context, "e", "ctrl+u", f'"{file}"', "enter")
    assert "exists already" in plain(draw(context, 120, 40))


async def test_equal_settings_are_hidden_until_d(open_compare, press):
    context = await open_compare()
    assert "student.hidden" not in plain(draw(context, 120, 40)) and "student.lr" in plain(draw(context, 120, 40))
    press(context, "d")
    assert "student.hidden" in plain(draw(context, 120, 40))


async def test_notes_say_where_it_is_not_fair(open_compare, seeds, press):
    context = await open_compare()
    press(context, "tab", "z")
    text = plain(draw(context, 120, 40))
    assert "uncommitted changes" in text and f"all  data {seeds['data'][-4:]}" in text
    press(context, "escape", "escape")
    assert context.screen.name == "runs"


async def test_another_group_can_be_the_one_that_the_others_are_held_against(
    open_compare, seeds, press, ready, answered
):
    context = await open_compare()
    before = context.screen.comparing.answer.metrics[0].differences[0].mean
    press(context, "B")
    await answered(context)
    assert context.screen.groups[0].rows[0].id == seeds["b1"]
    assert context.screen.comparing.answer.metrics[0].differences[0].mean == pytest.approx(-before)


async def test_runs_may_be_grouped_by_experiment_or_stand_alone(open_compare, press, ready, answered):
    context = await open_compare()
    press(context, "w")
    assert "Nothing to compare yet" in plain(draw(ready(context), 120, 40))  # one experiment is one group
    press(context, "w")
    await answered(context)
    assert len(context.screen.groups) == 6
    assert "one seed" in plain(draw(context, 200, 60))


async def test_an_answer_that_came_too_late_is_thrown_away(open_compare, seeds, press, ready, answered):
    context = await open_compare()
    asked = []

    async def late(words, runs=None):
        asked.append(list(words))
        if len(asked) == 1:  # the runs that are compared change while this one is answered
            context.list.marks = [seeds["a1"], seeds["b2"]]
            ready(context)
        return await engine_in_process(words, runs)

    context.ask = context.screen.comparing._ask = late
    context.list.marks = [seeds["a1"], seeds["b1"]]
    await answered(context)
    assert [words[1:] for words in asked] == [
        [f"A={seeds['a1']}", f"B={seeds['b1']}"],
        [f"A={seeds['a1']}", f"B={seeds['b2']}"],
    ]
    groups = context.screen.comparing.answer.groups
    assert [[run.id for run in group.runs] for group in groups] == [[seeds["a1"]], [seeds["b2"]]]


async def test_it_is_compared_again_when_a_run_ends(context, ready, maker, seeds, press, answered):
    folder = maker.planned(seed=4, inputs={"data": seeds["data"]}, config={"lr": 9e-4})
    maker.trained(folder, steps=60, end="")
    context.ask = engine_in_process
    ready(context).list.marks = [seeds["a1"], folder.name]
    press(context, "3")
    await answered(context)
    before = context.screen.comparing.version
    ready(context)
    assert not context.effects.work and context.screen.comparing.version == before
    maker.ended(folder)
    ready(context)
    assert context.effects.work and "comparing" in plain(draw(context, 120, 40)).splitlines()[0]
    assert "val_recall@10" in plain(draw(context, 120, 40))  # what is known stays while it is asked anew
    await context.effects.run_pending()


async def test_what_engine_objects_to_is_shown_in_place(context, ready, seeds, press, answered):
    context.ask.answers["compare"] = CommandResult(
        2, None, "error: the runs were made by another version\nRemedy: run again"
    )
    ready(context).list.marks = [seeds["a1"], seeds["b1"]]
    press(context, "3")
    await answered(context)
    assert "✗ the runs were made by another version" in plain(draw(context, 80, 24))
    press(context, "ctrl+r")
    context.ask.answers["compare"] = CommandResult(0, {"groups": 3}, "")
    await answered(context)
    assert "Comparison.groups cannot be 3" in plain(draw(context, 120, 40))


async def test_without_marks_all_runs_like_the_current_one_are_compared(context, ready, until, seeds, press):
    context.ask = engine_in_process
    ready(context).list.go_to(seeds["a1"])
    press(context, "3")
    until(context, lambda: all(row.config for row in context.list.shown if row.stage == "student"))
    groups = context.screen.groups
    assert [[row.id for row in group.rows] for group in groups] == [
        [seeds[f"{name}{seed}"] for seed in (1, 2, 3)] for name in "ba"
    ]


async def test_curves_have_the_range_of_their_seeds(open_compare, press):
    context = await open_compare()

    def dots():
        text = "\n".join(plain(draw(context, 120, 40)).splitlines()[1:16])
        return sum("\u2800" <= letter <= "\u28ff" for letter in text)

    full = dots()
    press(context, "b")
    assert dots() < full
    press(context, "l", "m", '"loss"', "enter")
    text = plain(draw(context, 120, 40))
    assert "─ loss" in text and "┊" in text


@pytest.mark.parametrize(
    ("key", "reason"), [("e", "mark two or more"), ("y", "mark two"), ("d", "mark two"), ("x", "not here")]
)
def test_a_key_that_cannot_act_says_why(context, ready, maker, press, key, reason):
    maker.trained(maker.planned())
    press(ready(context), "3", key)
    assert reason in context.message[0]


async def test_the_command_is_copied_and_panes_are_scrolled_and_clicked(open_compare, seeds, press):
    context = await open_compare()
    press(context, "y")
    assert context.effects.copied[0].startswith(f"engine compare A={seeds['a1']},{seeds['a2']},{seeds['a3']} B=")
    press(context, "tab", "tab", "tab")
    assert re.search(r"─ runs .*  1-\d+ of", plain(draw(context, 60, 18)))
    press(context, "G")
    assert re.search(r"─ runs .*  [2-9]-(\d+) of \1 ", plain(draw(context, 60, 18)))
    draw(context, 120, 40)
    click(context, 5, 22, 120, 40)
    assert context.screen.focus == "metrics"


async def test_a_read_only_cockpit_compares_too(maker, seeds, opened, ready, press):
    before = sorted(maker.root.rglob("*"))
    context = ready(opened(read_only=True, ask=engine_in_process))
    context.list.marks = [seeds["a1"], seeds["b1"]]
    press(context, "3")
    ready(context)
    await context.effects.run_pending()
    assert "val_recall@10" in plain(draw(ready(context), 120, 40)) and sorted(maker.root.rglob("*")) == before


def test_of_many_runs_every_group_has_a_curve_and_what_is_left_out_is_shown(context, ready, maker, press):
    data = maker.ended(maker.planned("data")).name
    for lr in (1e-3, 2e-3, 3e-3):
        for seed in range(1, 7):
            maker.trained(maker.planned(seed=seed, inputs={"data": data}, config={"lr": lr}), steps=40)
    ready(context)
    context.list.marks = [row.id for row in context.list.shown if row.stage == "student"]
    press(context, "3")
    for _ in range(20):  # settings are read some at a time
        ready(context)
    assert len(context.screen.groups) == 3
    before = dict(ready(context).watch.followers)
    text = plain(draw(context, 200, 60))
    assert "── A  ┄┄ B  ── C" in text and "6 runs not drawn" in text
    draw(context, 200, 60)
    assert all(context.watch.followers[run] is follower for run, follower in before.items())  # none is read twice


@pytest.mark.parametrize(
    "evil", ["\x1b]0;PWNED\x07", "\x9b2J[/] [@click=app.quit]x[/]", "=cmd()|'!A1", "日本語 👩‍👩‍👧"]
)
async def test_hostile_labels_and_settings_are_harmless(context, ready, maker, answered, press, evil):
    runs = [
        maker.trained(maker.planned(seed=seed, experiment=evil + str(lr), config={"lr": lr, "note": evil + str(lr)}))
        for lr in (1, 2)
        for seed in (1, 2)
    ]
    context.ask = engine_in_process
    ready(context)
    context.list.marks = [folder.name for folder in runs]
    press(context, "3")
    await answered(context)
    press(context, "d", "z")
    for _ in range(5):
        for size in SIZES:
            lines = draw(context, *size)
            assert all(width(line) == size[0] for line in lines)
            text = plain(lines)
            assert not any(category(letter) in ("Cc", "Cs") for letter in text.replace("\n", ""))
            assert "PWNED" not in text
        press(context, "tab")
