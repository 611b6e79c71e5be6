"""Messages that say what is wrong with X or y, where, and what to do."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.impute import SimpleImputer
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm._tables.refusals import check_target, saying_why
from sk_ebm.energies import TreesEnergy

REMEDIES = {"missing": "fill them", "text": "encode it"}
BAD = {
    "missing values (NaN) in the column 1: fill them": np.array([[1, np.nan], [2, 3]]),
    "missing values (NaN) in the columns 'a', 'b': fill them": pd.DataFrame(
        {"a": [None, 1], "b": pd.Series([pd.NA, 2], dtype="Int64")}
    ),
    "infinite values (inf) in the column 0: replace them, or leave these rows out": [[np.inf], [1]],
    "missing values (NaN) in the column 0: fill": sparse.csr_array([[np.nan, 0], [0, 1]]),
    "text in the column 'city': encode it": pl.DataFrame({"city": ["a", "1"], "n": ["1", "2"]}),
    "text in the column 1: encode it": [[1, "a"], [2, "b"]],
    "text in the column 0: encode it": np.array([["a", "1"], ["b", "2"]]),
    "and 2 more: fill": np.full((2, 12), np.nan),
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_wrong_with_X(message):
    with pytest.raises(ValueError) as caught, saying_why(BAD[message], REMEDIES):
        raise ValueError("something")
    assert message in str(caught.value)
    assert str(caught.value).startswith("X holds ")


def test_what_may_be_there_is_not_blamed():
    for X in ([[np.nan]], [["a"]], [[1], [2, 3]], np.zeros((2, 2, 2)), None, 3):
        with pytest.raises(TypeError, match="another reason"), saying_why(X, {}):
            raise TypeError("another reason")


@pytest.mark.parametrize(
    "y, message",
    [
        ([0, np.nan, np.nan], "y is missing (NaN) in 2 of 3 rows, first in row 1: leave"),
        ([0.0, 1.0, np.inf], "y is infinite (inf) in 1 of 3 rows, first in row 2"),
        (pd.Series([1, 0, None], dtype="Int64"), "in 1 of 3 rows, first in row 2"),
        (pd.Series(["a", "b", None], dtype="string"), "in 1 of 3 rows, first in row 2"),
        (pl.Series(["a", None, "b"]), "in 1 of 3 rows, first in row 1"),
        (np.array(["a", None, np.nan], dtype=object), "in 2 of 3 rows, first in row 1"),
        (np.array([[0, 1], [np.nan, np.nan], [1, 1]]), "in 1 of 3 rows, first in row 1"),
    ],
)
def test_rows_without_y_are_counted(y, message):
    with pytest.raises(ValueError) as caught:
        check_target(y, numeric=False)
    assert message in str(caught.value)


def test_targets_that_are_numbers():
    check_target(["1", "2"], numeric=True)
    check_target(["a", "b"], numeric=False)
    censored = np.array([(True, 1.0)], dtype=[("event", bool), ("time", float)])
    with pytest.raises(ValueError, match="'event', 'time'.* censored answers are not supported"):
        check_target(censored, numeric=True)
    with pytest.raises(ValueError, match="y holds text, but must hold numbers"):
        check_target(["a", "b"], numeric=True)
    with pytest.raises(ValueError, match="y holds dates or durations: turn them"):
        check_target(pd.date_range("2020", periods=3), numeric=True)


RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 2))
GAPS = np.where(RNG.random((60, 2)) < 0.2, np.nan, X)
Y = (X[:, 0] > 0).astype(int)
REFUSING = {
    "linear": (EnergyClassifier(alpha=0.1, beta=1.0), "the fit had none"),
    "expert": (EnergyClassifier(LogisticRegression()), "expert LogisticRegression() takes no miss"),
    "ranker": (EnergyRanker(alpha=0.1, beta=1.0), "the fit had none"),
    "detector": (EnergyDetector(GaussianMixture()), "expert GaussianMixture() takes no missing"),
    "location": (
        EnergyDensityEstimator("linear", location=Ridge(), alpha=1.0, random_state=0),
        "expert Ridge(",
    ),
    "base": (
        EnergyDensityEstimator("linear", base=BayesianRidge(), alpha=1.0, random_state=0),
        "expert BayesianRidge(",
    ),
    "density": (EnergyDensityEstimator("linear", location=None), "the fit had none"),
}


@pytest.mark.parametrize("name", REFUSING)
def test_remedies_for_missing_values_are_within_the_package(name):
    model, remedy = REFUSING[name]
    y = Y if name not in ("density", "location", "base") else X[:, 1]
    data = {"y": y, "groups": np.arange(60) // 6}
    calls = [lambda: model.fit(X, **data).predict(GAPS)]
    if "expert" in remedy:  # others read them
        calls.append(lambda: model.fit(GAPS, **data))
    for call in calls:
        with pytest.raises(ValueError) as caught:
            call()
        assert remedy in str(caught.value)
        assert "sklearn" not in str(caught.value) and "scikit" not in str(caught.value)


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, pl.DataFrame, sparse.csr_array])
def test_experts_judge_missing_values_themselves(make):
    """An array is taken where the same frame is."""
    expert = make_pipeline(SimpleImputer(), LogisticRegression())
    trees = TreesEnergy(3, early_stopping=False)
    for energy in (expert, trees, [expert, trees]):
        classifier = EnergyClassifier(energy, beta=1.0, random_state=0)
        wanted = classifier.fit(pd.DataFrame(GAPS), Y).predict_proba(pd.DataFrame(GAPS))
        found = classifier.fit(make(GAPS), Y).predict_proba(make(GAPS))
        np.testing.assert_allclose(found, wanted, atol=1e-8)
