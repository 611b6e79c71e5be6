import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold

from sk_ebm._density.gaussian_mixture import WeightedMixture
from sk_ebm._density.mixture_column import MixtureColumn


@pytest.fixture
def table(rng):
    x = rng.choice([-2.0, 2.0], size=200) + 0.3 * rng.standard_normal(200)
    return np.stack([x, -x + 0.3 * rng.standard_normal(200)], axis=1)


def fit(table, rng, weights=None):
    splits = list(KFold(4).split(table))
    ones = np.ones(len(table))
    mixture = WeightedMixture(2, random_state=0).fit_rows(table, ones)
    folds = [clone(mixture).fit_rows(table, ones, train) for train, _ in splits]
    X, y = table[:, :1], table[:, 1]
    weights = ones if weights is None else weights
    fitted = MixtureColumn(mixture, folds).fit(X, y, y[:, None], weights, splits, rng)
    return mixture, fitted


def test_the_conditional_is_that_of_the_mixture(table, rng):
    mixture, fitted = fit(table, rng)
    distribution, features = fitted.base.distribution(table[:, :1])
    marginal = GaussianMixture(2)
    marginal.weights_, marginal.means_ = mixture.weights_, mixture.means_[:, :1]
    marginal.covariances_ = mixture.covariances_[:, :1, :1]
    marginal.precisions_cholesky_ = marginal.covariances_**-0.5
    expected = mixture.score_samples(table) - marginal.score_samples(table[:, :1])
    if fitted.base.leaf_density_ is None:
        assert_allclose(distribution.logpdf(table[:, 1:])[:, 0], expected, atol=0.01)
    assert_allclose(features, fitted.features)


def test_one_pseudo_observation_keeps_the_density_elsewhere_above_zero(table, rng):
    _, fitted = fit(table, rng)
    far = fitted.base.distribution(np.array([[2.0]]))[0].logpdf(np.array([[2.0]]))
    assert far > np.log(1 / 402) - 3


def test_rows_without_weight_do_not_count(table, rng):
    _, fitted = fit(table, rng, weights=(table[:, 1] > 0).astype(float))
    assert fitted.base.factors_.means.shape == (2, 2)
    refitted = fitted.base.factors_
    assert refitted.weights @ refitted.means[:, 1] > 1.5
