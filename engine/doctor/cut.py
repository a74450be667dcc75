"""A cut of an experiment that takes seconds: the first users and rows of the data, and settings for a few steps."""

from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file, save_file

from engine.config import Config
from engine.config.settings.student import StudentSettings
from engine.data.sequences import Rows, Sequences
from engine.knowledge.rankings import Rankings
from engine.runs.schema import ARTIFACTS, CONFIG, RunInfo
from engine.stages import (
    GATE_WEIGHTS,
    LAST_POSITION,
    RANKINGS,
    SEQUENCES,
    TEACHER_HELD_OUT,
    TEST,
    TEST_HISTORIES,
    VALIDATION,
)

USERS, ROWS = 160, 64  # of the cut
BATCH = 8  # sequences in a step of a student
PROMPTS = 4  # in a step of a teacher
STEPS = 12  # of the language model and the teacher
SAMPLES = 100  # of a bootstrap


def short(config: Config) -> Config:
    """The same experiment for a few small steps. What is not about duration stays as it is."""
    teacher = replace(
        config.teacher,
        epochs=1,
        steps=STEPS,
        evaluations=1,
        evaluate_rows=ROWS,
        patience=0,
        batch=config.teacher.accumulate * PROMPTS,
    )
    if teacher.rank is not None:
        # Without its first training and the student's scores a teacher knows nothing, and that can be checked.
        teacher = replace(teacher, rank=replace(teacher.rank, pretrain_epochs=0, student_score_dropout=1.0))
    if teacher.generate is not None:  # what a curriculum adds later is there from the first step
        teacher = replace(teacher, generate=replace(teacher.generate, curriculum=False))
    scratch = config.backbone.scratch
    if scratch is not None:
        scratch = replace(scratch, steps=STEPS, evaluate_every=STEPS, warmup=1, batch=min(2, scratch.batch))
        config = replace(config, backbone=replace(config.backbone, scratch=scratch))
    return replace(
        config,
        student=_short(config.student),
        teacher=teacher,
        distill=replace(config.distill, student=_short(config.distill.student)),
        evaluate=replace(config.evaluate, samples=SAMPLES, timed_requests=1),
        trainer=replace(config.trainer, report_every=1, devices=1, compile=False, cuda_graph=False),
    )


def _short(student: StudentSettings) -> StudentSettings:
    return replace(student, epochs=1, evaluate_every=1, patience=0, warmup=0, batch=min(BATCH, student.batch))


def data(folder: Path, place: Path) -> Path:
    """A data run in ``place`` with the first users and rows of the one in ``folder``; ids stay what they are."""
    _beginning(folder, place)
    made, cut = folder / ARTIFACTS, place / ARTIFACTS
    sequences(Sequences.load(made / SEQUENCES.file), USERS).save(cut / SEQUENCES.file)
    for artifact in (VALIDATION, TEST):
        rows(Rows.load(made / artifact.file), ROWS).save(cut / artifact.file)
    sequences(Sequences.load(made / TEST_HISTORIES.file), ROWS).save(cut / TEST_HISTORIES.file)
    _others(made, cut)
    return place


def knowledge(folder: Path, scratch: Path, kept: Sequences) -> Path:
    """A knowledge run with the answers about the cut's events only: these come first, so their places stay."""
    place = scratch / "knowledge-cut"
    if place.exists():
        return place
    _beginning(folder, place)
    made, cut = folder / ARTIFACTS, place / ARTIFACTS
    found = Rankings.load(made / RANKINGS.file)
    some = found.rows < len(kept.items)
    found.some(some).save(cut / RANKINGS.file)
    if (made / LAST_POSITION.file).exists():
        last_position = Rankings.load(made / LAST_POSITION.file)
        last_position.some(last_position.rows <= len(kept.items)).save(cut / LAST_POSITION.file)
    if (made / GATE_WEIGHTS.file).exists():
        gates = load_file(made / GATE_WEIGHTS.file)
        about = {name: gates[name][some].contiguous() for name in ("rows", "weights")}
        save_file(gates | about, cut / GATE_WEIGHTS.file)
    if (made / TEACHER_HELD_OUT.file).exists():
        answers = load_file(made / TEACHER_HELD_OUT.file)
        first = {name: answers[name][:ROWS].contiguous() for name in ("validation", "test")}
        save_file(answers | first, cut / TEACHER_HELD_OUT.file)
    _others(made, cut)
    return place


def sequences(whole: Sequences, count: int) -> Sequences:
    """The first ``count`` of them."""
    offsets = whole.offsets[: count + 1]
    return Sequences(whole.items[: offsets[-1]], offsets, whole.users[:count])


def rows(whole: Rows, count: int) -> Rows:
    """The first ``count`` of them."""
    stop = whole.stop[:count]
    events = int(stop.max(initial=-1)) + 1
    return Rows(whole.items[:events], whole.start[:count], stop, whole.users[:count])


def _beginning(folder: Path, place: Path) -> None:
    (place / ARTIFACTS).mkdir(parents=True)
    (place / CONFIG).write_text((folder / CONFIG).read_text(encoding="utf-8"), encoding="utf-8")
    info = RunInfo.read(folder)
    RunInfo(place.name, info.stage, info.experiment, info.seed, "", dict(info.inputs)).write(place)


def _others(made: Path, cut: Path) -> None:
    """Whatever does not depend on users, as it is."""
    for path in made.iterdir():
        if not (cut / path.name).exists() and path.name != "oracle.safetensors":
            (cut / path.name).symlink_to(path.resolve())
