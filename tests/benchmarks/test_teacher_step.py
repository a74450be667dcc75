"""The benchmark of the teacher runs as a whole: nothing else calls its parts, so a changed signature went unseen."""

import re

import pytest

from tests.benchmarks import teacher_step


def test_knowledge_is_timed_with_eight_rows_and_with_one_row_in_a_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    teacher_step.answering(rounds=1, device="cpu")
    found = dict(re.findall(r"knowledge, (\d) rows in a prompt: +(\d+) rows/s", capsys.readouterr().out))
    assert set(found) == {"8", "1"} and int(found["8"]) > int(found["1"]) > 0
