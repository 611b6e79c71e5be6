"""Energies that a few labels improve, `add_labels` and `query`."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyDetector
from sk_ebm.energies import FewLabelsEnergy, ForestEnergy
from sk_ebm.thresholds import FalseAlarm

ENERGY = FewLabelsEnergy([ForestEnergy(15), "gaussian"])


def detector(**settings):
    settings = {"energy": ENERGY, "labels": "anomaly", "random_state": 0} | settings
    return EnergyDetector(**settings)


def rows_with_inliers(rng, n_rows=400, share=0.1):
    """Anomalies in a small cluster among the others, which no energy without labels sets apart."""
    anomalous = np.arange(n_rows) < share * n_rows
    X = rng.standard_normal((n_rows, 4))
    X[anomalous] = 0.25 * X[anomalous] + [0.8, 0.8, -0.8, 0.0]
    order = rng.permutation(n_rows)
    return X[order], anomalous[order]


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """A third of the time."""
    monkeypatch.setattr("sk_ebm.energies.inputs._positive_unlabelled._N_TREES", 25)


@pytest.fixture(scope="module")
def data():
    rng = np.random.RandomState(0)
    return *rows_with_inliers(rng), *rows_with_inliers(rng)


def labels_of(anomalous, number, seed=0):
    """Of so many anomalies, in the form of PyOD."""
    rows = np.random.RandomState(seed).permutation(np.flatnonzero(anomalous))[:number]
    y = np.zeros(len(anomalous), dtype=int)
    y[rows] = 1
    return y


def area(model, X, anomalous):
    return roc_auc_score(anomalous, model.energies(X))


def test_a_few_labels_find_what_no_energy_without_labels_does(data):
    X, anomalous, X_test, anomalous_test = data
    blind = area(EnergyDetector([ForestEnergy(15), "gaussian"], random_state=0).fit(X), *data[2:])
    areas = [
        area(detector().fit(X, labels_of(anomalous, number)), X_test, anomalous_test)
        for number in (1, 5, 20)
    ]
    assert blind < 0.5
    assert areas[0] > blind + 0.04
    assert areas[1] > 0.85
    assert areas[2] > 0.93


def test_labels_that_say_nothing_do_not_hurt_much(rng):
    """Rows that are labelled at random, where energies without labels find all anomalies."""
    X = rng.standard_normal((400, 4))
    anomalous = np.arange(400) < 20
    X[anomalous] *= 4
    for seed in range(3):
        y = labels_of(~anomalous, 1, seed)
        assert area(detector().fit(X, y), X, anomalous) > 0.9


def test_weights_start_at_the_number_of_labels(data):
    X, anomalous = data[:2]
    shares = []
    for number in (1, 40):
        weights = detector().fit(X, labels_of(anomalous, number)).energy_.weights_
        assert list(weights) == ["forest", "gaussian", "trees", "kernel"]
        assert sum(weights.values()) == pytest.approx(1)
        shares.append(weights["trees"] + weights["kernel"])
    assert shares[0] == pytest.approx(1 / (1 + 3 * 404 / 400))
    assert shares[1] > 0.8


@pytest.mark.parametrize("calibration", ["cv", "split"])
def test_the_guarantee_is_kept_on_unlabelled_rows(calibration):
    rng, alarms = np.random.RandomState(1), []
    for seed in range(5):
        X, anomalous = rows_with_inliers(rng, 500, 0.04)
        X_test, anomalous_test = rows_with_inliers(rng, 1000)
        model = detector(threshold=FalseAlarm(0.1), calibration=calibration, random_state=seed)
        model.fit(X, labels_of(anomalous, 15))
        alarms.append(np.mean(model.predict(X_test[~anomalous_test]) == -1))
    assert 0.06 < np.mean(alarms) < 0.11
    assert model.guarantee_ == ("marginal" if calibration == "split" else "approximate")


def test_labels_have_two_forms(data):
    X, anomalous = data[:2]
    ones = labels_of(anomalous, 10)
    energies = detector().fit(X, ones).energies(X)
    for y in (ones.astype(bool), -ones, ones.astype(float), -ones.astype(np.int8)):
        assert_array_equal(detector().fit(X, y).energies(X), energies)
    known = -ones
    known[np.flatnonzero(~anomalous)[:30]] = 1
    model = detector(threshold=FalseAlarm(0.05)).fit(X, known)
    assert len(model.calibration_energies_) == 30
    assert not np.array_equal(model.energies(X), energies)


@pytest.mark.parametrize("threshold", ["false_alarm", "contamination", "f_score", "cost"])
def test_labels_are_added_without_fitting_the_terms_again(threshold, data):
    X, anomalous, X_test, anomalous_test = data
    model = detector(threshold=threshold).fit(X, labels_of(anomalous, 2))
    terms, before = model.energy_.terms_, area(model, X_test, anomalous_test)
    shown = np.flatnonzero(anomalous)[:20]
    assert model.add_labels(X[shown], np.ones(20)) is model
    assert all(model.energy_.terms_[name] is term for name, term in terms.items())
    assert area(model, X_test, anomalous_test) > before + 0.03
    assert len(model.energy_.rows_.codes) == 400
    flagged = model.predict(X_test) == -1
    assert flagged[anomalous_test].mean() > 2 * flagged[~anomalous_test].mean()


def test_labels_in_order_are_labels_at_once(data):
    """But for the energies without labels, which later labels leave out."""
    X, anomalous, X_test, _ = data
    early, all_labels = labels_of(anomalous, 5), labels_of(anomalous, 20)
    late = detector().fit(X, early).add_labels(X, all_labels)
    assert_array_equal(late.energy_.rows_.codes == -1, all_labels == 1)
    at_once = detector().fit(X, all_labels)
    assert np.corrcoef(late.energies(X_test), at_once.energies(X_test))[0, 1] > 0.9


def test_new_rows_are_added_and_never_calibrate(data):
    X, anomalous, X_test, anomalous_test = data
    model = detector(threshold="false_alarm").fit(X, -labels_of(anomalous, 5))
    n_calibrating = len(model.calibration_energies_)
    shown = np.append(np.flatnonzero(anomalous_test)[:5], np.flatnonzero(~anomalous_test)[:5])
    y = np.repeat([-1, 1], 5)
    model.add_labels(X_test[shown], y)
    assert_array_equal(model.energy_.rows_.codes[400:], y)
    assert len(model.calibration_energies_) == n_calibrating
    model.add_labels(X_test[shown[:2]], [1, 1])  # in the form of fit: no anomalies after all
    assert np.sum(model.energy_.rows_.codes == -1) == 8


@pytest.mark.parametrize("calibration", ["split", "calibrate"])
def test_rows_held_out_calibrate_again(calibration, data):
    X, anomalous, X_test, anomalous_test = data
    y = labels_of(anomalous, 5)
    if calibration == "split":
        model = detector(threshold="false_alarm", calibration="split").fit(X, y)
        n_calibrating = len(model.calibration_energies_)
        model.add_labels(X, labels_of(anomalous, 40))
        assert n_calibrating - 40 < len(model.calibration_energies_) < n_calibrating
        assert model.guarantee_ == "marginal"
        return
    clean = X_test[~anomalous_test]
    model = detector(threshold="false_alarm").fit(X, y).calibrate(clean)
    model.add_labels(X, labels_of(anomalous, 40))
    assert_allclose(model.calibration_energies_, np.sort(model.energies(clean)))
    assert model.guarantee_ == "marginal"


def test_an_anomaly_is_never_held_out_where_no_threshold_needs_it(data):
    X, anomalous = data[:2]
    for seed in range(5):
        model = detector(calibration="split", threshold="false_alarm", random_state=seed)
        model.fit(X, labels_of(anomalous, 1))
        assert np.sum(model.energy_.rows_.codes == -1) == 1


def test_query_asks_for_rows_of_high_energy_without_labels(data):
    X, anomalous = data[:2]
    y = labels_of(anomalous, 5)
    model = detector().fit(X, y)
    rows = model.query(X, 10)
    energies = model.energies(X)
    assert not y[rows].any()
    assert_array_equal(np.sort(energies[rows])[::-1], energies[rows])
    assert energies[rows[-1]] >= np.sort(energies[y == 0])[-10]
    assert len(model.query(X)) == 1
    assert len(model.query(X, 395)) == 395
    with pytest.raises(ValueError, match="at most the number of rows without a label, 395"):
        model.query(X, 396)
    with pytest.raises(ValueError, match="n must be"):
        model.query(X, 0)
    blind = EnergyDetector("gaussian").fit(X)
    assert_array_equal(blind.query(X, 3), np.argsort(-blind.energies(X), kind="stable")[:3])


def test_asking_finds_anomalies(data):
    X, anomalous = data[:2]
    model, found = detector().fit(X, labels_of(anomalous, 3)), 0
    for _ in range(4):
        rows = model.query(X, 5)
        found += anomalous[rows].sum()
        model.add_labels(X[rows], np.where(anomalous[rows], -1, 1))
    assert found >= 12


def test_rows_that_are_no_anomalies_lead_away_from_energies_that_are_blind(data):
    """Only where these place them highest."""
    X, anomalous = data[:2]
    y = -labels_of(anomalous, 1)
    model = detector().fit(X, y)
    asked = model.query(X[~anomalous], 10)
    shares = []
    for rows in (asked, np.arange(10)):
        known = X[~anomalous][rows]
        weights = detector().fit(X, y).add_labels(known, np.ones(10)).energy_.weights_
        shares.append(weights["trees"] + weights["kernel"])
    assert shares[0] > 0.6
    assert shares[1] < 0.4


def test_bad_labels_are_refused_and_change_nothing(data):
    X, anomalous = data[:2]
    y = labels_of(anomalous, 5)
    with pytest.raises(NotFittedError):
        detector().add_labels(X, y)
    with pytest.raises(ValueError, match="labels='anomaly', got labels=None"):
        EnergyDetector("gaussian").fit(X).add_labels(X, y)
    with pytest.raises(ValueError, match="needs energy='auto' or a FewLabelsEnergy"):
        detector(energy=["gaussian", "linear"]).fit(X, y).add_labels(X, y)
    with pytest.raises(ValueError, match="takes energies of inputs, got LinearEnergy"):
        detector(energy=FewLabelsEnergy(["gaussian", "linear"])).fit(X, y)
    model = detector().fit(X, y)
    before = pickle.dumps(model)
    for rows, labels, message in (
        (X, y[:-1], "inconsistent"),
        (X[:1], [2], "either -1"),
        (X[y == 1], np.ones(5) * 0.5, "either -1"),
        (X[:1, :2], [1], "features"),
        (X[y == 1], ["yes"] * 5, "either -1"),
    ):
        with pytest.raises(ValueError, match=message):
            model.add_labels(rows, labels)
    signed = detector().fit(X, -y)
    with pytest.raises(ValueError, match="got no anomaly"):
        signed.add_labels(X[y == 1], np.ones(5))
    assert pickle.dumps(model) == before


def test_in_pipelines_searches_frames_and_pickles(data):
    X, anomalous, X_test, _ = data
    y = labels_of(anomalous, 40)

    def found(y, scores):
        return roc_auc_score(y, -scores)

    scorer = make_scorer(found, response_method="decision_function")
    pipeline = make_pipeline(StandardScaler(), detector())
    grid = {"energydetector__energy__energy": ["gaussian", [ForestEnergy(20), "mixture"]]}
    search = GridSearchCV(pipeline, grid, scoring=scorer, cv=3)
    search.fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert search.best_score_ > 0.85
    model = search.best_estimator_
    copied = pickle.loads(pickle.dumps(model))
    frame = pd.DataFrame(X_test, columns=list("abcd"))
    assert_array_equal(copied.decision_function(frame), model.decision_function(frame))
    again = clone(model).fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert_array_equal(again.predict(frame), model.predict(frame))
    assert copied[-1].add_labels(copied[0].transform(frame)[:3], [1, 0, 0]) is copied[-1]


@pytest.mark.parametrize("kind", ["sparse", "missing", "wide", "weighted", "grouped", "folds"])
def test_other_tables(kind, data, rng):
    X, anomalous = data[:2]
    y, fit, settings = labels_of(anomalous, 8), {}, {}
    if kind == "sparse":
        X = sparse.csr_matrix(np.where(rng.uniform(size=X.shape) < 0.2, 0, X))
        settings["energy"] = FewLabelsEnergy([ForestEnergy(20), "neighbors"])
    elif kind == "missing":
        X = np.where(rng.uniform(size=X.shape) < 0.05, np.nan, X)
    elif kind == "wide":
        X = np.hstack([X, 0.1 * rng.standard_normal((400, 1100))])
        settings["energy"] = FewLabelsEnergy("neighbors")
    elif kind == "weighted":
        fit["sample_weight"] = rng.randint(0, 3, 400)
    elif kind == "grouped":
        fit["groups"] = np.arange(400) // 4
    else:
        settings["cv"] = 3
    model = detector(threshold="false_alarm", **settings).fit(X, y, **fit)
    assert roc_auc_score(anomalous, model.energies(X)) > 0.6
    rows = model.query(X, 3)
    assert np.isfinite(model.add_labels(X[rows], [-1, 1, 1]).energies(X)).all()


def test_other_detectors_are_terms(data):
    X, anomalous, X_test, anomalous_test = data
    energy = FewLabelsEnergy(IsolationForest(n_estimators=20, random_state=0))
    model = detector(energy=energy).fit(X, labels_of(anomalous, 10))
    assert area(model, X_test, anomalous_test) > 0.85
    blind = EnergyDetector(energy, random_state=0).fit(X)
    alone = EnergyDetector(IsolationForest(n_estimators=20, random_state=0), random_state=0).fit(X)
    assert_allclose(blind.energies(X), alone.energies(X))


def test_many_rows_are_drawn(monkeypatch, data):
    monkeypatch.setattr("sk_ebm.energies.inputs._few_labels._MOST_ROWS", 150)
    X, anomalous, X_test, anomalous_test = data
    y = labels_of(anomalous, 15)
    model = detector(threshold="false_alarm").fit(X, y)
    assert len(model.energy_.rows_.codes) == 165
    assert len(model.calibration_energies_) == 150
    assert area(model, X_test, anomalous_test) > 0.85
    grouped = detector(threshold="false_alarm").fit(X, y, groups=np.arange(400) // 2)
    assert len(grouped.calibration_energies_) == 385


def table_of(X):
    """A frame with categories, text and a missing value."""
    frame = pd.DataFrame(X, columns=list("abcd")).assign(sign=pd.Categorical(X[:, 0] > 0))
    frame["size"] = np.where(X[:, 3] > 1, "large", "small")
    frame.loc[3, "a"] = np.nan
    return frame


@pytest.mark.parametrize(
    "settings",
    [{}, {"contamination": 0.1}, {"calibration": "split"}, {"energy": "auto", "novelty": True}],
    ids=str,
)
def test_labels_of_tables_are_added_and_asked_for(data, settings):
    X, anomalous, X_test, is_test = data
    X, X_test = table_of(X), table_of(X_test)
    model = detector(**settings).fit(X, labels_of(anomalous, 3))
    before = area(model, X_test, is_test)
    for _ in range(3):
        rows = model.query(X, 10)
        added = model.add_labels(X.iloc[rows], np.where(anomalous[rows], -1, 1))
        assert added is model
        assert not np.isin(model.query(X, 20), rows).any()
    if "calibration" not in settings:
        assert len(model.energy_.rows_.codes) == len(X)  # labelled rows are found among these
    assert area(model, X_test, is_test) > before
    copied = pickle.loads(pickle.dumps(model))
    assert_array_equal(copied.predict(X_test), model.predict(X_test))


def test_held_out_rows_of_tables_are_found_again(data):
    X, anomalous, _, _ = data
    X = table_of(X)
    model = detector(calibration="split").fit(X, labels_of(anomalous, 3))
    n_compatible = len(model.calibration_energies_)
    model.add_labels(X[anomalous], anomalous[anomalous])
    assert len(model.calibration_energies_) < n_compatible - 5


@pytest.mark.parametrize(
    "settings", [{}, {"contamination": 0.1}, {"calibration": "split"}, {"cv": 3}], ids=str
)
def test_strata_stay_when_labels_are_added(data, settings):
    X, anomalous, _, _ = data
    strata = np.where(X[:, 3] > 0, "high", "low")
    model = detector(**settings).fit(X, labels_of(anomalous, 3), strata=strata)
    assert set(model.stratum_thresholds_) == {"high", "low"}
    same = clone(model).fit(X, labels_of(anomalous, 3), strata=strata)
    same.add_labels(X[:1], [0])  # nothing new
    assert set(same.stratum_thresholds_) == {"high", "low"}
    new = np.vstack([X[anomalous][:9], X[:1] + 20])
    model.add_labels(new, np.ones(10))
    assert set(model.stratum_thresholds_) == {"high", "low"}
    assert (model.predict(new[-1:], strata=["low"]) == -1).all()


def test_a_guarantee_is_lost_with_its_rows(data):
    X = data[0][:25]
    model = detector().fit(X, np.arange(25) < 1)
    assert model.guarantee_ == "approximate"
    with pytest.warns(UserWarning, match="at least 19 compatible rows"):
        model.add_labels(X[:10], np.ones(10))
    assert model.guarantee_ == "none"
