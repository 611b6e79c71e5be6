import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from sk_ebm import EnergyDensityEstimator
from sk_ebm._core.folds import Folds
from sk_ebm._density.cross_fitted_regressor import cross_fit_regressor
from sk_ebm._density.leaf_density import choose_forest, fit_leaf_density
from sk_ebm._density.student import StudentDistribution


def test_answers_of_repeated_rows_are_known(rng):
    """No location and scale describes them: each kind of row has two answers of its own."""
    kinds = rng.standard_normal((60, 4))
    answers = rng.randint(5, size=(60, 2))
    kind = rng.randint(60, size=900)
    X, y = kinds[kind], answers[kind, rng.randint(2, size=900)].astype(float)
    density = EnergyDensityEstimator("linear", alpha=0.1, kind="mass", random_state=0)
    density.fit(X[:600], y[:600])
    assert density.chain_[0].base.leaf_density_.weight > 0.3
    assert density.score(X[600:], y[600:]) > -np.log(2) - 0.3
    plain = EnergyDensityEstimator(
        "linear", location=Ridge(), alpha=0.1, kind="mass", random_state=0
    )
    plain.fit(X[:600], y[:600])
    assert plain.chain_[0].base.leaf_density_ is None
    assert density.score(X[600:], y[600:]) > plain.score(X[600:], y[600:]) + 0.3


@pytest.mark.parametrize(
    ("draw", "helps"),
    [
        pytest.param(lambda rng, X: rng.standard_normal(len(X)), False, id="normal"),
        pytest.param(lambda rng, X: np.where(X[:, 0] > 0.5, 1.0, -1.0), True, id="two values"),
    ],
)
def test_leaves_are_blended_in_only_if_they_help(rng, draw, helps):
    n, X = 400, rng.uniform(size=(400, 2))
    y = draw(rng, X)
    folds, weights = Folds(tuple(KFold(5).split(X))), np.ones(n)
    forest = cross_fit_regressor(
        ExtraTreesRegressor(20, min_samples_leaf=5), X, y, weights, folds, rng
    )
    base = StudentDistribution(np.zeros(n), np.ones(n), 30.0)
    held_out = [(np.arange(n), base)]
    leaves, scores = fit_leaf_density(forest, held_out, X, y, y[:, None], weights, folds)
    if helps:
        assert leaves.weight > 0.5
        blended = leaves.blend(base, leaves.shares(X)[0])
        assert blended.logpdf(y[:, None]).mean() > base.logpdf(y[:, None]).mean() + 0.3
    else:
        assert leaves is None
        assert_allclose(scores, base.normal_score(y[:, None]))


def test_without_a_forest_scores_are_those_of_the_base(rng):
    y, base = rng.standard_normal(4), StudentDistribution(np.zeros(2), np.ones(2), 5.0)
    held_out = [(np.array([3, 1]), base), (np.array([0, 2]), base)]
    leaves, scores = fit_leaf_density(None, held_out, None, y, y[:, None], np.ones(4), None)
    assert leaves is None
    assert_allclose(
        scores, StudentDistribution(np.zeros(4), np.ones(4), 5).normal_score(y[:, None])
    )


@pytest.mark.parametrize("is_repeated", [True, False])
def test_the_first_fold_chooses_the_size_of_leaves(rng, is_repeated):
    """Small ones where rows are repeated, large ones where y is noise around a few values."""
    n = 600
    X = rng.standard_normal((n // 6, 3))[rng.randint(n // 6, size=n)]
    y = np.sin(40 * X[:, 0]) if is_repeated else np.where(rng.uniform(size=n) < 0.5, -1.0, 1.0)
    y = y + 0.01 * rng.standard_normal(n)
    folds, weights = Folds(tuple(KFold(5).split(X))), np.ones(n)
    test = folds.pairs[0][1]
    first = StudentDistribution(np.zeros(len(test)), np.ones(len(test)), 30.0)
    forests = [ExtraTreesRegressor(4, min_samples_leaf=size) for size in (1, 50)]
    chosen, model = choose_forest(forests, first, X, y, weights, folds, rng)
    assert chosen == (0 if is_repeated else 1)
    assert model.get_params()["min_samples_leaf"] == (1, 50)[chosen]
    untested = np.where(np.isin(np.arange(n), test), 0.0, 1.0)
    assert choose_forest(forests, first, X, y, untested, folds, rng) == (0, None)


def test_histograms_of_few_trees_are_smoothed_where_this_helps(rng):
    n, X = 1000, rng.uniform(size=(1000, 1))
    y = np.sign(X[:, 0] - 0.5) * np.exp(rng.standard_normal(n))
    folds, weights = Folds(tuple(KFold(5).split(X))), np.ones(n)
    trees = ExtraTreesRegressor(2, min_samples_leaf=10)
    forest = cross_fit_regressor(trees, X, y, weights, folds, rng)
    held_out = [(np.arange(n), StudentDistribution(np.zeros(n), 2 * np.ones(n), 30.0))]
    leaves, _ = fit_leaf_density(forest, held_out, X, y, y[:, None], weights, folds)
    assert leaves.n_steps > 0
    assert_allclose(leaves.shares(X)[0].sum(axis=1), 1, atol=1e-3)
    assert leaves.shares(X)[1].shape == (n,)
    small = leaves.without_predictions()
    assert_allclose(small.shares(X)[0], leaves.shares(X)[0])
    assert small.shares(X)[1] is None
