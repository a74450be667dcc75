"""One key writes the screen, another the focused chart."""

import stat

import pytest

from cockpit.compose import draw
from cockpit.services import picture


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with no converter in reach."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def converter(folder, body):
    program = folder / "bin" / "rsvg-convert"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


async def test_the_screen_is_written_as_it_is_with_its_title(live, press, folder):
    draw(live, 120, 35)
    press(live, "W")
    await live.effects.run_pending()
    (file,) = (folder / "pictures").glob("*.svg")
    text = file.with_suffix(".txt").read_text()
    assert text.startswith("Live  teacher ") and "UTC\n" in text and "val_recall@10" in text and "health" in text
    assert "<title>Live  teacher" in file.read_text() and file.name.startswith("live-20260921-141320")
    assert (
        f"pictures/{file.name} and .txt in {folder}" in live.message[0]
        and "no PNG: none of rsvg-convert" in live.message[0]
    )


async def test_the_focused_chart_is_written_larger_with_its_legend(live, ready, world, press, folder):
    live.list.mark(world["student"])
    ready(live)
    draw(live, 80, 24)
    press(live, "tab", "B", '"lr"', "enter", "P")
    await live.effects.run_pending()
    (file,) = (folder / "pictures").glob("live-*.txt")
    lines = file.read_text().splitlines()
    assert len(lines) == 2 + 36 + 4 and "loss" in file.name
    legend = [line for line in lines if line.startswith(("  ── ", "  ┄┄ "))]
    assert len(legend) == 4 and sum("right axis" in line for line in legend) == 2


async def test_other_panes_and_screens_have_a_picture_too(live, press, folder, maker):
    live.screens["live"].focus = "gates"
    draw(live, 120, 35)
    press(live, "P")
    await live.effects.run_pending()
    press(live, "1", "P")
    await live.effects.run_pending()
    names = sorted(file.name.rsplit("-", 2)[0] for file in (folder / "pictures").glob("*.svg"))
    assert names == ["live-gates", "runs-chart"]
    press(live, "3", "P")
    assert "no chart has the focus" in live.message[0]


async def test_a_png_is_made_where_a_converter_is_installed(live, press, folder):
    converter(folder, 'for word in "$@"; do case $word in --output=*) /bin/cp "$3" "${word#--output=}";; esac; done')
    draw(live, 80, 24)
    press(live, "W")
    await live.effects.run_pending()
    (file,) = (folder / "pictures").glob("*.png")
    assert file.name in live.message[0] and file.read_bytes().startswith(b"<svg")


async def test_a_converter_that_fails_is_named_with_its_message(live, press, folder):
    converter(folder, "echo 'cannot render this' >&2; exit 3")
    draw(live, 80, 24)
    press(live, "W")
    await live.effects.run_pending()
    assert "no PNG: rsvg-convert: cannot render this" in live.message[0]


async def test_a_converter_that_hangs_is_ended(live, press, folder, monkeypatch):
    monkeypatch.setattr(picture, "SECONDS", 0.05)
    converter(folder, "exec /bin/sleep 60")
    draw(live, 80, 24)
    press(live, "W")
    await live.effects.run_pending()
    assert "took longer" in live.message[0]


async def test_pictures_of_one_second_have_names_of_their_own(live, press, folder):
    draw(live, 80, 24)
    press(live, "W", "W", "W")
    await live.effects.run_pending()
    names = sorted(file.name.removeprefix("live-20260921-1413") for file in (folder / "pictures").glob("*.svg"))
    assert names == ["20-2.svg", "20-3.svg", "20.svg"]


def test_a_folder_that_cannot_be_written_is_explained(live, press, folder):
    (folder / "pictures").write_text("a file")
    draw(live, 80, 24)
    press(live, "W")
    assert "cannot be written" in live.message[0] and not live.effects.work
