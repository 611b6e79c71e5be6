"""Kernel ridge regression: one length scale for each column, by the evidence."""

from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np
from scipy import linalg
from scipy.optimize import minimize

from sk_ebm._core.folds import Folds
from sk_ebm._utils.distances import squared_distances

_MAX_ROWS_EVIDENCE = 300  # of which each evaluation takes a decomposition
_LENGTH_SCALES = 4.0 ** np.arange(-1, 3)  # over the root of the number of columns
_PENALTIES = 10.0 ** np.arange(-6, 2.25, 0.5)
_LEAST_PENALTY, _GREATEST_PENALTY = 1e-7, 1e3
# Nats of the evidence for each length scale (one is Akaike's criterion), where other rows judge and
# where they do not: with two, the CRPS of 93 rows with 7 columns is 5 % higher, with 277 rows that
# gain 34 each the error is halved.
_LEAST_GAIN, _LEAST_GAIN_UNJUDGED = 2.0, 5.0
_MAX_ROWS_JUDGED, _FEW_OTHERS = 1300, 50  # rows for both choices, and beside those of the evidence
_MAX_STEPS = 25  # of L-BFGS, to length scales of the columns
_SPREAD = 1.5  # of the logarithms of the length scales around their mean, a priori
_LARGEST_SCALE = 1e4  # of a column that does not matter, in its standard deviations
_MAX_ROWS_EXACT = 1500  # its time grows with their cube
_LANDMARKS_PER_ROOT, _MAX_LANDMARKS = 6, 1000  # of rows
_FEW_PRODUCTS, _MANY_PRODUCTS = 4e9, 4e10  # rows times squared landmarks: .2 and 2 seconds
_LEAST_SHARE = 0.2  # of the location, from which on more landmarks are tried
_LEAST_RATIO = 1.04  # of the squared error with half of the landmarks
_BLOCK_ENTRIES = 2**21  # of a kernel that are held at once: 16 MB
_CACHED_ENTRIES = 2**18  # the same, of predictions: half of the time
_JITTER = 1e-10  # of the landmarks' kernel, whose diagonal is one


@dataclass(frozen=True, eq=False)
class Kernel:
    """exp(-r^2 / 2), or Matern's kernel of order 5/2, of the distance r in length scales.

    Attributes
    ----------
    is_gaussian : bool
    scales : ndarray of shape (d,)
    """

    is_gaussian: bool
    scales: np.ndarray

    def __call__(self, X, Z):
        return self.of_squares(squared_distances(X / self.scales, Z / self.scales))

    def of_squares(self, squares):
        if self.is_gaussian:
            squares *= -0.5
            return np.exp(squares, out=squares)
        squares *= 5
        r = np.sqrt(squares)
        squares /= 3
        squares += 1 + r
        np.negative(r, out=r)
        squares *= np.exp(r, out=r)
        return squares

    def derivative_of_squares(self, squares):
        """Half of the derivative by the logarithm of one length scale, over its share of r^2."""
        if self.is_gaussian:
            return np.exp(-0.5 * squares)
        r = np.sqrt(5 * squares)
        return 5 / 3 * (1 + r) * np.exp(-r)


def choose_kernel(table, y, others, y_of_others):
    """The kernel and penalty of greatest evidence, log p(y), of a Gaussian process on the rows.

    The amplitude is the one of greatest evidence for each (Rasmussen and Williams, 2006, 5.4).
    Columns have length scales of their own (section 5.1) where these raise the logarithm of the
    evidence by more than two each, and other rows are then predicted better; five each, where there
    are too few other rows.
    """
    d = table.shape[1]
    centre = y.mean()
    y = y - centre
    if not y.any():  # in these rows, though not in all
        return Kernel(True, np.full(d, np.sqrt(d) * _LENGTH_SCALES[-1])), _PENALTIES[-1]
    cost, *common = _best_common_scale(table, y)
    if d == 1 or d > len(y) // 4:
        return common
    own_cost, *own = _own_scales(table, y, *common)
    is_judged = len(others) >= _FEW_OTHERS
    if own_cost > cost - 2 * d * (_LEAST_GAIN if is_judged else _LEAST_GAIN_UNJUDGED):
        return common
    if not is_judged:
        return own
    errors = [
        np.abs(_predicted(table, y, others, *choice) + centre - y_of_others).mean()
        for choice in (common, own)
    ]
    return own if errors[1] < errors[0] else common


def _predicted(table, y, others, kernel, penalty):
    matrix = kernel(table, table)
    matrix.flat[:: len(y) + 1] += penalty
    return kernel(others, table) @ linalg.solve(matrix, y, assume_a="pos", check_finite=False)


def _best_common_scale(table, y):
    """-2 log evidence, up to a constant, kernel and penalty of one scale for all columns."""
    best, squares = (np.inf, None, None), squared_distances(table, table)
    for scale in np.sqrt(table.shape[1]) * _LENGTH_SCALES:
        for is_gaussian in (True, False):
            best = min(
                best, _best_penalty(squares, y, scale, is_gaussian, table), key=itemgetter(0)
            )
    _, kernel, _ = best
    for factor in (0.5, 2.0):
        finer = _best_penalty(squares, y, factor * kernel.scales[0], kernel.is_gaussian, table)
        best = min(best, finer, key=itemgetter(0))
    return best


def _best_penalty(squares, y, scale, is_gaussian, table):
    kernel = Kernel(is_gaussian, np.full(table.shape[1], scale))
    values, vectors = linalg.eigh(kernel.of_squares(squares / scale**2))
    variances = np.maximum(values, 0) + _PENALTIES[:, None]
    amplitude = np.mean((y @ vectors) ** 2 / variances, axis=1)
    cost = len(y) * np.log(amplitude) + np.sum(np.log(variances), axis=1)
    least = np.argmin(cost)
    return cost[least], kernel, _PENALTIES[least]


def _own_scales(table, y, kernel, penalty):
    """The same, of scales of the columns, from the common one on."""
    d = table.shape[1]

    def cost_and_gradient(params):
        cost, gradient = _evidence(table, y, replace(kernel, scales=np.exp(params[:d])), params[d])
        apart = (params[:d] - params[:d].mean()) / _SPREAD
        gradient[:d] += 2 * (apart - apart.mean()) / _SPREAD
        return cost + apart @ apart, gradient

    start = np.log(np.append(kernel.scales, penalty))
    bounds = [(None, np.log(_LARGEST_SCALE))] * d
    bounds += [(np.log(_LEAST_PENALTY), np.log(_GREATEST_PENALTY))]
    options = {"maxiter": _MAX_STEPS, "maxfun": 2 * _MAX_STEPS}
    params = minimize(cost_and_gradient, start, jac=True, bounds=bounds, options=options).x
    kernel = replace(kernel, scales=np.exp(params[:d]))
    return _evidence(table, y, kernel, params[d])[0], kernel, np.exp(params[d])


def _evidence(table, y, kernel, log_penalty):
    """-2 log evidence, up to a constant, and its gradient by the logarithms of the scales and of
    the penalty."""
    u, penalty = table / kernel.scales, np.exp(log_penalty)
    squares = squared_distances(u, u)
    derivative = kernel.derivative_of_squares(squares)
    matrix = kernel.of_squares(squares)
    matrix.flat[:: len(y) + 1] += penalty
    inverse, log_determinant = _inverse(matrix)
    coef = inverse @ y
    amplitude = (y @ coef) / len(y)
    inverse -= np.multiply.outer(coef, coef) / amplitude
    by_penalty = penalty * np.trace(inverse)
    inverse *= derivative
    by_scales = 2 * (inverse.sum(axis=1) @ u**2 - np.einsum("nd,nd->d", u, inverse @ u))
    return len(y) * np.log(amplitude) + log_determinant, np.append(by_scales, by_penalty)


def _inverse(matrix):
    """The inverse of a positive definite matrix, and the logarithm of its determinant."""
    factor = linalg.cholesky(matrix, lower=True, check_finite=False)
    inverse, _ = linalg.lapack.dpotri(factor, lower=True)
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    return inverse, 2 * np.log(np.diag(factor)).sum()


def default_kernel_ridge(X, y, weights, rng):
    """A `KernelRidge` for standardised rows, exact up to 1,500 of them."""
    rows = np.flatnonzero(weights)
    n = len(rows)
    some, others = np.split(rng.permutation(rows)[:_MAX_ROWS_JUDGED], [_MAX_ROWS_EVIDENCE])
    kernel, penalty = choose_kernel(X[some], y[some], X[others], y[others])
    n_landmarks = max(_LANDMARKS_PER_ROOT * np.sqrt(n), np.sqrt(_FEW_PRODUCTS / n))
    n_landmarks = n if n <= _MAX_ROWS_EXACT else int(min(n_landmarks, _MAX_LANDMARKS))
    return KernelRidge(kernel, penalty, n_landmarks)


@dataclass(frozen=True, eq=False)
class KernelRegressor:
    """A sum of kernels of landmarks, with one coefficient for each, and an intercept."""

    kernel: Kernel
    landmarks: np.ndarray
    coef: np.ndarray
    intercept: float

    def predict(self, X):
        n = max(1, _CACHED_ENTRIES // len(self.landmarks))
        blocks = (X[first : first + n] for first in range(0, len(X), n))
        parts = [self.kernel(block, self.landmarks) @ self.coef for block in blocks]
        return np.concatenate(parts) + self.intercept


class KernelRidge:
    """Kernel ridge regression of several targets, with the held-out predictions of folds.

    These are exact and cost no refit: a fold's follow from the inverse of the kernel or, with
    fewer landmarks than rows (Williams and Seeger, 2001), from sums of squares without its rows.
    The intercept is not penalised.

    Parameters
    ----------
    kernel : Kernel
    penalty : float
        Over the mean weight of rows.
    n_landmarks : int
    """

    def __init__(self, kernel, penalty, n_landmarks):
        self.kernel, self.penalty, self.n_landmarks = kernel, penalty, n_landmarks

    def cross_fit(self, X, targets, weights, folds, rng):
        """A `KernelRegressor` for each of the targets (n, t), and held-out predictions (n, t)."""
        rows = np.flatnonzero(weights)
        if len(rows) <= self.n_landmarks:
            return self._exact(X, targets, weights, folds, rows)
        landmarks = X[np.sort(rng.permutation(rows)[: self.n_landmarks])]
        return _LandmarkRidge(self, landmarks, X, targets, weights, folds).result()

    def larger(self, X, y, weights, folds, rng, share):
        """A ridge with more landmarks, or None where half of them do as well on the first fold."""
        n = np.count_nonzero(weights)
        n_landmarks = int(min(n, np.sqrt(_MANY_PRODUCTS / n)))
        if share < _LEAST_SHARE or n_landmarks <= self.n_landmarks:
            return None
        test = folds.pairs[0][1]
        train = np.setdiff1d(np.flatnonzero(weights), test)
        landmarks = X[rng.permutation(train)[: self.n_landmarks]]
        fit = _LandmarkRidge(self, landmarks, X, y[:, None], weights, Folds(((test, train),)))
        halves = (fit.models(*fit.total, (len(landmarks) // k) + 1)[0] for k in (2, 1))
        few, many = (weights[test] @ (y[test] - m.predict(X[test])) ** 2 for m in halves)
        if few < _LEAST_RATIO * many:
            return None
        return KernelRidge(self.kernel, self.penalty, n_landmarks)

    def _exact(self, X, targets, weights, folds, rows):
        matrix = self.kernel(X[rows], X[rows])
        matrix.flat[:: len(rows) + 1] += self.penalty * weights[rows].mean() / weights[rows]
        inverse, _ = _inverse(matrix)
        sums = inverse.sum(axis=0)
        inverse -= np.multiply.outer(sums, sums) / sums.sum()  # the intercept's share
        intercepts = sums @ targets[rows] / sums.sum()
        coefs = inverse @ targets[rows]
        models = [
            KernelRegressor(self.kernel, X[rows], coef, intercept)
            for coef, intercept in zip(coefs.T, intercepts, strict=True)
        ]
        held_out = np.stack([model.predict(X) for model in models], axis=1)
        index = np.full(len(X), -1)
        index[rows] = np.arange(len(rows))
        for train, test in folds:
            away = np.setdiff1d(np.arange(len(rows)), index[train])
            inverse_away = linalg.solve(inverse[np.ix_(away, away)], coefs[away], assume_a="pos")
            residuals = np.zeros(targets.shape)
            residuals[rows[away]] = inverse_away
            tested = test[index[test] >= 0]
            held_out[tested] = targets[tested] - residuals[tested]
        return models, held_out


class _LandmarkRidge:
    """Ridge regression on the whitened kernel of landmarks, from sums of squares of each fold."""

    def __init__(self, ridge, landmarks, X, targets, weights, folds):
        self.kernel, self.landmarks = ridge.kernel, landmarks
        self.penalty = ridge.penalty * weights[weights > 0].mean()
        matrix = self.kernel(landmarks, landmarks)
        matrix.flat[:: len(landmarks) + 1] += _JITTER
        self.factor = linalg.cholesky(matrix, lower=True, check_finite=False)
        self.X, self.targets, self.weights, self.folds = X, targets, weights, folds
        rows = np.arange(len(X))
        without = [np.setdiff1d(rows, train) for train, _ in folds]
        self.sums = [self._sums(away) for away in without]
        missing = np.setdiff1d(rows, np.concatenate(without))
        self.total = [sum(parts) for parts in zip(*self.sums, self._sums(missing), strict=True)]
        if sum(map(len, without)) + len(missing) > len(rows):  # some are away from several folds
            self.total = self._sums(rows)

    def _sums(self, rows):
        """Weighted sums of squares (m + 1, m + 1) and products with the targets (m + 1, t)."""
        m = len(self.landmarks) + 1
        squares, products = np.zeros((m, m)), np.zeros((m, self.targets.shape[1]))
        rows, n = rows[self.weights[rows] > 0], max(1, _BLOCK_ENTRIES // m)
        for some in (rows[first : first + n] for first in range(0, len(rows), n)):
            features = self._features(some)
            root = np.sqrt(self.weights[some])
            features *= root
            squares += features @ features.T
            products += features @ (self.targets[some] * root[:, None])
        return squares, products

    def _features(self, rows):
        """The intercept's and the landmarks' features (m + 1, n)."""
        kernels = self.kernel(self.landmarks, self.X[rows])
        white = linalg.solve_triangular(self.factor, kernels, lower=True, check_finite=False)
        return np.vstack([np.ones(len(rows)), white])

    def _coefficients(self, squares, products, m):
        """Of a ridge on the first m features."""
        matrix = squares[:m, :m].copy()
        matrix.flat[m + 1 :: m + 1] += self.penalty
        matrix.flat[0] += _JITTER * self.penalty
        return linalg.solve(matrix, products[:m], assume_a="pos", check_finite=False)

    def models(self, squares, products, m):
        """Regressors on the first m features."""
        solution, m = self._coefficients(squares, products, m), m - 1
        coefs = linalg.solve_triangular(self.factor[:m, :m].T, solution[1:], check_finite=False)
        return [
            KernelRegressor(self.kernel, self.landmarks[:m], coef, intercept)
            for coef, intercept in zip(coefs.T, solution[0], strict=True)
        ]

    def result(self):
        m = len(self.landmarks) + 1
        models, held_out = self.models(*self.total, m), []
        for part, (_, test) in zip(self.sums, self.folds, strict=True):
            without = [total - own for total, own in zip(self.total, part, strict=True)]
            fold_models = self.models(*without, m)
            coefs = np.stack([model.coef for model in fold_models], axis=1)
            many = replace(fold_models[0], coef=coefs, intercept=[m.intercept for m in fold_models])
            held_out.append(many.predict(self.X[test]))
        return models, self.folds.in_order(held_out)
