"""The resident process, over its own pipes."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.cli import main
from engine.commands.serve_local import Server
from engine.wire import Recommendations
from tests.fixtures.processes import ForkedCommand

Record = dict[str, Any]
PATIENCE = 60.0


class Client:
    """A server process and its only client."""

    def __init__(self, runs: Path, forked: bool = False) -> None:
        words, pipe = ["serve-local", "evaluate", "--runs", str(runs)], subprocess.PIPE
        self.process: Any = (
            ForkedCommand(words)
            if forked
            # without a buffer, or select would not see what readline has taken already
            else subprocess.Popen(
                [sys.executable, "-m", "engine", *words], bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe
            )
        )
        self.number = 0

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def receive(self) -> Record:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise TimeoutError("the server has not answered")
        line: Record = json.loads(self.process.stdout.readline())
        return line

    def ask(self, method: str, **more: Any) -> list[Record]:
        """Every line of the answer."""
        self.number += 1
        self.send(json.dumps({"id": self.number, "method": method, **more}))
        lines = [self.receive()]
        while lines[-1]["more"]:
            lines.append(self.receive())
        assert {line["id"] for line in lines} == {self.number}
        return lines

    def end(self) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None and self.process.stderr is not None
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
        return status


@pytest.fixture(scope="module")
def server(seven_stages: Path) -> Iterator[Client]:
    client = Client(seven_stages, forked=True)
    yield client
    assert client.end() == 0


def columns(line: Record) -> dict[str, Record]:
    return {column["model"]: column for column in line["result"]["columns"]}


def test_about_describes_the_run_and_its_models(server: Client) -> None:
    (line,) = server.ask("about")
    result = line["result"]
    assert (result["run"], result["data"], result["split"], result["items"], result["rows"]) == (
        "evaluate",
        "demo",
        "test",
        80,
        60,
    )
    assert result["models"] == {"student": "student", "teacher": "teacher", "distilled": "distill"}


def test_titles_are_found_while_they_are_typed(server: Client) -> None:
    (line,) = server.ask("search", text="", count=3)
    assert line["result"]["items"] == []
    first = server.ask("recommend", row=0)[0]["result"]["history"][0]
    (line,) = server.ask("search", text=first["title"][:9].lower(), count=80)
    assert first["item"] in [item["item"] for item in line["result"]["items"]]
    (line,) = server.ask("search", text=first["title"], count=1)
    assert line["result"]["items"] == [first]


def test_held_out_users_are_found_by_id_and_paged(server: Client) -> None:
    (line,) = server.ask("people", text="", start=58, count=20)
    assert line["result"]["total"] == 60 and [person["row"] for person in line["result"]["people"]] == [58, 59]
    (line,) = server.ask("people", text=line["result"]["people"][0]["user"], count=1)
    assert line["result"]["people"][0]["events"] > 0


def test_a_test_row_is_answered_by_all_models_with_the_stored_teacher_ranking(server: Client) -> None:
    last = server.ask("recommend", row=3, count=5)[-1]
    result = columns(last)
    assert all(column["state"] == "ready" and len(column["items"]) == 5 for column in result.values())
    assert result["teacher"]["source"] == "knowledge" and sum(result["teacher"]["gates"]) == pytest.approx(1, abs=1e-3)
    assert last["result"]["next"]["title"] and all(column["next_rank"] >= 1 for column in result.values())
    again = server.ask("recommend", user=last["result"]["user"], count=5)
    assert len(again) == 1 and columns(again[0])["student"]["items"] == result["student"]["items"]


def test_a_typed_history_is_answered_at_once_and_by_the_teacher_once_it_is_loaded(server: Client) -> None:
    history = [item["item"] for item in server.ask("recommend", row=4)[-1]["result"]["history"]]
    (without,) = server.ask("recommend", history=history, live=False)
    assert columns(without)["teacher"]["state"] == "missing"
    lines = server.ask("recommend", history=history)
    first, last = columns(lines[0]), columns(lines[-1])
    assert first["student"]["state"] == "ready" and first["teacher"]["state"] == "loading"
    assert last["teacher"]["state"] == "ready" and last["teacher"]["source"] == "live"
    assert first["student"]["items"] == last["student"]["items"]


def test_a_newer_request_supersedes_the_one_before(server: Client) -> None:
    server.send(
        '{"id": "old", "method": "recommend", "history": [3, 9]}\n{"id": "new", "method": "recommend", "row": 1}'
    )
    lines = [server.receive()]
    while not (lines[-1]["id"] == "new" and not lines[-1]["more"]):
        lines.append(server.receive())
    old = [line for line in lines if line["id"] == "old"]
    assert not old[-1]["more"]
    assert old[-1].get("superseded") or columns(old[-1])["teacher"]["state"] == "ready"


def test_the_late_answer_to_a_superseded_request_is_not_sent() -> None:
    """A newer request arrives while the models of an older one are loaded."""

    class Ended(Exception):
        pass

    class Panel:
        students, catalogue = (), SimpleNamespace(prepare=lambda: None)
        loads = 0

        def needs(self, question: Any) -> list[str]:
            return ["teacher"]

        def asks_teacher_live(self, question: Any) -> bool:
            return True

        def answer(self, question: Any, later: bool = False) -> Recommendations:
            return Recommendations([], str(question.row), None, [], [])

        def load(self, name: str) -> None:
            self.loads += 1
            if self.loads == 2:
                raise Ended
            server.handle(b'{"id": "new", "method": "recommend", "row": 1}')

    sent: list[Record] = []
    panel: Any = Panel()
    panel.users = type("Users", (), {"__len__": lambda self: 2, "history": lambda self, row: row})()
    server = Server(panel, sent.append)
    server.handle(b'{"id": "old", "method": "recommend", "row": 0}')
    with pytest.raises(Ended):
        server.load_models()
    old = [line for line in sent if line["id"] == "old"]
    assert old[-1] == {"id": "old", "superseded": True, "more": False}
    assert [line["result"]["user"] for line in old[:-1]] == ["0", "0"]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("xx", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"id": 1, "method": "shout"}', "no method 'shout'"),
        ('{"id": 1, "method": "search", "text": 5}', "text must be a string"),
        ('{"id": 1, "method": "search", "text": "a", "count": -1}', "count must be a non-negative integer"),
        ('{"id": 1, "method": "recommend", "row": 60}', "no row 60"),
        ('{"id": 1, "method": "recommend", "row": "3"}', "no row '3'"),
        ('{"id": 1, "method": "recommend", "user": "nobody"}', "no test row is of a user"),
        ('{"id": 1, "method": "recommend", "history": [0]}', "no item 0"),
        ('{"id": 1, "method": "recommend", "history": ["qqq"]}', "no item is called 'qqq'"),
        ('{"id": 1, "method": "recommend"}', "must be a list"),
    ],
)
def test_a_wrong_request_is_answered_with_its_cause_and_the_next_one_is_served(
    server: Client, line: str, cause: str
) -> None:
    server.send(line)
    result = server.receive()
    assert (
        cause in result["error"]["cause"]
        and set(result["error"]) == {"cause", "place", "remedy"}
        and not result["more"]
    )
    assert server.ask("about")


def test_an_unknown_run_is_an_error_as_of_any_command(seven_stages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve-local", "nothing", "--runs", str(seven_stages)]) == 2
    assert "no run 'nothing'" in capsys.readouterr().err


def test_it_ends_with_its_input_even_while_it_loads(seven_stages: Path) -> None:
    client = Client(seven_stages)
    client.send('{"id": 1, "method": "recommend", "history": [3]}')
    assert client.receive()["more"]
    since = time.monotonic()
    assert client.end() == 0
    assert time.monotonic() - since < 5


def test_it_ends_when_the_process_that_started_it_is_killed(seven_stages: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        f"words = [sys.executable, '-m', 'engine', 'serve-local', 'evaluate', '--runs', {str(seven_stages)!r}]\n"
        "child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        'child.stdin.write(b\'{"id": 1, "method": "about"}\\n\'); child.stdin.flush(); child.stdout.readline()\n'
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + PATIENCE
    while _alive(child) and time.monotonic() < deadline:
        select.select([], [], [], 0.02)
    assert not _alive(child)


def _alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    os.kill(process, 0)
    return state != "Z"
