"""Class vectors that move from their start by mini-batch Adam."""

from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches

from sk_ebm._core.sampled import Sampled
from sk_ebm._core.training import FitResult, Minimum
from sk_ebm.energies._class_choice import choose_class_means
from sk_ebm.energies._class_vectors import ClassMeans, as_counts
from sk_ebm.energies._generic_class import generic_energies
from sk_ebm.energies._item_index import ItemIndex

_BLOCK_ROWS, _BLOCK_ENTRIES = 4096, 2**24
_N_NEIGHBOURS = 8  # of each class, which are its hardest negatives; not tuned
_MANY_CLASSES = 20_000  # there an index takes the time of all products (5 s), .8 of it at 40,000
_LEAST_HELD_OUT = 100  # samples: with fewer, early stopping made 5 of 7 sets worse than the start


class Trained(NamedTuple):
    """Class vectors, and what they say about held-out samples.

    Attributes
    ----------
    means : ClassMeans
    held_out : None or tuple (samples, outputs)
    objective : None or Objective
        Of these samples and outputs.
    minimum : Minimum
        Without parameters where the vectors stayed at their start.
    """

    means: ClassMeans
    held_out: tuple | None
    objective: object
    minimum: Minimum


def fit_class_vectors(
    inputs, training, fitted, *, choose=choose_class_means, batch_size=None, **settings
):
    """The `FitResult` of class vectors that start from class means.

    ``fitted(choice, means)`` builds the fitted energy; settings are those of Adam.
    """
    given = training.objective.weights
    weights = as_counts(given)
    training = training.replace(objective=training.objective.replace(weights=weights))
    choice = choose(inputs, training)
    batch_size = batch_size or int(np.clip(len(training.answers) // 40, 32, 512))
    trained = _train(choice, training, partial(fitted, choice), batch_size=batch_size, **settings)
    judge = trained.objective
    if judge is not None:
        judge = judge.replace(weights=judge.weights * (given.max() / weights.max()))
    return FitResult(
        fitted(choice, trained.means),
        trained.held_out,
        alpha=training.with_default_alpha(0.0).penalty.alpha,
        converged=trained.minimum.converged,
        history=trained.minimum.history,
        held_out_objective=judge,
    )


def _train(choice, training, fitted, **settings):
    """The `Trained` class vectors of a `Choice`."""
    final, minimum = choice.means.at(choice.beta), Minimum(None, True, [])
    if not choice.folds:
        return Trained(final, None, None, minimum)
    samples, outputs, judge = choice.held_out_start(training)
    kept = Trained(final, (samples, choice.beta * outputs), judge, minimum)
    fold = choice.folds[0]
    if len(fold.test) < _LEAST_HELD_OUT:
        return kept
    start = choice.means_of(fold.moments)
    moved = start.with_rows_of(choice.moments).at(choice.beta)
    moving = _Moving(choice, fold, start, training.objective)
    init = np.zeros((len(start.vectors), start.axes.shape[1] + 1), dtype=moving.features.dtype)
    minimum = training.replace(objective=moving.objective).minimize(
        init,
        moving.vjp,
        np.append(np.ones(init.shape[1] - 1, dtype=init.dtype), init.dtype.type(0)),
        lambda params: fitted(moved.moved_by(params)),
        kind="minibatch",
        held_out=fold.test,
        evaluate=moving.held_out_loss,
        **settings,
    )
    if minimum.params is init:
        return kept._replace(minimum=minimum)
    held_out = fold.test, moving.held_out_outputs(minimum.params)
    return Trained(moved.moved_by(minimum.params), held_out, fold.objective, minimum)


def nearest_classes(vectors, biases):
    """The classes (K, k) of greatest output at each class vector, other than its own class.

    Among very many classes an index finds most of them, where there is faiss.
    """
    n_classes = len(vectors)
    k = min(_N_NEIGHBOURS, n_classes - 1)
    if n_classes > _MANY_CLASSES and find_spec("faiss"):
        items = np.column_stack([vectors, biases])
        directions = np.column_stack([vectors, np.ones_like(biases)])
        near = ItemIndex().fit(items).search(directions, k + 1, _BLOCK_ENTRIES)[0]
        own = near == np.arange(n_classes)[:, None]
        own[~own.any(axis=1), -1] = True  # which the index has missed
        return near[~own].reshape(n_classes, k)
    near = np.empty((n_classes, k), dtype=np.intp)
    for rows in gen_batches(n_classes, max(_BLOCK_ENTRIES // n_classes, 1)):
        outputs = vectors[rows] @ vectors.T + biases
        outputs[np.arange(len(outputs)), np.arange(n_classes)[rows]] = -np.inf
        found = np.argpartition(outputs, n_classes - k, axis=1)[:, n_classes - k :]
        order = np.argsort(-np.take_along_axis(outputs, found, axis=1), axis=1)
        near[rows] = np.take_along_axis(found, order, axis=1)
    return near


class _Moving:
    """Outputs as functions of what is added to the class vectors (K, r) and biases: (K, r + 1).

    Each training row sees the mean of its class without itself, as a new row would.
    """

    def __init__(self, choice, fold, start, objective):
        answers = objective.answers
        columns = choice.columns
        if isinstance(answers, Sampled):
            columns = columns.astype(np.float32)
        self.target, self.fold = answers.target, fold
        self.features, dtype = start.features(columns), columns.dtype
        counts, weights = fold.moments.counts, objective.weights
        self.own = np.empty(len(columns), dtype=dtype)
        for first in range(0, len(columns), _BLOCK_ROWS):
            rows = slice(first, first + _BLOCK_ROWS)
            self.own[rows] = start.own_without(
                self.features[rows], self.target[rows], weights[rows], counts
            )
        self.own *= dtype.type(choice.beta)
        self.features *= dtype.type(np.sqrt(choice.beta))
        self.start = start.at(choice.beta).astype(dtype)
        alone = counts[self.target] <= np.minimum(weights, 1) * (1 + 1e-9)
        if isinstance(answers, Sampled) and answers.proposal == "hardest":
            near = nearest_classes(self.start.vectors, self.start.biases)
            objective = objective.replace(answers=answers.among(near))
        trained = np.setdiff1d(np.flatnonzero(~alone & (weights > 0)), fold.test)
        self.objective = objective.masked(trained) if len(trained) else objective

    def vjp(self, params, rows, columns=None):
        """Outputs of the rows, of all classes or some, and the pullback of their gradient."""
        chosen = ... if columns is None else columns
        target = self.target[rows]
        own = target if columns is None else np.searchsorted(columns, target)
        features, moved = self.features[rows], self.start.moved_by(params[chosen], chosen)
        outputs = moved.outputs(features)
        outputs[np.arange(len(own)), own] += self.own[rows]
        return outputs, partial(moved.pullback, features)

    def held_out_outputs(self, params):
        features, moved = self.features[self.fold.test], self.start.moved_by(params)
        generic = generic_energies(features, moved.prior)
        return self.fold.outputs(features, moved.vectors, moved.biases) - generic[:, None]

    def held_out_loss(self, params):
        return self.fold.objective.held_out_loss(self.held_out_outputs(params))
