import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.cli import main
from engine.errors import RunError
from engine.jobs.store import Store
from engine.recommend.recommendations import load
from engine.runs.schema import CONFIG
from engine.shipping import agreement, onnx_file, student_export
from engine.shipping.ranking_graph import RankingGraph
from engine.shipping.vectors import UserVectors
from engine.stages import DISTILLED_MODEL
from engine.student.model import load_student


@pytest.fixture
def torch_in_place_of_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph itself is asked, whether or not the packages of ONNX are here."""
    graphs: list[RankingGraph] = []

    def write(path: Path, graph: RankingGraph) -> None:
        graphs.append(graph)
        path.write_bytes(b"graph")

    def read(path: Path) -> object:
        return lambda history: tuple(part.detach().numpy() for part in graphs[-1](torch.from_numpy(history)))

    monkeypatch.setattr(onnx_file, "write", write)
    monkeypatch.setattr(onnx_file, "read", read)


def subject(runs: Path, run: str, model: str | None = None) -> student_export.Subject:
    store = Store(runs)
    return student_export.subject_of(store, store.find(run), model)


def test_the_distilled_student_is_exported_where_there_is_one(seven_stages: Path, tmp_path: Path) -> None:
    found = subject(seven_stages, "evaluate")
    assert (found.name, found.run.name, found.evaluation) == ("distilled", "distill", seven_stages / "evaluate")
    assert subject(seven_stages, "evaluate", "student").name == "student"
    assert subject(seven_stages, "student").run.name == "student"
    with pytest.raises(RunError, match="no recommender"):
        subject(seven_stages, "data")
    with pytest.raises(RunError, match="no distill run"):
        subject(seven_stages, "student", "distilled")


def test_the_files_rank_like_the_run(seven_stages: Path, tmp_path: Path) -> None:
    found = student_export.export(subject(seven_stages, "evaluate"), tmp_path, ["npy", "safetensors"], 10, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == found.files
    ours = load_student(seven_stages / "distill" / "artifacts" / DISTILLED_MODEL.file)
    assert np.array_equal(np.load(tmp_path / "item_vectors.npy"), ours.item_table()[0].detach().numpy()[1:])
    assert UserVectors(tmp_path)([[1, 2, 3]]).shape == (1, 16)
    items = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    catalogue = load(seven_stages / "evaluate").catalogue
    assert [item["item"] for item in items] == list(range(1, 81))
    assert [(item["raw"], item["title"]) for item in items] == list(
        zip(catalogue.raw[1:], catalogue.titles[1:], strict=True)
    )


def test_the_card_states_protocol_figures_data_and_agreement(
    seven_stages: Path, tmp_path: Path, torch_in_place_of_onnx: None
) -> None:
    found = student_export.export(subject(seven_stages, "distill"), tmp_path, ["onnx"], 10, None)
    assert found.files == ["items.jsonl", "model.onnx", "model_card.md"]
    assert found.agreement is not None and found.agreement.close
    card = (tmp_path / "model_card.md").read_text()
    profile = json.loads((seven_stages / "data" / "artifacts" / "profile.json").read_text())
    for text in (
        "# sasrec, distilled, on demo",
        "test rows (leave-one-out), targets " + profile["targets_hash"],
        "seen items hidden, ranked among all items",
        "hr@10",
        "± the farther end of the 95 % interval over rows",
        "evaluated by run evaluate",
        "Fingerprint of the data run data",
        f"Over {found.agreement.rows:,} histories",
        "only as its licence allows",
        "`model.onnx`",
    ):
        assert text in card, text
    lines = [line.split()[0] for line in card.splitlines() if "±" in line and "farther" not in line]
    assert lines == ["student", "distilled"]


def test_a_student_that_nobody_evaluated_has_no_figures(seven_stages: Path, tmp_path: Path) -> None:
    nobody = student_export.Subject(**{**vars(subject(seven_stages, "student")), "evaluation": None})
    student_export.export(nobody, tmp_path, ["npy"], 10, None)
    assert "not evaluated on test rows" in (tmp_path / "model_card.md").read_text()


@pytest.mark.parametrize(
    ("models", "text"),
    [
        (["teacher"], "distilled (DLLM2Rec) from an LLM recommender."),
        (["teacher", "transitions+titles"], "distilled (DLLM2Rec) from an LLM recommender, transitions+titles."),
        (["student"], "distilled (DLLM2Rec) from student."),
        ([], "from knowledge whose run is no longer there."),
    ],
)
def test_the_card_names_what_the_student_was_distilled_from(
    seven_stages: Path, tmp_path: Path, models: list[str], text: str
) -> None:
    found = subject(seven_stages, "distill")
    runs = {stage: folder for stage, folder in found.runs.items() if stage != "knowledge"}
    if models:
        runs["knowledge"] = tmp_path / "knowledge"
        runs["knowledge"].mkdir()
        (runs["knowledge"] / CONFIG).write_text(json.dumps({"knowledge": {"models": models}}))
    student_export.export(replace(found, runs=runs), tmp_path / "card", ["npy"], 10, None)
    assert text in (tmp_path / "card" / "model_card.md").read_text()


def test_a_model_that_would_rank_otherwise_is_not_written(
    seven_stages: Path, tmp_path: Path, torch_in_place_of_onnx: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = onnx_file.read

    def wrong(path: Path) -> object:
        def answer(history: np.ndarray) -> object:
            items, scores, users = right(path)(history)
            return items[:, ::-1].copy(), scores, users

        return answer

    monkeypatch.setattr(onnx_file, "read", wrong)
    with pytest.raises(RunError, match="ranks otherwise"):
        student_export.export(subject(seven_stages, "distill"), tmp_path / "new", ["onnx", "npy"], 10, None)
    assert list((tmp_path / "new").iterdir()) == []


def test_what_is_compared_are_training_histories(
    seven_stages: Path, tmp_path: Path, torch_in_place_of_onnx: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement.some_histories, "__defaults__", (7,))
    found = student_export.export(subject(seven_stages, "distill"), tmp_path, ["onnx"], 10, None)
    assert found.agreement is not None and found.agreement.rows == 7


@pytest.mark.parametrize(("words", "listed"), [([], "never"), (["--show-seen"], "may"), (["--no-show-seen"], "never")])
def test_the_command_says_whether_items_of_the_history_are_listed(
    seven_stages: Path, tmp_path: Path, torch_in_place_of_onnx: None, words: list[str], listed: str
) -> None:
    assert main(["export", "model", "distill", "--to", str(tmp_path), "--runs", str(seven_stages), *words]) == 0
    assert (
        f"Items of the history {'are never' if listed == 'never' else 'may be'} listed"
        in (tmp_path / "model_card.md").read_text()
    )
