"""Results are what the engine wrote, cleaned; damage is a message."""

import pytest

from cockpit.models.result import EvaluationResult
from cockpit.services.results import ResultReader
from engine.report.evaluation import EvaluationTables, render
from engine.report.tables import wrapped
from engine.runs.schema import ARTIFACTS, CONFIG
from engine.stages import COMPARISONS, METRICS_TABLE, SLICES_TABLE
from tests.fixtures.evaluation_tables import write_evaluation


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "evaluate-1"
    path.mkdir()
    (path / CONFIG).write_text("seed: 1\n")
    write_evaluation(path)
    return path


def test_the_made_up_tables_have_the_columns_that_an_evaluation_writes(folder, finished):
    made, real = EvaluationTables.read(folder), EvaluationTables.read(finished)
    for name in ("main", "slices", "compared"):
        assert getattr(made, name)[0].keys() <= getattr(real, name)[0].keys()


def test_a_real_evaluation_is_read_with_the_sentences_of_the_engine(finished):
    result = ResultReader(finished.parent).read(finished.name)
    assert isinstance(result, EvaluationResult)
    text = render(finished)
    for sentence in [*result.tables.protocol, *result.tables.verdicts]:
        assert "\n".join(wrapped(sentence)) in text


def test_terminal_control_in_a_table_is_removed(folder):
    path = folder / ARTIFACTS / METRICS_TABLE.file
    path.write_text(path.read_text().replace(",demo,", ",de\x1b]52;c;aaa\x07mo,"))
    slices = folder / ARTIFACTS / SLICES_TABLE.file
    slices.write_text(slices.read_text().replace("head", "he\x1b[31mad"))
    result = ResultReader(folder.parent).read(folder.name)
    assert result.tables.protocol[0].startswith("demo: 1,200 users") and next(iter(result.slices)) == "head"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "there is no metrics.csv"),
        (lambda path: path.write_text(""), "cannot be read"),
        (lambda path: path.write_text("model,split\nstudent,test\n"), "cannot be read: KeyError"),
        (lambda path: path.write_text(path.read_text().replace("1200", "many")), "cannot be read: ValueError"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    ],
)
def test_damage_is_a_message(folder, damage, message):
    damage(folder / ARTIFACTS / METRICS_TABLE.file)
    found = ResultReader(folder.parent).read(folder.name)
    assert isinstance(found, str) and message in found


def test_a_damaged_comparison_is_found_before_it_is_drawn(folder):
    path = folder / ARTIFACTS / COMPARISONS.file
    path.write_text(path.read_text().replace("better", "splendid"))
    assert "KeyError" in ResultReader(folder.parent).read(folder.name)


def test_a_result_is_read_once_until_it_is_forgotten(folder):
    reader = ResultReader(folder.parent)
    first = reader.read(folder.name)
    assert reader.read(folder.name) is first
    reader.forget(folder.name)
    assert reader.read(folder.name) is not first
