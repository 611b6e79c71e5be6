"""The approximate index of a catalogue, against the exact search."""

import pickle
import sys

import numpy as np
import pytest
import scipy
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_ebm import EnergyRanker
from sk_ebm.energies import BilinearEnergy
from sk_ebm.energies._item_index import ItemIndex
from sk_ebm.metrics import top_k_recall

pytest.importorskip("faiss")


def test_a_missing_faiss_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"pip install sk-ebm\[index\]"):
        ItemIndex().fit([[0.0], [1.0]])


@pytest.fixture
def ranker():
    """Queries of three features and items of eight, chosen by x' W y."""
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(100), 8)
    queries, items = rng.standard_normal((100, 3)), rng.standard_normal((800, 8))
    worth = np.sum(queries[groups] @ rng.standard_normal((3, 8)) * items, axis=1)
    ranker = EnergyRanker(BilinearEnergy([0, 1, 2]), alpha=0.01)
    return ranker.fit(np.column_stack([queries[groups], items]), worth > 2, groups=groups)


@pytest.fixture
def items(rng):
    return rng.standard_normal((3000, 8)) * rng.lognormal(size=(3000, 1))


OLD_SCIPY = {"check_array_api_input": "scikit-learn dispatches arrays from SciPy 1.14 on"}
IS_OLD = tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 14)


@parametrize_with_checks(
    [ItemIndex(n_links=4, n_build=10)],
    expected_failed_checks=lambda _: OLD_SCIPY if IS_OLD else {},
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("units", [1.0, [1e-20, 1e20, 1, 1, 1e3, 1, 1, 1]])
@pytest.mark.parametrize("origin", [0.0, 1e5])
def test_it_finds_most_of_the_best_items_in_any_unit(units, origin, ranker, items, rng):
    """Lengths of items differ: the nearest, or those of the least angle, would be others."""
    ranker.energy_.coef_ = (ranker.energy_.matrix_ / units).ravel()
    queries, items = rng.standard_normal((50, 3)), (items + origin) * units
    exact = ranker.top_k(queries, k=10, items=items)
    found = ranker.top_k(queries, k=10, items=ItemIndex().fit(items))
    assert top_k_recall(found, exact) > 0.95


def test_the_energies_of_what_it_finds_are_exact_and_sorted(ranker, items, rng):
    queries = rng.standard_normal((20, 3))
    with config_context(working_memory=1e-3):  # less than the items of a query
        top = ranker.top_k(queries, k=10, items=ItemIndex().fit(items))
    assert_array_equal(top.queries, np.arange(20))
    for query, rows, energies in zip(queries, top.rows, top.energies, strict=True):
        pairs = np.column_stack([np.tile(query, (10, 1)), items[rows]])
        assert_allclose(energies, ranker.energies(pairs), rtol=1e-10)
        assert_array_equal(energies, np.sort(energies))


def test_all_items_are_found_where_all_are_asked_for(ranker, rng):
    queries, items = rng.standard_normal((5, 3)), rng.standard_normal((30, 8))
    index = ItemIndex().fit(items)
    top, exact = (ranker.top_k(queries, k=99, items=given) for given in (index, items))
    assert_array_equal(top.rows, exact.rows)
    assert_allclose(top.energies, exact.energies, rtol=1e-10)


def test_a_wider_search_finds_more(ranker, items, rng):
    queries, index = rng.standard_normal((50, 3)), ItemIndex(2, 2).fit(items)
    exact = ranker.top_k(queries, items=items)
    recall = [
        top_k_recall(ranker.top_k(queries, items=index.set_params(n_search=n)), exact)
        for n in (1, 100)
    ]
    assert recall[0] < recall[1]


def test_an_index_can_be_stored(ranker, items, rng):
    queries, index = rng.standard_normal((5, 3)), ItemIndex().fit(items.astype(np.float32))
    stored = pickle.loads(pickle.dumps(index))
    first, second = (ranker.top_k(queries, items=given) for given in (index, stored))
    assert_array_equal(first.rows, second.rows)


@pytest.mark.parametrize("name", ["n_links", "n_build", "n_search"])
def test_bad_parameters_are_named(name, items):
    with pytest.raises(ValueError, match=f"{name} must be an integer >= .*, got 0"):
        ItemIndex(**{name: 0}).fit(items)


def test_an_index_of_the_wrong_width_is_named(ranker, items):
    with pytest.raises(ValueError, match="items must have the 8 columns of items .*, got 3"):
        ranker.top_k(items[:, :3], items=ItemIndex().fit(items[:, :3]))


def test_an_index_must_be_fitted(ranker, items):
    with pytest.raises(NotFittedError, match="ItemIndex"):
        ranker.top_k(items[:, :3], items=ItemIndex())


@pytest.mark.parametrize("name", ["n_build", "n_search"])
def test_more_candidates_than_items_are_all_of_them(name, items):
    index, every = (ItemIndex(**{name: k}).fit(items[:200]) for k in (2**40, 200))
    found, expected = (ind.search(items[:3], 4, 1000)[0] for ind in (index, every))
    assert_array_equal(found, expected)


def test_items_whose_squares_overflow_are_refused(rng):
    with pytest.raises(ValueError, match="largest number of a column"):
        ItemIndex().fit(1e155 * rng.standard_normal((20, 2)))
