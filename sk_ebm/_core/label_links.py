"""Energies of pairs of labels: the links of a tree, learned on held-out outputs."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from sk_ebm._core.label_sets import LabelTree, LinkedLabels, chow_liu

_LEAST_SCALE = 1e-3  # of outputs, relative to the first guess


class Links(NamedTuple):
    """How the labels of a set depend on each other, and on their outputs.

    The energy of a set y is -sum_l y_l (o_l + bias_l) - sum_(k, l) weight_kl y_k y_l, up to a
    constant of each row, with outputs o.

    Attributes
    ----------
    tree : LabelTree
    bias : ndarray of shape (L,)
    weights : ndarray of shape (L - 1,)
        Of the labels of ``tree.order`` but the first, each with its parent.
    beta : float
        Inverse temperature.
    loss : float, default=nan
        Mean negative log-likelihood of the held-out label sets, in nats.
    """

    tree: LabelTree
    bias: np.ndarray
    weights: np.ndarray
    beta: float
    loss: float = np.nan

    @property
    def transitions(self):
        """Negative energies (L - 1, 2, 2) of linked labels."""
        return transitions_of(self.weights)

    def distribution(self, outputs, indicator=None):
        """The Gibbs distribution over label sets of outputs (n, L)."""
        positions = LinkedLabels(indicator, self.tree, self.transitions, None, len(outputs))
        return positions.distribution((outputs + self.bias).reshape(-1, 1), self.beta)

    def with_constant(self, varying, log_odds):
        """The links of all labels, where those that do not vary, (L,), have these log odds (L,)."""
        n_constant = np.count_nonzero(~varying)
        bias = log_odds / self.beta
        bias[varying] = self.bias
        weights = np.concatenate([self.weights, np.zeros(n_constant)])
        return self._replace(tree=self.tree.with_constant(varying), bias=bias, weights=weights)


def transitions_of(weights):
    """Negative energies (L - 1, 2, 2) of links: a weight where both labels are in the set."""
    transitions = np.zeros((len(weights), 2, 2))
    transitions[:, 1, 1] = weights
    return transitions


def learn_links(outputs, indicator, weights, scale, beta=None):
    """Links of greatest likelihood of held-out outputs; the problem is convex.

    A scale of all outputs, a bias of each label and a weight of each edge are shrunk, with the
    strength of one pseudo-observation each, towards labels that are independent given x.

    Parameters
    ----------
    outputs : ndarray of shape (n, L)
    indicator : ndarray of shape (n, L)
    weights : ndarray of shape (n,)
    scale : float
        Factor of the outputs with which they are calibrated for independent labels.
    beta : float, default=None
        The scale, where it is given.
    """
    outputs = scale * np.asarray(outputs, dtype=float)
    tree = chow_liu(indicator - expit(outputs), weights)
    n_labels = indicator.shape[1]
    likelihood = _Likelihood(outputs, indicator, weights, tree)
    start = np.concatenate([[1.0], np.zeros(2 * n_labels - 1)])
    bounds = [(_LEAST_SCALE, None) if beta is None else (beta / scale,) * 2]
    bounds += [(None, None)] * (len(start) - 1)
    start[0] = 1.0 if beta is None else beta / scale
    minimum = minimize(likelihood, start, jac=True, method="L-BFGS-B", bounds=bounds)
    found = minimum.x
    beta = scale * found[0]
    bias, of_edges = found[1 : n_labels + 1] / beta, found[n_labels + 1 :] / beta
    return Links(tree, bias, of_edges, float(beta), likelihood.loss(found))


class _Likelihood:
    """Penalised negative log-likelihood and its gradient by scale, biases and weights of edges."""

    def __init__(self, outputs, indicator, weights, tree):
        self.outputs, self.indicator, self.tree = outputs, indicator, tree
        self.shares, self.strength = weights / weights.sum(), 1 / weights.sum()
        self.prior = np.zeros(2 * len(tree.order))
        self.prior[0] = 1.0

    def _gibbs(self, params):
        n_labels = len(self.tree.order)
        log_odds = params[0] * self.outputs + params[1 : n_labels + 1]
        links = Links(self.tree, 0.0, params[n_labels + 1 :], 1.0)
        return links.distribution(log_odds, self.indicator)

    def loss(self, params):
        """Mean negative log-likelihood."""
        gibbs = self._gibbs(params)
        return float(self.shares @ (gibbs.log_z + gibbs.energies_of(gibbs.chains.labels)))

    def __call__(self, params):
        gibbs = self._gibbs(params)
        labels = gibbs.chains.labels
        value = self.shares @ (gibbs.log_z + gibbs.energies_of(labels))
        errors = gibbs.marginals[:, 1].reshape(self.outputs.shape) - self.indicator
        errors *= self.shares[:, None]
        of_edges = gibbs.pair_marginals(self.shares) - gibbs.pairs_of(labels, self.shares)
        gradient = np.concatenate(
            [[np.vdot(errors, self.outputs)], errors.sum(axis=0), of_edges[:, 1, 1]]
        )
        deviation = params - self.prior
        value += 0.5 * self.strength * deviation @ deviation
        return value, gradient + self.strength * deviation
