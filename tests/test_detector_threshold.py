"""threshold="auto" and contamination= of a detector."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyDetector
from sk_ebm.thresholds import Contamination, FalseAlarm

GAUSSIAN = EnergyDetector("gaussian", random_state=0)


@pytest.mark.parametrize("novelty", [False, True])
def test_the_default_bounds_false_alarms(novelty, rng):
    rates = []
    for _ in range(8):
        found = clone(GAUSSIAN).set_params(novelty=novelty).fit(rng.standard_normal((300, 3)))
        assert found.guarantee_ == "approximate"
        rates.append(np.mean(found.predict(rng.standard_normal((2000, 3))) == -1))
    assert 0.035 < np.mean(rates) < 0.06


def test_the_default_is_the_named_threshold_where_rows_suffice(rng):
    X = rng.standard_normal((60, 3))
    for calibration in ("cv", "split"):
        found = clone(GAUSSIAN).set_params(calibration=calibration)
        X_used = X if calibration == "cv" else np.r_[X, X + 0.1]
        named = clone(found).set_params(threshold=FalseAlarm(0.05)).fit(X_used)
        found.fit(X_used)
        assert (found.threshold_, found.guarantee_) == (named.threshold_, named.guarantee_)
    assert found.guarantee_ == "marginal"


@pytest.mark.parametrize("n_rows", [2, 10, 18])
@pytest.mark.parametrize("novelty", [False, True])
def test_few_rows_have_the_largest_held_out_energy_and_no_guarantee(n_rows, novelty, rng):
    X = rng.standard_normal((n_rows, 2))
    found = clone(GAUSSIAN).set_params(novelty=novelty)
    with pytest.warns(UserWarning, match=f"at least 19 compatible.*got {n_rows}:") as said:
        found.fit(X)
    assert [warning.filename for warning in said] == [__file__]
    assert found.guarantee_ == "none"
    assert found.threshold_ == found.calibration_energies_[-1]
    with pytest.raises(ValueError, match="at least 19"):
        clone(found).set_params(threshold=FalseAlarm(0.05)).fit(X)


def test_calibrating_on_few_rows_takes_the_guarantee_away_and_more_bring_it_back(rng):
    found = clone(GAUSSIAN).fit(rng.standard_normal((100, 2)))
    with pytest.warns(UserWarning, match="at least 19"):
        found.calibrate(rng.standard_normal((10, 2)))
    assert found.guarantee_ == "none"
    assert found.calibrate(rng.standard_normal((19, 2))).guarantee_ == "marginal"


def test_without_held_out_rows_the_default_flags_as_many_training_rows(rng):
    X = rng.standard_normal((200, 2))
    found = clone(GAUSSIAN).set_params(calibration=None).fit(X)
    assert (found.guarantee_, np.sum(found.predict(X) == -1)) == ("none", 10)


@pytest.mark.parametrize("threshold", ["auto", "false_alarm", Contamination(0.3), "mixture"])
def test_contamination_takes_precedence(threshold, rng):
    X = rng.standard_normal((200, 2))
    found = clone(GAUSSIAN).set_params(threshold=threshold, contamination=0.1)
    assert np.sum(found.fit_predict(X) == -1) == 20
    assert found.guarantee_ == "none"
    same = clone(GAUSSIAN).set_params(threshold=Contamination(0.1)).fit(X)
    assert same.threshold_ == found.threshold_


def test_no_contamination_leaves_the_threshold(rng):
    X = rng.standard_normal((100, 2))
    plain = clone(GAUSSIAN).fit(X)
    for contamination in (None, "auto"):
        found = clone(GAUSSIAN).set_params(contamination=contamination).fit(X)
        assert_array_equal(found.predict(X), plain.predict(X))


@pytest.mark.parametrize("contamination", [0, -0.1, 0.6, "some", True, np.nan])
def test_bad_contamination(contamination, rng):
    found = clone(GAUSSIAN).fit(X := rng.standard_normal((50, 2)))
    before = found.threshold_
    with pytest.raises(ValueError, match=r"contamination must be 'auto' or None or .* <= 0.5"):
        found.set_params(contamination=contamination).fit(X)
    assert found.threshold_ == before


def test_what_a_threshold_may_be_is_named(rng):
    with pytest.raises(ValueError, match="threshold must be one of .'auto', 'contamination'"):
        clone(GAUSSIAN).set_params(threshold="Auto").fit(rng.standard_normal((50, 2)))


def test_a_number_as_threshold_names_both_meanings(rng):
    with pytest.raises(ValueError, match=r"FalseAlarm\(0.01\).*Level\(0.01\)"):
        clone(GAUSSIAN).set_params(threshold=0.01).fit(rng.standard_normal((50, 2)))


def test_contamination_is_searched_in_a_pipeline(rng):
    X = np.r_[rng.standard_normal((180, 2)), rng.normal(6, 1, (20, 2))]
    y = np.repeat([1, -1], [180, 20])
    order = rng.permutation(200)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), clone(GAUSSIAN)),
        {"energydetector__contamination": [None, 0.1, 0.4]},
        scoring="accuracy",
        cv=3,
    )
    search.fit(X[order], y[order])
    assert search.best_params_["energydetector__contamination"] == 0.1


@pytest.mark.parametrize("settings", [{}, {"novelty": True}, {"threshold": "mixture"}], ids=str)
def test_equal_rows_are_compatible(settings):
    for n_rows in (40, 60, 150):
        X = np.ones((n_rows, 3))
        detector = EnergyDetector(random_state=0, **settings).fit(X)
        assert np.ptp(detector.calibration_energies_) == 0
        assert (detector.predict(X) == 1).all()
