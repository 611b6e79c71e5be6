"""Classes of which some are drawn as candidates of each mini-batch: sampled softmax (Jean, Cho,
Memisevic and Bengio, "On using very large target vocabulary", ACL, 2015)."""

from copy import copy
from numbers import Integral
from typing import NamedTuple

import numpy as np

from sk_ebm._core.answers import Answers
from sk_ebm._core.classes import Labels
from sk_ebm._utils.memory import check_fits_in_memory
from sk_ebm._utils.validation import check_choice, check_number

PROPOSALS = ("frequency", "uniform", "hardest")
# Classes up to which all are candidates by default. With ten rows of 64 columns a class, 512
# negatives take "embedding" 1.4, .6 and .8 times as long as all of 1,000, 2,000 and 4,000 classes,
# and cost .1, .35 and .1 points of accuracy; the linear energy takes .03 times as long at 1,000 and
# gains 14 points, as it starts from class means (docs/benchmarks/answers.py --part sampled).
_FEW_CLASSES = 1000
N_NEGATIVES = 512
_HELD_ARRAYS = 4  # energies, probabilities, gradient and second derivatives: fewer than any fit has
_N_NEAREST, _N_OTHERS = 64, 1024  # candidates that stand for all on held-out rows; not tuned


def check_candidates(energy, negatives, proposal, solver):
    """Raise a ValueError if classes cannot be drawn so."""
    check_number("negatives", negatives, 1, closed=True, kind=Integral, other=("auto", "all"))
    check_choice("proposal", proposal, PROPOSALS)
    if isinstance(negatives, str):
        return
    if not energy.samples_classes:
        raise ValueError(
            f"negatives={negatives} needs an energy that can compute the outputs of some classes: "
            f"'linear', 'mlp' or 'embedding', got energy={energy!r}. Use one of these, or "
            "negatives='all'."
        )
    if solver not in ("auto", "adam"):
        raise ValueError(
            f"negatives={negatives} needs mini-batches, got solver={solver!r}. Use solver='auto' "
            "or 'adam', or negatives='all'."
        )


def candidates_of(labels, energy, negatives, proposal, solver):
    """The labels themselves, or as `Sampled`.

    By default all are candidates up to 1,000 classes, whatever the number of rows and columns, and
    where the energy or the solver cannot be fitted to some.
    """
    n_classes, n_negatives = labels.n_classes, negatives
    if negatives == "auto":
        samples = labels.can_be_drawn and energy.samples_classes and solver in ("auto", "adam")
        n_negatives = N_NEGATIVES if samples and n_classes > _FEW_CLASSES else "all"
    if n_negatives == "all" or n_negatives >= n_classes:
        _check_fits(labels, energy)
        return labels
    return Sampled(labels, n_negatives, proposal)


def _check_fits(labels, energy):
    """Raise a ValueError where the energies of all classes exceed the available memory."""
    remedy = "Use energy='linear', 'mlp' or 'embedding' alone, which draw candidates."
    if energy.samples_classes:
        remedy = "Use negatives='auto' or a number, and solver='auto' or 'adam'."
    what = f"Energies of all {labels.n_classes} classes for {len(labels)} rows"
    check_fits_in_memory(_HELD_ARRAYS * 8 * len(labels) * labels.n_classes, what, remedy)


class Sampled(Labels):
    """Classes as answers, of which a mini-batch has some as candidates.

    Candidates are the correct classes of the batch, and negatives that all its samples share,
    drawn with replacement from a proposal q. The base measure of a negative y that was drawn m
    times among s is m / (s q(y)), so that the partition function is estimated without bias; that of
    the correct class is 1.

    Parameters
    ----------
    labels : Labels
    n_negatives : int
    proposal : {"frequency", "uniform", "hardest"}
        "hardest" takes the classes nearest to the correct ones of the batch, each with measure 1,
        as half of the negatives, and draws the others by frequency.
    """

    blocks = None

    def __init__(self, labels, n_negatives, proposal="frequency"):
        super().__init__(labels.target, labels.n_classes, labels.classes)
        self.n_negatives = int(n_negatives)  # which JSON takes, as part of `inference_`
        self.proposal = proposal
        self.neighbours = None
        counts = np.bincount(self.target, minlength=self.n_classes).astype(float)
        self.q = counts if proposal != "uniform" else np.ones(self.n_classes)
        self.q /= self.q.sum()
        self._cumulative = np.cumsum(self.q)

    def take(self, samples):
        part = copy(self)
        part.target = self.target[samples]
        return part

    def known_folds(self, folds, weights, rng, warns=False):
        """The folds as they are: held-out samples whose class has no other say nothing, and are
        left out, for there may be very many."""
        return folds

    def among(self, neighbours):
        """The same with the classes nearest to each, (n_classes, k)."""
        answers = copy(self)
        answers.neighbours = neighbours
        return answers

    def batch(self, samples, rng):
        target = self.target[samples]
        near = self._nearest(target)
        n_drawn = max(self.n_negatives - len(near), 1)
        drawn = np.searchsorted(self._cumulative, rng.uniform(size=n_drawn) * self._cumulative[-1])
        drawn, times = np.unique(drawn.clip(max=self.n_classes - 1), return_counts=True)
        drawn, times, rest = self._others(drawn, times, near)
        columns = np.unique(np.concatenate([target, drawn, near]))
        log_measure = np.full(len(columns), -np.inf)
        weights = times * (rest / np.maximum(times.sum(), 1)) / self.q[drawn]
        log_measure[np.searchsorted(columns, drawn)] = np.log(weights)
        log_measure[np.searchsorted(columns, near)] = 0.0
        return Candidates(np.searchsorted(columns, target), columns, log_measure)

    def _nearest(self, target):
        """Classes nearest to those of a batch, at most half of the negatives."""
        half = self.n_negatives // 2
        if self.neighbours is None or not half:
            return np.empty(0, dtype=int)
        n_each = max(half // len(target), 1)
        return np.unique(self.neighbours[target[:half], :n_each])

    def _others(self, drawn, times, near):
        """Draws without the nearest classes, and the share of q that is left to them."""
        if not len(near):
            return drawn, times, 1.0
        kept = ~np.isin(drawn, near, assume_unique=True)
        return drawn[kept], times[kept], max(1 - self.q[near].sum(), 1e-12)


class Candidates(Answers):
    """Samples whose candidates are some classes, the same for all.

    Parameters
    ----------
    target : ndarray of int, shape (n,)
        Index of the correct class among the candidates.
    columns : ndarray of int, shape (k,)
        The candidates, in ascending order.
    log_measures : ndarray of shape (k,)
        Log base measures of the candidates where they are incorrect.
    """

    shift_axis = 1

    def __init__(self, target, columns, log_measures):
        self.target, self.columns = target, columns
        self.log_measure = np.broadcast_to(log_measures, (len(target), len(columns))).copy()
        self.log_measure[np.arange(len(target)), target] = 0.0

    def __len__(self):
        return len(self.target)

    @property
    def n_outputs(self):
        return self.log_measure.shape[1]

    def gibbs(self, outputs, offset=None, dtype=None):
        return super().gibbs(outputs, offset, outputs.dtype if dtype is None else dtype)

    @staticmethod
    def arrange(outputs):
        return -outputs, lambda gradient: -gradient


class HeldOutCandidates(NamedTuple):
    """Classes that stand for all on held-out samples: the correct one, the nearest of each sample,
    each with measure 1, and some of all others, with the measure of how many they stand for.

    Attributes
    ----------
    own : ndarray of shape (n, 1 + n_nearest)
        The correct class and the nearest.
    others : ndarray of shape (n_others,)
        Drawn with equal probabilities, for all samples.
    answers : Candidates
        With the correct class first.
    """

    own: np.ndarray
    others: np.ndarray
    answers: object

    @classmethod
    def of(cls, target, outputs_in_blocks, n_classes, rng):
        """From outputs of all classes in blocks of samples, (rows, outputs)."""
        k = min(_N_NEAREST, n_classes)
        own = np.empty((len(target), 1 + k), dtype=np.intp)
        own[:, 0] = target
        for rows, outputs in outputs_in_blocks:
            own[rows, 1:] = np.argpartition(outputs, n_classes - k, axis=1)[:, n_classes - k :]
        others = rng.permutation(n_classes)[:_N_OTHERS]
        n_candidates = 1 + k + len(others)
        answers = Candidates(np.zeros(len(target), dtype=int), np.arange(n_candidates), 0.0)
        answers.columns = None
        measure = answers.log_measure
        repeated = own[:, 1:] == own[:, :1]
        measure[:, 1 : 1 + k][repeated] = -np.inf
        position = np.full(n_classes, -1)
        position[others] = np.arange(len(others))
        where = position[own]
        known = np.zeros((len(target), len(others)), dtype=bool)
        rows, columns = np.nonzero(where >= 0)
        known[rows, where[rows, columns]] = True
        n_known = 1 + k - repeated.sum(axis=1)
        n_left = len(others) - known.sum(axis=1)
        weight = np.log(np.maximum(n_classes - n_known, 1) / np.maximum(n_left, 1))
        measure[:, 1 + k :] = np.where(known, -np.inf, weight[:, None])
        return cls(own, others, answers)

    def outputs(self, features, vectors, biases):
        """Outputs (n, 1 + n_nearest + n_others) of the candidates."""
        near = np.empty(self.own.shape, dtype=features.dtype)
        for rows in np.array_split(np.arange(len(features)), len(features) // 256 + 1):
            near[rows] = np.einsum("nr,nkr->nk", features[rows], vectors[self.own[rows]])
        near += biases[self.own]
        others = features @ vectors[self.others].T + biases[self.others]
        return np.concatenate([near, others], axis=1)
