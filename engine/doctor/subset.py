"""A small experiment that takes seconds: the first users and rows of the data, and settings for a few steps."""

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

USERS, ROWS = 160, 64  # training users and held-out rows
BATCH = 8  # sequences in a step of a student
PROMPTS = 4  # prompts in a step of a teacher
STEPS = 12  # of the language model and the teacher
SAMPLES = 100  # of a bootstrap


def short(config: Config) -> Config:
    """The same experiment for a few small steps. Settings that do not affect duration are unchanged."""
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
        # Without pretraining and the student's scores the initial loss is at chance level, which a check verifies; and
        # every part of the head learns.
        rules = replace(teacher.rank, pretrain_epochs=0, student_score_dropout=1.0, text_score_dropout=0.0)
        teacher = replace(teacher, rank=rules)
    if teacher.generate is not None:  # train on the full task from the first step
        teacher = replace(teacher, generate=replace(teacher.generate, curriculum=False))
    scratch = config.backbone.scratch
    if scratch is not None:
        scratch = replace(scratch, steps=STEPS, evaluate_every=STEPS, warmup=1, batch=min(2, scratch.batch))
        config = replace(config, backbone=replace(config.backbone, scratch=scratch))
    return replace(
        config,
        student=_short(config.student),
        teacher=teacher,
        distill=replace(config.distill, student=_short(config.distill.student), choose="distilled"),
        evaluate=replace(config.evaluate, samples=SAMPLES, timed_requests=1),
        trainer=replace(config.trainer, report_every=1, devices=1, compile=False, cuda_graph="false"),
    )


def _short(student: StudentSettings) -> StudentSettings:
    return replace(student, epochs=1, evaluate_every=1, patience=0, warmup=0, batch=min(BATCH, student.batch))


def data(source: Path, folder: Path) -> Path:
    """A data run in ``folder`` with the first users and rows of ``source``; item ids are unchanged."""
    whole, part = _new_run(source, folder)
    sequences(Sequences.load(whole / SEQUENCES.file), USERS).save(part / SEQUENCES.file)
    for artifact in (VALIDATION, TEST):
        rows(Rows.load(whole / artifact.file), ROWS).save(part / artifact.file)
    sequences(Sequences.load(whole / TEST_HISTORIES.file), ROWS).save(part / TEST_HISTORIES.file)
    _link_others(whole, part)
    return folder


def knowledge(source: Path, scratch: Path, kept: Sequences) -> Path:
    """A knowledge run with the rankings of the subset's events only: these come first, so their indices are unchanged.

    ``kept`` are the training sequences of the subset.
    """
    folder = scratch / "knowledge-subset"
    if folder.exists():
        return folder
    whole, part = _new_run(source, folder)
    rankings = Rankings.load(whole / RANKINGS.file)
    inside = rankings.rows < len(kept.items)
    rankings.some(inside).save(part / RANKINGS.file)
    if (whole / LAST_POSITION.file).exists():
        last_position = Rankings.load(whole / LAST_POSITION.file)
        last_position.some(last_position.rows <= len(kept.items)).save(part / LAST_POSITION.file)
    if (whole / GATE_WEIGHTS.file).exists():
        gates = load_file(whole / GATE_WEIGHTS.file)
        save_file(
            gates | {name: gates[name][inside].contiguous() for name in ("rows", "weights")}, part / GATE_WEIGHTS.file
        )
    if (whole / TEACHER_HELD_OUT.file).exists():
        states = load_file(whole / TEACHER_HELD_OUT.file)
        first = {name: states[name][:ROWS].contiguous() for name in ("validation", "test")}
        save_file(states | first, part / TEACHER_HELD_OUT.file)
    _link_others(whole, part)
    return folder


def sequences(whole: Sequences, count: int) -> Sequences:
    """The first ``count`` of them."""
    offsets = whole.offsets[: count + 1]
    return Sequences(whole.items[: offsets[-1]], offsets, whole.users[:count])


def rows(whole: Rows, count: int) -> Rows:
    """The first ``count`` of them."""
    stop = whole.stop[:count]
    events = int(stop.max(initial=-1)) + 1
    return Rows(whole.items[:events], whole.start[:count], stop, whole.users[:count])


def _new_run(source: Path, folder: Path) -> tuple[Path, Path]:
    """Creates ``folder`` as a copy of the run ``source`` without artifacts; the artifact folders of both."""
    (folder / ARTIFACTS).mkdir(parents=True)
    (folder / CONFIG).write_text((source / CONFIG).read_text(encoding="utf-8"), encoding="utf-8")
    info = RunInfo.read(source)
    RunInfo(folder.name, info.stage, info.experiment, info.seed, "", dict(info.inputs)).write(folder)
    return source / ARTIFACTS, folder / ARTIFACTS


def _link_others(whole: Path, part: Path) -> None:
    """Links the artifacts that do not depend on users."""
    for path in whole.iterdir():
        if not (part / path.name).exists() and path.name != "oracle.safetensors":
            (part / path.name).symlink_to(path.resolve())
