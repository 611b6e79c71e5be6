import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_ebm._density.transforms import PowerTransform

BEYOND = np.array([-50.0, -1.0, 1e-3, 0.5, 3.0, 40.0, 1e4])


@pytest.fixture(params=["positive", "both signs"])
def y(request, rng):
    y = rng.lognormal(sigma=0.8, size=400)
    return y if request.param == "positive" else y - 2


@pytest.mark.parametrize("exponent", [-1.5, 0, 0.4, 1, 2, 3])
def test_a_power_maps_all_numbers_onto_themselves(y, exponent):
    power = PowerTransform(exponent).fit(y, np.ones(400))
    for values in (y, BEYOND):
        assert_allclose(power.inverse(power(values)), values, rtol=1e-9, atol=1e-9)
    assert (np.diff(power(np.sort(BEYOND))) > 0).all()
    assert (np.diff(power(np.sort(y))) > 0).all()


@pytest.mark.parametrize("exponent", [-1.5, 0, 0.4, 1, 2, 3])
def test_the_derivative_is_that_of_finite_differences(y, exponent):
    power = PowerTransform(exponent).fit(y, np.ones(400))
    values = np.concatenate([y[np.abs(y - y.min()) > 1e-3], [y.min() - 5, y.max() + 5]])
    values = values[np.abs(values - y.max()) > 1e-3]
    step = 1e-6 * (np.abs(values) + 1e-3)
    derivative = (power(values + step) - power(values - step)) / (2 * step)
    assert_allclose(np.exp(power.log_derivative(values)), derivative, rtol=1e-4)


def test_auto_finds_the_scale_on_which_values_are_normal(rng):
    normal, weights = rng.standard_normal(2000), np.ones(2000)
    assert abs(PowerTransform().fit(np.exp(normal), weights).exponent_) < 0.1
    assert PowerTransform().fit((0.2 * normal + 3) ** 3, weights).exponent_ == pytest.approx(
        1 / 3, abs=0.1
    )
    assert abs(PowerTransform().fit(normal, weights).exponent_ - 1) < 0.1
    assert PowerTransform().fit(normal, weights).gain_ < 1e-2


def test_the_unit_of_y_does_not_matter(y):
    one, other = (PowerTransform().fit(unit * y, np.ones(400)) for unit in (1, 1e-5))
    assert other.exponent_ == pytest.approx(one.exponent_, abs=1e-4)
    assert other.gain_ == pytest.approx(one.gain_, abs=1e-8)


def test_a_weight_of_two_is_two_rows(rng):
    y, weights = rng.lognormal(size=50), rng.randint(3, size=50)
    one = PowerTransform().fit(y, weights.astype(float))
    two = PowerTransform().fit(np.repeat(y, weights), np.ones(weights.sum()))
    assert one.exponent_ == pytest.approx(two.exponent_, abs=1e-6)


def test_a_weight_of_two_is_two_rows_around_the_median(rng):
    y, weights = rng.standard_normal(50), rng.randint(3, size=50)
    one = PowerTransform().fit(y, weights.astype(float))
    two = PowerTransform().fit(np.repeat(y, weights), np.ones(weights.sum()))
    assert one.exponent_ == pytest.approx(two.exponent_, abs=1e-6)


@pytest.mark.filterwarnings("error")
def test_values_of_any_range_have_a_power():
    y = np.array([1e-30, 1.0, 2.0, 1e30])
    power = PowerTransform().fit(y, np.ones(4))
    assert np.isfinite(power(y)).all() and (np.diff(power(y)) > 0).all()
