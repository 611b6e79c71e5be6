"""The words energy: sparse class vectors in the whole vocabulary."""

from copy import copy
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from sk_ebm._core.sampled import HeldOutCandidates, Sampled
from sk_ebm._core.training import FitResult
from sk_ebm._utils.validation import check_number, check_scales
from sk_ebm.energies._base import Energy
from sk_ebm.energies._class_choice import held_out_pairs

# docs/benchmarks/answers.py --part text: the best of each set lies inside, by up to 3 points.
_SMOOTHINGS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_POWERS = (1.0, 0.5)  # counts of repeated words are too sure: roots gain up to 1 point
_DEFAULT_SMOOTHING = 10.0  # where nothing can be held out
_WIDE = 1000  # columns from which covariances cost more than words
_ABSENT = -700.0  # bias of a class without weight: e^-700 of the probability of the others
_BLOCK_ENTRIES = 2**23
# Share of the classes above which a word is frequent: with 30,000 classes dense products of these
# take less than half of the time (docs/benchmarks/answers.py --part text).
_FREQUENT = 0.1


def suits_words(inputs):
    """Whether the inputs look like text: wide, sparse, and never negative."""
    wide = sparse.issparse(inputs) and inputs.shape[1] > _WIDE
    return wide and (inputs.nnz == 0 or inputs.data.min() >= 0)


class WordsEnergy(Energy):
    """Naive Bayes whose class vectors are sparse: -E(x, y) = c log p(x given y) / p(x) + b_y.

    For counts or tf-idf weights x of words, of each row scaled to unit length,

        log p(x given y) / p(x) = sum_j x_j log(1 + n_yj / (a q_j)) - |x|_1 log(1 + N_y / a),

    where n_yj is how much of word j the rows of class y hold, N_y their sum over the words, q_j the
    share of word j in all rows, and a the strength of a Dirichlet prior around q [1]_: words that a
    class has never shown count as they do elsewhere. So classes of a single row are ordinary, and
    the vectors take no more memory than the rows. The prior, a power of x that tempers repeated
    words, the scale c, and whether b_y is the log share of the class, are those of greatest
    likelihood on held-out rows.

    Parameters
    ----------
    smoothing : float or "auto", default="auto"
        Of the prior, in the mean weight of a row: a, with N_y counted in rows.

    Attributes
    ----------
    vectors_ : CSC array of shape (n_classes, n_features + 1)
        The last column is of |x|_1.
    biases_ : ndarray of shape (n_classes,)
    smoothing_, power_, scale_ : float

    References
    ----------
    .. [1] Zhai and Lafferty, "A study of smoothing methods for language models applied to
       information retrieval", ACM TOIS, 2004.
    """

    answers = frozenset({"classes"})
    rejects_by_least = True
    takes_class_features = True
    samples_classes = True  # on held-out rows

    def __init__(self, smoothing="auto"):
        self.smoothing = smoothing

    def check(self):
        check_number("smoothing", self.smoothing, 0, other=("auto",))

    def fit(self, inputs, training):
        check_scales(inputs)
        if training.class_features is not None:
            raise ValueError(
                "class_features= is for means of classes, and WordsEnergy counts words. Use "
                "energy='embedding', or leave class_features out."
            )
        inputs = sparse.csr_array(inputs)
        if inputs.nnz and inputs.data.min() < 0:
            raise ValueError(
                "WordsEnergy needs counts or tf-idf weights, which are never negative, got "
                f"{inputs.data.min():g}. Use energy='linear' or 'embedding'."
            )
        chosen, held_out, objective = self._chosen(inputs, training)
        targets = training.answers.target, training.objective.weights, training.answers.n_classes
        fitted = chosen._with_counts(WordCounts.of(inputs, *targets, chosen.power_))
        return FitResult(fitted, held_out, held_out_objective=objective)

    def _chosen(self, inputs, training):
        """Itself with what is chosen on held-out samples, these with their outputs, and their
        objective; without any, defaults and None."""
        folds = [_HeldOut.of(inputs, training, *pair) for pair in held_out_pairs(training)]
        folds = [fold for fold in folds if len(fold.samples)]
        smoothings = _SMOOTHINGS if self.smoothing == "auto" else (self.smoothing,)
        if not folds:
            default = _DEFAULT_SMOOTHING if self.smoothing == "auto" else self.smoothing
            return self._with(default, _POWERS[0]), None, None
        samples = np.concatenate([fold.samples for fold in folds])
        objective = folds[0].objective if len(folds) == 1 else training.objective.take(samples)
        best = np.inf, None, None
        for power in _POWERS:
            counts = [fold.counts(inputs, training, power) for fold in folds]
            for smoothing in smoothings:
                found = _likeliest(self._with(smoothing, power), counts, folds, objective)
                best = min(best, found, key=itemgetter(0))
        _, energy, outputs = best
        return energy, (samples, outputs), objective

    def _with(self, smoothing, power, scale=1.0, has_shares=False):
        energy = copy(self)
        energy.smoothing_, energy.power_ = float(smoothing), float(power)
        energy.scale_, energy._has_shares = float(scale), has_shares
        return energy

    def _with_counts(self, counts):
        """Itself fitted to these counts."""
        fitted = copy(self)
        fitted.prior_ = WordPrior.of(counts, self.smoothing_)
        vectors = self.scale_ * fitted.prior_.vectors(counts.by_class)
        return fitted._with_vectors(vectors, counts.biases(self._has_shares))

    def _with_vectors(self, vectors, biases):
        """Itself with these vectors, of which frequent words are also held in a dense matrix."""
        self.vectors_, self.biases_ = vectors, biases
        n_classes_with = np.diff(vectors.indptr)
        self._frequent = np.flatnonzero(n_classes_with > _FREQUENT * len(biases))
        self._of_frequent = vectors[:, self._frequent].T.toarray()
        kept = np.ones(len(n_classes_with), vectors.dtype)
        kept[self._frequent] = 0
        self._of_others = (sparse.diags_array(kept) @ vectors.T).tocsr()
        self._of_others.eliminate_zeros()
        return self

    def features(self, inputs):
        """Rows of unit length, and their sums, (m, n_features + 1)."""
        return _features(inputs, self.power_, self.prior_.shares > 0)

    def class_vectors(self):
        return self.vectors_, self.biases_

    def with_classes(self, new, order):
        """With the prior of the fitted classes; the new ones are as common as most of these."""
        targets = new.target, new.weights, new.n_classes
        counts = WordCounts.of(new.inputs, *targets, self.power_, self.prior_.shares > 0)
        vectors = self.scale_ * self.prior_.vectors(counts.by_class)
        vectors = sparse.vstack([self.vectors_, vectors], format="csr")[order].tocsc()
        biases = np.full(new.n_classes, np.median(self.biases_), self.biases_.dtype)
        return copy(self)._with_vectors(vectors, np.append(self.biases_, biases)[order])

    def __call__(self, inputs):
        features = self.features(inputs)
        outputs = features[:, self._frequent].toarray() @ self._of_frequent
        outputs += self.biases_
        others = features @ self._of_others
        for row, start, stop in zip(outputs, others.indptr[:-1], others.indptr[1:], strict=True):
            row[others.indices[start:stop]] += others.data[start:stop]
        return outputs


class WordCounts(NamedTuple):
    """How much of each word the rows of each class hold.

    Attributes
    ----------
    by_class : CSC array of shape (K, d)
    words : ndarray of shape (d,)
        Of all classes.
    weights : ndarray of shape (K,)
        Of the rows of each class.
    """

    by_class: sparse.csc_array
    words: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, inputs, target, weights, n_classes, power, known=None):
        shape = n_classes, len(target)
        values = weights.astype(inputs.dtype), (target, np.arange(len(target)))
        members = sparse.csr_array(values, shape)
        by_class = (members @ _features(inputs, power, known)[:, :-1]).tocsc()
        by_class.eliminate_zeros()
        words = by_class.sum(axis=0, dtype=np.float64)
        return cls(by_class, words, np.bincount(target, weights, n_classes))

    def biases(self, has_shares):
        """The log shares of the classes, or zeros; next to nothing without weight."""
        shares = self.weights / self.weights.sum()
        biases = np.log(np.maximum(shares, np.exp(_ABSENT)))
        biases = biases if has_shares else np.where(shares > 0, 0.0, _ABSENT)
        return biases.astype(self.by_class.dtype)


class WordPrior(NamedTuple):
    """What is expected of a class before its rows are seen: the words of all, shares (d,).

    The strength is the weight of so many words.
    """

    shares: np.ndarray
    strength: float
    coef: None = None  # of class features, which it does not read

    @classmethod
    def of(cls, counts, smoothing):
        total = counts.words.sum() or 1.0
        return cls(counts.words / total, smoothing * total / counts.weights.sum())

    def vectors(self, by_class):
        """log(1 + n / (a q)) of the words and -log(1 + N / a) of their sum, (K, d + 1)."""
        vectors, dtype = by_class.copy(), by_class.dtype
        expected = np.repeat(self.strength * self.shares, np.diff(vectors.indptr))
        vectors.data = np.log1p(vectors.data / expected).astype(dtype)
        last = -np.log1p(by_class.sum(axis=1, dtype=np.float64) / self.strength)
        return sparse.hstack([vectors, last.astype(dtype)[:, None]], format="csc")


class _HeldOut(NamedTuple):
    """Training and held-out samples of a fold, and what it is evaluated on."""

    train: np.ndarray
    samples: np.ndarray  # without those whose class the others lack
    inputs: sparse.csr_array  # of the samples
    objective: object
    candidates: HeldOutCandidates | None

    @classmethod
    def of(cls, inputs, training, train, test):
        objective, answers = training.objective, training.answers
        weights = np.bincount(answers.target[train], objective.weights[train], answers.n_classes)
        test = test[(weights[answers.target[test]] > 0) & (objective.weights[test] > 0)]
        fold = cls(train, test, inputs[test], objective.take(test), None)
        if not isinstance(answers, Sampled) or not len(test):
            return fold
        start = WordsEnergy()._with(_DEFAULT_SMOOTHING, _POWERS[0])
        start = start._with_counts(fold.counts(inputs, training, _POWERS[0]))
        blocks = _in_blocks(start, fold.inputs)
        target = answers.target[test]
        candidates = HeldOutCandidates.of(target, blocks, answers.n_classes, training.rng)
        evaluation = fold.objective.replace(answers=candidates.answers)
        return fold._replace(objective=evaluation, candidates=candidates)

    def counts(self, inputs, training, power):
        answers, weights = training.answers, training.objective.weights[self.train]
        target = answers.target[self.train]
        return WordCounts.of(inputs[self.train], target, weights, answers.n_classes, power)

    def outputs(self, energy):
        """Outputs of the samples, of all classes or of their candidates."""
        blocks = _in_blocks(energy, self.inputs)
        return np.concatenate([self._of_candidates(block, rows) for rows, block in blocks])

    def biases(self, counts):
        """Log shares of the classes in the same outputs."""
        biases = counts.biases(has_shares=True)
        rows = np.broadcast_to(biases, (len(self.samples), len(biases)))
        return self._of_candidates(rows, slice(None))

    def _of_candidates(self, outputs, rows):
        if self.candidates is None:
            return outputs
        own, others = self.candidates.own[rows], self.candidates.others
        return np.concatenate([np.take_along_axis(outputs, own, 1), outputs[:, others]], axis=1)


def _likeliest(energy, counts, folds, objective):
    """The loss, the energy and the outputs of the scale and biases of greatest likelihood."""
    likelihood = objective.as_likelihood()
    pairs = list(zip(folds, counts, strict=True))
    outputs = np.concatenate([fold.outputs(energy._with_counts(c)) for fold, c in pairs])
    scale = likelihood.learn_beta(outputs)
    plain = scale * outputs
    shared = plain + np.concatenate([fold.biases(c) for fold, c in pairs])
    losses = [likelihood.value_and_gradient(outputs)[0] for outputs in (plain, shared)]
    has_shares = losses[1] < losses[0]
    chosen = energy._with(energy.smoothing_, energy.power_, scale, has_shares)
    return min(losses), chosen, shared if has_shares else plain


def _features(inputs, power, known=None):
    """Powers of the entries, of each row scaled to unit length, and their sums, (m, d + 1)."""
    rows = sparse.csr_array(inputs, copy=True)
    if known is not None:
        rows.data *= known[rows.indices]
    if power != 1:
        rows.data = np.sign(rows.data) * np.abs(rows.data) ** power
    lengths = np.sqrt(np.square(rows).sum(axis=1))
    rows.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(rows.indptr))
    return sparse.hstack([rows, rows.sum(axis=1)[:, None]], format="csr", dtype=inputs.dtype)


def _in_blocks(energy, inputs):
    """Slices of rows and the outputs of all classes, so many at once."""
    n_rows = max(_BLOCK_ENTRIES // len(energy.biases_), 1)
    for rows in gen_batches(inputs.shape[0], n_rows):
        yield rows, energy(inputs[rows])
