"""Whitening of rows, in whole or in part, and distances of rows as if each had been left out."""

import numpy as np

_SMALLEST = 1e-12  # of divisors that only rounding errors bring near zero
_LEAST_VARIANCE = {True: 1e-6, False: 1e-3}  # of a direction, by which it whitens in whole, in part
_STEP, _BELOW, _ABOVE = 2.0, 8.0, 5.0  # of log s in an integral, whose relative error is .02


class Whitening:
    """Maps rows such that squared distances from rows of the fit are d' S^-p d, for a covariance S.

    Parameters
    ----------
    covariance : ShrunkCovariance
    power : float
        p in (0, 1]: directions are divided by their standard deviations to this power.
    """

    def __init__(self, covariance, power):
        self._covariance, self._power = covariance, power
        least = _LEAST_VARIANCE[power == 1]
        self._variances = np.maximum(covariance.variances, least)
        self._outside = max(covariance.outside, least)

    def __call__(self, X):
        """Coordinates (m, r) and, where rows of the fit do not span all, the length of the rest."""
        centered = X - self._covariance.mean
        inside = centered @ self._covariance.directions
        scaled = inside / self._variances ** (self._power / 2)
        if inside.shape[1] == X.shape[1]:
            return scaled
        rest = np.maximum(np.square(centered).sum(axis=1) - np.square(inside).sum(axis=1), 0)
        return np.column_stack([scaled, np.sqrt(rest / self._outside**self._power)])

    def distances_left_out(self, whitened, differences, weights):
        """Distances (m, k) of whitened rows from others, as if each row had not been in the fit.

        Without a row x of weight w, of n, the covariance is S - c x x' times n / (n - w). For its
        power, S^-p = sin(p pi) / pi times the integral over s of s^-p (S + s)^-1, where each
        inverse is that of Sherman and Morrison.

        Parameters
        ----------
        whitened : ndarray of shape (m, r)
        differences : ndarray of shape (m, k, r)
            From others, whitened.
        weights : ndarray of shape (m,)
        """
        n_rows, n_inside = self._covariance.total, len(self._variances)
        rest = np.maximum(n_rows - weights, _SMALLEST)
        part = (self._covariance.unshrunk * weights / rest)[:, None]
        kernels, nodes = self._resolvents()
        own = whitened[:, :n_inside]
        across = (own[:, None] * differences[..., :n_inside]) @ kernels  # (m, k, t)
        along = np.square(own) @ kernels  # (m, t)
        kept = np.maximum(1 - part * along, _SMALLEST)
        squares = np.einsum("mkr,mkr->mk", differences, differences)
        added = (np.square(across) * (nodes * part / kept)[:, None]).sum(axis=2)
        return np.sqrt((squares + added) * ((rest / n_rows) ** self._power)[:, None])

    def _resolvents(self):
        """S^p (S + s)^-1 for values of s, (r, t), and their weights (t,) in the integral."""
        if self._power == 1:
            return np.ones((len(self._variances), 1)), np.ones(1)
        logs = np.log(self._variances)
        s = np.exp(np.arange(logs.min() - _BELOW, logs.max() + _ABOVE, _STEP))
        powers = self._variances**self._power
        scale = np.sin(np.pi * self._power) / np.pi * _STEP
        return powers[:, None] / (self._variances[:, None] + s), scale * s ** (1 - self._power)
