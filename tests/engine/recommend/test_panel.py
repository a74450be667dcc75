import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.recommend.panel import MODELS, Panel, RecommendRequest
from engine.runs.schema import ARTIFACTS
from engine.stages import GATE_WEIGHTS, ROW_RANKS, STUDENT_MODEL, TEACHER_HELD_OUT
from engine.wire import FAILED, LOADING, MISSING_MODEL, READY, ModelList, Recommendations


@pytest.fixture(scope="module")
def panel(seven_stages: Path) -> Panel:
    panel = Panel(seven_stages / "evaluate")
    for name in ("student", "distilled"):
        panel.load(name)
    return panel


def ask(panel: Panel, row: int, **more: bool) -> Recommendations:
    return panel.answer(RecommendRequest(panel.users.history(row), row, **more))


def columns(answer: Recommendations) -> dict[str, ModelList]:
    return {column.model: column for column in answer.columns}


def test_a_test_users_next_item_has_the_rank_that_the_evaluation_gave_it(panel: Panel, seven_stages: Path) -> None:
    ranks = pq.read_table(seven_stages / "evaluate" / ARTIFACTS / ROW_RANKS.file).to_pylist()
    for hidden in (True, False):
        evaluated = {
            (line["model"], line["row"]): line["rank"]
            for line in ranks
            if line["split"] == "test" and line["hide_seen"] is hidden and line["candidates"] == "all"
        }
        for row in range(0, len(panel.users), 7):
            for model, column in columns(ask(panel, row, hide_seen=hidden)).items():
                assert column.state == READY
                assert column.next_rank == evaluated[model, row]


def test_the_true_next_item_is_marked_where_it_is_listed(panel: Panel) -> None:
    seen = 0
    for row in range(len(panel.users)):
        answer = ask(panel, row)
        assert answer.next is not None and answer.next.item == panel.users.next(row)
        for column in answer.columns:
            marked = [item for item in column.items if item.next]
            assert [item.item for item in marked] == [answer.next.item] * len(marked)
            assert column.next_rank is not None
            assert bool(marked) == (answer.next.item in [item.item for item in column.items])
            seen += len(marked)
    assert seen


def test_lists_hold_the_best_unseen_items_and_what_they_share_is_counted(panel: Panel) -> None:
    answer = ask(panel, 5)
    found = columns(answer)
    assert tuple(found) == MODELS
    for column in found.values():
        assert [item.rank for item in column.items] == list(range(1, 11))
        assert [item.score for item in column.items] == sorted((item.score for item in column.items), reverse=True)
        assert not {item.item for item in column.items} & {item.item for item in answer.history}
        assert all(item.title == panel.catalogue.titles[item.item] for item in column.items)
    sets = {name: {item.item for item in column.items} for name, column in found.items()}
    assert ("student", "distilled", len(sets["student"] & sets["distilled"])) in answer.overlap


def test_the_teacher_is_quoted_with_its_gate_without_being_loaded(panel: Panel, seven_stages: Path) -> None:
    from safetensors.numpy import load_file

    teacher = columns(ask(panel, 5))["teacher"]
    assert teacher.source == "knowledge"
    knowledge = seven_stages / "knowledge" / ARTIFACTS
    assert teacher.gates == pytest.approx(load_file(knowledge / GATE_WEIGHTS.file)["test"][5], abs=1e-4)
    held_out = load_file(knowledge / TEACHER_HELD_OUT.file)
    scores = held_out["table"] @ held_out["test"][5] + held_out.get("bias", 0)
    assert teacher.items[0].score == pytest.approx(scores[teacher.items[0].item], abs=1e-4)
    assert panel.needs(RecommendRequest(panel.users.history(5), 5)) == []


def test_asked_live_the_teacher_says_what_it_wrote_down(seven_stages: Path) -> None:
    panel = Panel(seven_stages / "knowledge")
    assert panel.users.split == "validation"
    history = panel.users.history(4)
    typed = RecommendRequest(history)
    assert panel.needs(typed) == ["student", "teacher"]
    assert columns(panel.answer(typed))["teacher"].state == LOADING
    panel.load("teacher")
    live, stored = (
        columns(panel.answer(typed))["teacher"],
        columns(panel.answer(RecommendRequest(history, 4)))["teacher"],
    )
    assert (live.source, stored.source) == ("live", "knowledge")
    assert [item.item for item in live.items] == [item.item for item in stored.items]
    assert [item.score for item in live.items] == pytest.approx([item.score for item in stored.items], abs=1e-4)
    assert live.gates == pytest.approx(stored.gates, abs=1e-3)


def test_without_leave_the_teacher_is_not_loaded_and_says_so(panel: Panel) -> None:
    question = RecommendRequest(panel.users.history(4), live=False)
    assert panel.needs(question) == []
    teacher = columns(panel.answer(question))["teacher"]
    assert teacher.state == MISSING_MODEL and "not asked live" in teacher.note


def test_a_model_that_is_not_there_says_so_and_the_others_answer(seven_stages: Path, tmp_path: Path) -> None:
    panel = Panel(seven_stages / "student")
    panel.load("student")
    found = columns(panel.answer(RecommendRequest(panel.users.history(0), 0)))
    assert found["student"].state == READY
    assert found["distilled"].state == MISSING_MODEL and "no distill run" in found["distilled"].note
    shutil.copytree(seven_stages, tmp_path / "runs")
    (tmp_path / "runs" / "student" / ARTIFACTS / STUDENT_MODEL.file).write_bytes(b"broken")
    panel = Panel(tmp_path / "runs" / "evaluate")
    for name in ("student", "distilled"):
        panel.load(name)
    found = columns(panel.answer(RecommendRequest(panel.users.history(0), 0)))
    assert found["student"].state == FAILED and "engine run student" in found["student"].note
    assert found["distilled"].state == READY


def test_scores_that_are_not_numbers_are_told_and_not_ranked(panel: Panel) -> None:
    from engine.recommend.predictions import Prediction

    broken = Panel.__new__(Panel)
    broken.__dict__ |= panel.__dict__ | {
        "_predictors": {"student": lambda history: Prediction(np.full(81, np.nan, np.float32))}
    }
    column = columns(broken.answer(RecommendRequest(panel.users.history(0), 0)))["student"]
    assert column.state == FAILED and "not a number" in column.note and "engine doctor" in column.note


def test_after_an_empty_history_nothing_is_said(panel: Panel) -> None:
    answer = panel.answer(RecommendRequest(np.zeros(0, dtype=np.int32)))
    assert {column.state for column in answer.columns} == {MISSING_MODEL}


def test_a_catalogue_is_searched_without_the_heavy_libraries(seven_stages: Path) -> None:
    code = (
        "import sys, json; from pathlib import Path; from engine.recommend.panel import Panel, RecommendRequest\n"
        f"panel = Panel(Path({str(seven_stages / 'evaluate')!r}))\n"
        "found = panel.catalogue.nearest(panel.catalogue.titles[7])\n"
        "column = panel.answer(RecommendRequest(panel.users.history(3), 3)).columns[1]\n"
        "heavy = [name for name in ('torch', 'transformers', 'hydra') if name in sys.modules]\n"
        "print(json.dumps([found[0], column.state, heavy]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == [7, READY, []]


def test_a_mixture_of_models_answers_for_held_out_rows_alone(new_chain: Callable[[], Any], small_runs: Any) -> None:
    chain = new_chain().copy(small_runs, "teacher", "distill")
    for name, models in (("students", "student,distill"), ("with-teacher", "teacher,distill")):
        named = {"model 1": "distill"}
        folder = chain.perform("knowledge", name, [f"knowledge.models=[{models}]"], named)
        mixed = Panel(folder)
        assert mixed.students == ["student"]  # and not the one that settings name
        history = mixed.users.history(0)
        assert not mixed.asks_teacher_live(RecommendRequest(history))
        stored = columns(mixed.answer(RecommendRequest(history, 0)))["teacher"]
        assert (stored.state, stored.run, len(stored.items)) == (READY, name, 10)
        assert (stored.gates is None) == (name == "students")
        live = columns(mixed.answer(RecommendRequest(history)))["teacher"]
        assert live.state == MISSING_MODEL and "held-out rows" in live.note
