"""Point masses: their probabilities given x, beside a density of the rest."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from sklearn.linear_model import Ridge

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.point_masses import PointMassClassifier


def test_class_answers_of_point_masses():
    answers = PointMassClassifier.class_answers(np.array([2.0, 5.0, 1.0]), np.array([1.0, 2.0]))
    assert_array_equal(answers.target, [1, 2, 0])


def simple(**params):
    """A density that fits in a moment."""
    return EnergyDensityEstimator(
        "linear", **{"location": Ridge(), "alpha": 0.1, "random_state": 0, **params}
    )


def inflated(rng, n=1500):
    """Zero with probability 1 / (1 + exp(-2 x)), else x plus a positive number."""
    X = rng.standard_normal((n, 1))
    share = special.expit(2 * X[:, 0])
    y = np.where(rng.uniform(size=n) < share, 0.0, 2 + X[:, 0] + rng.gamma(4, 0.25, size=n))
    return X, y, share


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
