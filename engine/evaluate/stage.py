"""The ``evaluate`` stage: every model ranks the same held-out rows under every protocol."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from engine.config import Config
from engine.config.settings.evaluate import EvaluateSettings
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Rows, Sequences
from engine.evaluate import generative, tables
from engine.evaluate.figures import closer, comparisons, overlaps
from engine.evaluate.latency import milliseconds
from engine.evaluate.measure import ALL, DrawnCandidates, Measured, Protocol, measure
from engine.evaluate.models import TESTED, Model, models, training_counts
from engine.evaluate.slices import percentiles, slices
from engine.metrics import candidates
from engine.report import searches
from engine.report.evaluation import best_untrained, repeats
from engine.report.settings import flat
from engine.runs.run import Run, Stopped
from engine.stages import (
    CANDIDATES,
    CEILING,
    COMPARISONS,
    METRICS_TABLE,
    MODELS,
    OVERLAPS,
    PROFILE,
    REFERENCES,
    REFITS,
    ROW_RANKS,
    SEQUENCES,
    SLICES_TABLE,
    STAGES,
    TEACHER_HELD_OUT,
    TEST,
    VALIDATION,
)

SELECTED = "validation"


def run(config: Config, run: Run) -> None:
    """Rank all rows, then write the tables. Raises Stopped, with no table written, on a stop request."""
    settings = config.evaluate
    device = _device(config)
    profile = json.loads(run.input(PROFILE).read_text(encoding="utf-8"))
    items: int = profile["items"]
    counts = training_counts(Sequences.load(run.input(SEQUENCES)), items)
    splits = {TESTED: Rows.load(run.input(TEST)), SELECTED: Rows.load(run.input(VALIDATION))}
    splits = {name: rows for name, rows in splits.items() if len(rows)}
    drawn = _candidates(settings, splits, items, run)
    ranked = models(settings.models, run, splits, items, device)
    results = _rank(ranked, splits, items, drawn, device, run)

    def tick(done: int, all: int) -> None:
        run.progress(done, all, "compare", unit="differences")

    tick(0, 1)
    requests = settings.timed_requests
    times = {model.name: milliseconds(model, len(splits[TESTED]), requests, device) for model in ranked}
    masks = slices(splits[TESTED], counts, settings.head, settings.tail, settings.lengths)
    main = Protocol(protocol_of(run, settings.hide_seen), ALL)
    drawn_rows = settings.samples, settings.candidate_seed
    facts = tables.TableFacts(run.info, profile, ranked, times, main, drawn_rows, settings.hide_seen)
    metrics = tables.metrics(facts, results, splits, percentiles(counts))
    sets = {name: one.items for name, one in drawn.items()}
    for model in ranked:
        if MODELS[model.name] is TEACHER_HELD_OUT and sets and not model.about:
            teacher = run.folder.parent / model.made_by
            generative.add(metrics, model, generative.measure(teacher, splits, sets, device, run))
    shown = [m for m in results if m.split == TESTED and m.protocol == main]
    ranks = {m.model: m.ranks for m in shown if m.model != CEILING}
    lists = {m.model: m.lists for m in shown if m.lists is not None}
    untrained = best_untrained(metrics)
    differences = [*comparisons(ranks, masks, untrained, *drawn_rows, tick), *closer(lists, *drawn_rows)]
    for artifact, table in (
        (METRICS_TABLE, metrics),
        (SLICES_TABLE, tables.by_slice([m for m in results if m.split == TESTED], masks)),
        (COMPARISONS, differences),
        (OVERLAPS, list(overlaps([m for m in results if m.split == TESTED]))),
    ):
        with run.output(artifact) as path:
            tables.write(path, table)
    with run.output(ROW_RANKS) as path:
        tables.write_ranks(path, results, splits)
    _report(run, metrics, profile)
    searched = searches.sizes(flat({"search": asdict(config.search)}), settings.models)
    run.note(
        trials={model: size.trials for model, size in searched.items()},
        trial_epochs={model: size.epochs for model, size in searched.items()},
    )
    tick(1, 1)


def _device(config: Config) -> str:
    return "cuda" if config.trainer.accelerator != "cpu" and torch.cuda.is_available() else "cpu"


def _candidates(
    settings: EvaluateSettings, splits: dict[str, Rows], items: int, run: Run
) -> dict[str, DrawnCandidates]:
    """The candidates of every split, written to the run; empty where they are off or items are too few."""
    size, history, seed = settings.candidates, settings.candidate_history, settings.candidate_seed
    if not size:
        return {}
    if not candidates.possible(items, size, history):
        run.log("warning", f"{items} items are too few for {size} candidates outside of {history}: not ranked")
        return {}
    seeds = np.random.SeedSequence(seed).generate_state(2)  # the splits draw different negatives
    drawn = {}
    for name, own in zip((TESTED, SELECTED), seeds, strict=True):
        if name in splits:
            latest, targets = splits[name].latest(history), splits[name].targets
            drawn[name] = DrawnCandidates(candidates.draw(latest, targets, items, size, int(own)), latest)
    with run.output(CANDIDATES) as path:
        save_file({name: one.items for name, one in drawn.items()}, path)
    return drawn


def _rank(
    ranked: list[Model],
    splits: dict[str, Rows],
    items: int,
    drawn: dict[str, DrawnCandidates],
    device: str,
    run: Run,
) -> list[Measured]:
    results = []
    for model in ranked:
        for split, score in model.scorers.items():
            rows = splits[split]

            def done(count: int, phase: str = f"{model.name} on {split}", total: int = len(rows)) -> None:
                run.progress(count, total, phase, unit="rows")
                if run.stop_requested:
                    raise Stopped(f"stopped at row {count} of {phase}; an evaluation starts over")

            results += measure(model.name, split, score, rows, items, drawn.get(split), device, done)
    return results


def _report(run: Run, metrics: list[tables.Row], profile: dict[str, Any]) -> None:
    """Report the test metrics of the last trained model in the order of ``MODELS`` as the metrics of the run.

    The choice depends on the list of models alone, so that runs can be compared.
    """
    names = [metric.name for metric in STAGES["evaluate"].metrics]
    shown = {(row["model"], row["split"]): row for row in metrics if row["main"]}
    trained = [model for model, split in shown if split == TESTED and model not in REFERENCES]
    judged = [model for model in trained if model not in REFITS] or trained  # theirs stand apart: they know more events
    chosen = max(judged, key=list(MODELS).index, default=None)
    figures = {model: {name: row[name] for name in names} for (model, split), row in shown.items() if split == TESTED}
    if chosen is not None:
        run.evaluation(1, figures[chosen], best=True, split=TESTED)
    run.note(model=chosen, figures=figures, targets_hash=profile["targets_hash"], split=profile["split"])
    repeated = next((repeats(row) for row in metrics if row["main"] and row["split"] == TESTED), "")
    if repeated:
        run.note(repeated_targets=repeated)
