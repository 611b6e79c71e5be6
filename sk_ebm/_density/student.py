"""Student's t distributions around locations."""

import numpy as np
from scipy import special, stats


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
        return (y - self.loc[:, None]) / self.scale[:, None]

    def logpdf(self, y):
        return stats.t.logpdf(self._standardised(y), self.df) - np.log(self.scale)[:, None]

    def normal_score(self, y):
        t = self._standardised(y)
        with np.errstate(divide="ignore"):
            log_tail = np.log(special.stdtr(self.df, -np.abs(t)))
        return np.copysign(special.ndtri_exp(log_tail), t)

    def from_normal_score(self, z):
        t = -np.sign(z) * special.stdtrit(self.df, special.ndtr(-np.abs(z)))
        return self.loc[:, None] + self.scale[:, None] * t
