"""The sentences about an evaluation's comparisons: how its models differ on these rows, one training of each."""

from collections.abc import Collection, Iterator, Sequence

from engine.report.numbers import interval, probability
from engine.stages import BASELINE, BLEND_AGAIN, FLOOR, REFITS, TEACHER, UNTRAINED

NEARER = "overlap with teacher"  # metric of a comparison: share of a model's first items that the teacher lists too
BELOW = "below"  # column of a comparison: the untrained model that ranks above the winner of the pair
SEEDS = "engine sweep seed=1..3"  # trains every model again with other seeds

Row = dict[str, str]


def shown(model: str, baseline: str, models: Collection[str]) -> bool:
    """Whether a pair is of the main ones: trained models against student and teacher, the student against popularity.

    Without a student, popularity is the baseline of every model. The main pairs are corrected together.
    """
    first = BASELINE if BASELINE in models and model != BASELINE else FLOOR
    return model not in UNTRAINED and baseline in (first, TEACHER)


def needs_no_training(model: str, best_untrained: str, models: Collection[str]) -> str:
    """What a trained model has to rank above: the best untrained model, or the one that knows validation events as the
    model does; "" where it is not ranked."""
    if model in REFITS:
        return BLEND_AGAIN if BLEND_AGAIN in models else ""
    return best_untrained


def is_least(baseline: str, best_untrained: str) -> bool:
    """Whether a baseline is what some trained models have to rank above."""
    return baseline in (best_untrained, BLEND_AGAIN)


def least(trained: Sequence[str], best_untrained: str, models: Collection[str]) -> list[tuple[str, str]]:
    """(baseline, model): trained models against what needs no training; popularity's pairs are among the main ones."""
    pairs = [(needs_no_training(model, best_untrained, models), model) for model in trained]
    return [pair for pair in pairs if pair[0] not in ("", FLOOR)]


def sentences(rows: list[Row], best_untrained: str) -> Iterator[str]:
    """How the models of an evaluation differ on its rows, and how near their lists are to the teacher's."""
    yield from _verdicts(rows, best_untrained)
    yield from _nearer(rows)


def _verdicts(rows: list[Row], best_untrained: str, metric: str = "ndcg@10") -> Iterator[str]:
    """A sentence per pair: how these models, trained once, rank these rows. It claims nothing about other trainings."""
    found = {(row["model"], row["baseline"], row["slice"]): row for row in rows if row["metric"] == metric}
    known = {name for model, baseline, _ in found for name in (model, baseline)}
    pairs = dict.fromkeys((model, baseline) for model, baseline, _ in found)
    main = [pair for pair in pairs if shown(*pair, known)]
    others = [pair for pair in pairs if is_least(pair[1], best_untrained) and pair[1] != FLOOR]
    if main:
        yield "on these rows, one training of each:"
        yield from (_verdict(found, *pair, metric) for pair in main)
    if others:
        yield "against the best model that needs no training, as validation rows choose it:"
        yield from (_verdict(found, *pair, metric) for pair in others)
    if main or others:
        yield f"Whether another training would agree needs seeds: {SEEDS}"


def _verdict(found: dict[tuple[str, str, str], Row], model: str, baseline: str, metric: str) -> str:
    row = found[model, baseline, "all"]
    parts = {name: one for (m, b, name), one in found.items() if (m, b) == (model, baseline) and name != "all"}
    by = f" ({100 * float(row['relative']):+.1f} %)" if row["relative"] else ""
    claim = {
        "better": f"{model} > {baseline}",
        "worse": f"{model} < {baseline}",
        "undecided": f"{model} and {baseline} cannot be told apart",
    }[row["verdict"]]
    if row.get(BELOW):
        winner, loser = (model, baseline) if row["verdict"] == "better" else (baseline, model)
        claim = f"{winner} ranks above {loser}, but below {row[BELOW]}, which needs no training: not called better"
    text = (
        f"{claim}: {metric} {float(row['difference']):+.4f}{by}, 95 % interval "
        f"{interval(float(row['low']), float(row['high']))}, Holm's p {probability(float(row['p']))}, "
        f"paired over {int(row['rows']):,} rows."
    )
    for verdict, word in (("better", "Higher"), ("worse", "Lower"), ("undecided", "Undecided")):
        names = [name for name, one in parts.items() if one["verdict"] == verdict]
        text += f" {word} on {', '.join(names)}." if names else ""
    return text


def _nearer(rows: list[Row]) -> Iterator[str]:
    """Overlap of the students' lists with the teacher's, before and after distillation."""
    for row in rows:
        if row["metric"] == NEARER:
            before, points = 100 * float(row["baseline value"]), 100 * float(row["difference"])
            yield (
                f"of their first items {row['baseline']} and teacher share {before:.1f} %, {row['model']} and teacher "
                f"{before + points:.1f} %: {points:+.1f} points, 95 % interval {100 * float(row['low']):+.1f} to "
                f"{100 * float(row['high']):+.1f}, over {int(row['rows']):,} rows."
            )
