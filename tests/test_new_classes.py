"""New classes of a fitted classifier and detector."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm import EnergyClassifier, EnergyDetector
from sk_ebm.thresholds import FalseAlarm


def people(rng, n_classes=30, n_rows=6, n_columns=12):
    """Rows of people, who differ in eight columns, their numbers, and their mean rows."""
    means = np.zeros((n_classes, n_columns))
    means[:, :8] = 3 * rng.standard_normal((n_classes, 8))
    y = np.repeat(np.arange(n_classes), n_rows)
    return means[y] + rng.standard_normal((len(y), n_columns)), y, means


@pytest.fixture
def parts(rng):
    """Training rows of 20 people, rows of five new ones, and other rows of all 30."""
    X, y, _ = people(rng, n_rows=12)
    first = np.arange(len(y)) % 12 < 6
    return (
        (X[first & (y < 20)], y[first & (y < 20)]),
        (
            X[first & (y >= 20) & (y < 25)],
            y[first & (y >= 20) & (y < 25)],
        ),
        (X[~first], y[~first]),
    )


def fitted(parts, **parameters):
    return EnergyClassifier("embedding", random_state=0, **parameters).fit(*parts[0])


def test_new_classes_are_predicted_and_nothing_else_changes(parts):
    X, y = parts[2]
    classifier = fitted(parts)
    before = classifier.energies(X)
    vectors, beta = classifier.energy_.vectors_, classifier.beta_
    assert classifier.add_classes(*parts[1]) is classifier
    assert_array_equal(classifier.classes_, np.arange(25))
    assert_allclose(classifier.energies(X)[:, :20], before, rtol=1e-12)
    assert_array_equal(classifier.energy_.vectors_[:20], vectors)
    assert classifier.beta_ == beta
    known = y < 25
    assert classifier.score(X[known], y[known]) > 0.95
    new = (y >= 20) & known
    assert classifier.score(X[new], y[new]) > 0.95


def test_columns_move_with_the_sorted_classes_whose_type_widens(parts):
    (X, y), (X_new, y_new), (X_test, _) = parts
    names = np.array([f"p{label:02d}" for label in y])
    classifier = EnergyClassifier("embedding", random_state=0).fit(X, names)
    before = classifier.energies(X_test)
    renamed = np.where(y_new == 20, "a longer name", "zz")
    classifier.add_classes(X_new, renamed)
    assert_array_equal(classifier.classes_[[0, -1]], ["a longer name", "zz"])
    assert_allclose(classifier.energies(X_test)[:, 1:-1], before, rtol=1e-12)
    assert classifier.predict(X_new[y_new == 20])[0] == "a longer name"
    floats = fitted(parts).add_classes(X_new, y_new + 0.5)
    assert floats.classes_.dtype == float and floats.predict(X_new)[0] == y_new[0] + 0.5


def test_one_after_another_or_at_once(parts):
    X, y = parts[1]
    at_once, stepwise = fitted(parts).add_classes(X, y), fitted(parts)
    for label in np.unique(y)[::-1]:
        stepwise.add_classes(X[y == label], y[y == label])
    assert_array_equal(at_once.classes_, stepwise.classes_)
    assert_allclose(at_once.energies(X), stepwise.energies(X), atol=1e-2)
    weighted = fitted(parts).add_classes(X, y, sample_weight=np.full(len(y), 2.0))
    doubled = fitted(parts).add_classes(np.r_[X, X], np.r_[y, y])
    assert_allclose(weighted.energies(X), doubled.energies(X))


def test_single_precision_stays(parts):
    (X, y), (X_new, y_new), _ = parts
    classifier = EnergyClassifier("embedding", random_state=0).fit(X.astype(np.float32), y)
    classifier.add_classes(X_new.astype(np.float32), y_new)
    assert classifier.energies(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("conformal", [False, True])
def test_thresholds_follow(parts, conformal):
    X, y = parts[2]
    classifier = fitted(parts, reject=FalseAlarm(0.05), calibrate=True)
    assert classifier.guarantee_ == "approximate"
    tested = np.ones(len(y), dtype=bool)
    if conformal:
        tested = np.arange(len(y)) % 2 == 0
        rows = ~tested & (y < 20)
        classifier.conformalize(X[rows], y[rows])
        assert classifier.guarantee_ == "marginal"
        assert len(classifier.calibration_energies_) == rows.sum()
    level, energies = classifier.reject_threshold_, classifier.calibration_energies_
    assert np.mean(classifier.predict(X[tested & (y < 20)]) == -1) < 0.15
    assert np.mean(classifier.predict(X[tested & (y >= 20)]) == -1) > 0.7
    classifier.add_classes(*parts[1])
    assert classifier.guarantee_ == "approximate"
    assert np.mean(classifier.predict(X[tested & (y < 25)]) == -1) < 0.15
    assert np.mean(classifier.predict(X[tested & (y >= 25)]) == -1) > 0.6
    assert classifier.reject_threshold_ <= level
    assert np.all(classifier.calibration_energies_ >= energies)
    if conformal:  # as if they had been known before
        again = pickle.loads(pickle.dumps(classifier)).conformalize(X[rows], y[rows])
        assert_allclose(again.reject_threshold_, classifier.reject_threshold_)
        assert_allclose(again.calibration_energies_, classifier.calibration_energies_)
    known = tested & (y < 25)
    sets = classifier.predict_set(X[known])
    assert sets[np.arange(known.sum()), y[known]].mean() > 0.8


def described(rng):
    """People whose means follow from three features of theirs, one row of each known one."""
    described = rng.standard_normal((80, 3))
    means = 2 * described @ rng.standard_normal((3, 12)) + 0.3 * rng.standard_normal((80, 12))
    y = np.tile(np.arange(80), 4)
    return means[y] + rng.standard_normal((len(y), 12)), y, dict(enumerate(described))


def test_class_features_help_and_stand_for_rows(rng):
    X, y, features = described(rng)
    train = np.arange(len(y)) < 160
    known, test = train & (y < 60), ~train & (y < 60)
    without = EnergyClassifier("embedding", beta=1, random_state=0).fit(X[known], y[known])
    classifier = EnergyClassifier("embedding", beta=1, random_state=0)
    classifier.fit(X[known], y[known], class_features=features)
    assert classifier.score(X[test], y[test]) >= without.score(X[test], y[test])
    new = {label: features[label] for label in range(60, 80)}
    classifier.add_classes(class_features=new)
    unseen = y >= 60
    assert len(classifier.classes_) == 80
    assert classifier.score(X[unseen], y[unseen]) > 0.5  # by chance 1 / 80


def test_class_features_of_some_with_rows(rng):
    X, y, features = described(rng)
    known = y < 70
    classifier = EnergyClassifier("embedding", random_state=0)
    classifier.fit(X[known], y[known], class_features=features)
    rows = (y >= 70) & (y < 75)
    classifier.add_classes(X[rows], y[rows], class_features={k: features[k] for k in range(70, 80)})
    assert classifier.score(X, y) > 0.8
    with pytest.raises(ValueError, match="fitted with class_features: give it"):
        classifier.add_classes(X[:4], np.array([90] * 4))
    with pytest.raises(ValueError, match="must have 3 features of each class"):
        classifier.add_classes(class_features={90: [1.0]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs rows X and their classes y, or class_features"),
        ({"X": np.ones((1, 12))}, "needs X and y together"),
        ({"X": np.ones((2, 12)), "y": [3, 90]}, r"takes new classes only, and \[3\]"),
        ({"X": np.ones((1, 12)), "y": [-1]}, "-1 is the reject_label"),
        ({"X": np.ones((1, 12)), "y": ["a"]}, "of the same kind"),
        ({"X": np.ones((1, 11)), "y": [90]}, "11 features"),
        (
            {"X": np.ones((1, 12)), "y": [90], "sample_weight": [0]},
            "sample_weight must hold a positive weight",
        ),
        (
            {"X": np.ones((2, 12)), "y": [90, 91], "sample_weight": [0, 1]},
            "row of positive weight",
        ),
        ({"X": np.ones((1, 12)), "y": [90], "sample_weight": [1e200]}, "largest sample_weight"),
        ({"X": np.ones((1, 12)), "y": [np.nan]}, "NaN"),
        ({"X": np.ones((2, 12)), "y": np.array([90, None])}, "missing .NaN. in 1 of 2 rows"),
        ({"X": np.ones((2, 12)), "y": np.array([90, "a"], object)}, "all strings or all numbers"),
        ({"X": np.ones((2, 12)), "y": np.array([None, (1, 2), 3], object)[1:]}, "all strings or"),
        ({"X": np.ones((1, 12)), "y": np.array(["2020"], "M8[Y]")}, "all strings or all numbers"),
        ({"X": np.full((1, 12), 1e200), "y": [90]}, "give them in the units of fit"),
        ({"class_features": {np.nan: [1]}}, "all numbers: got .nan."),
        ({"class_features": {None: [1]}}, "all strings or all numbers"),
        ({"class_features": {(1, 2): [1]}}, "all strings or all numbers"),
        ({"class_features": {1: [1], "a": [2]}}, "all strings or all numbers"),
        ({"class_features": {90: [1]}}, "fitted without class_features"),
        ({"X": np.ones((0, 12)), "y": []}, "0 sample"),
    ],
)
def test_bad_classes_are_refused_and_nothing_is_lost(parts, arguments, message):
    classifier = fitted(parts, reject=FalseAlarm(0.05))
    before = dict(vars(classifier))
    with pytest.raises(ValueError, match=message):
        classifier.add_classes(**arguments)
    assert vars(classifier) == before


def test_numbers_as_objects_and_a_rejection_that_is_switched_off(parts):
    classifier = fitted(parts, reject=FalseAlarm(0.05)).set_params(reject=None)
    X, y = parts[1]
    classifier.add_classes(X, y.astype(object))
    assert classifier.classes_.dtype == y.dtype
    assert classifier.score(X, y) > 0.9


def test_other_energies_say_what_to_do(parts):
    classifier = EnergyClassifier(beta=1).fit(*parts[0])
    with pytest.raises(ValueError, match="energy='embedding', or fit again"):
        classifier.add_classes(*parts[1])
    with pytest.raises(ValueError, match="Use energy='embedding', or leave it out"):
        EnergyClassifier().fit(*parts[0], class_features={0: 1})


def test_verification_of_new_people(parts):
    X, y = parts[2]
    classifier = EnergyClassifier("embedding", random_state=0)
    detector = EnergyDetector(
        classifier, labels="answer", threshold=FalseAlarm(0.05), random_state=0
    )
    detector.fit(*parts[0])
    thresholds = detector.threshold_, detector.pair_threshold_
    assert np.all(detector.pair_energies(X[y >= 20], y[y >= 20]) > 100)
    assert detector.add_classes(*parts[1]) is detector
    assert (detector.threshold_, detector.pair_threshold_) == thresholds
    known = y < 25
    assert np.mean(detector.predict_pairs(X[known], y[known]) == 1) > 0.85
    assert np.mean(detector.predict_pairs(X[known], (y[known] + 1) % 25) == -1) > 0.95
    assert np.mean(detector.predict(X[~known]) == -1) > 0.6
    with pytest.raises(AttributeError, match="add_classes"):
        EnergyDetector().fit(X).add_classes(X, y)
