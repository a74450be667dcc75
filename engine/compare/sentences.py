"""The verdict of a comparison in sentences, each with its interval."""

from collections.abc import Iterator, Mapping, Sequence

from engine.compare.differences import ROWS, SEEDS
from engine.metrics.statistics import BENJAMINI_HOCHBERG, HOLM, WILCOXON
from engine.report.numbers import interval, probability
from engine.wire import GroupDifference

CORRECTED = {HOLM: "Holm's p", BENJAMINI_HOCHBERG: "Benjamini and Hochberg's p"}
UNCERTAIN = "undecided"


def verdicts(
    names: Sequence[str],
    tested: Sequence[tuple[str | None, str, list[GroupDifference]]],
    below: Sequence[Mapping[str, str]],
) -> Iterator[str]:
    """One sentence per model, metric and group compared with the first group.

    ``below`` of each group: trained model -> the untrained one that ranks above it.
    """
    for model, metric, differences in tested:
        for base, other in dict.fromkeys((one.base, one.other) for one in differences):
            kinds = {one.over: one for one in differences if (one.base, one.other) == (base, other)}
            refused = {names[one]: below[one].get(model or "", "") for one in (base, other)} if below else {}
            yield sentence(names[base], names[other], model, metric, kinds, refused)


def sentence(
    base: str,
    other: str,
    model: str | None,
    metric: str,
    kinds: dict[str, GroupDifference],
    below: Mapping[str, str],
) -> str:
    """``B is better than A (student): ndcg@10 +0.0049 (+6.1 %); 95 % interval over 3 seeds ..., Holm's p ...``.

    ``below``: side -> the untrained model that ranks above it, "" where none does: such a side is not called better.
    """
    seeds, rows = kinds.get(SEEDS), kinds.get(ROWS)
    of = f" ({model})" if model else ""
    intervals = [text for one in (seeds, rows) if one is not None and (text := _certainty(one))]
    first = rows if seeds is None else seeds
    if first is None:
        return f"{other} and {base}{of} share no {metric}."
    by = f" ({first.percent:+.1f} %)" if first.percent is not None else ""
    size = f"{metric} {first.mean:+.4f}{by}"
    return f"{_claim(base, other, of, seeds, rows, below)}: {'; '.join([size, *intervals])}."


def agreed(seeds: GroupDifference | None, rows: GroupDifference | None) -> str:
    """Better or worse only where every test agrees, and there is one over seeds."""
    certain = [one for one in (seeds, rows) if one is not None and one.low is not None]
    verdicts = {one.verdict for one in certain}
    return certain[0].verdict if len(verdicts) == 1 and seeds in certain else UNCERTAIN


def _claim(
    base: str,
    other: str,
    of: str,
    seeds: GroupDifference | None,
    rows: GroupDifference | None,
    below: Mapping[str, str],
) -> str:
    """Nothing below an untrained model is called better."""
    verdict = agreed(seeds, rows)
    if verdict != UNCERTAIN:
        winner, loser = (other, base) if verdict == "better" else (base, other)
        if least := below.get(winner):
            return f"{winner} ranks above {loser}{of}, but below {least}, which needs no training: not called better"
        return f"{other} is {verdict} than {base}{of}"
    for one, doubt in ((seeds, "other users"), (rows, "another seed")):
        if one is not None and one.verdict != UNCERTAIN:
            return f"{other} ranks {one.verdict} than {base}{of} here, but {doubt} may say otherwise: undecided"
    return f"{other} and {base}{of} cannot be told apart"


def _certainty(one: GroupDifference) -> str:
    if one.low is None or one.high is None:
        one_pair = f"one {one.over[:-1]} says nothing about other {one.over}"
        return one_pair if one.n == 1 else "they share no seed, so nothing is certain"
    pairs = f"{one.n:,} {one.over}"
    p = f"{CORRECTED[one.correction]} {probability(one.p_corrected)}"
    of_test = " (signed ranks)" if one.test == WILCOXON else ""
    return f"95 % interval over {pairs} {interval(one.low, one.high)}, {p}{of_test}"
