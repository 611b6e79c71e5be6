import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import ExtraTreesRegressor

from sk_ebm._density.leaf_histograms import LeafHistograms, bin_edges, leaves_of


@pytest.mark.parametrize(
    "weights_of",
    [
        lambda rng: rng.randint(3, size=200).astype(float),
        lambda rng: 1e3 * rng.uniform(0.5, 2, size=200),
    ],
    ids=["whole", "others"],
)
def test_leaves_hold_the_answers_of_their_rows(rng, weights_of):
    half_unit = 0.5 / 255
    X = rng.uniform(size=(200, 1))
    bins = (X[:, 0] > 0.5).astype(int) + 2 * (X[:, 0] > 0.8)
    forest = ExtraTreesRegressor(20, max_leaf_nodes=3, random_state=0).fit(X, bins)
    weights = weights_of(rng)
    leaves, n_leaves = leaves_of(forest, X)
    histograms = LeafHistograms(leaves, bins, weights, 4, n_leaves)
    shares = histograms(leaves)
    assert_allclose(shares.sum(axis=1), 1, atol=4 * half_unit)
    expected = np.zeros(shares.shape)
    for tree in forest.estimators_:
        leaves_of_rows = tree.apply(X)
        for leaf in np.unique(leaves_of_rows):
            same = leaves_of_rows == leaf
            masses = np.bincount(bins[same], weights[same], minlength=4)
            expected[same] += masses / masses.sum() / 20
    assert_allclose(shares, expected, rtol=0, atol=1.001 * half_unit)
    assert_array_equal(histograms(leaves[:3]), shares[:3])
    other = LeafHistograms(leaves, 3 - bins, weights, 4, n_leaves)
    together = LeafHistograms.together([histograms, other])
    both = together(np.hstack([leaves, leaves + n_leaves]))
    assert_allclose(both, (shares + other(leaves)) / 2)


def test_edges_are_between_values():
    y = np.array([3.0, 1.0, 1.0, 2.0, 7.0])
    assert_array_equal(bin_edges(y, np.ones(5)), [1.5, 2.5, 5.0])
    assert_array_equal(bin_edges(y, np.array([1.0, 1, 1, 0, 1])), [2.0, 5.0])
    many = bin_edges(np.arange(1000.0), np.ones(1000))
    assert len(many) == 31
    assert_allclose(np.diff(many), 1000 / 32, atol=1)
