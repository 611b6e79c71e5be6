"""What base densities are made of: kernel ridge regression, blended cells and leaves of forests."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.base_distributions import Blended, Student
from sk_ebm._density.leaf_density import LeafHistograms, cell_edges, significantly_positive
from sk_ebm._density.regressors import (
    CentredKernelRidge,
    CrossFitted,
    NystroemRidge,
    default_locations,
)
from sk_ebm._density.splines import NormalSplines, TiltedNormal
from sk_ebm._utils import threads
from sk_ebm.distributions import CorrectedDistribution

EDGES = np.array([-1.0, 0.1, 2.0])


@pytest.fixture
def blended(rng):
    student = Student(rng.standard_normal(6), rng.uniform(0.5, 2, size=6), 4.0)
    shares = rng.dirichlet(np.ones(4), size=6)
    return student, shares, Blended(student, EDGES, shares, 0.6)


def masses(distribution):
    below = special.ndtr(distribution.normal_score(np.tile(EDGES, (6, 1))))
    return np.diff(np.pad(below, [(0, 0), (1, 1)], constant_values=((0, 0), (0, 1))), axis=1)


@pytest.mark.parametrize("df", [3.0, 7.7, 30.0])
def test_scores_of_students_are_accurate_at_the_centre_and_in_both_tails(df):
    t = np.concatenate([[0.0], np.geomspace(1e-4, 1e9, 5000)])
    student = Student(np.zeros(1), np.ones(1), df)
    expected = stats.norm.isf(stats.t.sf(t, df))
    assert_allclose(student.normal_score(t[None])[0], expected, rtol=0, atol=1e-10)
    assert_allclose(student.normal_score(-t[None])[0], -expected, rtol=0, atol=1e-10)
    far = np.array([[-np.inf, -1e300, 1e300, np.inf]])
    assert_array_equal(student.normal_score(far), np.sign(far) * np.inf)


def test_cells_have_blended_masses(blended):
    student, shares, blend = blended
    assert_allclose(masses(blend), 0.4 * masses(student) + 0.6 * shares, rtol=1e-12)
    y = np.array([-3.0, 0.0, 5.0])  # the same in all rows
    assert_array_equal(blend.normal_score(y), blend.normal_score(np.tile(y, (6, 1))))


def test_another_weight_makes_another_law(blended):
    student, shares, blend = blended
    z = np.tile([-2.0, 0.0, 1.5], (6, 1))
    before = blend.from_normal_score(z)
    other, expected = blend.weighing(0.2), Blended(student, EDGES, shares, 0.2)
    assert_array_equal(other.from_normal_score(z), expected.from_normal_score(z))
    assert_array_equal(other.breaks, expected.breaks)
    assert_array_equal(blend.from_normal_score(z), before)


def test_no_weight_changes_nothing(blended):
    student, shares, _ = blended
    y = np.tile([-40.0, -1.0, 0.0, 3.0, 1e6], (6, 1))
    same = Blended(student, EDGES, shares, 0.0)
    assert_allclose(same.normal_score(y), student.normal_score(y), rtol=1e-12)
    assert_allclose(same.logpdf(y), student.logpdf(y), rtol=1e-12)


def test_cells_without_mass_get_none():
    student = Student(np.zeros(1), np.full(1, 1e-6), 30.0)
    blend = Blended(student, EDGES, np.array([[0.5, 0, 0, 0.5]]), 0.9)
    assert_allclose(blend.ratios_of(np.array([[-2.0, 0.0, 1.0, 3.0]])), 1)
    z = np.array([-7.0, -1.0, 0.0, 7.0])
    assert_allclose(blend.normal_score(blend.from_normal_score(z)), z[None], atol=1e-6)


def test_means_and_crps_of_cells_that_are_nearly_empty(rng):
    student = Student(np.zeros(6), np.ones(6), 8.0)
    blend = Blended(student, EDGES, np.tile([0.5, 0, 0, 0.5], (6, 1)), 0.95)
    predictive = CorrectedDistribution(
        blend, TiltedNormal(NormalSplines(8), rng.standard_normal((6, 8)))
    )
    levels = (np.arange(20_000) + 0.5) / 20_000
    draws = predictive.ppf(np.tile(levels, (6, 1)))
    y = draws[:, 3000]
    gini = np.mean((2 * levels - 1) * draws, axis=1)
    assert_allclose(predictive.mean(), draws.mean(axis=1), atol=1e-3)
    assert_allclose(predictive.crps(y), np.abs(draws - y[:, None]).mean(axis=1) - gini, rtol=1e-3)


@pytest.mark.parametrize(
    "weights_of",
    [
        lambda rng: rng.randint(3, size=200).astype(float),
        lambda rng: 1e3 * rng.uniform(0.5, 2, size=200),
    ],
    ids=["whole", "others"],
)
def test_leaves_hold_the_answers_of_their_rows(rng, weights_of):
    half_unit = 0.5 / 65535
    X = rng.uniform(size=(200, 1))
    cells = (X[:, 0] > 0.5).astype(int) + 2 * (X[:, 0] > 0.8)
    forest = ExtraTreesRegressor(20, max_leaf_nodes=3, random_state=0).fit(X, cells)
    weights = weights_of(rng)
    leaves = LeafHistograms([forest], [np.arange(200)], X, cells, weights, 4)
    shares, means = leaves(X)
    assert_allclose(shares.sum(axis=1), 1, atol=4 * half_unit)
    assert_allclose(means, forest.predict(X))
    expected = np.zeros(shares.shape)
    for tree in forest.estimators_:
        of = tree.apply(X)
        for leaf in np.unique(of):
            same = of == leaf
            masses = np.bincount(cells[same], weights[same], minlength=4)
            expected[same] += masses / masses.sum() / 20
    assert_allclose(shares, expected, rtol=0, atol=1.001 * half_unit)
    few, _ = leaves(X[:3])
    assert_array_equal(few, shares[:3])


@pytest.mark.parametrize("n_threads", [2, 20])
def test_threads_find_the_same_leaves(n_threads, rng, monkeypatch):
    X, y = rng.uniform(size=(600, 3)), rng.randint(4, size=600)
    forest = ExtraTreesRegressor(13, random_state=0).fit(X, y)
    leaves = LeafHistograms([forest], [np.arange(600)], X, y, np.ones(600), 4)
    monkeypatch.setattr(threads, "_openmp_effective_n_threads", lambda: 1)
    alone = leaves(X)
    monkeypatch.setattr(threads, "_openmp_effective_n_threads", lambda: n_threads)
    for found, expected in zip(leaves(X), alone, strict=True):
        assert_array_equal(found, expected)


def test_edges_are_between_values():
    y = np.array([3.0, 1.0, 1.0, 2.0, 7.0])
    assert_array_equal(cell_edges(y, np.ones(5)), [1.5, 2.5, 5.0])
    assert_array_equal(cell_edges(y, np.array([1.0, 1, 1, 0, 1])), [2.0, 5.0])
    many = cell_edges(np.arange(1000.0), np.ones(1000))
    assert len(many) == 31
    assert_allclose(np.diff(many), 1000 / 32, atol=1)


def test_surely_positive():
    assert significantly_positive(np.array([1.0, 1.1, 0.9]), np.ones(3))
    assert not significantly_positive(np.array([1.0, -1.1, 0.9]), np.ones(3))
    assert not significantly_positive(np.zeros(3), np.ones(3))


def test_answers_of_repeated_rows_are_known(rng):
    """A law that no location and scale has: rows are of few kinds, each with answers of its own."""
    kinds = rng.standard_normal((60, 4))
    answers = rng.randint(5, size=(60, 2))
    of = rng.randint(60, size=900)
    X, y = kinds[of], answers[of, rng.randint(2, size=900)].astype(float)
    density = EnergyDensityEstimator("linear", alpha=0.1, kind="mass", random_state=0)
    density.fit(X[:600], y[:600])
    local = density.chain_[0].base.local_
    assert local.weight_ > 0.3
    assert density.score(X[600:], y[600:]) > -np.log(2) - 0.3
    nothing = EnergyDensityEstimator(
        "linear", location=Ridge(), alpha=0.1, kind="mass", random_state=0
    )
    nothing.fit(X[:600], y[:600])
    assert nothing.chain_[0].base.local_ is None
    assert density.score(X[600:], y[600:]) > nothing.score(X[600:], y[600:]) + 0.3


def test_centred_kernel_ridge_moves_with_the_answers(rng):
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    weights = rng.randint(1, 3, size=60)
    ridge = CentredKernelRidge(0.1, kernel=RBF(2.0))
    found = ridge.fit(X, y, weights).predict(X)
    assert_allclose(ridge.fit(X, y + 1e4, weights).predict(X), found + 1e4, atol=1e-6)
    centred = y - np.average(y, weights=weights)
    peer = KernelRidge(alpha=0.1, kernel=RBF(2.0)).fit(X, centred, weights / weights.mean())
    assert_allclose(found, peer.predict(X) + y.mean() - centred.mean(), atol=1e-9)


def test_ridge_on_a_map_of_a_kernel_is_that_of_its_parts(rng):
    X = rng.standard_normal((300, 3))
    y, weights = 5 + np.sin(X[:, 0]), rng.uniform(0.5, 2, size=300)
    found = NystroemRidge(0.1, RBF(2.0), 40, random_state=0).fit(X, y, weights)
    parts = Nystroem(RBF(2.0), n_components=40, random_state=0).fit(X)
    peer = Ridge(0.1).fit(parts.transform(X), y, weights)
    assert_allclose(found.predict(X), peer.predict(parts.transform(X)), rtol=1e-6)


@pytest.mark.parametrize("n", [300, 2500])
def test_kernels_fit_what_is_smooth(n, rng):
    """Also of more rows than an exact one is for."""
    X = rng.uniform(-2, 2, size=(n + 500, 2))
    signal = 100 + 10 * np.sin(2 * X[:, 0]) * X[:, 1]
    y = signal + 0.1 * rng.standard_normal(len(X))
    kernel = default_locations(X[:n], y[:n], np.ones(n), n)[1]
    error = kernel.fit(X[:n], y[:n]).predict(X[n:]) - signal[n:]
    assert np.sqrt(np.mean(error**2)) < 0.1


def test_kernel_ridge_of_rows_that_are_mostly_alike(rng):
    X, y = rng.standard_normal((600, 3)), np.zeros(600)
    y[np.random.RandomState(0).permutation(600)[300:325]] = np.arange(1, 26)
    kernel = default_locations(X, y, np.ones(600), 480)[1]
    assert np.abs(kernel.fit(X, y).predict(X)).max() < 5


def test_kernel_ridge_is_exact_of_few_rows_alone(rng):
    X, y = rng.standard_normal((2000, 2)), rng.standard_normal(2000)
    kernels = [default_locations(X[:n], y[:n], np.ones(n), 800)[1] for n in (1000, 2000)]
    assert [isinstance(k[-1], CentredKernelRidge) for k in kernels] == [True, False]


def test_kernel_ridge_takes_weights_of_any_unit(rng):
    X, y, weights = rng.standard_normal((60, 2)), 5 + rng.standard_normal(60), rng.uniform(1, 2, 60)
    ridge = CentredKernelRidge(0.1, kernel=RBF())
    first = ridge.fit(X, y, sample_weight=weights).predict(X)
    assert_allclose(ridge.fit(X, y, sample_weight=1e10 * weights).predict(X), first)


class LogForest(RandomForestRegressor):
    """A forest of the logarithm."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, np.log(y), sample_weight)

    def predict(self, X):
        return np.exp(super().predict(X))


@pytest.mark.parametrize(
    ("forest", "known"), [(RandomForestRegressor(5), True), (LogForest(5), False)]
)
def test_leaves_of_forests_that_predict_their_means(rng, forest, known):
    X, y = rng.standard_normal((50, 2)), rng.uniform(1, 2, size=50)
    splits = list(KFold(5).split(X))
    assert CrossFitted(forest).fit(X, y, np.ones(50), splits, rng).is_forest is known
