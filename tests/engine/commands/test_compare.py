"""``engine compare``: its JSON, its curves, its CSV."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main

GROUPS = ["drop0.2", "drop0.4"]


def test_the_json_has_the_agreed_keys(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("a", "b"):
        world.student(label, 1)
    assert main(["compare", "a", "b", "--runs", str(world.store.root), "--json", "--curve", "val_ndcg@10"]) == 0
    result = json.loads(capsys.readouterr().out)
    keys = ["groups", "settings", "protocol", "metrics", "overlaps", "lineage", "notes", "verdict", "answers", "curve"]
    assert list(result) == keys
    assert result["curve"]["groups"][0]["steps"] == [10, 20, 30]


def test_every_curve_is_drawn_with_its_own_letter(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for label, values in (("a", (0.1, 0.2, 0.3)), ("b", (0.3, 0.4, 0.5))):
        world.student(label, 1, values=values)
    assert main(["compare", "a", "b", "--runs", str(world.store.root), "--curve", "val_ndcg@10"]) == 0
    drawing = capsys.readouterr().out.rpartition("val_ndcg@10")[2]
    assert "AA" in drawing
    assert "BB" in drawing


def test_the_csv_goes_to_a_file_or_alone_to_stdout(
    world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("a", "b"):
        world.student(label, 1)
    arguments = ["compare", "a", "b", "--runs", str(world.store.root), "--csv"]
    assert main([*arguments, "-"]) == 0
    printed = capsys.readouterr().out
    file = tmp_path / "out.csv"
    assert main([*arguments, str(file)]) == 0
    assert file.read_text() == printed
    assert printed.startswith("metric,model,goal,base,base_mean")
    assert main([*arguments, str(tmp_path / "no" / "out.csv")]) == 2


def test_another_correction_and_another_test_are_chosen_and_named(
    seeds: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ["--runs", str(seeds.store.root)]
    chosen = ["--correction", "bh", "--test", "wilcoxon"]
    found: list[Any] = []
    for words in ([], chosen):
        assert main(["compare", *GROUPS, *words, *runs, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    usual, other = ([one for metric in answer["metrics"] for one in metric["differences"]] for answer in found)
    assert {(one["test"], one["correction"]) for one in usual} == {("t", "holm"), ("sign-flip", "holm")}
    assert {(one["test"], one["correction"]) for one in other} == {("t", "bh"), ("wilcoxon", "bh")}
    for before, after in zip(usual, other, strict=True):
        assert (before["low"], before["high"]) == (after["low"], after["high"])
        assert (before["p"] == after["p"]) == (before["over"] == "seeds")
    assert main(["compare", *GROUPS, *chosen, *runs]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "p corrected (Benjamini and Hochberg; over rows Wilcoxon's signed ranks) for every metric" in text
    assert "Benjamini and Hochberg's p" in text and "(signed ranks)" in text
    assert main(["results", "--seeds", *chosen, *runs]) == 0
    assert "Benjamini and Hochberg's p" in " ".join(capsys.readouterr().out.split())
