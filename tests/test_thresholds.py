"""Thresholds: what they learn and what they guarantee."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom

from sk_ebm.thresholds import (
    THRESHOLDS,
    Contamination,
    Cost,
    FalseAlarm,
    FScore,
    Level,
    Mixture,
    Reference,
    Rule,
    Threshold,
    conformal_quantile,
    resolve_threshold,
)

every_threshold = pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=name) for name, kind in THRESHOLDS.items()]
)


@pytest.fixture
def labelled(rng):
    """Energies, weights, and which rows are compatible."""
    energies = np.r_[rng.standard_normal(300), rng.normal(4, 1, 60)]
    return energies, np.ones(360), np.arange(360) < 300


@every_threshold
def test_integer_weights_repeat_rows(kind, labelled, rng):
    energies, _, compatible = labelled
    weights = rng.randint(0, 4, 360)
    rows = np.repeat(np.arange(360), weights)
    by_weight = kind().fit(energies, weights.astype(float), compatible)
    repeated = kind().fit(energies[rows], None, compatible[rows])
    assert_allclose(by_weight.level_, repeated.level_)


@every_threshold
def test_order_does_not_matter_and_scale_moves_the_level(kind, labelled, rng):
    energies, weights, compatible = labelled
    order = rng.permutation(360)
    level = kind().fit(energies, weights, compatible).level_
    again = kind().fit(3 * energies[order] - 2, weights, compatible[order]).level_
    assert_allclose(again, 3 * level - 2, rtol=1e-9)


@pytest.mark.parametrize("name", sorted(set(THRESHOLDS) - {"f_score"}))
def test_equal_energies_are_compatible(name):
    compatible = np.arange(50) < 40
    level = THRESHOLDS[name]().fit(np.full(50, 2.0), None, compatible).level_
    assert level == 2.0


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.37, 0.5])
def test_contamination_is_the_percentile_of_scores(rate, rng):
    energies = rng.standard_normal(301)
    level = Contamination(rate).fit(energies).level_
    assert_allclose(-level, np.percentile(-energies, 100 * rate), rtol=1e-12)


@pytest.mark.parametrize(("n_high", "n_flagged"), [(10, 10), (13, 13), (19, 19), (3, 10)])
def test_contamination_flags_the_ties_nearest_to_its_share(n_high, n_flagged):
    energies = np.r_[np.full(50 - n_high, 1.0), np.full(n_high, 5.0)]
    energies[: max(10 - n_high, 0)] = 2.0  # ties below the highest, which are flagged with it
    assert np.sum(energies > Contamination(0.2).fit(energies).level_) == n_flagged


def test_contamination_warns_where_ties_let_it_flag_nobody():
    energies = np.repeat([0.0, 1.0], [30, 20])
    with pytest.warns(UserWarning, match=r"highest energy is that of 0.4 .*Contamination\(0.4\)"):
        level = Contamination(0.1).fit(energies).level_
    assert level == 1
    assert np.sum(energies > Contamination(0.4).fit(energies).level_) == 20


@pytest.mark.parametrize("weights", [np.full(20, 0.05), np.full(20, 0.001), np.full(20, 3.0)])
def test_weights_of_any_sum_flag_a_share(weights):
    energies = np.arange(20.0)
    assert np.sum(energies > Contamination(0.1).fit(energies, weights).level_) == 2


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.25])
def test_false_alarms_are_those_that_exchangeability_gives(rate, rng):
    n = 99
    uniform = rng.uniform(size=(2000, n))  # the false-alarm rate of a level u is 1 - u
    rates = [1 - FalseAlarm(rate).fit(row).level_ for row in uniform]
    expected = np.floor((n + 1) * rate + 1e-9) / (n + 1)
    assert_allclose(np.mean(rates), expected, atol=4 * np.std(rates) / np.sqrt(2000))


def test_confidence_bounds_how_often_the_rate_is_exceeded(rng):
    levels = [
        FalseAlarm(0.1, confidence=0.9).fit(row).level_ for row in rng.uniform(size=(2000, 150))
    ]
    exceeded = np.mean(1 - np.array(levels) > 0.1)
    assert 0.05 < exceeded <= 0.1 + 3 * np.sqrt(0.09 / 2000)


@pytest.mark.parametrize(
    ("rate", "confidence", "needed"), [(0.05, None, 19), (0.05, 0.9, 45), (0.01, None, 99)]
)
def test_too_few_rows_are_told_how_many_are_needed(rate, confidence, needed, rng):
    threshold = FalseAlarm(rate, confidence)
    with pytest.raises(
        ValueError, match=f"needs at least {needed} compatible rows.*got {needed - 1}"
    ):
        threshold.fit(rng.standard_normal(needed - 1))
    energies = rng.standard_normal(needed)
    assert threshold.fit(energies).level_ == energies.max()
    if confidence:
        assert binom.pmf(0, needed, rate) <= 1 - confidence < binom.pmf(0, needed - 1, rate)


def test_false_alarm_learns_from_compatible_rows_only(labelled):
    energies, weights, compatible = labelled
    alone = FalseAlarm().fit(energies[compatible]).level_
    assert FalseAlarm().fit(energies, weights, compatible).level_ == alone


@pytest.mark.parametrize("n, rate", [(19, 0.05), (20, 0.05), (99, 0.1), (100, 0.1), (3, 0.25)])
def test_conformal_quantile_is_the_order_statistic(n, rate, rng):
    energies, k = rng.standard_normal(n), int(np.ceil((n + 1) * (1 - rate) - 1e-9))
    assert conformal_quantile(energies, rate) == np.sort(energies)[k - 1]
    weights = rng.randint(1, 4, n).astype(float)
    repeated = np.repeat(energies, weights.astype(int))
    assert conformal_quantile(energies, rate, weights) == conformal_quantile(repeated, rate)


@pytest.mark.parametrize("n", [1, 3, 9, 10, 99, 399, 1000, 9999])
def test_ranks_of_shares_are_exact(n):
    """However a rate k / (n + 1), or one minus a coverage, is rounded."""
    energies = np.arange(1.0, n + 1)
    for k in np.unique(np.geomspace(1, n, 40).astype(int)):
        rates = k / (n + 1), 1 - (1 - k / (n + 1)), 1 - (n + 1 - k) / (n + 1)
        for rate in rates:
            assert conformal_quantile(energies, rate) == n + 1 - k
            assert FalseAlarm(rate).needed() == -(-(n + 1 - k) // k)


def test_conformal_quantile_says_how_many_rows_are_needed():
    with pytest.raises(ValueError, match="rate=0.1 needs at least 9 rows, got 8"):
        conformal_quantile(np.arange(8.0), 0.1)


def brute_force(energies, merit):
    """The greatest merit of any level."""
    levels = np.r_[energies.min() - 1, np.sort(energies)]
    return max(merit(energies > level) for level in levels)


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_no_level_has_a_greater_f_score(weight, labelled):
    from sklearn.metrics import fbeta_score

    energies, _, compatible = labelled
    score = lambda flagged: fbeta_score(~compatible, flagged, beta=weight)  # noqa: E731
    level = FScore(weight).fit(energies, None, compatible).level_
    assert_allclose(score(energies > level), brute_force(energies, score))


@pytest.mark.parametrize(("false_alarm", "miss"), [(1, 1), (1, 10), (10, 1), (1, 1e6), (1e6, 1)])
def test_no_level_costs_less(false_alarm, miss, labelled):
    energies, _, compatible = labelled

    def gain(flagged):
        return -false_alarm * np.sum(flagged & compatible) - miss * np.sum(~flagged & ~compatible)

    level = Cost(false_alarm, miss).fit(energies, None, compatible).level_
    assert_allclose(gain(energies > level), brute_force(energies, gain))


def test_mixture_finds_the_gap_between_two_components(rng):
    energies = np.r_[rng.standard_normal(500), rng.normal(12, 1, 50)]
    assert 3 < Mixture().fit(energies).level_ < 9


def test_mixture_flags_nothing_in_one_component(rng):
    energies = rng.standard_normal(500)
    assert Mixture().fit(energies).level_ == energies.max()


def test_what_a_threshold_may_be():
    assert resolve_threshold(Level(1.5)).fit(np.zeros(3)).level_ == 1.5
    assert resolve_threshold(np.median).fit(np.array([1.0, 2, 9])).level_ == 2
    assert isinstance(resolve_threshold("cost"), Cost)
    threshold = FalseAlarm(0.2)
    assert resolve_threshold(threshold) is not threshold


@pytest.mark.parametrize("value", ["quantile", None, True, FalseAlarm])
def test_what_it_may_not_be(value):
    with pytest.raises(ValueError, match="threshold must be one of"):
        resolve_threshold(value)


@pytest.mark.parametrize(
    "value", [0.01, 0, 3, np.float32(0.01), np.int64(2), np.array(0.1)], ids=str
)
def test_a_number_is_a_share_or_an_energy(value):
    """Nobody can tell which: it is refused by a message that names both."""
    with pytest.raises(ValueError, match=r"reject must be .*FalseAlarm\(0.01\).*Level\(0.01\)"):
        resolve_threshold(value, "reject")


@pytest.mark.parametrize(
    ("threshold", "name"),
    [
        (Contamination(0), "rate"),
        (Contamination(0.6), "rate"),
        (FalseAlarm(1), "rate"),
        (FalseAlarm(0.1, confidence=1), "confidence"),
        (FScore(0), "weight"),
        (Cost(false_alarm=-1), "false_alarm"),
        (Cost(miss=np.nan), "miss"),
        (Level(np.inf), "level"),
    ],
)
def test_parameters_out_of_range(threshold, name):
    with pytest.raises(ValueError, match=f"{name} must be"):
        threshold.check()


def test_a_function_must_return_a_number():
    with pytest.raises(ValueError, match="threshold's function"):
        Rule(lambda energies: energies).fit(np.zeros(3))


def test_a_member_must_learn():
    with pytest.raises(NotImplementedError, match="learn"):
        Threshold().fit(np.zeros(3))


def test_p_values_count_rows_at_least_as_far():
    reference = Reference(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]))
    assert_allclose(reference.p_values(np.array([0.0, 2.0, 2.5, 4.0])), [1, 4 / 5, 2 / 5, 1 / 5])


def test_p_values_are_the_same_up_to_rounding():
    """Energies of a row differ in their last digits where its batch is another."""
    energies = np.r_[1e8, 1.0, -3.0]
    reference = Reference(energies, np.ones(3))
    rounded = [reference.p_values(energies * (1 + error)) for error in (-1e-14, 1e-14)]
    assert_allclose(rounded, [[1 / 2, 3 / 4, 1]] * 2, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e200])
def test_weights_of_any_size_give_p_values_and_a_beta(scale):
    energies, weights = np.r_[1.0, 2.0, 3.0, 5.0], scale * np.r_[3.0, 1.0, 2.0, 1e-20]
    reference = Reference(energies, weights)
    for tail in (None, "exponential"):
        p = reference.p_values(np.r_[0.0, 4.0, 6.0], tail)
        assert (p > 0).all() and (p <= 1).all() and (np.diff(p) <= 0).all(), tail
    assert reference.beta() > 0
    without = Reference(np.append(energies, 9.0), np.append(weights, 0.0))
    assert without.beta() == reference.beta() and len(without.energies) == 4


@pytest.mark.parametrize("n", [3, 19, 100])
def test_an_exponential_tail_is_valid_beyond_the_rows(n, rng):
    """P(p <= u) = u for exponential energies, for u below and above 1 / (n + 1)."""
    p = [
        Reference(rng.exponential(3, n), np.ones(n)).p_values(
            rng.exponential(3, 100), "exponential"
        )
        for _ in range(2000)
    ]
    for u in (0.1 / (n + 1), 0.5 / (n + 1), 2 / (n + 1)):
        share = np.mean(np.array(p) <= u, axis=1)  # one for each reference
        assert abs(share.mean() - u) < 4 * share.std() / np.sqrt(2000)


def test_an_exponential_tail_joins_and_decreases(rng):
    energies, weights = rng.exponential(1, 200), rng.randint(1, 4, 200)
    reference = Reference(energies, weights.astype(float))
    repeated = Reference(np.repeat(energies, weights), np.ones(weights.sum()))
    far = energies.max() + np.r_[1e-12, np.linspace(0.1, 30, 50), 1e300]
    p = reference.p_values(far, "exponential")
    assert_allclose(p[0], 1 / (1 + weights.sum()), rtol=1e-9)
    assert (np.diff(p) < 0).all() and p[-1] >= 0
    assert_allclose(p, repeated.p_values(far, "exponential"), rtol=1e-9)
    within = np.linspace(0, energies.max(), 50)
    assert_allclose(reference.p_values(within, "exponential"), reference.p_values(within))
    shifted = Reference(2 * energies + 5, weights.astype(float))
    assert_allclose(shifted.p_values(2 * far[:-1] + 5, "exponential"), p[:-1], rtol=1e-6)


def test_equal_energies_have_no_tail():
    reference = Reference(np.ones(5), np.ones(5))
    assert_allclose(reference.p_values(np.array([1.0, 2.0]), "exponential"), [1, 1 / 6])


def test_beta_is_the_rate_of_an_exponential_tail(rng):
    energies = rng.exponential(0.5, 20_000)
    assert_allclose(Reference(energies, np.ones(20_000)).beta(), 2, rtol=0.1)
    assert Reference(np.ones(5), np.ones(5)).beta() == 1


def test_fractional_weights_are_a_mass():
    energies = np.arange(20.0)
    weights = np.append(np.ones(19), 0.9)
    assert FalseAlarm(0.05).fit(energies, weights).level_ == 19
    assert FalseAlarm(0.05).fit(np.arange(190.0), np.full(190, 0.1)).level_ == 189


def test_labels_must_be_of_both_kinds():
    with pytest.raises(ValueError, match="compatible rows and anomalies"):
        Cost().fit(np.arange(5.0), None, np.ones(5, dtype=bool))
    with pytest.raises(ValueError, match="positive weight"):
        Mixture().fit(np.arange(5.0), np.zeros(5))
