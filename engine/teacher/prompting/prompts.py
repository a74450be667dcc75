"""Prompt templates as text. Nothing here knows a tensor or a tokenizer.

A template has the placeholders ``[HistoryHere]`` and, for the ``generate`` objective, ``[CansHere]``. Each title put
there is followed by a slot, a token of its own whose embedding is replaced by the item's projected vector.
"""

import re
from collections.abc import Sequence

from engine.backbone.slots import SEPARATOR
from engine.errors import ConfigError

HISTORY, CANDIDATES = "[HistoryHere]", "[CansHere]"
COMMA = SEPARATOR.strip()
END = "\n"  # ends an answer

PUBLISHED = {  # LLaRA and iLoRA, verbatim (REFERENCE c.1)
    "movie": (
        "This user has watched [HistoryHere] in the previous. Please predict the next movie this user will watch. "
        "Choose the answer from the following 20 movie titles: [CansHere]. Answer:",
        "This user has watched [HistoryHere] in the previous. Given the following 20 movie titles: [CansHere], "
        "recommend one movie for this user to watch next. The movie title you recommend is:",
        "The visit history of this user is: [HistoryHere]. Recommend a next movie for this user to watch from the "
        "following movie title set: [CansHere]. The recommendation should contain one movie title only. "
        "Recommendation:",
    ),
    "game": (
        "This user has played [HistoryHere] in the previous. Please predict the next game this user will play. "
        "The game title candidates are [CansHere]. Choose only one game from the candidates. The answer is",
        "This user has played [HistoryHere] in the previous. Given the following 20 game titles, [CansHere], "
        "recommend one game for this user to play next. The game title you recommend is",
        "The visit history of this user is [HistoryHere]. Recommend a next game for this user to play from the "
        "following game title set, [CansHere]. The recommendation should contain one game title only. "
        "The recommendation is",
    ),
    "artist": (
        "This user has listened to [HistoryHere] in the previous. Please predict the next music artist this user will "
        "listen to. The artist name candidates are [CansHere]. Choose only one artist from the candidates. "
        "The answer is",
        "This user has listened to [HistoryHere] in the previous. Given the following 10 music artist names, "
        "[CansHere], recommend one artist for this user to listen to next. The artist name you recommend is",
        "The listening history of this user is [HistoryHere]. Recommend the next music artist for this user to listen "
        "to from the following artist name set, [CansHere]. The recommendation should contain one artist's name only. "
        "The recommendation is",
    ),
}


def pieces(template: str) -> list[str]:
    """A template split at its placeholders: texts and placeholders in their order."""
    return [piece for piece in re.split(r"(\[HistoryHere\]|\[CansHere\])", template) if piece]


def predicts_each_item(template: str) -> bool:
    """Whether a prompt can predict after each of its items: nothing but a comma follows its history."""
    return template.endswith((HISTORY, HISTORY + COMMA))


def item_name(title: str, item: int) -> str:
    """An item's name in a prompt; an item without a title gets a unique one."""
    return " ".join(title.split()) or f"untitled item {item}"


def templates(chosen: Sequence[str], candidates: bool) -> list[str]:
    """Templates, each the name of a published set or a text; with ``candidates`` they must hold ``[CansHere]``."""
    found = [text for choice in chosen for text in PUBLISHED.get(choice, (choice,))]
    for text in found:
        for placeholder, wanted in ((HISTORY, True), (CANDIDATES, candidates)):
            count = text.count(placeholder)
            if count != wanted:
                raise ConfigError(
                    f"the template {text!r} has {count} of {placeholder}, and should have {int(wanted)}",
                    location="teacher.templates",
                    remedy=f"Published sets: {', '.join(PUBLISHED)}; your own text needs {HISTORY}, and {CANDIDATES} "
                    "exactly when teacher.objective=generate.",
                )
    return found
