"""The fitted density of one target given inputs."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from sk_ebm import EnergyDensityEstimator


def simple(**params):
    """A density that fits in a moment."""
    return EnergyDensityEstimator(
        **{"location": Ridge(), "energy": "linear", "alpha": 0.1, **params}
    )


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.mark.parametrize("energy", ["kernel", ["kernel", "linear"]])
@pytest.mark.parametrize("factor", [1e10, 1e100, -1e100])
def test_rows_far_away_have_densities(diabetes, energy, factor):
    X, y, new_X, _ = diabetes
    density = simple(energy=energy, random_state=0).fit(X, y)
    far = factor * new_X[:5]
    assert np.isfinite(density.log_prob(far, density.predict(far))).all()
