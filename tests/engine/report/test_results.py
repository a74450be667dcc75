import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UserError
from engine.report import results
from engine.runs.schema import ARTIFACTS, CONFIG
from engine.stages import METRICS_TABLE

FIGURES = {f"{name}@{k}": 0.25 for name in ("hr", "ndcg") for k in (1, 5, 10, 20)} | {"mrr": 0.125}
CONFIGURATION = """
seed: {seed}
data: {{name: tiny, path: null}}
student: {{seed: {seed}, dropout: {dropout}, heights: [2, 3]}}
trainer: {{accelerator: {accelerator}}}
"""


def evaluation(folder: Path, seed: int = 1, dropout: float = 0.2, accelerator: str = "cpu", **changes: str) -> Path:
    """A finished evaluation: two models, both protocols, test and validation."""
    (folder / ARTIFACTS).mkdir(parents=True)
    (folder / CONFIG).write_text(CONFIGURATION.format(seed=seed, dropout=dropout, accelerator=accelerator))
    rows: list[dict[str, Any]] = []
    for model, seconds in (("popularity", ""), ("student", "12.5")):
        for split in ("test", "validation"):
            for hide in ("true", "false"):
                about = {"experiment": "try", "run": folder.name, "made_by": "", "data": "tiny", "split": split}
                about |= {"split_rule": "leave-one-out", "seed": str(seed), "model": model, "rows": "40"}
                about |= {"users": "40", "items": "60", "hide_seen": hide, "candidates": "all", "main": hide}
                about |= {"targets_hash": "123456789012", "train_seconds": seconds}
                about |= {"hr@10 se": "0.01", "ndcg@10 se": "0.01"}
                rows.append(about | {name: str(value) for name, value in FIGURES.items()} | changes)
    with (folder / ARTIFACTS / METRICS_TABLE.file).open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder


def test_there_is_one_row_per_model_and_run_under_the_main_protocol(tmp_path: Path) -> None:
    folders = [evaluation(tmp_path / f"evaluate-{seed}", seed=seed) for seed in (1, 2)]
    rows = results.rows(folders)
    assert [(row["run"], row["seed"], row["model"]) for row in rows] == [
        (f"evaluate-{seed}", seed, model) for seed in (1, 2) for model in ("popularity", "student")
    ]
    assert {(row["split"], row["hide_seen"]) for row in rows} == {("test", True)}
    assert len(results.rows(folders, every=True)) == 16


def test_values_have_their_type_and_what_is_missing_is_none(tmp_path: Path) -> None:
    popularity, student = results.rows([evaluation(tmp_path / "evaluate-1")])
    assert (student["rows"], student["hide_seen"], student["mrr"], student["train_seconds"]) == (40, True, 0.125, 12.5)
    assert popularity["train_seconds"] is None
    assert student["targets_hash"] == "123456789012"  # digits, but no number
    assert json.loads(json.dumps(student)) == student


def test_the_settings_that_differ_are_columns_and_equal_ones_are_not(tmp_path: Path) -> None:
    folders = [
        evaluation(tmp_path / "evaluate-1", seed=1, dropout=0.2),
        evaluation(tmp_path / "evaluate-2", seed=2, dropout=0.5, accelerator="gpu"),
    ]
    rows = results.rows(folders)
    assert [row["student.dropout"] for row in rows] == [0.2, 0.2, 0.5, 0.5]
    assert not {name for row in rows for name in row if name.startswith(("data.", "trainer."))}
    assert "student.seed" not in rows[0]  # it follows the seed
    assert "student.heights" not in rows[0]


def test_the_promised_columns_come_first_even_without_a_row(tmp_path: Path) -> None:
    promised = "experiment,run,data,split,seed,model,rows,hide_seen,hr@1,hr@5,hr@10,hr@20,ndcg@5,ndcg@10,ndcg@20,mrr"
    promised += ",train_seconds"
    for folders in ([], [evaluation(tmp_path / "evaluate-1")]):
        file = io.StringIO()
        results.write_csv(results.rows(folders), file)
        assert file.getvalue().startswith(promised)


def test_no_cell_is_a_formula_to_a_spreadsheet(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "evaluate-1", experiment='=HYPERLINK("http://x")', data="@SUM(1)")
    file = io.StringIO()
    results.write_csv(results.rows([folder]), file)
    row = next(csv.DictReader(io.StringIO(file.getvalue())))
    assert (row["experiment"], row["data"]) == ('\'=HYPERLINK("http://x")', "'@SUM(1)")
    assert row["hr@10"] == "0.25"


def test_the_printed_table_names_each_protocol_once_and_fits_a_terminal(tmp_path: Path) -> None:
    folders = [evaluation(tmp_path / f"evaluate-20250101-00000{n}-abcd", seed=n) for n in (1, 2)]
    folders.append(evaluation(tmp_path / "evaluate-20250101-000003-abcd", targets_hash="ffffffffffff"))
    lines = results.text(results.rows(folders)).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("tiny: 40 users") for line in lines) == 2
    assert sum("0.2500 ±0.0196" in line for line in lines) == 6


def test_ids_lose_the_stage_where_a_long_name_of_a_model_needs_their_room(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "evaluate-20261127-222240-8461")
    assert "\nevaluate-20261127-222240-8461 " in results.text(results.rows([folder]))
    path = folder / ARTIFACTS / METRICS_TABLE.file
    path.write_text(path.read_text().replace(",popularity,", ",transitions+titles,"))
    shown = results.text(results.rows([folder]))
    assert "\n20261127-222240-8461 " in shown and max(map(len, shown.splitlines())) <= 80


def test_a_run_whose_configuration_is_gone_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "evaluate-1")
    (folder / CONFIG).unlink()
    with pytest.raises(UserError, match="engine rm evaluate-1"):
        results.rows([folder])


def test_reading_results_loads_no_heavy_library() -> None:
    heavy = {"torch", "numpy", "pandas", "pyarrow", "yaml"}
    code = f"import sys, engine.report.results; print(*sorted(set(sys.modules) & {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_every_row_has_the_trials_of_its_model_and_runs_with_other_counts_stand_apart(tmp_path: Path) -> None:
    folders = [evaluation(tmp_path / f"evaluate-{seed}", seed=seed) for seed in (1, 2, 3)]
    for folder, count in zip(folders, (20, 20, 5), strict=True):
        with (folder / CONFIG).open("a") as file:
            file.write(f"search: {{student: {count}, student_epochs: {60 * count}, teacher: 0, distill: 0}}\n")
    rows = results.rows(folders)
    assert [row["trials"] for row in rows] == [None, 20, None, 20, None, 5]
    assert [row["trial_epochs"] for row in rows] == [None, 1200, None, 1200, None, 300]
    assert "search.student" not in rows[0]  # not a setting that gives other results
    lines = [line for line in results.text(rows).splitlines() if line.startswith("settings chosen")]
    same = "settings chosen on validation rows: student"
    assert lines == [f"{same} {count} trials ({60 * count:,} epochs)" for count in (20, 5)]
