"""Classes that are nodes of trees."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss

from sk_ebm import EnergyClassifier
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.hierarchy import Hierarchy, check_parents, labels_of
from sk_ebm._core.objective import Objective
from sk_ebm.energies import KernelEnergy, LinearEnergy, MLPEnergy, TreesEnergy
from sk_ebm.losses import NLL
from sk_ebm.losses._registry import LOSSES

PARENTS = {"ash": "tree", "oak": "tree", "elm": "tree", "cat": "pet", "dog": "pet", "tree": "life"}
CLASSES = np.array(["ash", "cat", "dog", "elm", "oak", "stone"])
NODES = [*CLASSES.tolist(), "tree", "pet"]
PATHS = np.array(
    [
        [1, 0, 0, 0, 0, 0, 1, 0],
        [0, 1, 0, 0, 0, 0, 0, 1],
        [0, 0, 1, 0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 0, 0],
    ]
)
n = 30


def draw(rng, n_each=4, n_groups=5, size=4, d=10, of_groups=1.0):
    """Rows of classes whose means are near those of their group, train and test rows, parents."""
    means = np.repeat(of_groups * rng.standard_normal((n_groups, d)), size, axis=0)
    means += 0.4 * rng.standard_normal(means.shape)
    y = np.repeat(np.arange(len(means)), n_each)
    X = means[y] + 1.5 * rng.standard_normal((len(y), d))
    y_test = np.repeat(np.arange(len(means)), 30)
    X_test = means[y_test] + 1.5 * rng.standard_normal((len(y_test), d))
    return X, y, X_test, y_test, {k: f"group {k // size}" for k in range(len(means))}


@pytest.fixture
def labels(rng):
    return labels_of(np.concatenate([CLASSES, rng.choice(CLASSES, n - len(CLASSES))]), PARENTS)


def test_paths_lead_from_classes_to_roots(labels):
    """A node with the same classes below as its child, as life has, is left out."""
    assert labels.hierarchy.nodes == NODES
    assert_array_equal(labels.hierarchy.paths.toarray(), PATHS)


def test_a_node_that_all_classes_share_is_left_out():
    hierarchy = Hierarchy.of(CLASSES, PARENTS | {"pet": "all", "stone": "all", "life": "all"})
    assert hierarchy.nodes == NODES


def test_classes_may_be_inner_nodes():
    hierarchy = Hierarchy.of(np.array(["oak", "red oak", "stone"]), {"red oak": "oak"})
    assert hierarchy.nodes == ["oak", "red oak", "stone"]
    assert_array_equal(hierarchy.paths.toarray(), [[1, 0, 0], [1, 1, 0], [0, 0, 1]])


def test_classes_without_shared_nodes_are_plain_labels():
    labels = labels_of(CLASSES, {"ash": "tree", "cat": "pet", "stone": None})
    assert labels.hierarchy is None


def test_energies_are_sums_along_paths(labels, rng):
    outputs = rng.standard_normal((n, labels.n_outputs))
    energies, pullback = labels.arrange(outputs)
    assert_allclose(energies, -outputs @ PATHS.T)
    gradient = rng.standard_normal(energies.shape)
    assert_allclose(np.vdot(energies, gradient), np.vdot(outputs, pullback(gradient)), rtol=1e-12)
    single, pullback = labels.arrange(outputs.astype(np.float32))
    assert single.dtype == pullback(single).dtype == np.float32


def test_diagonal_is_that_of_the_curvature_by_the_outputs(labels, rng):
    outputs = rng.standard_normal((n, labels.n_outputs))
    energies, pullback = labels.arrange(outputs)
    curvature = NLL().curvature(Gibbs(energies), labels.target)
    diagonal = labels.diagonal(curvature, outputs)
    for o, unit in enumerate(np.eye(labels.n_outputs)):
        moved = labels.arrange(np.tile(unit, (n, 1)))[0]
        assert_allclose(diagonal[:, o], pullback(curvature.product(moved))[:, o], rtol=1e-12)


@pytest.mark.parametrize("shift_invariant", [True, False])
def test_idle_outputs_change_nothing(shift_invariant, labels):
    idle = labels.idle_outputs(shift_invariant)
    moved = labels.arrange(idle.T)[0]
    assert_allclose(moved, np.broadcast_to(moved[:, :1], moved.shape), atol=1e-12)
    assert shift_invariant or abs(moved).max() < 1e-12
    assert idle.shape[1] == labels.n_outputs - np.linalg.matrix_rank(PATHS) + shift_invariant


def test_take_keeps_the_hierarchy(labels):
    part = labels.take(np.arange(5))
    assert part.n_outputs == labels.n_outputs
    assert_array_equal(part.target, labels.target[:5])


def test_the_optimum_is_that_of_equal_penalties_on_all_nodes(rng):
    """And no direction of the weights that changes no energy is in it."""
    X, y, _, _, parents = draw(rng)
    labels = labels_of(y, parents)
    classifier = EnergyClassifier(alpha=0.05, beta=1.0, parents=parents, tol=1e-12).fit(X, y)
    coef = classifier.energy_.coef_
    assert_allclose(coef @ labels.idle_outputs(True), 0, atol=1e-8)
    objective = Objective(labels, NLL(), np.ones(len(y)))
    gradient = objective.value_and_gradient(classifier.energy_(X))[1]
    assert_allclose(X.T @ gradient + 0.05 * coef, 0, atol=1e-6)


@pytest.mark.parametrize(
    "energy", [LinearEnergy(), KernelEnergy(), MLPEnergy((8,), n_epochs=20)], ids=repr
)
def test_classes_of_few_rows_gain(energy, rng):
    X, y, X_test, y_test, parents = draw(rng)
    losses = [
        log_loss(
            y_test,
            EnergyClassifier(energy, parents=p, random_state=0).fit(X, y).predict_proba(X_test),
        )
        for p in (None, parents)
    ]
    assert losses[1] < 0.95 * losses[0]


def test_trees_take_parents(rng):
    X, y, X_test, y_test, parents = draw(rng, 20, 2, 2)
    trees = TreesEnergy(30, early_stopping=False)
    classifier = EnergyClassifier(trees, parents=parents, beta=1.0, random_state=0).fit(X, y)
    assert classifier.score(X_test, y_test) > 0.4
    assert classifier.energy_(X_test).shape == (len(X_test), 6)


def test_sums_take_parents(rng):
    X, y, X_test, y_test, parents = draw(rng, 6, 2, 2)
    classifier = EnergyClassifier(["linear", "kernel"], parents=parents, random_state=0).fit(X, y)
    assert classifier.score(X_test, y_test) > 0.4
    assert classifier.energies(X_test).shape == (len(X_test), 4)


@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"energy"}))
def test_losses_take_parents(loss, rng):
    X, y, X_test, y_test, parents = draw(rng, 6, 2, 2)
    classifier = EnergyClassifier(loss=loss, alpha=0.1, beta=1.0, parents=parents, random_state=0)
    assert classifier.fit(X, y).score(X_test, y_test) > 0.35


def test_weights_of_classes_are_sums_along_paths(rng):
    X, y, X_test, _, parents = draw(rng, 6, 2, 2)
    classifier = EnergyClassifier(parents=parents).fit(X, y)
    assert classifier.coef_.shape == (4, X.shape[1])
    expected = X_test @ classifier.coef_.T + classifier.intercept_
    assert_allclose(classifier.decision_function(X_test), expected, rtol=1e-10, atol=1e-12)
    assert classifier.hierarchy_.nodes == [0, 1, 2, 3, "group 0", "group 1"]


def test_what_is_calibrated_takes_parents(rng):
    X, y, X_test, y_test, parents = draw(rng, 10, 2, 3)
    classifier = EnergyClassifier(
        parents=parents, calibrate=True, reject="false_alarm", random_state=0
    ).fit(X, y)
    sets = classifier.predict_set(X_test, 0.8)
    assert sets[np.arange(len(sets)), y_test].mean() > 0.7
    assert (classifier.predict(X_test) == -1).mean() < 0.2


def test_sparse_rows_pickles_and_weights(rng):
    X, y, X_test, _, parents = draw(rng, 6, 2, 2)
    classifier = EnergyClassifier(alpha=0.1, beta=1.0, parents=parents, tol=1e-10)
    sparse = clone(classifier).fit(csr_matrix(X), y)
    dense = classifier.fit(X, y)
    assert_allclose(
        sparse.predict_proba(csr_matrix(X_test)), dense.predict_proba(X_test), atol=1e-4
    )
    loaded = pickle.loads(pickle.dumps(dense))
    assert_array_equal(loaded.predict_proba(X_test), dense.predict_proba(X_test))
    twice = clone(classifier).fit(np.repeat(X, 2, axis=0), np.repeat(y, 2))
    weighted = clone(classifier).fit(X, y, np.full(len(y), 2.0))
    assert_allclose(weighted.coef_, twice.coef_, atol=1e-5)


def test_searches_of_very_many_classes_sum_along_paths(rng):
    y = np.repeat(np.arange(1100), 2)
    X = rng.standard_normal((1100, 8))[y] + 0.1 * rng.standard_normal((len(y), 8))
    parents = {k: f"group {k // 20}" for k in range(1100)}
    classifier = EnergyClassifier(alpha=1e-3, beta=1.0, parents=parents, max_iter=3, solver="lbfgs")
    with pytest.warns(match="max_iter"):
        classifier.fit(X, y)
    top = classifier.top_k(X[:40], 3)
    energies = classifier.energies(X[:40])
    assert_array_equal(top.classes, np.argsort(energies, axis=1)[:, :3])
    assert_allclose(top.energies, np.sort(energies, axis=1)[:, :3], rtol=1e-4)


def test_a_class_of_weight_zero_is_silent(rng):
    X, y, X_test, _, parents = draw(rng, 6, 2, 2)
    energy = MLPEnergy((4,), n_epochs=5, early_stopping=False)
    classifier = EnergyClassifier(energy, beta=1.0, parents=parents, random_state=0)
    assert classifier.fit(X, y, (y != 3).astype(float)).predict_proba(X_test)[:, 3].max() < 1e-6


@pytest.mark.parametrize(
    "parents, error, message",
    [
        (["a"], ValueError, "must be a mapping"),
        ({}, ValueError, "must be a mapping"),
        ({0: "a", "a": "b", "b": "a"}, ValueError, "no cycles, got 'a' -> 'b' -> 'a'"),
        ({0: 0}, ValueError, "no cycles, got 0 -> 0"),
        ({"x": "y"}, ValueError, "must name classes of y"),
    ],
)
def test_bad_parents_are_refused(parents, error, message, rng):
    X, y, *_ = draw(rng)
    with pytest.raises(error, match=message):
        EnergyClassifier(parents=parents).fit(X, y)


@pytest.mark.parametrize("energy", ["prototype", "embedding", RandomForestClassifier()])
def test_energies_of_classes_alone_are_refused(energy, rng):
    X, y, _, _, parents = draw(rng)
    with pytest.raises(ValueError, match="answers of several parts"):
        EnergyClassifier(energy, parents=parents).fit(X, y)


def test_draws_of_candidates_are_refused(rng):
    X, y, _, _, parents = draw(rng)
    with pytest.raises(ValueError, match="parents needs the energies of all classes"):
        EnergyClassifier(negatives=3, parents=parents).fit(X, y)


def test_no_parents_are_no_hierarchy(rng):
    check_parents(None)
    X, y, _, _, parents = draw(rng, 4, 2, 2)
    classifier = EnergyClassifier(parents=parents).fit(X, y)
    assert not hasattr(classifier.set_params(parents=None).fit(X, y), "hierarchy_")
