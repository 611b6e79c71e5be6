"""What classifiers learn from held-out rows: which of them count, and what is promised."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from sk_ebm import EnergyClassifier, EnergyDetector
from sk_ebm.thresholds import Contamination, FalseAlarm, Level


def with_single_rows(rng, n_single=40):
    """Two classes of 30 rows, and others of one row each, far away."""
    X = np.r_[rng.standard_normal((60, 2)), rng.standard_normal((n_single, 2)) + 20]
    y = np.r_[np.repeat([0, 1], 30), 2 + np.arange(n_single)]
    X[y == 1] += 3
    return X, y


def test_rows_of_classes_without_other_rows_are_left_out_of_beta(rng):
    X, y = with_single_rows(rng)
    classifier = EnergyClassifier(alpha=1e-2, calibrate=True, random_state=0).fit(X, y)
    assert len(classifier.calibration_energies_) == 60
    assert np.all(classifier._held_out.target < 2)


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize("energy", ["linear", "embedding"])
def test_single_rows_alone_say_nothing_about_beta(rng, energy):
    X, y = rng.standard_normal((40, 3)), np.arange(40)
    with pytest.warns(UserWarning, match="0 held-out rows .* beta is 1") as caught:
        classifier = EnergyClassifier(energy, random_state=0).fit(X, y)
    assert caught[-1].filename == __file__
    assert classifier.beta_ == 1 and len(classifier.predict(X)) == 40
    with pytest.raises(ValueError, match=r"reject=FalseAlarm\(\) needs more rows"):
        EnergyClassifier(energy, reject=FalseAlarm(), beta=1).fit(X, y)
    assert EnergyClassifier(energy, beta=2).fit(X, y).beta_ == 2
    fixed = EnergyClassifier(energy, beta=2, reject=Level(-3.0)).fit(X, y)
    assert fixed.reject_threshold_ == -3


def test_an_embedding_takes_single_rows_without_a_warning(rng):
    X, y = rng.standard_normal((40, 3)), np.arange(40)
    assert len(EnergyClassifier("embedding", beta=1).fit(X, y).classes_) == 40


def test_guarantees(rng):
    X, y = with_single_rows(rng, 0)
    threshold = FalseAlarm(0.2, confidence=0.9)
    classifier = EnergyClassifier("embedding", reject=threshold, random_state=0).fit(X, y)
    assert classifier.guarantee_ == "approximate"
    X_new, y_new = with_single_rows(rng, 0)
    classifier.conformalize(X_new, y_new)
    assert classifier.guarantee_ == "confident"
    energies = np.sort(classifier.input_energies(X_new))
    assert classifier.reject_threshold_ in energies[48:]
    assert EnergyClassifier().fit(X, y).guarantee_ == "approximate"
    assert not hasattr(EnergyClassifier(calibrate=False).fit(X, y), "guarantee_")
    assert EnergyClassifier(reject=Contamination()).fit(X, y).guarantee_ == "none"


def test_conformal_rejection_holds_its_rate(rng):
    X, y = with_single_rows(rng, 0)
    classifier = EnergyClassifier("kernel", reject=FalseAlarm(0.1), random_state=0).fit(X, y)
    rates = []
    for _ in range(40):
        X_new, y_new = with_single_rows(rng, 0)
        classifier.conformalize(X_new, y_new)
        rates.append(np.mean(classifier.predict(with_single_rows(rng, 0)[0]) == -1))
    assert abs(np.mean(rates) - 0.1) < 0.03


def test_rejection_that_is_switched_on_after_fit(rng):
    X, y = with_single_rows(rng, 0)
    classifier = EnergyClassifier(random_state=0).fit(X, y).set_params(reject=FalseAlarm())
    with pytest.raises(NotFittedError, match=r"reject=FalseAlarm\(\) was set after fit.*conform"):
        classifier.predict(X)
    with pytest.raises(ValueError, match="reject must be one of"):
        classifier.set_params(reject="none").predict(X)
    classifier.set_params(reject=FalseAlarm()).conformalize(X, y)
    assert np.isin(classifier.predict(X), [-1, 0, 1]).all()
    for label in (1, "none", (1, 2)):
        with pytest.raises(ValueError, match="reject_label must be of the same kind"):
            classifier.set_params(reject_label=label).predict(X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(3, None), "y is missing .* in 3 of 3 rows"),
        ([np.nan, 0, 1], "y is missing .* in 1 of 3 rows"),
        ([0, 1], "inconsistent numbers of samples"),
    ],
)
def test_answers_that_are_missing(rng, y, message):
    X, names = with_single_rows(rng, 0)
    classifier = EnergyClassifier(reject=FalseAlarm(), random_state=0).fit(X, names)
    before = dict(vars(classifier))
    for method in (classifier.pair_energies, classifier.conformalize):
        with pytest.raises(ValueError, match=message):
            method(X[:3], y)
        with pytest.raises(ValueError, match="0 sample"):
            method(X[:0], [])
    with pytest.raises(ValueError, match="largest sample_weight"):
        classifier.conformalize(X, names, np.full(len(X), 1e300))
    assert vars(classifier) == before


def test_answers_of_another_kind_have_no_probability(rng):
    X, y = with_single_rows(rng, 0)
    classifier = EnergyClassifier(random_state=0).fit(X, y)
    energies = classifier.pair_energies(X[:2], np.array([0, "a"], object))
    assert energies[0] < 1 and np.isinf(energies[1])
    assert np.isinf(classifier.pair_energies(X[:2], ["0", "a"])).all()
    with pytest.raises(ValueError, match=r"seen in fit, got \['a'\]\. Leave these"):
        classifier.conformalize(X[:2], np.array([0, "a"], object))


def test_pair_energies_are_surprisals(rng):
    X, y = with_single_rows(rng, 0)
    classifier = EnergyClassifier(random_state=0).fit(X, y)
    expected = -classifier.predict_log_proba(X)[np.arange(60), y]
    assert_allclose(classifier.pair_energies(X, y), expected, atol=1e-12)
    assert np.all(classifier.pair_energies(X, np.full(60, 7)) == np.inf)


def test_detectors_leave_out_pairs_that_a_fold_does_not_know(rng):
    X, y = with_single_rows(rng)
    classifier = EnergyClassifier("linear", alpha=1e-2, beta=1)
    for calibration in ("cv", "split"):
        detector = EnergyDetector(
            classifier,
            labels="answer",
            threshold=FalseAlarm(0.2),
            calibration=calibration,
            random_state=0,
        ).fit(X, y)
        assert detector.pair_threshold_ < 100  # of a class that is not known, 708
    classifier = EnergyClassifier("embedding", beta=1)
    with pytest.raises(ValueError, match="two rows or more"):
        EnergyDetector(classifier, labels="answer", threshold=FalseAlarm(0.2)).fit(
            X[30:], np.arange(70)
        )
