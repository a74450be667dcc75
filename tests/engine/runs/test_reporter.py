import math
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from engine.runs.events import unpack_counts
from engine.runs.reader import history
from engine.runs.reporter import Reporter, SilentReporter, counted
from engine.runs.run import Run, Stopped
from tests.fixtures.runs import Clock, events, summary


def test_best_follows_the_goal_in_the_table(folder: Path) -> None:
    run = Run.open(folder)
    for step, (recall, loss) in enumerate([(0.1, 3.0), (0.3, 1.0), (0.2, 2.0), (math.nan, math.nan)]):
        run.scalars(step, {"loss": loss, "lr": 0.1})
        run.evaluation(step, {"val_recall@10": recall, "unknown": 1.0})
    run.note()
    assert summary(folder).best == {"loss": {"v": 1.0, "step": 1}, "val_recall@10": {"v": 0.3, "step": 1}}
    assert summary(folder).kept == {}
    assert math.isnan(summary(folder).last["loss"])
    assert summary(folder).last["unknown"] == 1.0


def test_a_resumed_attempt_keeps_the_facts_and_the_best_up_to_its_step(folder: Path) -> None:
    with pytest.raises(Stopped), Run.open(folder) as run:
        for step, recall in [(10, 0.1), (20, 0.3), (30, 0.2), (40, 0.5)]:
            run.evaluation(step, {"val_recall@10": recall})
        run.note(train_seconds=7.5)
        raise Stopped
    again = Run.open(folder)
    assert again.attempt == 2
    assert summary(folder).best == {}
    again.resumed(30)
    again.note()
    assert summary(folder).best == {"val_recall@10": {"v": 0.3, "step": 20}}
    assert summary(folder).facts == {"train_seconds": 7.5}
    assert [evaluation.step for evaluation in history(folder).evaluations] == [10, 20, 30]


def test_the_metrics_of_the_kept_weights_are_those_of_their_evaluation_also_after_a_resume(folder: Path) -> None:
    with pytest.raises(Stopped), Run.open(folder) as run:
        for step, recall, ndcg, best in [(10, 0.1, 0.1, True), (20, 0.2, 0.3, True), (30, 0.3, 0.2, False)]:
            run.evaluation(step, {"val_recall@10": recall, "val_ndcg@10": ndcg}, best=best)
        run.evaluation(40, {"val_recall@10": 0.5, "val_ndcg@10": 0.5}, best=True)
        raise Stopped
    assert (summary(folder).kept["val_recall@10"], summary(folder).kept_step) == (0.5, 40)
    again = Run.open(folder)
    again.resumed(30)
    again.note()
    assert summary(folder).kept == {"val_recall@10": 0.2, "val_ndcg@10": 0.3} and summary(folder).kept_step == 20
    assert summary(folder).best["val_recall@10"] == {"v": 0.3, "step": 30}


def test_the_summary_is_written_at_most_once_a_second_and_whole_at_the_end(folder: Path, clock: Clock) -> None:
    with Run(folder, clock) as run:
        seen = set()
        for step in range(1000):  # ten seconds
            clock.now += 0.01
            run.scalars(step, {"loss": 1.0})
            seen.add(summary(folder).hb)
        assert 9 <= len(seen) <= 12
    assert (summary(folder).hb, summary(folder).step) == (clock.now, 999)


def test_progress_includes_rate_and_eta(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    for step in range(0, 101):
        clock.now += 0.1
        run.progress(step, 1000, "train")
    known = summary(folder)
    assert known.rate == pytest.approx(10)
    assert known.eta == pytest.approx((1000 - known.step) / 10)
    run.progress(0, 50, "export", rate=25.0, unit="items")
    run.note()
    assert (summary(folder).phase, summary(folder).unit, summary(folder).rate) == ("export", "items", 25.0)
    assert summary(folder).eta == 2.0


def test_begin_and_end_of_every_phase_are_written(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    for phase in range(20):
        run.progress(0, 10, f"phase {phase}")
        run.progress(10, 10, f"phase {phase}")
    known = [(event["phase"], event["step"]) for event in events(folder, "prog")]
    assert known == [(f"phase {phase}", step) for phase in range(20) for step in (0, 10)]


def test_scalars_keep_the_whole_precision_of_a_float32(folder: Path) -> None:
    value = 0.100000001490116119384765625  # float32(0.1)
    run = Run.open(folder)
    run.scalars(1, {"loss": value, "broken": math.inf})
    assert struct.pack("f", events(folder, "s")[0]["m"]["loss"]) == struct.pack("f", value)
    assert events(folder, "s")[0]["m"]["broken"] == "inf"


def test_evaluations_keep_every_digit(folder: Path) -> None:
    run = Run.open(folder)
    run.evaluation(1, {"val_recall@10": 1 / 3}, epoch=0.5, best=True)
    event = events(folder, "val")[0]
    assert (event["m"]["val_recall@10"], event["ep"], event["best"], event["split"]) == (1 / 3, 0.5, True, "validation")


def test_a_missing_gradient_differs_from_a_zero_one(folder: Path) -> None:
    run = Run.open(folder)
    run.describe({"embedding": 10, "blocks": 20, "output": 30})
    run.gradients(1, 3.14159, [None, 0.0, 1.23456], clip=1.0, clipped=True, updates=[None, 0.0, 0.001])
    event = events(folder, "grad")[0]
    assert (event["g"], event["u"]) == ([None, 0.0, 1.235], [None, 0.0, 0.001])
    assert (event["total"], event["clip"], event["clipped"]) == (3.142, 1.0, True)
    assert [group["name"] for group in events(folder, "schema")[0]["groups"]] == ["embedding", "blocks", "output"]
    with pytest.raises(ValueError, match="2 values for the 3 groups"):
        run.gradients(1, 1.0, [1.0, 2.0], None, False)


def test_gate_histograms_can_be_read_back(bench: Any) -> None:
    folder = bench.create("teacher")
    counts = [[0, 3, 9], [5, 0, 0]]
    Run.open(folder).gate(1, "layers.0.q", counts, [0.25, 0.75], 0.5)
    event = events(folder, "gate")[0]
    for row, back in zip(counts, unpack_counts(event["c"], event["mx"]), strict=True):
        assert back == pytest.approx(row, abs=0.05)
    assert (event["n"], event["load"], event["ent"]) == (17, [0.25, 0.75], 0.5)


def test_health_is_counted_in_the_summary(folder: Path) -> None:
    run = Run.open(folder)
    run.health("grad_none", "error", "no gradient reaches it", ["output"])
    run.health("grad_none", "error", "no gradient reaches it", ["output"])
    run.note()
    flag = summary(folder).health["grad_none"]
    assert (flag["count"], flag["level"], flag["groups"]) == (2, "error", ["output"])
    assert len(events(folder, "health")) == 2


def test_held_back_events_are_written_before_an_evaluation(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    for step in range(1000):
        run.scalars(step, {"loss": 1.0})
    run.evaluation(999, {"val_recall@10": 0.1})
    last, evaluation = events(folder, "s")[-1], events(folder, "val")[0]
    assert (last["step"], last["q"]) == (999, evaluation["q"] - 1)


def test_held_back_events_are_written_on_request(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    for step in range(1000):
        run.scalars(step, {"loss": 1.0})
    assert events(folder, "s")[-1]["step"] < 999
    run.flush()
    assert (events(folder, "s")[-1]["step"], summary(folder).step) == (999, 999)


def test_a_silent_reporter_has_every_method_of_a_reporter() -> None:
    reporter, silent = (
        {name for name in vars(kind) if not name.startswith("_")} for kind in (Reporter, SilentReporter)
    )
    assert silent == reporter


def test_a_phase_that_stays_complete_is_written_once(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    for _ in range(100):
        run.progress(10, 10, "ask", unit="prompts")
    assert len(events(folder, "prog")) < 100


def test_loading_keeps_the_heartbeat_and_gives_the_phase_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runs.signs_of_life.EVERY", 0.001)
    run = Run.open(folder)
    with run.loading("load models"):
        assert summary(folder).phase == "load models"
        first = summary(folder).hb
        deadline = time.monotonic() + 20
        while summary(folder).hb == first:
            assert time.monotonic() < deadline
    run.flush()
    assert summary(folder).phase == ""
    with SilentReporter().loading("load models"):
        pass


def test_a_counter_reports_how_much_of_how_much(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    tick = counted(run, "ask about test", "prompts")
    for done in (10, 20, 30):
        tick(done, 60)
        clock.now += 2.0
    tick(40, 60)
    run.flush()
    now = summary(folder)
    assert (now.phase, now.unit, now.step, now.total, now.rate) == ("ask about test", "prompts", 40, 60, 5.0)
    assert now.eta == 4.0
    counted(SilentReporter(), "ask", "prompts")(1, 2)
