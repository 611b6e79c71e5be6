"""EnergyClassifier's prediction sets and rejection: thresholds on held-out energies."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier
from sk_ebm.thresholds import FalseAlarm, Level


@pytest.fixture(scope="module")
def noisy():
    """Training, calibration and test parts of three classes that overlap."""
    X, y = make_classification(3000, 6, n_informative=4, n_classes=3, flip_y=0.2, random_state=0)
    parts = train_test_split(X, y, test_size=0.8, random_state=0)
    X_train, X_rest, y_train, y_rest = parts
    return (X_train, y_train), (X_rest[:800], y_rest[:800]), (X_rest[800:], y_rest[800:])


@pytest.fixture(scope="module")
def calibrated(noisy):
    return EnergyClassifier(calibrate=True, random_state=0).fit(*noisy[0])


def covered(sets, y):
    return sets[np.arange(len(y)), y]


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.99])
def test_sets_cover(coverage, calibrated, noisy):
    X, y = noisy[2]
    sets = calibrated.predict_set(X, coverage)
    assert sets.shape == (len(y), 3)
    assert abs(covered(sets, y).mean() - coverage) < 0.035


def test_sets_grow_with_coverage_and_hold_the_most_probable_class(calibrated, noisy):
    X = noisy[2][0]
    sizes = [calibrated.predict_set(X, c).sum() for c in (0.3, 0.6, 0.9)]
    assert sizes == sorted(sizes)
    largest = calibrated.predict_proba(X).argmax(axis=1)
    sets = calibrated.predict_set(X, 0.9)
    assert covered(sets, largest)[sets.any(axis=1)].all()


def test_conformalize_on_new_rows(noisy):
    classifier = EnergyClassifier(calibrate=False, random_state=0).fit(*noisy[0])
    with pytest.raises(ValueError, match="calibrate=True, or call conformalize"):
        classifier.predict_set(noisy[2][0])
    assert classifier.conformalize(*noisy[1]) is classifier
    assert len(classifier.calibration_energies_) == 800
    assert abs(covered(classifier.predict_set(noisy[2][0]), noisy[2][1]).mean() - 0.9) < 0.03
    with pytest.raises(ValueError, match=r"classes seen in fit, got \[7\]"):
        classifier.conformalize(noisy[1][0][:2], [7, 0])


def test_coverage_of_each_class(rng):
    X = np.r_[rng.standard_normal((900, 2)), rng.normal(1.5, 1, (100, 2))]
    y = np.repeat([0, 1], [900, 100])
    X_new = np.r_[rng.standard_normal((2000, 2)), rng.normal(1.5, 1, (2000, 2))]
    classifier = EnergyClassifier(calibrate=True, random_state=0).fit(X, y)
    common, by_class = (
        classifier.predict_set(X_new, 0.9, by_class=b)[2000:, 1] for b in (False, True)
    )
    assert common.mean() < 0.8
    assert by_class.mean() > 0.84


def test_weights_stand_for_rows(noisy):
    (X, y), (X_cal, y_cal), (X_new, _) = noisy
    weights = np.arange(len(y_cal)) % 3
    rows = np.repeat(np.arange(len(y_cal)), weights)
    classifier = EnergyClassifier(random_state=0).fit(X, y)
    by_weight = classifier.conformalize(X_cal, y_cal, weights).predict_set(X_new)
    repeated = classifier.conformalize(X_cal[rows], y_cal[rows]).predict_set(X_new)
    assert_array_equal(by_weight, repeated)


def test_too_few_rows_for_the_coverage(noisy):
    classifier = EnergyClassifier(random_state=0).fit(*noisy[0])
    classifier.conformalize(noisy[1][0][:20], noisy[1][1][:20])
    with pytest.raises(ValueError, match="needs at least 99"):
        classifier.predict_set(noisy[2][0], coverage=0.99)
    with pytest.raises(ValueError, match="coverage must be"):
        classifier.predict_set(noisy[2][0], coverage=1)
    with pytest.raises(ValueError, match="by_class must be True or False"):
        classifier.predict_set(noisy[2][0], by_class="all")


@pytest.mark.parametrize("energy", ["kernel", RandomForestClassifier(20)], ids=["free", "least"])
def test_what_no_class_fits_is_rejected(energy):
    X, y = load_digits(return_X_y=True)
    known = y < 8
    X_train, X_new, y_train, y_new = train_test_split(X[known], y[known], random_state=0)
    classifier = EnergyClassifier(energy, reject=FalseAlarm(0.05), random_state=0)
    classifier.fit(X_train, y_train)
    assert np.mean(classifier.predict(X_new) == -1) < 0.12
    assert np.mean(classifier.predict(X[~known]) == -1) > 0.3
    kept = classifier.predict(X_new) != -1
    assert np.mean(classifier.predict(X_new)[kept] == y_new[kept]) > 0.95


@pytest.mark.parametrize(
    "expert", [make_pipeline(StandardScaler(), LogisticRegression()), GaussianNB()], ids=str
)
def test_rows_that_an_expert_is_not_sure_of_are_no_outliers(expert):
    data, target = load_breast_cancer(return_X_y=True)
    shares = []
    for seed in range(3):
        X, new, y, _ = train_test_split(
            data, target, test_size=0.4, stratify=target, random_state=seed
        )
        classifier = EnergyClassifier(expert, reject="mixture", random_state=0).fit(X, y)
        shares.append(np.mean(classifier.predict(new) == -1))
    assert np.max(shares) < 0.03


def test_rejection_keeps_the_kind_of_labels():
    X, y = load_digits(n_class=3, return_X_y=True)
    names = np.array(["zero", "one", "two"])[y]
    classifier = EnergyClassifier("kernel", reject=Level(-1e9), reject_label="none of them").fit(
        X, names
    )
    assert set(classifier.predict(X)) == {"none of them"}
    open_ = EnergyClassifier("kernel", reject=Level(1e9), reject_label="none of them").fit(X, names)
    assert set(open_.predict(X)) == set(names)


@pytest.mark.parametrize(
    ("reject", "message"),
    [
        ("f_score", "needs labelled anomalies"),
        ("never", "reject must be one of"),
        (0.01, r"FalseAlarm\(0.01\)"),
    ],
)
def test_bad_rejection(reject, message, noisy):
    with pytest.raises(ValueError, match=message):
        EnergyClassifier(reject=reject).fit(*noisy[0])


def test_class_weights_leave_the_coverage(rng):
    X = np.r_[rng.standard_normal((1500, 2)), rng.normal(1, 1, (1500, 2))]
    y = np.repeat([0, 1], 1500)
    order = rng.permutation(3000)
    train, test = order[:1000], order[1000:]
    classifier = EnergyClassifier(calibrate=True, class_weight={0: 10, 1: 1}, random_state=0)
    sets = classifier.fit(X[train], y[train]).predict_set(X[test])
    assert abs(covered(sets, y[test]).mean() - 0.9) < 0.03


def test_a_new_fit_forgets_the_calibration(noisy):
    classifier = EnergyClassifier(random_state=0).fit(*noisy[0]).conformalize(*noisy[1])
    assert classifier.guarantee_ == "marginal"
    assert classifier.fit(*noisy[0]).guarantee_ == "approximate"
    classifier.set_params(calibrate=False)
    with pytest.raises(ValueError, match="calibrate=True"):
        classifier.fit(*noisy[0]).predict_set(noisy[2][0])


@pytest.mark.parametrize("energy", ["linear", "kernel", GaussianNB()], ids=str)
def test_a_default_fit_keeps_the_energies_that_beta_is_learned_from(energy, noisy):
    (X, y), _, (X_new, y_new) = noisy
    classifier = EnergyClassifier(energy, random_state=0).fit(X, y)
    plain = EnergyClassifier(energy, calibrate=False, random_state=0).fit(X, y)
    assert_array_equal(classifier.predict_proba(X_new), plain.predict_proba(X_new))
    assert classifier.guarantee_ == "approximate" and not hasattr(plain, "guarantee_")
    sets = classifier.predict(X_new, coverage=0.8)
    assert sets.dtype == bool and sets.shape == (len(X_new), 3)
    assert abs(covered(sets, y_new).mean() - 0.8) < 0.04
    assert_array_equal(sets, classifier.predict_set(X_new, 0.8))
    pipe = make_pipeline(StandardScaler(), classifier).fit(X, y)
    scaled = pipe[0].transform(X_new)
    assert_array_equal(pipe.predict(X_new, coverage=0.8), pipe[1].predict_set(scaled, 0.8))


def test_a_default_fit_keeps_no_more_than_it_needs(rng):
    X = rng.standard_normal((10_200, 1))
    y = (X[:, 0] + rng.standard_normal(10_200) > 0).astype(int)
    for calibrate, n_kept in (("auto", 10_000), (True, 10_200)):
        classifier = EnergyClassifier(alpha=1e-3, calibrate=calibrate, random_state=0).fit(X, y)
        assert len(classifier.calibration_energies_) == n_kept
    rejecting = EnergyClassifier(alpha=1e-3, beta=1.0, reject="contamination").fit(X, y)
    assert rejecting.predict(X[:3], coverage=0.9).shape == (3, 2)
    fixed = EnergyClassifier(alpha=1e-3, beta=1.0).fit(X, y)
    with pytest.raises(ValueError, match="calibrate='auto' with beta=1.0 has kept none"):
        fixed.predict(X, coverage=0.9)


@pytest.mark.parametrize("bad", [None, "yes", 1])
def test_bad_calibrate(bad, noisy):
    with pytest.raises(ValueError, match="calibrate must be 'auto', True or False, got"):
        EnergyClassifier(calibrate=bad).fit(*noisy[0])


def test_a_label_of_rejection_is_no_class(noisy):
    X, y = noisy[0]
    with pytest.raises(ValueError, match="reject_label must be"):
        EnergyClassifier(reject=Level(0.0), reject_label=2).fit(X, y)
    with pytest.raises(ValueError, match="reject_label must be"):
        EnergyClassifier(reject=Level(0.0)).fit(X, y.astype(str))
