"""How a check is declared, and how its outcome is built."""

from typing import Any

from engine.doctor.check import FAIL, PASS, WARN, Outcome, check, judged, passed, without


def declared(*stages: str) -> Any:
    def answer(case: Any, stage: str = "only") -> Outcome:
        return passed(f"{case} {stage}")

    return check("loss", *stages, detects="a fault", cause="a cause", remedy="engine run {stage}")(answer)


def test_a_check_of_one_stage_has_its_own_name() -> None:
    (one,) = declared("data")
    assert (one.name, one.stage, one.detects, one.cause) == ("loss", "data", "a fault", "a cause")
    assert one.run("case").evidence == "case only"
    assert one.test == "tests/engine/doctor/test_test_check.py"  # after the module that declares it


def test_a_check_of_several_stages_is_named_after_each_and_receives_it() -> None:
    checks = declared("student", "teacher")
    assert [one.name for one in checks] == ["student-loss", "teacher-loss"]
    assert [one.remedy for one in checks] == ["engine run student", "engine run teacher"]
    assert [one.run("case").evidence for one in checks] == ["case student", "case teacher"]


def test_faults_are_listed_once_and_no_fault_is_a_pass() -> None:
    assert without(["a", "b", "a"], "fine") == Outcome(FAIL, "a; b")
    assert without([], "fine") == Outcome(PASS, "fine")
    assert judged(False, "low", WARN).verdict == WARN and judged(True, "high", WARN).verdict == PASS
