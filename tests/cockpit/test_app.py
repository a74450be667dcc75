"""The whole app in Textual's own test terminal, at the three sizes: keys in, pictures out."""

import time

import pytest
from textual.widget import Widget

from cockpit.app import Cockpit, colour_depth
from cockpit.frame import Frame
from cockpit.settings import Settings

SIZES = [(80, 24), (120, 40), (200, 60)]


def screen_text(app):
    """The text on the screen, as Textual would send it."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips(app.size))


async def until(pilot, condition, seconds=20):
    """Wait for something to come true; never for a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, screen_text(pilot.app)
        await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_every_screen_opens_by_its_key_and_closes_again(maker, world, size):
    app = Cockpit(maker.root, Settings())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: world["data"][-4:] in screen_text(app))
        for key, words in (
            ("2", "2 Live"),
            ("L", "▸ Log"),
            ("q", "2 Live"),
            ("question_mark", "Runs (1)"),
            ("escape", "2 Live"),
            ("3", "3 Compare"),
            ("4", "4 Queue"),
            ("5", "5 System"),
            ("1", "1 Runs"),
            ("colon", "commands"),
            ("escape", "1 Runs"),
        ):
            await pilot.press(key)
            await until(pilot, lambda words=words: words in screen_text(app))
        assert isinstance(app.screen.query_one(Frame), Widget)


async def test_new_events_appear_by_themselves(maker):
    folder = maker.planned()
    app = Cockpit(maker.root, Settings())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: folder.name[-4:] in screen_text(app))
        assert "kept" not in screen_text(app).split("preview")[1]
        maker.trained(folder, end="")
        await until(pilot, lambda: "val_recall@10  kept .0884@200" in screen_text(app) and "⠉" in screen_text(app))


async def test_a_terminal_that_is_too_small_says_so_and_grows(maker, world):
    app = Cockpit(maker.root, Settings())
    async with app.run_test(size=(50, 15)) as pilot:
        await until(pilot, lambda: "cockpit needs 60 x 18 cells; this is 50 x 15" in screen_text(app))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "1 Runs" in screen_text(app))


async def test_a_storm_of_resizes_ends_in_a_whole_picture(maker, world):
    app = Cockpit(maker.root, Settings())
    async with app.run_test(size=(80, 24)) as pilot:
        for size in [(61, 18), (200, 60), (100, 30), (159, 41), (160, 40), (80, 24)]:
            await pilot.resize_terminal(*size)
        await until(pilot, lambda: "? help" in screen_text(app).splitlines()[23])


async def test_letters_typed_into_a_prompt_are_letters(maker, world):
    app = Cockpit(maker.root, Settings())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"stage:teacher Q")
        assert app.context.prompt.edit.text == "stage:teacher Q" and app.is_running


async def test_a_mouse_reaches_rows_and_keys_of_the_bottom_line(maker, world):
    app = Cockpit(maker.root, Settings())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.context.watch.scanner.complete and len(app.context.list.entries) == 10)
        await pilot.click(Frame, offset=(10, 5))
        await until(pilot, lambda: app.context.list.cursor == 3)


async def test_leaving_says_that_runs_go_on(maker, world, capsys):
    app = Cockpit(maker.root, Settings())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("Q")
        await until(pilot, lambda: not app.is_running)
    assert "cockpit closed. Runs continue" in capsys.readouterr().err


async def test_start_settings_are_in_force(maker, world):
    settings = Settings(filter="state:done", group="stage", symbols="ascii", log_y=True, smoothing=0.9)
    app = Cockpit(maker.root, settings)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "/ state:done" in screen_text(app) and "v student" in screen_text(app))
        assert screen_text(app).isascii()


@pytest.mark.parametrize(
    ("environment", "depth"),
    [
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "screen"}, 16),
        ({"TERM": "linux"}, 16),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, 256),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 0),
    ],
)
def test_the_depth_of_colour_follows_the_terminal(monkeypatch, environment, depth):
    for name in ("TERM", "COLORTERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colour_depth(Settings()) == depth
    assert colour_depth(Settings(colours="16")) == 16


@pytest.mark.parametrize("size", SIZES)
async def test_devices_the_grid_views_over_time_and_pictures_in_the_app(maker, size, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")  # no converter
    maker.devices(maker.trained(maker.planned("teacher"), gates=True), gpus=1)
    app = Cockpit(maker.root, Settings())
    async with app.run_test(size=size) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "gpu0" in screen_text(app) and "val_recall@10" in screen_text(app))
        for key, words in (
            ("V", "all metrics"),
            ("K", "added to the chosen charts"),
            ("V", "chosen metrics"),
            ("escape", "health"),
            ("v", "gates and gradients: heat map"),
            ("v", "gates and gradients: bands"),
            ("l", "┊"),
            ("P", "written: pictures/live-"),
        ):
            await pilot.press(key)
            await until(pilot, lambda words=words: words in screen_text(app))
        await pilot.press("W")
        await until(pilot, lambda: len(list((tmp_path / "pictures").glob("*.txt"))) == 2)
