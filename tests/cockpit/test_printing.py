"""Screens and keys on paper."""

from xml.etree import ElementTree

import pytest

from cockpit.__main__ import main
from cockpit.keys import TABLE


def test_the_key_table_has_a_line_for_every_key(capsys):
    assert main(["--keys"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == len(TABLE) + 2 and "| `space` | Runs, Live | mark the run" in out


def test_a_screen_is_printed_without_a_terminal(capsys, maker, world):
    for screen, words in (
        ("runs", world["data"][-4:]),
        ("live", "health"),
        ("help", "Runs (1)"),
        ("result", "no evaluation yet"),
    ):
        assert main(["--runs", str(maker.root), "--print", screen, "--size", "120x40"]) == 0
        assert words in capsys.readouterr().out


@pytest.mark.parametrize("size", ["120", "0x0", "axb", "120x4000"])
def test_an_impossible_size_is_explained(capsys, tmp_path, size):
    assert main(["--runs", str(tmp_path), "--print", "runs", "--size", size]) == 2
    assert "--size 120x40" in capsys.readouterr().err


def test_a_screen_is_printed_as_a_picture(capsys, maker, world):
    assert main(["--runs", str(maker.root), "--print", "live", "--size", "100x30", "--format", "svg"]) == 0
    out = capsys.readouterr().out
    root = ElementTree.fromstring(out)
    assert root.tag.endswith("svg") and "<title>Live  " in out and ">health</text>" in out and out.count("<path") > 20
