"""Proper scores, coverage and calibration of predictive distributions, and their scorers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyDensityEstimator, metrics

NAMES = ["crps", "log_score", "interval_score", "coverage", "pinball", "pit_ks"]
DENSITY = EnergyDensityEstimator("linear", location=Ridge(), power=None, alpha=0.1, random_state=0)


def data(n_targets=1, rounded=False):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((400, 2))
    y = X[:, :1] + rng.standard_normal((400, n_targets))
    y = np.round(y) if rounded else y
    return X, y[:, 0] if n_targets == 1 else y


@pytest.fixture(scope="module")
def predicted():
    """Answers and their distributions."""
    X, y = data()
    return y[200:], clone(DENSITY).fit(X[:200], y[:200]).predict_distribution(X[200:])


def test_values_are_those_of_the_definitions(predicted):
    y, distribution = predicted
    assert_allclose(metrics.crps(y, distribution), distribution.crps(y).mean())
    assert_allclose(metrics.log_score(y, distribution), -distribution.logpdf(y).mean())
    low, high = distribution.interval(0.8).T
    assert_allclose(
        metrics.coverage(y, distribution, coverage=0.8), np.mean((low <= y) & (y <= high))
    )
    scores = high - low + 10 * (np.maximum(low - y, 0) + np.maximum(y - high, 0))
    assert_allclose(metrics.interval_score(y, distribution, coverage=0.8), scores.mean())
    levels = [0.7, 0.2]
    losses = [mean_pinball_loss(y, distribution.ppf(p), alpha=p) for p in levels]
    assert_allclose(metrics.pinball(y, distribution, quantiles=levels), np.mean(losses))
    expected = stats.kstest(distribution.cdf(y), "uniform").statistic
    assert_allclose(metrics.pit_ks(y, distribution), expected)


def test_arrays_are_as_good_as_distributions(predicted):
    y, distribution = predicted
    ends = distribution.interval(0.8)
    for metric in (metrics.interval_score, metrics.coverage):
        assert metric(y, ends, coverage=0.8) == metric(y, distribution, coverage=0.8)
    levels = [0.3, 0.6]
    quantiles = distribution.ppf([levels])
    expected = metrics.pinball(y, distribution, quantiles=levels)
    assert metrics.pinball(y, quantiles, quantiles=levels) == expected
    median = metrics.pinball(y, distribution.median(), quantiles=0.5)
    assert_allclose(median, np.abs(y - distribution.median()).mean() / 2)


@pytest.mark.parametrize("name", NAMES)
def test_weights_stand_for_rows(name, predicted):
    y, distribution = predicted
    metric, weights = getattr(metrics, name), np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), weights)
    found = metric(y, distribution, sample_weight=weights)
    assert_allclose(found, metric(y[rows], distribution[rows]), rtol=1e-9)
    assert isinstance(found, float)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_scorers_work_in_searches_and_pipelines(name, n_targets):
    X, y = (part[: 90 if n_targets == 1 else 40] for part in data(n_targets))
    scorer, metric = getattr(metrics, f"{name}_scorer"), getattr(metrics, name)
    pipe = make_pipeline(StandardScaler(), DENSITY)
    fitted = clone(pipe).fit(X[10:], y[10:])
    distribution = fitted[-1].predict_distribution(fitted[0].transform(X[:10]))
    sign = 1 if name == "coverage" else -1
    assert_allclose(scorer(fitted, X[:10], y[:10]), sign * metric(y[:10], distribution))
    if n_targets == 1 and name in ("crps", "coverage"):
        scores = cross_val_score(pipe, X, y, cv=2, scoring=scorer)
        grid = {"energydensityestimator__alpha": [0.1, 1.0]}
        search = GridSearchCV(pipe, grid, cv=2, scoring=scorer).fit(X, y)
        assert_allclose(search.cv_results_["mean_test_score"][0], scores.mean())
        assert np.isfinite(scorer(search, X, y))


def test_scorers_have_settings(predicted):
    X, y = data()
    scorers = {
        "half": metrics.DistributionScorer("coverage", coverage=0.5),
        "all": metrics.coverage_scorer,
        "median": metrics.DistributionScorer("pinball", quantiles=[0.5]),
        "log": metrics.log_score_scorer,
    }
    found = cross_validate(DENSITY, X, y, cv=2, scoring=scorers)
    assert 0.4 < found["test_half"].mean() < 0.6 < 0.8 < found["test_all"].mean() < 0.97
    assert_allclose(found["test_log"], cross_val_score(DENSITY, X, y, cv=2))
    assert (found["test_median"] < 0).all()
    with pytest.raises(ValueError, match="metric must be 'crps', .* got 'rmse'"):
        metrics.DistributionScorer("rmse")(DENSITY.fit(X, y), X, y)


def test_the_transform_of_rounded_answers_is_spread():
    X, y = data(rounded=True)
    distribution = clone(DENSITY).fit(X[:200], y[:200]).predict_distribution(X[200:])
    y = y[200:]
    below, upper = distribution.cdf_below(y), distribution.cdf(y)
    u = np.linspace(0, 1, 2001)[:, None]
    mean = np.mean(np.clip((u - below) / (upper - below), 0, 1), axis=1)
    assert_allclose(metrics.pit_ks(y, distribution), np.abs(mean - u[:, 0]).max(), atol=1e-3)
    assert metrics.pit_ks(y, distribution) < 0.1 < stats.kstest(upper, "uniform").statistic


def test_a_wrong_distribution_scores_worse(predicted):
    y, distribution = predicted
    for name in ("crps", "log_score", "interval_score", "pinball", "pit_ks"):
        metric = getattr(metrics, name)
        assert metric(y, distribution) < metric(y + 2, distribution)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda y, d: metrics.crps(y[:-1], d), r"y_true must hold an answer .* got shape \(199,\)"),
        (lambda y, d: metrics.crps(np.where(y > 0, np.nan, y), d), "y is missing"),
        (lambda y, d: metrics.coverage(y, d, coverage=90), "coverage must be"),
        (lambda y, d: metrics.coverage(y, np.zeros((len(y), 3))), "both ends of an interval"),
        (lambda y, d: metrics.interval_score(y, d.interval(0.9)[:, ::-1]), "lower ends before"),
        (lambda y, d: metrics.pinball(y, d, quantiles=[0.5, 1]), "quantiles must be"),
        (lambda y, d: metrics.pinball(y, d.ppf([[0.1]]), quantiles=[0.1, 0.2]), "for each level"),
        (lambda y, d: metrics.pit_ks(y, d, sample_weight=0 * y), "sample_weight must hold a pos"),
    ],
)
def test_bad_input(ask, said, predicted):
    with pytest.raises(ValueError, match=said):
        ask(*predicted)


@pytest.mark.parametrize("name", ["crps", "log_score", "pit_ks"])
def test_what_is_no_distribution_is_refused(name, predicted):
    with pytest.raises(TypeError, match="distribution must be a PredictiveDistribution, as"):
        getattr(metrics, name)(predicted[0], predicted[0])


@pytest.mark.parametrize("name", NAMES)
def test_an_estimator_in_place_of_its_distribution_is_refused(name, predicted):
    with pytest.raises(TypeError, match="got the estimator itself: EnergyDensityEstimator"):
        getattr(metrics, name)(predicted[0], DENSITY)
