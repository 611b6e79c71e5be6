"""Thresholds and p-values by stratum, and bounds on the rate of false alarms."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyDetector
from sk_ebm.thresholds import Contamination, FalseAlarm, Level

GAUSSIAN = EnergyDetector("gaussian", random_state=0)
OTHERS = "The strata .* were not in the calibration, or with too few rows"


def drawn(rng, n_rows):
    """Rows of two strata, of which the one has twice the spread, and their strata."""
    strata = np.where(rng.uniform(size=n_rows) < 0.3, "wide", "narrow")
    return rng.standard_normal((n_rows, 3)) * (1 + (strata == "wide"))[:, None], strata


@pytest.fixture
def fitted(rng):
    X, strata = drawn(rng, 800)
    return clone(GAUSSIAN).fit(X, strata=strata)


def rates(flagged, strata):
    return {name: np.mean(flagged[strata == name]) for name in ("wide", "narrow")}


@pytest.mark.parametrize("calibration", ["cv", "split"])
def test_false_alarms_are_bounded_in_each_stratum(calibration, rng):
    found, common = [], []
    for _ in range(6):
        (X, strata), (new, new_strata) = drawn(rng, 800), drawn(rng, 4000)
        model = clone(GAUSSIAN).set_params(calibration=calibration).fit(X, strata=strata)
        found.append(list(rates(model.predict(new, strata=new_strata) == -1, new_strata).values()))
        common.append(list(rates(model.predict(new) == -1, new_strata).values()))
    assert np.all(np.abs(np.mean(found, axis=0) - 0.05) < 0.015)
    wide, narrow = np.mean(common, axis=0)
    assert wide > 0.1 > 0.02 > narrow


def test_decisions_go_with_predictions_and_probabilities(fitted, rng):
    X, strata = drawn(rng, 100)
    decision = fitted.decision_function(X, strata=strata)
    levels = np.array([fitted.stratum_thresholds_[name] for name in strata])
    assert_array_equal(decision, levels - fitted.energies(X))
    assert_array_equal(fitted.predict(X, strata=strata) == 1, decision >= 0)
    p = fitted.predict_proba(X, strata=strata)
    assert_array_equal(p[:, 1] >= 0.5, decision >= 0)
    assert_array_equal(fitted.decision_function(X), fitted.threshold_ - fitted.energies(X))


def test_p_values_are_uniform_in_each_stratum(fitted, rng):
    X, strata = drawn(rng, 6000)
    for tail in (None, "exponential"):
        p = fitted.p_values(X, tail=tail, strata=strata)
        for level in (0.1, 0.5):
            for rate in rates(p <= level, strata).values():
                assert abs(rate - level) < 0.06


def test_selection_by_stratum(fitted, rng):
    X, strata = drawn(rng, 1000)
    X[:50] += 20
    for tail in (None, "exponential"):
        selected = fitted.select(X, 0.1, tail=tail, strata=strata)
        assert selected[:50].all()
        assert selected[50:].sum() <= 25


def test_an_unknown_stratum_falls_back_to_the_common_threshold(fitted, rng):
    X, strata = drawn(rng, 50)
    strata = strata.astype(object)
    strata[:20] = "new"
    with pytest.warns(UserWarning, match=r"The strata \['new'\] were not") as said:
        found = fitted.predict(X, strata=strata)
    assert [warning.filename for warning in said] == [__file__]
    assert_array_equal(found[:20], fitted.predict(X[:20]))
    assert_array_equal(found[20:], fitted.predict(X[20:], strata=strata[20:]))
    with pytest.warns(UserWarning, match=OTHERS):
        p = fitted.p_values(X, strata=strata)
    assert_array_equal(p[:20], fitted.p_values(X[:20]))


def test_a_small_stratum_falls_back_to_the_common_threshold(rng):
    X, strata = rng.standard_normal((200, 2)), np.arange(200) < 18
    with pytest.warns(UserWarning, match=r"The strata \[True\] have too few calibration rows"):
        found = clone(GAUSSIAN).fit(X, strata=strata)
    assert list(found.stratum_thresholds_) == [False]
    with pytest.warns(UserWarning, match=OTHERS):
        assert_array_equal(found.predict(X[:18], strata=strata[:18]), found.predict(X[:18]))
    found.set_params(threshold=FalseAlarm(0.1)).fit(X, strata=strata)  # which needs 9
    assert sorted(found.stratum_thresholds_) == [False, True]


def test_no_strata_are_one_stratum(rng):
    X = rng.standard_normal((100, 2))
    one = clone(GAUSSIAN).fit(X, strata=np.zeros(100))
    none = clone(GAUSSIAN).fit(X)
    assert_array_equal(one.predict(X, strata=np.zeros(100)), none.predict(X))
    assert_array_equal(one.p_values(X, strata=np.zeros(100)), none.p_values(X))
    assert none.stratum_thresholds_ == {}


def test_calibrate_learns_strata_again(fitted, rng):
    X, strata = drawn(rng, 500)
    before = dict(fitted.stratum_thresholds_)
    fitted.calibrate(X, strata=strata)
    assert fitted.guarantee_ == "marginal"
    assert all(fitted.stratum_thresholds_[name] != before[name] for name in before)
    assert fitted.calibrate(X).stratum_thresholds_ == {}


def test_thresholds_that_are_learned_in_strata(rng):
    X, strata = drawn(rng, 400)
    in_sample = clone(GAUSSIAN).set_params(threshold=Contamination(0.2)).fit(X, strata=strata)
    for rate in rates(in_sample.predict(X, strata=strata) == -1, strata).values():
        assert abs(rate - 0.2) < 0.01
    fixed = clone(GAUSSIAN).set_params(threshold=Level(2.0)).fit(X, strata=strata)
    assert_array_equal(fixed.predict(X, strata=strata), fixed.predict(X))
    assert len(np.unique(fixed.p_values(X[:9], strata=strata[:9]) - fixed.p_values(X[:9]))) > 1


def test_strata_are_carried_by_fit_predict_pipelines_frames_and_pickles(rng):
    X, strata = drawn(rng, 300)
    model = clone(GAUSSIAN)
    flagged = model.fit_predict(X, strata=strata)
    assert_array_equal(flagged, model.predict(X, strata=pd.Series(strata, dtype="category")))
    pipe = make_pipeline(StandardScaler(), clone(GAUSSIAN))
    pipe.fit(pd.DataFrame(X), energydetector__strata=strata)
    again = pickle.loads(pickle.dumps(pipe))
    assert_array_equal(
        again.predict(pd.DataFrame(X), strata=strata), pipe.predict(pd.DataFrame(X), strata=strata)
    )


@pytest.mark.parametrize(
    "strata",
    [
        np.zeros(10),
        ["a", None] * 50,
        [0.0, np.nan] * 50,
        np.zeros((100, 2)),
        np.array(["a", 1] * 50, dtype=object),
    ],
    ids=["length", "None", "nan", "table", "mixed"],
)
def test_bad_strata(strata, rng):
    X = rng.standard_normal((100, 2))
    found = clone(GAUSSIAN).fit(X)
    for call in (found.fit, found.calibrate, found.predict, found.p_values, found.select):
        with pytest.raises(ValueError, match="strata must hold the stratum of each row"):
            call(X, strata=strata)


@pytest.mark.parametrize("threshold", [FalseAlarm(0.1), FalseAlarm(0.1, confidence=0.8)])
def test_bounds_on_false_alarms_hold_with_their_confidence(threshold, rng):
    model = clone(GAUSSIAN).fit(rng.standard_normal((300, 2)))
    model.set_params(threshold=threshold)
    covered, new = [], model.energies(rng.standard_normal((20_000, 2)))
    for _ in range(200):
        low, high = model.calibrate(rng.standard_normal((100, 2))).false_alarm_bounds(0.8)
        covered.append(low <= np.mean(new > model.threshold_) <= high)
    assert 0.7 < np.mean(covered) < 0.9


def test_bounds_of_a_fixed_level_are_those_of_clopper_and_pearson(rng):
    from scipy.stats import binomtest

    model = clone(GAUSSIAN).set_params(threshold=Level(3.0), calibration="split")
    model.fit(rng.standard_normal((200, 2)))
    above = int(np.sum(model.calibration_energies_ > 3.0))
    exact = binomtest(above, len(model.calibration_energies_)).proportion_ci(0.9, "exact")
    np.testing.assert_allclose(model.false_alarm_bounds(), exact, rtol=1e-9)
    model.set_params(threshold=Level(-1.0)).fit(rng.standard_normal((200, 2)))
    assert model.false_alarm_bounds(confidence=0.9)[1] == 1.0
    model.set_params(threshold=Level(1e9)).fit(rng.standard_normal((200, 2)))
    assert model.false_alarm_bounds(confidence=0.9)[0] == 0.0


def test_bounds_need_a_calibration_and_a_confidence(fitted, rng):
    for confidence in (0, 1, "high"):
        with pytest.raises(ValueError, match="confidence must be"):
            fitted.false_alarm_bounds(confidence)
    without = clone(GAUSSIAN).set_params(calibration=None).fit(rng.standard_normal((50, 2)))
    with pytest.raises(ValueError, match="calibration='cv' or 'split'"):
        without.false_alarm_bounds()
