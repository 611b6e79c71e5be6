import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import GammaRegressor
from sklearn.model_selection import KFold

from sk_ebm._core.folds import Folds
from sk_ebm._density.residual_scale import fit_residual_scale


def fit(X, sizes, rng):
    folds = Folds(tuple(KFold(5).split(X)))
    return fit_residual_scale(X, sizes, np.ones(len(X)), folds, rng)


def models(scale):
    return [
        "linear" if isinstance(regressor.models[0], GammaRegressor) else "trees"
        for regressor in scale.regressors
    ]


@pytest.mark.parametrize(
    ("log_scale", "expected"),
    [
        pytest.param(lambda X: np.zeros(len(X)), [], id="constant"),
        pytest.param(lambda X: 1.5 * X[:, 0], ["linear"], id="linear"),
        pytest.param(lambda X: 2 * np.sign(X[:, 0] * X[:, 1]), ["trees"], id="interaction"),
    ],
)
def test_the_true_model_is_chosen(rng, log_scale, expected):
    X = rng.standard_normal((1500, 2))
    scale, held_out = fit(X, np.exp(log_scale(X)) * rng.exponential(size=1500), rng)
    assert models(scale) == expected
    assert np.mean(np.abs(held_out - log_scale(X))) < 0.4
    assert np.mean(np.abs(scale.predict(X) - log_scale(X))) < 0.4


def test_of_few_rows_it_is_the_mean(rng):
    sizes = rng.exponential(size=20)
    scale, held_out = fit(10 * sizes[:, None], sizes, rng)
    assert_allclose(held_out, np.log(sizes.mean()))
    assert_allclose(scale.predict(np.zeros((3, 1))), np.log(sizes.mean()))
