"""What a start would take, by what earlier runs took."""

from cockpit.models.estimate import estimate
from cockpit.models.rows import Row


def run(number, stage="student", wall=60.0, state="DONE", data="data-1", **more):
    return Row(f"{stage}-{number}", stage, state=state, wall=wall, created=float(number), inputs={"data": data}, **more)


def test_the_middle_of_earlier_runs_times_the_runs_to_make():
    rows = [run(1, wall=50.0), run(2, wall=60.0), run(3, wall=100.0)]
    estimated = estimate({"student": 4}, rows, "data-1", lambda name: 10.0)
    assert (estimated.seconds, estimated.least, estimated.most, estimated.bytes, estimated.based_on) == (
        240.0,
        200.0,
        400.0,
        40.0,
        3,
    )


def test_stages_add_up_and_those_without_a_past_are_named():
    rows = [run(1), run(2, "data", wall=5.0)]
    estimated = estimate({"data": 1, "student": 1, "teacher": 1}, rows, "", lambda name: 1.0)
    assert (estimated.seconds, estimated.bytes, estimated.unknown) == (65.0, 2.0, ("teacher",))


def test_runs_on_the_same_data_count_before_all_others():
    rows = [run(1, wall=10.0), run(2, wall=900.0, data="data-2")]
    assert estimate({"student": 1}, rows, "data-1", lambda name: 0.0).seconds == 10.0
    assert estimate({"student": 1}, rows, "data-3", lambda name: 0.0).seconds == 455.0


def test_runs_that_were_cut_short_or_resumed_tell_nothing():
    rows = [run(1, state="STOPPED"), run(2, attempt=2), run(3, wall=None)]
    assert estimate({"student": 1}, rows, "", lambda name: 0.0).unknown == ("student",)


def test_only_the_latest_runs_are_asked():
    rows = [run(number, wall=float(number)) for number in range(1, 20)]
    assert estimate({"student": 1}, rows, "", lambda name: 0.0).seconds == 17.0


def test_more_epochs_take_longer_and_a_run_that_stopped_early_is_expected_to_stop_there_again():
    settings = {"student-1": {"student.epochs": 10}, "student-2": {"student.epochs": 100}}

    def seconds(row, epochs):
        found = estimate({"student": 1}, [row], "", lambda name: 0.0, {"student": epochs}, lambda row: settings[row.id])
        return found.seconds

    whole, early = run(1, wall=60.0, epoch=10.0), run(2, wall=60.0, epoch=20.0)
    assert seconds(whole, 10.0) == 60.0 and seconds(whole, 40.0) == 240.0 and seconds(whole, 5.0) == 30.0
    assert seconds(early, 100.0) == 60.0 and seconds(early, 200.0) == 60.0 and seconds(early, 10.0) == 30.0
    assert estimate({"student": 1}, [whole], "", lambda name: 0.0, {}, lambda row: {}).seconds == 60.0
