"""The fitted density of one target given inputs."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.conditional import as_read
from sk_ebm.energies import KernelEnergy, as_energy


def simple(**params):
    """A density that fits in a moment."""
    return EnergyDensityEstimator(
        **{"location": Ridge(), "energy": "linear", "alpha": 0.1, **params}
    )


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.mark.parametrize("energy, dtype", [("kernel", np.float32), ("linear", np.float64)])
def test_kernels_are_fitted_in_single_precision(diabetes, energy, dtype):
    X, y = diabetes[:2]
    conditional = simple(energy=energy).fit(X, np.maximum(y, 90)).chain_[0]
    assert conditional.energy_.coef_.dtype == conditional.point_masses.energy_.coef_.dtype == dtype
    assert conditional.unrounded(X).logpdf(y[:, None]).dtype == np.float64


@pytest.mark.parametrize(
    "energy, dtype",
    [
        (["kernel", "kernel"], np.float32),
        (["kernel", "linear"], np.float64),
        (KernelEnergy("fourier"), np.float64),
    ],
)
def test_precision_that_energies_read(energy, dtype, rng):
    assert as_read(as_energy(energy), rng.standard_normal((3, 2))).dtype == dtype


@pytest.mark.parametrize("energy", ["kernel", ["kernel", "linear"]])
@pytest.mark.parametrize("factor", [1e10, 1e100, -1e100])
def test_rows_far_away_have_densities(diabetes, energy, factor):
    X, y, new_X, _ = diabetes
    density = simple(energy=energy, random_state=0).fit(X, y)
    far = factor * new_X[:5]
    assert np.isfinite(density.log_prob(far, density.predict(far))).all()
