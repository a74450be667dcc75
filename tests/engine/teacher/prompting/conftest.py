"""The text of a prompt, written without the tokenizer."""

from collections.abc import Callable, Sequence

import pytest

from engine.backbone.slots import CANDIDATE_SLOT, HISTORY_SLOT, PLAIN_SLOT, SEPARATOR
from engine.teacher.prompting.prompts import CANDIDATES, HISTORY, pieces


@pytest.fixture(scope="session")
def fill() -> Callable[..., str]:
    """A template with titles at its placeholders; without ``slots`` every slot is ``[PH]``."""

    def filled(template: str, history: Sequence[str], candidates: Sequence[str] = (), slots: bool = True) -> str:
        def listed(titles: Sequence[str], slot: str) -> str:
            return SEPARATOR.join(f"{title} {slot if slots else PLAIN_SLOT}" for title in titles)

        texts = {HISTORY: listed(history, HISTORY_SLOT), CANDIDATES: listed(candidates, CANDIDATE_SLOT)}
        return "".join(texts.get(piece, piece) for piece in pieces(template))

    return filled
