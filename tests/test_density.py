"""EnergyDensityEstimator, its splines, bases and predictive distributions."""

import pickle
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, special, stats
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge, LinearRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_ebm import EnergyDensityEstimator
from sk_ebm._core.objective import Objective
from sk_ebm._density.blended import BlendedDistribution
from sk_ebm._density.conditional import as_read
from sk_ebm._density.mixture_distribution import MixtureDistribution
from sk_ebm._density.predicted import PredictedDistribution
from sk_ebm._density.score_answers import Grid
from sk_ebm._density.splines import NormalSplines
from sk_ebm._density.student import StudentDistribution
from sk_ebm._density.tilted_normal import TiltedNormal
from sk_ebm._utils.roots import find_root
from sk_ebm.distributions import Predictive
from sk_ebm.energies import KernelEnergy, as_energy
from sk_ebm.losses._likelihood import NLL

SPLINES = NormalSplines(8)


def simple(**params):
    """A density that fits in a moment."""
    return EnergyDensityEstimator(
        **{"location": Ridge(), "energy": "linear", "alpha": 0.1, **params}
    )


def _expected_failures(estimator):
    weights = {
        "check_sample_weight_equivalence_on_dense_data": "folds are drawn among rows, and a "
        "scale of residuals is chosen on them, so a row of weight 2 is not two rows"
    }
    if not estimator.conditional:
        for name in (
            "check_sample_weight_equivalence_on_dense_data",
            "check_sample_weights_not_overwritten",
        ):
            weights[name] = "Gaussian mixtures take no weights"
    return weights


@parametrize_with_checks(
    [
        simple(random_state=0),
        simple(energy="kernel", random_state=0),
        simple(energy="trees", random_state=0),
        EnergyDensityEstimator(conditional=False, alpha=0.1, random_state=0),
    ],
    expected_failed_checks=_expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def tilted(rng):
    return TiltedNormal(SPLINES, rng.standard_normal((6, 8)))


def bases(rng):
    loc, scale = rng.standard_normal(6), rng.uniform(0.5, 2, size=6)
    shares = np.log(rng.dirichlet(np.ones(3), size=6))
    student = StudentDistribution(loc, scale, 4.0)
    mixture = MixtureDistribution(
        shares, 3 * rng.standard_normal((6, 3)), np.tile([0.2, 0.5, 1], (6, 1))
    )
    of_cells = rng.dirichlet(np.ones(4), size=6)
    return {
        "student": student,
        "blended": BlendedDistribution(student, np.array([-1.0, 0.1, 2.0]), of_cells, 0.6),
        "normal": PredictedDistribution(stats.norm(loc, scale), np.array([-1.0, 1.0])),
        "mixture": mixture,
        "blended mixture": BlendedDistribution(mixture, np.array([-1.0, 0.1, 2.0]), of_cells, 0.6),
    }


class WithoutQuantiles:
    """Only what a base must give."""

    def __init__(self, law):
        self.logpdf, self.logcdf, self.logsf = law.logpdf, law.logcdf, law.logsf


BASES = ["student", "blended", "normal", "mixture", "blended mixture"]


def test_roots_are_found_where_newton_steps_go_to_and_fro():
    def value_and_slope(x, rows):
        distance = np.maximum(np.abs(x - 0.3), 1e-100)
        return np.sign(x - 0.3) * distance**0.51, 0.51 * distance**-0.49

    found = find_root(value_and_slope, np.array([[-3.0]]), np.array([[5.0]]))
    assert_allclose(found, 0.3, rtol=1e-9)


def test_quantiles_of_mixtures_of_narrow_and_wide_components(rng):
    shares = np.log(rng.dirichlet(np.ones(8), size=2000))
    widths = np.tile(10 ** np.linspace(-3, 1, 8), (2000, 1))
    mixture = MixtureDistribution(shares, rng.standard_normal((2000, 8)), widths)
    z = rng.standard_normal((2000, 5))
    assert_allclose(mixture.normal_score(mixture.from_normal_score(z)), z, atol=1e-6)


def test_mixtures_of_rows_far_out(rng):
    mixture = bases(rng)["mixture"]
    y = np.array([[-400.0, 55.0, 3e4]] * 6)
    widths = mixture.widths[:, None]
    t = (y[:, :, None] - mixture.means[:, None]) / widths
    shares = mixture.log_shares[:, None]
    density = special.logsumexp(shares + stats.norm.logpdf(t) - np.log(widths), axis=2)
    assert_allclose(mixture.logpdf(y), density, rtol=1e-12)
    tail = special.logsumexp(shares + stats.norm.logcdf(-np.abs(t)), axis=2)
    assert_allclose(mixture.normal_score(y), -np.sign(y) * special.ndtri_exp(tail), rtol=1e-12)


def test_splines_end_above_zero_whatever_the_signs_of_eigenvectors():
    assert (SPLINES(SPLINES.bound) > 0).all()


def test_splines_are_orthogonal_and_ordered_by_roughness():
    weights = np.exp(SPLINES.log_weights)
    gram = SPLINES.at_nodes.T * weights @ SPLINES.at_nodes
    assert_allclose(weights.sum(), 1, rtol=1e-14)
    assert_allclose(gram - np.diag(np.diag(gram)), 0, atol=1e-12)
    assert_allclose(weights @ SPLINES.at_nodes, 0, atol=1e-12)
    assert (np.diff(np.diag(gram)) < 0).all()


def test_splines_are_constant_beyond_the_knots():
    assert_array_equal(SPLINES(np.array([-50.0, -np.inf])), SPLINES(np.array([-3.0, -3.0])))


def test_tilted_density_integrates_to_one(tilted):
    for i in range(len(tilted.outputs)):
        one = TiltedNormal(SPLINES, tilted.outputs[i : i + 1])

        def density(z, one=one):
            return stats.norm.pdf(z) * np.exp(one.tilt(np.array([[z]]))[0, 0])

        total = integrate.quad(density, -12, 12, points=SPLINES.knots, limit=200)[0]
        assert_allclose(total, 1, atol=1e-9)


def test_cdf_and_quantile_of_the_score_invert_each_other(tilted):
    p = np.tile([1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6], (6, 1))
    assert_allclose(tilted.cdf(tilted.quantile(p)), p, atol=1e-9)


def test_cdf_at_nodes_is_the_cdf(tilted):
    inside = np.abs(SPLINES.nodes) < SPLINES.bound
    nodes = np.tile(SPLINES.nodes[inside], (6, 1))
    assert_allclose(tilted.cdf_at_nodes[:, inside], tilted.cdf(nodes), atol=1e-4)


@pytest.mark.parametrize("name", BASES)
def test_bases_invert_their_normal_score(name, rng):
    base = bases(rng)[name]
    z = np.array([-6.0, -2, 0, 0.5, 4])
    assert_allclose(base.normal_score(base.from_normal_score(z)), np.tile(z, (6, 1)), atol=1e-7)


def test_a_base_without_quantiles_is_inverted_by_bisection():
    law = stats.norm([1.0, -2.0], [1.0, 3.0])
    z = np.array([-3.0, 0.0, 2.0])
    found = PredictedDistribution(WithoutQuantiles(law), np.array([0.0, 0.5])).from_normal_score(z)
    assert_allclose(found, PredictedDistribution(law, None).from_normal_score(z), atol=1e-9)


@pytest.mark.parametrize("name", BASES)
def test_log_density_is_the_slope_of_the_cdf(name, rng, tilted):
    predictive = Predictive(bases(rng)[name], tilted)
    y = predictive.quantile(np.tile([0.07, 0.41, 0.86], (6, 1)))
    step = 1e-5
    slope = (predictive.cdf(y + step) - predictive.cdf(y - step)) / (2 * step)
    assert_allclose(np.exp(predictive.logpdf(y)), slope, rtol=1e-5)


@pytest.mark.parametrize("name", BASES)
def test_crps_is_that_of_draws(name, rng, tilted):
    predictive = Predictive(bases(rng)[name], tilted)
    y = predictive.quantile(np.full((6, 1), 0.8))[:, 0]
    levels = (np.arange(4000) + 0.5) / 4000
    draws = predictive.quantile(np.tile(levels, (6, 1)))
    pinball = (levels - (y[:, None] < draws)) * (y[:, None] - draws)
    assert_allclose(predictive.crps(y), 2 * pinball.mean(axis=1), rtol=5e-3)


@pytest.mark.parametrize("name", BASES)
def test_mode_has_the_greatest_density(name, rng, tilted):
    predictive = Predictive(bases(rng)[name], tilted)
    levels = np.tile(np.linspace(0.001, 0.999, 2000), (6, 1))
    others = predictive.logpdf(predictive.quantile(levels)).max(axis=1)
    assert (predictive.logpdf(predictive.mode[:, None])[:, 0] >= others - 1e-3).all()


def test_the_shortest_interval_is_shorter_than_the_equal_tailed_one(rng, tilted):
    predictive = Predictive(bases(rng)["student"], tilted)
    shortest = predictive.shortest(0.8)
    equal = predictive.quantile(np.tile([0.1, 0.9], (6, 1)))
    assert (np.diff(shortest) <= np.diff(equal) + 1e-2).all()
    assert_allclose(np.diff(predictive.cdf(shortest)), 0.8, atol=1e-8)


@pytest.fixture
def grid_problem(rng):
    answers = Grid(rng.standard_normal(40), SPLINES)
    objective = Objective(answers, NLL(), rng.uniform(0.5, 2, size=40))
    return objective, rng.standard_normal((40, 8))


def test_pullback_of_the_grid_is_the_adjoint_of_arrange(grid_problem, rng):
    objective, outputs = grid_problem
    energies, pullback = objective.answers.arrange(outputs)
    slopes = rng.standard_normal(energies.shape)
    assert_allclose(np.vdot(energies, slopes), np.vdot(outputs, pullback(slopes)), rtol=1e-12)


def test_slopes_of_the_grid_match_finite_differences(grid_problem, rng, derivative):
    objective, outputs = grid_problem
    along = rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective(o)[0], outputs, along)
    assert_allclose(np.vdot(objective(outputs)[1], along), expected, rtol=1e-6)


def test_curvature_of_the_grid_matches_finite_differences(grid_problem, rng, derivative):
    objective, outputs = grid_problem
    along = rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective(o)[1], outputs, along)
    assert_allclose(objective.curvature(outputs).product(along), expected, rtol=1e-5, atol=1e-9)


def test_the_coarse_quadrature_is_exact_enough_to_fit(rng):
    assert_allclose(np.exp(SPLINES.coarse_log_weights).sum(), 1)
    outputs = rng.standard_normal((50, 8)) / np.arange(1, 9)  # smooth, as fitted ones are
    fine, coarse = (
        special.logsumexp(outputs @ at.T + weights, axis=1)
        for at, weights in (
            (SPLINES.at_nodes, SPLINES.log_weights),
            (SPLINES.at_coarse, SPLINES.coarse_log_weights),
        )
    )
    assert_allclose(coarse, fine, atol=1e-3)


def test_curvature_diagonal_of_the_grid_is_that_of_its_product(grid_problem):
    objective, outputs = grid_problem
    curvature = objective.curvature(outputs)
    unit = np.zeros_like(outputs)
    unit[7, 3] = 1
    assert_allclose(curvature.diagonal[7, 3], curvature.product(unit)[7, 3], rtol=1e-12)


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.fixture(scope="module")
def fitted(diabetes):
    return simple(random_state=0).fit(*diabetes[:2])


def test_the_default_beats_a_normal_distribution(diabetes):
    X, y, new_X, new_y = diabetes
    density = EnergyDensityEstimator(random_state=0).fit(X, y)
    linear = LinearRegression().fit(X, y)
    spread = np.std(y - linear.predict(X))
    peer = stats.norm.logpdf(new_y, linear.predict(new_X), spread).mean()
    assert density.score(new_X, new_y) > peer
    below = density.cdf(new_X, new_y)
    assert stats.kstest(below, "uniform").pvalue > 0.01


def test_a_skewed_law_is_recovered(rng):
    X = rng.uniform(size=(1500, 1))
    y = X[:, 0] + rng.exponential(size=1500)
    density = simple(random_state=0).fit(X[:1000], y[:1000])
    truth = -(y[1000:] - X[1000:, 0])
    assert truth.mean() - density.score(X[1000:], y[1000:]) < 0.15
    student = density.chain_[0].base.distribution(X[1000:])[0]
    assert density.score(X[1000:], y[1000:]) > student.logpdf(y[1000:, None]).mean() + 0.1


def test_log_prob_is_energy_and_partition(diabetes, fitted):
    _, _, X, y = diabetes
    log_z = fitted.log_prob(X, y) + fitted.energies(X, y)
    again = fitted.log_prob(X, y + 10) + fitted.energies(X, y + 10)
    assert_allclose(log_z, again, atol=1e-10)


def test_quantile_and_cdf_invert_each_other(diabetes, fitted):
    X = diabetes[2]
    for q in (0.001, 0.3, 0.99):
        assert_allclose(fitted.cdf(X, fitted.predict_quantile(X, q)), q, atol=1e-6)


def test_samples_follow_the_cdf(diabetes, fitted):
    X = diabetes[2][:1]
    draws = fitted.sample(X, 2000, random_state=0)[0]
    below = fitted.cdf(np.repeat(X, 2000, axis=0), draws)
    assert stats.kstest(below, "uniform").pvalue > 0.01


def test_masses_give_the_mean(diabetes, fitted):
    X = diabetes[2]
    masses, grid = fitted.predict_proba(X), fitted.grid(X)
    assert_allclose(masses.sum(axis=1), 1, rtol=1e-12)
    assert_allclose(np.sum(masses * grid, axis=1), fitted.predict(X), rtol=1e-12)
    assert fitted.decision_function(X).shape == masses.shape == (142, len(fitted.grid_))


@pytest.mark.parametrize("point", ["median", "mode"])
def test_other_points(diabetes, fitted, point):
    X = diabetes[2]
    other = clone(fitted).set_params(point=point).fit(*diabetes[:2])
    y = other.predict(X)
    if point == "median":
        assert_allclose(other.cdf(X, y), 0.5, atol=1e-9)
    else:
        assert (other.log_prob(X, y) >= fitted.log_prob(X, fitted.predict(X)) - 1e-9).all()


def test_conformal_intervals_use_the_order_statistic(diabetes, fitted):
    _, _, X, y = diabetes
    density = pickle.loads(pickle.dumps(fitted)).conformalize(X[:71], y[:71])
    ends = density.predict_interval(X[71:], 0.8)
    expected = density.conformity_[int(np.ceil(72 * 0.8)) - 1]
    assert_allclose(
        np.diff(density.cdf(np.repeat(X[71:], 2, axis=0), ends.ravel()).reshape(-1, 2))[:, 0],
        expected,
        atol=1e-8,
    )
    with pytest.raises(ValueError, match="needs at least 999 rows in conformalize, got 71"):
        density.predict_interval(X, 0.999)


def test_several_targets_are_a_chain(rng):
    X = rng.standard_normal((400, 2))
    first = X[:, 0] + rng.standard_normal(400)
    y = np.column_stack([first, first + 0.1 * rng.standard_normal(400)])
    density = simple(random_state=0).fit(X[:300], y[:300])
    alone = [simple(random_state=0).fit(X[:300], y[:300, j]) for j in range(2)]
    apart = sum(one.score(X[300:], y[300:, j]) for j, one in enumerate(alone))
    assert density.score(X[300:], y[300:]) > apart + 1
    draws = density.sample(X[300:], 5, random_state=0)
    assert draws.shape == (100, 5, 2)
    assert np.std(draws[:, :, 1] - draws[:, :, 0]) < 0.3
    assert density.predict(X[300:]).shape == (100, 2)
    with pytest.raises(ValueError, match="predict_quantile needs one target, got 2"):
        density.predict_quantile(X, 0.5)


@pytest.mark.parametrize("location", [None, [Ridge(), RandomForestRegressor(10)]])
def test_locations(diabetes, location):
    X, y, new_X, new_y = diabetes
    assert np.isfinite(
        simple(location=location, random_state=0).fit(X, y).log_prob(new_X, new_y)
    ).all()


def test_the_default_needs_no_lightgbm(diabetes, monkeypatch):
    X, y, new_X, new_y = diabetes
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    density = EnergyDensityEstimator("linear", alpha=0.1, random_state=0).fit(X, y)
    assert density.score(new_X, new_y) > stats.norm.logpdf(new_y, y.mean(), y.std()).mean()


def test_a_frozen_location_is_not_fitted_again(diabetes):
    X, y, new_X, _ = diabetes
    ridge = Ridge().fit(X, y)
    density = simple(location=FrozenEstimator(ridge), random_state=0).fit(X, y)
    loc = density.chain_[0].base.distribution(new_X)[0].loc
    assert_allclose(loc, ridge.predict(new_X))


def test_a_gaussian_process_is_recalibrated(diabetes):
    X, y, new_X, new_y = diabetes
    process = GaussianProcessRegressor(alpha=0.01, normalize_y=True, optimizer=None)
    density = EnergyDensityEstimator("linear", base=process, random_state=0).fit(X, y)
    alone = stats.norm(*process.fit(X, y).predict(new_X, return_std=True)).logpdf(new_y).mean()
    assert density.score(new_X, new_y) > alone + 0.1


def test_a_base_that_predicts_numbers_is_refused(diabetes):
    with pytest.raises(ValueError, match="base must predict distributions"):
        EnergyDensityEstimator(base=Ridge()).fit(*diabetes[:2])


def test_tails_are_heavy(diabetes, fitted):
    X = diabetes[2]
    assert (fitted.log_prob(X, np.full(len(X), 1e6)) > -500).all()


@pytest.mark.parametrize("energy", ["kernel", ["kernel", "linear"]])
@pytest.mark.parametrize("factor", [1e10, 1e100, -1e100])
def test_rows_far_away_have_densities(diabetes, energy, factor):
    X, y, new_X, _ = diabetes
    density = simple(energy=energy, random_state=0).fit(X, y)
    far = factor * new_X[:5]
    assert np.isfinite(density.log_prob(far, density.predict(far))).all()


@pytest.mark.parametrize("energy, dtype", [("kernel", np.float32), ("linear", np.float64)])
def test_kernels_are_fitted_in_single_precision(diabetes, energy, dtype):
    X, y = diabetes[:2]
    conditional = simple(energy=energy).fit(X, np.maximum(y, 90)).chain_[0]
    assert conditional.energy_.coef_.dtype == conditional.gate.energy_.coef_.dtype == dtype
    assert conditional.smooth(X).logpdf(y[:, None]).dtype == np.float64


@pytest.mark.parametrize(
    "energy, dtype",
    [
        (["kernel", "kernel"], np.float32),
        (["kernel", "linear"], np.float64),
        (KernelEnergy("fourier"), np.float64),
    ],
)
def test_precision_that_energies_read(energy, dtype, rng):
    assert as_read(as_energy(energy), rng.standard_normal((3, 2))).dtype == dtype


def test_a_base_far_from_zero_is_corrected_as_well(diabetes):
    X, y, new_X, new_y = diabetes
    near, far = (
        simple(energy="kernel", base=BayesianRidge(), random_state=0).fit(X, y + offset)
        for offset in (0, 1e6)
    )
    expected = near.log_prob(new_X, new_y)
    assert_allclose(far.log_prob(new_X, new_y + 1e6), expected, atol=1e-3)


def test_an_outlier_far_away_does_no_harm(diabetes):
    X, y, new_X, new_y = diabetes
    wild = np.append(y, 1e6)
    density = simple(random_state=0).fit(np.vstack([X, X[:1]]), wild)
    assert np.isfinite(density.log_prob(new_X, new_y)).all()


@pytest.mark.parametrize("n", [2, 3, 7, 25])
def test_few_rows(n, rng):
    X, y = rng.standard_normal((n, 2)), rng.standard_normal(n)
    density = EnergyDensityEstimator(random_state=0).fit(X, y)
    assert np.isfinite(density.log_prob(X, y)).all()


def test_grid_search_through_a_pipeline(diabetes):
    X, y, new_X, new_y = diabetes
    pipeline = make_pipeline(StandardScaler(), simple(random_state=0))
    grid = {"energydensityestimator__n_basis": [4, 8], "energydensityestimator__alpha": [0.1, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert np.isfinite(search.score(new_X, new_y))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_basis": 0}, "n_basis must be an integer >= 1"),
        ({"n_orders": 0}, "n_orders must be an integer >= 1"),
        ({"point": "middle"}, "point must be one of"),
        ({"beta": -1}, "beta must be"),
        ({"energy": "woods"}, "energy must be one of"),
        ({"energy": "prototype"}, "PrototypeEnergy.* is one of classes"),
        ({"energy": ["linear", RandomForestRegressor()]}, "is one of classes|must be a classifier"),
        ({"location": "ridge"}, "location must be 'auto', a regressor"),
        ({"location": []}, "location must be 'auto', a regressor"),
        ({"base": Ridge}, "base must be an estimator"),
    ],
)
def test_bad_parameters(diabetes, params, message):
    with pytest.raises(ValueError, match=message):
        simple(**params).fit(*diabetes[:2])


def test_a_mode_of_several_targets_is_refused(rng):
    with pytest.raises(ValueError, match="point='mode' needs one target"):
        simple(point="mode").fit(rng.standard_normal((30, 2)), rng.standard_normal((30, 2)))


def test_the_grid_is_the_one_fitted(diabetes, fitted):
    density = pickle.loads(pickle.dumps(fitted)).set_params(n_basis=4)
    assert len(density.grid_) == density.predict_proba(diabetes[2]).shape[1]


def test_a_conformal_interval_may_be_the_whole_line(diabetes, fitted):
    X = diabetes[2]
    density = pickle.loads(pickle.dumps(fitted)).conformalize(X, np.full(len(X), 1e300))
    assert_array_equal(density.predict_interval(X, 0.5), [[-np.inf, np.inf]] * len(X))


def test_callbacks_see_each_iteration(diabetes):
    monitor = ScoringMonitor(scoring="r2")
    density = simple(random_state=0).set_callbacks(monitor).fit(*diabetes[:2])
    assert len(density.chain_[0].loss_curve_) == density.n_iter_ > 1


def test_a_failed_joint_fit_keeps_what_was_fitted(joint, ring):
    density = pickle.loads(pickle.dumps(joint))
    before = density.score(ring[:50])
    with pytest.raises(ValueError, match="Gaussian|components|n_samples"):
        density.set_params(cv=KFold(2)).fit(5 * ring[:3])
    assert density.set_params(cv=None).score(ring[:50]) == before


def test_a_failed_fit_keeps_what_was_fitted(diabetes, fitted):
    X, y = diabetes[:2]
    density = pickle.loads(pickle.dumps(fitted))
    before = density.predict(X)
    with pytest.raises(ValueError, match="a constant has no density"):
        density.fit(X, np.ones(len(y)))
    assert_array_equal(density.predict(X), before)


def test_cv_must_test_every_row_once(diabetes):
    with pytest.raises(ValueError, match="cv must test every row exactly once"):
        simple(cv=ShuffleSplit(3, random_state=0)).fit(*diabetes[:2])


@pytest.mark.parametrize("q", [0, 1.5, [[0.5]]])
def test_bad_levels(diabetes, fitted, q):
    with pytest.raises(ValueError, match="q must be"):
        fitted.predict_quantile(diabetes[2], q)


def test_methods_belong_to_a_mode(fitted):
    assert not hasattr(fitted, "score_samples")
    joint = EnergyDensityEstimator(conditional=False)
    assert not hasattr(joint, "log_prob")
    with pytest.raises(NotFittedError):
        joint.sample(3)


@pytest.fixture(scope="module")
def ring():
    rng = np.random.RandomState(0)
    angle = rng.uniform(0, 2 * np.pi, size=3000)
    radius = 1 + 0.1 * rng.standard_normal(3000)
    return np.column_stack([radius * np.cos(angle), 100 * radius * np.sin(angle)])


@pytest.fixture(scope="module")
def joint(ring):
    return EnergyDensityEstimator(conditional=False, random_state=0).fit(ring[:1500])


def test_the_joint_density_beats_a_mixture(ring, joint):
    mixtures = [GaussianMixture(k, random_state=0).fit(ring[:1500]) for k in (4, 8, 16)]
    assert joint.score(ring[1500:]) > max(m.score(ring[1500:]) for m in mixtures)


def test_the_joint_density_integrates_to_one(joint):
    ends = np.linspace(-2, 2, 201)
    first, second = np.meshgrid(ends, 100 * ends)
    values = np.exp(joint.score_samples(np.column_stack([first.ravel(), second.ravel()])))
    total = np.trapezoid(np.trapezoid(values.reshape(201, 201), ends), 100 * ends)
    assert_allclose(total, 1, atol=5e-3)


def test_columns_in_bands_are_seen_from_the_leaves_of_trees(rng):
    """Which band the last column is in depends on one of four others: too much for components."""
    X = rng.uniform(size=(600, 5))
    bands = rng.permutation(12)

    def off(table):
        return np.abs(table[:, 4] - bands[(12 * table[:, 1]).astype(int)])

    X[:, 4] = bands[(12 * X[:, 1]).astype(int)] + 0.1 * rng.standard_normal(600)
    joint = EnergyDensityEstimator("linear", conditional=False, random_state=0).fit(X)
    assert joint.chain_[0].base.leaf_density_ is None
    assert joint.chain_[1].base.leaf_density_ is None
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
    chains += [chain.score_samples(test[:, order]) for order, chain in joint.reordered_chains_]
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


def test_no_row_is_next_to_impossible_beside_narrow_components(rng):
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


@pytest.mark.parametrize("name", ["X", "y"])
def test_numbers_whose_squares_overflow_are_refused(name):
    data = {"X": np.arange(20.0)[:, None], "y": np.arange(20.0)}
    data[name] = 1e200 * data[name]
    with pytest.raises(ValueError, match=rf"{name} must be at most 1e\+150 .*, got 1.9e\+201"):
        EnergyDensityEstimator().fit(**data)
    if name == "X":
        with pytest.raises(ValueError, match="X must be at most"):
            EnergyDensityEstimator(conditional=False).fit(data["X"])


def test_joint_of_one_column():
    X = load_iris().data[:, :1]
    density = EnergyDensityEstimator(conditional=False, random_state=0).fit(X)
    assert density.score(X) > stats.norm.logpdf(X, X.mean(), X.std()).mean() - 0.02
