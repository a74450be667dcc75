"""Screen 1 with real run folders, at the three sizes, driven by keys."""

import pytest

from cockpit.render.lines import plain, width
from engine.runs.schema import Meta

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
def test_it_shows_every_run_with_its_true_state(desk, ready, world, snapshot, size):
    ready(desk).list.go_to(world["student"])
    desk.tick()
    lines = desk.draw(*size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"runs-{size[0]}x{size[1]}", plain(lines))


@pytest.mark.parametrize("size", SIZES)
def test_an_empty_folder_offers_the_demo(desk, ready, snapshot, size, tmp_path):
    ready(desk)
    desk.root = type(desk.root)("runs")
    snapshot(f"welcome-{size[0]}x{size[1]}", plain(desk.draw(*size)))


async def test_enter_on_the_empty_list_opens_the_form_with_the_demo(desk, ready, press):
    press(ready(desk), "enter")
    await desk.effects.settle()
    assert desk.screen.name == "launch" and desk.form.form.preset == "demo"


def test_a_filter_works_while_it_is_typed_and_escape_takes_it_back(desk, ready, world, press):
    press(ready(desk), "slash", '"state:done"')
    assert {row.state for row in desk.list.shown} == {"DONE"}
    press(desk, "escape")
    assert len(desk.list.shown) == 10 and desk.prompt is None
    press(desk, "slash", '"stage:teacher"', "enter")
    assert {row.stage for row in desk.list.shown} == {"teacher"} and "/ stage:teacher" in plain(desk.draw(80, 24))


def test_a_wrong_filter_is_explained_in_place(desk, ready, world, press):
    press(ready(desk), "slash", '"stat:run"')
    picture = plain(desk.draw(80, 24))
    assert "did you mean state?" in picture and "^" in picture


def test_the_cursor_moves_by_every_key(desk, ready, world, press):
    desk = ready(desk)
    desk.draw(80, 24)
    for keys, place in ((["G"], 9), (["k"], 8), (["g"], 0), (["j", "down"], 2), (["up"], 1), (["ctrl+d"], 6)):
        press(desk, *keys)
        assert desk.list.cursor == place, keys


def test_marks_ranges_and_escape(desk, ready, world, press):
    press(ready(desk), "space", "j", "j", "v")
    assert len(desk.list.marks) == 4
    press(desk, "escape")
    assert not desk.list.marks


def test_marked_runs_are_laid_over_the_preview(desk, ready, world, press):
    ready(desk).list.go_to(world["student"])
    press(desk, "space")
    desk.list.go_to(world["second"])
    ready(desk)
    assert "── 0003  ── 0002" in plain(desk.draw(80, 24))


def test_tags_note_pin_and_archive_are_written_and_undone(desk, ready, world, press, maker):
    run = world["student"]
    ready(desk).list.go_to(run)
    press(desk, "t", '"good seed1"', "enter", "i", '"keep this"', "enter", "p")
    meta = Meta.read(maker.root / run)
    assert (meta.tags, meta.note, meta.pinned) == (["good", "seed1"], "keep this", True)
    assert desk.list.shown[0].id == run
    press(desk, "u", "u", "u")
    meta = Meta.read(maker.root / run)
    assert (meta.tags, meta.note, meta.pinned) == ([], "", False)
    press(desk, "A")
    assert run not in [row.id for row in desk.list.shown]
    press(desk, "H")
    assert run in [row.id for row in desk.list.shown]
    press(desk, "u")
    assert not Meta.read(maker.root / run).archived


def test_tags_of_marked_runs_are_written_to_all(desk, ready, world, press, maker):
    ready(desk).list.marks = [world["student"], world["second"]]
    press(desk, "t", '"pair"', "enter")
    assert all(Meta.read(maker.root / world[name]).tags == ["pair"] for name in ("student", "second"))


def test_archiving_several_runs_needs_a_typed_yes(desk, ready, world, press, maker):
    ready(desk).list.marks = [world["student"], world["second"]]
    press(desk, "A", '"no"', "enter")
    assert desk.prompt is not None and not Meta.read(maker.root / world["student"]).archived
    press(desk, "ctrl+u", '"yes"', "enter")
    assert Meta.read(maker.root / world["student"]).archived and desk.prompt is None


async def test_stopping_asks_how_and_tells_engine(desk, ready, world, press):
    ready(desk).list.go_to(world["live"])
    press(desk, "x")
    assert "after evaluation" in plain(desk.draw(80, 24))
    press(desk, "enter")
    await desk.effects.settle()
    assert desk.ask.asked[-1] == ["stop", world["live"], "--after-evaluation"]


async def test_stopping_several_runs_needs_a_typed_yes(desk, ready, world, press):
    ready(desk).list.marks = [world["live"], world["queued"], world["student"]]
    press(desk, "x", "down", "down", "enter")
    assert not desk.effects.work and "stop 2 runs" in plain(desk.draw(80, 24))
    press(desk, '"yes"', "enter")
    await desk.effects.settle()
    assert [words[0:1] + words[2:] for words in desk.ask.asked] == [["stop", "--kill"]] * 2


async def test_resuming_tells_engine_and_a_refusal_is_shown(desk, ready, world, press):
    from cockpit.services.engine import Answer

    ready(desk).list.go_to(world["stopped"])
    desk.ask.answers["resume"] = Answer(2, None, "error: the disk is full")
    press(desk, "R")
    await desk.effects.settle()
    assert desk.ask.asked[-1] == ["resume", world["stopped"], "--detach"]
    assert "the disk is full" in plain(desk.draw(80, 24))


@pytest.mark.parametrize(
    ("run", "key", "reason"),
    [
        ("student", "x", "there is nothing to stop"),
        ("student", "R", "r runs it again"),
        ("live", "R", "it is at work"),
        ("data", "m", "reported no metric"),
        ("data", "v", "mark one end"),
        ("data", "u", "nothing to undo"),
        ("data", "n", "not here"),
        ("data", "exclamation_mark", "no warning yet"),
        ("data", "f5", "has no meaning here"),
    ],
)
def test_a_key_that_cannot_act_says_why(desk, ready, world, press, run, key, reason):
    ready(desk).list.go_to(world[run])
    press(desk, key)
    assert reason in desk.message[0] and reason in plain(desk.draw(120, 40))


def test_grouping_and_what_a_head_cannot_do(desk, ready, world, press):
    press(ready(desk), "w")
    assert "▾ demo  10 runs" in plain(desk.draw(80, 24))
    press(desk, "g", "enter")
    assert "head of a group" in desk.message[0]


def test_export_and_copy(desk, ready, world, press, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ready(desk).list.go_to(world["student"])
    press(desk, "y", "e", "enter")
    assert desk.effects.copied == [world["student"]]
    assert (tmp_path / "runs.csv").read_text().count("\n") == 2
    press(desk, "e", "enter")
    assert "is there already" in plain(desk.draw(80, 24))


def test_the_metric_of_the_preview_and_its_view_can_be_chosen(desk, ready, world, press):
    ready(desk).list.go_to(world["student"])
    ready(desk)
    press(desk, "m", '"loss"', "enter", "s", "o", "X")
    picture = plain(desk.draw(80, 24))
    assert "  loss" in picture and "ema .6" in picture and "  log" in picture and "epoch" in picture


def test_the_preview_can_be_put_away(desk, ready, world, press):
    press(ready(desk), "left_square_bracket")
    assert "preview" not in plain(desk.draw(80, 24))


def test_a_click_puts_the_cursor_on_a_run_and_a_click_on_the_bottom_line_acts(desk, ready, world):
    ready(desk).draw(80, 24)
    desk.click(10, 5, 80, 24)
    assert desk.list.cursor == 3
    desk.click(2, 23, 80, 24)
    assert desk.screen.name == "live"


def test_the_last_action_can_be_repeated(desk, ready, world, press):
    press(ready(desk), "space", "full_stop", "full_stop")
    assert len(desk.list.marks) == 3


def test_a_run_that_turns_bad_is_announced_once(desk, ready, world, maker, press):
    ready(desk)
    maker.ended(maker.root / world["live"], 1, reason="CUDA error")
    ready(desk)
    assert "FAILED CUDA error" in desk.message[0]
    press(desk, "exclamation_mark")
    assert desk.screen.name == "live" and desk.live.run == world["live"]


def test_a_folder_that_may_only_be_read_is_never_written(maker, world, ready, press):
    from cockpit.context import Desk
    from cockpit.settings import Settings

    desk = ready(Desk(maker.root, effects := object(), Settings(), read_only=True, clock=lambda: 1_790_000_000.0))
    assert effects is not None
    before = sorted(path for path in maker.root.rglob("*"))
    for key in ("x", "R", "p", "t", "i", "A", "u"):
        press(desk, key)
        assert "read-only" in desk.message[0]
    assert sorted(path for path in maker.root.rglob("*")) == before


def test_ten_thousand_rows_are_drawn_quickly(desk, ready):
    import time

    from cockpit.models.rows import Row

    ready(desk)
    desk.list.rows = {f"student-{i:05}": Row(f"student-{i:05}", "student", created=float(i)) for i in range(10_000)}
    start = time.perf_counter()
    desk.list.arrange(1e9)
    desk.draw(200, 60)
    assert time.perf_counter() - start < 1.0


def test_a_note_that_is_no_alarm_leaves_a_run_in_order(desk, ready, maker):
    def report(level):
        def tell(run, tick):
            run.scalars(1, {"loss": 1.0})
            run.health("stagnation", level, "no better evaluation for 5")

        return maker.reported(maker.planned(), tell).name

    calm, alarmed = report("info"), report("warning")
    rows = {run: next(line for line in plain(ready(desk).draw(200, 60)).splitlines() if run[-11:] in line)
            for run in (calm, alarmed)}  # fmt: skip
    assert " ok " in rows[calm] and "stagn" not in rows[calm] and "stagn" in rows[alarmed]
