"""Laws of the options that give y, or a column of X, a meaning that scikit-learn's checks lack."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge

from sk_ebm import EnergyDensityEstimator, EnergyDetector, EnergyRanker

N_ROWS, QUERY = 60, 6
QUICK = {"energy": "linear", "location": Ridge(), "power": None, "alpha": 0.1, "random_state": 0}


def rows():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.standard_normal((N_ROWS, 3)), columns=["a", "b", "c"])
    return X, X["a"].to_numpy() + 0.3 * rng.standard_normal(N_ROWS)


def anomalies():
    X, signal = rows()
    detector = EnergyDetector(["marginal", "linear"], labels="anomaly", random_state=0)
    return detector, X, np.where(signal > 1, -1, 1), {}


def answers():
    X, signal = rows()
    detector = EnergyDetector(LogisticRegression(), labels="answer", random_state=0)
    return detector, X, (signal > 0).astype(int), {}


def column_of_queries():
    X, signal = rows()
    X.insert(1, "query", np.arange(N_ROWS) // QUERY)
    return EnergyRanker(group_column="query", random_state=0), X, (signal > 0).astype(int), {}


def normalised_queries():
    X, signal = rows()
    ranker = EnergyRanker(normalize="query", random_state=0)
    return ranker, X, (signal > 0).astype(int), {"groups": np.arange(N_ROWS) // QUERY}


def normalised_column():
    ranker, X, y, _ = column_of_queries()
    return ranker.set_params(normalize="query"), X, y, {}


def several_targets():
    X, signal = rows()
    return EnergyDensityEstimator(**QUICK), X, np.column_stack([signal, signal**2]), {}


def masses():
    X, signal = rows()
    return EnergyDensityEstimator(**QUICK, kind="mass"), X, signal.round(), {}


@pytest.fixture(
    params=[
        anomalies,
        answers,
        column_of_queries,
        normalised_queries,
        normalised_column,
        several_targets,
        masses,
    ],
    ids=lambda made: made.__name__,
)
def problem(request):
    return request.param()


def fitted(problem):
    estimator, X, y, others = problem
    return clone(estimator).fit(X, y, **others)


def predictions(estimator, X, others):
    return estimator.predict(X, **others)


def test_clones_have_the_parameters_and_fit_alike(problem):
    _, X, _, others = problem
    one, same = fitted(problem), fitted(problem)
    assert str(clone(one).get_params()) == str(one.get_params())
    assert_array_equal(predictions(one, X, others), predictions(same, X, others))


def test_pickles_answer_the_same(problem):
    _, X, y, others = problem
    estimator = fitted(problem)
    again = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(predictions(again, X, others), predictions(estimator, X, others))
    if hasattr(estimator, "log_prob"):
        assert_array_equal(again.log_prob(X, y), estimator.log_prob(X, y))
    if hasattr(estimator, "pair_energies"):
        assert_array_equal(again.pair_energies(X, y), estimator.pair_energies(X, y))


def test_features_are_the_columns_without_a_meaning(problem):
    _, X, _, others = problem
    estimator = fitted(problem)
    assert_array_equal(estimator.feature_names_in_, ["a", "b", "c"])
    assert estimator.n_features_in_ == 3
    with pytest.raises(ValueError, match="feature names"):
        predictions(estimator, X.rename(columns={"b": "d"}), others)


def test_rows_of_a_query_do_not_depend_on_other_queries(problem):
    _, X, _, others = problem
    estimator = fitted(problem)
    if estimator.__class__ is EnergyDensityEstimator and len(estimator.chain_) > 1:
        pytest.skip("means of draws, which are those of the table")
    some = np.arange(2 * QUERY, 3 * QUERY)
    part = {name: value[some] for name, value in others.items()}
    np.testing.assert_allclose(
        predictions(estimator, X.iloc[some], part),
        predictions(estimator, X, others)[some],
        rtol=1e-10,
        atol=1e-10,
    )


def test_nothing_is_written_on_arguments(problem):
    estimator, X, y, others = problem
    for array in (y, *others.values()):
        array.setflags(write=False)
    before = X.copy()
    predictions(estimator.fit(X, y, **others), X, others)
    pd.testing.assert_frame_equal(X, before)


def test_fitting_again_forgets_what_was_before(problem):
    estimator, X, y, others = problem
    first = predictions(estimator.fit(X, y, **others), X, others)
    half = N_ROWS // 2
    part = {name: value[:half] for name, value in others.items()}
    estimator.fit(X[:half], y[:half], **part)
    assert_array_equal(predictions(estimator.fit(X, y, **others), X, others), first)
