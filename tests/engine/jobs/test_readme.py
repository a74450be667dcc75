"""The README explains every state."""

import re
from pathlib import Path

from engine.jobs import state
from engine.jobs.state import SILENT, SILENT_ELSEWHERE, State

README = (Path(state.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_every_state_is_explained_once_and_in_order() -> None:
    assert re.findall(r"^\| `([A-Z]+)` \|", README, re.MULTILINE) == [state.value for state in State]
    assert f"for {SILENT:g} s ({SILENT_ELSEWHERE:g} s on another machine" in README
