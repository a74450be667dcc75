"""Small multiples of every metric, and of a chosen set that is kept in the settings file."""

import tomllib

import numpy as np
import pytest

from cockpit.compose import draw
from cockpit.render.lines import plain, width
from cockpit.screens.live_layout import grid
from cockpit.settings import load

SIZES = [(80, 24), (120, 35), (200, 60)]


@pytest.fixture
def many(context, ready, maker):
    """A run with 30 metrics."""

    def report(run, tick):
        for step in range(0, 200, 10):
            run.scalars(step, {f"metric_{k:02}": float(np.sin(step / 50 + k)) for k in range(30)})

    context.show("live", maker.ended(maker.reported(maker.planned("student"), report, "done")).name)
    return ready(context)


def titles(text):
    boxes = "\n".join(line for line in text.splitlines() if "╭" in line)
    return [word for word in boxes.replace("─", " ").split() if word.startswith("metric_")]


@pytest.mark.parametrize("size", SIZES)
def test_every_metric_is_a_small_chart_on_some_page(many, press, snapshot, size):
    press(many, "V")
    first = plain(draw(many, *size))
    assert all(width(line) == size[0] for line in draw(many, *size)) and "all metrics" in first
    snapshot(f"live-grid-{size[0]}x{size[1]}", first)
    pages = [titles(first)]
    while True:
        press(many, "pagedown")
        names = titles(plain(draw(many, *size)))
        if names == pages[-1]:
            break
        pages.append(names)
    shown = [name for page in pages for name in page]
    assert sorted(shown) == sorted(f"metric_{k:02}" for k in range(30)) and (len(pages) > 1) == (size[0] < 200)
    press(many, "pageup")
    assert titles(plain(draw(many, *size))) == pages[max(len(pages) - 2, 0)]


def test_tab_goes_on_to_the_next_page_and_zoom_shows_the_focused_chart(many, press):
    press(many, "V")
    draw(many, 80, 24)
    press(many, *["tab"] * 7)
    text = plain(draw(many, 80, 24))
    assert "page 2/5" in text and "metric_07" in text and "metric_00" not in text
    press(many, "z")
    assert titles(plain(draw(many, 80, 24))) == ["metric_07"]
    press(many, "escape")
    assert "page 2/5" in plain(draw(many, 80, 24))
    press(many, "escape")
    assert "all metrics" not in plain(draw(many, 80, 24)) and many.screen.name == "live"


def test_the_chosen_set_is_saved_and_shown_alone(many, press, tmp_path):
    press(many, "V")
    draw(many, 120, 35)
    press(many, "tab", "tab", "K")
    assert "metric_02 added to the chosen charts" in many.message[0]
    press(many, "tab", "K", "V")
    text = plain(draw(many, 120, 35))
    assert titles(text) == ["metric_02", "metric_03"] and "chosen metrics" in text
    assert load(tmp_path / "no-settings.toml").charts == ["metric_02", "metric_03"]
    press(many, "K")
    assert load(tmp_path / "no-settings.toml").charts == ["metric_02"]
    press(many, "V")
    assert "chosen metrics" not in plain(draw(many, 120, 35))


def test_settings_that_cannot_be_saved_say_so(many, press, tmp_path):
    many.settings_file = tmp_path / "folder"
    many.settings_file.mkdir()
    press(many, "K")
    assert "charts cannot be saved" in many.message[0] and "Write by hand: charts = [" in many.message[0]


@pytest.mark.parametrize("size", [(60, 15), (80, 21), (119, 30), (200, 57)])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_pages_hold_every_chart_once_without_overlap(size, count):
    charts = [f"m{k}" for k in range(count)]
    seen, number = [], 0
    while True:
        page = grid(*size, charts, charts[min(number, count - 1)])
        covered = np.zeros(size, int)
        for pane in page.panes:
            covered[pane.x : pane.x + pane.across, pane.y : pane.y + pane.down] += 1
            assert pane.across >= 30 and pane.down >= 7
        assert covered.max() == 1 and sum(pane.across * pane.down for pane in page.panes) == covered.sum()
        seen += [pane.name for pane in page.panes]
        number += page.size
        if page.number == page.count - 1:
            break
    assert seen == charts


def test_an_own_settings_file_keeps_its_comments_and_tables(tmp_path):
    from cockpit.settings import save

    file = tmp_path / "settings.toml"
    file.write_text('# mine\nlog_y = true  # yes\n[keys]\nmark = ["space"]\n')
    save(file, "charts", ["loss", 'a "b"'])
    save(file, "charts", ["lr"])
    text = file.read_text()
    assert "# mine\nlog_y = true  # yes\n" in text and text.count("charts") == 1
    assert tomllib.loads(text) == {"log_y": True, "charts": ["lr"], "keys": {"mark": ["space"]}}
    save(tmp_path / "new" / "settings.toml", "charts", ["x"])
    assert load(tmp_path / "new" / "settings.toml").charts == ["x"]
