"""Losses of the Gibbs distribution: negative log-likelihood and minimum empirical error."""

from sk_ebm._utils.sklearn_private import namespace
from sk_ebm.losses._base import Curvature, Loss, shares_of
from sk_ebm.losses._contrast import add_at, pick
from sk_ebm.losses._table1 import MCE


class NLL(Loss):
    """E+ + (1/beta) log sum exp(-beta E) (Table 1, "NLL/MMI"): cross-entropy, divided by beta.

    A target that is a distribution (n, k) gives the cross-entropy with it.
    """

    second_derivatives = "continuous"
    several_correct = True

    def __init__(self, beta=1.0):
        self.beta = beta

    def __call__(self, gibbs, target):
        gibbs = gibbs.at(self.beta)
        gradient = -gibbs.probabilities
        if target.ndim == 1:
            return gibbs.surprise(target) / self.beta, add_at(gradient, target, 1.0)
        shares = shares_of(target)
        gradient += shares
        plus = namespace(gibbs.energies).sum(shares * gibbs.energies, axis=1)
        return plus - gibbs.free_energy, gradient

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

    several_correct = True

    def __init__(self, beta=1.0):
        self.beta = beta

    @property
    def second_derivative_bound(self):
        return self.beta**2 * MCE.second_derivative_bound

    def __call__(self, gibbs, target):
        p = gibbs.at(self.beta).probabilities
        if target.ndim == 2:
            return self._several_correct(p, getattr(target, "gains", target))
        correct = pick(p, target)
        gradient = -p * (self.beta * correct)[:, None]
        return 1 - correct, add_at(gradient, target, self.beta * correct)

    def _several_correct(self, p, gains):
        """Each correct answer counts by its gain, relative to the best one."""
        xp = namespace(p)
        best = xp.max(gains, axis=1, keepdims=True)
        relative = gains / xp.where(best > 0, best, 1.0)
        correct = xp.sum(p * relative, axis=1)
        return 1 - correct, self.beta * p * (relative - correct[:, None])
