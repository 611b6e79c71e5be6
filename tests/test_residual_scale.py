import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.model_selection import KFold

from sk_ebm._core.folds import Folds
from sk_ebm._density.residual_scale import fit_residual_scale


def fit(X, sizes, rng, weights=None):
    folds = Folds(tuple(KFold(5).split(X)))
    weights = np.ones(len(X)) if weights is None else weights
    return fit_residual_scale(X, sizes, weights, folds, rng)


@pytest.mark.parametrize(
    "log_scale",
    [
        pytest.param(lambda X: np.zeros(len(X)), id="constant"),
        pytest.param(lambda X: 1.5 * X[:, 0], id="linear"),
        pytest.param(lambda X: 2 * np.sign(X[:, 0] * X[:, 1]), id="interaction"),
    ],
)
def test_the_true_scale_is_found(rng, log_scale):
    X = rng.standard_normal((1500, 2))
    scale, held_out = fit(X, np.exp(log_scale(X)) * rng.exponential(size=1500), rng)
    for found in (held_out, scale.predict(X)):
        assert np.mean(np.abs(found - log_scale(X))) < 0.45


def test_few_rows_have_the_mean_of_the_others(rng):
    sizes = rng.exponential(size=20)
    scale, held_out = fit(10 * sizes[:, None], sizes, rng)
    assert_allclose(held_out[:4], np.log(sizes[4:].mean()))
    assert_allclose(scale.predict(np.zeros((3, 1))), np.log(sizes.mean()))


def test_columns_of_one_heavy_row_that_others_are_far_from(rng):
    X, weights = 1e7 * rng.standard_normal((50, 3)), np.where(np.arange(50) == 7, 1.0, 1e-9)
    scale, held_out = fit(X, rng.exponential(size=50), rng, weights)
    assert np.isfinite(held_out).all() and np.isfinite(scale.predict(1e30 * X)).all()
