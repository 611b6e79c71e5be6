import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import KFold

from sk_ebm._density.predicted import PredictedBase


@pytest.fixture
def data(rng):
    X = rng.standard_normal((60, 2))
    return X, X[:, 0] + rng.standard_normal(60)


def fit(estimator, X, y, rng):
    splits = list(KFold(4, shuffle=True, random_state=0).split(X))
    base = PredictedBase(estimator)
    return splits, base.fit(X, y, y[:, None], np.ones(len(y)), splits, rng)


def score(model, X, y):
    mean, std = model.predict(X, return_std=True)
    return stats.norm.ppf(stats.norm.cdf(y, mean, std))


def test_normal_scores_are_held_out(data, rng):
    X, y = data
    splits, fitted = fit(BayesianRidge(), X, y, rng)
    for train, test in splits:
        model = BayesianRidge().fit(X[train], y[train])
        assert_allclose(fitted.normal_scores[test, 0], score(model, X[test], y[test]), atol=1e-6)
    distribution, features = fitted.base.distribution(X)
    expected = score(BayesianRidge().fit(X, y), X, y)
    assert_allclose(distribution.normal_score(y[:, None])[:, 0], expected, atol=1e-6)
    assert features.shape == fitted.features.shape


def test_a_frozen_estimator_is_not_fitted_again(data, rng):
    X, y = data
    model = BayesianRidge().fit(X, -y)
    _, fitted = fit(FrozenEstimator(model), X, y, rng)
    assert_allclose(fitted.normal_scores[:, 0], score(model, X, y), atol=1e-6)


def test_distributions_narrower_than_the_numbers_around_them(data):
    """Quantiles have their levels, wherever the mean is, and features are finite."""
    X, y = data
    process = FrozenEstimator(GaussianProcessRegressor(optimizer=None).fit(X, 1e20 * (2 + y)))
    base = PredictedBase(process)
    base.fit(X, 1e20 * y, 1e20 * y[:, None], np.ones(60), [], None)
    distribution, features = base.distribution(X)
    assert np.isfinite(features).all()
    z = distribution.normal_score(distribution.from_normal_score(np.array([-1.0, 0.5])))
    assert_allclose(z, np.tile([-1.0, 0.5], (60, 1)), atol=1e-3)
