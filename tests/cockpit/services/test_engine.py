"""Answers of ``engine`` processes, and the words they are asked with."""

import asyncio
import sys
from pathlib import Path

from cockpit.services.engine import CommandResult, ask, resume_arguments, shown, stop_arguments


async def test_a_real_process_answers_with_its_settings(tmp_path):
    answer = await ask(["config"])
    assert answer.status == 0, answer.error
    assert {"groups", "settings", "experiments"} <= set(answer.value)


async def test_what_a_person_can_fix_comes_back_as_its_message(tmp_path):
    answer = await ask(["stop", "nothing"], tmp_path)
    assert answer.status == 2 and "there is no run" in answer.message and "Traceback" not in answer.message


def test_a_traceback_is_shortened_to_its_last_line():
    error = "Traceback (most recent call last):\n  File x\nValueError: broken\n"
    assert CommandResult(1, None, error).message == "ValueError: broken"


def test_the_shown_command_is_quoted_for_a_shell():
    words = ["run", "student", "data.name=a b", "student.lr=1e-3"]
    assert shown(words, Path("my runs")) == ("engine run student 'data.name=a b' student.lr=1e-3 --runs 'my runs'")


def test_stopping_and_resuming_use_the_documented_options():
    assert stop_arguments("a", "evaluation") == ["stop", "a", "--after-evaluation"]
    assert stop_arguments("a", "kill") == ["stop", "a", "--kill"] and stop_arguments("a", "now") == ["stop", "a"]
    assert resume_arguments("a") == ["resume", "a", "--detach"]


async def test_lines_are_passed_on_before_the_answer(monkeypatch, tmp_path):
    code = "import sys; print('{\"a\": 1}'); print('noise'); print('x' * 200000, file=sys.stderr); print('[2]')"
    real = asyncio.create_subprocess_exec

    async def stand_in(*command, **options):
        return await real(sys.executable, "-c", code, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", stand_in)
    heard = []
    answer = await ask(["doctor"], tmp_path, heard.append)
    assert heard == [{"a": 1}, None] and answer.value == [2] and answer.status == 0
