"""Class vectors from class means, in the coordinates and with the shrinkage of greatest likelihood
on held-out rows."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from sklearn.utils import gen_batches
from sklearn.utils.extmath import randomized_svd

from sk_ebm._core.folds import DEFAULT_FOLDS
from sk_ebm._core.objective import Objective
from sk_ebm._core.sampled import HeldOutCandidates, Sampled
from sk_ebm.energies._class_vectors import ClassMeans, ClassMoments, as_counts, class_moments
from sk_ebm.energies._design import column_variances
from sk_ebm.energies._generic_class import generic_energies

_SHRINKAGES = (0.03, 0.1, 0.3, 0.6, 0.9)
_DEFAULT_SHRINKAGE = 0.3  # where nothing can be held out
# Up to so many rows, with so many folds: a false-alarm rate of .05 then rejects 45, 30 and 23 % of
# the unknown of orl, coil20 and digits, for 30, 20 and 16 % with five (answers.py --part faces).
_FEW_ROWS, _FOLDS_OF_FEW = 500, 10
_HELD_OUT_ROWS = 1000  # enough for beta, too: its standard error is then a few percent
_BLOCK_ENTRIES = 2**24
_MOST_COMPONENTS, _N_COMPONENTS = 1000, 300  # up to 1,000 columns or rows, all are used


class Coordinates(NamedTuple):
    """Columns centred and scaled, and rotated into the span of the rows where there are more of
    them than rows, or onto their first principal axes where both are many."""

    centre: np.ndarray
    factors: np.ndarray
    basis: np.ndarray | None

    @classmethod
    def of(cls, inputs, variances, centre, standardised, rng):
        """In which the columns have unit variance, or the most variable one has."""
        deviations = np.sqrt(variances)
        scale = deviations if standardised else np.full_like(deviations, deviations.max())
        factors = np.where(variances > 0, 1 / np.where(scale > 0, scale, 1.0), 0.0)
        factors, centre = factors.astype(inputs.dtype), centre.astype(inputs.dtype)
        basis = _basis(inputs, centre, factors, rng)
        return cls(centre, factors, None if basis is None else basis.astype(inputs.dtype))

    def __call__(self, inputs):
        if sparse.issparse(inputs):  # which centring would fill
            axes = np.diag(self.factors) if self.basis is None else self._scaled_basis
            return inputs @ axes - self.centre @ axes
        columns = (inputs - self.centre) * self.factors
        return columns if self.basis is None else columns @ self.basis

    @property
    def _scaled_basis(self):
        return self.factors[:, None] * self.basis

    def linear(self, axes, centre):
        """Axes (d, r) and centre of the inputs for those in these coordinates."""
        if self.basis is not None:
            axes, centre = self.basis @ axes, self.basis @ centre  # d columns again
        safe = np.where(self.factors > 0, self.factors, 1)
        return self.factors[:, None] * axes, self.centre + centre / safe


def _basis(inputs, centre, factors, rng):
    """Orthonormal axes (d, r) of the span of the rows, or of most of it; None where those of the
    columns do."""
    n, d = inputs.shape
    if min(n, d) > _MOST_COMPONENTS or (sparse.issparse(inputs) and d > n):
        scaled = inputs * factors if isinstance(inputs, np.ndarray) else _scaled(inputs, factors)
        size = min(_N_COMPONENTS, n - 1, d - 1)
        return randomized_svd(scaled, max(size, 1), n_iter=2, random_state=rng)[2].T
    if d <= n:
        return None
    rows = (inputs - centre) * factors
    basis, factor = linalg.qr(rows.T, mode="economic", check_finite=False)
    return basis[:, np.abs(factor).max(axis=1) > 0]


def _scaled(inputs, factors):
    return (inputs @ sparse.diags_array(factors)).tocsr()


class HeldOutFold(NamedTuple):
    """What is known of a fold: its samples, moments of the others, and what it is evaluated on."""

    train: np.ndarray
    test: np.ndarray  # without those whose class the others lack
    moments: ClassMoments
    objective: Objective
    candidates: HeldOutCandidates | None

    def outputs(self, features, vectors, biases):
        """Outputs of the held-out samples, of all classes or of their candidates."""
        if self.candidates is None:
            return features @ vectors.T + biases
        return self.candidates.outputs(features, vectors, biases)


class Choice(NamedTuple):
    """What was chosen, and what it was chosen on."""

    coordinates: Coordinates
    columns: np.ndarray  # (n, d), the inputs in these coordinates
    shrinkage: float
    beta: float
    moments: ClassMoments
    folds: list
    distances: bool

    @property
    def means(self):
        return self.means_of(self.moments)

    def means_of(self, moments):
        return ClassMeans.of(moments, self.shrinkage, self.distances)

    def held_out_start(self, training):
        """Samples, outputs and objective of the held-out samples of all folds, before training."""
        outputs = []
        for fold in self.folds:
            means = self.means_of(fold.moments)
            features = means.features(self.columns[fold.test])
            outputs.append(fold.outputs(features, means.vectors, means.biases))
            outputs[-1] -= generic_energies(features, means.prior)[:, None]
        samples, first = np.concatenate([fold.test for fold in self.folds]), self.folds[0]
        objective = training.objective.take(samples) if len(self.folds) > 1 else first.objective
        return samples, np.concatenate(outputs), objective

    def held_out_loss(self, training):
        """The mean negative log-likelihood of held-out samples at the best temperature, and that;
        0 and 1 where nothing is held out."""
        if not self.folds:
            return 0.0, 1.0
        _, outputs, objective = self.held_out_start(training)
        likelihood = objective.as_likelihood()
        beta = likelihood.learn_beta(outputs)
        return likelihood.value_and_gradient(beta * outputs)[0], beta


def choose_class_means(inputs, training, shrinkage="auto", whitens=True, distances=False):
    """The `Choice` of greatest likelihood, at its best temperature, on held-out samples.

    Unless it ``whitens``, the inputs are only rotated, and scaled by one number.
    """
    weights = training.objective.weights
    variances, centre = column_variances(inputs, weights), weights @ inputs / weights.sum()
    pairs, candidates = held_out_pairs(training), []
    for standardised in (True, False) if whitens else (False,):
        coordinates = Coordinates.of(inputs, variances, centre, standardised, training.rng)
        columns = coordinates(inputs)
        folds = [_fold(columns, training, *pair) for pair in pairs]
        folds = [fold for fold in folds if len(fold.test)]
        for value in _shrinkages(shrinkage, folds) if whitens else (1.0,):
            choice = Choice(coordinates, columns, value, 1.0, None, folds, distances)
            loss, beta = choice.held_out_loss(training)
            candidates.append((loss, choice._replace(beta=beta)))
    choice = min(candidates, key=lambda candidate: candidate[0])[1]
    return choice._replace(moments=_moments(choice.columns, training))


def _shrinkages(shrinkage, folds):
    """Those to choose among."""
    if shrinkage != "auto":
        return (shrinkage,)
    return _SHRINKAGES if folds else (_DEFAULT_SHRINKAGE,)


def held_out_pairs(training):
    """Training and test samples of as many folds as hold enough of them; of one, where candidates
    stand for all classes, since each fold has its own."""
    one = isinstance(training.answers, Sampled)
    if training.folds:
        return list(training.folds)[: 1 if one else None]
    n = len(training.answers)
    n_folds = min(max(DEFAULT_FOLDS if n > _FEW_ROWS else _FOLDS_OF_FEW, n // _HELD_OUT_ROWS), n)
    if n_folds < 2:
        return []
    target = training.answers.target
    number = np.empty(n, dtype=int)
    number[np.lexsort((training.rng.permutation(n), target))] = np.arange(n) % n_folds
    n_used = 1 if one else -(-min(n, _HELD_OUT_ROWS) * n_folds // n)
    return [(np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in range(n_used)]


def _moments(columns, training, samples=slice(None)):
    answers, weights = training.answers, as_counts(training.objective.weights)
    return class_moments(
        columns[samples],
        answers.target[samples],
        weights[samples],
        answers.n_classes,
        training.class_features,
    )


def _fold(columns, training, train, test):
    objective = training.objective
    moments = _moments(columns, training, train)
    target = objective.answers.target[test]
    known = (moments.counts[target] > 0) & (objective.weights[test] > 0)
    test = test[known]
    evaluation, candidates = objective.take(test), None
    if isinstance(objective.answers, Sampled) and len(test):
        candidates = _candidates(columns[test], moments, evaluation, training.rng)
        evaluation = evaluation.replace(answers=candidates.answers)
    return HeldOutFold(train, test, moments, evaluation, candidates)


def held_out_fold(inputs, training):
    """The first fold, with candidates nearest by class means; None without any."""
    pairs = held_out_pairs(training)[:1]
    weights = training.objective.weights
    variances, centre = column_variances(inputs, weights), weights @ inputs / weights.sum()
    for pair in pairs:
        columns = Coordinates.of(inputs, variances, centre, True, training.rng)(inputs)
        fold = _fold(columns, training, *pair)
        return fold if len(fold.test) else None
    return None


def _candidates(columns, moments, objective, rng):
    """Candidates nearest by class means with the default shrinkage."""
    means = ClassMeans.of(moments, _DEFAULT_SHRINKAGE)
    features = means.features(columns).astype(np.float32)
    vectors, biases = means.vectors.astype(np.float32), means.biases.astype(np.float32)
    return candidates_by(features, vectors, biases, objective.answers, rng)


def candidates_by(features, vectors, biases, answers, rng):
    """Candidates of held-out samples, of which these are the features."""
    n_rows = max(_BLOCK_ENTRIES // len(vectors), 1)
    blocks = (
        (rows, features[rows] @ vectors.T + biases) for rows in gen_batches(len(features), n_rows)
    )
    return HeldOutCandidates.of(answers.target, blocks, answers.n_classes, rng)
