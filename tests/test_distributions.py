"""Predictive distributions: corrected, with point masses, rounded."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sk_ebm._density.blended import BlendedDistribution
from sk_ebm._density.mixture_distribution import MixtureDistribution
from sk_ebm._density.predicted import PredictedDistribution
from sk_ebm._density.rounding import Rounding
from sk_ebm._density.splines import NormalSplines
from sk_ebm._density.student import StudentDistribution
from sk_ebm._density.tilted_normal import TiltedNormal, _log_mass, _log_piece_masses
from sk_ebm.distributions import CorrectedDistribution, RoundedDistribution, WithPointMasses

SPLINES = NormalSplines(8)
BASES = ["student", "blended", "normal", "mixture", "blended mixture"]
DISTRIBUTIONS = ["point masses", "rounded", "both"]
LEVELS = (np.arange(4000) + 0.5) / 4000


@pytest.fixture
def tilted(rng):
    return TiltedNormal(SPLINES, rng.standard_normal((6, 8)))


def bases(rng):
    loc, scale = rng.standard_normal(6), rng.uniform(0.5, 2, size=6)
    shares = np.log(rng.dirichlet(np.ones(3), size=6))
    student = StudentDistribution(loc, scale, 4.0)
    mixture = MixtureDistribution(
        shares, 3 * rng.standard_normal((6, 3)), np.tile([0.2, 0.5, 1], (6, 1))
    )
    of_leaves = rng.dirichlet(np.ones(4), size=6)
    return {
        "student": student,
        "blended": BlendedDistribution(student, np.array([-1.0, 0.1, 2.0]), of_leaves, 0.6),
        "normal": PredictedDistribution(stats.norm(loc, scale), np.array([-1.0, 1.0])),
        "mixture": mixture,
        "blended mixture": BlendedDistribution(mixture, np.array([-1.0, 0.1, 2.0]), of_leaves, 0.6),
    }


@pytest.mark.parametrize("name", BASES)
def test_bases_invert_their_normal_score(name, rng):
    base = bases(rng)[name]
    z = np.array([-6.0, -2, 0, 0.5, 4])
    assert_allclose(base.normal_score(base.from_normal_score(z)), np.tile(z, (6, 1)), atol=1e-7)


@pytest.mark.parametrize("name", BASES)
def test_log_density_is_the_slope_of_the_cdf(name, rng, tilted):
    predictive = CorrectedDistribution(bases(rng)[name], tilted)
    y = predictive.ppf(np.tile([0.07, 0.41, 0.86], (6, 1)))
    step = 1e-5
    slope = (predictive.cdf(y + step) - predictive.cdf(y - step)) / (2 * step)
    assert_allclose(np.exp(predictive.logpdf(y)), slope, rtol=1e-5)


@pytest.mark.parametrize("name", BASES)
def test_crps_is_that_of_draws(name, rng, tilted):
    predictive = CorrectedDistribution(bases(rng)[name], tilted)
    y = predictive.ppf(np.full((6, 1), 0.8))[:, 0]
    levels = (np.arange(4000) + 0.5) / 4000
    draws = predictive.ppf(np.tile(levels, (6, 1)))
    pinball = (levels - (y[:, None] < draws)) * (y[:, None] - draws)
    assert_allclose(predictive.crps(y), 2 * pinball.mean(axis=1), rtol=5e-3)


@pytest.mark.parametrize("name", BASES)
def test_mode_has_the_greatest_density(name, rng, tilted):
    predictive = CorrectedDistribution(bases(rng)[name], tilted)
    levels = np.tile(np.linspace(0.001, 0.999, 2000), (6, 1))
    others = predictive.logpdf(predictive.ppf(levels)).max(axis=1)
    assert (predictive.logpdf(predictive.mode()[:, None])[:, 0] >= others - 1e-3).all()


def distributions(rng):
    base = StudentDistribution(rng.standard_normal(6), rng.uniform(0.5, 2, size=6), 4.0)
    smooth = CorrectedDistribution(
        base, TiltedNormal(NormalSplines(8), 0.5 * rng.standard_normal((6, 8)))
    )
    with_points = WithPointMasses(
        smooth, np.array([-0.5, 1.0]), 0.5, np.log(rng.dirichlet(np.ones(3), size=6))
    )
    values = np.arange(-40, 41) / 2
    rounding = Rounding(values, values[:0], 0.5, 0.5, values, *np.ones((2, len(values))))
    return {
        "point masses": with_points,
        "rounded": RoundedDistribution(smooth, rounding),
        "both": RoundedDistribution(with_points, rounding),
    }


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_quantile_and_cdf_are_adjoint(name, rng):
    distribution = distributions(rng)[name]
    p = np.tile(np.linspace(0.01, 0.99, 60), (6, 1))
    y = distribution.ppf(p)
    assert (distribution.cdf(y) >= p - 1e-9).all()
    assert (distribution.cdf(y - 1e-6) <= p + 1e-4).all()
    assert (np.diff(y, axis=1) >= 0).all()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_masses_mean_and_crps_are_those_of_draws(name, rng):
    distribution = distributions(rng)[name]
    assert_allclose(distribution.masses.sum(axis=1), 1, rtol=1e-9)
    draws = distribution.ppf(np.tile(LEVELS, (6, 1)))
    assert_allclose(distribution.mean(), draws.mean(axis=1), atol=0.01)
    for y in (np.full(6, 1.0), np.full(6, 0.37), np.full(6, -30.0)):
        pinball = (LEVELS - (y[:, None] < draws)) * (y[:, None] - draws)
        assert_allclose(distribution.crps(y), 2 * pinball.mean(axis=1), rtol=0.02)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_shortest_interval_covers(name, rng):
    distribution = distributions(rng)[name]
    ends = distribution.shortest_interval(0.8)
    inside = distribution.cdf(ends[:, 1:]) - distribution.cdf(ends[:, :1] - 1e-9)
    assert (inside >= 0.8 - 1e-6).all()
    equal = distribution.ppf(np.tile([0.1, 0.9], (6, 1)))
    assert (np.diff(ends) <= np.diff(equal) + 1e-9).all()


@pytest.mark.parametrize("name", ["rounded", "both"])
def test_masses_of_intervals_are_those_of_values(name, rng):
    distribution = distributions(rng)[name]
    y = np.tile([-0.5, 1.0, 3.0], (6, 1))
    found = distribution.log_mass(y, *distribution.rounding.intervals(y))
    at = np.searchsorted(distribution.rounding.values, y[0])
    assert_allclose(np.exp(found), distribution.masses[:, at], atol=1e-9)
    assert_array_equal(
        distribution.mode(), distribution.rounding.values[np.argmax(distribution.masses, axis=1)]
    )


def test_log_mass_far_out_is_that_of_the_density(rng):
    distribution = distributions(rng)["point masses"]
    y = np.full((6, 1), -1e4)
    found = distribution.log_mass(y, y - 0.01, y + 0.01)
    assert_allclose(found, distribution.logpdf(y) + np.log(0.02), atol=1e-5)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_results_have_the_shape_of_values(name, rng):
    distribution = distributions(rng)[name]
    y = rng.standard_normal((6, 3))
    for method in (distribution.logpdf, distribution.cdf, distribution.energies, distribution.crps):
        assert_array_equal(method(y)[:, 1], method(y[:, 1]))
        assert_array_equal(method(0.3), method(np.full(6, 0.3)))
    p = distribution.cdf(distribution.mean())
    assert (
        p.shape
        == distribution.ppf(p).shape
        == distribution.median().shape
        == distribution.mode().shape
        == (6,)
    )
    assert distribution.interval(0.8).shape == distribution.shortest_interval(0.8).shape == (6, 2)
    assert distribution.grid.shape == distribution.masses.shape
    with pytest.raises(ValueError, match="broadcast"):
        distribution.cdf(np.zeros((5, 3)))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_draws_follow_the_cdf(name, rng):
    distribution = distributions(rng)[name]
    draws = distribution.rvs(4000, random_state=0)
    assert_array_equal(draws, distribution.rvs(4000, random_state=np.random.RandomState(0)))
    for y in (-1.0, 0.4, 2.0):
        assert_allclose(np.mean(draws <= y, axis=1), distribution.cdf(y), atol=0.03)
    assert_allclose(np.mean(draws < distribution.median()[:, None], axis=1) <= 0.52, True)


def test_energies_are_log_densities_but_for_the_partition_function(rng):
    for distribution in distributions(rng).values():
        assert_allclose(
            distribution.logpdf(0.3) + distribution.energies(0.3), -distribution.log_z, rtol=1e-12
        )


@pytest.mark.parametrize("name", ["student", "blended", "mixture"])
def test_the_shortest_interval_is_nearly_the_shortest_of_all(name, rng, tilted):
    predictive = CorrectedDistribution(bases(rng)[name], tilted)
    tails = np.linspace(1e-6, 0.2 - 1e-6, 400)
    ends = predictive.ppf(np.tile([*tails, *tails + 0.8], (6, 1)))
    least = (ends[:, 400:] - ends[:, :400]).min(axis=1)
    assert_allclose(np.diff(predictive.shortest_interval(0.8))[:, 0], least, rtol=0.02)


@pytest.mark.parametrize("size", [1e-3, 1.0, 20.0, 1e4])
def test_masses_of_pieces_are_those_of_differences(rng, size):
    slopes = size * rng.standard_normal((6, len(SPLINES.grid) - 1))
    exact = _log_mass(SPLINES.grid[:-1], SPLINES.grid[1:], slopes)
    assert_allclose(_log_piece_masses(SPLINES.grid, slopes), exact, rtol=1e-10, atol=1e-12)
