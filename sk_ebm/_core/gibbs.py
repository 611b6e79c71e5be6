"""The Gibbs distribution of energies: the only place that knows temperature and base measure."""

from functools import cached_property

import numpy as np

from sk_ebm._core.largest import largest
from sk_ebm._utils.sklearn_private import namespace


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

    def __len__(self):
        return self.energies.shape[0]

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

    def likely(self, level):
        """Rows and answers whose -log p is at most the level, a number or one for each answer."""
        return np.nonzero(-self.log_probabilities <= level)

    def least(self, k):
        """Indices and energies (n, k) of the k answers of least energy, the best first."""
        answers, negative = largest(-self.present_energies, k)
        return answers, -negative

    @property
    def least_energy(self):
        """Energy of the least-energy answer that is present, shape (n,)."""
        return namespace(self.energies).min(self.present_energies, axis=1)

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
