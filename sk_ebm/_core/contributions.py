"""Contributions of the columns of a table to energies, which add up to these."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from sk_ebm._utils.estimators import row_blocks
from sk_ebm._utils.sklearn_private import count_rows, take_rows

_MOST_BACKGROUND, _MOST_NUMBERS = 200, 2e5  # rows and numbers of the background
_PAIRS = 16  # of an order of the columns and its reverse: 32 rows of the background are enough for
# Shapley values of kernel methods (SHAP's own advice is up to 100 rows).
_LONGEST_CHAIN = 3  # columns that come last, each given all others


class Contributions(NamedTuple):
    """Contributions of columns to outputs, which are ``base + values.sum(axis=1)``.

    Attributes
    ----------
    values : ndarray of shape (n, d, o)
    base : ndarray of shape (o,) or (n, o)
    errors : ndarray of shape (n, d, o) or None
        Standard errors of sampled values; None where they are in closed form.
    """

    values: np.ndarray
    base: np.ndarray
    errors: np.ndarray | None = None

    def times(self, factor):
        """Contributions to the outputs times a factor, a number or one for each row, (n, o)."""
        columns = factor if np.ndim(factor) == 0 else factor[:, None]
        errors = None if self.errors is None else np.abs(columns) * self.errors
        return Contributions(columns * self.values, factor * self.base, errors)

    def summed_over(self, sources, n_columns):
        """Those of columns that others are made of: of the k-th, of that with index sources[k]."""

        def by_source(values):
            summed = np.zeros((len(values), n_columns, values.shape[2]))
            np.add.at(summed, (slice(None), sources), values)
            return summed

        errors = None if self.errors is None else by_source(self.errors)
        return Contributions(by_source(self.values), self.base, errors)


def add_contributions(parts):
    """Contributions to a sum of outputs; errors of terms, which are sampled alike, add up."""
    errors = [part.errors for part in parts if part.errors is not None]
    return Contributions(
        sum(part.values for part in parts),
        sum(part.base for part in parts),
        sum(errors) if errors else None,
    )


def with_equal_outputs(parts):
    """Contributions to the same outputs: two where some have one, of two classes."""
    if len({part.values.shape[2] for part in parts}) == 1:
        return parts
    return [part if part.values.shape[2] > 1 else _of_two_outputs(part) for part in parts]


def _of_two_outputs(part):
    errors = None if part.errors is None else np.repeat(part.errors, 2, axis=2) / 2
    signs = np.array([-0.5, 0.5])
    return Contributions(part.values * signs, part.base * signs, errors)


def background_rows(X, weights):
    """Some of the rows of a table that have a weight, evenly spaced."""
    rows = np.flatnonzero(weights)
    n_columns = X.shape[1] if len(getattr(X, "shape", ())) == 2 else 1
    most = int(np.clip(_MOST_NUMBERS // max(n_columns, 1), 2 * _PAIRS, _MOST_BACKGROUND))
    return take_rows(X, rows[evenly_spaced(len(rows), most)])


def evenly_spaced(n, most):
    """At most so many indices below n."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))


def sampled_shapley(outputs_of, X, background, near=False):
    """Shapley values, with the columns that are not in a coalition taken from background rows.

    Columns are replaced one by one, in random orders and their reverses (Strumbelj and Kononenko,
    "Explaining prediction models and individual predictions with feature contributions", 2014;
    Mitchell et al., "Sampling permutations for Shapley value estimation", 2022), the same for all
    rows. So the values of each order, and their mean, add up to the outputs.

    Parameters
    ----------
    outputs_of : callable
        ``outputs_of(table, rows)`` gives outputs (m, o) of rows made of those of X, and of the
        background, for ``rows`` (m,) of X.
    X, background : ndarray or sparse matrix of shape (n, d) and (m, d)
    near : bool, default=False
        Whether each row is compared with the rows of the background that are nearest to it, rather
        than with some that are the same for all rows.
    """
    found = [
        _shapley_of_block(
            outputs_of, take_rows(X, rows), np.arange(count_rows(X))[rows], background, near
        )
        for rows in row_blocks(X, X.shape[1] ** 2)
    ]
    values, base, errors = (np.concatenate(part) for part in zip(*found, strict=True))
    return Contributions(values, base, errors)


def _shapley_of_block(outputs_of, X, rows, background, near):
    reached, rng = outputs_of(X, rows), np.random.RandomState(0)
    table, others = _dense(X), _dense(background)
    near &= table.dtype.kind != "O"
    spaced = evenly_spaced(len(others), _PAIRS)[:, None]
    nearest = _nearest(table, others, _PAIRS) if near else np.tile(spaced, len(table))
    pairs, bases = [], []
    for i in range(_PAIRS):
        order, other = rng.permutation(table.shape[1]), others[nearest[i % len(nearest)]]
        walks = [
            _walk(outputs_of, table, rows, other, columns, reached, _made_like(X))
            for columns in (order, order[::-1])
        ]
        pairs.append(np.mean([values for values, _ in walks], axis=0))
        bases.append(walks[0][1])
    errors = np.std(pairs, axis=0, ddof=1) / np.sqrt(_PAIRS)
    return np.mean(pairs, axis=0), np.mean(bases, axis=0), errors


def _nearest(X, others, most):
    """Indices (most, n) of the nearest of other rows, by absolute differences in the standard
    deviation of each column, of at most one: a value far from all says nothing of the others."""
    scales = np.nanstd(others, axis=0)
    scales[~(scales > 0)] = 1.0
    distances = [np.fmin(np.abs(X - other) / scales, 1.0).sum(axis=1) for other in others]
    return np.argsort(distances, axis=0, kind="stable")[:most]


def _walk(outputs_of, table, rows, other, order, reached, made_like_X):
    """Differences (n, d, o) of outputs as columns are replaced in an order, and the first outputs
    (n, o)."""
    n, d = table.shape
    known = np.argsort(order) < np.arange(d)[:, None]  # in each step, (d, d)
    mixed = np.where(known[:, None], table, other).reshape(d * n, d)
    outputs = outputs_of(made_like_X(mixed), np.tile(rows, d)).reshape(d, n, -1)
    values = np.empty((n, d, outputs.shape[2]))
    steps = np.diff(np.concatenate([outputs, reached[None]]).astype(float), axis=0)
    values[:, order] = np.moveaxis(steps, 0, 1)
    return values, outputs[0].astype(float)


def _made_like(X):
    """A function that makes an array into what X is: sparse, or a frame with the same columns."""
    if sparse.issparse(X):
        return sparse.csr_array
    if hasattr(X, "dtypes") and hasattr(X, "astype"):  # of pandas; others are read as arrays
        return lambda table: type(X)(table, columns=X.columns).astype(X.dtypes)
    return lambda table: table


def _dense(X):
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


class Quadratic(NamedTuple):
    """Half of the squared distance (x - mean)' P (x - mean), with P = A A' + s (I - D D').

    Attributes
    ----------
    mean : ndarray of shape (d,)
    roots : ndarray of shape (d, r)
        A.
    directions : ndarray of shape (d, r) or None
        D, orthonormal; None where s is 0.
    outside : float
        s.
    """

    mean: np.ndarray
    roots: np.ndarray
    directions: np.ndarray | None = None
    outside: float = 0.0

    def contributions(self, X):
        """Of the columns of X (n, d), which add up to the energy.

        The energy of a normal distribution is the sum of those of a chain of its columns, each
        given those before it. The column that is least likely given all others comes last, then
        the next one, as far as `_LONGEST_CHAIN` says; those before them have Shapley values, where
        columns that are not in a coalition are at their mean.
        """
        deviations = X - self.mean
        rows, values = np.arange(len(X)), np.zeros(X.shape)
        products, diagonal = self._times(deviations), np.tile(self._diagonal(), (len(rows), 1))
        left, removed = np.ones(deviations.shape, dtype=bool), []
        for _ in range(min(_LONGEST_CHAIN, deviations.shape[1])):
            positive = np.maximum(diagonal, np.finfo(float).tiny)
            gains = np.where(left & (diagonal > 0), products**2 / positive, -1)
            last = gains.argmax(axis=1)
            column = self._columns(last)
            for earlier, scale in removed:
                column = column - earlier * (earlier[rows, last] / scale)[:, None]
            scale = positive[rows, last]
            values[rows, last] = products[rows, last] ** 2 / scale / 2
            products = products - column * (products[rows, last] / scale)[:, None]
            diagonal = diagonal - column**2 / scale[:, None]
            left[rows, last] = False
            removed.append((column, scale))
        return np.where(left, deviations * products / 2, values)

    def _times(self, X):
        product = (X @ self.roots) @ self.roots.T
        if self.directions is None:
            return product
        return product + self.outside * (X - (X @ self.directions) @ self.directions.T)

    def _diagonal(self):
        diagonal = (self.roots**2).sum(axis=1)
        if self.directions is None:
            return diagonal
        return diagonal + self.outside * (1 - (self.directions**2).sum(axis=1))

    def _columns(self, index):
        """Columns of P, (n, d)."""
        columns = self.roots[index] @ self.roots.T
        if self.directions is None:
            return columns
        columns -= self.outside * self.directions[index] @ self.directions.T
        columns[np.arange(len(index)), index] += self.outside
        return columns
