"""Screen 1 with real run folders, at the three sizes, driven by keys."""

import time

import pytest

from cockpit.compose import draw
from cockpit.dispatch import click
from cockpit.models.rows import Row
from cockpit.render.lines import plain, width
from cockpit.screens import Screens

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
def test_it_shows_every_run_with_its_true_state(context, ready, world, snapshot, size):
    ready(context).list.go_to(world["student"])
    context.tick()
    lines = draw(context, *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"runs-{size[0]}x{size[1]}", plain(lines))


@pytest.mark.parametrize("size", SIZES)
def test_an_empty_folder_offers_the_demo(context, ready, snapshot, size, tmp_path):
    ready(context)
    context.root = type(context.root)("runs")
    snapshot(f"welcome-{size[0]}x{size[1]}", plain(draw(context, *size)))


async def test_enter_on_the_empty_list_opens_the_form_with_the_demo(context, ready, press):
    press(ready(context), "enter")
    await context.effects.run_pending()
    assert context.screen.name == "launch" and context.screens["launch"].form.preset == "demo"


def test_a_filter_works_while_it_is_typed_and_escape_takes_it_back(context, ready, world, press):
    press(ready(context), "slash", '"state:done"')
    assert {row.state for row in context.list.shown} == {"DONE"}
    press(context, "escape")
    assert len(context.list.shown) == 10 and context.prompt is None
    press(context, "slash", '"stage:teacher"', "enter")
    assert {row.stage for row in context.list.shown} == {"teacher"} and "/ stage:teacher" in plain(
        draw(context, 80, 24)
    )


def test_a_wrong_filter_is_explained_in_place(context, ready, world, press):
    press(ready(context), "slash", '"stat:run"')
    text = plain(draw(context, 80, 24))
    assert "did you mean state?" in text and "^" in text


def test_the_cursor_moves_by_every_key(context, ready, world, press):
    context = ready(context)
    draw(context, 80, 24)
    for keys, line in ((["G"], 9), (["k"], 8), (["g"], 0), (["j", "down"], 2), (["up"], 1), (["ctrl+d"], 7)):
        press(context, *keys)
        assert context.list.cursor == line, keys


def test_marks_ranges_and_escape(context, ready, world, press):
    press(ready(context), "space", "j", "j", "v")
    assert len(context.list.marks) == 4
    press(context, "escape")
    assert not context.list.marks


def test_marked_runs_are_laid_over_the_preview(context, ready, world, press):
    ready(context).list.go_to(world["student"])
    press(context, "space")
    context.list.go_to(world["second"])
    ready(context)
    assert "── 0003  ── 0002" in plain(draw(context, 80, 24))


@pytest.mark.parametrize(
    ("run", "key", "reason"),
    [
        ("student", "x", "there is nothing to stop"),
        ("student", "R", "r runs it again"),
        ("live", "R", "it has not ended"),
        ("data", "m", "reported no metric"),
        ("data", "v", "mark one end"),
        ("data", "u", "nothing to undo"),
        ("data", "n", "not here"),
        ("data", "f5", "has no meaning here"),
    ],
)
def test_a_key_that_cannot_act_says_why(context, ready, world, press, run, key, reason):
    ready(context).list.go_to(world[run])
    press(context, key)
    assert reason in context.message[0] and reason in plain(draw(context, 120, 40))


def test_grouping_and_what_a_head_cannot_do(context, ready, world, press):
    press(ready(context), "w")
    assert "▾ demo  10 runs" in plain(draw(context, 80, 24))
    press(context, "g", "enter")
    assert "heading of a group" in context.message[0]


def test_the_preview_can_be_put_away(context, ready, world, press):
    press(ready(context), "left_square_bracket")
    assert "preview" not in plain(draw(context, 80, 24))


def test_a_click_puts_the_cursor_on_a_run_and_a_click_on_the_bottom_line_acts(context, ready, world):
    draw(ready(context), 80, 24)
    click(context, 10, 5, 80, 24)
    assert context.list.cursor == 3
    click(context, 2, 23, 80, 24)
    assert context.screen.name == "live"


def test_a_read_only_cockpit_writes_nothing(maker, world, opened, ready, press):
    from cockpit.context import Context
    from cockpit.settings import Settings

    context = ready(
        Context(
            maker.root, effects := object(), Settings(), read_only=True, screens=Screens, clock=lambda: 1_790_000_000.0
        )
    )
    assert effects is not None
    before = sorted(path for path in maker.root.rglob("*"))
    for key in ("x", "R", "p", "t", "i", "A", "u"):
        press(context, key)
        assert "--read-only" in context.message[0]
    assert sorted(path for path in maker.root.rglob("*")) == before


def test_ten_thousand_rows_are_drawn_in_a_second_of_processor_time(context, ready):
    ready(context)
    context.list.rows = {f"student-{i:05}": Row(f"student-{i:05}", "student", created=float(i)) for i in range(10_000)}
    start = time.process_time()
    context.list.arrange(1e9)
    draw(context, 200, 60)
    assert time.process_time() - start < 1.0


def test_a_note_that_is_no_alarm_leaves_a_run_in_order(context, ready, maker):
    def report(level):
        def tell(run, tick):
            run.scalars(1, {"loss": 1.0})
            run.health("stagnation", level, "no better evaluation for 5")

        return maker.reported(maker.planned(), tell).name

    calm, alarmed = report("info"), report("warning")
    rows = {run: next(line for line in plain(draw(ready(context), 200, 60)).splitlines() if run[-11:] in line)
            for run in (calm, alarmed)}  # fmt: skip
    assert " ok " in rows[calm] and "stagn" not in rows[calm] and "stagn" in rows[alarmed]


def test_the_key_of_the_live_screen_opens_the_run_under_the_cursor(context, ready, world, press):
    ready(context).list.go_to(world["student"])
    press(context, "enter", "1")
    context.list.go_to(world["second"])
    press(context, "2")
    assert context.screen.name == "live" and context.row.id == world["second"]


def test_the_first_start_puts_the_cursor_on_the_first_line_however_the_folder_is_read(context, world, ready):
    context.watch.scanner.rows.clear()
    while not context.watch.scanner.complete:
        context.watch._arranged = -20.0  # arrange after every piece that was read
        context.tick()
    ready(context)
    assert context.list.cursor == 0


def test_without_a_fault_the_warning_key_says_so(context, ready, maker, press):
    maker.ended(maker.planned("data"))
    press(ready(context), "exclamation_mark")
    assert "no run has failed or has a warning" in context.message[0]


def test_the_warning_key_goes_through_the_runs_that_failed(context, ready, world, press):
    press(ready(context), "exclamation_mark")
    seen = [context.row.id]
    while True:
        press(context, "exclamation_mark")
        if context.row.id in seen:
            break
        seen.append(context.row.id)
    assert {world["failed"], world["killed"], world["lost"]} <= set(seen)
    assert f"of {len(seen)} runs" in context.message[0]


def test_a_wrong_filter_is_not_accepted_and_a_cancelled_one_gives_the_cursor_back(context, ready, world, press):
    ready(context).list.go_to(world["second"])
    press(context, "slash", '"sort:age state:foo"', "enter")
    assert context.prompt is not None and "unknown state foo" in plain(draw(context, 80, 24))
    press(context, "escape")
    assert context.prompt is None and context.list.current.id == world["second"]


def test_an_unknown_metric_in_a_filter_is_explained(context, ready, world, press):
    press(ready(context), "slash", '"val_recal@10>.01"', "enter")
    assert "no run reports val_recal@10: did you mean val_recall@10?" in plain(draw(context, 80, 24))


def test_the_reason_of_a_failed_run_does_not_begin_with_its_own_id(context, ready, maker):
    folder = maker.planned("student")
    maker.ended(folder, 2, reason=f"{folder.name}: the loss is not finite")
    assert ready(context).list.rows[folder.name].reason == "the loss is not finite"
