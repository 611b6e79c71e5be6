"""One-dimensional Gaussian mixtures, and the conditionals of a mixture of several columns."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, special

from sk_ebm._density.normal_scores import (
    LOG_SQRT_2PI,
    invert_normal_score,
    score_from_log_tails,
    score_from_tails,
)

_MIN_SUM = 1e-290  # of products, below which some may underflow: logarithms are summed instead


class MixtureDistribution:
    """One Gaussian mixture for each row.

    Parameters
    ----------
    log_shares, means, widths : ndarray of shape (n, n_components)
    """

    def __init__(self, log_shares, means, widths):
        self.log_shares, self.means, self.widths = log_shares, means, widths

    @cached_property
    def _shares(self):
        return np.exp(self.log_shares)

    @cached_property
    def breaks(self):
        """Four widths from the means: quantiles jump from one component to the next."""
        ends = [self.means - 4 * self.widths, self.means + 4 * self.widths]
        return self.normal_score(np.hstack(ends))

    def _standardised(self, y):
        t = np.atleast_2d(y)[:, :, None] - self.means[:, None]  # (n, k, n_components)
        t /= self.widths[:, None]
        return t

    def _sum(self, components):
        return np.einsum("nc,nkc->nk", self._shares, components)

    def logpdf(self, y):
        t = self._standardised(y)
        density = np.einsum("nc,nkc->nk", self._shares / self.widths, np.exp(-0.5 * t * t))
        log_density = np.log(np.maximum(density, _MIN_SUM)) - LOG_SQRT_2PI
        far = np.nonzero(density < _MIN_SUM)
        terms = (self.log_shares - np.log(self.widths))[far[0]] - 0.5 * t[far] ** 2
        log_density[far] = special.logsumexp(terms, axis=1) - LOG_SQRT_2PI
        return log_density

    def normal_score(self, y):
        t = self._standardised(y)
        tails, passed = special.ndtr(-np.abs(t)), (t > 0).astype(float)  # of each component
        all_tails, share_below, share_above = map(self._sum, (tails, passed, 1 - passed))
        tails *= passed
        upper_tails = self._sum(tails)
        lower_tails = all_tails - upper_tails
        below = lower_tails + (share_below - upper_tails)  # a tail is at most half of its share
        above = upper_tails + (share_above - lower_tails)
        scores = score_from_tails(below, above)
        far = np.nonzero(np.minimum(below, above) < _MIN_SUM)
        log_tails = [
            special.logsumexp(self.log_shares[far[0]] + special.log_ndtr(side), axis=1)
            for side in (t[far], -t[far])
        ]
        scores[far] = score_from_log_tails(*log_tails)
        return scores

    def from_normal_score(self, z):
        z = np.broadcast_to(z, (len(self.means), np.shape(z)[-1]))
        components = self.means[:, None] + self.widths[:, None] * z[:, :, None]

        def evaluate(y, rows):
            some = MixtureDistribution(self.log_shares[rows], self.means[rows], self.widths[rows])
            return some.normal_score(y), some.logpdf(y)

        return invert_normal_score(evaluate, z, components.min(axis=2), components.max(axis=2))


@dataclass(frozen=True, eq=False)
class MixtureFactors:
    """What the conditionals of a Gaussian mixture of d columns need, in 32 bits.

    Attributes
    ----------
    weights : ndarray of shape (k,)
    means : ndarray of shape (k, d)
    factors : ndarray of shape (k, d (d + 1) / 2)
        Rows of the lower Cholesky factors of the covariances, one after the other.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    @classmethod
    def of(cls, mixture, n_columns):
        """Those of the first columns of a fitted `GaussianMixture`."""
        lower, first = np.tril_indices(n_columns), np.s_[:, :n_columns, :n_columns]
        rows = [linalg.cholesky(c, lower=True)[lower] for c in mixture.covariances_[first]]
        parts = mixture.weights_, mixture.means_[:, :n_columns], np.stack(rows)
        return cls(*(part.astype(np.float32) for part in parts))

    def conditional_components(self, X):
        """Log shares, means (n, k) and widths (k,) of the column after the columns X (n, j)."""
        j = X.shape[1]
        lower, size = np.tril_indices(j + 1), (j + 1) * (j + 2) // 2
        log_shares, means, widths = [], [], []
        for weight, mean, row in zip(self.weights, self.means, self.factors, strict=True):
            factor = np.zeros((j + 1, j + 1))
            factor[lower] = row[:size]
            white = (X - mean[:j]).T
            if j:  # scipy 1.13 does not solve empty systems
                white = linalg.solve_triangular(factor[:j, :j], white, lower=True)
            log_norm = np.log(np.diag(factor)[:j]).sum()
            log_shares.append(np.log(weight) - 0.5 * np.sum(white**2, axis=0) - log_norm)
            means.append(mean[j] + factor[j, :j] @ white)
            widths.append(factor[j, j])
        log_shares = special.log_softmax(np.stack(log_shares, axis=1), axis=1)
        return log_shares, np.stack(means, axis=1), np.array(widths)
