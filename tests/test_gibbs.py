import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.gibbs import Gibbs

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
