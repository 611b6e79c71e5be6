"""Normal scores Phi^-1(F(y)): from both tails of F, of which the smaller is accurate; inverted."""

import numpy as np
from scipy import special

from sk_ebm._utils.roots import find_root

LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
# Of a location, the least scale around it. Numbers are 2e-16 of theirs apart: with this a quantile
# is rounded by 1e-5 scales, and even where a tilt is ten times as dense its level is off by < 1e-4.
RESOLUTION = 1e-11


def score_from_tails(below, above):
    """Normal scores from the probabilities below and above."""
    below, above = (np.clip(tail, np.finfo(float).tiny, 1.0) for tail in (below, above))
    scores = special.ndtri(np.minimum(below, above))
    return np.where(below < above, scores, -scores)


def score_from_log_tails(log_below, log_above):
    """Normal scores from the logarithms of the probabilities below and above."""
    scores = special.ndtri_exp(np.minimum(np.minimum(log_below, log_above), -np.log(2)))
    return np.where(log_below < log_above, scores, -scores)


def invert_normal_score(evaluate, z, low, high):
    """The y (n, k) of which z are the normal scores, between low and high.

    ``evaluate(y, rows)`` returns the normal score and log density at y of some of the rows.
    """

    def excess(y, rows):
        score, log_density = evaluate(y, rows)
        log_derivative = log_density + 0.5 * score * score + LOG_SQRT_2PI
        return score - z[rows], np.exp(log_derivative)

    return find_root(excess, low, high)
