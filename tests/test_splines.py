"""Splines of a normal score, and normal distributions tilted by them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats

from sk_ebm._density.splines import NormalSplines
from sk_ebm._density.tilted_normal import TiltedNormal

SPLINES = NormalSplines(8)


@pytest.fixture
def tilted(rng):
    return TiltedNormal(SPLINES, rng.standard_normal((6, 8)))


def test_splines_end_above_zero_whatever_the_signs_of_eigenvectors():
    assert (SPLINES(SPLINES.bound) > 0).all()


def test_splines_are_orthogonal_and_ordered_by_roughness():
    weights = np.exp(SPLINES.log_weights)
    gram = SPLINES.at_nodes.T * weights @ SPLINES.at_nodes
    assert_allclose(weights.sum(), 1, rtol=1e-14)
    assert_allclose(gram - np.diag(np.diag(gram)), 0, atol=1e-12)
    assert_allclose(weights @ SPLINES.at_nodes, 0, atol=1e-12)
    assert (np.diff(np.diag(gram)) < 0).all()


def test_splines_are_constant_beyond_the_knots():
    assert_array_equal(SPLINES(np.array([-50.0, -np.inf])), SPLINES(np.array([-3.0, -3.0])))


def test_tilted_density_integrates_to_one(tilted):
    for i in range(len(tilted.outputs)):
        one = TiltedNormal(SPLINES, tilted.outputs[i : i + 1])

        def density(z, one=one):
            return stats.norm.pdf(z) * np.exp(one.tilt(np.array([[z]]))[0, 0])

        total = integrate.quad(density, -12, 12, points=SPLINES.grid, limit=400)[0]
        assert_allclose(total, 1, atol=1e-9)


def test_cdf_and_quantile_of_the_score_invert_each_other(tilted):
    p = np.tile([1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6], (6, 1))
    assert_allclose(tilted.cdf(tilted.quantile(p)), p, atol=1e-9)


def test_the_cdf_of_steep_tilts_is_a_probability_and_rises(rng):
    sizes = 10.0 ** rng.randint(-1, 3, size=(50, 1))
    steep = TiltedNormal(SPLINES, sizes * rng.standard_normal((50, 8)))
    around_knots = [np.nextafter(SPLINES.grid, -9), SPLINES.grid, np.nextafter(SPLINES.grid, 9)]
    z = np.sort(np.concatenate([np.linspace(-10, 10, 2001), *around_knots]))
    cdf = steep.cdf(np.tile(z, (50, 1)))
    assert ((cdf >= 0) & (cdf <= 1)).all()
    assert (np.diff(cdf, axis=1) > -1e-12).all()
