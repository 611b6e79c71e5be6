import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.temperature import learn_beta

BETAS = [1e-6, 1.0, 1e6]
DTYPES = [np.float32, np.float64]
EXTREMES = np.array(
    [
        [1e4, -1e4, 0.0],
        [-1e4, -1e4, -9999.0],
        [1e4, 9999.5, 9999.0],
        [1e-4, 0.0, -1e-4],
        [1e4, 1e4, 1e4],
    ]
)


@pytest.fixture
def energies(rng):
    return 3 * rng.standard_normal((20, 4))


def exact(gibbs):
    """log Z (n,) and log probabilities (n, k), to 60 digits before they are rounded."""
    with mpmath.workdps(60):
        logits = [
            [-mpmath.mpf(gibbs.beta) * mpmath.mpf(float(e)) for e in row] for row in gibbs.energies
        ]
        log_z = [mpmath.log(mpmath.fsum(map(mpmath.exp, row))) for row in logits]
        logs = [[float(a - z) for a in row] for row, z in zip(logits, log_z, strict=True)]
        return np.array(log_z, dtype=float), np.array(logs)


@pytest.mark.parametrize("beta", [1e-3, 1.0, 20.0])
def test_probabilities_sum_to_one(energies, beta):
    assert_allclose(Gibbs(energies, beta=beta).probabilities.sum(axis=1), 1, rtol=1e-14)


def test_probabilities_are_shift_invariant(energies, rng):
    shift = 100 * rng.standard_normal((20, 1))
    shifted = Gibbs(energies + shift, beta=2.0)
    assert_allclose(shifted.probabilities, Gibbs(energies, beta=2.0).probabilities, rtol=1e-11)


def test_free_energy_moves_with_a_shift(energies):
    shifted = Gibbs(energies + 7.0, beta=2.0)
    assert_allclose(shifted.free_energy, Gibbs(energies, beta=2.0).free_energy + 7, rtol=1e-13)


def test_large_beta_gives_the_mode(energies):
    assert_allclose(Gibbs(energies, beta=1e6).probabilities, np.eye(4)[energies.argmin(axis=1)])


def test_small_beta_gives_the_base_measure(energies):
    log_measure = np.log([0.1, 0.2, 0.3, 0.4])
    probabilities = Gibbs(energies, log_measure, beta=1e-12).probabilities
    assert_allclose(probabilities, np.tile(np.exp(log_measure), (20, 1)), rtol=1e-10)


def test_mode_is_the_least_energy(energies):
    assert_array_equal(Gibbs(energies).mode, energies.argmin(axis=1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta", BETAS)
def test_log_z_matches_mpmath_at_extreme_energies(beta, dtype):
    gibbs = Gibbs(EXTREMES.astype(dtype), beta=beta)
    rounding = 4 * np.finfo(dtype).eps
    assert_allclose(gibbs.log_z, exact(gibbs)[0], rtol=rounding, atol=rounding)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta", BETAS)
def test_log_probabilities_match_mpmath_at_extreme_energies(beta, dtype):
    gibbs = Gibbs(EXTREMES.astype(dtype), beta=beta)
    rounding = 4 * np.finfo(dtype).eps * np.abs(beta * EXTREMES).max(axis=1, keepdims=True)
    error = np.abs(gibbs.log_probabilities - exact(gibbs)[1])
    assert np.all(error <= rounding + 4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("name", ["probabilities", "log_probabilities", "free_energy", "log_z"])
def test_extreme_energies_give_finite_numbers_of_the_same_dtype(name, beta, dtype):
    found = getattr(Gibbs(EXTREMES.astype(dtype), beta=beta), name)
    assert np.isfinite(found).all() and found.dtype == dtype


def test_surprise_of_the_mode_does_not_round_with_the_energies():
    gibbs = Gibbs(np.array([[1e9, 1e9 + 20.0]]))
    assert_allclose(gibbs.surprise(np.array([0])), np.log1p(np.exp(-20.0)), rtol=1e-6)


def test_log_probabilities_are_logarithms_of_probabilities(energies):
    gibbs = Gibbs(energies, np.log([0.1, 0.2, 0.3, 0.4]), beta=0.7)
    assert_allclose(gibbs.log_probabilities, np.log(gibbs.probabilities), rtol=1e-12)


def test_free_energy_is_minus_log_z_over_beta(energies):
    expected = -np.log(np.exp(-0.7 * energies).sum(axis=1)) / 0.7
    assert_allclose(Gibbs(energies, beta=0.7).free_energy, expected, rtol=1e-12)


def test_surprise_is_minus_the_log_probability_of_the_target(energies, rng):
    gibbs, target = Gibbs(energies, beta=0.7), rng.randint(4, size=20)
    expected = -gibbs.log_probabilities[np.arange(20), target]
    assert_allclose(gibbs.surprise(target), expected, rtol=1e-10, atol=1e-14)


def test_log_measure_multiplies_the_masses(energies):
    measure = np.array([0.1, 0.2, 0.3, 0.4])
    masses = measure * np.exp(-energies)
    expected = masses / masses.sum(axis=1, keepdims=True)
    assert_allclose(Gibbs(energies, np.log(measure)).probabilities, expected, rtol=1e-12)


@pytest.fixture
def with_absent(energies):
    """Answer 1 is absent, and would have the least energy."""
    energies[:, 1] = -1e4
    log_measure = np.zeros_like(energies)
    log_measure[:, 1] = -np.inf
    return Gibbs(energies, log_measure)


def test_absent_candidates_have_probability_zero(with_absent):
    assert_array_equal(with_absent.probabilities[:, 1], 0)


def test_absent_candidates_change_nothing_else(with_absent):
    present = [0, 2, 3]
    expected = Gibbs(with_absent.energies[:, present]).probabilities
    assert_allclose(with_absent.probabilities[:, present], expected, rtol=1e-14)


def test_absent_candidates_are_never_the_mode(with_absent):
    assert 1 not in with_absent.mode


def test_at_changes_beta_only(with_absent):
    expected = Gibbs(with_absent.energies, with_absent.log_measure, beta=3.0).probabilities
    assert_array_equal(with_absent.at(3.0).probabilities, expected)


@pytest.mark.parametrize("log_measure", [None, [0.0, -np.inf, 0.5, 1.0]])
@pytest.mark.parametrize(
    "name", ["probabilities", "log_probabilities", "free_energy", "log_z", "mode"]
)
def test_array_api_arrays_flow_through(energies, name, log_measure, strict):
    measure = None if log_measure is None else strict.asarray(log_measure)
    found = getattr(Gibbs(strict.asarray(energies), measure, beta=0.7), name)
    measure = None if log_measure is None else np.array(log_measure)
    expected = getattr(Gibbs(energies, measure, beta=0.7), name)
    assert isinstance(found, type(strict.asarray(1.0)))
    assert_allclose(np.asarray(found), expected, rtol=1e-13)


def drawn(energies, rng):
    """Answers from the Gibbs distribution of the energies."""
    cumulative = Gibbs(energies).probabilities.cumsum(axis=1)
    return (cumulative < rng.uniform(size=(len(energies), 1))).sum(axis=1)


@pytest.mark.parametrize("power", [0.0, 0.2])
@pytest.mark.parametrize("beta", [0.2, 1.0, 3.0])
def test_learn_beta_recovers_the_beta_of_a_gibbs_distribution(rng, beta, power):
    energies = rng.standard_normal((20000, 4))
    target = drawn(beta * energies, rng)
    found = learn_beta(energies, target, np.ones(20000), power=power)
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


@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("factor", [1e-8, 0.3, 1e8])
def test_learn_beta_undoes_the_scale_of_the_energies(energies, rng, factor, power):
    target = np.where(rng.uniform(size=20) < 0.7, energies.argmin(axis=1), 0)
    expected = learn_beta(energies, target, np.ones(20), power=power) / factor
    scaled = learn_beta(factor * energies, target, np.ones(20), power=power)
    assert_allclose(scaled, expected, rtol=1e-8)


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_learn_beta_weights_equal_repetition(energies, rng, power):
    target = np.where(rng.uniform(size=20) < 0.7, energies.argmin(axis=1), 0)
    weights = rng.randint(4, size=20)
    repeated = np.repeat(np.arange(20), weights)
    ones = np.ones(len(repeated))
    expected = learn_beta(energies[repeated], target[repeated], ones, power=power)
    beta = learn_beta(energies, target, weights.astype(float), power=power)
    assert_allclose(beta, expected, rtol=1e-8)


@pytest.mark.parametrize("power", [0.2, 1.0])
def test_beta_has_the_least_divergence(rng, power):
    """Brier's score is the one of power 1. The virtual sample is nothing beside 1e4."""
    energies = 2 * rng.standard_normal((10_000, 4))
    target = drawn(energies, rng)
    target[:1500] = energies[:1500].argmax(axis=1)

    def divergence(beta):
        p = Gibbs(energies, beta=beta).probabilities
        correct = p[np.arange(len(target)), target]
        return np.mean(np.sum(p ** (1 + power), axis=1) / (1 + power) - correct**power / power)

    beta = learn_beta(energies, target, np.ones(len(target)), power=power)
    assert beta > learn_beta(energies, target, np.ones(len(target)))
    assert divergence(beta) < min(divergence(0.97 * beta), divergence(1.03 * beta))


def test_with_a_divergence_few_samples_that_are_sure_and_wrong_count_little(rng):
    energies = rng.standard_normal((2000, 4))
    target = drawn(energies, rng)
    wrong = rng.uniform(size=2000) < 0.05
    energies[wrong] *= 8
    target[wrong] = energies[wrong].argmax(axis=1)
    likeliest, robust = (learn_beta(energies, target, np.ones(2000), power=a) for a in (0.0, 0.2))
    assert likeliest < 0.4 < 0.6 < robust < 1.1


def test_a_divergence_takes_no_smaller_beta_than_the_likelihood(energies, rng):
    """Where all are right it would: little is gained by being surer."""
    target = energies.argmin(axis=1)
    likeliest, robust = (learn_beta(energies, target, np.ones(20), power=a) for a in (0.0, 0.2))
    assert_allclose(robust, likeliest, rtol=1e-3)


def test_absent_answers_have_no_divergence(energies, rng):
    target = np.where(rng.uniform(size=20) < 0.6, energies.argmin(axis=1), 0)
    expected = learn_beta(energies, target, np.ones(20), power=0.2)
    beside = np.hstack([energies, np.full((20, 1), -50.0)])
    measure = np.append(np.zeros(energies.shape[1]), -np.inf)
    shares = np.eye(beside.shape[1])[target]
    assert_allclose(learn_beta(beside, shares, np.ones(20), measure, 0.2), expected, rtol=1e-6)
