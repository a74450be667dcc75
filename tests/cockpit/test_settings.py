"""A person's settings are checked like every configuration."""

import pytest

from cockpit.settings import Settings, load, path
from engine.errors import ConfigError


def written(tmp_path, text):
    file = tmp_path / "settings.toml"
    file.write_text(text)
    return file


def test_without_a_file_the_standard_holds(tmp_path):
    assert load(tmp_path / "none.toml") == Settings()


def test_every_kind_of_value_is_taken(tmp_path):
    text = 'symbols = "block"\nsmoothing = 0.9\nlog_y = true\nfilter = "state:run"\n[keys]\nmark = ["M"]\nstop = "K"\n'
    settings = load(written(tmp_path, text))
    assert (settings.symbols, settings.smoothing, settings.log_y) == ("block", 0.9, True)
    assert settings.keys == {"mark": ["M"], "stop": ["K"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('symbol = "block"', r"Did you mean symbols\?"),
        ('symbols = "blok"', r"Did you mean block\?"),
        ("log_y = 1", "must be of type bool"),
        ("smoothing = 0.5", "Allowed: 0.0, 0.6, 0.9, 0.98"),
        ("[keys]\nmark = 3", "must be a key or a list of keys"),
        ("symbols = ", "is not TOML"),
        ('notify = "osc99"', r"Did you mean osc9\?"),
        ('notify_command = "notify-send x"', "must be of type list"),
        ('notify_command = ["a", 1]', "must be a list of texts"),
    ],
)
def test_what_is_wrong_is_reported_with_its_remedy(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load(written(tmp_path, text))


def test_a_file_that_cannot_be_read_is_an_error_not_a_silent_standard(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(file)


def test_the_file_lies_in_the_xdg_folder_unless_named(monkeypatch, tmp_path):
    monkeypatch.delenv("COCKPIT_SETTINGS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert path() == tmp_path / "cockpit" / "settings.toml"
