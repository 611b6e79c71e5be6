"""Chains of conditionals: fits, draws, warnings, and predictions of several targets."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.chain import ConditionalChain, default_folds, unconverged_n_iter
from sk_ebm._density.rounding import Rounding


def simple(**params):
    """A density that fits in a moment."""
    return EnergyDensityEstimator(
        **{"location": Ridge(), "energy": "linear", "alpha": 0.1, **params}
    )


def test_several_targets_are_a_chain(rng):
    X = rng.standard_normal((400, 2))
    first = X[:, 0] + rng.standard_normal(400)
    y = np.column_stack([first, first + 0.1 * rng.standard_normal(400)])
    density = simple(random_state=0).fit(X[:300], y[:300])
    alone = [simple(random_state=0).fit(X[:300], y[:300, j]) for j in range(2)]
    apart = sum(one.score(X[300:], y[300:, j]) for j, one in enumerate(alone))
    assert density.score(X[300:], y[300:]) > apart + 1
    draws = density.sample(X[300:], 5, random_state=0)
    assert draws.shape == (100, 5, 2)
    assert np.std(draws[:, :, 1] - draws[:, :, 0]) < 0.3
    assert density.predict(X[300:]).shape == (100, 2)
    with pytest.raises(ValueError, match="predict_proba needs one target, got 2"):
        density.predict_proba(X)


def test_a_mode_of_several_targets_is_refused(rng):
    with pytest.raises(ValueError, match="point='mode' needs one target"):
        simple(point="mode").fit(rng.standard_normal((30, 2)), rng.standard_normal((30, 2)))


@pytest.fixture
def two_targets(rng):
    X = rng.standard_normal((80, 2))
    first = X[:, 0] + rng.standard_normal(80)
    return X, np.column_stack([first, first + rng.standard_normal(80)])


def test_one_warning_names_the_targets_that_did_not_converge(two_targets):
    X, y = two_targets
    with pytest.warns(ConvergenceWarning) as caught:
        simple(max_iter=1, random_state=0).fit(X, y)
    assert [str(w.message).split(" did")[0] for w in caught] == ["1 iterations for targets 0, 1"]
    assert caught[0].filename == __file__
    frame = pytest.importorskip("pandas").DataFrame(y, columns=["price", "demand"])
    with pytest.warns(ConvergenceWarning, match="1 iterations for targets 'price', 'demand' did"):
        simple(max_iter=1, random_state=0).fit(X, frame)
    with pytest.warns(ConvergenceWarning, match="1 iterations did not reach tol"):
        simple(max_iter=1, random_state=0).fit(X, y[:, 0])


def test_a_warning_of_the_probabilities_of_point_masses(two_targets):
    X, y = two_targets[0], np.where(two_targets[1] > 0.5, 0.0, two_targets[1])
    assert len(Rounding.of(y[:, 0]).point_masses) == 1
    conditional = simple(random_state=0).fit(X, y).chain_[0]
    assert conditional.unconverged_n_iter == 0
    stopped = replace(conditional.point_masses, converged=False, n_iter_=7)
    conditional = replace(conditional, point_masses=stopped)
    assert conditional.unconverged_n_iter == 7
    expected = 7, " for target 'b'"
    assert (
        unconverged_n_iter(
            [((1, 0), [conditional, replace(conditional, point_masses=None)])], ["a", "b"], "target"
        )
        == expected
    )


def test_predictions_of_several_targets_follow_the_random_state(two_targets):
    X, y = two_targets
    seeded = [simple(random_state=seed).fit(X, y) for seed in (0, 0)]
    first, again = (density.predict(X) for density in seeded)
    assert_array_equal(first, again)
    assert_allclose(first[:1], seeded[0].predict(X[:1]), rtol=1e-9)
    for random_state in (None, np.random.RandomState(0)):
        density = simple(random_state=random_state).fit(X, y)
        assert_array_equal(density.predict(X), density.predict(X))


def test_marginals_of_several_targets_are_those_of_draws(two_targets):
    X, y = two_targets
    density = simple(random_state=0).fit(X, y)
    draws = density.sample(X[:5], 4000, random_state=0)
    levels = [0.1, 0.5, 0.9]
    quantiles = density.predict_quantile(X[:5], levels)
    assert quantiles.shape == (5, 2, 3)
    assert_allclose(density.predict_quantile(X[:5], 0.5), quantiles[:, :, 1])
    expected = np.moveaxis(np.quantile(draws, levels, axis=1), 0, -1)
    assert_allclose(quantiles, expected, atol=0.2)
    assert_allclose(density.cdf(X[:5], quantiles[:, :, 1]), 0.5, atol=1e-3)
    distances = np.abs(draws - y[:5, None]).mean(axis=1)
    halves = np.abs(draws[:, ::2] - draws[:, 1::2]).mean(axis=1) / 2
    assert_allclose(density.crps(X[:5], y[:5]), distances - halves, atol=0.06)


@pytest.mark.parametrize("kind", ["equal-tailed", "highest-density"])
def test_intervals_of_each_of_several_targets_cover(rng, kind):
    X = rng.standard_normal((900, 2))
    first = X[:, 0] + rng.standard_normal(900)
    y = np.column_stack([first, 100 * (first + rng.standard_normal(900))])
    density = simple(random_state=0).fit(X[:200], y[:200])
    if kind == "equal-tailed":
        density.conformalize(X[200:500], y[200:500])
        assert density.conformity_.shape == (300, 2)
    ends = density.predict_interval(X[500:], 0.8, kind=kind)
    assert ends.shape == (400, 2, 2)
    covered = (ends[..., 0] <= y[500:]) & (y[500:] <= ends[..., 1])
    assert_allclose(covered.mean(axis=0), 0.8, atol=0.08)


def test_default_folds_are_ten_of_few_rows_and_five_of_many():
    n_folds = [
        len(default_folds(np.ones(n), np.random.RandomState(0))) for n in (3, 49, 50, 299, 300)
    ]
    assert n_folds == [3, 5, 10, 10, 5]
    assert len(default_folds(np.ones(100), np.random.RandomState(0), n_columns=100)) == 5
    weights = np.repeat([0.0, 1], [50, 10])
    folds = default_folds(weights, np.random.RandomState(0))
    folds.check_partition(60)
    assert all(weights[test].sum() == 2 for _, test in folds)


def test_reports_hold_all_conditionals_or_nothing(two_targets):
    reported = []

    class Recorder(EnergyDensityEstimator):
        @contextmanager
        def _reporting(self, X, y, sample_weight=None):
            yield lambda value, attributes: reported.append(attributes())

    X, y = two_targets
    density = Recorder("linear", location=Ridge(), alpha=0.1, random_state=0).fit(X, y)
    n_first = reported.count(None)
    assert 0 < n_first < len(reported) and set(map(type, reported[:n_first])) == {type(None)}
    assert {len(attributes["chain_"]) for attributes in reported[n_first:]} == {2}
    assert reported[-1]["chain_"][0] is density.chain_[0]
    assert len(reported) == density.n_iter_


def test_blocks_of_rows_give_the_same(two_targets):
    X, y = two_targets
    density = simple(random_state=0).fit(X, y)
    expected = density.log_prob(X, y), density.sample(X, 2, random_state=0)
    with config_context(working_memory=1):
        assert len(list(ConditionalChain(density.chain_).blocks(X))) > 1
        assert_allclose(density.log_prob(X, y), expected[0], rtol=1e-12)
        assert_allclose(density.sample(X, 2, random_state=0), expected[1], rtol=1e-9)
