"""`through`: methods of the last step of pipelines and searches, through the steps before."""

import pickle

import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, through

DENSITY = EnergyDensityEstimator("linear", location=Ridge(), power=None, alpha=0.1, random_state=0)


@pytest.fixture(scope="module")
def data():
    X, y = load_diabetes(return_X_y=True)
    return X[:120], y[:120], X[120:125], y[120:125]


def nestings(density):
    scaled = make_pipeline(StandardScaler(), density)
    grid = {"alpha": [0.1]}
    return {
        "pipeline": scaled,
        "nested": make_pipeline(FunctionTransformer(), scaled),
        "search over a pipeline": GridSearchCV(
            scaled, {"energydensityestimator__alpha": [0.1]}, cv=2
        ),
        "search in a pipeline": make_pipeline(StandardScaler(), GridSearchCV(density, grid, cv=2)),
        "passthrough": Pipeline([("a", "passthrough"), ("b", StandardScaler()), ("c", density)]),
    }


@pytest.mark.parametrize("name", nestings(DENSITY))
def test_methods_are_those_of_the_last_step(name, data):
    X, y, new_X, new_y = data
    model = nestings(DENSITY)[name].fit(X, y)
    scaler = StandardScaler().fit(X)
    alone, scaled = DENSITY.fit(scaler.transform(X), y), scaler.transform(new_X)
    last = through(model)
    assert_array_equal(
        last.predict_interval(new_X, coverage=0.8), alone.predict_interval(scaled, 0.8)
    )
    assert_array_equal(last.predict_quantile(X=new_X, q=0.3), alone.predict_quantile(scaled, 0.3))
    assert_array_equal(last.log_prob(new_X, new_y), alone.log_prob(scaled, new_y))
    distribution = last.predict_distribution(new_X)
    assert_array_equal(distribution.crps(new_y), alone.crps(scaled, new_y))
    assert last.n_features_in_ == alone.n_features_in_
    assert "predict_interval" in dir(last) and not hasattr(last, "predict_set")
    assert_array_equal(pickle.loads(pickle.dumps(last)).predict(new_X), alone.predict(scaled))


def test_conformalize_reaches_the_last_step(data):
    X, y, new_X, _ = data
    pipe = make_pipeline(StandardScaler(), DENSITY).fit(X[:80], y[:80])
    through(pipe).conformalize(X[80:], y[80:])
    assert len(pipe[-1].conformity_) == 40
    assert_array_equal(
        pipe.predict(new_X, coverage=0.8), through(pipe).predict_interval(new_X, 0.8)
    )


def test_estimators_that_are_neither_stand_for_themselves(data):
    X, y, new_X, _ = data
    density = DENSITY.fit(X, y)
    for model in (density, FrozenEstimator(density)):
        assert_array_equal(through(model).predict(new_X), density.predict(new_X))


def test_draws_of_a_table_need_no_rows(data):
    joint = EnergyDensityEstimator("linear", conditional=False, alpha=0.1, random_state=0)
    pipe = make_pipeline(StandardScaler(), joint).fit(data[0][:40, :2])
    assert through(pipe).sample(4).shape == (4, 2)
    assert through(pipe).sample(n_samples=3).shape == (3, 2)


@pytest.mark.parametrize("routing", [False, True])
def test_pipelines_hand_keywords_on(routing, data):
    X, y, new_X, _ = data
    with config_context(enable_metadata_routing=routing):
        pipe = make_pipeline(StandardScaler(), DENSITY).fit(X, y)
        mean, std = pipe.predict(new_X, return_std=True)
        assert mean.shape == std.shape == (5,)
        assert pipe.predict(new_X, quantiles=[0.9, 0.1]).shape == (5, 2)
        assert pipe.predict(new_X, coverage=0.8).shape == (5, 2)
        wine, kinds = load_wine(return_X_y=True)
        pipe = make_pipeline(StandardScaler(), EnergyClassifier(alpha=0.1)).fit(wine, kinds)
        assert pipe.predict(wine, coverage=0.8).shape == (178, 3)
        pipe = make_pipeline(StandardScaler(), EnergyDetector("marginal")).fit(wine)
        labels, p = pipe.predict(wine, p_values=True)
        assert_array_equal(labels, pipe.predict(wine))
        assert_array_equal(p, through(pipe).p_values(wine))


def test_what_is_not_fitted_says_so(data):
    X, y = data[:2]
    scaled = make_pipeline(StandardScaler(), DENSITY)
    with pytest.raises(NotFittedError):
        through(scaled).predict_interval(X)
    search = GridSearchCV(DENSITY, {"alpha": [0.1]}, cv=2, refit=False)
    for model in (search, search.fit(X, y)):
        with pytest.raises(NotFittedError, match="no best_estimator_: call fit first, with refit"):
            through(model)


@pytest.mark.parametrize("bad", [None, "pipe", StandardScaler])
def test_what_is_no_estimator_is_refused(bad):
    with pytest.raises(TypeError, match="model must be a fitted pipeline, search or estimator"):
        through(bad)
