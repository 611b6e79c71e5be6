"""Repeated values: how they are found, the laws that have them, and densities of such answers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.rounding import PointMassClassifier, Rounding
from sk_ebm._density.splines import NormalSplines
from sk_ebm._density.student import StudentDistribution
from sk_ebm._density.tilted_normal import TiltedNormal
from sk_ebm.distributions import Predictive, Rounded, WithPointMasses


def simple(**params):
    """A density that fits in a moment."""
    return EnergyDensityEstimator(
        "linear", **{"location": Ridge(), "alpha": 0.1, "random_state": 0, **params}
    )


def graded(rng, n=600):
    """Grades 1 to 6 of a normal answer."""
    X = rng.standard_normal((n, 2))
    return X, np.clip(np.round(3.5 + X[:, 0] + 0.5 * rng.standard_normal(n)), 1, 6)


def inflated(rng, n=1500):
    """Zero with probability 1 / (1 + exp(-2 x)), else x plus a positive number."""
    X = rng.standard_normal((n, 1))
    share = special.expit(2 * X[:, 0])
    y = np.where(rng.uniform(size=n) < share, 0.0, 2 + X[:, 0] + rng.gamma(4, 0.25, size=n))
    return X, y, share


def test_continuous_values_have_no_masses(rng):
    y = np.append(rng.standard_normal(300), np.zeros(5))
    found = Rounding.of(np.append(y, y[:20]))
    assert not found.rounded
    assert len(found.atoms) == found.step == 0


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
    assert (len(found.atoms), found.step) == (0, 1)


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
    assert_array_equal(Rounding.of(y).atoms, np.sqrt(2 + np.arange(n_atoms)))


def test_cells_are_half_way_to_the_neighbours(rng):
    found = Rounding.of(np.repeat([0.0, 1.0, np.pi, 4.0], 30))
    low, high = found.cells(found.values)
    assert_allclose(low, [-np.inf, 0.5, (1 + np.pi) / 2, 2 + np.pi / 2])
    assert_array_equal(high, [*low[1:], np.inf])
    points = found.spread(found.values)
    assert ((points > low[:, None]) & (points < high[:, None])).all()
    assert_allclose(np.abs(points[[0, 3]] - found.values[[0, 3], None]).max(), 0.4375)
    drawn = found.dequantised(np.repeat(found.values, 100), rng)
    assert_array_equal(found.nearest(drawn), np.repeat(found.values, 100))


def test_cells_of_values_not_seen():
    found = Rounding.of(np.repeat([0.0, 1.0, 1 + np.sqrt(2)], 30))
    assert_allclose(found.cells(np.array([7.0, -3.0])), [[4.71, -4.5], [9.29, -1.5]], atol=1e-2)
    unrounded = Rounding(*np.empty((2, 0)), 0.5, 0.5, *np.empty((2, 0)))
    assert_allclose(unrounded.cells(np.array([7.0])), [[6.75], [7.25]])


def laws(rng):
    base = StudentDistribution(rng.standard_normal(6), rng.uniform(0.5, 2, size=6), 4.0)
    smooth = Predictive(base, TiltedNormal(NormalSplines(8), 0.5 * rng.standard_normal((6, 8))))
    gated = WithPointMasses(
        smooth, np.array([-0.5, 1.0]), 0.5, np.log(rng.dirichlet(np.ones(3), size=6))
    )
    values = np.arange(-40, 41) / 2
    recording = Rounding(values, values[:0], 0.5, 0.5, values, np.ones(len(values)))
    return {
        "gated": gated,
        "rounded": Rounded(smooth, recording),
        "both": Rounded(gated, recording),
    }


LAWS = ["gated", "rounded", "both"]
LEVELS = (np.arange(4000) + 0.5) / 4000


@pytest.mark.parametrize("name", LAWS)
def test_quantile_and_cdf_are_adjoint(name, rng):
    law = laws(rng)[name]
    p = np.tile(np.linspace(0.01, 0.99, 60), (6, 1))
    y = law.quantile(p)
    assert (law.cdf(y) >= p - 1e-9).all()
    assert (law.cdf(y - 1e-6) <= p + 1e-4).all()
    assert (np.diff(y, axis=1) >= 0).all()


@pytest.mark.parametrize("name", LAWS)
def test_masses_mean_and_crps_are_those_of_draws(name, rng):
    law = laws(rng)[name]
    assert_allclose(law.masses.sum(axis=1), 1, rtol=1e-9)
    draws = law.quantile(np.tile(LEVELS, (6, 1)))
    assert_allclose(law.mean, draws.mean(axis=1), atol=0.01)
    for y in (np.full(6, 1.0), np.full(6, 0.37), np.full(6, -30.0)):
        pinball = (LEVELS - (y[:, None] < draws)) * (y[:, None] - draws)
        assert_allclose(law.crps(y), 2 * pinball.mean(axis=1), rtol=0.02)


@pytest.mark.parametrize("name", LAWS)
def test_the_shortest_interval_covers(name, rng):
    law = laws(rng)[name]
    ends = law.shortest(0.8)
    inside = law.cdf(ends[:, 1:]) - law.cdf(ends[:, :1] - 1e-9)
    assert (inside >= 0.8 - 1e-6).all()
    equal = law.quantile(np.tile([0.1, 0.9], (6, 1)))
    assert (np.diff(ends) <= np.diff(equal) + 1e-9).all()


@pytest.mark.parametrize("name", ["rounded", "both"])
def test_masses_of_cells_are_those_of_values(name, rng):
    law = laws(rng)[name]
    y = np.tile([-0.5, 1.0, 3.0], (6, 1))
    found = law.law.log_mass(y, *law.recording.cells(y))
    at = np.searchsorted(law.recording.values, y[0])
    assert_allclose(np.exp(found), law.masses[:, at], atol=1e-9)
    assert_array_equal(law.mode, law.recording.values[np.argmax(law.masses, axis=1)])


def test_log_mass_far_out_is_that_of_the_density(rng):
    law = laws(rng)["gated"]
    y = np.full((6, 1), -1e4)
    found = law.log_mass(y, y - 0.01, y + 0.01)
    assert_allclose(found, law.logpdf(y) + np.log(0.02), atol=1e-5)


def test_an_outlier_widens_no_cell():
    found = Rounding.of(np.append(np.repeat(np.arange(5.0), 30), 1e6))
    assert_array_equal(found.values, [0, 1, 2, 3, 4, 1e6])
    assert_allclose(np.abs(found.spread(found.values) - found.values[:, None]).max(), 0.4375)


def test_labels_of_atoms():
    answers = PointMassClassifier.labels(np.array([2.0, 5.0, 1.0]), np.array([1.0, 2.0]))
    assert_array_equal(answers.target, [1, 2, 0])


def test_a_density_of_grades_has_no_spikes(rng):
    X, y = graded(rng)
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
    X, y = graded(rng)
    crps = [
        simple(atoms=atoms).fit(X[:400], y[:400]).crps(X[400:], y[400:]).mean()
        for atoms in ("auto", False)
    ]
    assert crps[0] < crps[1] - 0.02


def test_an_atom_has_its_probability(rng):
    X, y, share = inflated(rng)
    density = simple().fit(X[:1000], y[:1000])
    assert_array_equal(density.atoms_[0], [0])
    width = density.rounding_[0].width
    assert_allclose(width, 0.01 * np.std(y[:1000]))
    found = width * np.exp(density.log_prob(X[1000:], np.zeros(500)))
    assert np.abs(found - share[1000:]).mean() < 0.05
    assert_allclose(found, density.predict_proba(X[1000:])[:, -1], rtol=1e-12)
    draws = density.sample(X[1000:], 50, random_state=0)
    assert_allclose(np.mean(draws == 0, axis=1).mean(), found.mean(), atol=0.02)
    rest = y[1000:] != 0
    truth = stats.gamma.logpdf(y[1000:] - 2 - X[1000:, 0], 4, scale=0.25) + np.log1p(-share[1000:])
    assert density.log_prob(X[1000:], y[1000:])[rest].mean() > truth[rest].mean() - 0.15


def test_without_atoms_the_density_is_smooth(rng):
    X, y, _ = inflated(rng)
    density = simple(atoms=False).fit(X, y)
    assert len(density.atoms_[0]) == 0
    assert len(np.unique(density.sample(X[:50]))) == 50


def test_atoms_weigh_by_their_rows_and_not_by_rows_without_weight(rng):
    X, y, _ = inflated(rng, 400)
    density = simple().fit(X, y, sample_weight=(y != 0).astype(float))
    assert len(density.atoms_[0]) == 0


def test_kind_mass_needs_cells(rng):
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
    X, y = graded(rng, 60)
    with pytest.raises(ValueError, match=message):
        simple(**params).fit(X, y)


def joint_density():
    return EnergyDensityEstimator("linear", conditional=False, alpha=0.1, cv=3, random_state=0)


@pytest.fixture(scope="module")
def table():
    rng = np.random.RandomState(0)
    X, y, _ = inflated(rng, 600)
    return np.column_stack([0.1 * np.round(10 * X[:, 0]), y, X[:, 0] + rng.standard_normal(600)])


@pytest.fixture(scope="module")
def joint(table):
    return joint_density().fit(table)


def test_draws_of_a_table_are_on_the_values_of_its_columns(table, joint):
    assert [len(atoms) for atoms in joint.atoms_[1:]] == [1, 0]
    draws = joint.sample(2000, random_state=0)
    assert np.mean(np.isin(draws[:, 0], table[:, 0])) > 0.99
    assert_allclose(np.mean(draws[:, 1] == 0), np.mean(table[:, 1] == 0), atol=0.05)
    given = joint.sample([[1.0]], 50, random_state=0)
    assert (given[0, :, 1] == 0).any()


def test_the_density_of_a_table_depends_on_its_units(table, joint):
    scaled = np.array([1, 10, 1]) * table
    change = joint_density().fit(scaled).score_samples(scaled) - joint.score_samples(table)
    assert_allclose(change, -np.log(10), atol=1e-5)


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


def test_masses_of_values_with_gaps_sum_to_one(rng):
    X = rng.standard_normal((150, 2))
    noisy = X[:, 0] + 0.5 * rng.standard_normal(150)
    y = np.where(noisy > 1, 1000.0, np.where(noisy > 0, 1.0, 0.0))
    density = EnergyDensityEstimator(location=Ridge(), alpha=1.0, kind="mass", random_state=0)
    density.fit(X, y)
    masses = [np.exp(density.log_prob(X, np.full(150, value))) for value in (0.0, 1.0, 1000.0)]
    assert_allclose(np.sum(masses, axis=0), 1, rtol=1e-6)
