import csv
from pathlib import Path

from engine.evaluate.tables import write


def test_a_row_without_a_column_of_another_row_has_an_empty_cell(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", [{"a": 1, "b": "x, y"}, {"a": 2, "c": 0.5}])
    assert (tmp_path / "t.csv").read_bytes() == b'a,b,c\n1,"x, y",\n2,,0.5\n'
    with (tmp_path / "t.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["b"] == "x, y"
