"""The README names every kind of event with its fields, and every file of a run folder."""

from pathlib import Path

import pytest

from engine.runs import schema
from engine.runs.events import KINDS

README = (Path(schema.__file__).parent / "README.md").read_text(encoding="utf-8")


def table() -> str:
    """The table of events, as it should stand in the README."""
    lines = ["| event | meaning | fields | lines a second |", "| --- | --- | --- | --- |"]
    for kind in KINDS.values():
        fields = [*(["step"] if kind.step else []), *kind.needs, *(f"{name}?" for name in kind.may)]
        rate = "all" if kind.rate is None else f"{kind.rate:g}"
        lines.append(f"| `{kind.name}` | {kind.help} | {' '.join(f'`{name}`' for name in fields)} | {rate} |")
    return "\n".join(lines)


def test_the_table_of_events_is_the_one_of_the_code() -> None:
    assert README.split("<!-- events -->\n")[1].split("\n<!-- end of events -->")[0] == table()


FILES = "RUN CONFIG PROCESS EXIT EVENTS DEVICES SUMMARY CONSOLE META LOCK ARTIFACTS CHECKPOINTS"
REQUESTS = "CONTROL STOP STOP_AFTER_EVALUATION QUEUE_OVERRIDE SLOTS PLANNING"


@pytest.mark.parametrize("name", f"{FILES} {REQUESTS}".split())
def test_every_file_of_a_run_folder_is_explained(name: str) -> None:
    assert getattr(schema, name) in README
