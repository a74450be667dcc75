"""The knowledge of several models: the mean of their log-softmax, without a language model where none is asked for."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from engine import config
from engine.data.sequences import Rows, Sequences
from engine.errors import ConfigError, DataError, RunError
from engine.evaluate.models import teacher_scores
from engine.knowledge.blend import Blend, names_and_weights
from engine.knowledge.held_out import weights_in
from engine.knowledge.rankings import Rankings, seen_before, top_items
from engine.knowledge.untrained_part import UntrainedPart
from engine.metrics import ranking
from engine.recommend.predictions import StoredAnswers
from engine.runs.schema import Summary
from engine.stages import (
    ADAPTER,
    BLEND,
    DISTILLED_MODEL,
    GATE_WEIGHTS,
    ITEM_VECTORS,
    ITEMS,
    LAST_POSITION,
    RANKINGS,
    SEQUENCES,
    STUDENT_MODEL,
    TEACHER_HELD_OUT,
    TEXT_VECTORS,
    TITLES,
    TRANSITIONS,
    VALIDATION,
)
from engine.student.batches import histories
from engine.student.cold_items import ColdItems, cold_items
from engine.student.model import load_student
from engine.student.title_similarity import title_axes
from engine.student.untrained import Untrained, real_titles
from engine.student.untrained import log_probabilities as logs
from engine.teacher.frozen_student import FrozenStudent

GRU = ["student=gru4rec", "student.seed=7"]  # other states, a table of its own, biases


@pytest.fixture(scope="module")
def chain(new_chain: Callable[[], Any], small_runs: Any) -> Any:
    """Data, student and backbone, a teacher, a distilled student, and a second student with biases."""
    chain = new_chain().copy(small_runs, "teacher", "knowledge", "distill")
    chain.perform("student", "other", GRU)
    return chain


def mixed(chain: Any, name: str, models: str, *more: str, **named: str) -> Path:
    runs = {f"model {number}": run for number, run in enumerate(named.values(), start=1)}
    return Path(chain.perform("knowledge", name, [f"knowledge.models=[{models}]", *more], runs))


def log_probabilities(path: Path, rows: Rows, cold: ColdItems | None = None) -> Tensor:  # -> [R, n + 1]
    """A student's log-softmax over the catalogue, in float64, from its whole histories; ``cold`` as in ``of``."""
    model = FrozenStudent.of(load_student(path).double(), cold).model
    with torch.no_grad():
        states = model.user_vectors(histories(rows, slice(0, len(rows)), model.max_length))
        scores = ranking.score_items(states, *model.item_table())
    return torch.log_softmax(scores, dim=1)


def cold_of(chain: Any) -> ColdItems:
    """The items without a training event, and those of similar text."""
    text = load_file(chain.made("backbone", TEXT_VECTORS))["vectors"]
    return ColdItems(cold_items(Sequences.load(chain.made("data", SEQUENCES)), len(text) - 1), text)


def held_out(chain: Any, name: str) -> Tensor:  # -> [R, n + 1] log p of validation rows
    held = {key: value.double() for key, value in load_file(chain.made(name, TEACHER_HELD_OUT)).items()}
    scores = ranking.score_items(held["validation"], held["table"], held.get("bias"))
    return torch.log_softmax(scores, dim=1)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.1, 5.0), min_size=1, max_size=4),
    st.integers(0, 10**6),
)
def test_the_product_of_wide_vectors_is_the_mean_of_the_log_softmax(weights: list[float], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    states = [torch.randn(3, 4, generator=generator).double() for _ in weights]
    tables = [torch.randn(6, 4, generator=generator).double() for _ in weights]
    shares = [weight / sum(weights) for weight in weights]
    students: Any = [type("One", (), {"table": table, "bias": table[:, 0]})() for table in tables]
    blend = Blend(students, shares, 5)
    wide = torch.cat([share * one for share, one in zip(shares, states, strict=True)], dim=1)
    assert blend.bias is not None
    got = torch.log_softmax(wide @ blend.table.T + blend.bias, dim=1)
    each = [torch.log_softmax(s @ t.T + t[:, 0], dim=1) for s, t in zip(states, tables, strict=True)]
    mean = torch.stack([share * one for share, one in zip(shares, each, strict=True)]).sum(dim=0)
    torch.testing.assert_close(got, torch.log_softmax(mean, dim=1))


def test_a_blend_of_students_is_their_mean_log_probability_and_needs_no_teacher(chain: Any) -> None:
    folder = mixed(chain, "two", "student,other", "knowledge.weights=[3,1]", "knowledge.item_vectors=text", one="other")
    rows = Rows.load(chain.made("data", VALIDATION))
    each = [log_probabilities(chain.made(name, STUDENT_MODEL), rows, cold_of(chain)) for name in ("student", "other")]
    expected = torch.log_softmax(0.75 * each[0] + 0.25 * each[1], dim=1)
    torch.testing.assert_close(held_out(chain, "two")[:, 1:], expected[:, 1:], rtol=1e-4, atol=1e-4)
    assert not chain.made("two", GATE_WEIGHTS).exists()
    opened = {artifact.file for artifact in chain.used["two"].opened}
    assert ADAPTER.file not in opened and "language_model" not in opened
    text = load_file(chain.made("backbone", TEXT_VECTORS))["vectors"]
    assert torch.equal(load_file(chain.made("two", ITEM_VECTORS))["vectors"], text)
    summary = Summary.read(folder)
    assert summary is not None and summary.facts["models"] == {"student": 0.75, "other": 0.25}
    assert summary.facts["model_runs"] == {"student": "student", "other": "other"}
    assert summary.best["val_ndcg@10"]["v"] > 0


def test_every_training_row_and_every_end_of_a_history_is_ranked_among_unseen_items(chain: Any) -> None:
    if not (chain.runs / "self").exists():
        mixed(chain, "self", "student")
    sequences = Sequences.load(chain.made("data", SEQUENCES))
    rankings, last = (Rankings.load(chain.made("self", part)) for part in (RANKINGS, LAST_POSITION))
    assert rankings.rows.tolist() == np.setdiff1d(np.arange(len(sequences.items)), sequences.offsets[:-1]).tolist()
    assert last.rows.tolist() == sequences.offsets[1:].tolist()
    for part in (rankings, last):
        user = np.searchsorted(sequences.offsets, part.rows.numpy() - 1, side="right") - 1
        rows = Rows(sequences.items, sequences.offsets[user], part.rows.numpy(), user)
        scores = log_probabilities(chain.made("student", STUDENT_MODEL), rows)
        seen = seen_before(sequences, part.rows.numpy() - 1, "cpu")
        scores[ranking.history_pairs(seen, slice(0, len(user)))] = -torch.inf
        expected = torch.log_softmax(scores, dim=1).topk(10, dim=1)
        torch.testing.assert_close(part.distances.double(), -expected.values, rtol=1e-4, atol=1e-4)
        assert float((part.items == expected.indices).double().mean()) > 0.98  # near ties may change places


def test_the_vectors_of_items_are_those_of_the_first_model_or_of_the_named_one(chain: Any) -> None:
    for name, wanted, source in (("first", "key", "other"), ("named", "student", "student")):
        mixed(chain, name, "other,student", f"knowledge.item_vectors={wanted}", one="other")
        table = load_student(chain.made(source, STUDENT_MODEL)).item_table()[0].detach()
        assert torch.equal(load_file(chain.made(name, ITEM_VECTORS))["vectors"], table)


def test_students_beside_the_teacher_change_its_scores_by_their_own(chain: Any) -> None:
    name = "beside"
    mixed(chain, name, "teacher,other,distill", one="other", two="distill")
    rows = Rows.load(chain.made("data", VALIDATION))
    other = log_probabilities(chain.made("other", STUDENT_MODEL), rows, cold_of(chain))
    distilled = log_probabilities(chain.made("distill", DISTILLED_MODEL), rows)
    expected = torch.log_softmax((held_out(chain, "knowledge") + other + distilled) / 3, dim=1)
    torch.testing.assert_close(held_out(chain, name)[:, 1:], expected[:, 1:], rtol=1e-3, atol=1e-3)
    sequences, last = Sequences.load(chain.made("data", SEQUENCES)), Rankings.load(chain.made(name, LAST_POSITION))
    held = load_file(chain.made(name, TEACHER_HELD_OUT))
    seen = ranking.on_device(rows.items, rows.start, rows.stop, "cpu")
    _, distances = top_items(held["validation"], held["table"], held.get("bias"), seen, 10)
    assert last.rows.tolist() == sequences.offsets[1:].tolist()
    whole = rows.stop - rows.start <= 8  # read as a whole by the teacher and in training rows
    torch.testing.assert_close(last.distances[whole], distances[whole], rtol=1e-3, atol=2e-3)


def test_baselines_rank_items_without_a_training_event_as_items_of_similar_text(chain: Any) -> None:
    shutil.copytree(chain.runs / "data", chain.runs / "colder", symlinks=True)
    path = chain.made("colder", ITEMS)
    table = pq.read_table(path)
    seen = table["seen"].to_numpy().copy()
    seen[:] = 1
    seen[[3, 40]] = 0  # items 4 and 41, whatever the training held
    path.unlink()
    pq.write_table(table.set_column(table.schema.get_field_index("seen"), "seen", pa.array(seen)), path)
    more = {"data": "colder", "model 1": "other", "model 2": "distill"}
    overrides = ["knowledge.models=[student,other,distill]"]
    for name, vectors in (("with-text", "text"), ("without-text", "key")):
        chain.perform("knowledge", name, [*overrides, f"knowledge.item_vectors={vectors}"], more)
    with_text, without = (load_file(chain.made(name, TEACHER_HELD_OUT)) for name in ("with-text", "without-text"))
    width = load_student(chain.made("student", STUDENT_MODEL)).item_table()[0].shape[1]
    changed = (with_text["table"] != without["table"]).view(81, 3, width).any(dim=2)
    expected = [[item, model] for item in (4, 41) for model in (0, 1)]  # the distilled student has its own
    assert changed.nonzero().tolist() == expected


def test_a_model_of_another_catalogue_is_refused(chain: Any) -> None:
    chain.perform("data", "wider", ["data.world.items=90", "data.world.series=22"])
    chain.perform("student", "foreign", [], {"data": "wider"})
    with pytest.raises(RunError, match="foreign knows 90 items, these data have 80"):
        mixed(chain, "refused", "foreign", one="foreign")


def test_a_model_that_the_plan_left_out_is_named(chain: Any) -> None:
    with pytest.raises(RunError, match="planned without other"):
        mixed(chain, "unplanned", "other")


def test_weights_are_shares(chain: Any) -> None:
    assert names_and_weights(config.load(["knowledge.models=[student,teacher]"]).knowledge) == {
        "student": 0.5,
        "teacher": 0.5,
    }


def untrained(chain: Any, name: str, rows: Rows) -> Tensor:  # -> [R, n + 1] log p
    model = Untrained.load(chain.made("data", SEQUENCES), chain.made("data", ITEMS)).model(name)
    return torch.log_softmax(logs(model.after_rows(rows, "cpu")(slice(0, len(rows)))).double(), dim=1)


def scored(chain: Any, name: str, rows: Rows) -> Tensor:  # -> [R, n + 1] log p of validation rows, as evaluate reads it
    path = chain.made(name, TEACHER_HELD_OUT)
    part = UntrainedPart.of(weights_in(path), chain.made("data", SEQUENCES), chain.made("data", ITEMS))
    scores = teacher_scores(path, "validation", len(rows), "cpu", part.after_rows(rows, "cpu"))
    return torch.log_softmax(scores(slice(0, len(rows))).double(), dim=1)


def test_models_without_training_are_mixed_with_students_by_their_log_probabilities(chain: Any) -> None:
    models = f"student,{BLEND},{TRANSITIONS}"
    folder = mixed(chain, "counted", models, "knowledge.weights=[2,1,1]", "knowledge.item_vectors=student")
    rows = Rows.load(chain.made("data", VALIDATION))
    student = log_probabilities(chain.made("student", STUDENT_MODEL), rows)
    parts = 0.25 * untrained(chain, BLEND, rows) + 0.25 * untrained(chain, TRANSITIONS, rows)
    expected = torch.log_softmax(0.5 * student + parts, dim=1)
    torch.testing.assert_close(scored(chain, "counted", rows)[:, 1:], expected[:, 1:], rtol=1e-4, atol=1e-4)
    targets = torch.from_numpy(rows.targets.astype(np.int64))
    seen = ranking.on_device(rows.items, rows.start, rows.stop, "cpu")
    ranks = ranking.ranks_of(lambda block: expected[block].clone(), 81, targets, seen)
    summary = Summary.read(folder)
    assert summary is not None and summary.facts["model_runs"] == {"student": "student"}
    assert summary.best["val_ndcg@10"]["v"] == pytest.approx(float(ranking.ndcg(ranks, 10).mean()), abs=1e-6)


def test_a_model_without_training_alone_ranks_training_rows_without_their_own_users(chain: Any) -> None:
    mixed(chain, "alone", BLEND)
    sequences = Sequences.load(chain.made("data", SEQUENCES))
    model = Untrained.load(chain.made("data", SEQUENCES), chain.made("data", ITEMS)).model(BLEND)
    for artifact in (RANKINGS, LAST_POSITION):
        found = Rankings.load(chain.made("alone", artifact))
        last = found.rows.numpy() - 1
        scores = logs(model.after_events(sequences, last, "cpu")(slice(0, len(last))))
        seen = seen_before(sequences, last, "cpu")
        scores[ranking.history_pairs(seen, slice(0, len(last)))] = -torch.inf
        expected = torch.log_softmax(scores, dim=1).topk(10, dim=1)
        torch.testing.assert_close(found.distances, -expected.values, rtol=1e-4, atol=1e-4)
    rows = Rows.load(chain.made("data", VALIDATION))
    assert torch.equal(scored(chain, "alone", rows).argsort(dim=1), untrained(chain, BLEND, rows).argsort(dim=1))
    opened = {artifact.file for artifact in chain.used["alone"].opened}
    assert not opened & {STUDENT_MODEL.file, ADAPTER.file, TEXT_VECTORS.file}
    vectors = load_file(chain.made("alone", ITEM_VECTORS))["vectors"]
    torch.testing.assert_close(vectors, title_axes(real_titles(chain.made("data", ITEMS))))


def test_a_model_without_training_beside_the_teacher_changes_its_scores_and_rankings(chain: Any) -> None:
    mixed(chain, "teacher-counted", f"teacher,{BLEND}")
    rows = Rows.load(chain.made("data", VALIDATION))
    expected = torch.log_softmax((held_out(chain, "knowledge") + untrained(chain, BLEND, rows)) / 2, dim=1)
    torch.testing.assert_close(scored(chain, "teacher-counted", rows)[:, 1:], expected[:, 1:], rtol=1e-3, atol=1e-3)
    sequences, last = Sequences.load(chain.made("data", SEQUENCES)), chain.made("teacher-counted", LAST_POSITION)
    seen = ranking.on_device(rows.items, rows.start, rows.stop, "cpu")
    expected[ranking.history_pairs(seen, slice(0, len(rows)))] = -torch.inf
    distances = -torch.log_softmax(expected, dim=1).topk(10, dim=1).values.float()
    assert Rankings.load(last).rows.tolist() == sequences.offsets[1:].tolist()
    whole = rows.stop - rows.start <= 8  # read as a whole by the teacher and in training rows
    torch.testing.assert_close(Rankings.load(last).distances[whole], distances[whole], rtol=1e-3, atol=3e-3)


def test_titles_alone_are_refused_where_no_item_has_one(chain: Any, tmp_path: Path) -> None:
    items = tmp_path / "items.parquet"
    pq.write_table(pa.table({"raw": ["7", "8"], "title": ["item 7", "item 8"]}), items)
    with pytest.raises(DataError, match="no item has a title"):
        UntrainedPart.of({TITLES: 1.0}, chain.made("data", SEQUENCES), items)


def test_items_get_no_vectors_where_none_has_a_title_unless_those_of_titles_are_asked_for(
    new_chain: Callable[[], Any],
) -> None:
    chain = new_chain()
    path = chain.made("data", ITEMS)
    items = pq.read_table(path)
    untitled = pa.array([f"item {raw}" for raw in items["raw"].to_pylist()])
    path.unlink()  # it may be a link
    pq.write_table(items.set_column(items.column_names.index("title"), "title", untitled), path)
    assert not any(real_titles(path))
    mixed(chain, "untitled", BLEND)
    assert load_file(chain.made("untitled", ITEM_VECTORS))["vectors"].shape == (len(items) + 1, 0)
    with pytest.raises(DataError, match="no item has a title"):
        mixed(chain, "named", BLEND, "knowledge.item_vectors=titles")


def test_recommendations_to_held_out_users_are_those_of_the_whole_mixture(chain: Any) -> None:
    if not (chain.runs / "counted").exists():
        mixed(chain, "counted", f"student,{BLEND},{TRANSITIONS}", "knowledge.weights=[2,1,1]")
    rows = Rows.load(chain.made("data", VALIDATION))
    runs = {name: chain.runs / name for name in ("data", "student")} | {"knowledge": chain.runs / "counted"}
    answers = StoredAnswers(runs, "validation", rows)
    expected = scored(chain, "counted", rows)
    for row in (0, 5):
        found = torch.log_softmax(torch.from_numpy(answers(row).scores).double(), dim=0)
        torch.testing.assert_close(found[1:], expected[row, 1:], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["knowledge.models=[popularity]"], "must not name popularity"),
        ([f"knowledge.models=[student,{BLEND}]", f"knowledge.item_vectors={BLEND}"], "one of knowledge.models that is"),
    ],
)
def test_what_has_no_vectors_or_no_rankings_of_its_own_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        config.load(words)
