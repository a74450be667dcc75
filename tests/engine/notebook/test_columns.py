"""The README documents the columns that the frames have."""

from pathlib import Path

import pytest

from engine.notebook.columns import DTYPES, TABLES

README = Path(__file__).parents[3] / "engine" / "notebook" / "README.md"


def documented() -> str:
    lines = []
    for table in TABLES:
        lines += [
            "",
            f"`{table.name}`: one row per {table.row}.",
            "",
            "| column | type | meaning |",
            "| --- | --- | --- |",
        ]
        lines += [f"| `{one.name}` | {DTYPES[one.kind]} | {one.help} |" for one in table.columns]
        lines += [f"| ... | | {table.more} |"] if table.more else []
    return "\n".join(lines).strip()


def test_the_readme_lists_the_declared_columns() -> None:
    shown = README.read_text(encoding="utf-8").split("<!-- columns -->")[1].split("<!-- end of columns -->")[0]
    assert shown.strip() == documented()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_column_is_declared_twice(table: object) -> None:
    names = [column.name for column in table.columns]  # type: ignore[attr-defined]
    assert len(names) == len(set(names))
