import numpy as np
import pytest

from sk_ebm._density.regressors import default_locations


def names(n, forest=True):
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((n, 2)), rng.standard_normal(n)
    regressors = default_locations(X, y, np.ones(n), n * 4 // 5, rng, forest=forest)
    return [type(r[-1] if hasattr(r, "steps") else r).__name__ for r in regressors]


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (11, ["DummyRegressor"]),
        (25, ["RidgeCV"]),
        (300, ["LGBMRegressor", "CentredKernelRidge", "ExtraTreesRegressor", "RidgeCV"]),
        (1600, ["LGBMRegressor", "NystroemRidge", "ExtraTreesRegressor"]),
    ],
)
def test_default_locations(n, expected):
    pytest.importorskip("lightgbm")
    assert names(n) == expected
    if "ExtraTreesRegressor" in expected:
        assert names(n, forest=False) == [name for name in expected if "Extra" not in name]


def test_boosted_trees_of_wide_tables_are_few(rng):
    pytest.importorskip("lightgbm")
    y = rng.standard_normal(50)
    narrow, wide = (
        default_locations(rng.standard_normal((50, d)), y, np.ones(50), 40, rng)[0]
        for d in (99, 100)
    )
    assert wide.n_estimators * wide.learning_rate <= narrow.n_estimators * narrow.learning_rate
    assert wide.n_estimators <= narrow.n_estimators / 4
