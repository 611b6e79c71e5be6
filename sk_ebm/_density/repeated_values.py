"""Values of a column that recur, which draws from a density never hit."""

import numpy as np
from scipy.special import softmax

_NEARBY = 16  # values seen once, and others, that a draw may be recorded as
_LEAST_SHARE = 0.1  # of rows with a value seen before, below which draws are left as they are
_STEPS = 6  # of proportional fitting
_LEAST_COUNT = 0.05  # rows, that a value counts as having been drawn for in a step
_PLAUSIBLE = 7.0  # nats below the density of a draw, at which a value may be recorded instead


class RepeatedValueSampler:
    """How draws from a density are recorded as values that were seen.

    A draw y from a density p(. given x) becomes one of the seen values v next to it, with the Gibbs
    probability of a sum of energies, E(x, v) = -log p(v given x) - b(v). The biases b are such that
    values are drawn as often as they were seen, by iterative proportional fitting (Deming and
    Stephan, 1940). A value that was seen once stands for all those that have not been seen: where
    it is drawn, and where no seen value is plausible beside y, y is kept.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Sorted.
    counts : ndarray of shape (n_values,)
        How often each was seen.

    Attributes
    ----------
    biases : ndarray of shape (n_values,)
        Zero before `fit`.
    """

    def __init__(self, values, counts):
        self.values = values
        self.counts = counts
        self.biases = np.zeros(len(values))
        self._kinds = np.flatnonzero(counts == 1), np.flatnonzero(counts > 1)

    @classmethod
    def of(cls, recording):
        """Of the values of a recording but its atoms; None where these hardly recur."""
        rest = ~np.isin(recording.seen, recording.atoms)
        values, counts = recording.seen[rest], recording.counts[rest]
        return cls(values, counts) if recurrence(counts) >= _LEAST_SHARE else None

    def candidates(self, law, y):
        """Indices of the values next to draws y (n, k) from a law, and their log densities.

        Both are (n, k, n_nearby); the latter are infinite where a value is not plausible.
        """
        indices = np.concatenate([self._nearest(kind, y) for kind in self._kinds], axis=-1)
        points = np.concatenate([self.values[indices], y[..., None]], axis=-1)
        logs = law.logpdf(points.reshape(len(y), -1)).reshape(points.shape)
        logs, own = logs[..., :-1], logs[..., -1:]
        return indices, np.where(logs > own - _PLAUSIBLE, logs, -np.inf)

    def _nearest(self, kind, y):
        """Indices (n, k, n_nearby) of the values of a kind that are next to y."""
        nearby = np.arange(min(_NEARBY, len(kind)))
        first = np.searchsorted(self.values[kind], y) - len(nearby) // 2
        first = np.clip(first, 0, len(kind) - len(nearby))
        return kind[first[..., None] + nearby]

    def fit(self, indices, logs):
        """Learn the biases from candidates of draws, (n, n_nearby) each."""
        plausible = np.isfinite(logs).any(axis=1)
        indices, logs = indices[plausible], logs[plausible]
        rows = self.counts.sum()
        for _ in range(_STEPS if len(logs) else 0):
            masses = softmax(logs + self.biases[indices], axis=1)
            drawn = np.bincount(indices.ravel(), masses.ravel(), minlength=len(self.values))
            drawn *= rows / len(logs)
            self.biases += np.log(self.counts / np.maximum(drawn, _LEAST_COUNT))
        return self

    def recorded(self, y, indices, logs, p):
        """What draws y (n, k) with such candidates are recorded as; p (n, k) in (0, 1) decide."""
        kept = np.isneginf(logs).all(axis=-1)
        logs = np.where(kept[..., None], 0, logs)
        below = np.cumsum(softmax(logs + self.biases[indices], axis=-1), axis=-1)
        chosen = np.sum(below[..., :-1] < p[..., None], axis=-1, keepdims=True)
        chosen = np.take_along_axis(indices, chosen, axis=-1)[..., 0]
        return np.where(kept | (self.counts[chosen] == 1), y, self.values[chosen])


def recurrence(counts):
    """The share of new rows with a value seen before: Good and Turing's estimate."""
    return 1 - np.count_nonzero(counts == 1) / counts.sum()
