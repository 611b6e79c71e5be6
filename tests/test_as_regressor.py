"""A density of y given x where scikit-learn expects a regressor."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.inspection import PartialDependenceDisplay, partial_dependence
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.utils import get_tags

from sk_ebm import EnergyDensityEstimator

DENSITY = EnergyDensityEstimator("linear", location=Ridge(), power=None, alpha=0.1, random_state=0)


@pytest.fixture(scope="module")
def data():
    X, y = load_diabetes(return_X_y=True)
    return X[:150, :4], y[:150]


def test_its_tags_are_those_of_a_regressor_with_another_score():
    tags = get_tags(DENSITY)
    assert is_regressor(DENSITY) and tags.regressor_tags.poor_score
    joint = clone(DENSITY).set_params(conditional=False)
    assert not is_regressor(joint) and get_tags(joint).estimator_type == "density_estimator"


def test_its_score_is_the_mean_log_density(data):
    X, y = data
    density = clone(DENSITY).fit(X, y)
    assert density.score(X, y) == pytest.approx(density.log_prob(X, y).mean())
    scores = cross_val_score(DENSITY, X, y, cv=2, scoring="r2")
    first = clone(DENSITY).fit(X[75:], y[75:]).predict(X[:75])
    assert scores[0] == pytest.approx(r2_score(y[:75], first))


def test_it_votes_and_is_stacked(data):
    X, y = data
    models = [("density", DENSITY), ("ridge", Ridge())]
    voting = VotingRegressor(models).fit(X, y)
    expected = (clone(DENSITY).fit(X, y).predict(X) + Ridge().fit(X, y).predict(X)) / 2
    assert_allclose(voting.predict(X), expected)
    stacking = StackingRegressor(models, cv=2).fit(X, y)
    assert r2_score(y, stacking.predict(X)) > 0.2


def test_its_target_may_be_transformed(data):
    X, y = data
    model = TransformedTargetRegressor(DENSITY, func=np.log, inverse_func=np.exp).fit(X, y)
    assert_allclose(model.predict(X), np.exp(clone(DENSITY).fit(X, np.log(y)).predict(X)))


@pytest.mark.parametrize("several", [RegressorChain, MultiOutputRegressor])
def test_it_is_one_of_several(several, data):
    X, y = data
    Y = np.column_stack([y, y + 10 * X[:, 0]])
    model = several(DENSITY).fit(X, Y)
    assert_array_equal(model.predict(X)[:, 0], clone(DENSITY).fit(X, y).predict(X))


def test_its_partial_dependence_is_that_of_its_predictions(data):
    X, y = data
    density = clone(DENSITY).fit(X, y)
    found = partial_dependence(density, X, [2], grid_resolution=3)
    for value, average in zip(found["grid_values"][0], found["average"][0], strict=True):
        rows = X.copy()
        rows[:, 2] = value
        assert average == pytest.approx(density.predict(rows).mean())
    pytest.importorskip("matplotlib").use("Agg")
    display = PartialDependenceDisplay.from_estimator(density, X, [2], grid_resolution=3)
    assert display.axes_.shape == (1, 1)
