"""What has to run, what is reused, and why."""

import shutil
from pathlib import Path

import pytest

from engine import config
from engine.config import Config
from engine.errors import RunError
from engine.experiments.plan import JOIN, NEW, RESUME, REUSE, Step, fingerprints, inputs_of, pipeline, plan
from engine.jobs.store import Store
from engine.runs.run import Run, Stopped
from engine.runs.schema import Exit, RunInfo, new_id
from engine.stages import STAGES, Stage

TARGET = "evaluate"
OVERRIDES = ["evaluate.models=[popularity,student]"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture(scope="module")
def settings() -> Config:
    return config.load(OVERRIDES)


def carry_out(steps: list[Step], store: Store, settings: Config, end: type[Exception] | None = None) -> dict[str, str]:
    """Make the runs of a plan with the real writer, the last one ending with ``end``; returns their ids by stage."""
    ids: dict[str, str] = {}
    for step in steps:
        ids[step.stage.name] = step.run or new_id(step.stage.name)
        if step.action != NEW:
            continue
        inputs = {name: ids[name] for name in inputs_of(step.stage, settings)}
        info = RunInfo(ids[step.stage.name], step.stage.name, "test", 1, step.fingerprint, inputs=inputs)
        folder = store.create(info, config.dump(settings))
        try:
            with Run.open(folder):
                if end is not None and step is steps[-1]:
                    raise end
        except (Stopped, RuntimeError):
            pass
    return ids


def actions(steps: list[Step]) -> dict[str, str]:
    return {step.stage.name: step.action for step in steps}


def test_an_empty_folder_needs_everything_makers_first(store: Store, settings: Config) -> None:
    steps = plan(TARGET, settings, store)
    assert [step.stage.name for step in steps] == ["data", "student", "evaluate"]
    assert set(actions(steps).values()) == {NEW}


def test_what_is_finished_is_reused_and_nothing_else_is_looked_at(store: Store, settings: Config) -> None:
    ids = carry_out(plan(TARGET, settings, store), store, settings)
    (step,) = plan(TARGET, settings, store)
    assert (step.action, step.run) == (REUSE, ids[TARGET])


def test_a_changed_setting_of_the_student_reuses_the_data_alone_and_is_named(store: Store, settings: Config) -> None:
    carry_out(plan(TARGET, settings, store), store, settings)
    changed = config.load([*OVERRIDES, "student.dropout=0.31"])
    steps = plan(TARGET, changed, store)
    assert actions(steps) == {"data": REUSE, "student": NEW, "evaluate": NEW}
    assert f"student.dropout {settings.student.dropout!r} → 0.31" in steps[1].why


def test_more_than_three_changed_settings_are_counted(store: Store, settings: Config) -> None:
    carry_out(plan(TARGET, settings, store), store, settings)
    changed = ["student.dropout=0.31", "student.batch=7", "student.hidden=32", "student.epochs=3", "student.clip=1"]
    why = plan(TARGET, config.load([*OVERRIDES, *changed]), store)[1].why
    assert "student.hidden 64 → 32, student.dropout" in why and "and 2 more (against student-" in why


def test_a_run_of_another_version_with_other_settings_is_no_hindrance(store: Store, settings: Config) -> None:
    info = RunInfo(new_id("student"), "student", "test", 1, "0" * 16)
    store.create(info, "student: {dropout: 0.7, long_gone: 1}\n")
    assert "student.dropout 0.7 →" in {step.stage.name: step.why for step in plan(TARGET, settings, store)}["student"]


def test_another_seed_reuses_the_data(store: Store, settings: Config) -> None:
    carry_out(plan(TARGET, settings, store), store, settings)
    assert actions(plan(TARGET, config.load([*OVERRIDES, "seed=2"]), store))["data"] == REUSE


def test_where_a_run_works_does_not_change_what_it_is(settings: Config, tmp_path: Path) -> None:
    order = pipeline(TARGET, settings)
    elsewhere = config.load([*OVERRIDES, "launcher.slots=3", "trainer.report_every=7"])
    assert fingerprints(order, settings, tmp_path) == fingerprints(order, elsewhere, tmp_path)


def test_again_makes_the_target_anew_from_what_is_there(store: Store, settings: Config) -> None:
    carry_out(plan(TARGET, settings, store), store, settings)
    assert actions(plan(TARGET, settings, store, again=True)) == {"data": REUSE, "student": REUSE, "evaluate": NEW}


def test_a_stopped_run_is_resumed_in_its_own_folder(store: Store, settings: Config) -> None:
    ids = carry_out(plan("student", settings, store), store, settings, end=Stopped)
    steps = plan("student", settings, store)
    assert actions(steps) == {"data": REUSE, "student": RESUME}
    assert steps[1].run == ids["student"]


def test_a_failed_run_is_not_resumed_but_tried_anew(store: Store, settings: Config) -> None:
    carry_out(plan("student", settings, store), store, settings, end=RuntimeError)
    assert actions(plan("student", settings, store)) == {"data": REUSE, "student": NEW}


def test_a_run_that_a_person_could_put_right_goes_on_in_its_own_folder(store: Store, settings: Config) -> None:
    (step,) = plan("data", settings, store)
    folder = store.create(RunInfo(new_id("data"), "data", "test", 1, step.fingerprint), config.dump(settings))
    Exit(1, 2, None, "self", "the disk is full", 1.0, 0, False, 0.0).write(folder)
    (again,) = plan("data", settings, store)
    assert (again.action, again.run) == (RESUME, folder.name)


def test_a_run_at_work_is_joined(store: Store, settings: Config) -> None:
    (step,) = plan("data", settings, store)
    folder = store.create(RunInfo(new_id("data"), "data", "test", 1, step.fingerprint), config.dump(settings))
    with Run.open(folder) as run:
        (joined,) = plan("data", settings, store)
        assert (joined.action, joined.run) == (JOIN, run.id)


def test_an_interrupted_run_whose_input_is_made_anew_is_made_anew(store: Store, settings: Config) -> None:
    ids = carry_out(plan("student", settings, store), store, settings, end=Stopped)
    shutil.rmtree(store.root / ids["data"])
    assert actions(plan("student", settings, store)) == {"data": NEW, "student": NEW}


def test_models_decide_which_runs_an_evaluation_needs() -> None:
    assert inputs_of(STAGES["evaluate"], config.load(["evaluate.models=[popularity]"])) == ["data"]
    assert inputs_of(STAGES["evaluate"], config.load(["evaluate.models=[distilled]"])) == ["data", "distill"]


def test_a_stage_that_is_not_built_says_so(store: Store, settings: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "built", property(lambda stage: stage.name == "data"))
    with pytest.raises(RunError, match="'student' is declared but not built") as caught:
        plan("student", settings, store)
    assert "data" in caught.value.remedy


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Five interactions in MovieLens-100K's layout."""
    folder = tmp_path / "raw"
    folder.mkdir()
    rows = [
        f"{user}\t{item}\t4\t{time}" for user, item, time in ((1, 1, 5), (1, 2, 6), (2, 1, 7), (2, 2, 8), (1, 3, 9))
    ]
    (folder / "u.data").write_text("\n".join(rows) + "\n")
    (folder / "u.item").write_text("".join(f"{n}|Film {n} (1990)" + "|" * 22 + "\n" for n in (1, 2, 3)))
    return folder


def data_print(path: Path, root: Path) -> str:
    settings = config.load(["data=ml-100k", f"data.path={path}"])
    return fingerprints([STAGES["data"]], settings, root)["data"]


def test_the_same_files_elsewhere_are_the_same_data(raw: Path, tmp_path: Path) -> None:
    before = data_print(raw, tmp_path)
    shutil.copytree(raw, tmp_path / "moved")
    assert data_print(tmp_path / "moved", tmp_path) == before


def test_a_plan_can_be_made_before_there_is_a_folder_of_runs(raw: Path, tmp_path: Path) -> None:
    settings = config.load(["data=ml-100k", f"data.path={raw}"])
    (step,) = plan("data", settings, Store(tmp_path / "not" / "there"))
    assert step.action == NEW


def test_other_content_under_the_same_name_is_other_data(raw: Path, tmp_path: Path) -> None:
    before = data_print(raw, tmp_path)
    (raw / "u.data").write_text((raw / "u.data").read_text().replace("\t4\t5", "\t3\t5"))
    assert data_print(raw, tmp_path) != before
