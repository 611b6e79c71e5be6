"""The bilinear energy, and the best items of a catalogue."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context

from sk_ebm import EnergyClassifier, EnergyRanker
from sk_ebm.energies import BilinearEnergy


@pytest.fixture
def data():
    """Queries of three features, items of two, and choices by x' W y + <u, y>."""
    rng = np.random.RandomState(0)
    queries, matrix = rng.standard_normal((300, 3)), rng.standard_normal((4, 2))
    groups = np.repeat(np.arange(300), 8)
    items = 3 * rng.standard_normal((2400, 2))
    worth = np.sum((np.column_stack([queries, np.ones(300)]) @ matrix)[groups] * items, axis=1)
    noisy = (worth + rng.gumbel(size=2400)).reshape(300, 8)
    y = (noisy == noisy.max(axis=1, keepdims=True)).ravel().astype(int)
    return np.column_stack([queries[groups], items]), y, groups, matrix


def test_it_recovers_the_matrix_of_a_choice_model(data):
    X, y, groups, matrix = data
    ranker = EnergyRanker(BilinearEnergy([0, 1, 2]), alpha=1e-4).fit(X, y, groups=groups)
    assert_allclose(ranker.energy_.matrix_, matrix, atol=0.5)
    assert abs(np.mean(ranker.energy_.matrix_ / matrix) - 1) < 0.2


def test_units_of_single_precision_columns_change_nothing_without_a_penalty(data):
    X, y, groups = (part[:160] for part in data[:3])
    energy = BilinearEnergy([0, 1, 2], constant=False)
    one, other = (
        EnergyRanker(energy, alpha=0.0, beta=1.0).fit(table, y, groups=groups).energies(table)
        for table in (X.astype(np.float32), (2.0**50 * X).astype(np.float32))
    )
    assert_allclose(other, one, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="largest number of a column must be .* column 0 of X"):
        EnergyRanker(energy).fit((2.0**80 * X).astype(np.float32), y, groups=groups)


@pytest.mark.parametrize("constant", [True, False])
def test_it_is_the_linear_energy_of_all_products(data, constant):
    X, y, groups, _ = data
    queries = np.column_stack([X[:, :3], np.ones(len(X))]) if constant else X[:, :3]
    products = (queries[:, :, None] * X[:, None, 3:]).reshape(len(X), -1)
    energy = BilinearEnergy([0, 1, 2], constant=constant)
    ours = EnergyRanker(energy, alpha=0.01, beta=1, tol=1e-12).fit(X, y, groups=groups)
    linear = EnergyRanker(alpha=0.01, beta=1, tol=1e-12).fit(products, y, groups=groups)
    assert_allclose(ours.energy_.matrix_.ravel(), linear.coef_, atol=1e-5)
    linear_energies = linear.energies(products) + linear.energy_.intercept_
    assert_allclose(ours.energies(X), linear_energies, atol=1e-4)


def test_the_penalty_is_chosen_and_other_losses_are_taken(data):
    X, y, groups, _ = data
    for loss in ("nll", "pairwise_log", "lambda"):
        ranker = EnergyRanker(BilinearEnergy([0, 1, 2]), loss, random_state=0)
        assert ranker.fit(X, y, groups=groups).score(X, y, groups) > 0.8
        assert ranker.energy_.alpha_ > 0


@pytest.mark.parametrize("memory", [1e-3, 1024])
@pytest.mark.parametrize("k", [1, 10, 5000])
def test_the_best_items_of_a_catalogue_are_found_exactly(data, memory, k, rng):
    X, y, groups, _ = data
    ranker = EnergyRanker(BilinearEnergy([0, 1, 2]), alpha=0.01).fit(X, y, groups=groups)
    queries, items = X[::40, :3], rng.standard_normal((2000, 2))
    with config_context(working_memory=memory):
        top = ranker.top_k(queries, k=k, items=items)
    for i, query in enumerate(queries):
        energies = ranker.energies(np.column_stack([np.tile(query, (2000, 1)), items]))
        order = np.argsort(energies)[:k]
        assert_array_equal(top.rows[i], order)
        assert_allclose(top.energies[i], energies[order], rtol=1e-8, atol=1e-10)


def test_all_pairs_are_never_stored(data, rng):
    import tracemalloc

    X, y, groups, _ = data
    ranker = EnergyRanker(BilinearEnergy([0, 1, 2]), alpha=0.01).fit(X, y, groups=groups)
    queries, items = rng.standard_normal((200, 3)), rng.standard_normal((50_000, 2))
    with config_context(working_memory=4):
        tracemalloc.start()
        ranker.top_k(queries, items=items)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 200 * 50_000 * 8 / 4


@pytest.mark.parametrize(
    "energy, message",
    [
        (BilinearEnergy([]), "query_columns must be a list of at least one index"),
        (BilinearEnergy([0, 1], ["a"]), "item_columns must be a list of at least one index"),
        (BilinearEnergy([-1]), "query_columns must be a finite number >= 0, got -1"),
        (BilinearEnergy([7]), "must be two parts of the 5 columns"),
        (BilinearEnergy(range(5)), "must be two parts of the 5 columns"),
    ],
)
def test_bad_columns_are_named(data, energy, message):
    X, y, groups, _ = data
    with pytest.raises(ValueError, match=message):
        EnergyRanker(energy).fit(X, y, groups=groups)


def test_a_catalogue_of_the_wrong_shape_is_named(data):
    X, y, groups, _ = data
    ranker = EnergyRanker(BilinearEnergy([0, 1, 2]), alpha=0.1).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="items must have the 2 columns of items .*, got 3"):
        ranker.top_k(X[:, :3], items=X[:, :3])
    with pytest.raises(ValueError, match="X must have the 3 columns of queries .*, got 5"):
        ranker.top_k(X, items=X[:, 3:])
    with pytest.raises(ValueError, match="Input items contains NaN"):
        ranker.top_k(X[:, :3], items=[[0.0, np.nan]])


def test_a_catalogue_has_no_queries_to_normalise_in(data):
    X, y, groups, _ = data
    ranker = EnergyRanker(BilinearEnergy([0, 1, 2]), alpha=0.1, normalize="query")
    ranker.fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="items needs normalize=None, got 'query'"):
        ranker.top_k(X[:, :3], items=X[:, 3:])


def test_others_have_no_catalogue_and_classifiers_no_bilinear_energy(data):
    X, y, groups, _ = data
    ranker = EnergyRanker(alpha=0.1).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match=r"items needs energy=BilinearEnergy\(...\)"):
        ranker.top_k(X[:, :3], items=X[:, 3:])
    with pytest.raises(ValueError, match="orders the items of a query"):
        EnergyClassifier(BilinearEnergy([0])).fit(X, y)
