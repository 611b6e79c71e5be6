"""Student's t distributions around locations."""

import numpy as np
from scipy import special

_FARTHEST = 1e300  # in scales from the location: so that logarithms are finite


class StudentDistribution:
    """Student's t distributions with one number of degrees of freedom.

    Parameters
    ----------
    loc, scale : ndarray of shape (n,)
    df : float
    """

    def __init__(self, loc, scale, df):
        self.loc, self.scale, self.df = loc, scale, df

    def _standardised(self, y):
        with np.errstate(over="ignore"):
            t = (y - self.loc[:, None]) / self.scale[:, None]
        return np.clip(t, -_FARTHEST, _FARTHEST)

    def logpdf(self, y):
        half = self.df / 2
        log_norm = (
            special.gammaln(half + 0.5) - special.gammaln(half) - 0.5 * np.log(np.pi * self.df)
        )
        log_size = np.log(np.hypot(1, self._standardised(y) / np.sqrt(self.df)))
        return log_norm - (self.df + 1) * log_size - np.log(self.scale)[:, None]

    def normal_score(self, y):
        t = self._standardised(y)
        with np.errstate(divide="ignore"):
            log_tail = np.log(special.stdtr(self.df, -np.abs(t)))
        return np.copysign(special.ndtri_exp(log_tail), t)

    def from_normal_score(self, z):
        t = -np.sign(z) * special.stdtrit(self.df, special.ndtr(-np.abs(z)))
        return self.loc[:, None] + self.scale[:, None] * t
