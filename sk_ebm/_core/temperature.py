"""The inverse temperature that makes Gibbs probabilities of held-out samples most likely."""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from sk_ebm._core.gibbs import Gibbs

# Energy gaps are clipped at this many times the 99th percentile of the row ranges: on 10 sets it
# changes no beta of classes, and one outlier (an energy of 1e6) then does not determine it.
_CLIPPED_RANGES = 10.0
_LOG_BETA_STEP, _LOG_BETA_BOUND = 3.0, 27.0  # brackets within e^27 of the inverse energy scale


class BetaProblem(NamedTuple):
    """Energies of held-out samples, and their correct answers.

    Parameters
    ----------
    energies : ndarray of shape (n, k)
        Energies of samples that the energy function was not fitted on.
    target : ndarray of shape (n,) or (n, k)
        Index of the correct answer, or a distribution over answers.
    weights : ndarray of shape (n,)
        Non-negative, not all zero.
    log_measure : ndarray broadcastable to (n, k), default=None
        Log base measure of the answers; None means 0.
    """

    energies: np.ndarray
    target: np.ndarray
    weights: np.ndarray
    log_measure: np.ndarray | None = None


def learn_beta(energies, target, sample_weight, log_measure=None):
    """The beta that minimises the mean negative log-likelihood of the correct answers.

    The problem is convex in beta. One pseudo-observation, whose answer is drawn from the base
    measure, is added to the data (the smoothing of Platt, 1999), so that beta stays finite where
    every correct answer has the least energy and is nearly zero for uninformative energies. Energy
    gaps are clipped at ten times the 99th percentile of the row ranges, so that outliers cannot
    determine beta.

    Parameters
    ----------
    energies, target, sample_weight, log_measure
        See `BetaProblem`.

    Returns
    -------
    beta : float
        Between 1e-12 and 1e12 times the inverse scale of the energies.
    """
    return learn_beta_of_blocks([BetaProblem(energies, target, sample_weight, log_measure)])


def learn_beta_of_blocks(problems):
    """`learn_beta` of samples in several blocks, with different numbers of candidates."""
    total = sum(problem.weights.sum() for problem in problems)
    blocks = [_BetaLikelihood(problem, total) for problem in problems]
    ranges = np.concatenate([block.ranges for block in blocks])
    shares = np.concatenate([block.shares for block in blocks])
    order = np.argsort(ranges)
    index = np.searchsorted(np.cumsum(shares[order]), 0.99)
    percentile = ranges[order][min(index, len(order) - 1)]
    blocks = [block.clipped(_CLIPPED_RANGES * percentile or np.inf) for block in blocks]
    scale = sum(block.scale for block in blocks)
    return most_likely_beta(blocks, scale) if scale else 1.0


def most_likely_beta(blocks, scale):
    """The beta at which derivatives of the blocks, which grow with it, sum to zero.

    ``scale`` is one of the energies.
    """

    @cache
    def derivative(log_beta):
        return sum(block.derivative(np.exp(log_beta) / scale) for block in blocks) / scale

    low, high = -_LOG_BETA_STEP, _LOG_BETA_STEP
    while derivative(low) > 0 and low > -_LOG_BETA_BOUND:
        low -= _LOG_BETA_STEP
    while derivative(high) < 0 and high < _LOG_BETA_BOUND:
        high += _LOG_BETA_STEP
    if derivative(low) > 0 or derivative(high) < 0:
        return float(np.exp(low if derivative(low) > 0 else high) / scale)
    return float(np.exp(brentq(derivative, low, high, xtol=1e-11)) / scale)


class _BetaLikelihood:
    """The negative log-likelihood of some samples as a function of beta.

    Candidates of measure zero are ignored in ranges.
    """

    def __init__(self, problem, total):
        energies = np.asarray(problem.energies, dtype=np.float64)
        self.shares, self.total = problem.weights / total, total
        self.target, self.log_measure = problem.target, problem.log_measure
        self.correct = _expected(energies, self.target)
        self.energies = energies
        if self.log_measure is not None:
            present = np.broadcast_to(self.log_measure > -np.inf, energies.shape)
            least = np.min(energies, axis=1, where=present, initial=np.inf, keepdims=True)
            self.energies = np.where(present, energies, least)
        self.ranges = np.ptp(self.energies, axis=1)

    def clipped(self, gap):
        """Itself, with energies at most ``gap`` above the least of their row."""
        ceiling = self.energies.min(axis=1) + gap
        self.energies = np.minimum(self.energies, ceiling[:, None])
        uniform = Gibbs(np.zeros_like(self.energies), self.log_measure).probabilities
        self.by_chance = np.sum(uniform * self.energies, axis=1)
        correct = np.minimum(self.correct, ceiling)
        self.smoothed = correct + (self.by_chance - correct) / (self.total + 1.0)
        self.scale = float(self.shares @ np.ptp(self.energies, axis=1))
        return self

    def derivative(self, beta):
        """d NLL / d beta = E+ - <E>."""
        p = Gibbs(self.energies, self.log_measure, beta).probabilities
        return float(self.shares @ (self.smoothed - np.sum(p * self.energies, axis=1)))


def _expected(values, target):
    """The value (n, k) at an index, or its mean under a distribution, (n,)."""
    if target.ndim == 2:
        return np.sum(target * values, axis=1)
    return np.take_along_axis(values, target[:, None], axis=1)[:, 0]
