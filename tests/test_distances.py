import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import euclidean_distances

from sk_ebm._utils.distances import squared_distances


def test_distances_are_those_of_scikit_learn(rng):
    X, Z = rng.standard_normal((30, 3)), rng.standard_normal((20, 3))
    assert_allclose(squared_distances(X, Z), euclidean_distances(X, Z, squared=True), atol=1e-12)
    assert_array_equal(np.diag(squared_distances(X, X)), 0)
