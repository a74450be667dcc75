"""The whole way from a small world to a teacher's knowledge, with the stages as they are."""

import json
import math
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from engine.cli import main
from engine.config import read
from engine.data.sequences import Rows, Sequences
from engine.evaluate.models import teacher_scores
from engine.knowledge import inference
from engine.knowledge.rankings import Rankings, top_items
from engine.metrics import grounding, ranking
from engine.metrics.selection import cross_fitted
from engine.runs.run import Run, Stopped
from engine.runs.schema import CONFIG, CONTROL, STOP, Summary
from engine.stages import (
    ADAPTER,
    GATE_WEIGHTS,
    ITEM_VECTORS,
    ITEMS,
    LAST_POSITION,
    RANKINGS,
    SEQUENCES,
    TEACHER_HELD_OUT,
    TEST_HISTORIES,
    TEXT_VECTORS,
    VALIDATION,
)
from tests.fixtures.processes import run_in_processes, start_with_processes
from tests.fixtures.small_runs import GENERATE

LM = os.environ.get("ENGINE_TEST_LM")


@pytest.fixture(scope="module")
def chain(new_chain: Callable[[], Any], small_runs: Any) -> Any:
    return new_chain().copy(small_runs, "teacher", "knowledge")


def test_every_training_event_but_the_first_of_each_user_gets_a_ranking(chain: Any) -> None:
    sequences = Sequences.load(chain.made("data", SEQUENCES))
    rankings = Rankings.load(chain.made("knowledge", RANKINGS))
    expected = np.setdiff1d(np.arange(len(sequences.items)), sequences.offsets[:-1])
    assert rankings.rows.tolist() == expected.tolist()
    assert rankings.items.shape == rankings.distances.shape == (len(expected), 10)


def test_rankings_are_of_unseen_items_and_nearest_first(chain: Any) -> None:
    sequences = Sequences.load(chain.made("data", SEQUENCES))
    rankings = Rankings.load(chain.made("knowledge", RANKINGS))
    assert (rankings.distances[:, 1:] >= rankings.distances[:, :-1]).all()
    assert (torch.exp(-rankings.distances).sum(dim=1) <= 1 + 1e-5).all()
    for row, items in zip(rankings.rows.tolist(), rankings.items.tolist(), strict=True):
        user = int(np.searchsorted(sequences.offsets, row, side="right")) - 1
        assert not set(items) & set(sequences.items[sequences.offsets[user] : row].tolist())
        assert min(items) >= 1 and len(set(items)) == len(items)


@pytest.mark.parametrize("kind", ["chain", "generative"])
def test_prompts_are_counted_while_the_teacher_is_asked(request: pytest.FixtureRequest, kind: str) -> None:
    made = request.getfixturevalue(kind)
    rows = Rows.load(made.made("data", VALIDATION))
    counts: dict[str, list[tuple[int, int]]] = {}
    for event in events(made.runs / "knowledge"):
        if event["k"] == "prog":
            counts.setdefault(event["phase"], []).append((event["step"], event["total"]))
    asked = int((rows.stop > rows.start).sum())
    assert counts["ask about validation"][-1] == (asked, asked) and len(counts["ask about validation"]) > 1
    prompts = counts["ask"][-1][1]
    assert [total for _, total in counts["ask"]] == [prompts] * len(counts["ask"]) and counts["ask"][-1][0] == prompts
    assert [done for done, _ in counts["ask"]] == sorted(done for done, _ in counts["ask"])
    assert {"read student", "ask about test"} <= set(counts)


def test_the_last_position_of_every_history_gets_a_ranking_of_unseen_items(chain: Any) -> None:
    sequences = Sequences.load(chain.made("data", SEQUENCES))
    last_position = Rankings.load(chain.made("knowledge", LAST_POSITION))
    assert (np.diff(sequences.offsets) > 1).all() and last_position.rows.tolist() == sequences.offsets[1:].tolist()
    for user, items in enumerate(last_position.items.tolist()):
        assert not set(items) & set(sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]].tolist())


def test_a_last_position_is_ranked_as_the_same_history_in_a_validation_row(chain: Any) -> None:
    rows, held_out = Rows.load(chain.made("data", VALIDATION)), load_file(chain.made("knowledge", TEACHER_HELD_OUT))
    seen = tuple(torch.from_numpy(part.astype(np.int64)) for part in (rows.items, rows.start, rows.stop))
    _, expected = top_items(held_out["validation"], held_out["table"], held_out.get("bias"), seen, 10)  # type: ignore[arg-type]
    last_position = Rankings.load(chain.made("knowledge", LAST_POSITION))
    assert rows.users.tolist() == Sequences.load(chain.made("data", SEQUENCES)).users.tolist()
    whole = rows.stop - rows.start <= read(chain.runs / "teacher" / CONFIG).teacher.history  # shown as a whole by both
    assert whole.sum() > 20
    torch.testing.assert_close(last_position.distances[whole], expected[whole], rtol=1e-3, atol=1e-3)


def test_ranking_last_positions_changes_no_other_ranking(chain: Any) -> None:
    folder = chain.perform("knowledge", "no-last-position", ["knowledge.last_position=false"])
    without, whole = (Rankings.load(chain.made(name, RANKINGS)) for name in (folder.name, "knowledge"))
    assert torch.equal(without.rows, whole.rows) and not len(Rankings.load(chain.made(folder.name, LAST_POSITION)).rows)
    torch.testing.assert_close(without.distances, whole.distances, rtol=1e-4, atol=1e-4)


def test_what_follows_a_whole_test_history_is_not_asked(chain: Any) -> None:
    shutil.copytree(chain.runs / "data", chain.runs / "tested", symlinks=True)
    sequences, own = Sequences.load(chain.made("tested", SEQUENCES)), [2, 11, 40]  # users tested after all of theirs
    rows = [sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]] for user in range(len(sequences))]
    rows = [row if user in own else np.append(row, row[:1]) for user, row in enumerate(rows)]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    Sequences(np.concatenate(rows), offsets, sequences.users).save(chain.made("tested", TEST_HISTORIES))
    chain.perform("knowledge", "tested-knowledge", [], {"data": "tested"})
    last, whole = (Rankings.load(chain.made(name, LAST_POSITION)) for name in ("tested-knowledge", "knowledge"))
    kept = ~torch.isin(whole.rows, torch.from_numpy(sequences.offsets[1:][own]))
    assert torch.equal(last.rows, whole.rows[kept]) and int(kept.sum()) == len(sequences) - 3
    assert torch.equal(
        Rankings.load(chain.made("tested-knowledge", RANKINGS)).rows,
        Rankings.load(chain.made("knowledge", RANKINGS)).rows,
    )
    summary = Summary.read(chain.runs / "tested-knowledge")
    assert summary is not None and summary.facts["test_histories_left_out"] == 3


def test_a_template_that_goes_on_behind_the_history_ranks_one_row_a_prompt(chain: Any) -> None:
    overrides = ["teacher.rank.targets=1", "teacher.templates=[Seen [HistoryHere]. Next:]", "teacher.steps=4"]
    chain.perform("teacher", "behind", overrides)
    for targets in (1, 8):
        wanted = [f"knowledge.targets={targets}", "knowledge.last_position=false"]
        chain.perform("knowledge", f"behind-{targets}", wanted, {"teacher": "behind"})
    one, eight = (Rankings.load(chain.made(f"behind-{targets}", RANKINGS)) for targets in (1, 8))
    assert torch.equal(one.rows, eight.rows) and torch.equal(one.distances, eight.distances)


def test_the_loaded_teacher_is_as_good_as_when_it_was_saved(chain: Any) -> None:
    facts, asked = Summary.read(chain.runs / "teacher"), Summary.read(chain.runs / "knowledge")
    assert facts is not None and asked is not None
    assert asked.best["val_ndcg@10"]["v"] == facts.facts["best"]["val_ndcg@10"]


def test_gates_item_vectors_and_held_out_queries_fit_each_other(chain: Any) -> None:
    gates = load_file(chain.made("knowledge", GATE_WEIGHTS))
    assert torch.equal(gates["rows"], Rankings.load(chain.made("knowledge", RANKINGS)).rows)
    torch.testing.assert_close(gates["weights"].sum(dim=1), torch.ones(len(gates["rows"])))
    vectors = load_file(chain.made("knowledge", ITEM_VECTORS))["vectors"]
    held_out = load_file(chain.made("knowledge", TEACHER_HELD_OUT))
    assert vectors.shape == (81, 2 * 8) and (vectors[0] == 0).all()
    assert held_out["table"].shape == (81, held_out["test"].shape[1])
    assert len(held_out["test"]) == len(Sequences.load(chain.made("data", TEST_HISTORIES)))
    assert len(held_out["validation"]) == len(load_file(chain.made("data", VALIDATION))["users"])


def test_a_stopped_run_continues_with_the_shards_it_has(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, folder = chain.start("knowledge", "stopped")
    stage = import_module("engine.knowledge.stage")
    with pytest.raises(Stopped), Run.open(folder) as run:
        monkeypatch.setattr(
            Run, "stop_requested", property(lambda self: len(list(self.checkpoints.glob("shard*"))) >= 2)
        )
        stage.run(settings, run)
    kept = {path.name: path.stat().st_mtime_ns for path in (folder / "checkpoints").glob("shard*")}
    assert len(kept) == 2
    monkeypatch.undo()
    with Run.open(folder) as run:
        stage.run(settings, run)
    assert all((folder / "checkpoints" / name).stat().st_mtime_ns == when for name, when in kept.items())
    whole, again = (Rankings.load(chain.made(name, RANKINGS)) for name in ("knowledge", "stopped"))
    assert torch.equal(whole.items, again.items) and torch.equal(whole.distances, again.distances)


def test_two_processes_share_the_prompts_and_a_stop_and_write_the_files_of_one(chain: Any) -> None:
    words = ["knowledge.batch=2", "knowledge.shard=20"]
    chain.perform("knowledge", "alone", words)
    settings, folder = chain.start("knowledge", "shared", words)
    (folder / CONTROL).mkdir()
    (folder / CONTROL / STOP).touch()
    run_in_processes(settings, folder, status=143)
    assert len(list((folder / "checkpoints").glob("shard*"))) == 1 and not chain.made("shared", RANKINGS).exists()
    (folder / CONTROL / STOP).unlink()
    run_in_processes(settings, folder)
    run_in_processes(*chain.start("knowledge", "in-parts", [*words, "trainer.strategy=fsdp", "trainer.devices=2"]))
    for artifact in (RANKINGS, LAST_POSITION, GATE_WEIGHTS, ITEM_VECTORS, TEACHER_HELD_OUT):
        one, *others = (load_file(chain.made(name, artifact)) for name in ("alone", "shared", "in-parts"))
        for other in others:
            assert one.keys() == other.keys()
            assert all(torch.equal(one[name], other[name]) for name in one), artifact.file
    values = [Summary.read(chain.runs / name).best["val_ndcg@10"] for name in ("alone", "shared")]
    assert values[0] == values[1]


def killed_after(count: int, settings: Any, folder: Path) -> None:
    """The stage, killed when it has written one shard more than ``count``, which still has its scratch name."""
    save, written = inference.save_file, []

    def save_file(tensors: dict[str, torch.Tensor], path: Path) -> None:
        save(tensors, path)
        written.append(path)
        if len(written) > count:
            os.kill(os.getpid(), signal.SIGKILL)

    inference.save_file = save_file
    with Run.open(folder) as run:
        import_module("engine.knowledge.stage").run(settings, run)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_killed_at_sixty_percent_it_continues_there_to_the_same_rankings(chain: Any) -> None:
    settings, folder = chain.start("knowledge", "killed")
    total = len(list((chain.runs / "knowledge" / "checkpoints").glob("shard*")))
    count = math.ceil(0.6 * total)
    process = multiprocessing.get_context("fork").Process(target=killed_after, args=(count, settings, folder))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL and not chain.made("killed", RANKINGS).exists()
    kept = {path: path.stat().st_mtime_ns for path in (folder / "checkpoints").glob("shard*.safetensors")}
    assert len(kept) == count < total
    with Run.open(folder) as run:
        import_module("engine.knowledge.stage").run(settings, run)
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    resumed = [event["resumed_from"] for event in events(folder) if event.get("resumed_from")]
    assert resumed == [settings.knowledge.shard * count]
    whole, again = (Rankings.load(chain.made(name, RANKINGS)) for name in ("knowledge", "killed"))
    assert torch.equal(whole.items, again.items) and torch.equal(whole.distances, again.distances)


def test_an_empty_title_and_one_longer_than_the_context_go_all_the_way(chain: Any, tmp_path: Path) -> None:
    other = type(chain)(tmp_path)
    for name in ("data", "student"):
        shutil.copytree(chain.runs / name, tmp_path / name)
    table = pq.read_table(chain.made("data", ITEMS)).to_pydict()
    table["title"][:2], table["text"][:2] = ["", "so long " * 1000], ["", ""]
    pq.write_table(pa.table(table), other.made("data", ITEMS))
    for stage in ("backbone", "teacher", "knowledge"):
        other.perform(stage)
    vectors = load_file(other.made("backbone", TEXT_VECTORS))["vectors"]
    assert torch.isfinite(vectors).all()
    assert torch.isfinite(Rankings.load(other.made("knowledge", RANKINGS)).distances).all()


@pytest.mark.parametrize("kind", ["random", "uncertain", "disagreement"])
def test_a_budget_ranks_a_share_of_the_rows_and_ranks_them_the_same(chain: Any, kind: str) -> None:
    folder = chain.perform("knowledge", kind, [f"knowledge.query_selection={kind}", "knowledge.budget=0.25"])
    whole, some = (Rankings.load(chain.made(path.name, RANKINGS)) for path in (chain.runs / "knowledge", folder))
    last = [len(Rankings.load(chain.made(name, LAST_POSITION)).rows) for name in ("knowledge", folder.name)]
    assert len(some.rows) + last[1] == round(0.25 * (len(whole.rows) + last[0])) and last[1] > 0
    index = {row: k for k, row in enumerate(whole.rows.tolist())}
    same = [index[row] for row in some.rows.tolist()]
    torch.testing.assert_close(some.distances, whole.distances[same], rtol=1e-4, atol=1e-4)


def test_a_budget_is_spent_on_whole_prompts(chain: Any) -> None:
    few = ["knowledge.query_selection=random", "knowledge.budget=0.1"]
    folder = chain.perform("knowledge", "few", few)
    progress = [event.get("total") for event in events(folder) if event.get("phase") == "ask"]
    rankings = Rankings.load(chain.made("few", RANKINGS))
    assert progress and progress[-1] <= 1 + len(rankings.rows) / 4  # prompts: a user here has five to eight rows


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_training_twice_gives_the_same_adapter(chain: Any) -> None:
    again = chain.perform("teacher", "again")
    first, second = (load_file(chain.made(path.name, ADAPTER)) for path in (chain.runs / "teacher", again))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    shutil.rmtree(again)


@pytest.mark.slow
def test_two_processes_share_the_titles_that_they_generate(generative: Any, new_chain: Callable[[], Any]) -> None:
    own = new_chain().copy(generative, "teacher")
    settings, folder = own.start("knowledge", "shared", [*GENERATE, "knowledge.batch=3"])
    start_with_processes(settings, folder)
    own.perform("knowledge", "alone", [*GENERATE, "knowledge.batch=3"])
    for artifact in (RANKINGS, GATE_WEIGHTS, TEACHER_HELD_OUT):
        one, other = (load_file(own.made(name, artifact)) for name in ("alone", "shared"))
        assert all(torch.equal(one[name], other[name]) for name in one), artifact.file


def test_a_teacher_that_generates_titles_is_trained_and_grounded(generative: Any) -> None:
    facts = Summary.read(generative.runs / "teacher")
    assert facts is not None and 0 <= facts.facts["best"]["valid_ratio"] <= 1
    assert not any(name.startswith("head.") for name in load_file(generative.made("teacher", ADAPTER)))
    rankings = Rankings.load(generative.made("knowledge", RANKINGS))
    assert (rankings.distances[:, 1:] >= rankings.distances[:, :-1]).all()
    assert rankings.distances.min() >= 0 and rankings.distances.max() <= 1
    held_out = load_file(generative.made("knowledge", TEACHER_HELD_OUT))
    assert held_out["items"].shape == (81, held_out["validation"].shape[1])
    assert float(held_out["gamma"]) in (0.0, 1.0, 30.0)
    scores = teacher_scores(
        generative.made("knowledge", TEACHER_HELD_OUT), "validation", len(held_out["validation"]), "cpu"
    )
    rows = Rows.load(generative.made("data", VALIDATION))
    seen = tuple(torch.from_numpy(part.astype(np.int64)) for part in (rows.items, rows.start, rows.stop))
    every = slice(0, len(rows))
    pairs = ranking.history_pairs(seen, every)  # type: ignore[arg-type]
    ranks = ranking.target_ranks(scores(every), torch.from_numpy(rows.targets.astype(np.int64)), pairs)
    summary = Summary.read(generative.runs / "knowledge")
    assert summary is not None  # what the stage reported is what evaluate will find
    assert summary.best["val_ndcg@10"]["v"] == pytest.approx(float(ranking.ndcg(ranks, 10).mean()))
    every_gamma = []
    for gamma in (0.0, 1.0, 30.0):
        own = grounding.scores(held_out["validation"], held_out["items"], held_out["popularity"], gamma)
        own[:, 0] = -torch.inf
        ranks = ranking.target_ranks(own, torch.from_numpy(rows.targets.astype(np.int64)), pairs)
        every_gamma.append(ranking.ndcg(ranks, 10).numpy())
    fitted = cross_fitted(np.stack(every_gamma), rows.users)
    assert fitted is not None and summary.facts["gamma_optimism"] == pytest.approx(fitted[1], abs=1e-6)
    assert summary.facts["gamma"] == float(held_out["gamma"])
    assert "best_optimism" in facts.facts  # of the checkpoint that was kept


@pytest.mark.real
@pytest.mark.skipif(not LM, reason="ENGINE_TEST_LM does not name the folder of language models")
def test_a_real_pre_trained_model_can_be_the_backbone(chain: Any) -> None:
    overrides = ["backbone=path", f"backbone.name={LM}/stories260K", "backbone.copy=false"]
    overrides += ["teacher.steps=2", "teacher.evaluate_rows=10"]
    overrides += ["knowledge.query_selection=random", "knowledge.budget=0.1"]
    small = "real"
    for stage in ("backbone", "teacher", "knowledge"):
        inputs = {maker: f"{small}-{maker}" for maker in ("backbone", "teacher") if stage != "backbone"}
        chain.perform(
            stage, f"{small}-{stage}", overrides, {name: run for name, run in inputs.items() if name != stage}
        )
    assert not (chain.runs / f"{small}-backbone/artifacts/language_model/model.safetensors").exists()
    rankings = Rankings.load(chain.made(f"{small}-knowledge", RANKINGS))
    assert torch.isfinite(rankings.distances).all() and len(rankings.rows) > 10


def test_exported_knowledge_can_be_imported_without_a_teacher(chain: Any, tmp_path: Path) -> None:
    assert main(["export", "knowledge", "--to", str(tmp_path), "--runs", str(chain.runs)]) == 0
    folder = chain.perform("knowledge", "imported", [f"knowledge.files={tmp_path}", "knowledge.hide_seen=false"])
    own, imported = (Rankings.load(chain.made(path.name, RANKINGS)) for path in (chain.runs / "knowledge", folder))
    assert torch.equal(own.rows, imported.rows) and torch.equal(own.items, imported.items)
    torch.testing.assert_close(own.distances, imported.distances, rtol=0, atol=1e-6)
    first, second = (
        load_file(chain.made(path.name, ITEM_VECTORS))["vectors"] for path in (chain.runs / "knowledge", folder)
    )
    assert torch.equal(first, second)
    assert not chain.made(folder.name, TEACHER_HELD_OUT).exists()
    chain.perform("distill", "from-files", ["distill.student.epochs=1"], {"knowledge": "imported"})
