"""Run folders made by the engine's own writer at a fixed time with fixed names, and a context without a terminal."""

import json
import math
import os
import time
from pathlib import Path

import pytest
import yaml

from cockpit.context import Context
from cockpit.dispatch import key
from cockpit.screens import Screens
from cockpit.services.engine import CommandResult
from cockpit.settings import Settings
from engine.jobs.store import Store
from engine.runs.event_writer import EventWriter
from engine.runs.identity import Identity
from engine.runs.run import Run
from engine.runs.schema import DEVICES, Exit, Process, RunInfo
from engine.stages import Stage
from tests.fixtures.evaluation_tables import write_evaluation

NOW = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
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


class Maker:
    """Makes runs below a folder. Every run is one minute older than the one before it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root)
        self.made = 0

    def planned(self, stage="student", *, seed=1, experiment="demo", inputs=None, config=None, name=None, **info):
        """A run folder with run.json and config.yaml; nothing has worked on it."""
        created = NOW - 60 * self.made
        self.made += 1
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(created))
        identity = name or f"{stage}-{stamp}-{self.made:04x}"
        settings = {"seed": seed, stage: {"hidden": 64, "lr": 1e-3, **(config or {})}}
        argv = info.pop("argv", ["engine", "run", stage])
        record = RunInfo(identity, stage, experiment, seed, f"{self.made:016x}", inputs or {}, argv, **info)
        object.__setattr__(record, "created", created)
        return self.store.create(record, yaml.safe_dump(settings))

    def ended(self, folder, code=0, *, signal=None, by="self", reason="", wall=61.0):
        Exit(1, code, signal, by, reason, wall, 10**8, False, NOW - 5).write(folder)
        return folder

    def waiting(self, folder, phase="waiting", alive=True):
        """A supervisor (this very process) that waits."""
        me = Identity.of(1 if not alive else os.getpid())
        Process(1, me, phase, NOW - 30).write(folder)
        return folder

    def reported(self, folder, report, end="", now=NOW):
        """Reports through the writer itself; ``report(run, tick)`` gets a clock that moves by tick(seconds)."""
        clock = [now - 600.0]
        run = Run(folder, clock=lambda: clock[0])

        def tick(seconds=1.0):
            clock[0] += seconds

        if end:
            with run:
                report(run, tick)
        else:
            report(run, tick)
            clock[0] = now - 2
            run.flush()
        return folder

    def trained(self, folder, steps=200, total=200, top=0.09, end="done", gates=False, nan_at=None):
        """A training with curves that look like curves."""

        def report(run, tick):
            run.describe({"embedding": 1000, "blocks": 2000, "output": 64}, {"layers": 1} if gates else None)
            for step in range(10, steps + 1, 10):
                tick(2.0)
                loss = 1.0 + math.exp(-step / 60)
                run.progress(step, total, "training", rate=50.0)
                run.scalars(
                    step, {"loss": loss if nan_at is None or step < nan_at else math.nan, "lr": 1e-3}, step / 20
                )
                run.gradients(step, 1.2 * math.exp(-step / 90) + 0.3, [0.3, 0.16, 0.02], 1.0, step < 40)
                if gates:
                    counts = [[max(0, 20 - abs(bin - 4 * e)) for bin in range(32)] for e in range(4)]
                    run.gate(step, "layers.1", counts, [0.4, 0.3, 0.2, 0.1], 1.28)
                if step % 20 == 0:
                    value = top * (1 - math.exp(-step / 50))
                    run.evaluation(step, {"val_recall@10": value, "val_ndcg@10": value / 2}, step / 20, best=True)

        self.reported(folder, report, end)
        if end == "done":
            self.ended(folder)
        return folder

    def devices(self, folder, readings=60, gpus=0, now=NOW):
        """Readings of a supervisor, ten seconds apart, the last one at the time of the run's last report."""
        clock = [now - 10.0 * readings]
        writer = EventWriter(folder / DEVICES, lambda: clock[0])
        cards = [{"i": index, "name": "H200", "mem": 139 << 30} for index in range(gpus)]
        note = None if gpus else "no GPU: this machine has no NVIDIA driver"
        writer.write("machine", every=10.0, cores=16, limit=128 << 30, disk=4e12, gpus=cards, note=note)
        for number in range(readings):
            clock[0] += 10.0
            wave = 0.5 + 0.4 * math.sin(number / 9)
            memory = (2 << 30) + number * (32 << 20)
            machine = {"busy": wave / 2, "used": 2 * memory, "free": 1e12}
            card = {"busy": wave, "own": 19 << 30, "w": 400, "c": 54}
            read = [{"i": index, "mem": (20 + index) << 30} | card for index in range(gpus)]
            use = {"n": 3, "cpu": 4 * wave, "top": 0.98, "mem": memory, "rd": 5e6 * wave, "wr": 1e6}
            writer.write("sys", **use, **machine, gpus=read or None)
        writer.close()
        return folder

    def console(self, folder, text):
        (folder / "console.log").write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def maker(tmp_path):
    return Maker(tmp_path / "runs")


@pytest.fixture
def world(maker):
    """One run of every kind that the screens tell apart. Gives {name: run id}."""
    runs = {}

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
    return runs


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


class Recorder:
    """The effects of a context, recorded instead of executed; ``run_pending`` awaits what was spawned."""

    def __init__(self):
        self.work, self.copied, self.left, self.repainted, self.announced = [], [], False, 0, []

    def spawn(self, work):
        self.work.append(work)

    def leave(self):
        self.left = True

    def copy(self, text):
        self.copied.append(text)

    def announce(self, kind, title, text):
        self.announced.append((kind, text))

    def repaint(self):
        self.repainted += 1

    async def run_pending(self):
        while self.work:
            await self.work.pop(0)


CONFIG_ANSWER = {
    "groups": {"student": {"choice": "sasrec", "choices": ["sasrec", "gru4rec"]}, "experiment": {"choices": ["demo"]}},
    "settings": [
        {"key": "seed", "value": 0},
        {"key": "data.name", "value": "demo"},
        {"key": "student.hidden", "value": 64},
        {"key": "student.learning_rate", "value": 0.001},
        {"key": "student.normalise", "value": True},
        {"key": "student.loss", "value": "cross-entropy"},
        {"key": "student.blocks", "value": None},
        {"key": "trainer.devices", "value": 1},
        {"key": "evaluate.models", "value": ["student"]},
    ],
    "experiments": ["demo", "ml-100k", "wide"],
    "saved": ["wide"],
}


DOCTOR_ANSWER = {
    "sound": True,
    "seconds": 31.4,
    "checks": [
        {"check": "no-leak", "about": "data", "verdict": "pass", "evidence": "no test row in training"},
        {"check": "student-overfits", "about": "student", "verdict": "pass", "evidence": "loss 4.6 to 0.1 in 60 steps"},
        {"check": "student-health", "about": "student", "verdict": "skip", "evidence": "no run yet"},
    ],
}


class Engine:
    """Stands in for the ``engine`` process: remembers what it was asked, answers as the contract says."""

    def __init__(self):
        self.asked = []
        self.answers = {}
        self.lines = []  # that a command prints before its answer

    async def __call__(self, words, runs=None, each=None):
        self.asked.append(list(words))
        for line in self.lines if each else ():
            each(line)
        for start, answer in self.answers.items():
            if " ".join(words).startswith(start):
                return answer
        if words[0] == "config":
            return CommandResult(0, json.loads(json.dumps(CONFIG_ANSWER)), "")
        if words[0] == "doctor":
            return CommandResult(0, json.loads(json.dumps(DOCTOR_ANSWER)), "")
        steps = [
            {"stage": "data", "action": "reuse", "run": "data-20260921-133320-0001", "why": "same settings"},
            {"stage": "student", "action": "new", "run": None, "why": "student.lr 0.001 → 0.0009"},
        ]
        if words[0] == "sweep":
            many = [{"settings": {"seed": str(n)}, "steps": steps} for n in (1, 2)]
            shared = [steps[0], {**steps[1], "action": "share"}]
            many.append({"settings": {"seed": "3"}, "steps": shared})
            for n, one in enumerate(many):
                one["runs"] = {"student": f"student-20260921-133320-000{n}"}
            return CommandResult(0, {"experiment": "demo-sweep-1a2b", "combinations": many}, "")
        if "--plan" in words:
            return CommandResult(0, {"steps": steps}, "")
        return CommandResult(0, {"runs": {"student": "student-20260921-133320-0002"}}, "")


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
