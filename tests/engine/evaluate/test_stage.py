import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import load_file

from engine.data.sequences import Rows, Sequences
from engine.errors import RunError
from engine.evaluate.models import student_scores
from engine.evaluate.stage import run as evaluate
from engine.metrics.statistics import metric_interval
from engine.report.evaluation import render
from engine.runs.run import Run, Stopped
from engine.runs.schema import ARTIFACTS, CONTROL, STOP, Summary
from engine.stages import GPU_TIME, PROCESSOR_TIME, TRAIN_TOKENS
from engine.student.batches import histories
from engine.student.model import SequenceModel, load_student
from tests.fixtures.tiny_pipeline import Pipeline

TIMES = ("ms_per_request",)
MAIN = ("test", "true")


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / ARTIFACTS / name).open(newline="") as file:
        return list(csv.DictReader(file))


def slow_rank(scores: np.ndarray, target: int, hidden: set[int]) -> float:
    others = [i for i in range(1, len(scores)) if i != target and i not in hidden]
    above = sum(scores[i] > scores[target] for i in others)
    return 1 + above + sum(scores[i] == scores[target] for i in others) / 2


def test_every_model_split_and_protocol_has_its_row(finished: Path) -> None:
    rows = table(finished, "metrics.csv")
    keys = {(row["model"], row["split"], row["hide_seen"], row["candidates"]) for row in rows}
    protocols = [("true", "all"), ("false", "all"), ("false", "20")]
    expected = {(m, s, *p) for m in ("popularity", "student") for s in ("test", "validation") for p in protocols}
    expected |= {("oracle", "test", *p) for p in protocols}
    assert keys == expected
    assert len(rows) == len(keys)


def test_popularity_ranks_by_training_counts(finished: Path, sequences: Sequences, held_out: Rows) -> None:
    folder = finished
    ranks = pq.read_table(folder / ARTIFACTS / "ranks.parquet").to_pylist()
    counts = np.bincount(sequences.items, minlength=61)
    for hide in (True, False):
        found = [
            r["rank"]
            for r in ranks
            if (r["model"], r["split"], r["candidates"], r["hide_seen"]) == ("popularity", "test", "all", hide)
        ]
        expected = [
            slow_rank(counts, int(target), set(held_out.items[a:b].tolist()) if hide else set())
            for target, a, b in zip(held_out.targets, held_out.start, held_out.stop, strict=True)
        ]
        assert found == expected


def test_a_student_is_ranked_by_its_own_scores_and_the_table_tells_their_mean(finished: Path, held_out: Rows) -> None:
    folder = finished
    model = load_student(folder.parent / "student-1" / ARTIFACTS / "model.safetensors")
    with torch.no_grad():
        states = model.user_vectors(histories(held_out, slice(None), model.max_length))
        scores = (states @ model.item_table()[0].T).numpy()
    ranks = [
        slow_rank(scores[r], int(held_out.targets[r]), set(held_out.items[held_out.start[r] : held_out.stop[r]]))
        for r in range(len(held_out))
    ]
    (row,) = [
        r for r in table(folder, "metrics.csv") if (r["model"], r["split"], r["main"]) == ("student", "test", "true")
    ]
    assert float(row["hr@10"]) == pytest.approx(np.mean([rank <= 10 for rank in ranks]), abs=1e-9)
    assert float(row["mrr"]) == pytest.approx(np.mean([1 / rank for rank in ranks]), abs=1e-9)
    gains = [1 / np.log2(rank + 1) if rank <= 10 else 0.0 for rank in ranks]
    assert float(row["ndcg@10"]) == pytest.approx(np.mean(gains), abs=1e-9)
    assert float(row["ndcg@10 se"]) == pytest.approx(np.std(gains, ddof=1) / np.sqrt(len(gains)), abs=1e-9)
    low, high = metric_interval(gains, 200, 1)  # evaluate.samples, evaluate.candidate_seed
    assert (float(row["ndcg@10 low"]), float(row["ndcg@10 high"])) == pytest.approx((low, high), abs=1e-9)
    assert (row["made_by"], float(row["train_seconds"])) == ("student-1", 12.5)
    assert float(row["ms_per_request"]) > 0


def test_candidate_ranks_are_among_the_stored_candidates(finished: Path, held_out: Rows) -> None:
    folder = finished
    drawn = load_file(folder / ARTIFACTS / "candidates.safetensors")["test"]
    assert drawn.shape == (40, 20)
    assert (drawn[:, 0] == held_out.targets).all()
    scores = load_file(folder.parent / "data-1" / ARTIFACTS / "oracle.safetensors")["scores"]
    ranks = [
        r["rank"]
        for r in pq.read_table(folder / ARTIFACTS / "ranks.parquet").to_pylist()
        if (r["model"], r["candidates"]) == ("oracle", "20")
    ]
    assert ranks == [1 + int((scores[row, drawn[row]] > scores[row, drawn[row, 0]]).sum()) for row in range(40)]


def test_candidates_have_the_mean_of_hr_over_all_draws_beside_that_of_one(finished: Path, held_out: Rows) -> None:
    scores = load_file(finished.parent / "data-1" / ARTIFACTS / "oracle.safetensors")["scores"]
    latest = held_out.latest(10)
    chances = []
    for row, target in enumerate(held_out.targets):
        pool = sorted(set(range(1, 61)) - {int(target), *latest[row].tolist()})
        ahead = int((scores[row, pool] >= scores[row, target]).sum())
        chances.append(math.comb(len(pool) - ahead, 19) / math.comb(len(pool), 19))
    for row in table(finished, "metrics.csv"):
        assert bool(row["expected_hr@1"]) == (row["candidates"] == "20")
        if (row["model"], row["candidates"]) == ("oracle", "20"):
            assert float(row["expected_hr@1"]) == pytest.approx(np.mean(chances), abs=1e-9)
            assert float(row["expected_hr@1 se"]) == pytest.approx(np.std(chances, ddof=1) / np.sqrt(40), abs=1e-9)
            ends = float(row["expected_hr@1 low"]), float(row["expected_hr@1 high"])
            assert ends == pytest.approx(metric_interval(chances, 200, 1), abs=1e-9)


def test_the_ranks_table_names_user_and_target_of_every_row(finished: Path, held_out: Rows) -> None:
    ranks = pq.read_table(finished / ARTIFACTS / "ranks.parquet").to_pylist()
    for r in ranks:
        if r["split"] == "test":
            assert (r["user"], r["target"]) == (held_out.users[r["row"]], held_out.targets[r["row"]])


def test_data_without_an_oracle_is_evaluated_without_it(pipeline_without_oracle: Any) -> None:
    rows = table(pipeline_without_oracle.evaluate(), "metrics.csv")
    assert {row["model"] for row in rows} == {"popularity", "student"}


def test_the_main_protocol_is_the_one_that_the_settings_ask_for(pipeline: Any) -> None:
    rows = table(pipeline.evaluate("evaluate.hide_seen=false"), "metrics.csv")
    assert {(row["hide_seen"], row["candidates"]) for row in rows if row["main"] == "true"} == {("false", "all")}


def test_the_same_evaluation_twice_writes_the_same_bytes_except_times(finished: Path, pipeline: Any) -> None:
    first, second = finished, pipeline.evaluate(name="evaluate-2")
    for name in ("slices.csv", "comparisons.csv", "overlaps.csv", "ranks.parquet", "candidates.safetensors"):
        assert (first / ARTIFACTS / name).read_bytes() == (second / ARTIFACTS / name).read_bytes()
    for a, b in zip(table(first, "metrics.csv"), table(second, "metrics.csv"), strict=True):
        assert {k: v for k, v in a.items() if k not in ("run", *TIMES)} == {
            k: v for k, v in b.items() if k not in ("run", *TIMES)
        }


def test_where_there_is_a_gpu_a_request_is_timed_there_and_on_the_processor(
    pipeline: Any, held_out: Rows, validation_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Device cpu:0 stands in for the GPU: it computes the same, and is not the processor by its name."""
    pipeline.teach(held_out, validation_rows, {GPU_TIME: 19.0})
    on: dict[Any, str] = {}

    def tagged(network: SequenceModel, rows: Rows, device: str) -> Any:
        score = student_scores(network, rows, device)
        on[score] = device
        return score

    monkeypatch.setattr("engine.evaluate.models.student_scores", tagged)
    monkeypatch.setattr("engine.evaluate.stage._device", lambda config: "cpu:0")
    monkeypatch.setattr("engine.evaluate.latency._median", lambda score, *_: {"cpu": 0.4, "cpu:0": 8.0}[on[score]])
    folder = pipeline.evaluate("evaluate.models=[student,teacher,distilled]")
    main = {r["model"]: r for r in table(folder, "metrics.csv") if (r["split"], r["main"]) == MAIN}
    for model in ("student", "distilled"):
        assert [float(main[model][name]) for name in (PROCESSOR_TIME, GPU_TIME)] == [0.4, 8.0]
    assert (main["teacher"][PROCESSOR_TIME], float(main["teacher"][GPU_TIME])) == ("", 19.0)
    lines = render(folder).splitlines()
    header = next(index for index, line in enumerate(lines) if line.endswith("ms/request  on GPU"))
    found = [line.split()[-2:] for line in lines[header + 1 : header + 4]]
    assert found == [["0.40", "8.00"], ["-", "19.00"], ["0.40", "8.00"]]


def test_both_devices_are_measured(pipeline: Any, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.evaluate.stage._device", lambda config: "cpu:0")
    found, alone = table(pipeline.evaluate(), "metrics.csv"), table(finished, "metrics.csv")
    student, others = ([row for row in found if (row["model"] == "student") == is_it] for is_it in (True, False))
    assert student and all(float(row[name]) > 0 for row in student for name in (PROCESSOR_TIME, GPU_TIME))
    assert {row[PROCESSOR_TIME] for row in others} == {""}  # they are no servers: where they were ranked is enough
    assert [name for name in found[0] if name not in alone[0]] == [GPU_TIME]
    assert [row["ndcg@10"] for row in found] == [row["ndcg@10"] for row in alone]


def test_no_candidates_where_items_are_too_few(pipeline: Any) -> None:
    folder = pipeline.evaluate("evaluate.candidates=55")
    assert {row["candidates"] for row in table(folder, "metrics.csv")} == {"all"}
    assert not (folder / ARTIFACTS / "candidates.safetensors").exists()


def test_the_run_reports_the_last_trained_model_and_neither_floor_nor_ceiling(finished: Path) -> None:
    folder = finished
    summary = Summary.read(folder)
    assert summary is not None
    (row,) = [
        r for r in table(folder, "metrics.csv") if (r["model"], r["split"], r["main"]) == ("student", "test", "true")
    ]
    assert summary.last["ndcg@10"] == pytest.approx(float(row["ndcg@10"]))
    assert summary.facts["model"] == "student"
    assert summary.facts["figures"]["oracle"]["hr@10"] > summary.facts["figures"]["student"]["hr@10"]


def test_models_are_compared_under_the_main_protocol_and_not_with_the_oracle(finished: Path) -> None:
    value = {r["model"]: float(r["hr@10"]) for r in table(finished, "metrics.csv") if (r["split"], r["main"]) == MAIN}
    rows = [r for r in table(finished, "comparisons.csv") if (r["metric"], r["slice"]) == ("hr@10", "all")]
    assert [(r["model"], r["baseline"]) for r in rows] == [("student", "popularity")]
    assert float(rows[0]["difference"]) == pytest.approx(value["student"] - value["popularity"], abs=1e-8)


def test_slices_add_up_to_the_whole(finished: Path) -> None:
    folder = finished
    (whole,) = [
        r for r in table(folder, "metrics.csv") if (r["model"], r["split"], r["main"]) == ("student", "test", "true")
    ]
    own = [
        r
        for r in table(folder, "slices.csv")
        if (r["model"], r["hide_seen"], r["candidates"]) == ("student", "true", "all")
    ]
    for kind in (
        [r for r in own if r["slice"].startswith("history")],
        [r for r in own if not r["slice"].startswith("history")],
    ):
        assert sum(int(r["rows"]) for r in kind) == 40
        total = sum(int(r["rows"]) * float(r["mrr"]) for r in kind)
        assert total / 40 == pytest.approx(float(whole["mrr"]), abs=1e-8)


def test_teacher_and_distilled_student_stand_beside_the_baseline(
    pipeline: Any, held_out: Rows, validation_rows: Rows
) -> None:
    answers = pipeline.teach(held_out, validation_rows)
    folder = pipeline.evaluate("evaluate.models=[popularity,student,teacher,distilled]")
    main = {r["model"]: r for r in table(folder, "metrics.csv") if (r["split"], r["main"]) == MAIN}
    assert list(main) == ["popularity", "student", "teacher", "distilled"]
    assert [main[m]["made_by"] for m in ("teacher", "distilled")] == ["teacher-1", "distill-1"]
    assert [float(main["teacher"][name]) for name in ("train_seconds", "ms_per_request")] == [99.0, 250.0]
    assert [main[name][TRAIN_TOKENS] for name in ("teacher", "distilled")] == ["5000", ""]
    scores = answers["test"] @ answers["table"].T
    hits = [
        slow_rank(scores[r], int(held_out.targets[r]), set(held_out.items[held_out.start[r] : held_out.stop[r]])) <= 10
        for r in range(len(held_out))
    ]
    assert float(main["teacher"]["hr@10"]) == pytest.approx(np.mean(hits))
    text = " ".join(render(folder).split())
    for pair in (("student", "popularity"), ("teacher", "student"), ("distilled", "student"), ("distilled", "teacher")):
        said = [f"{pair[0]} > {pair[1]}:", f"{pair[0]} < {pair[1]}:"]
        said.append(f"{pair[0]} and {pair[1]} cannot be told apart")
        assert sum(sentence in text for sentence in said) == 1
    assert not re.search("distilled (>|<|and) popularity", text)
    summary = Summary.read(folder)  # what a list of runs shows: the taught student, whoever is best
    assert summary is not None and summary.facts["model"] == "distilled"
    assert summary.last["ndcg@10"] == pytest.approx(float(main["distilled"]["ndcg@10"]))


def test_an_evaluation_that_is_asked_to_stop_ends_without_a_table(
    pipeline: Any,
) -> None:
    settings, folder = pipeline.plan()
    with pytest.raises(Stopped), Run.open(folder) as run:
        (folder / CONTROL).mkdir(exist_ok=True)
        (folder / CONTROL / STOP).touch()
        evaluate(settings, run)
    assert not (folder / ARTIFACTS / "metrics.csv").exists()


def test_a_model_that_was_not_made_is_an_error_that_names_its_maker(
    pipeline: Any,
) -> None:
    settings, folder = pipeline.plan("evaluate.models=[popularity,distilled]")
    with pytest.raises(RunError, match="distill"), Run.open(folder) as run:
        evaluate(settings, run)


def habit(rows: Rows, people: int) -> Rows:
    """The same rows, in which the first ``people`` targets are the first items of their histories."""
    items = rows.items.copy()
    items[rows.stop[:people]] = items[rows.start[:people]]
    return Rows(items, rows.start, rows.stop, rows.users)


def test_people_who_take_items_again_are_ranked_with_seen_items_and_the_table_says_so(
    tmp_path: Path, sequences: Sequences, held_out: Rows, validation_rows: Rows
) -> None:
    test = habit(held_out, 30)
    pipeline = Pipeline(tmp_path, sequences, test, habit(validation_rows, 10))
    folder = pipeline.evaluate()
    rows = table(folder, "metrics.csv")
    main = [row for row in rows if row["main"] == "true"]
    shown = {(row["hide_seen"], row["candidates"], row["hide_seen_setting"]) for row in main}
    assert shown == {("false", "all", "auto")}
    assert {(row["split"], row["repeated_targets"]) for row in rows} == {("test", "30"), ("validation", "10")}
    words = " ".join(render(folder).split())
    assert "30 of 40 test targets repeat an item of their history; evaluate.hide_seen=auto does not hide" in words
    slices = {(row["slice"], row["hide_seen"]): row for row in table(folder, "slices.csv") if row["model"] == "student"}
    assert (slices["repeats", "false"]["rows"], slices["new items", "true"]["rows"]) == ("30", "10")
    assert float(slices["repeats", "true"]["hr@20"]) == float(slices["repeats", "true"]["mrr"]) == 0.0
    listed = [r for r in pq.read_table(folder / ARTIFACTS / "ranks.parquet").to_pylist() if r["split"] == "test"]
    hidden = {r["row"] for r in listed if r["hide_seen"] and r["model"] == "student" and np.isinf(r["rank"])}
    assert hidden == set(range(30))


@pytest.mark.parametrize(("word", "hidden"), [("auto", "true"), ("true", "true"), ("false", "false")])
def test_without_repeats_the_tables_have_no_new_columns_or_slices(pipeline: Any, word: str, hidden: str) -> None:
    folder = pipeline.evaluate(f"evaluate.hide_seen={word}")
    rows = table(folder, "metrics.csv")
    assert {row["hide_seen"] for row in rows if row["main"] == "true"} == {hidden}
    assert not {"repeated_targets", "hide_seen_setting"} & rows[0].keys()
    assert not {"repeats", "new items"} & {row["slice"] for row in table(folder, "slices.csv")}
    assert "repeat" not in render(folder)


def test_seen_items_stay_hidden_when_it_is_asked_for(
    tmp_path: Path, sequences: Sequences, held_out: Rows, validation_rows: Rows
) -> None:
    folder = Pipeline(tmp_path, sequences, habit(held_out, 30), habit(validation_rows, 30)).evaluate(
        "evaluate.hide_seen=true"
    )
    (student,) = [
        row
        for row in table(folder, "metrics.csv")
        if (row["model"], row["split"], row["main"]) == ("student", "test", "true")
    ]
    assert student["hide_seen"] == "true" and float(student["hr@20"]) <= 10 / 40
    assert "so these targets count as missed" in " ".join(render(folder).split())


def test_ties_of_many_test_targets_stand_in_the_protocol_and_few_do_not(pipeline: Any) -> None:
    path = pipeline.root / "data-1" / ARTIFACTS / "profile.json"
    profile = json.loads(path.read_text()) | {"rows": {"test": 40}}
    for tied, words in ((2, False), (3, True)):
        path.write_text(json.dumps(profile | {"ties": {"test": tied, "shuffled": 1.5, "pairs": 9, "ascending": 9}}))
        folder = pipeline.evaluate(name=f"evaluate-{tied}")
        assert ("3 of 40 test targets share their time" in " ".join(render(folder).split())) == words
        assert ("tied_targets" in table(folder, "metrics.csv")[0]) == words
        assert max(map(len, render(folder).splitlines())) <= 80
