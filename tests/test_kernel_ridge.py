import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from sk_ebm._density.kernel_ridge import (
    CentredKernelRidge,
    NystroemRidge,
    choose_kernel,
    kernel_ridge,
)


def test_centred_kernel_ridge_moves_with_the_answers(rng):
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    weights = rng.randint(1, 3, size=60)
    ridge = CentredKernelRidge(0.1, kernel=RBF(2.0))
    found = ridge.fit(X, y, weights).predict(X)
    assert_allclose(ridge.fit(X, y + 1e4, weights).predict(X), found + 1e4, atol=1e-6)
    centred = y - np.average(y, weights=weights)
    peer = KernelRidge(alpha=0.1, kernel=RBF(2.0)).fit(X, centred, weights / weights.mean())
    assert_allclose(found, peer.predict(X) + y.mean() - centred.mean(), atol=1e-9)


def test_nystroem_ridge_is_ridge_after_nystroem(rng):
    X = rng.standard_normal((300, 3))
    y, weights = 5 + np.sin(X[:, 0]), rng.uniform(0.5, 2, size=300)
    found = NystroemRidge(0.1, RBF(2.0), 40, random_state=0).fit(X, y, weights)
    parts = Nystroem(RBF(2.0), n_components=40, random_state=0).fit(X)
    peer = Ridge(0.1).fit(parts.transform(X), y, weights)
    assert_allclose(found.predict(X), peer.predict(parts.transform(X)), rtol=1e-6)


@pytest.mark.parametrize("n", [300, 2500])
def test_kernels_fit_what_is_smooth(n, rng):
    """Also of more rows than an exact one is for."""
    X = rng.uniform(-2, 2, size=(n + 500, 2))
    signal = 100 + 10 * np.sin(2 * X[:, 0]) * X[:, 1]
    y = signal + 0.1 * rng.standard_normal(len(X))
    kernel = kernel_ridge(X[:n], y[:n], np.ones(n), n, rng)
    error = kernel.fit(X[:n], y[:n]).predict(X[n:]) - signal[n:]
    assert np.sqrt(np.mean(error**2)) < 0.1


def test_kernel_ridge_where_most_answers_are_equal(rng):
    X, y = rng.standard_normal((600, 3)), np.zeros(600)
    y[np.random.RandomState(0).permutation(600)[300:325]] = np.arange(1, 26)
    kernel = kernel_ridge(X, y, np.ones(600), 480, np.random.RandomState(0))
    assert np.abs(kernel.fit(X, y).predict(X)).max() < 5


def test_kernel_ridge_is_exact_up_to_1500_rows(rng):
    X, y = rng.standard_normal((2000, 2)), rng.standard_normal(2000)
    kernels = [kernel_ridge(X[:n], y[:n], np.ones(n), 800, rng) for n in (1000, 2000)]
    assert [isinstance(k[-1], CentredKernelRidge) for k in kernels] == [True, False]


def test_kernel_ridge_takes_weights_of_any_unit(rng):
    X, y, weights = rng.standard_normal((60, 2)), 5 + rng.standard_normal(60), rng.uniform(1, 2, 60)
    ridge = CentredKernelRidge(0.1, kernel=RBF())
    first = ridge.fit(X, y, sample_weight=weights).predict(X)
    assert_allclose(ridge.fit(X, y, sample_weight=1e10 * weights).predict(X), first)


@pytest.mark.parametrize("true", [RBF(1.0), Matern(1.0, nu=2.5)], ids=["RBF", "Matern"])
def test_the_evidence_finds_kernel_length_and_noise(rng, true):
    X = rng.uniform(-6, 6, size=(300, 1))
    y = rng.multivariate_normal(np.zeros(300), true(X) + 0.01 * np.eye(300))
    kernel, penalty = choose_kernel(X, y)
    assert type(kernel) is type(true)
    assert kernel.length_scale == pytest.approx(true.length_scale, rel=0.5)
    assert 0.003 <= penalty <= 0.03


def test_of_noise_the_penalty_is_large(rng):
    X, y = rng.standard_normal((200, 2)), rng.standard_normal(200)
    assert choose_kernel(X, y)[1] >= 1
