"""Sets of labels as answers: independent labels, and labels that are linked in a tree."""

from copy import copy
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from sk_ebm._core.answers import Answers
from sk_ebm._core.chains import Block, ChainGibbs, Chains
from sk_ebm._core.classes import Labels
from sk_ebm._core.folds import shuffled_folds
from sk_ebm._core.forest import Forest, Step

_LEAST_INFORMATION = 1e-9  # of an edge, so that all labels are in one tree


class LabelSets(Answers):
    """Sets of labels as answers, where labels are independent given x.

    One output for each label, its log odds. The loss is that of two classes, summed over the
    labels of a sample.

    Parameters
    ----------
    indicator : ndarray of int, shape (n, L)
        One where a label is in the set.
    """

    def __init__(self, indicator):
        self.indicator = indicator

    def __len__(self):
        return len(self.indicator)

    @property
    def n_outputs(self):
        return self.indicator.shape[1]

    def take(self, samples):
        part = copy(self)
        part.indicator = self.indicator[samples]
        vars(part).pop("blocks", None)
        return part

    def folds(self, n_folds, rng):
        """Shuffled folds, over which the rows of rare labels are spread."""
        counts = self.indicator.sum(axis=0)
        order = np.argsort(counts, kind="stable")
        first = self.indicator[:, order].argmax(axis=1)
        rarest = np.where(self.indicator.any(axis=1), first, len(order))
        return shuffled_folds(len(self), n_folds, rng, labels=rarest)

    @cached_property
    def blocks(self):
        """One, which has a sample for each label of each row."""
        samples = np.repeat(np.arange(len(self)), self.n_outputs)
        return [(samples, ..., _Pairs(self.indicator))]

    @property
    def positions_in_blocks(self):
        return np.arange(len(self))


class _Pairs(Answers):
    """Pairs of rows and labels, each a sample of two classes."""

    def __init__(self, indicator):
        self.shape, self.target = indicator.shape, indicator.ravel()

    def per_row(self, values):
        return values[:: self.shape[1]]

    def arrange(self, outputs):
        energies, pullback = Labels.arrange(outputs.reshape(-1, 1))
        return energies, lambda gradient: pullback(gradient).reshape(self.shape)

    def diagonal(self, curvature, outputs):
        return Labels.diagonal(curvature, outputs.reshape(-1, 1)).reshape(self.shape)


class LabelTree(NamedTuple):
    """A tree of labels.

    Attributes
    ----------
    order : ndarray of int, shape (L,)
        Labels, each after its parent.
    parents : ndarray of int, shape (L,)
        Where in the order the parent of each is; -1 for the first.
    """

    order: np.ndarray
    parents: np.ndarray

    @property
    def edges(self):
        """Pairs of linked labels, (L - 1, 2)."""
        return np.column_stack([self.order[self.parents[1:]], self.order[1:]])

    def block(self, n_samples):
        """Positions of so many label sets, one label after another."""
        n_labels, samples = len(self.order), np.arange(n_samples)
        slices = [slice(i * n_samples, (i + 1) * n_samples) for i in range(n_labels)]
        steps = tuple(Step(slices[i], slices[self.parents[i]], i - 1) for i in range(1, n_labels))
        rows = (samples * n_labels + self.order[:, None]).ravel()
        return Block(samples, rows, Forest(np.tile(samples, n_labels), steps))

    def with_constant(self, varying):
        """The tree over all labels, where its own are those that vary, (L,) of bool, and the
        others are children of the root."""
        constant = np.flatnonzero(~varying)
        order = np.concatenate([np.flatnonzero(varying)[self.order], constant])
        return LabelTree(order, np.concatenate([self.parents, np.zeros(len(constant), int)]))


def chow_liu(residuals, weights):
    """The tree of greatest mutual information between linked labels, given x (Chow and Liu, 1968).

    Parameters
    ----------
    residuals : ndarray of shape (n, L)
        Indicators less their probabilities given x. The mutual information of two labels is
        approximately -1/2 log(1 - r^2), for the correlation r of their residuals.
    weights : ndarray of shape (n,)
    """
    shares = weights / weights.sum()
    centred = residuals - shares @ residuals
    covariances = centred.T @ (shares[:, None] * centred)
    deviations = np.sqrt(np.maximum(np.diag(covariances), 1e-300))
    r = covariances / deviations / deviations[:, None]
    information = np.square(r) + _LEAST_INFORMATION  # whose order is that of -log(1 - r^2)
    tree = minimum_spanning_tree(np.triu(-information, 1))
    order, parents = breadth_first_order(tree, 0, directed=False)
    positions = np.argsort(order)
    return LabelTree(order, np.append(-1, positions[parents[order[1:]]]).astype(int))


class LinkedLabels(Chains):
    """The positions of label sets: one for each label of each sample, linked as in a tree.

    Parameters
    ----------
    indicator : ndarray of int, shape (n, L), or None
    tree : LabelTree
    transitions : ndarray of shape (L - 1, 2, 2)
        Negative energies of a label's parent (first) and itself.
    loss : Loss
    n_samples : int, default=None
        Where there is no indicator.
    """

    def __init__(self, indicator, tree, transitions, loss, n_samples=None):
        n, n_labels = (n_samples, len(tree.order)) if indicator is None else indicator.shape
        labels = None if indicator is None else indicator.ravel()
        starts = n_labels * np.arange(n + 1)
        super().__init__(labels, starts, 2, loss, transitions=transitions)
        self.tree = tree

    @cached_property
    def blocks_of_chains(self):
        return [self.tree.block(len(self))]

    def distribution(self, outputs, beta=1.0):
        energies = Labels.arrange(outputs)[0]
        return ChainGibbs(self, -np.asarray(energies, dtype=float), self.transitions, beta)


class LinkedLabelSets(LabelSets):
    """Sets of labels as answers, whose pairs of labels along a tree have energies too.

    A loss sees the correct set and all others, or the most offending one, as of `Chains`.
    """

    blocks = None
    linked, by_input, n_labels = True, False, 2

    def __init__(self, indicator, tree, transitions, loss):
        super().__init__(indicator)
        self.tree, self.transitions, self.loss = tree, transitions, loss

    @property
    def target(self):
        return np.zeros(len(self), dtype=int)

    def of_loss(self, loss):
        """The same for another loss."""
        return LinkedLabelSets(self.indicator, self.tree, self.transitions, loss)

    @property
    def _positions(self):
        return LinkedLabels(self.indicator, self.tree, self.transitions, self.loss)

    def gibbs(self, outputs, offset=None, dtype=None):
        total = outputs if offset is None else outputs + offset
        gibbs, pullback = self._positions.gibbs(total.reshape(-1, 1))
        return gibbs, lambda gradient: pullback(gradient).reshape(outputs.shape)

    def distribution(self, outputs, beta=1.0):
        """The Gibbs distribution over label sets, a `ChainGibbs`."""
        return self._positions.distribution(outputs.reshape(-1, 1), beta)
