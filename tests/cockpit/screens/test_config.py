"""Every setting of a run."""

import pytest

from cockpit.compose import draw
from cockpit.render.lines import plain, width
from cockpit.services.scan import read_config

KEPT = {"seed", "student.hidden", "student.loss", "student.lr", *(f"student.option_{n:02}" for n in range(40))}
SIZES = [(80, 24), (120, 35), (200, 60)]


@pytest.fixture
def config(context, ready, maker, press):
    """The settings of the second best of two runs."""
    data = maker.ended(maker.planned("data"))
    more = {f"option_{n:02}": n for n in range(40)}
    maker.trained(maker.planned(inputs={"data": data.name}, config=more), top=0.2)
    folder = maker.trained(maker.planned(inputs={"data": data.name}, config={**more, "hidden": 32, "loss": "bpr"}))
    ready(context).list.go_to(folder.name)
    for row in context.list.rows.values():  # without the settings that later versions add
        row.config = {key: value for key, value in read_config(maker.root / row.id).items() if key in KEPT}
    press(context, "C")
    return context


@pytest.mark.parametrize("size", SIZES)
def test_all_settings_are_listed_and_those_of_the_best_run_stand_beside_them(config, snapshot, size):
    lines = draw(config, *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"config-{size[0]}x{size[1]}", plain(lines))
    assert "best run: 64" in plain(lines) and "44 of 44 settings" in plain(lines)


def test_a_search_finds_names_and_values_and_escape_shows_all(config, press):
    press(config, "slash", '"bpr"', "enter")
    assert "student.loss" in plain(draw(config, 80, 24)) and "student.hidden" not in plain(draw(config, 80, 24))
    press(config, "slash", "ctrl+u", '"no such"', "enter")
    assert "no setting here: esc shows all" in plain(draw(config, 80, 24))
    press(config, "escape")
    assert config.screen.name == "config" and "student.hidden" in plain(draw(config, 80, 24))
    press(config, "escape")
    assert config.screen.name == "runs"


def test_only_what_the_best_run_has_otherwise(config, press, ready):
    press(config, "d")
    assert config.screen._keys() == ["student.hidden", "student.loss"]
    press(config, "d", "G")
    assert "option_39" in plain(draw(config, 80, 24)).splitlines()[-2]


def test_a_setting_is_copied_as_it_is_typed(config, press):
    press(config, "slash", '"hidden"', "enter", "y")
    assert config.effects.copied == ["student.hidden=32"]


def test_the_best_run_has_nothing_to_differ_from_and_a_lost_file_is_named(config, press, maker, ready):
    press(config, "escape")
    config.list.go_to(config.list.best[config.row.peers].id)
    press(config, "C", "d")
    assert "no better run" in config.message[0]
    folder = maker.ended(maker.planned())
    (folder / "config.yaml").unlink()
    press(config, "escape")
    ready(config).list.go_to(folder.name)
    press(config, "C")
    assert "cannot be read" in plain(draw(config, 80, 24))
