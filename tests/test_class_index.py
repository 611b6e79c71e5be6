"""An index of very many classes, against exact search."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm import EnergyClassifier
from sk_ebm._core import class_index
from sk_ebm._core.class_index import (
    ClassIndex,
    IndexedSearch,
    _common,
    _coordinates,
    index_of,
    may_be_indexed,
)
from sk_ebm._core.class_search import ClassSearch
from sk_ebm.energies import EmbeddingEnergy

pytest.importorskip("faiss")

N_CLASSES = 1600


@pytest.fixture(scope="module")
def classes():
    """Vectors and biases of Gaussian classes, and rows around them, in columns of other units."""
    rng = np.random.RandomState(0)
    means = rng.standard_normal((N_CLASSES, 8))
    rows = means[rng.permutation(N_CLASSES)] + 0.5 * rng.standard_normal(means.shape)
    units = 10.0 ** rng.randint(-3, 4, size=8)
    vectors = 4 * means / units
    return vectors, -2 * np.square(means).sum(axis=1), units * rows


@pytest.fixture(scope="module")
def index(classes):
    vectors, biases, rows = classes
    return ClassIndex(vectors, biases, rows[:300], 0.9)


@pytest.fixture
def many_classes_are_few(monkeypatch):
    monkeypatch.setattr(class_index, "FEWEST_INDEXED", 1000)


def test_coordinates_keep_products_and_make_the_best_class_the_nearest(classes):
    vectors, biases, rows = classes
    origin, axes, others = _coordinates(rows, vectors)
    centred = vectors - vectors.mean(axis=0)
    queries, items = (rows - origin) @ axes, centred @ others
    assert_allclose(queries @ items.T, (rows - origin) @ centred.T, atol=1e-4)
    squares = np.square(items).sum(axis=1)
    rest = squares + 2 * (biases + vectors @ origin)
    assert np.std(rest) < 0.2 * np.std(squares)


def test_it_finds_the_share_that_is_asked_for(index, classes):
    vectors, biases, rows = classes
    best = ClassSearch(vectors, biases).top(rows[300:], 10).classes
    found = index.candidates(rows[300:], 10)
    share = np.mean([np.isin(a, b).mean() for a, b in zip(best, found, strict=True)])
    assert index.recall >= 0.9 and share > 0.88
    assert index.n_searched < 40


def test_more_cells_are_searched_until_the_share_is_reached(classes, index):
    vectors, biases, rows = classes
    more = ClassIndex(vectors, biases, rows[:300], 0.99)
    assert more.n_searched > index.n_searched and more.recall > index.recall


@pytest.mark.parametrize("k", [1, 10])
def test_what_is_found_has_exact_outputs_in_order(k, index, classes):
    vectors, biases, rows = classes
    found = IndexedSearch(vectors, biases, index).top(rows[300:], k, beta=1.0)
    exact = ClassSearch(vectors, biases, precise=True).top(rows[300:], k, beta=1.0)
    assert np.mean(found.classes[:, 0] == exact.classes[:, 0]) > 0.95
    outputs = rows[300:] @ vectors.T + biases
    assert_allclose(np.take_along_axis(outputs, found.classes, 1), found.outputs)
    assert np.all(np.diff(found.outputs, axis=1) <= 0)
    assert np.quantile(np.abs(found.log_sums - exact.log_sums), 0.9) < 0.2


def test_rows_do_not_depend_on_their_batch(index, classes):
    vectors, biases, rows = classes
    search = IndexedSearch(vectors, biases, index)
    together = search.top(rows[:20], 3, beta=1.0)
    alone = [search.top(rows[i : i + 1], 3, beta=1.0) for i in range(20)]
    assert_array_equal(np.concatenate([part.classes for part in alone]), together.classes)
    assert_allclose(np.concatenate([part.log_sums for part in alone]), together.log_sums)


def test_what_the_index_cannot_answer_is_searched_exactly(index, classes, monkeypatch):
    vectors, biases, rows = classes
    far = np.vstack([rows[:2], np.full((1, 8), 1e60), rows[2:4]])
    search, exact = IndexedSearch(vectors, biases, index), ClassSearch(vectors, biases)
    assert_array_equal(search.top(far, 3).classes[2], exact.top(far, 3).classes[2])
    assert search.top(far, 3, 1.0).log_sums[2] == exact.top(far, 3, 1.0).log_sums[2]
    assert_array_equal(search.top(rows, 20).classes, exact.top(rows, 20).classes)
    few = index.candidates(rows[:9], 3)
    few[::2, 2:] = -1
    monkeypatch.setattr(index, "candidates", lambda features, k: few)
    found, expected = (s.top(rows[:9], 3, beta=2.0) for s in (search, exact))
    for part, of_all in zip(found, expected, strict=True):
        assert_allclose(part[::2], of_all[::2])


def test_others_among_the_classes_of_each_row(rng):
    others, found = rng.permutation(50)[:20], rng.randint(-1, 50, size=(7, 9))
    rows, positions = _common(found, others)
    same = {(i, k) for i in range(7) for k in range(20) if others[k] in found[i]}
    assert set(zip(rows.tolist(), positions.tolist(), strict=True)) == same


def test_an_index_is_saved_and_read_with_faiss_and_without(index, classes, monkeypatch):
    rows = classes[2]
    again = pickle.loads(pickle.dumps(index))
    assert again.usable
    assert_array_equal(again.candidates(rows, 5), index.candidates(rows, 5))
    monkeypatch.setattr(class_index, "find_spec", lambda name: None)
    without = pickle.loads(pickle.dumps(again))
    assert not without.usable
    monkeypatch.undo()
    read = pickle.loads(pickle.dumps(without))  # saved once more where there was no faiss
    assert_array_equal(read.candidates(rows, 5), index.candidates(rows, 5))


def test_no_index_where_it_does_not_pay(many_classes_are_few, monkeypatch, rng):
    X, y = rng.standard_normal((40, 3)), np.arange(40) % 20
    embedding = EnergyClassifier("embedding", random_state=0).fit(X, y).energy_
    trees_have_no_vectors = EmbeddingEnergy()
    trees_have_no_vectors.class_vectors = lambda: None
    assert may_be_indexed(embedding, 1000, 0.95)
    assert not may_be_indexed(trees_have_no_vectors, 1000, 0.95)
    assert not may_be_indexed(embedding, 999, 0.95)
    assert not may_be_indexed(embedding, 1000, 1.0)
    monkeypatch.setattr(class_index, "find_spec", lambda name: None)
    assert not may_be_indexed(embedding, 1000, 0.95)


def test_an_index_that_finds_too_little_is_left_out(rng):
    """Classes in all directions of many columns."""
    energy = EmbeddingEnergy()
    energy._vectors, energy.biases_ = rng.standard_normal((5000, 60)), np.zeros(5000)
    rows = rng.standard_normal((100, 60))
    assert index_of(energy, rows, 0.9999) is None
    assert index_of(energy, rows, 0.2).recall >= 0.2


def few_rows_of_many_classes(rng, n_classes):
    """Rows, three of each class, their classes, and the means."""
    means = 3 * rng.standard_normal((n_classes, 6))
    X, y = np.repeat(means, 3, axis=0), np.repeat(np.arange(n_classes), 3)
    return X + 0.5 * rng.standard_normal(X.shape), y, means


def test_a_classifier_of_very_many_classes(many_classes_are_few, rng):
    X, y, means = few_rows_of_many_classes(rng, 1100)
    X_new = means + 0.5 * rng.standard_normal(means.shape)
    classifier = EnergyClassifier(EmbeddingEnergy(0.3, n_epochs=2), random_state=0, recall=0.9)
    classifier.fit(X, y)
    assert classifier.inference_["method"] == "index"
    assert classifier.inference_["recall"] >= 0.9
    exact = deepcopy(classifier).set_params(recall=1.0)
    assert np.mean(classifier.predict(X_new) == exact.predict(X_new)) > 0.9
    top, best = classifier.top_k(X_new, 5), exact.top_k(X_new, 5)
    assert np.mean(top.classes == best.classes) > 0.8
    same = top.classes[:, 0] == best.classes[:, 0]
    assert_allclose(top.energies[same, 0], best.energies[same, 0])
    assert np.mean(np.abs(top.probabilities - best.probabilities)[same]) < 0.02
    stricter = deepcopy(classifier).set_params(recall=0.9999)
    assert_array_equal(stricter.predict(X_new), exact.predict(X_new))


def test_new_classes_are_in_the_index(many_classes_are_few, rng):
    X, y, means = few_rows_of_many_classes(rng, 1103)
    added = [5, 700, 1102]
    new = np.isin(y, added)
    classifier = EnergyClassifier(EmbeddingEnergy(0.3, n_epochs=2), random_state=0, recall=0.9)
    classifier.fit(X[~new], y[~new]).add_classes(X[new], y[new])
    assert classifier.inference_["method"] == "index" and classifier.inference_["recall"] >= 0.9
    assert_array_equal(classifier.predict(means[added]), added)
