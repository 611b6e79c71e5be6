import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold

from sk_ebm._core.folds import Folds
from sk_ebm._density.gaussian_mixture import WeightedMixture, fit_mixture, refit_to_subset


def clusters(rng, n_clusters, n=900):
    """Columns of unit variance about."""
    angle = 2 * np.pi * rng.randint(n_clusters, size=n) / n_clusters
    centres = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (n_clusters > 1)
    X = 10 * centres + rng.standard_normal((n, 2))
    return X / 7


def fit(X, rng):
    folds = Folds(tuple(KFold(5, shuffle=True, random_state=0).split(X)))
    return fit_mixture(X, np.ones(len(X)), folds, rng)


@pytest.mark.parametrize("n_clusters", [1, 2, 3, 6])
def test_the_size_is_as_good_as_the_number_of_clusters(rng, n_clusters):
    X, new = np.split(clusters(rng, n_clusters, 1800), 2)
    mixture, fold_mixtures = fit(X, rng)
    assert mixture.n_components >= n_clusters
    ideal = GaussianMixture(n_clusters, n_init=10, random_state=0).fit(X)
    assert mixture.score(new) > ideal.score(new) - 0.03
    for fold in fold_mixtures:  # they go on from where the mixture is
        assert_allclose(fold.means_, mixture.means_, atol=0.3)


def test_independent_columns_of_few_rows_have_a_large_ridge(rng):
    few, many = (fit(rng.standard_normal((n, 20)), rng)[0].reg_covar for n in (60, 2500))
    assert few >= 0.1
    assert many <= 1e-3


def test_constant_columns_are_ignored(rng):
    X = clusters(rng, 3)
    constant, _ = fit(np.column_stack([X, np.zeros(len(X))]), np.random.RandomState(1))
    mixture, _ = fit(X, np.random.RandomState(1))
    assert constant.n_components == mixture.n_components
    assert_allclose(constant.means_[:, :2], mixture.means_, atol=1e-3)


def test_a_mixture_of_a_subset_is_one_of_its_rows(rng):
    X = clusters(rng, 3)
    folds = Folds(tuple(KFold(3, shuffle=True, random_state=0).split(X)))
    mixture, _ = fit(X, rng)
    n_components, kept = mixture.n_components, X[:, 0] < 0
    refitted, fold_mixtures = refit_to_subset(mixture, X, kept.astype(float), folds)
    assert refitted.score(X[kept]) > mixture.score(X[kept]) + 0.1
    assert len(fold_mixtures) == 3
    few = np.arange(len(X)) % 90 == 0
    assert refit_to_subset(mixture, X, few.astype(float), folds)[0].n_components == 2
    assert mixture.n_components == n_components


def test_weights_are_copies_of_rows(rng):
    X, weights = clusters(rng, 3, 300), rng.randint(1, 4, size=300)
    start = {"means_init": X[[0, 100, 200]], "weights_init": np.ones(3) / 3}
    start["precisions_init"] = np.tile(np.eye(2), (3, 1, 1))
    mixture = WeightedMixture(3, **start).fit(X, weights.astype(float))
    copied = GaussianMixture(3, **start).fit(np.repeat(X, weights, axis=0))
    assert_allclose(mixture.means_, copied.means_, rtol=1e-9)
    assert_allclose(mixture.weights_, copied.weights_, rtol=1e-9)
    assert_allclose(mixture.covariances_, copied.covariances_, rtol=1e-9)
