"""Student's t distributions around locations."""

from functools import lru_cache

import numpy as np
from scipy import special, stats
from scipy.interpolate import CubicSpline


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
        spline = _score_spline(self.df)
        u = np.arcsinh(np.abs(t) / np.sqrt(self.df))
        scores, beyond = spline(u), u > spline.x[-1]
        scores[beyond] = _upper_score(np.abs(t[beyond]), self.df)
        return np.copysign(scores, t)

    def from_normal_score(self, z):
        t = -np.sign(z) * special.stdtrit(self.df, special.ndtr(-np.abs(z)))
        return self.loc[:, None] + self.scale[:, None] * t


def _upper_score(t, df):
    """Normal scores of t >= 0, accurate in the tail."""
    with np.errstate(divide="ignore"):
        return -special.ndtri_exp(np.log(special.stdtr(df, -t)))


@lru_cache(maxsize=64)
def _score_spline(df):
    """Normal scores of t = sqrt(df) sinh(u) as a spline of u >= 0, in which they are smooth.

    From 3 degrees of freedom on its error is below 1e-10; it takes a fifth of the time.
    """
    u = np.linspace(0, min(12.0, 600 / df), 2048)  # the tail is about exp(-df u): no underflow
    return CubicSpline(u, _upper_score(np.sqrt(df) * np.sinh(u), df))
