"""Class vectors that start from class means and are trained on candidates."""

import pickle

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
from sk_ebm.energies import EmbeddingEnergy, MLPEnergy
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


def test_new_classes_differ_in_axes_in_which_the_known_ones_do_not(rng):
    """Known classes lie in a line, the new one beside it."""
    means = np.array([[0.0, 0], [6, 0], [12, 0], [6, 6]])
    y = np.repeat(np.arange(4), 20)
    X, X_new = (means[y] + rng.standard_normal((80, 2)) for _ in range(2))
    classifier = EnergyClassifier("embedding", random_state=0).fit(X[:60], y[:60])
    assert classifier.energy_.vectors_.shape[1] == 2
    assert classifier.add_classes(X[60:63], y[60:63]).score(X_new, y) > 0.9


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


@pytest.mark.parametrize("encoder", ["linear", "identity", MLPEnergy((32,), n_epochs=40)])
@pytest.mark.parametrize(("form", "negatives"), [("inner_product", 5), ("squared_distance", "all")])
def test_each_form_classifies_takes_new_classes_and_is_saved(encoder, form, negatives, few_digits):
    X, y, X_test, y_test = few_digits
    energy = EmbeddingEnergy(encoder=encoder, form=form, n_epochs=5)
    classifier = EnergyClassifier(energy, negatives=negatives, calibrate=True, random_state=0)
    classifier.fit(X[y < 8], y[y < 8])
    classifier.add_classes(X[y >= 8], y[y >= 8])
    again = pickle.loads(pickle.dumps(classifier))
    known = y_test < 8
    assert again.score(X_test[known], y_test[known]) > 0.6
    assert again.score(X_test[~known], y_test[~known]) > 0.3
    outputs = -again.energies(X_test)
    vectors, biases = again.energy_.class_vectors()
    assert_allclose(again.energy_.features(X_test) @ vectors.T + biases, outputs, rtol=1e-9)
    assert_array_equal(again.top_k(X_test, 3).classes[:, 0], again.predict(X_test))


@pytest.mark.parametrize("encoder", ["linear", "identity"])
def test_squared_distances_are_those_of_features_to_vectors(encoder, few_digits):
    X, y, X_test, _ = few_digits
    energy = EmbeddingEnergy(encoder=encoder, form="squared_distance")
    fitted = EnergyClassifier(energy, random_state=0).fit(X, y)
    features = fitted.energy_.features(X_test)[:, :-1]
    distances = euclidean_distances(features, fitted.energy_.vectors_, squared=True)
    assert_allclose(fitted.energies(X_test), distances / 2, atol=1e-8)
    assert_allclose(fitted.input_energies(X_test), distances.min(axis=1) / 2, atol=1e-8)


def test_the_identity_keeps_the_shape_of_the_rows(rng):
    centres = 5 * rng.standard_normal((12, 3))
    y = np.repeat(np.arange(12), 4)
    X = centres[y] + rng.standard_normal((48, 3)) * [0.1, 1, 2]
    fitted = EnergyClassifier(EmbeddingEnergy(encoder="identity"), random_state=0).fit(X, y)
    pairs = ~np.eye(48, dtype=bool)
    distances = euclidean_distances(fitted.energy_.features(X)[:, :-1])
    ratios = distances[pairs] / euclidean_distances(X)[pairs]
    assert_allclose(ratios, ratios.mean(), rtol=1e-6)


@pytest.mark.parametrize("distances", [False, True])
def test_gradients_of_moved_vectors(distances, rng):
    X, y = rng.standard_normal((12, 3)), np.arange(12) % 3
    start = ClassMeans.of(class_moments(X, y, np.ones(12), 3), 0.5, distances)
    features, params = start.features(X), rng.standard_normal((3, len(start.vectors.T) + 1))
    gradient, step = rng.standard_normal((12, 3)), 1e-6 * rng.standard_normal(params.shape)

    def value(params):
        return np.vdot(gradient, start.moved_by(params).outputs(features))

    found = np.vdot(start.moved_by(params).pullback(features, gradient), step)
    assert_allclose(found, (value(params + step) - value(params - step)) / 2, rtol=1e-6)


def test_a_network_finds_what_no_linear_map_does(rng):
    """Rings: all classes have the same mean."""
    y = np.arange(1200) % 4
    X = rng.standard_normal((1200, 2))
    X *= ((1 + y + 0.1 * rng.standard_normal(1200)) / np.linalg.norm(X, axis=1))[:, None]
    scores = [
        EnergyClassifier(EmbeddingEnergy(encoder=encoder), random_state=0)
        .fit(X[:600], y[:600])
        .score(X[600:], y[600:])
        for encoder in ("linear", MLPEnergy((20,)))
    ]
    assert scores[0] < 0.6 and scores[1] > 0.9


@pytest.mark.parametrize(("n_rows", "with_folds"), [(100, False), (400, False), (400, True)])
def test_what_a_network_has_seen_is_not_held_out(n_rows, with_folds, rng):
    X, y = load_digits(return_X_y=True)
    objective = Objective(Labels(y[:n_rows], 10), NLL(), np.ones(n_rows))
    training = training_of(objective)
    if with_folds:
        training = training.replace(folds=training.default_folds())
    result = EmbeddingEnergy(encoder=MLPEnergy((8,), n_epochs=3)).fit(X[:n_rows], training)
    held_out = n_rows > 200 and not with_folds
    assert (result.held_out is not None) == (result.held_out_objective is not None) == held_out
    if held_out:
        assert len(result.held_out[0]) == n_rows // 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "pca"}, "encoder must be 'linear', 'identity' or 'mlp', got 'pca'"),
        ({"encoder": MLPEnergy((0,))}, "hidden_layer_sizes must be integers"),
        ({"form": "cosine"}, "form must be 'inner_product' or 'squared_distance', got 'cosine'"),
    ],
)
def test_bad_options_are_named(options, message, few_digits):
    with pytest.raises(ValueError, match=message):
        EnergyClassifier(EmbeddingEnergy(**options)).fit(*few_digits[:2])


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
