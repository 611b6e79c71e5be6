import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

from sk_ebm._core.folds import Folds
from sk_ebm._density import cross_fitted_regressor
from sk_ebm._density.cross_fitted_regressor import cross_fit_regressor
from sk_ebm._density.transforms import PowerTransform


class LogForest(RandomForestRegressor):
    """A forest of the logarithm."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, np.log(y), sample_weight)

    def predict(self, X):
        return np.exp(super().predict(X))


FOLDS = Folds(tuple(KFold(5).split(np.zeros(50))))


@pytest.fixture
def data(rng):
    return rng.standard_normal((50, 2)), rng.uniform(1, 2, size=50), rng.randint(3, size=50)


@pytest.mark.parametrize(
    ("forest", "is_forest"), [(RandomForestRegressor(5), True), (LogForest(5), False)]
)
def test_leaves_of_forests_that_predict_their_means(data, rng, forest, is_forest):
    assert cross_fit_regressor(forest, *data, FOLDS, rng).is_forest is is_forest


@pytest.mark.parametrize("exponent", [None, 0])
def test_held_out_predictions_are_those_of_the_other_folds(data, rng, exponent):
    X, y, weights = data
    power = None if exponent is None else PowerTransform(exponent).fit(y, weights)
    crossed = cross_fit_regressor(LinearRegression(), X, y, weights, FOLDS, rng, power=power)
    target, inverse = (y, lambda z: z) if power is None else (power(y), power.inverse)
    models = [LinearRegression().fit(X[t], target[t], weights[t]) for t, _ in FOLDS]
    for model, (_, test) in zip(models, FOLDS, strict=True):
        assert_allclose(crossed.held_out[test], inverse(model.predict(X[test])))
    mean = np.mean([model.predict(X) for model in models], axis=0)
    assert_allclose(crossed.regressor.predict(X), inverse(mean))


@pytest.mark.parametrize(("refit", "n_models"), [(None, 1), (True, 1), (False, 5)])
def test_one_model_predicts_where_rows_are_many(data, rng, monkeypatch, refit, n_models):
    monkeypatch.setattr(cross_fitted_regressor, "MIN_ROWS_ONE_MODEL", 50)
    crossed = cross_fit_regressor(LinearRegression(), *data, FOLDS, rng, refit=refit)
    assert len(crossed.regressor.models) == n_models
    assert len(crossed.fold_models) == 5


def test_a_frozen_regressor_is_not_fitted_again(data, rng):
    X, y, weights = data
    frozen = FrozenEstimator(LinearRegression().fit(X, -y))
    power = PowerTransform(0).fit(y, weights)
    crossed = cross_fit_regressor(frozen, X, y, weights, FOLDS, rng, power=power)
    assert_allclose(crossed.held_out, frozen.predict(X))
    assert_allclose(crossed.regressor.predict(X), frozen.predict(X))


class Predicting(LinearRegression):
    """The same, whatever the rows."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value = value

    def predict(self, X):
        return np.full(len(X), self.value)


def test_predictions_are_finite_or_refused(data, rng):
    held_out = cross_fit_regressor(Predicting(np.inf), *data, FOLDS, rng).held_out
    assert np.isfinite(100 * held_out).all()
    with pytest.raises(ValueError, match="location must predict numbers, got NaN from Predicting"):
        cross_fit_regressor(Predicting(np.nan), *data, FOLDS, rng)
