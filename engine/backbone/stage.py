"""The ``backbone`` stage: prepares a frozen language model, where one is used, and one text vector per item."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from engine.backbone import gguf, hub, language
from engine.backbone.corpus import Corpus
from engine.backbone.item_texts import item_texts, vectors_of
from engine.backbone.neighbours import neighbours
from engine.backbone.pretrain import PretrainModule, groups, new_model
from engine.backbone.tokenizer import train_tokenizer
from engine.backbone.whitening import reduced
from engine.config import Config
from engine.data import catalogue
from engine.data.sequences import Sequences
from engine.runs.run import Run
from engine.stages import ITEMS, LANGUAGE_MODEL, SEQUENCES, TEXT_VECTORS
from engine.training import fit, memory
from engine.training.processes import Processes
from engine.training.schedule import schedule


def run(config: Config, run: Run) -> None:
    """Pre-train or read the model, save it with its tokenizer, then compute every item's text vector."""
    settings, processes, device = config.backbone, fit.processes(config.trainer), fit.device(config.trainer)
    language_model = None if settings.source == "none" else _language_model(config, run, device, processes)
    texts = item_texts(settings, run.input(ITEMS))

    def done(count: int) -> None:
        run.progress(count, len(texts), "read texts", unit="items")

    def on_device() -> tuple[Any, Any]:
        assert language_model is not None  # BackboneSettings.check
        model, tokenizer = language_model
        return (model.to(device) if settings.quantise == "none" else model), tokenizer

    with memory.enough(lambda: memory.smaller("backbone.batch_tokens", settings.batch_tokens, "token")):
        vectors = vectors_of(texts, settings, device, on_device, done, processes)
    vectors, reduction = reduced(vectors, settings.whiten, settings.dimension)
    with run.output(TEXT_VECTORS) as path:  # [n + 1, H], row 0 is the padding's
        save_file({"vectors": vectors.contiguous()} | (reduction.tensors if reduction else {}), path)
    run.note(items=len(vectors) - 1, width=vectors.shape[1])
    if language_model is not None:
        run.note(vocabulary=len(language_model[1]))
    run.note(neighbours=neighbours(vectors, catalogue.titles(run.input(ITEMS))))


def _language_model(config: Config, run: Run, device: str, processes: Processes) -> tuple[Any, Any]:
    """The model and its tokenizer, made here or read; written, or referred to."""
    if config.backbone.source != "scratch":
        return _read(config, run, device, processes)
    items = run.input(ITEMS)
    return _pretrained(config, run, catalogue.titles(items), catalogue.texts(items), processes)


def _pretrained(config: Config, run: Run, titles: list[str], texts: list[str], processes: Processes) -> tuple[Any, Any]:
    """A small Llama trained here until its steps are used up; the weights of the best held-out loss are kept."""
    settings = config.backbone
    scratch = settings.scratch
    assert scratch is not None  # Backbone.check
    sequences = Sequences.load(run.input(SEQUENCES))
    tokenizer = train_tokenizer([part for part in (*titles, *texts) if part], scratch.vocabulary)
    vocabulary = language.vocabulary(tokenizer)
    corpus = Corpus(
        sequences,
        titles,
        texts,
        vocabulary,
        context=scratch.context,
        batch=scratch.batch,
        catalogue=scratch.catalogue,
        held_out=scratch.held_out,
        seed=settings.seed,
    )
    torch.manual_seed(settings.seed)
    model = new_model(scratch, tokenizer)
    module = PretrainModule(model, scratch, corpus, vocabulary, processes)
    plan = fit.TrainingPlan(
        steps=scratch.steps,
        per_epoch=corpus.per_epoch,
        evaluate_every=scratch.evaluate_every,
        patience=0,
        metric="val_loss",
        rate=schedule("cosine", scratch.warmup, scratch.steps),
        clip=scratch.clip,
        lower_is_better=True,
        shared_evaluation=processes.count > 1,
    )
    with memory.enough(lambda: memory.smaller("backbone.scratch.batch", scratch.batch, "text")):
        fit.fit(
            module,
            plan,
            config.trainer,
            run,
            groups=groups(model),
            evaluate=module.held_out,
            positions=lambda step: int((corpus(step) != vocabulary.padding).sum()),
        )
    with run.output(LANGUAGE_MODEL) as path:
        language.save(model, tokenizer, path)
    return model.eval().requires_grad_(False), tokenizer


def _read(config: Config, run: Run, device: str, processes: Processes) -> tuple[Any, Any]:
    """A model of the hub or of a folder, and where it came from."""
    settings = config.backbone
    assert settings.name is not None  # Backbone.check
    source, commit = Path(settings.name).expanduser().resolve(), None
    dtype = torch.bfloat16 if settings.precision == "bf16-mixed" else torch.float32
    with tempfile.TemporaryDirectory() as folder:
        if settings.source == "hub":
            run.progress(0, 1, "fetch", unit="models")
            fetched = hub.fetch(settings.name, settings.revision) if processes.rank == 0 else None
            source, commit = processes.first(fetched)
        elif settings.source == "package":
            assert settings.sha256 is not None  # BackboneSettings.check
            source = Path(folder) / f"{settings.name}.gguf"
            gguf.assemble(settings.name, settings.sha256, source)
        with run.loading("load the model"):
            model, tokenizer = language.read(str(source), dtype, settings.quantise, device, settings.blocks)
    with run.output(LANGUAGE_MODEL) as path:
        if settings.copy and settings.quantise == "none":
            language.save(model, tokenizer, path)
        else:
            language.refer(source, path, settings.blocks)
    run.note(source=settings.name, revision=commit, blocks=model.config.get_text_config().num_hidden_layers)
    return model, tokenizer
