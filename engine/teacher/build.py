"""Builds a teacher from the artifacts of the earlier stages, for training and for inference."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from engine.backbone import blocks, language, sharding
from engine.backbone.pieces import Ints
from engine.config.renamed import translated
from engine.config.settings.teacher import TeacherSettings
from engine.config.settings.trainer import TrainerSettings
from engine.config.settings.tree import tree_of
from engine.data import catalogue, ids
from engine.errors import ConfigError, RunError
from engine.runs.run import Run
from engine.runs.run_files import RunFiles
from engine.stages import ITEMS, LANGUAGE_MODEL, STUDENT_MODEL, TEXT_VECTORS
from engine.student.cold_items import ColdItems
from engine.student.model import load_student
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.head import RankHead
from engine.teacher.lora.gate import make_gate
from engine.teacher.lora.moe_lora import adapt
from engine.teacher.lora.projector import Projector
from engine.teacher.lora.routing import Routing
from engine.teacher.model import Teacher
from engine.teacher.prompting.prompts import templates
from engine.teacher.prompting.tokenizer import PromptTokenizer
from engine.teacher.shapes import FewShapes, Pack, tight
from engine.training.processes import Processes

LOOKED_AT = 256  # steps whose prompts decide about shapes


@dataclass(frozen=True)
class TeacherSetup:
    """A teacher, its settings and what its prompts are made of."""

    settings: TeacherSettings
    teacher: Teacher
    student: FrozenStudent
    tokenizer: PromptTokenizer
    templates: list[str]
    titles: list[str]  # of every item id
    device: str
    pack: Pack | None = None  # how prompts are packed; None: they are padded
    tokens: int | None = None  # of a training step; None: a number of prompts
    processes: Processes = field(default_factory=Processes)  # that share the work
    held: sharding.Held | None = None  # where each holds a part of the language model

    def replayed(self, lengths: Callable[[int, int], Ints], steps: int) -> "TeacherSetup":
        """Where the language model's passes are replayed: with few shapes, chosen for the first of an epoch's steps.

        ``lengths``: of the prompts of (step, part). Elsewhere the setup itself.
        """
        if self.teacher.passes is None or self.pack is None:
            return self
        looked = [lengths(step, 0) for step in range(min(steps, LOOKED_AT))]
        return replace(self, pack=FewShapes(looked, self.settings.context, self.device))


def build(
    settings: TeacherSettings, run: RunFiles, device: str, processes: Processes | None = None, sharded: bool = False
) -> TeacherSetup:
    """A new teacher; until it is trained its scores are the student's.

    ``sharded``: each of the processes holds a part of the language model's blocks.
    """
    torch.manual_seed(settings.seed)
    processes = processes or Processes()
    if sharded and settings.quantise != "none":
        raise ConfigError(
            "quantised weights cannot be divided among several devices",
            location="trainer.strategy",
            remedy="Choose trainer.strategy=ddp, or teacher.quantise=none.",
        )
    folder, held = run.input(LANGUAGE_MODEL), None
    if sharded:
        model, tokenizer, held = sharding.load(folder, settings.precision, device, processes)
    else:
        model, tokenizer = language.load(folder, settings.precision, settings.quantise, device)
    trained = load_student(run.input(STUDENT_MODEL), device)
    titles = catalogue.titles(run.input(ITEMS))
    text = load_file(run.input(TEXT_VECTORS))["vectors"].to(device)
    rows = ids.rows(trained.items)
    if not len(titles) == rows == len(text):
        raise RunError(
            f"items, student and text vectors disagree about the catalogue: {len(titles)}, {rows} and {len(text)} rows",
            location=run.id,
            remedy="Plan it again from one data run: engine run teacher --again",
        )
    student = FrozenStudent.of(trained, ColdItems.of_items(run.input(ITEMS), text))
    if settings.context > language.context(model):
        raise ConfigError(
            f"prompts of {settings.context} tokens do not fit this language model",
            location="teacher.context",
            remedy=f"Use at most {language.context(model)}.",
        )
    packs = language.packs(model, settings.context)
    routing, lora = Routing(), settings.lora
    adapt(model.base_model, lora.targets, lora.rank, lora.experts, lora.alpha, lora.dropout, routing)
    if settings.checkpointing:
        blocks.recompute_blocks(model, routing.checkpoint_contexts)
    vocabulary = language.vocabulary(tokenizer)
    width = student.table.shape[1]
    embeddings = model.get_input_embeddings()
    with torch.no_grad():
        slot: Tensor = embeddings(torch.tensor([vocabulary.history_slot], device=device))[0].float()
    projector = Projector(width, len(slot)).to(device)
    if settings.projector == "slot":
        projector.start_at(slot)
    projector.requires_grad_(settings.slots)
    gate = make_gate(
        settings.gate.kind, width, lora.experts, settings.gate.hidden, settings.gate.top, settings.gate.norm
    )
    head = None
    if settings.objective == "rank":
        assert settings.rank is not None  # TeacherSettings.check
        rules = settings.rank
        head = RankHead(text, model.config.hidden_size, rules.width, rules.dropout, rules.states).to(device)
    second_begin = settings.generate is not None and settings.generate.second_begin
    return TeacherSetup(
        settings,
        Teacher(model, routing, gate.to(device), projector, head).eval(),
        student,
        PromptTokenizer(titles, vocabulary, settings.context, settings.title_tokens, second_begin),
        templates(settings.templates, candidates=settings.objective == "generate"),
        titles,
        device,
        tight(device) if packs else None,
        processes=processes,
        held=held,
    )


def replay(setup: TeacherSetup, trainer: TrainerSettings, run: Run, learns: bool = True) -> None:
    """Captures the language model's passes where ``trainer`` wants it and they can be; the run's log says which.

    ``learns``: gradients are computed.
    """
    if (held := setup.held) is not None:
        here, all = f"{held.here:,}", f"{held.whole:,}"
        run.log("info", f"{here} of the {all} weights of the language model's blocks are on this device")
        if held.read_whole is not None:
            run.log("info", f"each process read the whole language model first: of its weights, {held.read_whole}")
    if trainer.compile:
        blocks.compile_blocks(setup.teacher.language_model)
        run.log("info", "the language model's blocks are compiled")
    wanted = str(trainer.cuda_graph).lower()
    if not (wanted == "true" or (wanted != "false" and setup.device.startswith("cuda"))):
        return
    obstacle = _obstacle(setup, trainer, learns)
    if obstacle is None:
        setup.teacher.capture()
        run.log("info", "the language model's passes are replayed as CUDA graphs, one for each of a few shapes")
    else:
        run.log("info", f"the language model runs without CUDA graphs: {obstacle}")


def _obstacle(setup: TeacherSetup, trainer: TrainerSettings, learns: bool) -> str | None:
    """Why the language model's passes cannot be captured; None where they can."""
    if trainer.strategy == "fsdp" or (trainer.devices > 1 and learns):
        return "processes communicate within a step"
    if setup.settings.checkpointing:
        return "teacher.checkpointing recomputes activations in backward"
    if setup.settings.quantise != "none":
        return "its weights are quantised"
    return None if setup.pack is not None else "its prompts cannot be packed, so their shapes are many"


def settings_of(adapter: Path) -> TeacherSettings:
    """The settings that an adapter was trained with."""
    with safe_open(adapter, framework="pt") as file:
        tree = translated(json.loads(file.metadata()["teacher"])["settings"], "teacher.")
    settings: TeacherSettings = tree_of(TeacherSettings, tree, "teacher.", str(adapter))
    return settings
