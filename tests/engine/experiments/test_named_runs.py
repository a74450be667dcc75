"""Runs that settings name by their ids: what a plan demands of them, and what it makes of them."""

from pathlib import Path

import pytest

from engine import config
from engine.errors import ConfigError, RunError
from engine.experiments.launch import Request, start
from engine.experiments.named_runs import named_runs
from engine.experiments.plan import fingerprints, inputs_of, pipeline
from engine.jobs.store import Store
from engine.runs.lineage import folders
from engine.runs.schema import Exit, RunInfo
from engine.stages import STAGES

KNOWLEDGE = STAGES["knowledge"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def made(store: Store, stage: str, name: str, inputs: dict[str, str], fingerprint: str = "f", done: bool = True) -> str:
    folder = store.create(RunInfo(name, stage, "test", 1, fingerprint, inputs), "seed: 1\n")
    if done:
        Exit(1, 0, None, "self", "", 1.0, 10**8, False, 1.0).write(folder)
    return name


def prints(store: Store, *words: str) -> dict[str, str]:
    loaded = config.load([*words])
    return fingerprints(pipeline("knowledge", loaded), loaded, store.root)


def test_a_named_run_enters_the_fingerprint_by_its_own_and_by_its_id(store: Store) -> None:
    data = prints(store)["data"]
    made(store, "data", "data-1", {}, data)
    for name, fingerprint in (("student-1", "one"), ("student-2", "two"), ("distill-3", "three")):
        made(store, name[:-2], name, {"data": "data-1"}, fingerprint)
    wanted = ["knowledge.models=[student-1]", "knowledge.models=[student-2]", "knowledge.models=[distill-3,student]"]
    found = [prints(store, words)["knowledge"] for words in wanted]
    assert len(set(found)) == 3 and prints(store, wanted[0])["knowledge"] == found[0]


def test_by_default_nothing_is_named_and_the_fingerprint_is_what_it_was(store: Store) -> None:
    assert named_runs(KNOWLEDGE, config.load([])) == {}
    assert prints(store, "knowledge.models=[teacher]") == prints(store)


@pytest.mark.parametrize(
    ("models", "inputs"),
    [
        ("[teacher]", ["data", "student", "backbone", "teacher"]),
        ("[student]", ["data", "student"]),
        ("[some-run]", ["data"]),
        ("[student,some-run,teacher]", ["data", "student", "backbone", "teacher"]),
    ],
)
def test_a_plan_runs_no_more_than_its_models_need(models: str, inputs: list[str]) -> None:
    loaded = config.load([f"knowledge.models={models}"])
    assert inputs_of(KNOWLEDGE, loaded) == inputs
    text = config.load([f"knowledge.models={models}", "knowledge.item_vectors=text"])
    assert set(inputs_of(KNOWLEDGE, text)) == {*inputs, "backbone"}


@pytest.mark.parametrize(
    ("stage", "inputs", "done", "message"),
    [
        ("", {}, True, "no such run"),
        ("teacher", {"data": "data-1"}, True, "a teacher run has no student model"),
        ("student", {"data": "data-1"}, False, "not finished"),
        ("student", {"data": "data-2"}, True, "made from other data"),
        ("student", {"data": "data-9"}, True, "data-9 is gone"),
    ],
)
def test_a_run_that_cannot_be_used_is_refused_in_one_message(
    store: Store, stage: str, inputs: dict[str, str], done: bool, message: str
) -> None:
    made(store, "data", "data-1", {}, prints(store)["data"])
    made(store, "data", "data-2", {}, "other")
    if stage:
        made(store, stage, "run-1", inputs, done=done)
    with pytest.raises(RunError, match=message) as error:
        prints(store, "knowledge.models=[student,run-1]")
    assert "run-1" in str(error.value) and error.value.remedy


def test_a_teacher_that_generates_titles_is_mixed_with_nothing() -> None:
    loaded = config.load(["teacher=generate", "knowledge.models=[teacher,student]"])
    with pytest.raises(ConfigError, match="scores no catalogue"):
        inputs_of(KNOWLEDGE, loaded)


@pytest.mark.parametrize(
    "words",
    [
        "knowledge.models=[]",
        "knowledge.models=[student,student]",
        "knowledge.weights=[1,2]",
        "knowledge.weights=[0]",
        "knowledge.item_vectors=student",
    ],
)
def test_settings_that_contradict_each_other_are_refused(words: str) -> None:
    with pytest.raises(ConfigError):
        config.load([words])
    with pytest.raises(ConfigError):
        config.load(["knowledge.models=[student]", "knowledge.query_selection=random", "knowledge.budget=0.5"])


def test_a_named_run_stands_behind_a_run_but_is_not_one_of_its_stages(store: Store) -> None:
    made(store, "data", "data-1", {})
    made(store, "student", "student-1", {"data": "data-1"})
    made(store, "knowledge", "knowledge-1", {"data": "data-1", "model 1": "student-1"})
    whole, own = ([one.name for one in folders(store.root / "knowledge-1", named=named)] for named in (True, False))
    assert whole == ["knowledge-1", "data-1", "student-1"] and own == ["knowledge-1", "data-1"]


@pytest.mark.parametrize(
    ("words", "wrong", "message"),
    [
        (["data=table", "data.known={}"], "student", "a student run has no ids"),
        (["student.init_from={}"], "data", "a data run has no weights"),
    ],
)
def test_former_runs_enter_the_fingerprint_by_their_own_alone(
    store: Store, tmp_path: Path, words: list[str], wrong: str, message: str
) -> None:
    (tmp_path / "x.csv").write_text("user,item\n")
    right = "student" if wrong == "data" else "data"
    for name, fingerprint in (("1", "one"), ("2", "one"), ("3", "three")):
        made(store, right, f"{right}-{name}", {}, fingerprint)
    made(store, wrong, f"{wrong}-9", {})

    def found(name: str) -> str:
        own = [word.format(name) for word in words] + [f"data.path={tmp_path / 'x.csv'}"]
        return prints(store, *own)[right]

    assert found(f"{right}-1") == found(f"{right}-2") != found(f"{right}-3")
    for name, cause in ((f"{wrong}-9", message), (f"{right}-7", "no such run")):
        with pytest.raises(RunError, match=cause) as error:
            found(name)
        assert name in error.value.location and error.value.remedy
    loaded = config.load([word.format(f"{right}-1") for word in words])
    assert list(named_runs(STAGES[right], loaded).values()) == [f"{right}-1"]


def test_a_started_run_has_the_named_run_among_its_inputs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.experiments.launch.launch", lambda folder, info: None)
    words = ["knowledge.models=[student-1]"]
    made(store, "data", "data-1", {}, prints(store)["data"])
    made(store, "student", "student-1", {"data": "data-1"})
    steps = start(Request("knowledge", words, "test", again=False), config.load(words), store)
    assert [(step.stage.name, step.action) for step in steps] == [("knowledge", "new")] or steps[0].run == "data-1"
    info = RunInfo.read(store.root / steps[-1].run)
    assert info.inputs == {"data": "data-1", "model 1": "student-1"}
