import numpy as np
import pytest
from sklearn.model_selection import KFold

from sk_ebm._core.folds import Folds
from sk_ebm._density.regressors import default_trees, fit_default_locations
from sk_ebm._density.transforms import PowerTransform


def fitted(n, target, powers=(1.0,)):
    rng = np.random.RandomState(0)
    X, weights = rng.standard_normal((n, 2)), np.ones(n)
    y = target(X, rng)
    scales = [PowerTransform(power).fit(y, weights) for power in powers]
    folds = Folds(tuple(KFold(5).split(X)))
    return fit_default_locations(scales, X, y, weights, folds, rng)


def noise(X, rng):
    return rng.standard_normal(len(X))


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (11, ["DummyRegressor"]),
        (25, ["LinearRidge"]),
        (100, ["LGBMRegressor", "KernelRegressor", "ExtraTreesRegressor", "LinearRidge"]),
    ],
)
def test_default_locations(n, expected):
    pytest.importorskip("lightgbm")
    assert [type(r.fold_models[0]).__name__ for r in fitted(n, noise)] == expected


def test_regressors_without_weight_on_the_first_fold_are_left_out():
    (only,) = fitted(1200, lambda X, rng: np.sin(X[:, 0]) + X[:, 1])
    assert type(only.fold_models[0]).__name__ == "KernelRegressor"


def test_each_regressor_is_fitted_on_the_scale_that_predicts_best():
    def target(X, rng):
        return np.exp(3 * X[:, 0] + 0.3 * rng.standard_normal(len(X)))

    kernel = fitted(200, target, (1.0, 0.0))[1]
    assert kernel.regressor.power.exponent_ == 0


def test_boosted_trees_of_wide_tables_are_few():
    pytest.importorskip("lightgbm")
    narrow, wide = (default_trees(50, d) for d in (99, 100))
    assert wide.n_estimators * wide.learning_rate <= narrow.n_estimators * narrow.learning_rate
    assert wide.n_estimators <= narrow.n_estimators / 4


def test_boosted_trees_grow_steadily_with_rows():
    pytest.importorskip("lightgbm")
    leaves = [default_trees(n, 8).num_leaves for n in (1000, 4000, 8000, 16_000, 10**6)]
    assert leaves == [15, 16, 32, 63, 63]


def test_boosted_trees_are_as_many_as_help_on_the_first_fold():
    pytest.importorskip("lightgbm")

    def n_trees(target):
        trees = fitted(300, target)[0]
        booster = trees.regressor.models[0].booster_
        assert trees.fold_models[0].booster_.best_iteration == booster.num_trees()
        return booster.num_trees()

    assert n_trees(noise) == 200
    assert n_trees(lambda X, rng: np.sin(5 * X[:, 0]) * np.cos(5 * X[:, 1])) == 400
