"""EnergyDensityEstimator: parameters, methods and what they return."""

import pickle
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn import config_context
from sklearn.base import clone, is_regressor
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import BayesianRidge, LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyDensityEstimator
from sk_ebm.distributions import PredictiveDistribution


def simple(**params):
    """A density that fits in a moment."""
    return EnergyDensityEstimator(
        **{"location": Ridge(), "energy": "linear", "alpha": 0.1, **params}
    )


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


def test_a_skewed_distribution_is_recovered(rng):
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
    assert fitted.decision_function(X).shape == masses.shape == (142, len(fitted.quadrature_nodes_))


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
        ({"point": "middle"}, "point must be .mean., .median. or .mode."),
        ({"beta": -1}, "beta must be"),
        ({"energy": "woods"}, "energy must be one of"),
        ({"energy": "prototype"}, "PrototypeEnergy.* is one of classes"),
        (
            {"energy": ["linear", RandomForestRegressor()]},
            "is one of classes|orders the items of a query",
        ),
        ({"location": "ridge"}, "location must be 'auto', a regressor"),
        ({"location": []}, "location must be 'auto', a regressor"),
        ({"base": Ridge}, "base must be an estimator"),
    ],
)
def test_bad_parameters(diabetes, params, message):
    with pytest.raises(ValueError, match=message):
        simple(**params).fit(*diabetes[:2])


def test_quadrature_nodes_are_those_fitted(diabetes, fitted):
    density = pickle.loads(pickle.dumps(fitted)).set_params(n_basis=4)
    assert len(density.quadrature_nodes_) == density.predict_proba(diabetes[2]).shape[1]


def test_a_conformal_interval_may_be_the_whole_line(diabetes, fitted):
    X = diabetes[2]
    density = pickle.loads(pickle.dumps(fitted)).conformalize(X, np.full(len(X), 1e300))
    assert_array_equal(density.predict_interval(X, 0.5), [[-np.inf, np.inf]] * len(X))


def test_callbacks_see_each_iteration(diabetes):
    monitor = ScoringMonitor(scoring="r2")
    density = simple(random_state=0).set_callbacks(monitor).fit(*diabetes[:2])
    assert len(density.chain_[0].loss_curve_) == density.n_iter_ > 1


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


@pytest.mark.parametrize("name", ["X", "y"])
def test_numbers_whose_squares_overflow_are_refused(name):
    data = {"X": np.arange(20.0)[:, None], "y": np.arange(20.0)}
    data[name] = 1e200 * data[name]
    with pytest.raises(ValueError, match=rf"{name} must be at most 1e\+150 .*, got 1.9e\+201"):
        EnergyDensityEstimator().fit(**data)
    if name == "X":
        with pytest.raises(ValueError, match="X must be at most"):
            EnergyDensityEstimator(conditional=False).fit(data["X"])


def _values_at(*objects):
    """Attributes of objects, and of the objects that these are, by identity."""
    values, todo = {}, list(objects)
    while todo:
        each = todo.pop()
        if isinstance(each, (list, tuple)):
            todo.extend(each)
        elif hasattr(each, "__dict__") and not isinstance(each, type) and id(each) not in values:
            values[id(each)] = {name: id(value) for name, value in vars(each).items()}
            todo.extend(vars(each).values())
    return values


@pytest.mark.parametrize("point", ["mean", "mode"])
def test_predicting_writes_nothing(point, diabetes):
    X, y, new_X, new_y = diabetes
    density = simple(energy="kernel", point=point, random_state=0).fit(X, np.maximum(y, 90))
    density.conformalize(new_X, new_y)
    before = _values_at(density)
    assert len(before) > 10
    for method in ("log_prob", "energies", "cdf", "crps", "score"):
        getattr(density, method)(new_X, new_y)
    for method in ("predict", "predict_interval", "predict_proba", "decision_function", "support"):
        getattr(density, method)(new_X)
    density.predict_interval(new_X[:5], kind="highest-density")
    density.predict_distribution(new_X).crps(new_y)
    density.predict_quantile(new_X, 0.3)
    density.sample(new_X)
    assert _values_at(density) == before


def test_predicting_writes_nothing_on_the_chains_of_a_table():
    X = load_iris().data[::2]
    joint = EnergyDensityEstimator("linear", conditional=False, n_orders=2, random_state=0).fit(X)
    before = _values_at(joint)
    joint.score_samples(X)
    joint.sample(20)
    joint.sample(X[:2, :2], 3)
    assert _values_at(joint) == before


def test_methods_are_those_of_the_distribution(diabetes, fitted):
    _, _, X, y = diabetes
    distribution = fitted.predict_distribution(X)
    assert isinstance(distribution, PredictiveDistribution)
    assert_allclose(fitted.log_prob(X, y), distribution.logpdf(y))
    assert_allclose(fitted.predict(X), distribution.mean())
    assert_allclose(fitted.crps(X, y), distribution.crps(y))
    assert_allclose(fitted.predict_interval(X, 0.7), distribution.interval(0.7))
    assert_array_equal(fitted.grid(X), fitted.support(X))
    assert_array_equal(fitted.support(X), distribution.grid())
    assert_array_equal(fitted.predict_proba(X), distribution.grid_masses())
    assert_array_equal(fitted.decision_function(X), -distribution.energies(distribution.grid()))
    assert_array_equal(fitted.sample(X, 3, 0), distribution.rvs(3, 0))


def test_it_is_a_regressor_where_it_is_conditional():
    assert is_regressor(simple())
    assert not is_regressor(EnergyDensityEstimator(conditional=False))


@pytest.mark.parametrize("params", [{}, {"location": None}, {"conditional": False}])
def test_regressors_of_our_own_get_weights_with_metadata_routing(rng, params):
    X, weights = rng.standard_normal((60, 2)), rng.uniform(size=60)
    y = X[:, 0] + rng.standard_normal(60)
    density = EnergyDensityEstimator("linear", **params, random_state=0)
    plain = density.fit(X, y, sample_weight=weights).score(X, y, sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        routed = density.fit(X, y, sample_weight=weights).score(X, y, sample_weight=weights)
    assert routed == plain


def test_a_pipeline_passes_weights_to_the_score(diabetes):
    X, y = diabetes[:2]
    pipeline = make_pipeline(StandardScaler(), simple(random_state=0)).fit(X, y)
    weights = np.arange(len(y)) % 3
    log_prob = pipeline[-1].log_prob(pipeline[0].transform(X), y)
    expected = np.average(log_prob, weights=weights)
    assert pipeline.score(X, y, sample_weight=weights) == pytest.approx(expected)
    with pytest.raises(ValueError, match="sample_weight must hold a positive weight"):
        pipeline.score(X, y, sample_weight=0 * weights)


@pytest.mark.parametrize(
    "given",
    [
        {"location": make_pipeline(SimpleImputer(), Ridge())},
        {"location": HistGradientBoostingRegressor(max_iter=5), "energy": "trees"},
        {"base": make_pipeline(SimpleImputer(), BayesianRidge())},
    ],
    ids=["location", "trees", "base"],
)
def test_given_estimators_may_take_missing_values(diabetes, rng, given):
    X, y = diabetes[0].copy(), diabetes[1]
    X[rng.uniform(size=X.shape) < 0.1] = np.nan
    assert np.isfinite(simple(**given, random_state=0).fit(X, y).log_prob(X, y)).all()
    with pytest.raises(
        ValueError, match="missing values .* or give a location= or base= that takes them"
    ):
        EnergyDensityEstimator().fit(X, y)


@pytest.mark.parametrize("unit", [1e-300, 1e100])
def test_units_of_columns_and_of_y_change_nothing(diabetes, unit):
    X, y, new_X, new_y = (part[:60] for part in diabetes)
    density = EnergyDensityEstimator("linear", alpha=0.1, cv=3, random_state=0)
    expected = density.fit(X, y).log_prob(new_X, new_y)
    found = density.fit(unit * X, unit * y).log_prob(unit * new_X, unit * new_y)
    assert np.median(np.abs(found + np.log(unit) - expected)) < 0.1


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda m, X, y: m.predict_quantile(X, "a"), "q must be"),
        (lambda m, X, y: m.predict_quantile(X, [0.1, None]), "q must be"),
        (lambda m, X, y: m.score(X), "y must have a value for each row"),
        (lambda m, X, y: m.cdf(X, np.where(y == y[3], np.nan, y)), r"y is missing \(NaN\) in"),
        (lambda m, X, y: clone(m).fit(X, np.c_[y, 0 * y]), "got only 0 in column 1"),
    ],
)
def test_messages_say_what_is_wrong(diabetes, ask, said):
    X, y = (part[:60] for part in diabetes[:2])
    with pytest.raises(ValueError, match=said):
        ask(simple().fit(X, y), X, y)
