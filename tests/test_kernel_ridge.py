import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.kernel_ridge import KernelRidge as Peer
from sklearn.model_selection import KFold

from sk_ebm._core.folds import Folds
from sk_ebm._density.kernel_ridge import (
    Kernel,
    KernelRidge,
    _evidence,
    choose_kernel,
    default_kernel_ridge,
)

SCALES = np.array([0.5, 2.0, 1.0])


def folds_of(n, k=4):
    return Folds(tuple(KFold(k).split(np.zeros(n))))


def without_others(table, y):
    return choose_kernel(table, y, table[:0], y[:0])


@pytest.mark.parametrize(
    ("is_gaussian", "peer"),
    [(True, RBF(SCALES)), (False, Matern(SCALES, nu=2.5))],
    ids=["Gaussian", "Matern"],
)
def test_kernels_are_those_of_scikit_learn(rng, is_gaussian, peer):
    X, Z = rng.standard_normal((30, 3)), rng.standard_normal((20, 3))
    assert_allclose(Kernel(is_gaussian, SCALES)(X, Z), peer(X, Z), atol=1e-12)


@pytest.mark.parametrize("is_gaussian", [True, False])
def test_the_gradient_of_the_evidence(rng, is_gaussian):
    X, y = rng.standard_normal((25, 3)), rng.standard_normal(25)

    def evidence(params):
        return _evidence(X, y, Kernel(is_gaussian, np.exp(params[:3])), params[3])

    at = np.append(np.log(SCALES), np.log(0.1))
    numeric = approx_fprime(at, lambda params: evidence(params)[0])
    assert_allclose(evidence(at)[1], numeric, rtol=1e-4, atol=1e-4)


def by_normal_equations(ridge, X, y, landmarks, weights, unit):
    """Coefficients of landmarks and the intercept, from one system of equations."""
    design = np.column_stack([ridge.kernel(X, landmarks), np.ones(len(X))])
    penalty = np.zeros((len(landmarks) + 1,) * 2)
    penalty[:-1, :-1] = ridge.penalty * unit * ridge.kernel(landmarks, landmarks)
    return np.linalg.solve(design.T * weights @ design + penalty, design.T * weights @ y)


@pytest.mark.parametrize("n_landmarks", [60, 20], ids=["exact", "landmarks"])
def test_held_out_predictions_are_those_of_refits(rng, n_landmarks):
    """With weights, and where a fold is not trained on all of the other rows."""
    X, y = rng.standard_normal((60, 3)), 5 + rng.standard_normal(60)
    weights = 1e3 * rng.randint(3, size=60)
    pairs = list(folds_of(60))
    pairs[1] = pairs[1][0][5:], pairs[1][1]
    ridge = KernelRidge(Kernel(False, SCALES), 0.1, n_landmarks)
    (model, other), held_out = ridge.cross_fit(
        X, np.column_stack([y, -y]), weights, Folds(tuple(pairs)), rng
    )
    assert_allclose(other.predict(X), -model.predict(X))
    unit = weights[weights > 0].mean()
    for train, test in [*pairs, (np.arange(60), [])]:
        own, test = (rows[weights[rows] > 0] for rows in (train, np.array(test, dtype=int)))
        landmarks = X[own] if n_landmarks == 60 else model.landmarks
        *coef, intercept = by_normal_equations(ridge, X[own], y[own], landmarks, weights[own], unit)
        found = held_out[test, 0] if len(test) else model.predict(X)
        expected = ridge.kernel(X[test] if len(test) else X, landmarks) @ coef + intercept
        assert_allclose(found, expected, atol=1e-5)


def test_equal_weights_are_those_of_scikit_learn(rng):
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    kernel = Kernel(True, np.full(3, 2.0))
    (model,), _ = KernelRidge(kernel, 0.1, 60).cross_fit(
        X, y[:, None], np.full(60, 7.0), folds_of(60), rng
    )
    peer = Peer(alpha=0.1, kernel=RBF(2.0)).fit(X, y - model.intercept)
    assert_allclose(model.predict(X), peer.predict(X) + model.intercept)


@pytest.mark.parametrize("n", [300, 2500])
def test_kernels_fit_what_is_smooth(n, rng):
    """Also of more rows than an exact one is for; one column of four matters little."""
    X = rng.uniform(-2, 2, size=(n + 500, 4))
    signal = 100 + 10 * np.sin(2 * X[:, 0]) * X[:, 1] + X[:, 2]
    y = signal + 0.1 * rng.standard_normal(len(X))
    ridge = default_kernel_ridge(X[:n], y[:n], np.ones(n), rng)
    assert ridge.n_landmarks == (300 if n == 300 else 1000)
    assert ridge.kernel.scales[3] > 5 * ridge.kernel.scales[0]
    (model,), _ = ridge.cross_fit(X[:n], y[:n, None], np.ones(n), folds_of(n), rng)
    error = model.predict(X[n:]) - signal[n:]
    assert np.sqrt(np.mean(error**2)) < (0.15 if n == 300 else 0.05)


def test_more_landmarks_only_where_they_help(rng):
    X = rng.uniform(-1, 1, size=(3000, 3))
    rough, noise = np.sin(6 * X).prod(axis=1), rng.standard_normal(3000)
    ridge = KernelRidge(Kernel(True, np.full(3, 0.4)), 1e-4, 200)
    data = np.ones(3000), folds_of(3000), rng
    assert ridge.larger(X, rough, *data, 1.0).n_landmarks == 3000
    assert ridge.larger(X, rough, *data, 0.1) is None
    assert KernelRidge(ridge.kernel, 10.0, 200).larger(X, noise, *data, 1.0) is None


def test_kernel_ridge_where_most_answers_are_equal(rng):
    X, y = rng.standard_normal((600, 3)), np.zeros(600)
    y[np.random.RandomState(0).permutation(600)[300:325]] = np.arange(1, 26)
    ridge = default_kernel_ridge(X, y, np.ones(600), np.random.RandomState(0))
    (model,), _ = ridge.cross_fit(X, y[:, None], np.ones(600), folds_of(600), rng)
    assert np.abs(model.predict(X)).max() < 5


@pytest.mark.parametrize("true", [RBF(1.0), Matern(1.0, nu=2.5)], ids=["RBF", "Matern"])
def test_the_evidence_finds_kernel_length_and_noise(rng, true):
    X = rng.uniform(-6, 6, size=(300, 1))
    y = rng.multivariate_normal(np.zeros(300), true(X) + 0.01 * np.eye(300))
    kernel, penalty = without_others(X, y)
    assert kernel.is_gaussian == (type(true) is RBF)
    assert kernel.scales[0] == pytest.approx(true.length_scale, rel=0.5)
    assert 0.003 <= penalty <= 0.03


def test_of_noise_the_penalty_is_large(rng):
    X, y = rng.standard_normal((200, 2)), rng.standard_normal(200)
    assert without_others(X, y)[1] >= 1


def test_scales_of_columns_must_predict_other_rows(rng):
    """Where only the rows of the evidence favour them, all columns have one."""
    X = rng.standard_normal((200, 2))
    y = np.sin(2 * X[:, 0])
    assert np.ptp(choose_kernel(X[:100], y[:100], X[100:], y[100:])[0].scales) > 1
    assert np.ptp(choose_kernel(X[:100], y[:100], X[100:, ::-1], y[100:])[0].scales) == 0
