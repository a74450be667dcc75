"""``engine recommend``: the lists of all models side by side."""

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from engine import cli
from engine.commands.recommend import table
from engine.recommend.panel import Panel
from engine.wire import ItemNames, ModelList, RankedItem, Recommendations

Captured = pytest.CaptureFixture[str]


def test_the_lists_of_all_models_for_a_test_user_are_side_by_side(
    seven_stages: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    arguments = ["recommend", "evaluate", "--runs", str(seven_stages), "--user", "7", "--count", "4"]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert all(len(line) <= 100 for line in printed.splitlines())
    assert cli.main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["run"], result["data"], result["split"], result["user"]) == ("evaluate", "demo", "test", "7")
    assert [column["model"] for column in result["columns"]] == ["student", "teacher", "distilled"]
    assert all(len(column["items"]) == 4 for column in result["columns"])
    lists = [line for line in printed.splitlines() if line[:4].strip().isdigit()]
    for index, line in enumerate(lists):
        assert line.startswith(f"{index + 1:>3} ")
        for column in result["columns"]:
            item = column["items"][index]
            assert item["title"][:12] in line and f"{item['score']:.3f}" in line
    assert f"next was {result['next']['title']}" in printed
    assert f"student {result['columns'][0]['next_rank']:,.10g}" in printed
    assert "gate of the teacher: e0 0." in printed


def test_typed_titles_are_ranked_by_the_teacher_too_unless_no_live_is_given(
    seven_stages: Path, capsys: Captured
) -> None:
    titles = [item.title for item in _history(seven_stages)]
    arguments = ["recommend", "evaluate", "--runs", str(seven_stages), "--history", *titles, "--json"]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr()
    assert "loading the teacher" in printed.err
    columns = {column["model"]: column for column in json.loads(printed.out)["columns"]}
    assert columns["teacher"]["source"] == "live" and len(columns["teacher"]["items"]) == 10
    assert cli.main([*arguments, "--no-live"]) == 0
    printed = capsys.readouterr()
    columns = {column["model"]: column for column in json.loads(printed.out)["columns"]}
    assert printed.err == "" and columns["teacher"]["state"] == "missing"


def _history(runs: Path) -> list[ItemNames]:
    panel = Panel(runs / "evaluate")
    return [panel.named(item) for item in (3, 9)]


def _column(model: str, titles: list[str], next: int = 0, **more: object) -> ModelList:
    items = [RankedItem(k, k, f"r{k}", title, 1.0 / k, k == next) for k, title in enumerate(titles, start=1)]
    return ModelList(model, f"{model}-1", "ready", items=items, **more)  # type: ignore[arg-type]


def test_the_true_item_what_all_share_and_what_is_missing_are_marked() -> None:
    answer = Recommendations(
        history=[ItemNames(8, "r8", "Seen")],
        user="ann",
        next=ItemNames(2, "r2", "B"),
        columns=[
            _column("student", ["A", "B"], next=2, next_rank=2.0),
            ModelList("teacher", "", "missing", "no teacher run stands behind this"),
            _column("distilled", ["A", "B", "C"], next=2, next_rank=2.0),
        ],
        overlap=[("student", "distilled", 2)],
    )
    lines = table("evaluate-1", "test", answer, 80)
    assert "for test user ann" in lines[0]
    assert sum(line.count("▸ B") for line in lines) == 2
    assert sum(line.count("= A") for line in lines) == 2
    assert "shared: student and distilled 2" in lines
    assert "teacher: no teacher run stands behind this" in lines


def test_wide_letters_do_not_push_the_columns_apart() -> None:
    answer = Recommendations(
        [], "", None, [_column("student", ["千と千尋の神隠し" * 9]), _column("distilled", ["B"])], []
    )
    lines = table("evaluate-1", "test", answer, 80)
    row = next(line for line in lines if line.startswith("  1 "))
    assert cell_len(row) <= 80 and "…" in row
