import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

from sk_ebm._density.blended import BlendedDistribution
from sk_ebm._density.splines import NormalSplines
from sk_ebm._density.student import StudentDistribution
from sk_ebm._density.tilted_normal import TiltedNormal
from sk_ebm.distributions import CorrectedDistribution

EDGES = np.array([-1.0, 0.1, 2.0])


@pytest.fixture
def blended(rng):
    student = StudentDistribution(rng.standard_normal(6), rng.uniform(0.5, 2, size=6), 4.0)
    shares = rng.dirichlet(np.ones(4), size=6)
    return student, shares, BlendedDistribution(student, EDGES, shares, 0.6)


def masses(distribution):
    below = special.ndtr(distribution.normal_score(np.tile(EDGES, (6, 1))))
    return np.diff(np.pad(below, [(0, 0), (1, 1)], constant_values=((0, 0), (0, 1))), axis=1)


def test_bins_have_blended_masses(blended):
    student, shares, blend = blended
    assert_allclose(masses(blend), 0.4 * masses(student) + 0.6 * shares, rtol=1e-12)
    y = np.array([-3.0, 0.0, 5.0])  # the same in all rows
    assert_array_equal(blend.normal_score(y), blend.normal_score(np.tile(y, (6, 1))))


def test_no_weight_changes_nothing(blended):
    student, shares, _ = blended
    y = np.tile([-40.0, -1.0, 0.0, 3.0, 1e6], (6, 1))
    same = BlendedDistribution(student, EDGES, shares, 0.0)
    assert_allclose(same.normal_score(y), student.normal_score(y), rtol=1e-12)
    assert_allclose(same.logpdf(y), student.logpdf(y), rtol=1e-12)


def test_bins_without_mass_get_none():
    student = StudentDistribution(np.zeros(1), np.full(1, 1e-6), 30.0)
    blend = BlendedDistribution(student, EDGES, np.array([[0.5, 0, 0, 0.5]]), 0.9)
    assert_allclose(blend.density_ratio(np.array([[-2.0, 0.0, 1.0, 3.0]])), 1)
    z = np.array([-7.0, -1.0, 0.0, 7.0])
    assert_allclose(blend.normal_score(blend.from_normal_score(z)), z[None], atol=1e-6)


def test_means_and_crps_of_bins_that_are_nearly_empty(rng):
    student = StudentDistribution(np.zeros(6), np.ones(6), 8.0)
    blend = BlendedDistribution(student, EDGES, np.tile([0.5, 0, 0, 0.5], (6, 1)), 0.95)
    predictive = CorrectedDistribution(
        blend, TiltedNormal(NormalSplines(8), rng.standard_normal((6, 8)))
    )
    levels = (np.arange(20_000) + 0.5) / 20_000
    draws = predictive.ppf(np.tile(levels, (6, 1)))
    y = draws[:, 3000]
    gini = np.mean((2 * levels - 1) * draws, axis=1)
    assert_allclose(predictive.mean(), draws.mean(axis=1), rtol=2e-3)
    assert_allclose(predictive.crps(y), np.abs(draws - y[:, None]).mean(axis=1) - gini, rtol=1e-3)
