"""Label sequences as answers: chains of positions, whose neighbouring labels have energies too."""

from copy import copy
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sk_ebm._core.answers import Answers
from sk_ebm._core.classes import Labels
from sk_ebm._core.folds import shuffled_folds
from sk_ebm._core.forest import (
    Forest,
    Step,
    beliefs,
    best_labels,
    label_pairs,
    sample_labels,
    total_potentials,
)
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.temperature import most_likely_beta
from sk_ebm.losses import Hinge
from sk_ebm.losses._contrast import ContrastiveLoss

_BLOCK_POSITIONS = 2**15  # of a block of sequences; whole arrays of 17 labels then take 4 MB
_LEAST_REST = 1e-15  # least probability of all incorrect sequences, so that logarithms are finite


class Block(NamedTuple):
    """Sequences of similar lengths, whose positions are ordered by time.

    Attributes
    ----------
    sequences : ndarray of int, shape (b,)
        The longest first.
    rows : ndarray of int
        The row of each position.
    forest : Forest
    """

    sequences: np.ndarray
    rows: np.ndarray
    forest: Forest


def blocks_of(starts):
    """Blocks of the sequences that begin at the rows ``starts`` (n + 1,), which ends them."""
    lengths = np.diff(starts)
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order]) // _BLOCK_POSITIONS
    parts = np.split(order, np.flatnonzero(np.diff(ends)) + 1)
    return [_block(starts, lengths, part) for part in parts]


def _block(starts, lengths, sequences):
    counts = np.searchsorted(-lengths[sequences], -np.arange(lengths[sequences[0]]), "left")
    offsets = np.concatenate([[0], np.cumsum(counts)])
    first = starts[sequences]
    rows = np.concatenate([first[:count] + t for t, count in enumerate(counts)])
    samples = np.concatenate([np.arange(count) for count in counts])
    steps = tuple(
        Step(slice(start, start + count), slice(before, before + count), 0)
        for before, start, count in zip(offsets, offsets[1:], counts[1:], strict=False)
    )
    return Block(sequences, rows, Forest(samples, steps))


class Chains(Answers):
    """Label sequences as answers.

    The energy of a sequence is the sum of those of its labels, one for each position, and of its
    transitions, one for each pair of neighbouring labels. A loss sees two candidates: the correct
    sequence, and all incorrect ones, by their free energy; or, where it contrasts, the most
    offending incorrect one (for the hinge loss under energies lowered by the margin for each wrong
    label: Taskar, Guestrin and Koller, "Max-margin Markov networks", NIPS, 2003). Values and
    gradients of the losses of Table 1 are then those over all sequences.

    Outputs (m, K) are negative energies of the labels of each row. Transitions are

    - those given; or else
    - the last K rows of outputs (m + K, K), of the label before and of that after; or
    - further columns of outputs (m, K + K^2), of each row with the row before (``by_input``).

    Parameters
    ----------
    labels : ndarray of int, shape (m,)
    starts : ndarray of int, shape (n + 1,)
        First rows of the sequences, and the end.
    n_labels : int
    loss : Loss
        Which the candidates are for.
    transitions : ndarray of shape (K, K), default=None
        Negative energies.
    by_input : bool, default=False
    allowed : tuple of ndarray of bool, shapes (K,) and (K, K), default=None
        First labels and transitions that can be; None means all.
    """

    def __init__(
        self, labels, starts, n_labels, loss, *, transitions=None, by_input=False, allowed=None
    ):
        self.labels, self.starts, self.n_labels, self.loss = labels, starts, n_labels, loss
        self.transitions, self.by_input, self.allowed = transitions, by_input, allowed

    @property
    def target(self):
        return np.zeros(len(self), dtype=int)

    @property
    def n_outputs(self):
        return self.n_labels * (1 + self.n_labels * self.by_input)

    def __len__(self):
        return len(self.starts) - 1

    @cached_property
    def blocks_of_chains(self):
        """Blocks of similar lengths."""
        return blocks_of(self.starts)

    def take(self, samples):
        rows = self.rows(samples)
        lengths = np.diff(self.starts)[samples]
        part = copy(self)
        vars(part).pop("blocks_of_chains", None)
        part.labels = None if self.labels is None else self.labels[rows]
        part.starts = np.concatenate([[0], np.cumsum(lengths)])
        return part

    def with_transitions(self, transitions):
        """The same with given transitions."""
        part = copy(self)
        part.transitions = transitions
        return part

    def of_loss(self, loss):
        """The same for another loss."""
        part = copy(self)
        part.loss = loss
        return part

    def rows(self, samples):
        starts, lengths = self.starts[:-1][samples], np.diff(self.starts)[samples]
        ends = np.cumsum(lengths)
        return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)

    def per_row(self, values):
        return np.repeat(values, np.diff(self.starts))

    def folds(self, n_folds, rng):
        """Shuffled folds of whole sequences."""
        return shuffled_folds(len(self), n_folds, rng)

    def gibbs(self, outputs, offset=None, dtype=None):
        if offset is not None:
            raise ValueError("Sequences take no offset: residual sums are of classes.")
        chains = self.distribution(outputs)
        contrasts = isinstance(self.loss, ContrastiveLoss)
        candidates = _contrasted(chains, self.loss) if contrasts else _likelihood(chains, self.loss)
        energies, by_labels = candidates

        def pullback(gradient):
            by_unary, by_pairs = by_labels(gradient)
            return self._by_outputs(outputs, by_unary, by_pairs)

        return Gibbs(energies), pullback

    def _by_outputs(self, outputs, by_unary, by_pairs):
        """Gradients by energies of labels (m, K) and transitions, as one by the outputs."""
        if self.by_input:
            return -np.hstack([by_unary, by_pairs.reshape(len(by_unary), -1)])
        if self.transitions is None:
            return -np.vstack([by_unary, by_pairs[0]])
        if outputs.shape[1] == 1:
            return Labels.arrange(outputs)[1](by_unary)
        return -by_unary

    def distribution(self, outputs, beta=1.0):
        """The Gibbs distribution over label sequences, a `ChainGibbs`."""
        m, k = int(self.starts[-1]), self.n_labels
        energies = Labels.arrange(outputs[:m, : outputs.shape[1] if not self.by_input else k])[0]
        if self.by_input:
            transitions = outputs[:, k:].reshape(m, k, k)
        elif self.transitions is None:
            transitions = outputs[m:][None]
        else:
            transitions = self.transitions[None]
        return ChainGibbs(self, -np.asarray(energies, dtype=float), transitions, beta)


class ChainGibbs:
    """p(labels given x) = exp(-beta E(x, labels)) / Z(x) over all label sequences.

    Parameters
    ----------
    chains : Chains
    unary : ndarray of shape (m, K)
        Negative energies of the labels.
    transitions : ndarray of shape (1, K, K) or (m, K, K)
    beta : float, default=1.0
    """

    def __init__(self, chains, unary, transitions, beta=1.0):
        self.chains, self.unary, self.transitions, self.beta = chains, unary, transitions, beta

    def at(self, beta):
        """The same energies at another inverse temperature."""
        return ChainGibbs(self.chains, self.unary, self.transitions, beta)

    def scaled(self, factor):
        """The distribution of these energies times a factor."""
        return ChainGibbs(self.chains, factor * self.unary, factor * self.transitions, self.beta)

    @cached_property
    def _potentials(self):
        """(block, forest, unary, pairwise) of each block: log potentials at beta."""
        return list(self._blocks(self.unary))

    def _blocks(self, unary):
        by_input, allowed = self.chains.by_input, self.chains.allowed
        pairwise = self.beta * self.transitions
        if allowed is not None:
            pairwise = np.where(allowed[1], pairwise, -np.inf)
        for block in self.chains.blocks_of_chains:
            forest, of_block = block.forest, self.beta * unary[block.rows]
            if by_input:
                steps = tuple(step._replace(edge=-1) for step in forest.steps)
                forest = Forest(forest.samples, steps)
            if allowed is not None:
                of_block[: forest.n_samples, ~allowed[0]] = -np.inf
            yield block, forest, of_block, pairwise[block.rows] if by_input else pairwise

    @cached_property
    def _beliefs(self):
        return [(block, beliefs(*potentials)) for block, *potentials in self._potentials]

    @property
    def log_z(self):
        """Log partition function of each sequence, (n,), in nats."""
        return self._of_sequences((b, found.log_z) for b, found in self._beliefs)

    @property
    def free_energy(self):
        """-(1/beta) log Z, (n,)."""
        return -self.log_z / self.beta

    @property
    def marginals(self):
        """Probabilities of the labels of each row, (m, K)."""
        return self._of_rows((b, found.marginals) for b, found in self._beliefs)

    def pair_marginals(self, weights):
        """Probabilities of the transitions, weighted by sequence (n,), of the transitions' shape:
        summed over rows, or of each row and the one before."""
        return self._of_pairs(
            (b, found.pair_marginals(weights[b.sequences])) for b, found in self._beliefs
        )

    def pairs_of(self, labels, weights):
        """Weights (n,) of the sequences at the transitions of some labels (m,)."""
        n_labels = self.chains.n_labels

        def of(block, forest, unary, pairwise):
            of_block = labels[block.rows], n_labels, weights[block.sequences], pairwise.shape
            return label_pairs(forest, *of_block)

        return self._of_pairs((block, of(block, *rest)) for block, *rest in self._potentials)

    def energies_of(self, labels):
        """Energies (n,) of label sequences, given as labels (m,); infinite where one cannot be."""
        totals = self._of_sequences(
            (block, total_potentials(*potentials, labels[block.rows]))
            for block, *potentials in self._potentials
        )
        return -totals / self.beta

    def best(self, k=1, bonus=None):
        """The k label sequences of least energy, (k, m), and their energies (n, k), the best first;
        infinite where there are fewer. A ``bonus`` (m, K) is taken off the energies of labels."""
        labels = np.empty((k, len(self.unary)), dtype=np.intp)
        energies = np.empty((len(self.chains), k))
        unary = self.unary if bonus is None else self.unary + bonus
        for block, *potentials in self._potentials if bonus is None else self._blocks(unary):
            labels[:, block.rows], totals = best_labels(*potentials, k=k)
            energies[block.sequences] = -totals / self.beta
        return labels, energies

    @property
    def mode(self):
        """Labels (m,) of the sequences of least energy."""
        return self.best()[0][0]

    def sample(self, rng):
        """Labels (m,) of one sequence each, drawn from the distribution."""
        return self._of_rows(
            (block, sample_labels(*potentials, rng)) for block, *potentials in self._potentials
        )

    def mean_energy(self, weights):
        """Weighted sum of the expected energies <E> of the sequences."""
        of_labels = self.chains.per_row(weights) @ np.sum(self.marginals * self.unary, axis=1)
        return -float(of_labels + np.vdot(self.pair_marginals(weights), self.transitions))

    def _of_sequences(self, values):
        out = np.empty(len(self.chains))
        for block, of_block in values:
            out[block.sequences] = of_block
        return out

    def _of_rows(self, values):
        out = None
        for block, of_block in values:
            if out is None:
                out = np.empty((len(self.unary), *of_block.shape[1:]), of_block.dtype)
            out[block.rows] = of_block
        return out

    def _of_pairs(self, values):
        out = np.zeros(self.transitions.shape)
        for block, of_block in values:
            if self.chains.by_input:
                out[block.rows] = of_block
            else:
                out += of_block
        return out


class _BetaLikelihood:
    """The negative log-likelihood of some sequences as a function of beta.

    Parameters
    ----------
    gibbs : ChainGibbs
        Of held-out sequences.
    weights : ndarray of shape (n,)
    total : float
        The weight of these and other sequences.
    """

    def __init__(self, gibbs, weights, total):
        self.gibbs, self.shares = gibbs, weights / total
        correct = gibbs.energies_of(gibbs.chains.labels)
        flat = ChainGibbs(gibbs.chains, 0 * gibbs.unary, 0 * gibbs.transitions)
        by_chance = ChainGibbs(gibbs.chains, gibbs.unary, gibbs.transitions, 0.0)
        self.scale = flat.log_z @ self.shares
        smoothed = self.shares @ correct
        self.smoothed = smoothed + (by_chance.mean_energy(self.shares) - smoothed) / (total + 1)

    def derivative(self, beta):
        """d NLL / d beta = E+ - <E>."""
        return self.smoothed - self.gibbs.at(beta).mean_energy(self.shares)


def _likelihood(gibbs, loss):
    """Energies (n, 2) of the correct sequences and of all others together, and the pullback."""
    beta, chains = getattr(loss, "beta", 1.0), gibbs.chains
    gibbs = gibbs.at(beta)
    correct, log_z = gibbs.energies_of(chains.labels), gibbs.log_z
    p = np.exp(np.minimum(-beta * correct - log_z, 0))
    rest = np.maximum(1 - p, _LEAST_REST)
    others = -(log_z + np.log(rest)) / beta

    def pullback(gradient):
        by_all = gradient[:, 1] / rest
        by_correct = gradient[:, 0] - by_all * p
        by_unary = gibbs.marginals * chains.per_row(by_all)[:, None]
        by_unary[np.arange(len(by_unary)), chains.labels] += chains.per_row(by_correct)
        by_pairs = gibbs.pair_marginals(by_all) + gibbs.pairs_of(chains.labels, by_correct)
        return by_unary, by_pairs

    return np.column_stack([correct, others]), pullback


def _contrasted(gibbs, loss):
    """Energies (n, 2) of the correct and of the most offending incorrect sequences, and the
    pullback."""
    chains, labels = gibbs.chains, gibbs.chains.labels
    margin, bonus, rows = getattr(loss, "margin", 1.0), None, np.arange(len(labels))
    if isinstance(loss, Hinge):
        bonus = np.full(gibbs.unary.shape, margin)
        bonus[rows, labels] = 0.0
    # Where the correct sequence is the best under the margin, the hinge loss is zero.
    best, energies = gibbs.best(1 if bonus is not None else 2, bonus)
    wrong = np.logical_or.reduceat(best[0] != labels, chains.starts[:-1])
    huge = np.finfo(float).max ** 0.25
    second = np.minimum(energies[:, -1], huge) if bonus is None else huge
    offending = np.where(chains.per_row(wrong), best[0], best[-1])
    least = np.where(wrong, energies[:, 0] + (0 if bonus is None else margin), second)
    pairs = np.column_stack([gibbs.energies_of(labels), least])

    def pullback(gradient):
        by_unary = np.zeros(gibbs.unary.shape)
        by_unary[rows, labels] += chains.per_row(gradient[:, 0])
        by_unary[rows, offending] += chains.per_row(gradient[:, 1])
        by_pairs = gibbs.pairs_of(labels, gradient[:, 0])
        return by_unary, by_pairs + gibbs.pairs_of(offending, gradient[:, 1])

    return pairs, pullback


def learn_chain_beta(distributions, weights):
    """The beta of greatest likelihood of held-out sequences.

    As `learn_beta`, with one pseudo-sequence whose labels are drawn at random.

    Parameters
    ----------
    distributions : list of ChainGibbs
        Of the sequences of each fold.
    weights : list of ndarray of shape (n,)
    """
    total = sum(part.sum() for part in weights)
    blocks = [
        _BetaLikelihood(gibbs, part, total)
        for gibbs, part in zip(distributions, weights, strict=True)
    ]
    scale = sum(block.scale for block in blocks)
    return most_likely_beta(blocks, scale) if scale > 0 else 1.0
