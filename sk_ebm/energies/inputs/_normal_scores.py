"""Normal scores of columns: the quantiles of a normal distribution at the ranks of values."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri


class NormalScores:
    """Phi^-1 of the share of rows below, each column by itself; of equal values, of their middle.

    Beyond the least and the greatest value v, scores grow by log(1 + |x - v|), so that far values
    keep their order, but no column outweighs all others.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Standardised.
    weights : ndarray of shape (n,)
        A weight of 2 stands for two rows.
    """

    def __init__(self, X, weights):
        self._columns, self._total = [], weights.sum()
        order = np.argsort(X.T, axis=1, kind="stable")
        for column, rows in zip(np.ascontiguousarray(X.T), order, strict=True):
            ascending = column[rows]
            starts = np.flatnonzero(np.append(True, ascending[1:] > ascending[:-1]))
            below = np.append(0.0, np.cumsum(weights[rows]))[np.append(starts, len(X))]
            self._columns.append((ascending[starts], below))
        self._ends = np.array([values[[0, -1]] for values, _ in self._columns]).T

    def __call__(self, X):
        below = np.empty(X.T.shape)
        for j, (x, (values, ends)) in self._columns_of(X):
            place = np.searchsorted(values, x)
            equal = x == values[np.minimum(place, len(values) - 1)]
            below[j] = (ends[place] + ends[np.minimum(place + equal, len(values))]) / 2
        beyond = X - np.clip(X, *self._ends)
        return _extended(_of_share(below.T, self._total), beyond)

    def left_out(self, X, weights):
        """The scores of the rows (n, d) of the fit, also as if each had not been in it."""
        middle, beyond = np.empty(X.T.shape), np.zeros(X.T.shape)
        for j, (x, (values, ends)) in self._columns_of(X):
            place = np.searchsorted(values, x)
            middle[j] = ((ends[1:] + ends[:-1]) / 2)[place]
            if len(values) > 1:
                alone = np.diff(ends)[place] <= weights  # no other row is there
                beyond[j, alone & (place == 0)] = values[0] - values[1]
                beyond[j, alone & (place == len(values) - 1)] = values[-1] - values[-2]
        weights = weights[:, None]
        outside = _of_share(middle.T - weights / 2, self._total - weights)
        outside = _extended(outside, beyond.T)
        return LeftOutScores(middle.T, weights, self._total, outside)

    def _columns_of(self, X):
        """Of each column: its number, itself, and the distinct values of the fit with the weights
        of the rows below each of them."""
        return enumerate(zip(np.ascontiguousarray(X.T), self._columns, strict=True))


class LeftOutScores(NamedTuple):
    """Normal scores of the rows of the fit, also as if one of them had not been in it.

    Attributes
    ----------
    middles : ndarray of shape (n, d)
        Weight of the rows below each, half of those equal to it among them.
    weights : ndarray of shape (n, 1)
    total : float
        The sum of the weights.
    outside : ndarray of shape (n, d)
        The score of each row, as if it had not been in the fit.
    """

    middles: np.ndarray
    weights: np.ndarray
    total: float
    outside: np.ndarray

    def inside(self):
        """The scores, (n, d)."""
        return _of_share(self.middles, self.total)

    def of_others(self, index, rows):
        """The scores (m, k, d) of rows (m, k), as if that of ``index`` (m,) had not been there."""
        middles, weights = self.middles[rows], self.weights[index][:, None]
        share_below = (1 + np.sign(middles - self.middles[index][:, None])) / 2
        return _of_share(middles - weights * share_below, self.total - weights)


def _of_share(n_below, total):
    return ndtri((n_below + 0.5) / (total + 1))


def _extended(scores, beyond):
    """Scores, with what values are beyond the others on a logarithmic scale."""
    far = beyond != 0
    scores[far] += np.sign(beyond[far]) * np.log1p(np.abs(beyond[far]))
    return scores
