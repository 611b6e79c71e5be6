"""Properties that every loss has, where one answer is correct."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from sk_ebm._core.gibbs import Gibbs
from sk_ebm._testing.loss_laws import LOSS_LAWS, LossCase
from sk_ebm.losses._likelihood import MEE, NLL
from sk_ebm.losses._registry import LOSSES
from sk_ebm.losses._table1 import LVQ2, Hinge, SquareSquare

VARIANTS = {
    **{name: loss() for name, loss in LOSSES.items()},
    "hinge_wide": Hinge(margin=2.5),
    "lvq2_relative": LVQ2(relative=True, delta=0.5),
    "nll_cold": NLL(beta=2.5),
    "mee_hot": MEE(beta=0.4),
    "square_square_wide": SquareSquare(margin=2.0),
}


def cases(condition=lambda loss: True):
    chosen = {name: loss for name, loss in VARIANTS.items() if condition(loss)}
    return pytest.mark.parametrize(
        "loss", [pytest.param(loss, id=name) for name, loss in chosen.items()]
    )


every_loss = cases()
every_with_curvature = cases(lambda loss: loss.second_derivatives)
n, k = 30, 5


@pytest.fixture
def target(rng):
    return rng.randint(k, size=n)


def energies_for(loss, rng):
    energies = 1.5 * rng.standard_normal((n, k))
    return np.abs(energies) + 0.1 if loss.positive else energies


@pytest.mark.parametrize("law", LOSS_LAWS)
@every_loss
def test_laws(loss, law):
    for graded in (False, True)[: 1 + loss.several_correct]:
        LOSS_LAWS[law](LossCase.of(loss, graded))


def extreme_energies(loss, rng, dtype):
    low = 0.0 if loss.positive else -1e4
    return rng.choice([low, 0.0, 1e4], size=(n, k)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_loss
def test_extreme_energies_give_finite_values_and_gradient(loss, rng, target, dtype):
    values, gradient = loss(Gibbs(extreme_energies(loss, rng, dtype)), target)
    assert np.isfinite(values).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_with_curvature
def test_extreme_energies_give_finite_curvatures(loss, rng, target, dtype):
    curvature = loss.curvature(Gibbs(extreme_energies(loss, rng, dtype)), target)
    products = curvature.product(np.ones((n, k), dtype=dtype))
    assert np.isfinite(curvature.diagonal).all() and np.isfinite(products).all()


@every_with_curvature
def test_float32_is_kept_by_curvatures(loss, rng, target):
    gibbs = Gibbs(energies_for(loss, rng).astype(np.float32))
    curvature = loss.curvature(gibbs, target)
    assert curvature.diagonal.dtype == curvature.product(gibbs.energies).dtype == np.float32


NUMBERS = [
    pytest.param(loss, name, id=f"{kind}-{name}")
    for kind, loss in LOSSES.items()
    for name, value in loss().get_params().items()
    if not isinstance(value, bool)
]


BAD = [0, -1.0, np.inf, np.nan, "one", None, pytest.param(np.int64(-1), id="int64")]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("loss, name", NUMBERS)
def test_check_names_the_bad_parameter(loss, name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        loss(**{name: value}).check()


@every_loss
def test_check_accepts_good_parameters(loss):
    assert clone(loss).check() is None


@every_loss
def test_array_api_arrays_flow_through(loss, rng, target, strict):
    energies = energies_for(loss, rng)
    arrays = loss(Gibbs(strict.asarray(energies)), strict.asarray(target))
    for part, expected in zip(arrays, loss(Gibbs(energies), target), strict=True):
        assert isinstance(part, type(strict.asarray(1.0)))
        assert_allclose(np.asarray(part), expected, rtol=1e-12, atol=1e-14)


@every_with_curvature
def test_curvatures_of_array_api_arrays_flow_through(loss, rng, target, strict):
    energies, along = rng.standard_normal((2, n, k))
    curvature = loss.curvature(Gibbs(strict.asarray(energies)), strict.asarray(target))
    expected = loss.curvature(Gibbs(energies), target)
    assert_allclose(np.asarray(curvature.diagonal), expected.diagonal, rtol=1e-12, atol=1e-14)
    product = curvature.product(strict.asarray(along))
    assert_allclose(np.asarray(product), expected.product(along), rtol=1e-12, atol=1e-14)
