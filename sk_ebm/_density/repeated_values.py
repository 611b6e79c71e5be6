"""Draws that repeat values of the training rows, which draws from a density never hit."""

import numpy as np
from scipy.special import softmax

_N_CANDIDATES = 16  # of values that one row has, and of repeated ones, for each draw
_LEAST_RECURRENCE = 0.1  # share of new rows with a known value, below which draws stay as they are
_FITTING_STEPS = 6  # of proportional fitting: the frequencies then hardly change
_LEAST_DRAWN = 0.05  # rows: the least expected count in a step, so that no bias becomes infinite
_PLAUSIBLE = 7.0  # nats below the density of a draw, a factor of 1,000, within which values compete


class RepeatedValueSampler:
    """Replaces draws from a density by values of the training rows, as often as these repeat.

    A draw y from a density p(. given x) becomes one of the nearest known values v, with the Gibbs
    probabilities of the energies E(x, v) = -log p(v given x) - b(v). The biases b make values as
    frequent in draws as in the training rows, by iterative proportional fitting [1]_. A value of a
    single training row stands for all new values: where it is chosen, and where no known value is
    plausible, y is kept.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Sorted.
    counts : ndarray of shape (n_values,)
        How many training rows have each.
    frequencies : ndarray of shape (n_values,)
        How often each is to be drawn: the weights of these rows.

    Attributes
    ----------
    biases : ndarray of shape (n_values,)
        Zero before `fit`.

    References
    ----------
    .. [1] Deming and Stephan, "On a least squares adjustment of a sampled frequency table when the
       expected marginal totals are known", Annals of Mathematical Statistics, 1940.
    """

    def __init__(self, values, counts, frequencies):
        self.values = values
        self.counts = counts
        self.frequencies = frequencies
        self.biases = np.zeros(len(values))

    @classmethod
    def of(cls, rounding):
        """For the values of a `Rounding` except point masses; None where few of them repeat."""
        others = ~rounding.is_point_mass(rounding.seen)
        seen = (rounding.seen, rounding.counts, rounding.frequencies)
        if not others.all():
            seen = (each[others] for each in seen)
        values, counts, frequencies = seen  # arrays of the rounding itself, where it has no others
        return cls(values, counts, frequencies) if recurrence(counts) >= _LEAST_RECURRENCE else None

    def candidates(self, distribution, y):
        """Indices and log densities, (n, k, n_candidates) each, of the nearest values to draws y.

        The draws (n, k) are from the distribution; log densities of implausible values are -inf.
        """
        groups = np.flatnonzero(self.counts == 1), np.flatnonzero(self.counts > 1)
        indices = np.concatenate([self._nearest(group, y) for group in groups], axis=-1)
        points = np.concatenate([self.values[indices], y[..., None]], axis=-1)
        logs = distribution.logpdf(points.reshape(len(y), -1)).reshape(points.shape)
        logs, at_draw = logs[..., :-1], logs[..., -1:]
        return indices, np.where(logs > at_draw - _PLAUSIBLE, logs, -np.inf)

    def _nearest(self, group, y):
        """Indices (n, k, n_nearest) of the values of a group that are nearest to y."""
        nearest = np.arange(min(_N_CANDIDATES, len(group)))
        first = np.searchsorted(self.values[group], y) - len(nearest) // 2
        first = np.clip(first, 0, len(group) - len(nearest))
        return group[first[..., None] + nearest]

    def fit(self, indices, logs):
        """Learn the biases from the candidates of draws, (n, n_candidates) each."""
        plausible = np.isfinite(logs).any(axis=1)
        indices, logs = indices[plausible], logs[plausible]
        n_rows = self.frequencies.sum()
        for _ in range(_FITTING_STEPS if len(logs) else 0):
            masses = softmax(logs + self.biases[indices], axis=1)
            expected = np.bincount(indices.ravel(), masses.ravel(), minlength=len(self.values))
            expected *= n_rows / len(logs)
            self.biases += np.log(self.frequencies / np.maximum(expected, _LEAST_DRAWN))
        return self

    def choose(self, y, indices, logs, p):
        """What replaces the draws y (n, k) with such candidates; p (n, k) in (0, 1) decide."""
        kept = np.isneginf(logs).all(axis=-1)
        logs = np.where(kept[..., None], 0, logs)
        levels = np.cumsum(softmax(logs + self.biases[indices], axis=-1), axis=-1)
        chosen = np.sum(levels[..., :-1] < p[..., None], axis=-1, keepdims=True)
        chosen = np.take_along_axis(indices, chosen, axis=-1)[..., 0]
        return np.where(kept | (self.counts[chosen] == 1), y, self.values[chosen])


def recurrence(counts):
    """The share of new rows with a known value: Good and Turing's estimate."""
    return 1 - np.count_nonzero(counts == 1) / counts.sum()
