import pickle

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from sk_ebm._density.flat_forest import FlatForest
from sk_ebm._density.leaf_histograms import leaves_of


def test_leaves_and_predictions_are_those_of_the_forests(rng):
    X, y = rng.standard_normal((300, 4)), rng.standard_normal(300)
    forests = [
        ExtraTreesRegressor(7, random_state=0).fit(X, y),
        RandomForestRegressor(5, min_samples_leaf=3, random_state=0).fit(X[:200], y[:200]),
    ]
    flat = FlatForest.of(forests)
    first, n_leaves = leaves_of(forests[0], X)
    second, _ = leaves_of(forests[1], X)
    leaves = flat.leaves(X)
    assert_array_equal(leaves, np.hstack([first, second + n_leaves]))
    expected = (7 * forests[0].predict(X) + 5 * forests[1].predict(X)) / 12
    assert_allclose(flat.predict(X), expected, atol=1e-6)
    assert_array_equal(flat.leaves(X[:1]), leaves[:1])


def test_blocks_of_rows_change_nothing(rng, monkeypatch):
    X = rng.standard_normal((50, 2))
    flat = FlatForest.of([ExtraTreesRegressor(3, random_state=0).fit(X, X[:, 0])])
    leaves = flat.leaves(X)
    monkeypatch.setattr("sk_ebm._density.flat_forest._BLOCK_PATHS", 10)
    assert_array_equal(flat.leaves(X), leaves)


def test_thresholds_between_neighbouring_numbers_do_not_change_sides():
    """They have 64 bits in the trees, and 32 here."""
    X = np.nextafter(np.float32(1), np.float32(2), dtype=np.float32) * np.ones((10, 1), np.float32)
    X[::2] = 1
    forest = ExtraTreesRegressor(20, random_state=0).fit(X, X[:, 0] > 1)
    assert_array_equal(FlatForest.of([forest]).predict(X), forest.predict(X))


def test_trees_take_little_memory(rng):
    X, y = rng.standard_normal((500, 3)), rng.standard_normal(500)
    forest = ExtraTreesRegressor(10, random_state=0).fit(X, y)
    assert len(pickle.dumps(FlatForest.of([forest]))) < 0.2 * len(pickle.dumps(forest))
