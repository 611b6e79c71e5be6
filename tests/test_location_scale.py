"""Densities on the scale of a power of y, and how the scale is chosen."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate
from sklearn.dummy import DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression

from sk_ebm import EnergyDensityEstimator


@pytest.fixture(scope="module")
def growing():
    """Rows whose y is a size: errors are a share of it."""
    rng = np.random.RandomState(0)
    X = rng.uniform(size=(600, 2))
    y = np.exp(3 * X[:, 0] + 0.3 * rng.standard_normal(600))
    return X[:300], y[:300], X[300:], y[300:]


def density(**params):
    return EnergyDensityEstimator(**{"energy": "linear", "cv": 3, "random_state": 0, **params})


@pytest.fixture(scope="module")
def on_auto(growing):
    return density().fit(*growing[:2])


def test_auto_takes_a_power_where_held_out_rows_are_likelier(growing, on_auto):
    X, y, new_X, new_y = growing
    assert abs(on_auto.exponents_[0]) < 0.3
    plain = density(power=None).fit(X, y)
    assert plain.exponents_ == [1]
    assert on_auto.score(new_X, new_y) > plain.score(new_X, new_y)


def test_auto_keeps_y_where_a_power_gains_nothing(rng):
    X = rng.standard_normal((200, 2))
    assert density().fit(X, X[:, 0] + 0.1 * rng.standard_normal(200)).exponents_ == [1]


def test_auto_leaves_y_to_given_regressors(growing):
    assert density(location=LinearRegression()).fit(*growing[:2]).exponents_ == [1]


@pytest.mark.parametrize("exponent", [0, -1, 2.5])
def test_the_density_of_a_power_integrates_to_one(growing, exponent):
    X, y, _, _ = growing
    fitted = density(location=LinearRegression(), power=exponent).fit(X, y)
    low, high = fitted.predict_quantile(X[:1], [1e-7, 1 - 1e-7])[0]
    edges = np.unique(
        np.clip([low, y.min(), *np.quantile(y, [0.1, 0.5]), y.max(), high], low, high)
    )
    total = 0.0
    for a, b in pairwise(edges):
        grid = np.linspace(a, b, 4001)
        values = np.exp(fitted.log_prob(np.tile(X[:1], (4001, 1)), grid))
        total += integrate.simpson(values, grid)
    assert total == pytest.approx(1, abs=1e-5)


def test_every_number_has_a_density(growing, on_auto):
    X = np.tile(growing[0][:1], (4, 1))
    assert np.isfinite(on_auto.log_prob(X, [-100.0, 0.0, 1e-9, 1e6])).all()


def test_given_regressors_are_fitted_to_the_power(growing):
    X, y, new_X, new_y = growing
    own = density(location=LinearRegression(), power=0).fit(X, y)
    plain = density(location=LinearRegression()).fit(X, y)
    assert own.score(new_X, new_y) > plain.score(new_X, new_y) + 0.1


def test_a_frozen_regressor_predicts_y(growing):
    X, y, _, _ = growing
    frozen = FrozenEstimator(DummyRegressor(strategy="constant", constant=7.0).fit(X, y))
    fitted = density(location=frozen, power=0).fit(X, y)
    student = fitted.chain_[0].base.distribution(X[:3])[0]
    assert_allclose(student.from_normal_score(np.zeros(1)), 7)


@pytest.mark.filterwarnings("error")
def test_outliers_do_not_warn():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((200, 2))
    y = 1 + 0.05 * X[:, 0] + 0.1 * rng.standard_normal(200)
    y[[5, 9]] = 1e6, 1e7
    assert np.isfinite(density(cv=None).fit(X, y).score(X, y))


@pytest.mark.parametrize("power", ["log", True, 3.5, np.nan])
def test_a_bad_power_is_named(growing, power):
    with pytest.raises(ValueError, match=r"power must be 'auto' or None or a finite number >= -2"):
        density(power=power).fit(*growing[:2])


def test_units_of_y_change_nothing(growing, on_auto):
    X, y, new_X, _ = growing
    other = density().fit(X, 100 * y)
    expected = 100 * on_auto.predict_quantile(new_X, 0.5)
    assert_allclose(other.predict_quantile(new_X, 0.5), expected, rtol=0.02)
    assert_array_equal(len(other.exponents_), 1)
