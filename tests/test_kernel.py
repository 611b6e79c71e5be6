"""Kernel energies."""

import numpy as np
import pytest
from helpers import fit
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.metrics.pairwise import rbf_kernel

from sk_ebm import EnergyClassifier
from sk_ebm.energies import KernelEnergy, _kernel
from sk_ebm.energies._kernel import _gaussian

n, d = 60, 5


def test_they_see_nothing_in_rounding_errors(objective, rng):
    X = np.full((n, d), 0.3)
    X[::2] = np.nextafter(X[::2], 1)
    folds = objective.answers.folds(5, rng)
    energy = fit(KernelEnergy(), X, objective, alpha="auto", folds=folds).energy
    assert np.abs(energy.coef_).max() < 0.01


def features_of(energy, X):
    """Nystroem features, which a fitted energy no longer holds the matrix for."""
    return energy._times(X, energy._whitening_of_landmarks())


@pytest.mark.parametrize("gamma", [None, 0.7])
def test_nystroem_on_all_rows_reproduces_the_kernel(gamma, rng, objective):
    X = rng.standard_normal((n, d))
    energy = fit(KernelEnergy(gamma=gamma), X, objective, rng, alpha=0.01).energy
    features = features_of(energy, X)
    assert_allclose(features @ features.T, rbf_kernel(X, gamma=energy.gamma_), atol=1e-7)


def test_a_fitted_energy_holds_no_matrix_of_the_landmarks(X, objective, rng):
    """But coefficients, which are of its features' weights."""
    energy = fit(KernelEnergy(), X, objective, rng, alpha=0.01).energy
    assert all(np.size(part) <= energy.landmarks_.size for part in vars(energy).values())
    outputs = features_of(energy, X) @ energy.coef_ + energy.intercept_
    assert_allclose(energy(X), outputs, atol=1e-6)


@pytest.mark.parametrize("dtype, error", [(np.float64, 1e-9), (np.float32, 2e-7)])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_kernels_are_those_of_scikit_learn(dtype, error, form, rng):
    rows, landmarks = (rng.standard_normal((n, 4)).astype(dtype) for n in (50, 30))
    landmarks[:5] = rows[:5] = 1e3 * rows[:5]
    rows[-1] = 1e25  # exponents are beyond single precision
    found = _gaussian(form(rows), form(landmarks), 0.3)
    assert found.dtype == dtype
    expected = rbf_kernel(rows.astype(float), landmarks.astype(float), gamma=0.3)
    assert_allclose(found, expected, rtol=0, atol=error)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_kernels_of_whole_numbers_are_exact_far_from_the_origin(form, rng):
    near = rng.randint(50, size=(100, 2)).astype(float)
    found = _gaussian(form(near + 1e6), form(near[:40] + 1e6), 0.03)
    assert_allclose(found, rbf_kernel(near, near[:40], gamma=0.03), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_kernels_go_by_blocks_of_rows(dtype, X, rng, objective, monkeypatch):
    X = X.astype(dtype)
    energy = fit(KernelEnergy(n_components=20), X, objective, rng, alpha=0.01).energy
    outputs, features = energy(X), features_of(energy, X)
    assert outputs.dtype == features.dtype == dtype
    monkeypatch.setattr(_kernel, "_BLOCK_ENTRIES", 100)
    assert_allclose(energy(X), outputs, rtol=1e-6, atol=1e-6)
    assert_allclose(features_of(energy, X), features, rtol=1e-6, atol=1e-6)


def test_fourier_features_approximate_the_kernel(X, rng, objective):
    energy = KernelEnergy("fourier", n_components=5000, gamma=0.2)
    energy = fit(energy, X, objective, rng, alpha=0.01, max_iter=1, solver="lbfgs").energy
    features = energy._features(X)
    assert_allclose(features @ features.T, rbf_kernel(X, gamma=0.2), atol=0.08)


def test_repeated_rows_are_no_landmarks_twice(X, objective, rng):
    X[30:] = X[:30]
    energy = fit(KernelEnergy(), X, objective, rng, alpha=0.01).energy
    assert len(energy.landmarks_) == len(np.unique(X, axis=0))


@pytest.mark.parametrize("offset", [0.0, 2000.0, 1e8, 1e12])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_few_values_far_from_zero_are_told_apart(form, offset):
    x = np.repeat([0.0, 1, 2, 3], 10)[:, None]
    y = (x[:, 0] > 1).astype(int)
    classifier = EnergyClassifier("kernel", random_state=0).fit(form(x + offset), y)
    assert classifier.score(form(x + offset), y) == 1


def test_the_width_does_not_depend_on_the_means_of_columns(X, rng, objective):
    gammas = [
        fit(KernelEnergy(), Z, objective, rng, alpha=0.01).energy.gamma_
        for Z in (X, X + [0, 2000, 0, 0, 1e6], np.column_stack([X, np.full(n, 1e9 / 3)]))
    ]
    assert_allclose(gammas, gammas[0], rtol=1e-9)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_fourier_features_of_far_rows_are_zero_and_not_rounding(form, X, objective):
    energy = fit(KernelEnergy("fourier"), X, objective).energy
    far = form(np.vstack([X[:2], 1e20 * X[2:4], np.full_like(X[:1], -1e200)]))
    assert_allclose(energy(far)[2:], np.tile(energy.intercept_, (3, 1)))
    alone = np.concatenate([energy(far[i : i + 1]) for i in range(5)])
    assert_allclose(alone, energy(far), rtol=1e-9)


def test_wide_rows_have_two_features_for_each_column(rng):
    X = rng.standard_normal((500, 150))
    energy = EnergyClassifier("kernel", alpha=0.1, beta=1).fit(X, X[:, 0] > 0).energy_
    assert energy.landmarks_.shape == (300, 150)
