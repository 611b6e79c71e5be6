"""Losses of the Gibbs distribution: the negative log-likelihood and the minimum empirical error."""

from sk_ebm._utils.sklearn_private import namespace
from sk_ebm.losses._base import Curvature, Loss, shares_of
from sk_ebm.losses._contrast import _add, _pick
from sk_ebm.losses._table1 import MCE


class NLL(Loss):
    """E+ + (1/beta) log sum exp(-beta E) (Table 1, "NLL/MMI"): cross-entropy, divided by beta.

    A target that is a distribution (n, k) gives the cross-entropy with it.
    """

    curved = smooth = True

    def __init__(self, beta=1.0):
        self.beta = beta

    def __call__(self, gibbs, target):
        gibbs = gibbs.at(self.beta)
        slopes = -gibbs.probabilities
        if target.ndim == 2:
            target, xp = shares_of(target), namespace(gibbs.energies)
            slopes += target
            return xp.sum(target * gibbs.energies, axis=1) - gibbs.free_energy, slopes
        return gibbs.surprise(target) / self.beta, _add(slopes, target, 1.0)

    def curvature(self, gibbs, target):
        xp = namespace(gibbs.energies)
        p = gibbs.at(self.beta).probabilities

        def product(v):
            moved = p * v
            moved -= p * xp.sum(moved, axis=1, keepdims=True)
            return moved if self.beta == 1 else moved * self.beta

        return Curvature(self.beta * p * (1 - p), product)


class MEE(Loss):
    """1 - exp(-beta E+) / sum exp(-beta E) (Table 1, "MEE": minimum empirical error)."""

    def __init__(self, beta=1.0):
        self.beta = beta

    @property
    def steepness(self):
        return self.beta**2 * MCE.steepness

    def __call__(self, gibbs, target):
        p = gibbs.at(self.beta).probabilities
        if target.ndim == 2:
            return self._of_several(p, getattr(target, "gains", target))
        correct = _pick(p, target)
        slopes = -p * (self.beta * correct)[:, None]
        return 1 - correct, _add(slopes, target, self.beta * correct)

    def _of_several(self, p, gains):
        """Each correct answer counts by its gain, the best one fully."""
        xp = namespace(p)
        best = xp.max(gains, axis=1, keepdims=True)
        worth = gains / xp.where(best > 0, best, 1.0)
        correct = xp.sum(p * worth, axis=1)
        return 1 - correct, self.beta * p * (worth - correct[:, None])
