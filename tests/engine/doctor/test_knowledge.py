"""Rankings that are about other rows, in another numbering, or not this teacher's."""

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.data import ids
from engine.data.sequences import Sequences
from engine.doctor.case import Case
from engine.doctor.check import FAIL
from engine.doctor.table import CHECKS, chosen, examine
from engine.experiments.plan import inputs_of, pipeline
from engine.knowledge import mixture_weights
from engine.knowledge.rankings import Rankings
from engine.runs.schema import RunInfo
from engine.stages import BLEND, LAST_POSITION, RANKINGS, SEQUENCES, TEACHER_HELD_OUT
from tests.fixtures.doctor import Doctor
from tests.fixtures.small_runs import Chain

BEFORE = ("data", "student", "backbone", "teacher")
ALL = ("rankings-match-rows", "ranking-ids", "rankings-reproducible")


def altered(doctor: Doctor, change: Callable[[Rankings], Rankings]) -> dict[str, Path]:
    """A finished knowledge run whose rankings were changed."""
    folder = doctor.copy("knowledge")
    path = folder / "artifacts" / "rankings.safetensors"
    found = Rankings.load(path)
    change(found).save(path)
    return {"knowledge": folder}


def test_sound_knowledge_passes(doctor: Doctor) -> None:
    found = doctor.outcomes(ALL, *BEFORE, "knowledge")
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(ALL, "pass"), found


def test_the_knowledge_of_a_dry_run_passes(doctor: Doctor) -> None:
    found = doctor.outcomes(ALL, *BEFORE)
    assert [outcome.verdict for outcome in found.values()] == ["pass", "pass", "skip"]


@pytest.mark.parametrize("shift", [1, -1])
def test_rankings_misaligned_by_one_row_are_named(doctor: Doctor, shift: int) -> None:
    def moved(found: Rankings) -> Rankings:
        return Rankings(found.rows, found.items.roll(shift, dims=0), found.distances.roll(shift, dims=0))

    found = doctor.outcomes(
        ("rankings-match-rows", "rankings-reproducible"),
        *BEFORE,
        altered=altered(doctor, moved),
    )
    assert {outcome.verdict for outcome in found.values()} == {"fail"}


def test_rankings_that_hold_the_next_event_are_named(doctor: Doctor) -> None:
    sequences = Sequences.load(doctor.finished["data"] / "artifacts" / SEQUENCES.file)

    def one_late(found: Rankings) -> Rankings:
        items, events = found.items.clone(), (found.rows + 1).clamp(max=len(sequences.items) - 1)
        items[:, 0] = torch.from_numpy(sequences.items)[events]
        return Rankings(found.rows, items, found.distances)

    kept = replace(doctor.settings, knowledge=replace(doctor.settings.knowledge, hide_seen=False))
    evidence = doctor.fault("rankings-match-rows", *BEFORE, altered=altered(doctor, one_late), config=kept).evidence
    assert "hold the next event more often than their own" in evidence


def test_rows_that_are_users_first_events_are_named(doctor: Doctor) -> None:
    runs = altered(doctor, lambda found: Rankings(found.rows - 1, found.items, found.distances))
    assert "first events" in doctor.fault("rankings-match-rows", *BEFORE, altered=runs).evidence


def test_rows_outside_of_the_data_are_named(doctor: Doctor) -> None:
    runs = altered(doctor, lambda found: Rankings(found.rows + 10_000, found.items, found.distances))
    assert "no training event" in doctor.fault("rankings-match-rows", *BEFORE, altered=runs).evidence


def test_ends_that_are_other_users_are_named(doctor: Doctor) -> None:
    folder = doctor.copy("knowledge")
    path = folder / "artifacts" / "last_position.safetensors"
    found = Rankings.load(path)
    Rankings(found.rows, found.items.roll(1, dims=0), found.distances).save(path)
    assert (
        "item of their own history"
        in doctor.fault("rankings-match-rows", *BEFORE, altered={"knowledge": folder}).evidence
    )
    Rankings(found.rows - 1, found.items, found.distances).save(path)
    assert "not the ends" in doctor.fault("rankings-match-rows", *BEFORE, altered={"knowledge": folder}).evidence


def test_rankings_in_a_foreign_numbering_are_named(doctor: Doctor) -> None:
    def from_zero(found: Rankings) -> Rankings:
        return Rankings(found.rows, torch.from_numpy(ids.to_zero_based(found.items)).int(), found.distances)

    runs = altered(doctor, from_zero)
    found = doctor.outcomes(ALL, *BEFORE, altered=runs)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(ALL, "fail"), found
    assert "in another numbering" in found["ranking-ids"].evidence


def test_one_list_for_all_rows_is_in_no_other_numbering(doctor: Doctor) -> None:
    """A teacher that was not trained ranks the same items for all: here, by accident, those before two popular ones."""
    sequences = Sequences.load(doctor.finished["data"] / "artifacts" / SEQUENCES.file)
    counts = np.bincount(sequences.items)
    gain = np.append(counts[1:], 0) - counts  # [n + 1] events of the next id, less its own
    gain[ids.PADDING] = 0

    def same(found: Rankings) -> Rankings:
        popular = np.argsort(-gain)[:2]
        rare = np.setdiff1d(np.argsort(counts + np.append(counts[1:], 0)), [*popular, ids.PADDING], assume_unique=True)
        shown = torch.from_numpy(np.append(popular, rare[: found.items.shape[1] - 2])).int()
        return Rankings(found.rows, shown.expand_as(found.items).contiguous(), found.distances)

    found = doctor.outcomes(["ranking-ids"], *BEFORE, altered=altered(doctor, same))["ranking-ids"]
    ours, others = (float(share) for share in re.findall(r"([\d.]+)% by", found.evidence))
    assert found.verdict == "pass" and others > 1.5 * ours + 2, found


def test_a_ranked_padding_is_named(doctor: Doctor) -> None:
    def padded(found: Rankings) -> Rankings:
        items = found.items.clone()
        items[3, 2] = ids.PADDING
        return Rankings(found.rows, items, found.distances)

    evidence = doctor.fault("ranking-ids", *BEFORE, altered=altered(doctor, padded)).evidence
    assert "ids go from 0 to" in evidence


def test_hidden_items_at_the_end_of_a_ranking_may_be_anything(doctor: Doctor) -> None:
    def hidden(found: Rankings) -> Rankings:
        items, distances = found.items.clone(), found.distances.clone()
        items[:5, -2:], distances[:5, -2:] = ids.PADDING, torch.inf
        return Rankings(found.rows, items, distances)

    found = doctor.outcomes(["ranking-ids"], *BEFORE, altered=altered(doctor, hidden))["ranking-ids"]
    assert found.verdict == "pass", found


def test_an_item_ranked_twice_is_named(doctor: Doctor) -> None:
    def twice(found: Rankings) -> Rankings:
        items = found.items.clone()
        items[:, 1] = items[:, 0]
        return Rankings(found.rows, items, found.distances)

    assert "twice" in doctor.fault("ranking-ids", *BEFORE, altered=altered(doctor, twice)).evidence


def test_answers_of_another_teacher_are_named(doctor: Doctor) -> None:
    def others(found: Rankings) -> Rankings:
        draw = torch.Generator().manual_seed(0)
        return Rankings(found.rows, found.items[torch.randperm(len(found.rows), generator=draw)], found.distances)

    doctor.fault("rankings-reproducible", *BEFORE, altered=altered(doctor, others))


def of_last_positions(doctor: Doctor, change: Callable[[Rankings], Rankings]) -> dict[str, Path]:
    """A finished knowledge run whose last-position targets were changed."""
    folder = doctor.copy("knowledge")
    path = folder / "artifacts" / LAST_POSITION.file
    change(Rankings.load(path)).save(path)
    return {"knowledge": folder}


def test_last_position_targets_of_other_users_are_named(doctor: Doctor) -> None:
    def others(found: Rankings) -> Rankings:
        draw = torch.Generator().manual_seed(0)
        return Rankings(found.rows, found.items[torch.randperm(len(found.rows), generator=draw)], found.distances)

    runs = of_last_positions(doctor, others)
    found = doctor.outcomes([*ALL, "last-position-reproducible"], *BEFORE, altered=runs)
    assert found["last-position-reproducible"].verdict == "fail" and found["rankings-reproducible"].verdict == "pass"
    assert "other users" in found["last-position-reproducible"].cause


def test_last_position_targets_that_end_one_event_early_are_named(doctor: Doctor) -> None:
    whole = Rankings.load(doctor.finished["knowledge"] / "artifacts" / "rankings.safetensors")

    def early(found: Rankings) -> Rankings:
        row = {event: at for at, event in enumerate(whole.rows.tolist())}
        at = torch.tensor([row[event - 1] for event in found.rows.tolist()])
        return Rankings(found.rows, whole.items[at], whole.distances[at])

    doctor.fault("last-position-reproducible", *BEFORE, altered=of_last_positions(doctor, early))


def test_a_few_items_in_another_order_are_none(doctor: Doctor) -> None:
    def swapped(found: Rankings) -> Rankings:
        items = found.items.clone()
        items[:, [2, 3]] = items[:, [3, 2]]
        return Rankings(found.rows, items, found.distances)

    runs = of_last_positions(doctor, swapped)
    found = doctor.outcomes(["last-position-reproducible"], *BEFORE, altered=runs)
    assert found["last-position-reproducible"].verdict == "pass"


def test_without_last_positions_nothing_is_asked_again(doctor: Doctor) -> None:
    runs = of_last_positions(doctor, lambda found: found.some(torch.zeros(len(found.rows), dtype=torch.bool)))
    found = doctor.outcomes(["last-position-reproducible"], *BEFORE, altered=runs)
    assert found["last-position-reproducible"].verdict == "skip"


@pytest.mark.parametrize(("more", "verdict"), [(0, "pass"), (1, "fail")])
def test_popularity_that_counts_a_held_out_event_is_named(
    doctor: Doctor, generative: Chain, more: int, verdict: str
) -> None:
    folder = Path(shutil.copytree(generative.runs / "knowledge", doctor.scratch / "altered" / "knowledge"))
    path = folder / "artifacts" / TEACHER_HELD_OUT.file
    stored = load_file(path)
    name = next(name for name, value in stored.items() if value.ndim == 1 and len(value) == 81)
    stored[name][7] += more
    save_file(stored, path)
    found = doctor.outcomes(["popularity-from-training"], *BEFORE, altered={"knowledge": folder})
    outcome = found["popularity-from-training"]
    assert outcome.verdict == verdict, outcome
    assert not more or ("1 items, first" in outcome.evidence and "held-out events" in outcome.cause)


def test_knowledge_of_students_is_examined_and_asks_no_teacher(
    doctor: Doctor, new_chain: Callable[[], Any], small_runs: Any
) -> None:
    chain = new_chain().copy(small_runs, "teacher", "distill")
    chain.perform("knowledge", "students", ["knowledge.models=[student,distill]"], {"model 1": "distill"})
    chain.perform("knowledge", "beside", ["knowledge.models=[teacher,distill]"], {"model 1": "distill"})
    names = [check.name for check in CHECKS if check.stage == "knowledge"] + [
        "teacher-beats-student",
        "language-model-pays",
    ]
    for name, models in (("students", ["student", "distill"]), ("beside", ["teacher", "distill"])):
        config = replace(doctor.settings, knowledge=replace(doctor.settings.knowledge, models=models))
        inputs = {stage.name: inputs_of(stage, config) for stage in pipeline("knowledge", config)}
        finished = {stage: doctor.finished[stage] for stage in inputs} | {"knowledge": chain.runs / name}
        scratch = Path(tempfile.mkdtemp(dir=doctor.scratch))
        case = Case(config, inputs, finished, scratch, lambda phase: None, chain.runs)
        checks = [check for check in chosen(list(inputs), []) if check.name in names]
        found = {result.check.name: result.outcome for result in examine(case, checks)}
        assert [name for name, outcome in found.items() if outcome.verdict == FAIL] == [], found
        for again in ("rankings-reproducible", "last-position-reproducible"):
            assert found[again].verdict == "pass", found[again]
        assert ("teacher-beats-student" in found) == (name == "beside")
        if name == "beside":  # the mixture that was stored is judged, not one that the teacher's settings would give
            assert found["language-model-pays"].verdict == "skip"
            assert "validation ndcg@10" in found["teacher-beats-student"].evidence
            assert "other half" not in found["teacher-beats-student"].evidence


def test_weights_that_were_chosen_are_kept_when_rankings_are_made_again(
    doctor: Doctor, new_chain: Callable[[], Any], small_runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = new_chain().copy(small_runs, "teacher", "distill")
    models = ["student", "distill"]
    monkeypatch.setattr(mixture_weights, "grid", lambda models: torch.tensor([[0.9, 0.1]]))
    more = [f"knowledge.models=[{','.join(models)}]", "knowledge.choose_weights=true"]
    chain.perform("knowledge", "chosen", more, {"model 1": "distill"})
    monkeypatch.setattr(mixture_weights, "grid", lambda models: torch.tensor([[0.1, 0.9]]))  # what a subset may choose
    changed = replace(doctor.settings.knowledge, models=models, choose_weights=True)
    config = replace(doctor.settings, knowledge=changed)
    inputs = {stage.name: inputs_of(stage, config) for stage in pipeline("knowledge", config)}
    finished = {stage: doctor.finished[stage] for stage in inputs} | {"knowledge": chain.runs / "chosen"}
    scratch = Path(tempfile.mkdtemp(dir=doctor.scratch))
    case = Case(config, inputs, finished, scratch, lambda phase: None, chain.runs)
    checks = [check for check in chosen(list(inputs), []) if check.name == "rankings-reproducible"]
    found = {result.check.name: result.outcome for result in examine(case, checks)}
    assert found["rankings-reproducible"].verdict == "pass", found


def test_knowledge_without_training_is_ranked_again_from_all_data(
    doctor: Doctor, new_chain: Callable[[], Any], small_runs: Any
) -> None:
    chain = new_chain().copy(small_runs, "teacher", "distill")
    folder = Path(chain.perform("knowledge", "counted", [f"knowledge.models=[{BLEND}]"]))
    info = RunInfo.read(folder)
    replace(info, inputs={"data": info.inputs["data"]}).write(folder)  # as it is planned
    config = replace(doctor.settings, knowledge=replace(doctor.settings.knowledge, models=[BLEND]))
    stages = [stage.name for stage in pipeline("evaluate", config) if stage.name != "evaluate"]
    names = (*ALL, "last-position-reproducible", "evaluate-dry-run")
    altered = {"knowledge": chain.runs / "counted"}
    found = doctor.outcomes(names, *stages, altered=altered, config=config)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(names, "pass"), found
    path = chain.made("counted", RANKINGS)
    rankings = Rankings.load(path)
    path.unlink()  # it may be a link
    Rankings(rankings.rows, rankings.items.roll(1, dims=0), rankings.distances).save(path)
    doctor.fault("rankings-reproducible", *stages, altered=altered, config=config)
    beside = replace(config, knowledge=replace(config.knowledge, models=["student", BLEND]))
    outcome = doctor.outcomes(("rankings-reproducible",), *stages, altered=altered, config=beside)
    assert outcome["rankings-reproducible"].verdict == "skip"
    assert f"{BLEND} counts all data" in outcome["rankings-reproducible"].evidence
