"""Kernel ridge regression, whose kernel and penalty are chosen by the evidence."""

from operator import itemgetter

import numpy as np
from scipy import linalg
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm._utils.weighted import standard_scaler

_MAX_ROWS_EXACT = 1500  # its time grows with their cube
_MAX_ROWS_EVIDENCE = 300  # each of 16 kernels takes a decomposition
_LENGTH_SCALES = 2.0 ** np.arange(-3, 5)  # over the root of the number of columns
_PENALTIES = 10.0 ** np.arange(-6, 2.25, 0.5)


def kernel_ridge(X, y, weights, n_train, rng):
    """Kernel ridge regression, exact up to 1,500 rows, above on a Nystroem map.

    Kernel, length scale and penalty are those of the Gaussian process of greatest evidence.
    """
    rows = np.flatnonzero(weights)
    if len(rows) > _MAX_ROWS_EVIDENCE:
        rows = rng.permutation(rows)[:_MAX_ROWS_EVIDENCE]
    table = standard_scaler(X[rows], np.ones(len(rows))).transform(X[rows])
    kernel, penalty = choose_kernel(table, y[rows])
    if np.count_nonzero(weights) <= _MAX_ROWS_EXACT:
        return make_pipeline(StandardScaler(), CentredKernelRidge(penalty, kernel=kernel))
    n_landmarks = int(min(n_train, max(300, 6 * np.sqrt(len(X)))))
    return make_pipeline(StandardScaler(), NystroemRidge(penalty, kernel, n_landmarks))


def choose_kernel(table, y):
    """The kernel and penalty of greatest evidence, log p(y), of a Gaussian process on the rows.

    The amplitude is the one of greatest evidence for each (Rasmussen and Williams, 2006, 5.4).
    """
    scales = np.sqrt(table.shape[1]) * _LENGTH_SCALES
    if np.ptp(y) == 0:  # in these rows, though not in all
        return RBF(scales[-1]), _PENALTIES[-1]
    y, best = y - y.mean(), (np.inf, None, None)
    for scale in scales:
        for kernel in (RBF(scale), Matern(scale, nu=2.5)):
            values, vectors = linalg.eigh(kernel(table))
            variances = np.maximum(values, 0) + _PENALTIES[:, None]
            amplitude = np.mean((y @ vectors) ** 2 / variances, axis=1)
            cost = np.log(amplitude) + np.mean(np.log(variances), axis=1)
            least = np.argmin(cost)
            best = min(best, (cost[least], kernel, _PENALTIES[least]), key=itemgetter(0))
    return best[1:]


class CentredKernelRidge(KernelRidge):
    """Kernel ridge regression of y minus its mean, which no penalty then shrinks to zero.

    Weights count relative to their mean.
    """

    def fit(self, X, y, sample_weight=None):
        self._centre = np.average(y, weights=sample_weight)
        weights = None if sample_weight is None else sample_weight / np.mean(sample_weight)
        return super().fit(X, y - self._centre, sample_weight=weights)

    def predict(self, X):
        return self._centre + super().predict(X)


class NystroemRidge(RegressorMixin, BaseEstimator):
    """Ridge regression on a Nystroem map of a kernel.

    Predictions are sums over kernels of landmarks, with one coefficient for each: rows are not
    mapped, which would take a matrix product.
    """

    def __init__(self, alpha, kernel, n_components, random_state=None):
        self.alpha = alpha
        self.kernel = kernel
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        nystroem = Nystroem(
            self.kernel, n_components=self.n_components, random_state=self.random_state
        )
        ridge = Ridge(self.alpha).fit(nystroem.fit_transform(X), y, sample_weight)
        self.landmarks_, self.intercept_ = nystroem.components_, ridge.intercept_
        self.coef_ = nystroem.normalization_.T @ ridge.coef_
        return self

    def predict(self, X):
        return self.kernel(X, self.landmarks_) @ self.coef_ + self.intercept_
