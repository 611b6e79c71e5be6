"""Base distributions, whose normal scores energies correct."""

import numpy as np
from numpy.testing import assert_allclose
from scipy import special, stats

from sk_ebm._density.mixture_distribution import MixtureDistribution
from sk_ebm._density.predicted import PredictedDistribution


def test_quantiles_of_mixtures_of_narrow_and_wide_components(rng):
    shares = np.log(rng.dirichlet(np.ones(8), size=2000))
    widths = np.tile(10 ** np.linspace(-3, 1, 8), (2000, 1))
    mixture = MixtureDistribution(shares, rng.standard_normal((2000, 8)), widths)
    z = rng.standard_normal((2000, 5))
    assert_allclose(mixture.normal_score(mixture.from_normal_score(z)), z, atol=1e-6)


def test_mixtures_of_rows_far_out(rng):
    shares = np.log(rng.dirichlet(np.ones(3), size=6))
    mixture = MixtureDistribution(
        shares, 3 * rng.standard_normal((6, 3)), np.tile([0.2, 0.5, 1], (6, 1))
    )
    y = np.array([[-400.0, 55.0, 3e4]] * 6)
    widths = mixture.widths[:, None]
    t = (y[:, :, None] - mixture.means[:, None]) / widths
    shares = mixture.log_shares[:, None]
    density = special.logsumexp(shares + stats.norm.logpdf(t) - np.log(widths), axis=2)
    assert_allclose(mixture.logpdf(y), density, rtol=1e-12)
    tail = special.logsumexp(shares + stats.norm.logcdf(-np.abs(t)), axis=2)
    assert_allclose(mixture.normal_score(y), -np.sign(y) * special.ndtri_exp(tail), rtol=1e-12)


class WithoutQuantiles:
    """Only what a base must give."""

    def __init__(self, distribution):
        self.logpdf, self.logcdf, self.logsf = (
            distribution.logpdf,
            distribution.logcdf,
            distribution.logsf,
        )


def test_a_base_without_quantiles_is_inverted_by_bisection():
    distribution = stats.norm([1.0, -2.0], [1.0, 3.0])
    z = np.array([-3.0, 0.0, 2.0])
    found = PredictedDistribution(
        WithoutQuantiles(distribution), np.array([0.0, 0.5])
    ).from_normal_score(z)
    assert_allclose(
        found, PredictedDistribution(distribution, None).from_normal_score(z), atol=1e-9
    )
