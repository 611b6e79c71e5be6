"""The mean of a loss of one correct answer over several."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses import NLL, Hinge, Log
from sk_ebm.losses._mean_over_correct import MeanOverCorrect
from sk_ebm.losses._relevance import RelevanceTarget

n, k = 20, 6


@pytest.fixture
def gibbs(rng):
    """The last candidate of every other sample is absent."""
    log_measure = np.zeros((n, k))
    log_measure[::2, -1] = -np.inf
    return Gibbs(rng.standard_normal((n, k)), log_measure)


@pytest.fixture
def target(rng, gibbs):
    """Nothing is relevant in the first sample."""
    gains = rng.randint(4, size=(n, k)) * np.isfinite(gibbs.log_measure)
    gains[0] = 0
    return RelevanceTarget(gains.astype(float), np.exp(gibbs.log_measure))


def test_the_likelihood_of_a_distribution_is_the_mean_of_that_of_its_answers(gibbs, target):
    relevant = target.gains.any(axis=1)
    mean, of_distribution = MeanOverCorrect(NLL()), NLL()
    for part, expected in zip(mean(gibbs, target), of_distribution(gibbs, target), strict=True):
        assert_allclose(part[relevant], expected[relevant], atol=1e-12)
        assert_array_equal(part[~relevant], 0)
    v = np.ones((n, k)) * np.arange(k)
    curvature, expected = (loss.curvature(gibbs, target) for loss in (mean, of_distribution))
    assert_allclose(curvature.diagonal[relevant], expected.diagonal[relevant], atol=1e-12)
    assert_allclose(curvature.product(v)[relevant], expected.product(v)[relevant], atol=1e-12)


@pytest.mark.parametrize("loss", [Hinge(), Log()])
def test_each_relevant_answer_counts_by_its_share(loss, gibbs, target):
    values, gradient = MeanOverCorrect(loss)(gibbs, target)
    expected, slopes = np.zeros(n), np.zeros((n, k))
    for i, j in zip(*np.nonzero(target.shares), strict=True):
        value, slope = loss(gibbs, np.full(n, j))
        expected[i] += target.shares[i, j] * value[i]
        slopes[i] += target.shares[i, j] * slope[i]
    assert_allclose(values, expected)
    assert_allclose(gradient, slopes, atol=1e-15)


def test_what_a_loss_declares_is_kept():
    for loss in (Hinge(margin=2.0), Log()):
        mean = MeanOverCorrect(loss)
        assert mean.several_correct and not mean.graded
        assert mean.second_derivatives == loss.second_derivatives
        assert mean.second_derivative_bound == loss.second_derivative_bound
