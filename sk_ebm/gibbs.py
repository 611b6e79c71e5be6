"""The Gibbs distribution of energies: the only place that knows temperature and base measure."""

from functools import cached_property

import numpy as np
from scipy.optimize import brentq

from sk_ebm._private import namespace

_FARTHEST = 10.0  # times the range that 99 % of samples keep within


class Gibbs:
    """p(y given x) = m(y) exp(-beta E(x, y)) / Z(x) over a finite set of candidate answers.

    Parameters
    ----------
    energies : array of shape (n, k)
        Finite energies of the candidates; low = compatible.
    log_measure : array broadcastable to (n, k), default=None
        Log base measure: 0 for classes (the meaning of None), -inf for an absent candidate.
    beta : float, default=1.0
        Inverse temperature, > 0.
    """

    def __init__(self, energies, log_measure=None, beta=1.0):
        self.energies = energies
        self.log_measure = log_measure
        self.beta = beta

    def at(self, beta):
        """The same answers at another inverse temperature."""
        return self if beta == self.beta else Gibbs(self.energies, self.log_measure, beta)

    def under(self, log_measure):
        """The same energies under another base measure."""
        return Gibbs(self.energies, log_measure, self.beta)

    @cached_property
    def _partition(self):
        """(peak, masses, total): masses (n, k) = m exp(-beta E) e^-peak and their row sums."""
        xp = namespace(self.energies)
        logits = self.energies * -self.beta
        if self.log_measure is not None:
            logits = logits + self.log_measure
        peak = xp.max(logits, axis=1, keepdims=True)  # exp never overflows below its row's peak
        logits -= peak
        masses = _exp(xp, logits)
        return peak, masses, xp.sum(masses, axis=1, keepdims=True)

    @property
    def log_z(self):
        """Log partition function, shape (n,), in nats."""
        peak, _, total = self._partition
        return (peak + namespace(total).log(total))[:, 0]

    @property
    def free_energy(self):
        """F(x) = -(1/beta) log Z(x), shape (n,)."""
        return -self.log_z / self.beta

    @cached_property
    def probabilities(self):
        """Gibbs probabilities, shape (n, k); rows sum to one."""
        _, masses, total = self._partition
        return masses / total

    @property
    def log_probabilities(self):
        """Logarithms of the Gibbs probabilities, shape (n, k), accurate where these underflow."""
        logits = self.energies * -self.beta
        if self.log_measure is not None:
            logits = logits + self.log_measure
        peak, _, total = self._partition
        return (logits - peak) - namespace(total).log(total)

    def surprise(self, target):
        """beta (E+ - F) in nats, shape (n,), for the index (n,) of the correct answers: -log p
        under a flat base measure. Accurate down to rounding of one, not of the energies."""
        xp = namespace(self.energies)
        peak, _, total = self._partition
        chosen = xp.take_along_axis(self.energies, target[:, None], axis=1)
        return ((peak + chosen * self.beta) + xp.log(total))[:, 0]

    @property
    def mode(self):
        """Index of the least-energy answer that is present, shape (n,)."""
        xp = namespace(self.energies)
        return xp.argmin(self.present_energies, axis=1)

    @property
    def present_energies(self):
        """Energies with +inf at absent candidates, shape (n, k)."""
        if self.log_measure is None:
            return self.energies
        xp = namespace(self.energies)
        return xp.where(self.log_measure == -xp.inf, xp.inf, self.energies)


def _exp(xp, a):
    """exp(a), in place for numpy: this is the hot loop of training."""
    return np.exp(a, out=a) if isinstance(a, np.ndarray) else xp.exp(a)


def learn_beta(energies, target, sample_weight, log_measure=None):
    """The beta that minimises the mean negative log-likelihood of the target answers.

    The problem is convex in beta. One virtual sample of unit weight whose answer is drawn from
    the base measure stands beside the data (the smoothing of Platt, 1999), so beta stays finite
    where every target has the least energy, and shrinks to nearly zero where energies say nothing.
    An energy further above the least of its row than ten times the range that 99 % of the rows
    keep within counts as that: one outlier in hundreds of rows does not choose beta.

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

    Returns
    -------
    beta : float
        Within 1e-12 and 1e12 of the inverse scale of the energies.
    """
    return learn_beta_of_blocks([(energies, target, sample_weight, log_measure)])


def learn_beta_of_blocks(blocks):
    """`learn_beta` of samples whose energies come in several blocks, as tuples of its arguments."""
    total = sum(weights.sum() for _, _, weights, _ in blocks)
    blocks = [
        _Wanted(energies, target, weights / total, log_measure, total)
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


class _Wanted:
    """The mean negative log-likelihood of some samples as a function of beta.

    Candidates of no measure, which a target of a continuous answer is too, have no say in ranges.
    """

    def __init__(self, energies, target, share, log_measure, total):
        energies = np.asarray(energies, dtype=np.float64)
        self.share, self.log_measure, self.total = share, log_measure, total
        self.chosen = _chosen(energies, target)
        self.energies = energies
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
        by_chance = np.sum(at_random * self.energies, axis=1)
        chosen = np.minimum(self.chosen, most)
        self.wanted = chosen + (by_chance - chosen) / (self.total + 1.0)
        self.spread = float(self.share @ np.ptp(self.energies, axis=1))

    def slope(self, beta):
        """d NLL / d beta = E+ - <E>."""
        p = Gibbs(self.energies, self.log_measure, beta).probabilities
        return float(self.share @ (self.wanted - np.sum(p * self.energies, axis=1)))


def _chosen(energies, target):
    """E+ of an index, or the mean energy under a distribution."""
    if target.ndim == 2:
        return np.sum(target * energies, axis=1)
    return np.take_along_axis(energies, target[:, None], axis=1)[:, 0]
