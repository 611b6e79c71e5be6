"""Inverse temperatures that are learned on held-out samples."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.temperature import BetaProblem, learn_beta, learn_beta_of_blocks


@pytest.fixture
def energies(rng):
    return 3 * rng.standard_normal((20, 4))


def drawn(energies, rng):
    """Answers from the Gibbs distribution of the energies."""
    cumulative = Gibbs(energies).probabilities.cumsum(axis=1)
    return (cumulative < rng.uniform(size=(len(energies), 1))).sum(axis=1)


@pytest.mark.parametrize("beta", [0.2, 1.0, 3.0])
def test_learn_beta_recovers_the_beta_of_a_gibbs_distribution(rng, beta):
    energies = rng.standard_normal((20000, 4))
    target = drawn(beta * energies, rng)
    found = learn_beta(energies, target, np.ones(20000))
    assert_allclose(found, beta, rtol=0.05)


def test_learn_beta_minimises_the_smoothed_likelihood(energies, rng):
    target = rng.randint(4, size=20)

    def likelihood(beta):
        logs = Gibbs(energies, beta=beta).log_probabilities
        return -(logs[np.arange(20), target] * 20 + logs.mean(axis=1)).mean()

    beta = learn_beta(energies, target, np.ones(20))
    assert likelihood(beta) < min(likelihood(beta * 1.01), likelihood(beta / 1.01))


def test_learn_beta_is_finite_when_every_target_is_the_mode(energies):
    assert 0 < learn_beta(energies, energies.argmin(axis=1), np.ones(20)) < 1e4


def test_learn_beta_is_nearly_zero_when_every_target_is_the_worst(energies):
    assert 0 < learn_beta(energies, energies.argmax(axis=1), np.ones(20)) < 1e-6


def test_energies_of_absent_candidates_do_not_change_beta(energies, rng):
    """Nor where all others are far from theirs."""
    target = np.where(rng.uniform(size=20) < 0.7, energies.argmin(axis=1), 0)
    expected = learn_beta(energies, target, np.ones(20))
    padded = np.hstack([energies + 1e6, np.zeros((20, 1))])
    measure = np.where(np.arange(padded.shape[1]) < energies.shape[1], 0.0, -np.inf)
    assert_allclose(learn_beta(padded, target, np.ones(20), measure), expected, rtol=1e-6)


def test_a_target_may_be_a_candidate_of_no_measure(energies, rng):
    """As a continuous answer is, beside the grid on which its energies are integrated."""
    target = np.where(rng.uniform(size=20) < 0.7, energies.argmin(axis=1), 0)
    expected = learn_beta(energies, target, np.ones(20))
    beside = np.hstack([energies, energies[np.arange(20), target][:, None]])
    measure = np.where(np.arange(beside.shape[1]) < energies.shape[1], 0.0, -np.inf)
    target = np.full(20, energies.shape[1])
    assert_allclose(learn_beta(beside, target, np.ones(20), measure), expected, rtol=1e-8)


@pytest.mark.parametrize(("size", "n_silent"), [(0.0, 6000), (1e-3, 6000), (0.0, 300_000)])
def test_rows_that_say_nothing_do_not_hide_the_others(size, n_silent, rng):
    energies = rng.standard_normal((2000, 3))
    target = drawn(energies, rng)
    energies = np.vstack([energies, size * rng.standard_normal((n_silent, 3))])
    target = np.append(target, rng.randint(3, size=n_silent))
    assert_allclose(learn_beta(energies, target, np.ones(len(target))), 1, rtol=0.1)


def test_an_outlier_does_not_choose_beta(rng):
    energies = rng.standard_normal((1000, 4))
    target = np.where(rng.uniform(size=1000) < 0.7, energies.argmin(axis=1), 0)
    expected = learn_beta(energies, target, np.ones(1000))
    energies[0, target[0]] = 1e6
    assert_allclose(learn_beta(energies, target, np.ones(1000)), expected, rtol=0.2)


def test_learn_beta_of_equal_energies_is_one():
    assert learn_beta(np.ones((5, 3)), np.zeros(5, dtype=int), np.ones(5)) == 1


@pytest.mark.parametrize("factor", [1e-8, 0.3, 1e8])
def test_learn_beta_undoes_the_scale_of_the_energies(energies, rng, factor):
    target = np.where(rng.uniform(size=20) < 0.7, energies.argmin(axis=1), 0)
    expected = learn_beta(energies, target, np.ones(20)) / factor
    scaled = learn_beta(factor * energies, target, np.ones(20))
    assert_allclose(scaled, expected, rtol=1e-8)


def test_learn_beta_weights_equal_repetition(energies, rng):
    target = np.where(rng.uniform(size=20) < 0.7, energies.argmin(axis=1), 0)
    weights = rng.randint(4, size=20)
    repeated = np.repeat(np.arange(20), weights)
    ones = np.ones(len(repeated))
    expected = learn_beta(energies[repeated], target[repeated], ones)
    beta = learn_beta(energies, target, weights.astype(float))
    assert_allclose(beta, expected, rtol=1e-8)


def test_blocks_of_samples_have_the_beta_of_all(energies, rng):
    """Also where they differ in how many candidates there are."""
    target = np.where(rng.uniform(size=20) < 0.7, energies.argmin(axis=1), 0)
    weights = rng.uniform(0.5, 2, size=20)
    expected = learn_beta(energies, target, weights)
    absent = np.hstack([energies[8:], rng.standard_normal((12, 1))])
    measure = np.append(np.zeros(4), -np.inf)
    blocks = [
        BetaProblem(energies[:8], target[:8], weights[:8]),
        BetaProblem(absent, np.eye(5)[target[8:]], weights[8:], measure),
    ]
    assert_allclose(learn_beta_of_blocks(blocks), expected, rtol=1e-6)
