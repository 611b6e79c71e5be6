"""Repeated values: rounding grids, point masses and steps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.rounding import Rounding


def test_continuous_values_have_no_masses(rng):
    y = np.append(rng.standard_normal(300), np.zeros(5))
    found = Rounding.of(np.append(y, y[:20]))
    assert not found.rounded
    assert len(found.point_masses) == found.step == 0


def test_few_values_are_rounded_and_a_lattice_is_completed():
    found = Rounding.of(np.repeat([1.0, 2.0, 4.0], 30))
    assert_array_equal(found.values, [1, 2, 3, 4])
    assert found.step == 1


def test_uneven_values_are_rounded_and_not_completed():
    found = Rounding.of(np.repeat([0.0, 1.0, np.pi, 9.7], 30))
    assert_array_equal(found.values, [0, 1, np.pi, 9.7])
    assert found.step == 0


def test_integers_of_many_values_have_only_a_step():
    found = Rounding.of(load_diabetes().target)
    assert not found.rounded
    assert (len(found.point_masses), found.step) == (0, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_is_found_through_rounding_errors(rng, dtype):
    y = (rng.randint(40, size=500).astype(dtype) - dtype(17.3)) / dtype(11.7)
    assert_allclose(Rounding.of(y.astype(float)).step, 1 / 11.7, rtol=1e-5)


@pytest.mark.parametrize(
    ("counts", "n_atoms"),
    [
        ([300, 1, 1, *[1] * 300], 1),
        ([300, 200, *[1] * 300], 2),
        ([300, 70, 30, 10, 4, *[1] * 300], 0),  # one value follows another
        ([15, *[1] * 300], 0),  # too few rows
        ([30, *[1] * 3000], 0),  # too small a share
        ([300, 10], 0),  # nothing left to have a density
    ],
)
def test_atoms_stand_out(counts, n_atoms):
    y = np.repeat(np.sqrt(2 + np.arange(len(counts))), counts)
    assert_array_equal(Rounding.of(y).point_masses, np.sqrt(2 + np.arange(n_atoms)))


def test_rounding_intervals_end_half_way_to_the_neighbours(rng):
    found = Rounding.of(np.repeat([0.0, 1.0, np.pi, 4.0], 30))
    low, high = found.intervals(found.values)
    assert_allclose(low, [-np.inf, 0.5, (1 + np.pi) / 2, 2 + np.pi / 2])
    assert_array_equal(high, [*low[1:], np.inf])
    points = found.spread(found.values)
    assert ((points > low[:, None]) & (points < high[:, None])).all()
    assert_allclose(np.abs(points[[0, 3]] - found.values[[0, 3], None]).max(), 0.4375)
    drawn = found.dequantised(np.repeat(found.values, 100), rng)
    assert_array_equal(found.nearest(drawn), np.repeat(found.values, 100))


def test_intervals_of_other_values():
    found = Rounding.of(np.repeat([0.0, 1.0, 1 + np.sqrt(2)], 30))
    assert_allclose(found.intervals(np.array([7.0, -3.0])), [[4.71, -4.5], [9.29, -1.5]], atol=1e-2)
    unrounded = Rounding(*np.empty((2, 0)), 0.5, 0.5, *np.empty((3, 0)))
    assert_allclose(unrounded.intervals(np.array([7.0])), [[6.75], [7.25]])


def test_an_outlier_widens_no_interval():
    found = Rounding.of(np.append(np.repeat(np.arange(5.0), 30), 1e6))
    assert_array_equal(found.values, [0, 1, 2, 3, 4, 1e6])
    assert_allclose(np.abs(found.spread(found.values) - found.values[:, None]).max(), 0.4375)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([0, 1, np.pi], 0),
        ([0, 0.37, 1.41], 0.01),
        ([0, 3, 7, 10, 14], 1),
        ([0, 4, 9, 15], 1),
        ([0.5, 1.0, 2.5], 0.5),
    ],
)
def test_steps_are_those_of_a_lattice(values, step):
    found = Rounding.of(np.repeat(np.array(values, dtype=float), 20)).step
    assert_allclose(found, step, rtol=1e-9)


def simple(**params):
    """A density that fits in a moment."""
    return EnergyDensityEstimator(
        "linear", **{"location": Ridge(), "alpha": 0.1, "random_state": 0, **params}
    )


def grades(rng, n=600):
    """Grades 1 to 6 of a normal answer."""
    X = rng.standard_normal((n, 2))
    return X, np.clip(np.round(3.5 + X[:, 0] + 0.5 * rng.standard_normal(n)), 1, 6)


def test_a_density_of_grades_has_no_spikes(rng):
    X, y = grades(rng)
    density = simple().fit(X[:400], y[:400])
    assert_array_equal(density.atoms_[0], np.arange(1, 7))
    assert np.isin(density.sample(X, 3), y).all()
    values = np.arange(1.0, 7)
    rows = np.repeat(X[400:], 6, axis=0)
    at_values = density.log_prob(rows, np.tile(values, 200)).reshape(200, 6)
    between = density.log_prob(rows, np.tile(values + 0.5, 200)).reshape(200, 6)
    assert at_values.max() < between.max() + 0.5
    sharp = np.exp(density.set_params(kind="mass").log_prob(rows, np.tile(values, 200)))
    assert_allclose(sharp.reshape(200, 6).sum(axis=1), 1, atol=1e-6)
    truth = np.diff(
        stats.norm.cdf(np.arange(1.5, 6), 3.5 + X[400:, :1], 0.5), prepend=0, append=1, axis=1
    )
    best = np.log(truth[np.arange(200), y[400:].astype(int) - 1]).mean()
    assert density.score(X[400:], y[400:]) > best - 0.12


def test_masses_of_grades_have_the_lower_crps(rng):
    X, y = grades(rng)
    crps = [
        simple(atoms=atoms).fit(X[:400], y[:400]).crps(X[400:], y[400:]).mean()
        for atoms in ("auto", False)
    ]
    assert crps[0] < crps[1] - 0.02


def test_kind_mass_needs_rounding_intervals(rng):
    X = rng.standard_normal((60, 2))
    with pytest.raises(ValueError, match="kind='mass' needs answers that are repeated"):
        simple(kind="mass").fit(X, X[:, 0])
    y = np.round(100 * rng.standard_normal(60))
    mass, density = (simple(kind=kind).fit(X, y) for kind in ("mass", "density"))
    assert_allclose(mass.log_prob(X, y), density.log_prob(X, y), atol=1e-2)
    halves = density.cdf(X, y + 0.5) - density.cdf(X, y - 0.5)
    assert_allclose(mass.log_prob(X, y), np.log(halves), rtol=1e-9)


@pytest.mark.parametrize(
    ("params", "message"),
    [({"atoms": True}, "atoms must be 'auto' or False"), ({"kind": "cdf"}, "kind must be")],
)
def test_bad_parameters(rng, params, message):
    X, y = grades(rng, 60)
    with pytest.raises(ValueError, match=message):
        simple(**params).fit(X, y)


def test_masses_of_values_with_gaps_sum_to_one(rng):
    X = rng.standard_normal((150, 2))
    noisy = X[:, 0] + 0.5 * rng.standard_normal(150)
    y = np.where(noisy > 1, 1000.0, np.where(noisy > 0, 1.0, 0.0))
    density = EnergyDensityEstimator(location=Ridge(), alpha=1.0, kind="mass", random_state=0)
    density.fit(X, y)
    masses = [np.exp(density.log_prob(X, np.full(150, value))) for value in (0.0, 1.0, 1000.0)]
    assert_allclose(np.sum(masses, axis=0), 1, rtol=1e-6)


def test_the_width_at_point_masses_does_not_underflow(rng):
    y = 1e-200 * rng.standard_normal(50)
    assert Rounding.of(y).width == pytest.approx(0.01 * 1e-200 * np.std(1e200 * y))


def test_after_the_fit_values_of_single_rows_are_left_out():
    y = np.array([np.pi, 0.4, 0.4, np.e, 2.9])
    whole = Rounding.of(y)
    part = whole.without_single_values()
    assert part.seen.tolist() == [0.4, np.pi]
    assert part.counts.tolist() == [2, 1]
    assert part.frequencies is part.counts
    near = np.array([0.4 * (1 + 1e-15), 1.7])
    assert part.restored(near).tolist() == whole.restored(near).tolist() == [0.4, 1.7]
    on_a_lattice = Rounding.of(np.array([0.1, 0.4, 1.7]))
    assert on_a_lattice.without_single_values() is on_a_lattice
