"""The health monitor: every fault is found in a stream that has it, and none in the streams of sound demo runs."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import config
from engine.config.settings.health import HealthSettings
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo, Summary, new_id
from engine.training.health import CAUSES, HealthFinding, HealthMonitor, monitor, not_a_number

RECORDED = sorted((Path(__file__).parents[1] / "recorded").glob("*.jsonl"))
GROUPS = ["lora_a", "gate", "head"]
SOUND = [0.01, 0.02, 9.0]  # a new head beside low-rank adapters: nine hundred times their norm

Event = dict[str, Any]


@pytest.fixture(scope="module")
def rules() -> HealthSettings:
    return config.load([]).health


@pytest.fixture
def monitored(rules: HealthSettings) -> HealthMonitor:
    monitored = HealthMonitor(rules)
    monitored.feed({"k": "schema", "groups": [{"name": name} for name in GROUPS], "course": {"patience": 10}})
    return monitored


def grad(step: int, norms: list[float | None], updates: list[float | None] | None = None) -> Event:
    total = math.sqrt(sum(norm * norm for norm in norms if norm))
    return {"k": "grad", "step": step, "total": total, "g": norms, "u": updates or [1e-3] * len(norms)}


def numbers(step: int, **values: float | str) -> Event:
    return {"k": "s", "step": step, "m": values}


def val(step: int, best: bool, value: float = 0.1) -> Event:
    return {"k": "val", "step": step, "m": {"val_ndcg@10": value}, "best": best, "split": "validation"}


def gate(step: int, load: list[float], entropy: float) -> Event:
    return {"k": "gate", "step": step, "layer": "shared", "load": load, "ent": entropy}


def findings(monitored: HealthMonitor, events: Iterable[Event]) -> list[HealthFinding]:
    return [finding for event in events for finding in monitored.feed(event)]


def only(findings: list[HealthFinding]) -> HealthFinding:
    (finding,) = findings
    return finding


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_nothing_is_named_in_a_sound_run_of_the_demo(path: Path, rules: HealthSettings) -> None:
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(events) > 5
    assert [finding for finding in findings(HealthMonitor(rules), events) if finding.level != "info"] == []


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_sound_run_keeps_a_distance_from_the_limits(path: Path, rules: HealthSettings) -> None:
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    tight = replace(rules, explode=rules.explode / 2, vanish=rules.vanish * 10, slow=rules.slow / 1.2)
    assert [finding for finding in findings(HealthMonitor(tight), events) if finding.level != "info"] == []


def test_the_streams_of_all_stages_that_report_are_recorded() -> None:
    assert {path.stem for path in RECORDED} == {"student", "backbone", "teacher", "knowledge", "distill"}


def test_a_loss_that_is_not_a_number_is_an_error_at_once(monitored: HealthMonitor) -> None:
    found = only(findings(monitored, [numbers(10, loss=1.0), numbers(20, loss="nan"), numbers(30, loss=1.0)]))
    assert (found.code, found.level) == ("nan_loss", "error") and "step 20" in found.hint
    assert only(findings(monitored, [val(40, True, math.inf)])[:0] or [not_a_number("the loss", 3)]).code == "nan_loss"


def test_an_evaluation_that_is_not_a_number_is_an_error(monitored: HealthMonitor) -> None:
    assert only(findings(monitored, [val(10, True, math.inf)])).code == "nan_loss"


def test_a_gradient_that_is_not_a_number_names_its_group(monitored: HealthMonitor) -> None:
    found = only(findings(monitored, [grad(1, SOUND), grad(10, [0.01, math.nan, 9.0])]))
    assert (found.code, found.groups) == ("nan_loss", ("gate",))


@pytest.mark.parametrize(("norm", "code"), [(None, "grad_none"), (0.0, "grad_zero")])
def test_a_group_without_a_gradient_is_named_once_it_lasts(
    monitored: HealthMonitor, norm: float | None, code: str
) -> None:
    events = [grad(step, [0.01, norm, 9.0]) for step in (1, 10, 20, 30)]
    assert findings(monitored, events[:2]) == []
    found = only(findings(monitored, events[2:]))
    assert (found.code, found.level, found.groups) == (code, "error", ("gate",))


def test_parts_that_start_at_zero_may_begin_with_a_zero_gradient(monitored: HealthMonitor) -> None:
    assert findings(monitored, [grad(1, [0.0, 0.0, 7.0])] + [grad(step, SOUND) for step in range(10, 300, 10)]) == []


def test_a_group_may_rest_where_the_plan_lists_it(rules: HealthSettings) -> None:
    monitored = HealthMonitor(rules)
    monitored.feed({"k": "schema", "groups": [{"name": "projector"}], "course": {"resting": ["projector"]}})
    assert findings(monitored, [grad(step, [None]) for step in range(1, 9)]) == []


@pytest.mark.parametrize(("last", "reached", "codes"), [(74, 0, []), (90, 0, ["grad_none"]), (90, 40, [])])
def test_a_group_that_rests_must_have_begun_by_three_quarters_of_the_training(
    rules: HealthSettings, last: int, reached: int, codes: list[str]
) -> None:
    monitored = HealthMonitor(rules)
    plan = {"resting": ["projector"], "steps": 100}
    monitored.feed({"k": "schema", "groups": [{"name": "projector"}], "course": plan})
    events = [grad(step, [1.0 if step == reached else None]) for step in range(2, last, 2)]
    assert [found.code for found in findings(monitored, events)] == codes


def test_weights_that_get_a_gradient_and_do_not_move_are_named(monitored: HealthMonitor) -> None:
    found = only(findings(monitored, [grad(step, SOUND, [1e-3, 0.0, 1e-3]) for step in range(1, 6)]))
    assert (found.code, found.groups) == ("still", ("gate",)) and "learning rate of 0" in found.hint


def test_an_exploding_gradient_is_one_that_leaves_its_own_past(monitored: HealthMonitor) -> None:
    sound = [grad(step, SOUND) for step in range(10)]
    found = only(findings(monitored, [*sound, *(grad(step, [0.01, 0.02, 200.0]) for step in range(10, 14))]))
    assert (found.code, found.groups) == ("explode", ("head",)) and "22.2 times" in found.hint


def test_one_spike_is_no_explosion(monitored: HealthMonitor) -> None:
    norms = [9.0] * 10 + [900.0] + [9.0] * 10
    assert findings(monitored, [grad(step, [0.01, 0.02, norm]) for step, norm in enumerate(norms)]) == []


def test_a_part_that_starts_at_zero_may_grow_while_it_carries_nothing(monitored: HealthMonitor) -> None:
    norms = [1e-6 * 3**step for step in range(12)]
    assert findings(monitored, [grad(step, [norm, 0.02, 9.0]) for step, norm in enumerate(norms)]) == []


def test_a_slow_drift_is_no_explosion(monitored: HealthMonitor) -> None:
    assert findings(monitored, [grad(step, [0.01, 0.02, 1.05**step]) for step in range(120)]) == []


def test_a_vanishing_gradient_is_named_and_its_return_is_told(monitored: HealthMonitor) -> None:
    norms = [0.02] * 12 + [1e-6] * 4 + [0.02] * 4
    first, second = findings(monitored, [grad(step, [0.01, norm, 9.0]) for step, norm in enumerate(norms)])
    assert (first.code, first.level, first.groups) == ("grad_small", "warning", ("gate",))
    assert (second.code, second.level) == ("grad_small", "info") and second.hint.startswith("over since step 16")


def test_a_gate_that_gives_everything_to_one_expert_has_collapsed(monitored: HealthMonitor) -> None:
    found = only(findings(monitored, [gate(step, [0.3, 0.3, 0.2, 0.2], 0.1) for step in range(4)]))
    assert (found.code, found.groups) == ("gate_collapse", ("shared",))


def test_an_expert_without_load_is_dead(monitored: HealthMonitor) -> None:
    found = only(findings(monitored, [gate(step, [0.5, 0.499, 0.001, 0.0], 0.7) for step in range(4)]))
    assert (found.code, found.groups) == ("dead_expert", ("shared e2", "shared e3"))


def test_no_better_evaluation_is_told_where_nothing_ends_the_training(rules: HealthSettings) -> None:
    monitored = HealthMonitor(rules)
    monitored.feed({"k": "schema", "groups": [], "course": {"patience": 0}})
    found = only(findings(monitored, [val(step, step < 3) for step in range(9)]))
    assert (found.code, found.level) == ("stagnation", "warning") and "for 5" in found.hint
    over = only(findings(monitored, [val(9, True)]))
    assert over.level == "info"


def test_a_training_that_ends_by_itself_is_no_alarm(monitored: HealthMonitor) -> None:
    found = only(findings(monitored, [val(step, step < 3) for step in range(9)]))
    assert (found.level, "ends by itself after 10" in found.hint) == ("info", True)


def test_a_training_that_never_gets_better_than_its_first_evaluation_is_stuck(monitored: HealthMonitor) -> None:
    found = only(findings(monitored, [val(step, step == 0) for step in range(6)]))
    assert found.level == "warning" and "never better than the first" in found.hint


def test_a_resumed_training_counts_on(rules: HealthSettings) -> None:
    monitored = HealthMonitor(rules)
    monitored.feed({"k": "schema", "groups": [], "course": {"patience": 0, "stale": 4, "evaluations": 20}})
    assert only(findings(monitored, [val(1, False)])).code == "stagnation"


def test_a_training_that_became_slow_is_named(monitored: HealthMonitor) -> None:
    speeds = [50.0] + [1000.0] * 12 + [200.0] * 5
    found = only(findings(monitored, [numbers(step, positions_per_second=speed) for step, speed in enumerate(speeds)]))
    assert (found.code, found.level) == ("slow", "warning") and "20%" in found.hint


@pytest.mark.parametrize(("loss", "named"), [("base", 1), ("loss", 0)])
def test_a_student_that_is_worse_than_equal_scores_is_named_once_it_had_time(
    rules: HealthSettings, loss: str, named: int
) -> None:
    monitored = HealthMonitor(rules)
    monitored.feed({"k": "schema", "groups": [], "course": {"patience": 0, "uniform": ["base", math.log(1000)]}})
    early = [numbers(step, **{loss: value}) for step, value in enumerate([40.0] * (rules.window - 1) + [6.9])]
    assert findings(monitored, early) == []
    found = findings(monitored, [numbers(step, **{loss: 8.0}) for step in range(20, 20 + 2 * rules.window)])
    assert [(one.code, one.level) for one in found] == [("above_uniform", "warning")] * named
    assert all("base is above 6.91" in one.hint and ": 8 at step" in one.hint for one in found)


def test_every_finding_has_a_likely_cause_and_a_next_step(monitored: HealthMonitor) -> None:
    found = findings(monitored, [grad(step, [None, 0.0, 9.0], [0.0, 0.0, 0.0]) for step in range(5)])
    assert {finding.code for finding in found} == {"grad_none", "grad_zero", "still"}
    assert all(CAUSES[finding.code] in finding.hint for finding in found)


def test_what_a_stage_reports_is_watched_and_noted_in_its_summary(tmp_path: Path, rules: HealthSettings) -> None:
    info = RunInfo(id=new_id("teacher"), stage="teacher", experiment="test", seed=1, fingerprint="f")
    with Run(Store(tmp_path / "runs").create(info, "seed: 1\n")) as run:
        monitor(run, rules)
        run.describe({"gate": 4, "head": 9}, plan={"patience": 0})
        for step in range(4):
            run.gradients(step, 1.0, [None, 1.0], None, False, [0.0, 1e-3])
            run.gate(step, "shared", [[1], [0]], [1.0, 0.0], 0.0)
    summary = Summary.read(run.folder)
    assert summary is not None and set(summary.health) == {"grad_none", "gate_collapse", "dead_expert"}
    assert summary.health["grad_none"] | {"count": 1} == summary.health["grad_none"]


@pytest.mark.parametrize("overrides", [["student.dropout=0.1"], ["teacher.epochs=2"]])
def test_thresholds_change_no_fingerprint(overrides: list[str], tmp_path: Path) -> None:
    from engine.experiments.plan import fingerprints, pipeline

    def prints(*more: str) -> dict[str, str]:
        loaded = config.load([*overrides, *more])
        return fingerprints(pipeline("evaluate", loaded), loaded, tmp_path)

    assert prints() == prints("health.explode=3", "health.reports=1")


@pytest.fixture
def streams() -> Callable[[str], list[Event]]:
    return lambda name: [json.loads(line) for line in (RECORDED[0].parent / f"{name}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("stage", "group", "change", "code"),
    [
        ("student", "blocks", lambda norm, step: None, "grad_none"),
        ("student", "embedding", lambda norm, step: 0.0 if step > 200 else norm, "grad_zero"),
        ("distill", "projector", lambda norm, step: norm * 100 if step > 200 else norm, "explode"),
        ("teacher", "gate", lambda norm, step: norm * 1e-6 if step > 150 else norm, "grad_small"),
    ],
)
def test_a_fault_planted_into_a_real_stream_is_named(
    streams: Callable[[str], list[Event]], rules: HealthSettings, stage: str, group: str, change: Any, code: str
) -> None:
    events = streams(stage)
    index = [entry["name"] for entry in events[0]["groups"]].index(group)
    for event in events:
        if event["k"] == "grad":
            event["g"][index] = change(event["g"][index], event["step"])
    found = [finding for finding in findings(HealthMonitor(rules), events) if finding.level != "info"]
    assert [(finding.code, finding.groups) for finding in found] == [(code, (group,))]
