"""Joint densities of tables."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.joint import other_orders


@pytest.fixture(scope="module")
def ring():
    rng = np.random.RandomState(0)
    angle = rng.uniform(0, 2 * np.pi, size=3000)
    radius = 1 + 0.1 * rng.standard_normal(3000)
    return np.column_stack([radius * np.cos(angle), 100 * radius * np.sin(angle)])


@pytest.fixture(scope="module")
def joint(ring):
    return EnergyDensityEstimator(conditional=False, random_state=0).fit(ring[:1500])


def test_a_failed_joint_fit_keeps_what_was_fitted(joint, ring):
    density = pickle.loads(pickle.dumps(joint))
    before = density.score(ring[:50])
    with pytest.raises(ValueError, match="Mixture|components|n_samples"):
        density.set_params(cv=KFold(2)).fit(5 * ring[:3])
    assert density.set_params(cv=None).score(ring[:50]) == before


def test_the_joint_density_beats_a_mixture(ring, joint):
    mixtures = [GaussianMixture(k, random_state=0).fit(ring[:1500]) for k in (4, 8, 16)]
    assert joint.score(ring[1500:]) > max(m.score(ring[1500:]) for m in mixtures)


def test_the_joint_density_integrates_to_one(joint):
    ends = np.linspace(-2, 2, 201)
    first, second = np.meshgrid(ends, 100 * ends)
    values = np.exp(joint.score_samples(np.column_stack([first.ravel(), second.ravel()])))
    total = np.trapezoid(np.trapezoid(values.reshape(201, 201), ends), 100 * ends)
    assert_allclose(total, 1, atol=5e-3)


def test_leaves_of_trees_follow_bands_of_a_column(rng):
    """Which band the last column is in depends on one of four others: too much for components."""
    X = rng.uniform(size=(600, 5))
    bands = rng.permutation(12)

    def off(table):
        return np.abs(table[:, 4] - bands[(12 * table[:, 1]).astype(int)])

    X[:, 4] = bands[(12 * X[:, 1]).astype(int)] + 0.1 * rng.standard_normal(600)
    joint = EnergyDensityEstimator("linear", conditional=False, random_state=0).fit(X)
    assert joint.chain_[0].base.leaf_density_ is None
    marginal = joint.chain_[1].base.leaf_density_  # uniform, which no mixture is
    assert marginal is None or marginal.n_steps == 3
    assert joint.chain_[4].base.leaf_density_.weight > 0.5
    draws = joint.sample(1000, random_state=0)
    draws = draws[(draws[:, 1] > 0) & (draws[:, 1] < 1)]
    assert np.mean(off(draws) < 0.4) > 0.6


def test_draws_of_the_joint_density_and_given_its_first_column(joint):
    draws = joint.sample(500, random_state=0)
    assert draws.shape == (500, 2)
    assert abs(np.median(np.hypot(draws[:, 0], draws[:, 1] / 100)) - 1) < 0.03
    given = joint.sample([[0.0], [0.9]], 300, random_state=0)
    assert_array_equal(given[:, :, 0], [[0.0] * 300, [0.9] * 300])
    assert np.median(np.abs(given[0, :, 1])) > 2 * np.median(np.abs(given[1, :, 1]))


def test_orders_of_the_columns_are_averaged():
    X = load_iris().data
    train, test = X[::2], X[1::2]
    joint = EnergyDensityEstimator("linear", conditional=False, n_orders=3, random_state=0)
    joint.fit(train)
    own = clone(joint).set_params(n_orders=1).fit(train)
    chains = [own.score_samples(test)]
    chains += [
        chain.log_prob(test[:, order], "density") for order, chain in joint.reordered_chains_
    ]
    averaged = special.logsumexp(chains, axis=0) - np.log(3)
    assert_allclose(joint.score_samples(test), averaged)
    draws = joint.sample(2000, random_state=0)
    assert_array_equal(draws, joint.sample(2000, random_state=0))
    assert_allclose(np.corrcoef(draws.T), np.corrcoef(train.T), atol=0.05)
    assert joint.sample([[5.0]], 3).shape == (1, 3, 4)


def test_orders_are_different_and_take_the_folds_of_an_iterator():
    X = load_iris().data[::3, :2]
    joint = EnergyDensityEstimator("linear", conditional=False, alpha=0.1, n_orders=5)
    joint.set_params(cv=KFold(3).split(X)).fit(X)
    assert [order for order, _ in joint.reordered_chains_] == [(1, 0)]
    assert joint.n_iter_ > sum(conditional.n_iter_ for conditional in joint.chain_)


def test_narrow_components_leave_density_elsewhere(rng):
    X = rng.standard_normal((300, 1)) @ np.ones((1, 2)) + 1e-3 * rng.standard_normal((300, 2))
    joint = EnergyDensityEstimator("linear", conditional=False, random_state=0).fit(X)
    assert joint.score(X) > 3
    assert joint.score_samples([[2.0, -2.0]]) > -30
    first = joint.sample(1000, random_state=0)
    assert np.mean(np.abs(first[:, 1] - first[:, 0]) > 0.1) < 0.01


def test_joint_of_correlated_constant_and_few_rows(rng):
    X = rng.standard_normal((30, 1)) @ np.ones((1, 3)) + 1e-3 * rng.standard_normal((30, 3))
    X[:, 2] = 7
    density = EnergyDensityEstimator(conditional=False, random_state=0).fit(X)
    assert np.isfinite(density.score_samples(X)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_distinct", [1, 3])
def test_joint_of_few_distinct_rows(n_distinct):
    X = np.repeat([[0.0, 1.0], [np.pi, 7.0], [5.0, np.e]][:n_distinct], 7, axis=0)
    density = EnergyDensityEstimator("linear", conditional=False, random_state=0).fit(X)
    assert np.isfinite(density.score_samples(X)).all()
    drawn = density.sample(50, random_state=0)
    assert np.isin(drawn[:, 0], X[:, 0]).mean() > 0.9


def test_joint_needs_three_rows():
    with pytest.raises(ValueError, match="minimum of 3 is required by EnergyDensityEstimator"):
        EnergyDensityEstimator(conditional=False).fit([[0.0], [1.0]])


def test_joint_of_one_column():
    X = load_iris().data[:, :1]
    density = EnergyDensityEstimator(conditional=False, random_state=0).fit(X)
    assert density.score(X) > stats.norm.logpdf(X, X.mean(), X.std()).mean() - 0.02


def test_one_warning_names_the_columns_that_did_not_converge():
    X = load_iris().data[::3, :3]
    frame = pytest.importorskip("pandas").DataFrame(X, columns=["a", "b", "c"])
    joint = EnergyDensityEstimator(
        "linear", conditional=False, n_orders=2, max_iter=1, alpha=0.1, random_state=0
    )
    for table, names in ((X, "0, 1, 2"), (frame, "'a', 'b', 'c'")):
        with pytest.warns(ConvergenceWarning) as caught:
            joint.fit(table)
        assert [w.filename for w in caught] == [__file__]
        assert f"1 iterations for columns {names} did not reach tol" in str(caught[0].message)


def test_the_log_likelihood_of_other_orders_is_of_the_same_kind():
    X = np.round(load_iris().data[::3, :2], 1)
    joint = EnergyDensityEstimator("linear", conditional=False, n_orders=2, random_state=0).fit(X)
    joint.set_params(kind="mass")
    (order, other), own = joint.reordered_chains_[0], joint._ordered_chains[0][1]
    expected = np.logaddexp(own.log_prob(X, "mass"), other.log_prob(X[:, order], "mass"))
    assert_allclose(joint.score_samples(X), expected - np.log(2))


def test_orders_are_permutations_with_none_twice(rng):
    assert other_orders(1, 3, rng) == other_orders(5, 1, rng) == []
    orders = other_orders(3, 10, rng)
    assert len({(0, 1, 2), *orders}) == 6


def test_too_many_first_columns_are_refused(joint):
    with pytest.raises(ValueError, match="X must hold the first columns, at most 1, got 2"):
        joint.sample([[0.0, 0.0]])


def test_weights_of_rows_are_those_of_the_density(rng):
    X = np.r_[rng.standard_normal((150, 2)), rng.standard_normal((150, 2)) + 10]
    weights = np.r_[np.ones(150), np.full(150, 0.02)]
    density = EnergyDensityEstimator("linear", conditional=False, random_state=0)
    near, far = density.fit(X, sample_weight=weights).score_samples([[0.0, 0.0], [10.0, 10.0]])
    assert near - far == pytest.approx(np.log(50), abs=0.8)
    values = density.score_samples(X)
    assert density.score(X, sample_weight=weights) == pytest.approx(
        np.average(values, weights=weights)
    )
    with pytest.raises(ValueError, match="sample_weight must be positive for at least 3 rows"):
        density.fit(X, sample_weight=np.eye(300)[0])


def test_rows_however_far_have_a_finite_density(rng):
    density = EnergyDensityEstimator(conditional=False, random_state=0)
    density.fit(rng.standard_normal((80, 2)))
    far = [[1e300, 0.0], [-1e200, 1e200], [1e155, 1.0], [1e20, -1e20]]
    assert np.isfinite(density.score_samples(far)).all()


def test_a_fitted_model_is_at_most_five_times_as_large_as_the_table(rng):
    Z = rng.standard_normal((4000, 4))
    X = np.column_stack([Z[:, :2], np.abs(Z[:, 2:]) + Z[:, :2] ** 2])
    joint = EnergyDensityEstimator("linear", conditional=False, random_state=0).fit(X)
    assert any(conditional.base.leaf_density_ is not None for conditional in joint.chain_)
    assert len(pickle.dumps(joint)) <= 5 * X.nbytes
