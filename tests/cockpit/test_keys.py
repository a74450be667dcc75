"""One table of keys for dispatch, footer and help."""

import pytest

from cockpit.keys import SCREENS, TABLE, KeyMap
from engine.errors import ConfigError


def test_a_key_means_one_thing_on_a_screen():
    KeyMap()  # raises when two actions of one screen share a key


def test_every_key_says_what_it_does_and_every_screen_shows_some():
    assert all(key.help and key.label and key.keys for key in TABLE)
    for screen in SCREENS:
        assert KeyMap().footer(screen)


def test_no_action_needs_a_key_that_terminals_swallow():
    for key in TABLE:
        assert any(not name.startswith(("f1", "alt+", "ctrl+left", "ctrl+right", "ctrl+slash")) for name in key.keys)


def test_own_keys_replace_the_standard_ones():
    keys = KeyMap({"mark": ["M"]})
    assert keys.find("runs", "M").action == "mark" and keys.find("runs", "space") is None


def test_a_misspelt_action_says_what_was_meant():
    with pytest.raises(ConfigError, match=r"Did you mean export\?"):
        KeyMap({"exprot": ["e"]})


def test_two_actions_on_one_key_are_refused_by_name():
    with pytest.raises(ConfigError, match="the key j means both down and mark on the screen runs"):
        KeyMap({"mark": ["j"]})


def test_a_key_of_another_screen_is_known():
    keys = KeyMap()
    assert keys.find("help", "x") is None and keys.elsewhere("x").action == "stop"
