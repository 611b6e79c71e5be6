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
        (300, ["BoostedTrees", "CentredKernelRidge", "ExtraTreesRegressor", "RidgeCV"]),
        (1600, ["BoostedTrees", "NystroemRidge", "ExtraTreesRegressor"]),
    ],
)
def test_default_locations(n, expected):
    pytest.importorskip("lightgbm")
    assert names(n) == expected
    if "ExtraTreesRegressor" in expected:
        assert names(n, forest=False) == [name for name in expected if "Extra" not in name]
