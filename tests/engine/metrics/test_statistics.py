"""Compared with SciPy on random data, and with stored values of statsmodels and of mpmath at 40 digits."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import stats

from engine.metrics.statistics import (
    EXACT,
    WILCOXON,
    PairedDifference,
    bca_interval,
    benjamini_hochberg,
    corrected,
    hit_interval,
    holm,
    mean_interval,
    metric_interval,
    paired_rows,
    paired_t,
    sign_flip,
    standard_error,
    t_quantile,
    t_tail,
    wilcoxon,
)

TAILS = [  # degrees of freedom, t, P(T >= t)
    (1, 0.0, 0.5), (1, 0.001, 0.4996816902199194), (1, 2.0, 0.14758361765043326), (1, 12.0, 0.026464676059589874),
    (2, 0.7, 0.2781965123164327), (2, 4.5, 0.02300095399713801), (2.5, 0.001, 0.49963819136039245),
    (2.5, 4.5, 0.014947029504366997), (4, 0.7, 0.2612500827967251), (4, 12.0, 0.00013821427425148649),
    (9, 2.0, 0.03827641188535052), (9, 12.0, 3.849943111492826e-07), (29, 0.7, 0.24475257430724184),
    (29, 12.0, 4.53035416656859e-13), (99, 0.7, 0.2427844959155265), (99, 4.5, 9.274528052728356e-06),
    (120, 2.0, 0.02387926367016419), (120, 12.0, 1.392374885218557e-22), (942, 0.001, 0.4996011636484752),
    (942, 4.5, 3.822210815406398e-06), (6039, 2.0, 0.02277248465998776), (6039, 12.0, 4.184520608412537e-33),
    (1e5, 0.7, 0.24196446642366107), (1e5, 2.0, 0.022751481728753232), (1e6, 0.001, 0.49960105788582454),
    (1e6, 2.0, 0.022750266925659603), (1e6, 12.0, 1.785842562382545e-33),
]  # fmt: skip
QUANTILES = [  # degrees of freedom, probability, t
    (1, 0.6, 0.32491969623290634), (1, 0.975, 12.706204736174694), (2, 0.9, 1.8856180831641272),
    (2, 0.995, 9.924843200918287), (3, 0.975, 3.1824463052837078), (4, 0.99999, 23.332182700855984),
    (9, 0.975, 2.262157162798205), (29, 0.995, 2.756385903670605), (941, 0.975, 1.9624881860127248),
    (1e5, 0.6, 0.25334777715718015), (1e5, 0.975, 1.9599877075346095),
]  # fmt: skip
PAIRS = [  # a, b, p, low, high of scipy.stats.ttest_rel(b, a)
    ([0.001, 0.299], [0.182, -0.013], 0.8346581045845562, -3.197579467467062, 3.066579467467062),
    ([-0.455, -0.992, 0.06], [1.017, -0.986, -0.036], 0.4591032428864887, -1.718726871392073, 2.640060204725406),
    (
        [0.49, 0.357, 0.105, -0.93, -0.029],
        [1.446, -0.318, 0.139, -2.051, -0.661],
        0.4707878499775944,
        -1.2912019927685068,
        0.7160019927685066,
    ),
    (
        [-1.842, -0.235, -1.267, 0.271, 0.157, -0.187, -2.517, -0.539, -0.049, 0.113, -1.53, -0.478],
        [-2.225, -0.482, -0.018, 0.025, 0.531, 0.921, -2.584, -0.228, 0.439, 0.564, -2.11, -0.017],
        0.16756546730653996,
        -0.1190872167969845,
        0.6055872167969845,
    ),
]  # fmt: skip
HOLM = [  # p-values, adjusted by statsmodels.stats.multitest.multipletests(p, method="holm")
    ([0.01, 0.04, 0.03, 0.005, 0.5, 0.04, 1.0, 0.0], [0.06, 0.16, 0.15, 0.035, 1.0, 0.16, 1.0, 0.0]),
    ([0.05], [0.05]),
    ([0.792, 0.792], [1.0, 1.0]),
    ([0.2471, 0.01, 0.0, 0.0, 0.3747], [0.4942, 0.03, 0.0, 0.0, 0.4942]),
    ([0.1181, 0.0598, 0.1551, 0.1181, 0.2173, 0.05, 0.0619, 0.2904, 0.1551],
     [0.7086, 0.4784, 0.7086, 0.7086, 0.7086, 0.45, 0.4784, 0.7086, 0.7086]),
    ([0.0352, 0.7794, 0.025, 0.7794, 0.0391, 0.0352, 0.5336, 0.7794, 0.166, 0.5336, 0.7794, 0.025, 0.0051, 0.0084],
     [0.352, 1.0, 0.3, 1.0, 0.352, 0.352, 1.0, 1.0, 1.0, 1.0, 1.0, 0.3, 0.0714, 0.1092]),
]  # fmt: skip
SAMPLE = [
    0.0, -1.447, 0.959, 0.219, 0.0, 2.1, 0.862, -1.099, 0.0, 0.677, -0.089, 0.783, 0.0,
    0.767, 1.539, -0.576, 0.0, -0.363, 0.227, -1.087, 0.0, -0.096, 0.999, 1.245, 0.0,
]  # fmt: skip


@pytest.mark.parametrize(("df", "t", "tail"), TAILS)
def test_student_tails_are_right_to_ten_digits(df: float, t: float, tail: float) -> None:
    assert t_tail(t, df) == pytest.approx(tail, rel=1e-10)
    assert t_tail(-t, df) == pytest.approx(1 - tail, rel=1e-10)


@pytest.mark.parametrize(("df", "p", "t"), QUANTILES)
def test_student_quantiles_are_right_to_ten_digits(df: float, p: float, t: float) -> None:
    assert t_quantile(p, df) == pytest.approx(t, rel=1e-10)
    assert t_quantile(1 - p, df) == pytest.approx(-t, rel=1e-10)


@given(st.floats(0.5, 500), st.floats(0.01, 0.99))
def test_the_quantile_is_the_inverse_of_the_tail(df: float, p: float) -> None:
    assert 1 - t_tail(t_quantile(p, df), df) == pytest.approx(p, abs=1e-12)


@pytest.mark.parametrize(("a", "b", "p", "low", "high"), PAIRS)
def test_the_paired_t_test_is_scipys(a: list[float], b: list[float], p: float, low: float, high: float) -> None:
    found = paired_t(a, b)
    assert (found.p, found.low, found.high) == pytest.approx((p, low, high), rel=1e-10)
    assert found.mean == pytest.approx(np.mean(b) - np.mean(a))
    assert found.n == len(a)


@pytest.mark.parametrize("df", [1, 2, 4, 40])
def test_tails_far_out_are_scipys(df: int) -> None:
    """Seeds that differ by almost the same give such a t."""
    for t in (1e6, 1e9, 1e15, 1e60):
        assert t_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-9)


def test_the_paired_t_test_of_random_pairs_is_scipys() -> None:
    draw = np.random.default_rng(31)
    for _ in range(300):
        a, b = draw.normal(draw.normal(), 10.0 ** draw.integers(-3, 3), size=(2, draw.integers(2, 60)))
        found, level = paired_t(a, b, 0.9), stats.ttest_rel(b, a)
        interval = level.confidence_interval(0.9)
        assert (found.p, found.low, found.high) == pytest.approx((level.pvalue, *interval), rel=1e-8)


def test_the_bca_interval_of_random_data_is_scipys_with_the_same_draws() -> None:
    draw = np.random.default_rng(32)
    for seed in range(30):
        x = draw.exponential(size=draw.integers(20, 90))
        x[::3] *= draw.integers(0, 2)  # some are zero
        x[0] += 1.0
        assert bca_interval(x, 500, seed) == pytest.approx(scipys_bca(x, seed, 0.95), rel=1e-9)


def scipys_bca(x: ArrayLike, seed: int, level: float) -> tuple[float, float]:
    """SciPy's interval of 500 resamples."""
    rng = np.random.default_rng(seed)
    found = stats.bootstrap((x,), np.mean, n_resamples=500, method="BCa", rng=rng, confidence_level=level)
    return tuple(found.confidence_interval)


def test_the_exact_sign_flip_test_of_random_differences_is_scipys() -> None:
    draw = np.random.default_rng(33)
    for _ in range(30):
        d = draw.normal(0.3, 1.0, size=draw.integers(2, 10))
        found = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
        assert sign_flip(d, samples=2 ** len(d), seed=0) == pytest.approx(found.pvalue)


@pytest.mark.parametrize(("p", "adjusted"), HOLM)
def test_holms_adjustment_is_statsmodels(p: list[float], adjusted: list[float]) -> None:
    assert holm(p) == pytest.approx(adjusted, rel=1e-11)


def test_no_p_value_needs_no_adjustment() -> None:
    assert holm([]) == []


def test_one_seed_decides_nothing() -> None:
    found = paired_t([0.1], [0.9])
    assert (found.low, found.high, found.p) == (-math.inf, math.inf, 1.0)
    assert found.verdict() == "undecided"


def test_equal_values_differ_by_nothing() -> None:
    assert paired_t([1, 2, 3], [1, 2, 3]).verdict() == "undecided"
    assert paired_rows([1, 2, 3], [1, 2, 3], samples=50, seed=0).p == 1.0


@pytest.mark.parametrize("level", [0.95, 0.9])
def test_the_size_of_a_block_changes_no_interval(level: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for at_once in (1, 300, 1 << 22):
        monkeypatch.setattr("engine.metrics.statistics._AT_ONCE", at_once)
        assert bca_interval(SAMPLE, 500, 11, level) == pytest.approx(scipys_bca(SAMPLE, 11, level), rel=1e-9)


def test_the_interval_of_a_mean_is_the_union_of_students_and_bca() -> None:
    for x in (SAMPLE, np.abs(SAMPLE), [0.0] * 60 + [1.0, 0.5]):
        half = t_quantile(0.975, len(x) - 1) * standard_error(x)
        mean, (low, high) = float(np.mean(x)), bca_interval(x, 400, 3)
        assert mean_interval(x, 400, 3) == (min(low, mean - half), max(high, mean + half))


def test_the_interval_of_equal_values_has_no_width_and_that_of_one_value_no_end() -> None:
    for interval in (mean_interval, bca_interval):
        assert interval([0.0] * 50, 200, 1) == (0.0, 0.0)
        assert interval([0.1] * 50, 200, 1) == pytest.approx((0.1, 0.1))
    assert mean_interval([0.4], 200, 1) == (-math.inf, math.inf)
    assert paired_rows([0.0], [1.0], 200, 1).verdict() == "undecided"


@pytest.mark.parametrize(("hits", "n"), [(0, 40), (1, 40), (7, 95), (40, 40), (0, 1), (1, 1), (413, 1200)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_of_hits_is_scipys_exact_one(hits: int, n: int, level: float) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(level, method="exact")
    assert hit_interval(hits, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_metric_of_hits_has_their_interval_also_where_no_row_hits() -> None:
    assert metric_interval([0.0] * 38 + [1.0] * 2, 200, 1) == hit_interval(2, 40)
    low, high = metric_interval([0.0] * 40, 200, 1)
    assert low == 0.0 and 0.05 < high < 0.1  # t and BCa would call .0000 certain


def test_the_interval_of_a_metric_is_the_union_of_students_and_bca_with_the_draws_of_its_distinct_values() -> None:
    x = np.array([0.0] * 50 + [0.5] * 4 + [1.0] * 6)
    low, high = metric_interval(x, 4000, 3)
    other = mean_interval(x, 4000, 3)  # draws rows: the same distribution, other draws
    assert (low, high) == pytest.approx(other, abs=0.02)
    half = t_quantile(0.975, 59) * standard_error(x)
    assert low <= x.mean() - half and high >= x.mean() + half
    assert (low, high) == metric_interval(x, 4000, 3)


@given(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.3, 0.63, 1.0]), min_size=1, max_size=60), st.integers(0, 50))
def test_the_interval_of_a_metric_is_within_0_and_1_and_holds_its_mean(x: list[float], seed: int) -> None:
    low, high = metric_interval(x, 50, seed)
    assert 0.0 <= low < high <= 1.0
    assert low - 1e-12 <= np.mean(x) <= high + 1e-12


def test_the_interval_of_a_metric_refuses_differences() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        metric_interval([0.5, -0.5], 50, 1)


@pytest.mark.parametrize("hit", [0.03, 0.1])
@pytest.mark.parametrize("graded", [False, True])
def test_the_interval_of_a_metric_covers_its_mean(hit: float, graded: bool) -> None:
    draw = np.random.default_rng(7)
    levels = 1 / np.log2(np.arange(1, 11) + 1) if graded else np.ones(1)
    covered, trials = 0, 600
    for trial in range(trials):
        low, high = metric_interval(np.where(draw.random(95) < hit, draw.choice(levels, 95), 0.0), 400, trial)
        covered += low <= hit * levels.mean() <= high
    assert covered / trials >= 0.92


@given(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0, -0.5]), min_size=2, max_size=60), st.integers(0, 50))
def test_the_interval_of_sparse_values_is_finite_and_holds_their_mean(x: list[float], seed: int) -> None:
    low, high = mean_interval(x, 50, seed)
    assert math.isfinite(low) and math.isfinite(high)
    assert low - 1e-12 <= np.mean(x) <= high + 1e-12


@pytest.mark.parametrize(("gain", "loss"), [(0.05, 0.0), (0.05, 0.02), (0.05, 0.05)])
def test_the_interval_covers_the_mean_of_sparse_rows(gain: float, loss: float) -> None:
    draw = np.random.default_rng(5)
    levels = 1 / np.log2(np.arange(1, 11) + 1)
    truth, covered, trials = (gain - loss) * levels.mean(), 0, 600
    for trial in range(trials):
        u, size = draw.random(95), draw.choice(levels, 95)
        low, high = mean_interval(np.where(u < gain, size, np.where(u < gain + loss, -size, 0.0)), 400, trial)
        covered += low <= truth <= high
    assert 0.92 <= covered / trials <= 0.985


def test_the_exact_sign_flip_test_is_scipys_permutation_test() -> None:
    values = [0.3, -0.1, 0.25, 0.4, 0.05, -0.2, 0.6, 0.31]
    assert sign_flip(values, samples=256, seed=0) == 0.078125
    assert sign_flip([*values, 0.0, 0.0], samples=256, seed=0) == 0.078125  # nothing to flip in a zero


def test_random_sign_flips_agree_with_scipys() -> None:
    assert sign_flip(SAMPLE, samples=100_000, seed=3) == pytest.approx(0.19055904720476396, abs=0.005)
    certain = sign_flip(np.ones(200), samples=500, seed=0)
    assert certain == 1 / 501  # never zero: only 500 patterns were looked at


def test_random_sign_flips_do_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sign_flip(SAMPLE, samples=1000, seed=3)
    monkeypatch.setattr("engine.metrics.statistics._AT_ONCE", 70)
    assert sign_flip(SAMPLE, samples=1000, seed=3) == whole


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    assert mean_interval(SAMPLE, 200, 1) == mean_interval(SAMPLE, 200, 1)
    assert bca_interval(SAMPLE, 200, 1) != bca_interval(SAMPLE, 200, 2)


def test_looking_at_many_metrics_makes_a_verdict_harder() -> None:
    lucky = PairedDifference(0.1, 0.01, 0.2, 0.03, 5, "seeds")
    assert lucky.verdict() == "better"
    assert [found.verdict() for found in corrected([lucky, lucky])] == ["undecided", "undecided"]


def test_a_verdict_names_the_direction_and_needs_interval_and_p_value() -> None:
    assert PairedDifference(-0.1, -0.2, -0.05, 0.01, 5, "seeds").verdict() == "worse"
    assert PairedDifference(-0.1, -0.2, -0.05, 0.01, 5, "seeds").verdict("min") == "better"
    assert PairedDifference(0.1, -0.01, 0.2, 0.01, 5, "seeds").verdict() == "undecided"
    assert PairedDifference(0.1, 0.01, 0.2, 0.2, 5, "seeds").verdict() == "undecided"
    assert PairedDifference(0.1, 0.01, 0.2, 0.001, 5, "seeds").verdict(goal="") == "undecided"


def test_seeds_that_do_not_differ_are_called_different_in_one_case_of_twenty() -> None:
    draw = np.random.default_rng(2024)
    shared = draw.normal(size=(1000, 5))  # what both models of a pair owe to their seed
    verdicts = [paired_t(base + draw.normal(size=5), base + draw.normal(size=5)).verdict() for base in shared]
    wrong = sum(verdict != "undecided" for verdict in verdicts) / 1000
    assert 0.035 <= wrong <= 0.065  # two standard errors around 0.05


def test_rows_that_do_not_differ_are_called_different_in_one_case_of_twenty() -> None:
    draw = np.random.default_rng(9)
    wrong = 0
    for trial in range(1000):
        ndcg = draw.choice([0.0, 0.3, 0.5, 1.0], size=(2, 120), p=[0.8, 0.1, 0.05, 0.05])
        wrong += paired_rows(ndcg[0], ndcg[1], samples=300, seed=trial).verdict() != "undecided"
    assert 0.035 <= wrong / 1000 <= 0.065  # two standard errors around 0.05


def test_pairs_of_different_length_or_not_finite_are_errors() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_t([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        paired_t([math.nan], [1.0])
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([], 10, 0)


def test_the_standard_error_is_that_of_a_mean() -> None:
    assert standard_error([1.0, 2.0, 3.0, 4.0]) == pytest.approx(math.sqrt(5 / 3) / 2)
    assert math.isnan(standard_error([1.0]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p, method="bh"), rel=1e-12)
    assert all(fdr <= family * (1 + 1e-12) for fdr, family in zip(benjamini_hochberg(p), holm(p), strict=True))


@pytest.mark.parametrize("n", [1, 2, 7, EXACT, EXACT + 1, 400])
def test_the_signed_rank_test_is_scipys(n: int) -> None:
    for seed in range(5):
        d = np.random.default_rng(seed).normal(0.2, 1.0, n)
        method = "exact" if n <= EXACT else "asymptotic"
        expected = stats.wilcoxon(d, method=method).pvalue
        assert wilcoxon(np.append(d, [0.0] * seed)) == pytest.approx(expected, rel=1e-9)  # zeros do not count


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_with_ties_the_signed_rank_test_counts_every_pattern_of_signs(values: list[int]) -> None:
    d = np.array([value for value in values if value], dtype=np.float64)
    if len(d) == 0:
        assert wilcoxon(values) == 1.0
        return
    ranks = stats.rankdata(np.abs(d))
    sums = [float(np.dot(signs, ranks)) for signs in itertools.product((0, 1), repeat=len(d))]
    seen, middle = float(ranks[d > 0].sum()), float(ranks.sum()) / 2
    far = [one for one in sums if abs(one - middle) >= abs(seen - middle)]
    assert wilcoxon(values) == pytest.approx(len(far) / len(sums), rel=1e-12)


def test_with_many_ties_the_signed_rank_test_has_the_variance_of_its_ranks() -> None:
    d = np.random.default_rng(1).integers(-3, 5, 300).astype(np.float64)
    expected = stats.wilcoxon(d, zero_method="wilcox", correction=False, method="asymptotic").pvalue
    assert wilcoxon(d) == pytest.approx(expected, rel=1e-9)


def test_a_comparison_of_rows_takes_p_from_the_chosen_test_and_keeps_its_interval() -> None:
    a, b = np.random.default_rng(2).random((2, 80))
    flips, ranks = paired_rows(a, b, 300, 1), paired_rows(a, b, 300, 1, test=WILCOXON)
    assert (flips.low, flips.high) == (ranks.low, ranks.high)
    assert ranks.p == wilcoxon(b - a) != flips.p == sign_flip(b - a, 300, 1)
