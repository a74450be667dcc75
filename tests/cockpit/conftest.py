"""Run folders made by the engine's own writer at a fixed time with fixed names, and a context without a terminal."""

import os
import shutil
import time
from pathlib import Path

import pytest

from cockpit.context import Context
from cockpit.dispatch import key
from cockpit.screens import Screens
from cockpit.services.engine import CommandResult
from cockpit.settings import Settings
from engine.stages import Stage
from tests.fixtures.cockpit import NOW, Engine, Maker, Recorder
from tests.fixtures.evaluation_tables import write_evaluation

CHANGED_ANSWER = [("evaluate", {"evaluate.models": [["student"], ["popularity", "student"]]}), ("student", {})]


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """No test reads the settings or the terminal of the person who runs it."""
    monkeypatch.setenv("COCKPIT_SETTINGS", str(tmp_path / "no-settings.toml"))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for name in ("NO_COLOR", "ENGINE_RUNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def maker(tmp_path):
    return Maker(tmp_path / "runs")


@pytest.fixture(scope="session")
def made_world(tmp_path_factory):
    """The runs of ``world``, made once a session: to be copied, not changed."""
    maker, runs = Maker(tmp_path_factory.mktemp("world")), {}

    def keep(name, folder):
        runs[name] = folder.name
        return folder

    data = keep("data", maker.ended(maker.planned("data")))
    student = keep("student", maker.trained(maker.planned(inputs={"data": data.name})))
    second = keep(
        "second", maker.trained(maker.planned(seed=2, inputs={"data": data.name}, config={"lr": 9e-4}), top=0.085)
    )
    maker.console(student, "12:04:31 epoch 1 loss 1.5\n12:04:33 warning: slow loader\n12:04:35 epoch 2 loss 1.2\n")
    failed = keep("failed", maker.planned("teacher"))
    maker.trained(failed, steps=40, end="", nan_at=30)
    maker.ended(failed, 1, reason="RuntimeError: loss is NaN")
    keep("killed", maker.ended(maker.planned(seed=3), None, signal=9, reason="out of memory"))
    keep("stopped", maker.ended(maker.planned(seed=4), 143, by="user"))
    keep("lost", maker.planned(seed=5))
    keep("waiting", maker.waiting(maker.planned("distill", inputs={"data": data.name, "student": second.name})))
    keep("queued", maker.waiting(maker.planned("teacher"), "queued"))
    live = keep("live", maker.planned("teacher", inputs={"data": data.name, "student": student.name}))
    maker.trained(live, steps=120, total=400, end="", gates=True)
    maker.console(live, "".join(f"12:0{i}:00 step {i}0 loss 1.{9 - i}\n" for i in range(9)))
    return maker, runs


@pytest.fixture
def world(maker, made_world):
    """One run of every kind that the screens tell apart. Gives {name: run id}."""
    made, runs = made_world
    assert not maker.made, "the names of runs are counted: this world comes first"
    shutil.copytree(made.root, maker.root, symlinks=True, dirs_exist_ok=True)
    maker.made = made.made
    return dict(runs)


@pytest.fixture
def evaluated(maker):
    """A finished evaluation of five models, with the runs that it was made from: its folder."""
    data = maker.ended(maker.planned("data"))
    student = maker.trained(maker.planned(inputs={"data": data.name}))
    folder = maker.planned("evaluate", inputs={"data": data.name, "student": student.name})
    write_evaluation(folder)

    def report(run, tick):
        figures = {"popularity": {"ndcg@10": 0.031}, "distilled": {"ndcg@10": 0.179}}
        run.evaluation(1, {"ndcg@10": 0.179, "hr@10": 0.29}, best=True, split="test")
        run.note(model="distilled", figures=figures)

    return maker.ended(maker.reported(folder, report, "done"))


@pytest.fixture
def opened_result(context, ready, evaluated, press):
    """The result screen, with the settings of the lineage known."""
    rows = {row.stage: row.id for row in ready(context).list.rows.values()}
    answer = [{"run": rows[stage], "changed": changed} for stage, changed in CHANGED_ANSWER]
    context.ask.answers["show"] = CommandResult(0, [*answer, {"run": rows["data"], "changed": None}], "")

    async def run():
        context.list.go_to(evaluated.name)
        press(context, "enter")
        ready(context)
        await context.effects.run_pending()
        return ready(context)

    return run


@pytest.fixture
def opened(maker):
    """Opens a context over the maker's folder with recorded effects; ``ready(context)`` then reads the runs."""
    maker.root.mkdir(exist_ok=True)
    contexts = []

    def open_context(root=maker.root, **options):
        options = {"clock": lambda: NOW, "ask": Engine(), **options}
        contexts.append(Context(root, Recorder(), Settings(), screens=Screens, **options))
        return contexts[-1]

    yield open_context
    for work in [work for context in contexts for work in context.effects.work]:
        work.close()


@pytest.fixture
def context(opened):
    return opened()


@pytest.fixture
def ready():
    """Reads until nothing is left to read."""

    def run(context):
        deadline = time.monotonic() + 20
        scanners = getattr(context.watch.scanner, "_scanners", {"": context.watch.scanner}).values()
        for scanner in scanners:
            if not hasattr(scanner, "_seen"):  # of other programs' logs
                scanner.list_again()
                continue
            scanner._seen = {name: (seen, -10.0) for name, (seen, _) in scanner._seen.items()}
        while time.monotonic() < deadline:
            for scanner in scanners:
                scanner._listed = scanner._asked = -10.0
            context.watch._arranged = -20.0
            context.tick()
            if (
                context.watch.scanner.complete
                and not context.watch._unarranged
                and not context.behind
                and not any(getattr(scanner, "_todo", ()) for scanner in scanners)
            ):
                break
        return context

    return run


@pytest.fixture
def until():
    """Reads until something comes true."""

    def run(context, condition):
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline
            context.tick()

    return run


@pytest.fixture
def press():
    """Presses keys by name; a word in quotes is typed letter by letter."""

    def run(context, *names):
        for name in names:
            if name.startswith('"'):
                for letter in name.strip('"'):
                    key(context, letter, letter)
            else:
                key(context, name, name if len(name) == 1 else None)

    return run


@pytest.fixture
def live(context, ready, world, press):
    """The live screen on the teacher that is at work."""
    ready(context).list.go_to(world["live"])
    press(context, "enter")
    return ready(context)


@pytest.fixture
def snapshot():
    """Compares a picture with the one kept under ``snapshots/``; COCKPIT_SNAPSHOTS=write keeps a new one."""

    def compare(name, text):
        path = Path(__file__).parent / "snapshots" / f"{name}.txt"
        if os.environ.get("COCKPIT_SNAPSHOTS") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        assert path.is_file(), f"{path.name} is missing: look at the picture, then COCKPIT_SNAPSHOTS=write pytest"
        assert text.splitlines() == path.read_text(encoding="utf-8").splitlines()

    return compare


@pytest.fixture
def all_built(monkeypatch):
    """Every stage can run, whichever of them this version has."""
    monkeypatch.setattr(Stage, "built", property(lambda stage: True))
