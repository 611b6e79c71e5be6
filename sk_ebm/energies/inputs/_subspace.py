"""The leading principal components of many columns."""

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from sk_ebm._core.contributions import Quadratic
from sk_ebm.energies.inputs._shrunk_covariance import principal_axes

# Columns that a covariance is estimated of; more are projected on their principal components, as
# the time of an estimate grows with the square of their number.
_MAX_COLUMNS = 60
_MAX_EXACT = 500  # rows or columns up to which principal components are exact, as in PCA
_POWER_STEPS = 2  # of randomised components; 4 or 7 take twice the time of a whole fit
_SPREAD_ROWS = 200  # whose products tell how much rows vary along each other
_SMALLEST = 1e-12  # of divisors that only rounding errors bring near zero
_BISECTIONS = 40


class _Subspace:
    """The leading principal components of columns that are many, at all or for the rows."""

    def __init__(self, X, weights, rng):
        n_rows, n_columns = weights.sum(), X.shape[1]
        size = int(min(_MAX_COLUMNS, n_columns, max(n_rows // 4, 1)))
        few = n_columns <= _MAX_COLUMNS and 3 * n_columns <= n_rows
        self._directions = None
        if not sparse.issparse(X) and (few or n_rows < 4):
            return
        self._mean = 0.0 if sparse.issparse(X) else weights @ X / n_rows
        self._directions = _leading(self._centered(X), weights, size, rng)
        self._n_outside = n_columns - self._directions.shape[1]
        squares = weights @ self._squares(X) / n_rows / max(self._n_outside, 1)
        self._variance = max(squares, np.finfo(float).eps)

    def _centered(self, X):
        return X if sparse.issparse(X) else X - self._mean

    def transform(self, X):
        return X if self._directions is None else self._centered(X) @ self._directions

    def quadratic(self, mean, root):
        """A `Quadratic` of the columns, from the mean and a root of the precision within the
        components, and with the variance outside of them."""
        if self._directions is None:
            return Quadratic(mean, root)
        mean = self._mean + self._directions @ mean
        return Quadratic(mean, self._directions @ root, self._directions, 1 / self._variance)

    def outside(self, X):
        """-log density (n,) of what lies outside, of one variance in all directions."""
        return 0.0 if self._directions is None else self._energies(self._squares(X))

    def _energies(self, squares):
        constant = self._n_outside / 2 * np.log(2 * np.pi * self._variance)
        return squares / (2 * self._variance) + constant

    def outside_left_out(self, X, weights):
        """The same of rows as if each had been left out of the fit, and what is left of squared
        distances within the components, which then lie farther from the row.

        The components and the direction of the row outside of them span k + 1 directions. There,
        the covariance of the others is D - p x x' with a diagonal D and the part p of the row. The
        row lies outside along its eigenvector of least eigenvalue e, where
        sum_j x_j^2 / (D_j - e) = 1 / p.
        """
        if self._directions is None:
            return 0.0, np.ones(len(weights))
        outside, total = self._squares(X), weights.sum()
        squares = np.column_stack([np.square(self.transform(X)), outside])
        diagonal = np.tile(weights @ squares / total, (len(weights), 1))
        diagonal[:, -1] = self._spread(X) + weights * outside / total
        part = weights / (total - weights)
        least = _least_eigenvalues(diagonal, squares, part)
        away = np.maximum(diagonal - least[:, None], _SMALLEST * diagonal)
        outside = 1 / np.maximum(part**2 * (squares / away**2).sum(axis=1), _SMALLEST)
        within = _left_out(squares, diagonal, part) - outside / np.maximum(least, _SMALLEST)
        before = np.maximum(_left_out(squares[:, :-1], diagonal[:, :-1], part), _SMALLEST)
        return self._energies(outside), np.clip(within / before, 0, 1)

    def _spread(self, X):
        """Mean square, of what lies outside of a row, along that of another."""
        X = X[:: -(-X.shape[0] // _SPREAD_ROWS)]
        outside = self._centered(X) - self.transform(X) @ self._directions.T
        outside = np.asarray(outside)
        lengths = np.maximum(np.linalg.norm(outside, axis=1), _SMALLEST)
        squares = np.square(outside @ outside.T / lengths)
        return (squares.sum() - np.trace(squares)) / (len(squares) * max(len(squares) - 1, 1))

    def _squares(self, X):
        """Squared lengths (n,) of what lies outside."""
        inside = self.transform(X)
        if sparse.issparse(X):
            lengths = np.asarray(X.multiply(X).sum(axis=1)).ravel()
            return np.maximum(lengths - np.square(inside).sum(axis=1), 0)
        return np.square(self._centered(X) - inside @ self._directions.T).sum(axis=1)


def _left_out(squares, diagonal, part):
    """x' (D - p x x')^-1 x of each row."""
    distances = (squares / np.maximum(diagonal, _SMALLEST)).sum(axis=1)
    return distances / np.maximum(1 - part * distances, _SMALLEST)


def _least_eigenvalues(diagonal, squares, part):
    """Of D - p x x' for each row, by bisection; squares of x and diagonals D (n, k), parts (n,)."""
    low, high = np.zeros(len(part)), diagonal.min(axis=1)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        away = np.maximum(diagonal - middle[:, None], _SMALLEST)
        below = part * (squares / away).sum(axis=1) < 1
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


def _leading(X, weights, size, rng):
    """Directions (d, size) of the greatest weighted squares of centred rows."""
    roots = np.sqrt(weights)[:, None]
    X = sparse.csr_array(X).multiply(roots).tocsr() if sparse.issparse(X) else roots * X
    if min(X.shape) > _MAX_EXACT:
        seed = rng.randint(np.iinfo(np.int32).max)
        return randomized_svd(X, size, n_iter=_POWER_STEPS, random_state=seed)[2].T
    squares, directions = principal_axes(X)
    size = max(min(size, np.count_nonzero(squares > 1e-12 * squares[-1:])), 1)
    if not directions.size:  # all rows are one
        return np.eye(X.shape[1], 1)
    return directions[:, -size:]
