import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._utils.weighted import significantly_positive, standard_scaler


def test_significantly_positive():
    assert significantly_positive(np.array([1.0, 1.1, 0.9]), np.ones(3))
    assert not significantly_positive(np.array([1.0, -1.1, 0.9]), np.ones(3))
    assert not significantly_positive(np.zeros(3), np.ones(3))


def test_weights_of_any_size_standardise_alike(rng):
    X = np.column_stack([rng.standard_normal((29, 3)), np.full((29, 2), [0.1, 0.5])])
    weights = rng.uniform(size=29)
    scaler = standard_scaler(X, weights)
    assert_allclose(np.average(scaler.transform(X) ** 2, axis=0, weights=weights)[:3], 1)
    for unit in (1e-300, 1e200):
        scaled = standard_scaler(X, unit * weights).transform(X)
        assert_allclose(scaled, scaler.transform(X), atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_constant_columns_keep_their_scale(seed):
    """Their variance is a rounding error of either sign, below zero for 7 of these seeds."""
    weights = np.random.RandomState(seed).uniform(size=30)
    scaler = standard_scaler(np.full((30, 2), [3.3, -1e8]), weights)
    assert_array_equal(scaler.scale_, 1)
