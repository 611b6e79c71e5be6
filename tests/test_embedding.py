"""Class vectors that start from class means and are trained on candidates."""

import numpy as np
import pytest
from helpers import training_of
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import euclidean_distances

from sk_ebm import EnergyClassifier
from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._solvers.adam import adam
from sk_ebm.energies import EmbeddingEnergy
from sk_ebm.energies._class_choice import Coordinates, choose_class_means
from sk_ebm.energies._class_training import nearest_classes
from sk_ebm.energies._class_vectors import ClassMeans, class_moments
from sk_ebm.losses import NLL


@pytest.fixture
def few_digits():
    """Ten rows of each class, and the others."""
    X, y = load_digits(return_X_y=True)
    order = np.argsort(y, kind="stable")
    place = np.arange(len(y)) - np.searchsorted(y[order], y[order])
    train, test = order[place < 10], order[place >= 10]
    return X[train], y[train], X[test], y[test]


def test_few_rows_a_class_are_classified_better_than_by_nearest_means(few_digits):
    X, y, X_test, y_test = few_digits
    ours = EnergyClassifier("embedding", random_state=0).fit(X, y)
    means = np.stack([X[y == k].mean(axis=0) for k in range(10)])
    nearest = euclidean_distances(X_test, means).argmin(axis=1)
    assert ours.score(X_test, y_test) > np.mean(nearest == y_test) + 0.02


def test_weights_of_sum_one_change_how_sure_it_is_and_hardly_what_it_predicts(few_digits):
    X, y, X_test, y_test = few_digits
    weights = np.full(len(y), 1 / len(y))
    light = EnergyClassifier("embedding", random_state=0).fit(X, y, weights)
    plain = EnergyClassifier("embedding", random_state=0).fit(X, y)
    assert light.score(X_test, y_test) > plain.score(X_test, y_test) - 0.02
    assert light.predict_proba(X_test).max() < plain.predict_proba(X_test).max()


def test_the_start_is_kept_where_moving_does_not_help(few_digits):
    """As under a penalty that moves back whatever has moved."""
    X, y, X_test, _ = few_digits
    start = EnergyClassifier(EmbeddingEnergy(n_epochs=1, learning_rate=1e-12), random_state=0)
    kept = EnergyClassifier("embedding", random_state=0).fit(X, y)
    assert_allclose(start.fit(X, y).energies(X_test), kept.energies(X_test))


def test_many_rows_move_the_vectors(rng):
    """Classes that are no Gaussians of one covariance."""
    X = rng.uniform(-1, 1, size=(1500, 2))
    y = (X[:, 0] > 0.5) + 2 * (X[:, 1] ** 3 > 0.3 * X[:, 0])
    moved = EnergyClassifier("embedding", random_state=0).fit(X[:1000], y[:1000])
    start = EnergyClassifier(EmbeddingEnergy(learning_rate=1e-12), random_state=0)
    start.fit(X[:1000], y[:1000])
    assert moved.score(X[1000:], y[1000:]) > start.score(X[1000:], y[1000:]) + 0.02


def test_a_row_is_left_out_of_its_mean_as_if_it_were_not_there(rng):
    X, y, weights = rng.standard_normal((12, 3)), np.arange(12) % 3, np.ones(12)
    means = ClassMeans.of(class_moments(X, y, weights, 3), 0.5)
    counts = np.bincount(y).astype(float)
    features = means.features(X)
    more = means.own_without(features, y, weights, counts)
    between = means.prior.between
    rest = np.flatnonzero((y == y[4]) & (np.arange(12) != 4))
    vector = 3 * between / (3 * between + 1) * features[rest].mean(axis=0)
    old = means.vectors[y[4]]
    expected = features[4] @ (vector - old) - 0.5 * (vector @ vector - old @ old)
    assert_allclose(more[4], expected)


def test_a_class_of_one_row_is_where_its_row_is(rng):
    X = rng.standard_normal((30, 5))
    means = ClassMeans.of(class_moments(X, np.arange(30), np.ones(30), 30), 0.3)
    outputs = means.features(X) @ means.vectors.T + means.biases
    assert_array_equal(outputs.argmax(axis=1), np.arange(30))


@pytest.mark.parametrize("shape", [(20, 50), (1100, 1200)])
def test_wide_inputs_are_rotated_into_fewer_columns(shape, rng):
    X = rng.standard_normal((shape[0], 5)) @ rng.standard_normal((5, shape[1]))
    coordinates = Coordinates.of(X, X.var(axis=0), X.mean(axis=0), False, rng)
    columns = coordinates(X)
    assert columns.shape[1] < shape[1]
    centred = (X - X.mean(axis=0)) / X.std(axis=0).max()
    assert_allclose(columns @ columns.T, centred @ centred.T, atol=1e-6 * shape[1])


def test_shrinkage_is_chosen_unless_given(few_digits):
    X, y, _, _ = few_digits
    objective = Objective(Labels(y, 10), NLL(), np.ones(len(y)))
    chosen = choose_class_means(X, training_of(objective), "auto")
    assert chosen.shrinkage in (0.1, 0.3, 0.6, 0.9)
    assert choose_class_means(X, training_of(objective), 0.25).shrinkage == 0.25


def test_units_of_columns_hardly_matter(few_digits):
    X, y, X_test, y_test = few_digits
    units = 10.0 ** np.random.RandomState(0).randint(-4, 5, size=X.shape[1])
    plain = EnergyClassifier("embedding", random_state=0).fit(X, y).score(X_test, y_test)
    scaled = EnergyClassifier("embedding", random_state=0).fit(X * units, y)
    assert scaled.score(X_test * units, y_test) > plain - 0.04


def test_nearest_classes_are_those_of_greatest_output(rng):
    vectors, biases = rng.standard_normal((30, 4)), rng.standard_normal(30)
    outputs = vectors @ vectors.T + biases
    np.fill_diagonal(outputs, -np.inf)
    expected = np.argsort(-outputs, axis=1)[:, :8]
    assert_array_equal(nearest_classes(vectors, biases), expected)


class Drawn(Labels):
    """All classes, drawn."""

    columns = np.arange(3)

    def take(self, samples):
        return Drawn(self.target[samples], 3)


def test_steps_of_drawn_rows_are_those_of_all_where_all_are_drawn(rng):
    X, target = rng.standard_normal((40, 2)), np.arange(40) % 3

    def vjp(params, rows, columns=slice(None)):
        features = X[rows]
        return features @ params[columns].T, lambda gradient: gradient.T @ features

    found = [
        adam(
            Objective(kind(target, 3), NLL(), np.ones(40)),
            np.zeros((3, 2)),
            vjp,
            l2=0.1,
            l1=0.01,
            tol=1e-8,
            max_iter=5,
            report=lambda value, params: None,
            rng=np.random.RandomState(0),
            batch_size=10,
        ).params
        for kind in (Labels, Drawn)
    ]
    assert_allclose(found[0], found[1], rtol=1e-12)
