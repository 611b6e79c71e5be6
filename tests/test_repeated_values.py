"""Draws that repeat the values of the training rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest, norm

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.repeated_values import RepeatedValueSampler, recurrence
from sk_ebm._density.rounding import Rounding


class Normal:
    """The distribution N(loc, scale) of each row."""

    def __init__(self, loc, scale):
        self.loc, self.scale = loc[:, None], scale

    def logpdf(self, y):
        return norm.logpdf(y, self.loc, self.scale)

    def draws(self, rng, k=1):
        return self.loc + self.scale * rng.standard_normal((len(self.loc), k))


def heaped(rng, n):
    """Values of which those that are multiples of five were preferred, and what they are near."""
    x = rng.uniform(0, 100, size=n)
    y = np.rint(x + 5 * rng.standard_normal(n))
    return x, np.where(rng.uniform(size=n) < 0.3, 5 * np.rint(y / 5), y)


def fitted(y, distribution, rng):
    sampler = RepeatedValueSampler.of(Rounding.of(y))
    indices, logs = sampler.candidates(distribution, distribution.draws(rng))
    return sampler.fit(indices[:, 0], logs[:, 0])


def replaced(sampler, distribution, rng, k=1):
    y = distribution.draws(rng, k)
    return sampler.choose(y, *sampler.candidates(distribution, y), rng.uniform(size=y.shape))


def test_values_are_as_frequent_as_in_training_and_near_to_the_draw(rng):
    x, y = heaped(rng, 4000)
    distribution = Normal(x, 6.0)
    drawn = replaced(fitted(y, distribution, rng), distribution, rng, k=20)
    values, counts = np.unique(y, return_counts=True)
    frequent = counts >= 20
    shares = np.mean(drawn.ravel() == values[frequent, None], axis=1)
    assert_allclose(shares, counts[frequent] / 4000, rtol=0.2)
    assert_allclose(np.std(drawn - x[:, None]), np.std(y - x), rtol=0.1)


def test_new_values_are_drawn_as_often_as_rows_have_values_of_their_own(rng):
    y = rng.standard_normal(3000)
    y[:1500] = np.round(y[:1500], 1)
    distribution = Normal(np.zeros(3000), 1.0)
    drawn = replaced(fitted(y, distribution, rng), distribution, rng, k=10)
    assert_allclose(np.isin(drawn, y).mean(), 0.5, atol=0.05)
    assert kstest(drawn[~np.isin(drawn, y)], "norm").statistic < 0.03


def test_a_draw_is_kept_where_no_value_is_plausible_beside_it():
    sampler = RepeatedValueSampler(np.arange(20.0), np.full(20, 5), np.full(20, 5))
    distribution = Normal(np.array([3.5, 4.0]), 1e-3)
    kept, moved = replaced(sampler, distribution, np.random.RandomState(0))
    assert kept == distribution.draws(np.random.RandomState(0))[0]
    assert moved == 4
    nothing = sampler.candidates(Normal(np.array([3.5]), 1e-3), np.array([[3.5]]))
    assert_array_equal(sampler.fit(*(part[:, 0] for part in nothing)).biases, 0)


def test_recurrence_and_what_has_none(rng):
    assert recurrence(np.array([3, 1, 4, 2])) == 0.9
    assert RepeatedValueSampler.of(Rounding.of(rng.standard_normal(100))) is None
    of_an_atom = Rounding.of(np.append(rng.standard_normal(100), np.zeros(100)))
    assert len(of_an_atom.point_masses) == 1
    assert RepeatedValueSampler.of(of_an_atom) is None


@pytest.fixture(scope="module")
def table():
    rng = np.random.RandomState(0)
    x, y = heaped(rng, 1200)
    z = np.where(rng.uniform(size=1200) < 0.4, 0.0, np.round(x + y, 1))
    return np.column_stack([np.round(x / 3), y, z, rng.standard_normal(1200)])


def joint(table, **params):
    model = EnergyDensityEstimator("linear", conditional=False, alpha=1.0, random_state=0)
    return model.set_params(**params).fit(table)


def test_draws_of_a_table_repeat_the_values_of_its_columns(table):
    model = joint(table)
    drawn = model.sample(3000, random_state=0)
    for j in range(3):
        values, counts = np.unique(table[:, j], return_counts=True)
        often = counts >= 12
        shares = np.mean(drawn[:, [j]] == values[often], axis=0)
        assert_allclose(shares, counts[often] / 1200, rtol=0.6)
    assert_allclose(drawn[:, 2], np.round(drawn[:, 2], 1), atol=1e-9)  # new values too
    assert len(np.unique(drawn[:, 3])) == 3000
    assert_allclose(np.corrcoef(drawn.T), np.corrcoef(table.T), atol=0.05)


def test_columns_that_are_given_stay_as_they_are(table):
    drawn = joint(table).sample([[20.3, 61.7]], 50, random_state=0)
    assert_array_equal(drawn[0, :, :2], [[20.3, 61.7]] * 50)


def test_a_smooth_density_has_smooth_draws(table):
    drawn = joint(table, atoms=False).sample(500, random_state=0)
    assert [len(np.unique(column)) for column in drawn.T] == [500] * 4


def test_weights_say_how_frequent_values_are(rng):
    y = np.round(15 * rng.standard_normal(600))
    weights = np.where(y % 2 == 0, 1.9, 0.1)
    rounding = Rounding.of(y, weights)
    assert rounding.frequencies.sum() == pytest.approx(600)
    table = np.column_stack([y, y + rng.standard_normal(600)])
    density = EnergyDensityEstimator("linear", conditional=False, alpha=1.0, random_state=0)
    draws = density.fit(table, sample_weight=weights).sample(n_samples=1000, random_state=0)
    assert np.mean(draws[:, 0] % 2 == 0) == pytest.approx(0.95, abs=0.03)
