"""The published templates, and one's own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.teacher.prompting.prompts import CANDIDATES, END, HISTORY, PUBLISHED, item_name, pieces, templates

Fill = Callable[..., str]
GOLDEN = os.environ.get("ENGINE_GOLDEN")


@pytest.mark.real
@pytest.mark.skipif(not GOLDEN, reason="ENGINE_GOLDEN does not name the golden vectors")
def test_the_published_prompts_on_real_rows(fill: Fill) -> None:
    folder = Path(GOLDEN or "")
    stored = json.loads((folder / "prompts.json").read_text())
    names = {number: title for number, _, title in json.loads((folder / "movie_titles.json").read_text())["titles"]}
    compared = 0
    for entry in stored["items"]:
        template = PUBLISHED[entry["template"]][entry["template_index"]]
        assert template == entry["template_text"]
        history_slot, slot = (" [PH]", " [PH]") if entry["mode"] == "textonly" else (" [HistoryEmb]", " [CansEmb]")
        for row, stored_text in zip(stored["rows"], entry["texts"], strict=True):
            text = [stored_text] if entry["mode"] == "eval" else stored_text
            history, candidates = (
                part.removesuffix(mark).split(f"{mark}, ")
                for part, mark in zip(filled_in(text[0], template), (history_slot, slot), strict=True)
            )
            assert len(candidates) == 20 and len(history) == row["len_seq"]
            known = [
                (title, names[number]) for title, number in zip(history, row["seq"], strict=False) if number in names
            ]
            assert all(title == name for title, name in known)
            expected = [fill(template, history, candidates, slots=entry["mode"] != "textonly")]
            if entry["mode"] != "eval":
                expected.append(text[1].removesuffix(END) + END)
            assert text == expected
            compared += 1
    assert compared == 81


def filled_in(text: str, template: str) -> list[str]:
    """The texts at the two placeholders of a filled template."""
    before, middle, after = (piece for piece in pieces(template) if piece not in (HISTORY, CANDIDATES))
    history, _, rest = text.removeprefix(before).partition(middle)
    return [history, rest.removesuffix(after)]


def test_a_placeholder_inside_a_title_is_only_text(fill: Fill) -> None:
    assert fill("[HistoryHere] or [CansHere]", ["[CansHere]"], ["b"]) == "[CansHere] [HistoryEmb] or b [CansEmb]"


def test_an_empty_history_leaves_its_placeholder_empty(fill: Fill) -> None:
    assert fill("seen: [HistoryHere].", []) == "seen: ."


def test_pieces_join_to_the_template() -> None:
    for group in PUBLISHED.values():
        for template in group:
            assert "".join(pieces(template)) == template and pieces(template).count(HISTORY) == 1


def test_an_item_without_a_title_gets_a_name_of_its_own() -> None:
    assert item_name("  ", 7) == "untitled item 7" != item_name("", 8)
    assert item_name(" The  Film\n", 1) == "The Film"


def test_published_sets_and_own_templates_can_be_mixed() -> None:
    assert len(templates(["movie", "Seen [HistoryHere], offered [CansHere]:"], candidates=True)) == 4


@pytest.mark.parametrize(
    ("text", "candidates"), [("no blank", False), ("[HistoryHere] [CansHere]", False), ("movei", True)]
)
def test_a_template_with_the_wrong_placeholders_is_refused(text: str, candidates: bool) -> None:
    with pytest.raises(ConfigError, match="should have"):
        templates([text], candidates)


def test_prompting_needs_no_torch() -> None:
    modules = ", ".join(f"engine.teacher.prompting.{name}" for name in ("answers", "prompts", "spans", "tokenizer"))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
