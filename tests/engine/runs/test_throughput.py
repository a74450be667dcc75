import pytest

from engine.runs.throughput import Throughput


def test_a_constant_rate_is_known_after_one_second() -> None:
    throughput = Throughput()
    assert throughput.measure(100.0, 0, "train") is None
    assert throughput.measure(100.5, 5, "train") is None
    assert throughput.measure(101.0, 10, "train") == pytest.approx(10)
    assert throughput.measure(107.0, 70, "train") == pytest.approx(10)


def test_a_change_of_rate_is_followed_gradually() -> None:
    throughput = Throughput()
    throughput.measure(0.0, 0, "train")
    throughput.measure(1.0, 100, "train")
    rates = [throughput.measure(float(second), 100 + (second - 1) * 10, "train") or 0.0 for second in range(2, 22)]
    assert rates[0] == pytest.approx(0.7 * 100 + 0.3 * 10)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(10, rel=0.02)


def test_a_pause_keeps_the_rate_and_is_counted_when_work_goes_on() -> None:
    throughput = Throughput()
    throughput.measure(0.0, 0, "train")
    throughput.measure(1.0, 100, "train")
    assert [throughput.measure(float(second), 100, "train") for second in range(2, 60)] == [100.0] * 58
    assert throughput.measure(61.0, 160, "train") == pytest.approx(0.7 * 100 + 0.3 * 1)


def test_nothing_done_yet_has_no_rate() -> None:
    throughput = Throughput()
    assert [throughput.measure(float(second), 0, "prepare") for second in range(5)] == [None] * 5


@pytest.mark.parametrize(
    ("done", "phase"), [(0, "validate"), (3, "train")], ids=["another phase", "again from earlier"]
)
def test_a_phase_that_begins_is_measured_anew(done: int, phase: str) -> None:
    throughput = Throughput()
    throughput.measure(0.0, 0, "train")
    throughput.measure(1.0, 100, "train")
    assert throughput.measure(2.0, done, phase) is None
    assert throughput.measure(3.0, done + 4, phase) == pytest.approx(4)
