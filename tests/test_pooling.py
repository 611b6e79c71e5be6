import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_ebm._density.pooling import pool_locations


@pytest.fixture
def y(rng):
    return rng.standard_normal(2000)


def pool(y, errors, weights=None):
    weights = np.ones(len(y)) if weights is None else weights
    return pool_locations(y[:, None] + np.stack(errors, axis=1), y, weights)


def test_weights_are_inverse_to_variances(y, rng):
    noise = rng.standard_normal((2, 2000))
    assert_allclose(pool(y, [noise[0], 2 * noise[1]]), [0.8, 0.2], atol=0.05)


def test_a_regressor_without_use_gets_no_weight(y, rng):
    noise = 0.1 * rng.standard_normal(2000)
    assert_allclose(pool(y, [noise, noise + 5 * rng.standard_normal(2000)]), [1, 0])


def test_equal_regressors_get_equal_weights(y, rng):
    noise = rng.standard_normal(2000)
    assert_allclose(pool(y, [noise, noise, noise]), 1 / 3, atol=1e-6)
    assert_allclose(pool(y, [noise]), 1)


def test_outliers_do_not_decide(y, rng):
    better, worse = 0.1 * rng.standard_normal(2000), rng.standard_normal(2000)
    better[:20] = 1e3
    assert pool(y, [better, worse])[0] > 0.8


def test_rows_without_weight_are_ignored(y, rng):
    noise = rng.standard_normal((2, 2000))
    noise[0, :1000] *= 100
    weights = np.repeat([0.0, 1.0], 1000)
    assert_allclose(pool(y, noise, weights), pool(y[1000:], noise[:, 1000:]), atol=0.02)
