"""Outliers of unknown share: a valley in the upper tail, and nothing where there is none."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_ebm._core.outliers import as_counts, outlier_level

N = 600
CLEAN = {
    "exponential": lambda rng, n: rng.exponential(1, n),
    "normal": lambda rng, n: rng.standard_normal(n),
    "chi2": lambda rng, n: rng.chisquare(10, n),
    "heavy": lambda rng, n: rng.standard_t(4, n) ** 2,
    "lognormal": lambda rng, n: np.exp(rng.standard_normal(n)),
    "uniform": lambda rng, n: rng.uniform(size=n),
    "counts": lambda rng, n: rng.poisson(3, n).astype(float),
    "rounded": lambda rng, n: np.round(rng.exponential(1, n), 1),
}
every_clean = pytest.mark.parametrize("name", CLEAN)


@every_clean
@pytest.mark.parametrize("n", [30, 200, N, 3000])
def test_clean_rows_are_not_flagged(name, n, rng):
    shares = []
    for _ in range(20):
        energies = CLEAN[name](rng, n)
        shares.append(np.mean(energies > outlier_level(energies, np.ones(n))))
    assert np.mean(shares) < 0.01


@every_clean
@pytest.mark.parametrize("share", [0.03, 0.1, 0.2])
def test_outliers_are_counted(name, share, rng):
    energies, n = CLEAN[name](rng, N), int(share * N)
    spread = np.median(energies) - energies.min()
    energies[:n] = np.quantile(energies, 0.999) + spread * rng.uniform(8, 12, n)
    flagged = energies > outlier_level(energies, np.ones(N))
    assert flagged[:n].mean() > 0.9
    assert flagged[n:].mean() < 0.01


@pytest.fixture
def mixed(rng):
    return np.r_[rng.exponential(1, 280), rng.uniform(9, 14, 20)]


def test_units_order_and_weights(mixed, rng):
    weights = rng.randint(1, 4, 300).astype(float)
    level = outlier_level(mixed, weights)
    assert 5 < level < 9.1
    order = rng.permutation(300)
    assert_allclose(outlier_level(7 * mixed[order] - 3, weights[order]), 7 * level - 3)
    rows = np.repeat(np.arange(300), weights.astype(int))
    assert_allclose(outlier_level(mixed[rows], np.ones(len(rows))), level)
    assert outlier_level(mixed, np.full(300, 1 / 300)) == outlier_level(mixed, np.ones(300))


@pytest.mark.parametrize("energies", [[3.0], [3.0, 5.0], [1.0, 2.0, 9.0], np.ones(50)])
def test_few_or_equal_rows_have_no_outliers(energies):
    assert outlier_level(np.array(energies), np.ones(len(energies))) == np.max(energies)


def test_a_valley_is_not_within_rows_of_one_energy():
    energies = np.repeat([3.0, 4.0, 5.0], [200, 5, 10])
    assert 4 <= outlier_level(energies, np.ones(215)) <= 5


def test_extreme_units(mixed):
    level = outlier_level(mixed, np.ones(300))
    for unit in (1e-300, 1e300):
        assert_allclose(outlier_level(mixed * unit, np.ones(300)), level * unit)


def test_weights_are_counts_or_shares():
    assert_allclose(as_counts(np.array([1.0, 3.0])), [1, 3])
    assert_allclose(as_counts(np.array([0.1, 0.3])), [0.5, 1.5])
