"""The cross-entropy that bounds NDCG."""

import numpy as np
from sklearn.base import clone

from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._pairwise import GradedLoss


class XENDCG(GradedLoss):
    """Cross-entropy that bounds NDCG (Bruch et al., 2020): targets 2^y - gamma, gamma uniform.

    The noise gamma in [0, 1) is drawn anew for each item whenever the loss is called, from
    the estimator's ``random_state``, row after row, so that slopes are not those of the value,
    which has the noise's mean. Gains other than 2^y - 1 take the place of these.
    """

    exact = False

    def __init__(self):
        self._rng = np.random.default_rng(0)

    def seeded(self, rng):
        loss = clone(self)
        loss._rng = np.random.default_rng(rng.randint(np.iinfo(np.int32).max))
        return loss

    def __call__(self, gibbs, target):
        slopes = target.shares_with(1 - self._rng.random(gibbs.energies.shape))
        slopes -= gibbs.probabilities
        expected = np.einsum("nk,nk->n", target.half_shares, gibbs.energies)
        return expected - gibbs.free_energy, slopes

    def curvature(self, gibbs, target):
        return NLL().curvature(gibbs, target)
