"""The cross-entropy that bounds NDCG."""

import numpy as np
from sklearn.base import clone

from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._pairwise import GradedLoss


class XENDCG(GradedLoss):
    """Cross-entropy that bounds NDCG (Bruch et al., 2020): targets 2^y - gamma, gamma uniform.

    The noise gamma in [0, 1) is drawn anew for each item whenever the loss is called, from
    the estimator's ``random_state``, row after row. The gradient is therefore not that of the
    value, which uses the mean of the noise. Other gains than 2^y - 1 are used in its place.
    """

    exact = False

    def __init__(self):
        self._rng = np.random.default_rng(0)

    def seeded(self, rng):
        loss = clone(self)
        loss._rng = np.random.default_rng(rng.randint(np.iinfo(np.int32).max))
        return loss

    def __call__(self, gibbs, target):
        gradient = target.shares_with(1 - self._rng.random(gibbs.energies.shape))
        gradient -= gibbs.probabilities
        plus = np.einsum("nk,nk->n", target.half_shares, gibbs.energies)
        return plus - gibbs.free_energy, gradient

    def curvature(self, gibbs, target):
        return NLL().curvature(gibbs, target)
