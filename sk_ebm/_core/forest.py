"""Sums and maxima over the labels of positions that are linked in trees.

Belief propagation (Pearl, "Reverend Bayes on inference engines", AAAI, 1982), exact on trees; on
chains it is the forward-backward and the Viterbi algorithm. Messages pass between all samples'
positions of one step at once.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

# Logarithms of ratios of messages up to which none of them underflows in double precision.
_LARGEST_RANGE = 600.0
_SMALLEST = np.finfo(float).smallest_normal  # in place of messages that are zero
_FEW_BEST = 4  # of which a maximum each is faster than a partition
_BLOCK = 2**18  # numbers of a temporary array over pairs of labels: 2 MB, which stays in the cache


class Step(NamedTuple):
    """Positions that are linked to their parents by one kind of edge.

    Attributes
    ----------
    children, parents : slice
        Of as many rows; a parent is there once.
    edge : int
        Which of the pairwise potentials links them; -1 where each child row has its own.
    """

    children: slice
    parents: slice
    edge: int


@dataclass(frozen=True)
class Forest:
    """One tree of positions for each of n samples, over m rows.

    Parameters
    ----------
    samples : ndarray of int, shape (m,)
        The sample of each row. The first n rows are the roots, one of each sample, in order.
    steps : tuple of Step
        From the roots to the leaves: every other row is once a child, before it is a parent.
    """

    samples: np.ndarray
    steps: tuple

    @property
    def n_samples(self):
        """Number of trees."""
        return len(self.samples) - sum(len(self.samples[s.children]) for s in self.steps)

    @cached_property
    def most_children(self):
        """The most edges at any row towards the leaves, or 1."""
        counts = np.zeros(len(self.samples), dtype=int)
        for step in self.steps:
            counts[step.parents] += 1
        return max(counts.max(initial=0), 1)


def beliefs(forest, unary, pairwise):
    """Log partition function and marginals of p(labels) = exp(sum unary + sum pairwise) / Z.

    Parameters
    ----------
    forest : Forest
    unary : ndarray of shape (m, K)
        Log potentials of the labels of each row, -inf for those that cannot be.
    pairwise : ndarray of shape (E, K, K), or (m, K, K) for one of each child row
        Log potentials of the label of a parent (first) and of its child, -inf where excluded.

    Returns
    -------
    beliefs : ScaledBeliefs or LogBeliefs
        With ``log_z`` (n,), ``marginals`` (m, K) and ``pair_marginals(weights)``.
    """
    peaks, finite = unary.max(axis=1), pairwise[np.isfinite(pairwise)]
    least = np.min(unary, axis=1, where=np.isfinite(unary), initial=np.inf)
    ranges = np.max(peaks - least, initial=0) + np.ptp(finite) if finite.size else 0.0
    n_links = _links_between_labels(pairwise) * forest.most_children
    if np.isfinite(n_links) and ranges * n_links < _LARGEST_RANGE:
        return ScaledBeliefs(forest, unary, pairwise, peaks)
    return LogBeliefs(forest, unary, pairwise)


def _links_between_labels(pairwise):
    """How many edges lead from any label to any other, infinite where some never do."""
    allowed = np.all(np.isfinite(pairwise), axis=0)
    reached, n_labels = allowed, len(allowed)
    for n_links in range(1, n_labels + 1):
        if reached.all():
            return n_links
        reached = reached.astype(float) @ allowed > 0
    return np.inf


class ScaledBeliefs:
    """By probabilities, rescaled at each position (Rabiner, "A tutorial on hidden Markov models",
    1989): fast, and exact while none of them underflows."""

    def __init__(self, forest, unary, pairwise, peaks):
        self.forest = forest
        pair_peak = pairwise.max(initial=-1e300)
        self._up = np.exp(unary - peaks[:, None])
        self._pairwise = np.exp(pairwise - pair_peak)
        scales = np.empty(len(unary))
        self._ones = np.ones(unary.shape[1])  # sums of short rows are faster as products
        self._messages = []
        for step in reversed(forest.steps):
            child = self._up[step.children]
            scale = np.matmul(child, self._ones, out=scales[step.children])
            child /= scale[:, None]
            message = _to_parents(_of_step(self._pairwise, step), child)
            self._up[step.parents] *= message
            self._messages.append(message)
        n = forest.n_samples
        self._up[:n] /= np.matmul(self._up[:n], self._ones, out=scales[:n])[:, None]
        logs = np.log(scales)
        logs += peaks
        logs[n:] += pair_peak
        self.log_z = np.bincount(forest.samples, logs, n)

    @cached_property
    def _down(self):
        """Marginals, and for each step what parents without their children say, over the sum."""
        marginals, cavities = self._up.copy(), []
        for step, message in zip(self.forest.steps, reversed(self._messages), strict=True):
            parent, child = marginals[step.parents], self._up[step.children]
            cavity = parent / np.maximum(message, _SMALLEST)
            belief = child * _to_children(_of_step(self._pairwise, step), cavity)
            total = (belief @ self._ones)[:, None]
            np.divide(belief, total, out=marginals[step.children])
            cavity /= total
            cavities.append(cavity)
        return marginals, cavities

    @property
    def marginals(self):
        """Probabilities of the labels of each row, (m, K)."""
        return self._down[0]

    def pair_marginals(self, weights):
        """Weighted probabilities of the labels at both ends of an edge, of the pairwise's shape.

        Summed over the rows that share an edge. The weights are those of the samples, (n,).
        """
        total = np.zeros_like(self._pairwise)
        for step, cavity in zip(self.forest.steps, self._down[1], strict=True):
            child = self._up[step.children]
            weighted = cavity * weights[self.forest.samples[step.children]][:, None]
            if step.edge < 0:
                total[step.children] = weighted[:, :, None] * child[:, None]
            else:
                total[step.edge] += weighted.T @ child
        total *= self._pairwise
        return total


class LogBeliefs:
    """The same by logarithms, for any energies: one exponential for each pair of labels."""

    def __init__(self, forest, unary, pairwise):
        self.forest, self._pairwise = forest, pairwise
        self._up, self._messages = unary.astype(float), []
        for step in reversed(forest.steps):
            of_step = _of_step(pairwise, step)
            message = _log_sums(of_step, self._up[step.children])
            self._up[step.parents] += message
            self._messages.append(message)
        self.log_z = logsumexp(self._up[: forest.n_samples], axis=1)

    @cached_property
    def _down(self):
        logs, cavities = self._up.copy(), []
        logs[: len(self.log_z)] -= self.log_z[:, None]
        for step, message in zip(self.forest.steps, reversed(self._messages), strict=True):
            parent = logs[step.parents]
            cavity = np.where(message > -np.inf, parent - np.maximum(message, -1e300), -np.inf)
            of_step = np.swapaxes(_of_step(self._pairwise, step), -1, -2)
            logs[step.children] += _log_sums(of_step, cavity)
            cavities.append(cavity)
        return np.exp(logs), cavities

    @property
    def marginals(self):
        return self._down[0]

    def pair_marginals(self, weights):
        total = np.zeros_like(self._pairwise)
        for step, cavity in zip(self.forest.steps, self._down[1], strict=True):
            of_step, child = _of_step(self._pairwise, step), self._up[step.children]
            logs = of_step + cavity[:, :, None] + child[:, None]
            weighted = np.exp(logs) * weights[self.forest.samples[step.children]][:, None, None]
            if step.edge < 0:
                total[step.children] = weighted
            else:
                total[step.edge] += weighted.sum(axis=0)
        return total


def best_labels(forest, unary, pairwise, k=1):
    """The k labellings of greatest sum of log potentials of each sample, the best first.

    Parameters
    ----------
    forest, unary, pairwise
        As in `beliefs`.
    k : int, default=1

    Returns
    -------
    labels : ndarray of int, shape (k, m)
    totals : ndarray of shape (n, k)
        Their sums; -inf where there are fewer.
    """
    m, n_labels = unary.shape
    lists = np.full((m, n_labels, k), -np.inf)
    lists[:, :, 0] = unary
    choices = []
    for step in reversed(forest.steps):
        message, origin = _best_of_children(_of_step(pairwise, step), lists[step.children], k)
        if forest.most_children == 1:  # nothing is merged: the parent has no other list
            lists[step.parents] = lists[step.parents][:, :, :1] + message
            merged = np.broadcast_to(np.arange(k), message.shape)
        else:
            lists[step.parents], merged = _merge(lists[step.parents], message, k)
        choices.append((origin, merged))
    n = forest.n_samples
    totals, chosen = _largest(lists[:n].reshape(n, -1), k)
    labels = np.empty((k, m), dtype=np.intp)
    ranks = np.empty((k, m), dtype=np.intp)
    labels[:, :n], ranks[:, :n] = np.divmod(chosen.T, k)
    for step, (origin, merged) in zip(forest.steps, reversed(choices), strict=True):
        rows = np.arange(len(origin))
        parents = labels[:, step.parents], ranks[:, step.parents]
        ranks[:, step.parents], of_message = np.divmod(merged[rows, *parents], k)
        chosen = origin[rows, parents[0], of_message]
        labels[:, step.children], ranks[:, step.children] = np.divmod(chosen, k)
    return labels, totals


def sample_labels(forest, unary, pairwise, rng):
    """One labelling of each sample, (m,), drawn from p(labels)."""
    up = LogBeliefs(forest, unary, pairwise)._up
    labels = np.empty(len(unary), dtype=np.intp)
    n = forest.n_samples
    labels[:n] = _draw(up[:n], rng)
    for step in forest.steps:
        parents, of_step = labels[step.parents], _of_step(pairwise, step)
        by_parent = of_step[parents] if of_step.ndim == 2 else of_step[range(len(parents)), parents]
        labels[step.children] = _draw(up[step.children] + by_parent, rng)
    return labels


def total_potentials(forest, unary, pairwise, labels):
    """Sums (n,) of the log potentials of some labels (m,)."""
    rows = np.arange(len(labels))
    totals = unary[rows, labels]
    for step in forest.steps:
        of_step, children = _of_step(pairwise, step), labels[step.children]
        at = (labels[step.parents], children)
        totals[step.children] += (
            of_step[at] if of_step.ndim == 2 else of_step[np.arange(len(children)), *at]
        )
    return np.bincount(forest.samples, totals, forest.n_samples)


def label_pairs(forest, labels, n_labels, weights, shape):
    """Weights (n,) of the samples at the pairs of labels of their edges, of a pairwise's shape."""
    total = np.zeros(shape)
    for step in forest.steps:
        at, weight = labels[step.parents], weights[forest.samples[step.children]]
        children = labels[step.children]
        if step.edge < 0:
            total[np.arange(len(labels))[step.children], at, children] = weight
        else:
            counts = np.bincount(at * n_labels + children, weight, n_labels**2)
            total[step.edge] += counts.reshape(n_labels, n_labels)
    return total


def _of_step(pairwise, step):
    """The potentials of a step: (K, K), or (b, K, K) for those of each row."""
    return pairwise[step.edge] if step.edge >= 0 else pairwise[step.children]


def _to_parents(potentials, child):
    if potentials.ndim == 2:
        return child @ potentials.T
    return np.matmul(potentials, child[:, :, None])[:, :, 0]


def _to_children(potentials, parent):
    if potentials.ndim == 2:
        return parent @ potentials
    return np.matmul(parent[:, None], potentials)[:, 0]


def _log_sums(potentials, logs):
    """log sum_j exp(potentials[i, j] + logs[j]) of each row, (b, K)."""
    out = np.empty_like(logs)
    for rows in _row_blocks(len(logs), potentials.shape[-1] ** 2):
        of_rows = potentials if potentials.ndim == 2 else potentials[rows]
        out[rows] = logsumexp(of_rows + logs[rows][:, None], axis=2)
    return out


def _best_of_children(potentials, lists, k):
    """For each label of a parent the k best of its child's, (b, K, k), and where they come from."""
    b, n_labels, _ = lists.shape
    values, origin = np.empty((b, n_labels, k)), np.empty((b, n_labels, k), dtype=np.intp)
    for rows in _row_blocks(b, n_labels**2 * k):
        of_rows = potentials if potentials.ndim == 2 else potentials[rows]
        candidates = of_rows[..., None] + lists[rows][:, None]
        flat = candidates.reshape(len(candidates), n_labels, -1)
        values[rows], origin[rows] = _largest(flat, k)
    return values, origin


def _merge(lists, message, k):
    """The k largest sums of one of each list, and which they are."""
    sums = lists[..., :, None] + message[..., None, :]
    return _largest(sums.reshape(*lists.shape[:2], -1), k)


def _largest(values, k):
    """The k largest along the last axis, the largest first, and their indices."""
    if k <= min(_FEW_BEST, values.shape[-1]):
        return _successive(values, k)
    if k < values.shape[-1]:
        index = np.argpartition(-values, k - 1, axis=-1)[..., :k]
        order = np.argsort(-np.take_along_axis(values, index, axis=-1), axis=-1, kind="stable")
        index = np.take_along_axis(index, order, axis=-1)
    else:
        index = np.argsort(-values, axis=-1, kind="stable")
    found = np.take_along_axis(values, index, axis=-1)
    missing = k - found.shape[-1]
    if missing > 0:
        pad = [(0, 0)] * (values.ndim - 1) + [(0, missing)]
        return np.pad(found, pad, constant_values=-np.inf), np.pad(index, pad)
    return found, index


def _successive(values, k):
    """The same, by k maxima; the values are written on where k is 2 or more."""
    found = np.empty((*values.shape[:-1], k))
    index = np.empty(found.shape, dtype=np.intp)
    for rank in range(k):
        if rank:
            np.put_along_axis(values, index[..., rank - 1 : rank], -np.inf, axis=-1)
        index[..., rank] = values.argmax(axis=-1)
        best = np.take_along_axis(values, index[..., rank : rank + 1], axis=-1)
        found[..., rank] = best[..., 0]
    return found, index


def _draw(logs, rng):
    """One index of each row, drawn in proportion to exp(logs)."""
    return (logs + rng.gumbel(size=logs.shape)).argmax(axis=1)


def _row_blocks(n_rows, size):
    step = max(_BLOCK // size, 1)
    return (slice(start, start + step) for start in range(0, n_rows, step))
