"""Selection: which of several energies earn their place in a pool, by held-out samples."""

import numpy as np

from sk_ebm._core.pooling import aligned, pool
from sk_ebm.losses._lambdarank import Lambda

LEAST_WEIGHT = 0.02  # of a term: below, prediction is not paid for
# Of a likelihood ratio test of one weight: a gain of one standard error. At a level of .05 trees
# are lost that lower the test loss of 3 of 12 sets by .01 nats.
_LEAST_RATIO = 1.0
_N_RANKS = 10  # of a query that count


def losses_of(objective, outputs):
    """The losses of held-out samples, (n,): -log p, or 1 - NDCG@10 of queries."""
    by_ranks = objective.answers.kind == "items"
    objective = objective.replace(loss=Lambda(_N_RANKS)) if by_ranks else objective.as_likelihood()
    return objective.values(outputs)


def _mean(objective, losses):
    return float(objective.weights @ losses / objective.weights.sum())


def loss_alone(objective, outputs):
    """The loss of one energy at its best inverse temperature."""
    beta = objective.as_likelihood().learn_beta(outputs)
    return _mean(objective, losses_of(objective, beta * outputs))


def loss_in_pool(objective, outputs):
    """The loss of the pool of some energies.

    Parameters
    ----------
    objective : Objective
        Of samples that the energies were not fitted on.
    outputs : list of ndarray of shape (m, o)

    Returns
    -------
    loss : float
    """
    return _mean(objective, _losses_in_pool(objective, outputs))


def _losses_in_pool(objective, outputs):
    outputs = aligned(outputs)
    weights, constant, _ = pool(objective.as_likelihood(), outputs)
    return losses_of(objective, np.tensordot(weights, outputs, 1) + constant)


def adds_significantly(objective, outputs, new):
    """Whether one more energy lowers the loss of the pool by about a standard error or more.

    By a likelihood ratio test, or of queries by their NDCG.
    """
    without, within = (_losses_in_pool(objective, terms) for terms in (outputs, [*outputs, new]))
    if objective.answers.kind == "items":
        return _exceeds_error(objective, without - within)
    return 2 * objective.weights @ (without - within) > _LEAST_RATIO


def select(objective, outputs):
    """Names of the energies that are pooled: all, but for queries without those that lower NDCG.

    An energy is left out where the mean NDCG@10 is then higher by more than a standard error.
    """
    names = list(outputs)
    while objective.answers.kind == "items" and len(names) > 1:
        losses = _losses_in_pool(objective, [outputs[name] for name in names])
        gains = {
            out: losses - _losses_in_pool(objective, [outputs[n] for n in names if n != out])
            for out in names
        }
        worst = max(gains, key=lambda name: _mean(objective, gains[name]))
        if not _exceeds_error(objective, gains[worst]):
            break
        names.remove(worst)
    return names


def _exceeds_error(objective, gains):
    """Whether the mean of the samples' gains is above its standard error."""
    shares, mean = objective.weights / objective.weights.sum(), _mean(objective, gains)
    return mean > np.sqrt(shares**2 @ (gains - mean) ** 2)


def pool_without_idle(objective, outputs):
    """The pool of those energies whose weights are not negligible.

    Parameters
    ----------
    objective : Objective
        Of samples that the energies were not fitted on.
    outputs : dict of str to ndarray of shape (m, o)

    Returns
    -------
    weights : dict of str to float
        Of the energies that are left, all at least `LEAST_WEIGHT`.
    constant : ndarray of shape (o,)
    history : list of float
        As of `pool`.
    """
    names = select(objective, outputs)
    while True:
        found, constant, history = pool(objective, aligned([outputs[name] for name in names]))
        weights = dict(zip(names, found.tolist(), strict=True))
        least = min(weights, key=weights.get)
        if weights[least] >= LEAST_WEIGHT or len(names) == 1:
            return weights, constant, history
        names.remove(least)
