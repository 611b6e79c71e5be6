"""The inverse temperature that suits held-out energies."""

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from sk_ebm._core.gibbs import Gibbs

_FARTHEST = 10.0  # times the range that 99 % of samples keep within


def learn_beta(energies, target, sample_weight, log_measure=None, power=0.0):
    """The beta that minimises the mean negative log-likelihood of the target answers.

    The problem is convex in beta. One virtual sample of unit weight whose answer is drawn from
    the base measure stands beside the data (the smoothing of Platt, 1999), so beta stays finite
    where every target has the least energy, and shrinks to nearly zero where energies say nothing.
    An energy further above the least of its row than ten times the range that 99 % of the rows
    keep within counts as that: one outlier in hundreds of rows does not choose beta.

    With ``power`` a > 0 the data are judged by their density power divergence (Basu, Harris, Hjort
    and Jones, 1998), the mean of sum_y p(y)^(1 + a) / (1 + a) - p(correct)^a / a, where that takes
    a larger beta. Its least value is where p is the law of the answers, too, but to be sure and
    wrong costs at most 1 / a more than to be sure and right.

    Parameters
    ----------
    energies : ndarray of shape (n, k)
        Energies of samples that the energy function was not fitted on.
    target : ndarray of shape (n,) or (n, k)
        Index of the correct answer, or a distribution over answers.
    sample_weight : ndarray of shape (n,)
        Non-negative weights, not all zero.
    log_measure : ndarray broadcastable to (n, k), default=None
        Log base measure of the answers; None means 0.
    power : float, default=0.0
        >= 0; for finite sets of answers.

    Returns
    -------
    beta : float
        Within 1e-12 and 1e12 of the inverse scale of the energies.
    """
    return learn_beta_of_blocks([(energies, target, sample_weight, log_measure)], power)


def learn_beta_of_blocks(blocks, power=0.0):
    """`learn_beta` of samples whose energies come in several blocks, as tuples of its arguments."""
    total = sum(weights.sum() for _, _, weights, _ in blocks)
    blocks = [
        _BetaLikelihood(energies, target, weights / total, log_measure, total)
        for energies, target, weights, log_measure in blocks
    ]
    ranges = np.concatenate([block.ranges for block in blocks])
    order = np.argsort(ranges)
    below = np.cumsum(np.concatenate([block.share for block in blocks])[order])
    within = ranges[order][min(np.searchsorted(below, 0.99), len(order) - 1)]
    for block in blocks:
        block.cap(_FARTHEST * within or np.inf)
    spread = sum(block.spread for block in blocks)
    if spread == 0:
        return 1.0

    beta = _likeliest(blocks, spread)
    return _least_divergence(blocks, beta, power) if power > 0 else beta


def _likeliest(blocks, spread):
    def slope(log_beta):
        return sum(block.slope(np.exp(log_beta) / spread) for block in blocks) / spread

    low, high = -3.0, 3.0
    while slope(low) > 0 and low > -27:
        low -= 3.0
    while slope(high) < 0 and high < 27:
        high += 3.0
    if slope(low) > 0 or slope(high) < 0:
        return float(np.exp(low if slope(low) > 0 else high) / spread)
    return float(np.exp(brentq(slope, low, high, xtol=1e-11)) / spread)


def _least_divergence(blocks, beta, power):
    """Where the divergence is least, from that beta on."""

    def divergence(log_beta):
        return sum(block.divergence(np.exp(log_beta) * beta, power) for block in blocks)

    steps = np.arange(0, 4.1, 0.5)
    best = steps[np.argmin([divergence(step) for step in steps])]
    found = minimize_scalar(
        divergence, bounds=(max(best - 0.5, 0), best + 0.5), options={"xatol": 1e-4}
    )
    return float(np.exp(found.x) * beta)


class _BetaLikelihood:
    """The mean negative log-likelihood of some samples as a function of beta.

    Candidates of no measure, which a target of a continuous answer is too, have no say in ranges.
    """

    def __init__(self, energies, target, share, log_measure, total):
        energies = np.asarray(energies, dtype=np.float64)
        self.share, self.log_measure, self.total = share, log_measure, total
        self.chosen = _expected(energies, target)
        self.energies, self.target = energies, target
        if log_measure is not None:
            present = np.broadcast_to(log_measure > -np.inf, energies.shape)
            least = np.min(energies, axis=1, where=present, initial=np.inf, keepdims=True)
            self.energies = np.where(present, energies, least)
        self.ranges = np.ptp(self.energies, axis=1)

    def cap(self, most):
        """Let no energy be so much above the least of its row."""
        most = self.energies.min(axis=1) + most
        self.energies = np.minimum(self.energies, most[:, None])
        at_random = Gibbs(np.zeros_like(self.energies), self.log_measure).probabilities
        self.by_chance = np.sum(at_random * self.energies, axis=1)
        chosen = np.minimum(self.chosen, most)
        self.wanted = chosen + (self.by_chance - chosen) / (self.total + 1.0)
        self.spread = float(self.share @ np.ptp(self.energies, axis=1))

    def slope(self, beta):
        """d NLL / d beta = E+ - <E>."""
        p = Gibbs(self.energies, self.log_measure, beta).probabilities
        return float(self.share @ (self.wanted - np.sum(p * self.energies, axis=1)))

    def divergence(self, beta, power):
        """Of the data, and beside it the negative log-likelihood of the virtual sample."""
        gibbs = Gibbs(self.energies, self.log_measure, beta)
        raised = np.exp(power * gibbs.log_probabilities)
        data = np.sum(gibbs.probabilities * raised, axis=1) / (1 + power)
        data -= _expected(raised, self.target) / power
        virtual = beta * self.by_chance + gibbs.log_z
        return float(self.share @ (data + virtual / (self.total + 1.0)))


def _expected(values, target):
    """The value (n, k) at an index, or its mean under a distribution, (n,)."""
    if target.ndim == 2:
        return np.sum(target * values, axis=1)
    return np.take_along_axis(values, target[:, None], axis=1)[:, 0]
