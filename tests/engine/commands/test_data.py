"""``engine data`` as a person types it."""

import json
from pathlib import Path

import pytest

from engine.cli import main

ROWS = "user,item,time,title\n" + "".join(
    f"{user},{item},{1_600_000_000 + 10 * user + n},Thing {item}\n"
    for user in range(5)
    for n, item in enumerate(range(user, user + 6))
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ratings.csv").write_text(ROWS)
    return tmp_path / "ratings.csv"


def test_a_file_is_shown_and_nothing_is_written(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "ratings.csv"]) == 0
    printed = capsys.readouterr()
    lines = {line.split("  ")[0]: line for line in printed.out.splitlines()}
    assert "30 events of 5 users and 10 items, 2020-09-13 12:26:40 to 2020-09-13 12:27:25" in lines["read"]
    assert "20 training events, 5 validation rows, 5 test rows" in lines["split"]
    assert "10 of 10 items have one" in lines["titles"] and "Thing 0 | Thing 1" in printed.out
    assert "data.columns.user=user" in printed.err
    assert list(file.parent.iterdir()) == [file]


def test_settings_count_and_json_has_all_of_them(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "ratings.csv", "data.core_items=3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["dropped"] == {"rare user or item": 30 - found["interactions"]}
    assert found["settings"]["data.columns.title"] == "title" and found["settings"]["data.core_items"] == 3


def test_a_set_may_be_chosen_instead(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "data=table", "data.path=ratings.csv", "data.columns.title=null"]) == 0
    assert "0 of 10 items have one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["nowhere.csv"], "no such file"),
        (["a.csv", "b.csv"], "one file or folder at a time"),
        (["ratings.csv", "data.core_users=9"], "the filters leave none"),
        (["ratings.csv", "data.columns.user=gone"], "there is no column 'gone'"),
    ],
)
def test_a_mistake_is_one_message_with_status_2(
    file: Path, words: list[str], cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", *words]) == 2
    printed = capsys.readouterr()
    assert cause in printed.err and printed.err.count("error:") == 1 and printed.out == ""
