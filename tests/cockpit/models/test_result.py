"""What is taken from the tables of an evaluation."""

import pytest

from cockpit.models.result import pairs_on_all_rows
from cockpit.services.results import ResultReader
from tests.fixtures.evaluation_tables import write_evaluation


@pytest.fixture
def result(tmp_path):
    folder = tmp_path / "evaluate-1"
    folder.mkdir()
    (folder / "config.yaml").write_text("seed: 1\n")
    write_evaluation(folder)
    return ResultReader(tmp_path).read(folder.name)


def test_the_floor_comes_first_and_the_ceiling_last(result):
    figures = result.figures("ndcg@10")
    assert [one.model for one in figures] == ["popularity", "student", "teacher", "distilled", "oracle"]
    assert [one.reference for one in figures] == [True, False, False, False, True]


def test_an_interval_is_1_96_standard_errors_to_each_side(result):
    student = result.figures("ndcg@10")[1]
    assert student.high - student.value == pytest.approx(1.96 * 0.05 * 0.131) == student.value - student.low


def test_pairs_with_a_sentence_come_first(result):
    pairs = [(one.model, one.baseline) for one in pairs_on_all_rows(result.pairs, "ndcg@10")]
    assert pairs == [
        ("student", "popularity"),
        ("teacher", "student"),
        ("distilled", "student"),
        ("distilled", "teacher"),
        ("teacher", "popularity"),
        ("distilled", "popularity"),
    ]


def test_a_slice_is_marked_by_the_test_against_the_student_and_the_student_by_that_against_popularity(result):
    assert result.verdict("teacher", "ndcg@10", "tail") == "better"
    assert result.verdict("teacher", "ndcg@10", "cold") == "undecided"
    assert result.verdict("student", "ndcg@10", "tail") == "better"
    assert result.verdict("oracle", "ndcg@10", "tail") == "" == result.verdict("teacher", "mrr", "tail")
