import csv
import io
import math
import sys
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.report.csv_files import cell, write, write_rows


def test_cells_are_short_exact_enough_and_never_python() -> None:
    assert [cell(value, digits=10) for value in (None, True, False, 3, 0.1, 1 / 3, math.nan, "all")] == [
        "", "true", "false", "3", "0.1", "0.3333333333", "nan", "all",
    ]  # fmt: skip
    assert float(cell(1 / 3)) == 1 / 3


def test_no_cell_is_a_formula_to_a_spreadsheet() -> None:
    file = io.StringIO()
    assert write_rows(file, ["a", "b", "c"], [["=1+1", -0.5, "-1.5"], ["@x", None, "a, b"]]) == 2
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [
        ["a", "b", "c"], ["'=1+1", "-0.5", "-1.5"], ["'@x", "", "a, b"],
    ]  # fmt: skip


def test_a_file_is_written_and_its_rows_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "t.csv", lambda file: write_rows(file, ["a"], [[1], [2]]), "engine results")
    assert (tmp_path / "t.csv").read_bytes() == b"a\n1\n2\n"
    assert capsys.readouterr().err == f"2 rows in {tmp_path / 't.csv'}\n"


def test_a_dash_is_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("-"), lambda file: write_rows(sys.stdout, ["a"], [[1]]), "engine results")
    assert capsys.readouterr() == ("a\n1\n", "")


def test_a_folder_that_does_not_exist_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="engine results --csv FILE"):
        write(tmp_path / "nowhere" / "t.csv", lambda file: 0, "engine results")
