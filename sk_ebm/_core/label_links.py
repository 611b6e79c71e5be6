"""Energies of pairs of labels: the links of a tree, learned on held-out outputs."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from sk_ebm._core.label_sets import LabelTree, LinkedLabels, chow_liu

_LEAST_SCALE = 1e-3  # of outputs, relative to the first guess
_TOL, _GRADIENT_TOL = 1e-9, 1e-6  # of the likelihood of held-out rows, relative and in nats


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
    likelihood = _Likelihood(outputs, indicator, weights, tree)
    start = np.zeros(2 * len(tree.order))
    start[0] = 1.0 if beta is None else beta / scale
    bounds = [(_LEAST_SCALE, None) if beta is None else (start[0], start[0])]
    bounds += [(None, None)] * (len(start) - 1)
    units = likelihood.units
    minimum = minimize(
        lambda moved: likelihood(moved / units, units),
        start * units,
        jac=True,
        method="L-BFGS-B",
        bounds=np.array(bounds, dtype=float) * units[:, None],
        options={"ftol": _TOL, "gtol": _GRADIENT_TOL},
    )
    found = minimum.x / units
    factor, bias, of_edges = likelihood.parts(found)
    beta = scale * factor
    return Links(tree, bias / beta, of_edges / beta, float(beta), likelihood.loss(found))


class _Likelihood:
    """Penalised negative log-likelihood and its gradient by scale, biases and weights of edges.

    Products of linked labels are those of their deviations from their shares, so that weights and
    biases hardly depend on each other.
    """

    def __init__(self, outputs, indicator, weights, tree):
        self.outputs, self.indicator, self.tree = outputs, indicator, tree
        self.shares, self.strength = weights / weights.sum(), 1 / weights.sum()
        self.means = self.shares @ indicator
        self.parents, self.children = tree.edges.T
        self.prior = np.zeros(2 * len(tree.order))
        self.prior[0] = 1.0

    @property
    def units(self):
        """Roots of the second derivatives where labels are independent, with these shares."""
        variances = self.means * (1 - self.means)
        of_scale = np.sum(variances * (self.shares @ np.square(self.outputs)))
        of_edges = variances[self.parents] * variances[self.children]
        return np.sqrt(np.concatenate([[of_scale], variances, of_edges]) + self.strength)

    def parts(self, params):
        """The scale, biases (L,) and weights of edges (L - 1,)."""
        n_labels = len(self.means)
        bias, of_edges = params[1 : n_labels + 1].copy(), params[n_labels + 1 :]
        np.subtract.at(bias, self.parents, of_edges * self.means[self.children])
        np.subtract.at(bias, self.children, of_edges * self.means[self.parents])
        return params[0], bias, of_edges

    def _gibbs(self, params):
        scale, bias, of_edges = self.parts(params)
        links = Links(self.tree, 0.0, of_edges, 1.0)
        return links.distribution(scale * self.outputs + bias, self.indicator)

    def loss(self, params):
        """Mean negative log-likelihood."""
        gibbs = self._gibbs(params)
        return float(self.shares @ (gibbs.log_z + gibbs.energies_of(gibbs.chains.labels)))

    def __call__(self, params, units):
        """The value, and its gradient by the parameters times their units."""
        gibbs = self._gibbs(params)
        labels = gibbs.chains.labels
        value = self.shares @ (gibbs.log_z + gibbs.energies_of(labels))
        errors = gibbs.marginals[:, 1].reshape(self.outputs.shape) - self.indicator
        errors *= self.shares[:, None]
        by_bias = errors.sum(axis=0)
        pairs = gibbs.pair_marginals(self.shares) - gibbs.pairs_of(labels, self.shares)
        by_edges = pairs[:, 1, 1] - self.means[self.children] * by_bias[self.parents]
        by_edges -= self.means[self.parents] * by_bias[self.children]
        gradient = np.concatenate([[np.vdot(errors, self.outputs)], by_bias, by_edges])
        deviation = params - self.prior
        value += 0.5 * self.strength * deviation @ deviation
        return value, (gradient + self.strength * deviation) / units
