"""How often each check of the doctor fires on sound random experiments.

    python tests/benchmarks/false_alarms.py [--experiments 200] [--first 0] [--only TEXT] [--seed 1] [--json]

Experiment k is a function of (seed, k): a small world of 40 to 110 users and 50 to 150 items, as the demo makes it or
as a table with ids of another shape, and with or without items that are taken again; a split; a student, a teacher, its
knowledge, a distillation and an evaluation with settings drawn from sound ones. All stages get dry runs, which are
examined; then the same runs as if they were finished, for the checks that rank again. Nothing is trained for long, so
checks of the quality of trained models are left out. A failure or a warning is a false alarm. Exit status 1 where a
check of at least 100 experiments has 1 % of them or more; ``--first K --experiments 1`` repeats one, and
after an interrupt what was counted is printed.
"""

import argparse
import contextlib
import csv
import io
import json
import sys
import tempfile
import time
import traceback
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine import config
from engine.data import demo
from engine.doctor.case import Case
from engine.doctor.check import FAIL, SKIP, WARN, Check, Outcome
from engine.doctor.table import CHECKS, examine
from engine.experiments.plan import inputs_of, pipeline
from engine.runs.schema import RunInfo

MOST = 0.01  # false alarms of a check
ENOUGH = 100  # experiments from which that is judged
# What a dry run cannot have: quality, and the course of a whole training.
LONG = ("beats-", "above-untrained", "-health", "not-worse", "validation-and-test", "distilled-differs")
AGAIN = ("ranks-reproducible", "metrics-match-ranks", "rankings-reproducible", "last-position-reproducible")
Draw = np.random.Generator


def shaped(kind: str, codes: list[int], draw: Draw) -> dict[int, str]:
    """Raw ids of a shape, by code."""
    count = len(codes)
    made = {
        "from 0": lambda: [str(code) for code in range(count)],
        "sparse": lambda: [str(code) for code in draw.choice(10**9, count, replace=False)],
        "words": lambda: [f"item-{code:x}" for code in draw.choice(10**6, count, replace=False)],
        "asin": lambda: ["B" + "".join(draw.choice(list("0123456789ABCDEFGHJK"), 9)) for _ in range(count)],
        "unicode": lambda: [f"ü {code} ß" for code in range(count)],
    }[kind]()
    return dict(zip(codes, made, strict=True))


def table(folder: Path, draw: Draw) -> list[str]:
    """Writes a table of a demo world with other ids, and habits of taking items again; its overrides."""
    world = config.load(list(world_of(draw))).data.world
    assert world is not None
    found, _ = demo.generate(world)
    assert found.catalogue is not None and found.time is not None
    titles = found.catalogue.title.to_pylist()
    shape = str(draw.choice(["from 0", "sparse", "words", "asin", "unicode"]))
    items, users = shaped(shape, list(range(len(titles))), draw), shaped(shape, list(range(len(found.users))), draw)
    again = float(draw.choice([0.0, 0.0, 0.05, 0.3]))
    lines, own = [], defaultdict[int, list[int]](list)
    clock = draw.permutation(10**6)[: len(found.users)]
    for user, item, at in zip(found.user.tolist(), found.item.tolist(), found.time.tolist(), strict=True):
        taken = int(draw.choice(own[user])) if own[user] and draw.random() < again else item
        own[user].append(taken)
        lines.append((users[user], items[taken], int(clock[user]) + 3600 * at, titles[taken]))
    with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "item", "time", "title"])
        writer.writerows([lines[at] for at in draw.permutation(len(lines))])
    split = draw.choice(["leave-one-out", "users", "temporal"])
    window = int(draw.integers(1, 6))
    return [
        "data=table", f"data.path={folder}", "data.columns.title=title", f"data.split={split}", f"data.window={window}"
    ]  # fmt: skip


def world_of(draw: Draw) -> Iterator[str]:
    items = int(draw.integers(50, 151))
    yield f"data.world.seed={draw.integers(10**6)}"
    yield f"data.world.users={draw.integers(40, 111)}"
    yield f"data.world.items={items}"
    yield f"data.world.series={items // int(draw.integers(3, 7))}"
    yield f"data.world.events={draw.integers(7, 17)}"
    yield f"data.world.follow={draw.choice([0.1, 0.2, 0.5])}"
    yield f"data.world.popularity={draw.choice([0.5, 0.9, 1.3])}"


def student_of(draw: Draw, group: str = "student") -> Iterator[str]:
    """A network, its loss and its width."""
    model = str(draw.choice(["sasrec", "sasrec", "sasrec", "gru4rec", "caser", "sasrec-reference"]))
    length = int(draw.choice([4, 8, 10, 20, 50]))
    yield f"{group}={model}"
    yield f"student.hidden={draw.choice([16, 32, 64])}"
    yield f"student.max_length={length}"
    yield f"student.dropout={draw.choice([0.0, 0.1, 0.2, 0.5])}"
    yield f"student.windows={draw.choice(['last', 'random'])}"
    yield f"student.batch={draw.choice([16, 64, 128])}"
    yield f"student.learning_rate={draw.choice([3e-4, 1e-3, 3e-3])}"
    yield f"student.weight_decay={draw.choice([0.0, 0.01, 0.1])}"
    yield "student.temperature=1.0"  # the demo's suits its own loss alone
    yield f"student.schedule={draw.choice(['constant', 'cosine', 'linear'])}"
    yield f"student.average={draw.choice(['null', '0.9', '0.99'])}"
    yield f"student.clip={draw.choice(['null', '1.0'])}"
    if model == "sasrec":
        norm = str(draw.choice(["pre", "pre", "post"]))
        yield f"student.blocks={draw.integers(1, 4)}"
        yield f"student.heads={draw.choice([1, 2, 4])}"
        yield f"student.norm={norm}"
        yield f"student.gated={str(norm == 'pre' and draw.random() < 0.3).lower()}"
        yield f"student.activation={draw.choice(['relu', 'gelu', 'swiglu'])}"
        yield f"student.attention_dropout={draw.choice([0.0, 0.2])}"
        if draw.random() < 0.3:
            yield "student.normalise=true"
            yield f"student.temperature={draw.choice([0.05, 0.07, 0.1, 0.2])}"
    loss = str(draw.choice(["cross-entropy", "cross-entropy", "sampled-softmax", "bce", "gbce"]))
    yield f"student.loss={loss}"
    if loss != "cross-entropy":
        yield f"student.negatives={draw.choice([1, 4, 16, 64, 128, 256])}"
    if loss == "gbce":
        yield f"student.calibration={draw.choice([0.0, 0.5, 0.75, 0.9, 1.0])}"


def backbone_of(draw: Draw, generates: bool) -> Iterator[str]:
    if not generates:  # a smaller one than the default cannot learn titles by heart
        yield f"backbone.scratch.width={draw.choice([32, 64])}"
        yield f"backbone.scratch.layers={draw.integers(1, 3)}"
        yield "backbone.scratch.feedforward=64"
    yield f"backbone.pooling={draw.choice(['mean', 'last', 'tokens'])}"
    yield f"backbone.text={draw.choice(['title', 'title-and-text'])}"


def teacher_of(draw: Draw, generates: bool) -> Iterator[str]:
    if generates:
        yield "teacher=generate"
        yield "teacher.templates=[Seen [HistoryHere]. One of [CansHere]:]"
        yield "teacher.generate.candidates=4"
        yield "teacher.generate.new_tokens=4"
        yield f"teacher.generate.scoring={draw.choice(['greedy', 'likelihood'])}"
        yield "knowledge.gammas=[0.0, 1.0]"
    else:
        kind = int(draw.integers(4))
        yield f"teacher.rank.width={draw.choice([8, 32, 64])}"
        yield f"teacher.rank.states={str(kind != 1).lower()}"
        if kind == 2:
            yield "teacher.rank.targets=1"
            yield "teacher.templates=[The user liked [HistoryHere]. Next:]"
        elif kind == 3:
            yield f"teacher.rank.targets={draw.integers(2, 6)}"
            yield "teacher.templates=[Seen [HistoryHere]]"
        yield f"teacher.rank.slot_dropout={draw.choice([0.0, 0.3])}"
    experts = int(draw.choice([2, 4] if generates else [1, 2, 4]))
    yield f"teacher.lora.experts={experts}"
    yield f"teacher.lora.rank={experts * int(draw.choice([4, 8] if generates else [1, 2, 4]))}"
    yield f"teacher.lora.dropout={draw.choice([0.0, 0.1, 0.3])}"
    yield f"teacher.history={draw.choice([3, 8, 12])}"
    yield f"teacher.slots={str(draw.random() < 0.8).lower()}"
    yield f"teacher.projector={draw.choice(['slot', 'random'])}"
    gate = str(draw.choice(["softmax", "mlp", "noisy", "noisy_mlp", "dropout", "resnet1d", "topk", "uniform"]))
    yield f"teacher.gate.kind={gate if gate != 'topk' or experts > 2 else 'softmax'}"
    yield f"teacher.gate.top={min(2, experts)}"
    yield f"teacher.gate.norm={draw.choice(['group', 'batch'])}"
    yield f"knowledge.targets={draw.choice([1, 4, 8])}"
    yield f"knowledge.top={draw.choice([10, 30])}"
    if draw.random() < 0.2:
        yield f"knowledge.query_selection={draw.choice(['random', 'uncertain', 'disagreement'])}"
        yield "knowledge.budget=0.5"


def distill_of(draw: Draw, student: list[str]) -> Iterator[str]:
    if "student.loss=bce" in student and "student.negatives=1" in student and draw.random() < 0.5:
        yield "distill=as-released"
    else:
        yield f"distill={draw.choice(['dllm2rec', 'dllm2rec-kl'])}"
        yield f"distill.kl.weight={draw.choice([0.0, 0.0, 0.3, 0.5])}"
        yield f"distill.last_position={draw.choice([0.0, 1.0])}"
        yield f"distill.hint={draw.choice([0.0, 0.0, 0.5])}"
        yield f"distill.ranking.weight={draw.choice([0.0, 0.1, 0.5])}"
    if "student.normalise=true" in student:  # a recipe's own temperature suits vectors of any length
        yield "distill." + next(one for one in reversed(student) if one.startswith("student.temperature="))
    yield f"distill.dro.alpha={draw.choice([0.0, 0.1, 0.5, 1.0])}"
    yield f"distill.dro.power={draw.choice([0.0, 0.05, 0.5])}"
    yield f"distill.injection.weight={draw.choice([0.0, 0.1, 0.5, 1.0])}"
    yield f"distill.injection.hidden={draw.choice(['null', '32'])}"


def experiment(draw: Draw, folder: Path) -> list[str]:
    """Overrides of a sound experiment whose data may lie in ``folder``."""
    found = [f"seed={draw.integers(1, 10**6)}", "trainer=cpu"]
    found += table(folder, draw) if draw.random() < 0.6 else world_of(draw)
    student = list(student_of(draw))
    generates = bool(draw.random() < 0.15)
    found += [*student, *backbone_of(draw, generates), *teacher_of(draw, generates), *distill_of(draw, student)]
    found += [f"evaluate.candidates={draw.choice([0, 10])}", "evaluate.candidate_history=5"]
    found += [f"evaluate.hide_seen={draw.choice(['auto', 'true', 'false'])}"]
    return [*found, "evaluate.models=[popularity,student,teacher,distilled]", "evaluate.samples=100"]


def examined(overrides: list[str], only: str, scratch: Path) -> Iterator[tuple[Check, Outcome, float]]:
    """Outcomes of the checks before anything is trained, and of those that rank again what dry runs wrote."""
    settings = config.load(overrides)
    order = list(pipeline("evaluate", settings))
    inputs = {stage.name: inputs_of(stage, settings) for stage in order}
    first, second = scratch / "first", scratch / "second"
    first.mkdir()
    second.mkdir()
    case = Case(settings, inputs, {}, first, lambda phase: None)
    chosen = [check for check in CHECKS if only in check.name and not any(word in check.name for word in LONG)]
    for result in examine(case, [check for check in chosen if check.name not in AGAIN]):
        yield result.check, result.outcome, result.seconds
    again = [check for check in chosen if check.name in AGAIN]
    if not again:
        return
    made = {stage: case.dry_run(stage).folder for stage in inputs} | {"data": case.small}
    done = {stage: folder.rename(first / f"{stage}-done") for stage, folder in made.items()}
    for folder in done.values():
        info = RunInfo.read(folder)
        replace(info, inputs={key: done[key].name for key in info.inputs}).write(folder)
    for result in examine(Case(settings, inputs, done, second, lambda phase: None), again):
        yield result.check, result.outcome, result.seconds


@dataclass
class Counts:
    """What was found so far."""

    experiments: int = 0
    runs: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # by check: experiments that it was run on
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    alarms: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    broken: list[dict[str, Any]] = field(default_factory=list)

    def rates(self) -> dict[str, float]:
        return {name: len(self.alarms[name]) / count for name, count in self.runs.items() if count}

    def examine(self, seed: int, number: int, only: str) -> None:
        """One experiment. What cannot be examined is counted, and the benchmark goes on."""
        talk = sys.stderr
        with tempfile.TemporaryDirectory() as name, contextlib.redirect_stderr(io.StringIO()):
            overrides = list[str]()
            try:
                overrides = experiment(np.random.default_rng((seed, number)), Path(name))
                for check, outcome, seconds in examined(overrides, only, Path(name)):
                    self.runs[check.name] += outcome.verdict != SKIP
                    self.seconds[check.name] += seconds
                    if outcome.verdict in (WARN, FAIL):
                        found = {"experiment": number, "evidence": outcome.evidence, "overrides": overrides}
                        self.alarms[check.name].append(found)
                        print(f"{number:4}  {check.name}: {outcome.evidence[:300]}", file=talk, flush=True)
            except Exception as error:
                self.broken.append({"experiment": number, "error": f"{type(error).__name__}: {error}"})
                print(f"{number:4}  {traceback.format_exc()[-600:]}", file=talk, flush=True)
        self.experiments += 1


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--experiments", type=int, default=200)
    options.add_argument("--first", type=int, default=0, help="number of the first experiment")
    options.add_argument("--only", default="", help="checks with this in their names")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    counts, begin = Counts(), time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):  # what was counted until then is printed
        for number in range(given.first, given.first + given.experiments):
            counts.examine(given.seed, number, given.only)
            if counts.experiments % 10 == 0:
                print(f"{counts.experiments} of {given.experiments}", file=sys.stderr, flush=True)
    rates, seconds = counts.rates(), time.monotonic() - begin
    if given.json:
        print(json.dumps(vars(counts) | {"rates": rates}))
    else:
        for name in sorted(counts.runs, key=lambda name: -rates.get(name, 0.0)):
            print(f"{name:32} {len(counts.alarms[name]):3} of {counts.runs[name]:4}  {rates.get(name, 0.0):.1%}")
        print(f"{counts.experiments} experiments, {len(counts.broken)} not examined, in {seconds:.0f} s")
    high = [name for name, rate in rates.items() if rate >= MOST and counts.runs[name] >= ENOUGH]
    return 1 if high or counts.broken else 0


if __name__ == "__main__":
    sys.exit(main())
