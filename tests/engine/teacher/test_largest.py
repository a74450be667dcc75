"""The most tokens that fit: a line through two trials, confirmed by a third, kept by a run that goes on."""

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.teacher.largest import FIRST, MOST, MULTIPLE, batch_tokens, largest
from engine.training.processes import Processes


@given(st.integers(100, 10_000), st.integers(0, 10**8), st.integers(10**8, 10**11))
def test_what_is_found_fits_and_a_little_more_would_not(each: int, fixed: int, room: int) -> None:
    tried: list[int] = []

    def trial(tokens: int) -> int:
        tried.append(tokens)
        return fixed + each * tokens

    found = largest(trial, room)
    assert found % MULTIPLE == 0 and MULTIPLE <= found <= MOST
    assert found == MULTIPLE or fixed + each * found <= room
    assert found == MOST or fixed + each * (found + 2 * MULTIPLE) > room or found < 2 * FIRST
    assert len(tried) <= 3 or found < 2 * FIRST


def test_a_trial_without_memory_is_followed_by_smaller_ones() -> None:
    def trial(tokens: int) -> int:
        if tokens > 10_000:
            raise torch.OutOfMemoryError("no")
        return tokens

    assert 8_000 <= largest(trial, 20_000) <= 10_000


class Log:
    def __init__(self, tmp_path: Any) -> None:
        self.checkpoints, self.lines = tmp_path, []

    def log(self, level: str, line: str) -> None:
        self.lines.append(line)

    def note(self, **facts: Any) -> None:
        self.lines.append(str(facts))


class Setup:
    def __init__(self, device: str) -> None:
        self.device, self.pack, self.held, self.processes = device, object(), None, Processes()


def test_a_number_stays_and_a_processor_keeps_its_number_of_prompts_and_the_log_says_so(tmp_path: Any) -> None:
    run: Any = Log(tmp_path)
    setup: Any = Setup("cpu")
    assert batch_tokens(setup, 4096, run, True) == 4096
    assert batch_tokens(setup, None, run, True) is None and run.lines == []
    assert batch_tokens(setup, "auto", run, True) is None and "asks for a GPU" in run.lines[0]


def test_a_run_that_goes_on_keeps_what_it_found(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run: Any = Log(tmp_path)
    setup: Any = Setup("cuda")
    (tmp_path / "batch_tokens.json").write_text(json.dumps(7680))
    assert batch_tokens(setup, "auto", run, True) == 7680
    assert "{'batch_tokens': 7680}" in run.lines
