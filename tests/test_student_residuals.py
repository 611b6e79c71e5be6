import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import KFold

from sk_ebm._core.folds import Folds
from sk_ebm._density.splines import NormalSplines
from sk_ebm._density.student_residuals import (
    _scale_features,
    fit_student,
    fit_student_residuals,
)
from sk_ebm._density.tilted_normal import TiltedNormal
from sk_ebm._density.transforms import PowerTransform
from sk_ebm.distributions import CorrectedDistribution


@pytest.mark.parametrize(("true", "low", "high"), [(3, 3, 3.5), (6, 5, 7.5), (1000, 25, 30.01)])
def test_degrees_of_freedom_and_scale_are_found(rng, true, low, high):
    log_scale, df = fit_student(2 * rng.standard_t(true, size=(20_000, 1)), np.ones(20_000))
    assert low <= df < high
    assert log_scale == pytest.approx(np.log(2), abs=0.05)


def test_tails_heavier_than_allowed_have_three_degrees_of_freedom(rng):
    assert fit_student(rng.standard_cauchy((500, 1)), np.ones(500))[1] == pytest.approx(3)


def test_weights_count_rows(rng):
    residuals, weights = rng.standard_t(5, size=(300, 1)), rng.randint(3, size=300)
    repeated = np.repeat(residuals, weights, axis=0)
    expected = fit_student(repeated, np.ones(len(repeated)))
    assert_allclose(fit_student(residuals, weights), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("exponent", [None, 0])
def test_the_distribution_that_data_were_drawn_from(rng, exponent):
    X = rng.standard_normal((3000, 2))
    location, scale = X[:, 0], np.exp(0.5 * X[:, 1])
    z = location + scale * rng.standard_t(8, size=3000)
    if exponent is None:
        power, y, predictions = None, z, location
    else:
        y, predictions = np.exp(z), np.exp(location)
        power = PowerTransform(exponent).fit(y, np.ones(3000))
    predictions = np.stack([predictions, rng.permutation(predictions)], axis=1)
    folds = Folds(tuple(KFold(5).split(X)))
    fitted = fit_student_residuals(
        X, predictions, y, y[:, None], np.ones(3000), folds, rng, power=power
    )
    assert_array_equal(fitted.selected, [0])
    distribution, features = fitted.residuals.distribution(X, predictions[:, :1])
    assert 5 < fitted.residuals.df < 14
    middle = distribution.from_normal_score(np.zeros(1))[:, 0]
    assert_allclose(middle, predictions[:, 0], rtol=1e-6)
    upper = distribution.from_normal_score(np.ones(1))[:, 0]
    width = upper - middle if power is None else np.log(upper) - np.log(middle)
    assert np.mean(np.abs(np.log(width / scale))) < 0.15
    assert features.shape == fitted.features.shape
    assert fitted.log_likelihoods.mean() == pytest.approx(
        distribution.logpdf(y[:, None]).mean(), abs=0.03
    )


def test_features_of_rows_far_away_are_finite():
    far = np.array([[1e200, -1e200], [-1e300, -1e300]])
    features = _scale_features(np.zeros((2, 1)), far, far[:, 0], 0.0, 1.0)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("exponent", [None, 1.0, 0.0])
def test_scales_that_numbers_as_large_as_y_resolve(rng, exponent):
    X = rng.standard_normal((60, 1))
    y = 1e8 + X[:, 0]
    power = None if exponent is None else PowerTransform(exponent).fit(y, np.ones(60))
    folds, data = Folds(tuple(KFold(5).split(X))), (y[:, None], y, y[:, None], np.ones(60))
    fitted = fit_student_residuals(X, *data, folds, rng, power=power)
    z = np.tile([-3.0, -1.0, 0.0, 2.0], (60, 1))
    again = fitted.distribution.normal_score(fitted.distribution.from_normal_score(z))
    assert_allclose(again, z, atol=1e-4)


def test_far_out_numbers_resolve_the_steepest_tilts(rng):
    X = rng.standard_normal((60, 1))
    folds, data = Folds(tuple(KFold(5).split(X))), (X, X[:, 0], X, np.ones(60))
    residuals = fit_student_residuals(X, *data, folds, rng).residuals
    base = residuals.distribution(X, np.full((60, 1), 1e100))[0]
    outputs = 1e30 * rng.standard_normal((60, 8))
    steep = CorrectedDistribution(base, TiltedNormal(NormalSplines(), outputs))
    levels = np.tile([0.01, 0.3, 0.5, 0.8, 0.99], (60, 1))
    assert_allclose(steep.cdf(steep.ppf(levels)), levels, atol=1e-4)
