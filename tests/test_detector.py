"""EnergyDetector: scikit-learn's contract, learned thresholds, labels, sums in nats."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_blobs
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector
from sk_ebm.energies import (
    ENERGIES,
    INPUT_ENERGIES,
    ForestEnergy,
    GaussianEnergy,
    LinearEnergy,
    MixtureEnergy,
    NeighborsEnergy,
    SumEnergy,
    TreesEnergy,
)
from sk_ebm.thresholds import Contamination, Cost, FalseAlarm

SMALL_FOREST = ForestEnergy(n_estimators=20)
QUICK = [name for name in INPUT_ENERGIES if name != "forest"]


@pytest.fixture(scope="module")
def contaminated():
    """Standard normal rows, a tenth of them far away, and which are."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((400, 4)) @ rng.standard_normal((4, 4))
    X[:40] = rng.uniform(-12, 12, (40, 4))
    return X, np.arange(400) < 40


@pytest.fixture(scope="module")
def normals():
    """Rows of one class of the breast-cancer data for training, and test rows with their class."""
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    return X_train[y_train == 1], X_test, y_test


every_energy = pytest.mark.parametrize("energy", [*QUICK, SMALL_FOREST], ids=str)


@every_energy
def test_anomalies_have_higher_energies(energy, contaminated):
    X, anomalous = contaminated
    detector = EnergyDetector(energy, random_state=0).fit(X)
    assert roc_auc_score(anomalous, detector.energies(X)) > 0.9


@every_energy
def test_seeds_and_dtypes(energy, contaminated):
    X = contaminated[0]
    detector = EnergyDetector(energy, random_state=0).fit(X)
    assert_array_equal(clone(detector).fit(X).energies(X), detector.energies(X))
    low = clone(detector).fit(X.astype(np.float32))
    assert np.corrcoef(low.energies(X.astype(np.float32)), detector.energies(X))[0, 1] > 0.999


def test_contract_of_outlier_detectors(contaminated):
    X = contaminated[0]
    detector = EnergyDetector("gaussian").fit(X)
    assert_array_equal(detector.score_samples(X), -detector.energies(X))
    assert_allclose(detector.decision_function(X), detector.threshold_ - detector.energies(X))
    assert_array_equal(detector.predict(X) == 1, detector.decision_function(X) >= 0)
    assert detector.offset_ == -detector.threshold_
    assert_array_equal(EnergyDetector("gaussian").fit_predict(X), detector.predict(X))


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_contamination_flags_its_share_of_training_rows(rate, contaminated):
    X = contaminated[0]
    detector = EnergyDetector("gaussian", threshold=Contamination(rate))
    assert np.sum(detector.fit_predict(X) == -1) == rate * 400
    # Energies of a small forest tie: rows at the threshold are compatible.
    forest = EnergyDetector(SMALL_FOREST, threshold=Contamination(rate), random_state=0).fit(X)
    energies = forest.energies(X)
    assert np.sum(energies >= forest.threshold_) >= rate * 400 >= np.sum(forest.predict(X) == -1)


def test_probabilities_are_one_half_at_the_threshold(contaminated):
    X = contaminated[0]
    detector = EnergyDetector("gaussian").fit(X)
    p = detector.predict_proba(X)
    assert_allclose(p.sum(axis=1), 1)
    odds = np.log(p[:, 1] / p[:, 0])[detector.energies(X) < 20]
    decision = detector.decision_function(X)[detector.energies(X) < 20]
    assert_allclose(odds, detector.beta_ * decision, rtol=1e-6)


@pytest.mark.parametrize("calibration", ["cv", "split"])
def test_false_alarms_of_new_rows(calibration, rng):
    rates = []
    for seed in range(10):
        X = rng.standard_normal((300, 3))
        detector = EnergyDetector(
            "gaussian", threshold="false_alarm", calibration=calibration, random_state=seed
        )
        rates.append(np.mean(detector.fit(X).predict(rng.standard_normal((2000, 3))) == -1))
    assert 0.03 < np.mean(rates) < 0.06


def test_what_is_guaranteed(contaminated):
    X = contaminated[0]
    kinds = {
        "none": {"threshold": "contamination"},
        "approximate": {"threshold": "false_alarm"},
        "marginal": {"threshold": "false_alarm", "calibration": "split"},
        "confident": {"threshold": FalseAlarm(0.1, 0.9), "calibration": "split"},
    }
    for guarantee, parameters in kinds.items():
        assert EnergyDetector("gaussian", **parameters).fit(X).guarantee_ == guarantee


def test_novelty_calibrates_out_of_sample(normals):
    X, X_test, y_test = normals
    detector = EnergyDetector(novelty=True, random_state=0).fit(X)
    alarms = np.mean(detector.predict(X_test[y_test == 1]) == -1)
    hits = np.mean(detector.predict(X_test[y_test == 0]) == -1)
    assert alarms < 0.15
    assert hits > 0.65


def test_calibrate_learns_threshold_and_promise_again(normals):
    X, X_test, y_test = normals
    new = X_test[y_test == 1]
    detector = EnergyDetector("gaussian", threshold="false_alarm").fit(X)
    before = detector.threshold_
    detector.calibrate(new)
    assert detector.threshold_ != before
    assert detector.guarantee_ == "marginal"
    assert_array_equal(detector.calibration_energies_, np.sort(detector.energies(new)))
    with pytest.raises(ValueError, match="needs at least 19"):
        detector.calibrate(new[:5])
    assert len(detector.calibration_energies_) == len(new)


def test_p_values_are_uniform_for_compatible_rows(rng):
    X, new = rng.standard_normal((600, 2)), rng.standard_normal((3000, 2))
    p = EnergyDetector("gaussian", calibration="split", random_state=0).fit(X).p_values(new)
    for level in (0.05, 0.2, 0.5, 0.9):
        assert abs(np.mean(p <= level) - level) < 0.06


def test_few_of_the_selected_rows_are_compatible(rng):
    X = rng.standard_normal((1000, 2))
    new = np.r_[rng.standard_normal((900, 2)), rng.normal(6, 1, (100, 2))]
    selected = EnergyDetector("gaussian", novelty=True).fit(X).select(new, 0.1)
    assert selected[900:].mean() > 0.95
    assert selected[:900].sum() <= 0.25 * selected.sum()


def test_sums_in_nats_beat_their_worst_term_and_add_up(contaminated):
    X, anomalous = contaminated
    detector = EnergyDetector([SMALL_FOREST, "gaussian"], random_state=0).fit(X)
    terms = detector.energy_.terms_
    assert detector.energy_.weights_ == {"forest": 0.5, "gaussian": 0.5}
    total = sum(-0.5 * term(X)[:, 0] for term in terms.values())
    assert_allclose(detector.energies(X), total)
    assert roc_auc_score(anomalous, total) > 0.95


def test_a_joint_density_is_an_energy(contaminated):
    X = contaminated[0][:, :2]
    density = EnergyDensityEstimator(conditional=False)
    detector = EnergyDetector(density, calibration=None, random_state=0).fit(X)
    assert_allclose(detector.energies(X), -detector.energy_.estimator_.score_samples(X))


def test_labelled_anomalies_train_energies_and_weights(contaminated):
    X, anomalous = contaminated
    noise = np.c_[X, np.random.RandomState(1).standard_normal((400, 3)) * 50]
    y = np.where(anomalous, -1, 1)
    labelled = EnergyDetector(
        [SMALL_FOREST, "linear"], labels="anomaly", threshold="f_score", random_state=0
    ).fit(noise, y)
    blind = EnergyDetector([SMALL_FOREST], random_state=0).fit(noise)
    areas = [roc_auc_score(anomalous, model.energies(noise)) for model in (labelled, blind)]
    assert areas[0] > areas[1]
    assert list(labelled.energy_.weights_) == ["forest", "linear"]


def test_a_few_labels_among_unlabelled_rows_help(contaminated):
    X, anomalous = contaminated
    y = np.zeros(400, dtype=int)
    y[:15] = -1
    energy = SumEnergy(["gaussian", "linear"])
    detector = EnergyDetector(energy, labels="anomaly", threshold=Cost(1, 10), random_state=0)
    detector.fit(X, y)
    assert roc_auc_score(anomalous[15:], detector.energies(X[15:])) > 0.9
    assert detector.beta_ > 0


def test_out_of_distribution_by_free_energy():
    X, y = load_digits(return_X_y=True)
    known = y < 8
    X_train, X_new, y_train, _ = train_test_split(X[known], y[known], random_state=0)
    detector = EnergyDetector(
        EnergyClassifier("kernel", random_state=0), labels="answer", threshold="false_alarm"
    ).fit(X_train, y_train)
    strange = X[~known]
    assert_allclose(detector.energies(strange), detector.energy_.estimator_.free_energy(strange))
    both = np.r_[detector.energies(X_new), detector.energies(strange)]
    assert roc_auc_score(np.arange(len(both)) >= len(X_new), both) > 0.85
    assert np.mean(detector.predict(X_new) == -1) < 0.12


def test_wrong_labels_are_found(rng):
    X, y = load_digits(return_X_y=True)
    wrong = rng.permutation(len(y))[:90]
    noisy = y.copy()
    noisy[wrong] = (y[wrong] + rng.randint(1, 10, 90)) % 10
    detector = EnergyDetector(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        labels="answer",
        threshold=Contamination(0.05),
    ).fit(X, noisy)
    flagged = detector.predict_pairs(X, noisy) == -1
    assert flagged[wrong].mean() > 0.6
    assert (detector.pair_p_values(X, noisy)[wrong] < 0.1).mean() > 0.6
    unseen = detector.pair_energies(X[:1], [77])
    assert unseen > detector.pair_energies(X, noisy).max() - 1e-9
    with pytest.raises(ValueError, match="y is missing"):
        detector.predict_pairs(X[:1], [np.nan])
    with pytest.raises(ValueError, match=r"answers were seen in fit, got \[77\]"):
        detector.set_params(threshold="false_alarm").calibrate(X[:2], [77, 0])


def test_pairs_of_a_continuous_answer(rng):
    X = rng.standard_normal((200, 2))
    y = X[:, 0] + 0.1 * rng.standard_normal(200)
    density = EnergyDensityEstimator(location=LinearRegression(), alpha=0.1)
    detector = EnergyDetector(density, labels="answer", calibration="split", random_state=0)
    detector.fit(X, y)
    assert detector.predict_pairs(X[:50], y[:50] + 5).tolist() == [-1] * 50
    assert len(detector.energies(X)) == 200


def test_pairs_need_answers(contaminated):
    detector = EnergyDetector("gaussian").fit(contaminated[0])
    for method in ("pair_energies", "predict_pairs", "pair_p_values"):
        assert not hasattr(detector, method)


def test_sparse_frames_pipelines_and_pickles(contaminated):
    X = contaminated[0]
    thin = sparse.csr_matrix(np.where(np.abs(X) > 1, X, 0))
    EnergyDetector([SMALL_FOREST, "neighbors", "gaussian"], random_state=0).fit(thin).predict(thin)
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipe = make_pipeline(StandardScaler(), EnergyDetector("gaussian")).set_output(
        transform="pandas"
    )
    assert_allclose(pipe.fit(frame).score_samples(frame), pipe.fit(X).score_samples(X))
    again = pickle.loads(pickle.dumps(pipe))
    assert_array_equal(again.predict(X), pipe.predict(X))


def test_grid_search_over_labelled_anomalies(contaminated):
    X, anomalous = contaminated
    search = GridSearchCV(
        EnergyDetector("gaussian", labels="anomaly", threshold="f_score"),
        {"energy": ["gaussian", NeighborsEnergy(3)], "threshold": ["f_score", "cost"]},
        scoring="roc_auc",
        cv=StratifiedKFold(3),
        error_score="raise",
    )
    search.fit(X, np.where(anomalous, -1, 1))
    assert search.best_score_ > 0.9


def test_named_terms_are_reached():
    detector = EnergyDetector([("near", NeighborsEnergy())])
    detector.set_params(energy__near__n_neighbors=7)
    assert detector.energy[0][1].n_neighbors == 7


def test_groups_stay_together(contaminated):
    X = contaminated[0]
    groups = np.arange(400) // 100
    EnergyDetector("gaussian", calibration="split").fit(X, groups=groups)
    detector = EnergyDetector("gaussian", cv=4, random_state=0).fit(X, groups=groups)
    assert len(detector.calibration_energies_) == 400


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"energy": "svm"}, "energy must be one of"),
        ({"energy": "linear"}, "learns from labels only"),
        ({"energy": ["gaussian", LinearEnergy()]}, "learns from labels only"),
        ({"energy": LocalOutlierFactor()}, "novelty=True"),
        ({"energy": GaussianEnergy(0.2)}, "support_fraction must be"),
        ({"energy": MixtureEnergy(0)}, "n_components must be"),
        ({"energy": NeighborsEnergy(0)}, "n_neighbors must be"),
        ({"energy": ForestEnergy(0)}, "n_estimators must be"),
        ({"threshold": "quantile"}, "threshold must be one of"),
        ({"threshold": 0.01}, r"FalseAlarm\(0.01\)"),
        ({"threshold": "f_score"}, "labels='anomaly'"),
        ({"threshold": "false_alarm", "calibration": None}, "calibration='cv' or 'split'"),
        ({"calibration": "loo"}, "calibration must be"),
        ({"labels": "class"}, "labels must be"),
        ({"labels": "anomaly"}, "y is None"),
        ({"labels": "answer", "energy": "gaussian"}, "supervised estimator"),
        ({"beta": -1}, "beta must be"),
    ],
)
def test_bad_parameters_leave_what_was_fitted(parameters, message, contaminated):
    X = contaminated[0]
    detector = EnergyDetector("gaussian").fit(X)
    before = detector.energies(X)
    y = np.zeros(400) if parameters.get("labels") == "answer" else None
    with pytest.raises(ValueError, match=message):
        detector.set_params(**parameters).fit(X, y)
    assert_array_equal(detector.energies(X), before)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(400, 3), r"-1 \(anomaly\).*or 1 or True \(anomaly\).*got \[3\]"),
        (np.repeat(["a", "b"], 200), "y must be either -1"),
        (np.full(400, -1), "got anomalies only"),
        (np.full(400, 1), "got anomalies only"),
        (np.zeros(400), "got no anomaly.*use labels=None"),
        (np.ones(399), "inconsistent"),
    ],
)
def test_bad_labels(y, message, contaminated):
    with pytest.raises(ValueError, match=message):
        EnergyDetector("gaussian", labels="anomaly").fit(contaminated[0], y)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1])
@pytest.mark.parametrize("energy", [[SMALL_FOREST, "gaussian", "mixture"], "gaussian", "forest"])
def test_an_unknown_share_is_estimated(energy, share):
    rng = np.random.RandomState(1)
    X, outlying = rng.standard_normal((400, 4)), np.arange(400) < 400 * share
    X[outlying] = 3 * rng.uniform(-1, 1, (outlying.sum(), 4)) + 9
    detector = EnergyDetector(energy, threshold="mixture", random_state=0)
    flagged = detector.fit(X).predict(X) == -1
    assert flagged[outlying].all()
    assert flagged[~outlying].mean() < 0.02
    assert np.mean(detector.predict(rng.standard_normal((1000, 4))) == -1) < 0.02


def test_tails_leave_out_outliers_of_the_calibration(rng):
    """Ten anomalies among the training rows are found, although they are calibration rows, too."""
    X = rng.standard_normal((2000, 3))
    X[:10] += 20
    detector = EnergyDetector("gaussian", random_state=0).fit(X)
    with pytest.warns(UserWarning, match="where these are anomalies themselves"):
        assert not detector.select(X).any()
    selected = detector.select(X, tail="exponential")
    assert selected[:10].all()
    assert selected[10:].sum() <= 3


@pytest.fixture(scope="module")
def many_rows():
    """A detector of normal rows, and 2,000 uniform ones, 5 of which are far away."""
    rng = np.random.RandomState(0)
    X = rng.uniform(-2, 2, (2000, 3))
    X[:5] += 20
    detector = EnergyDetector("gaussian", novelty=True, calibration="split", random_state=0)
    return detector.fit(rng.standard_normal((1000, 3))), X


def test_select_says_how_many_calibration_rows_it_needs(many_rows):
    detector, X = many_rows
    with pytest.warns(
        UserWarning, match="needs at least 3999 compatible calibration rows.*tail='exponential'"
    ) as said:
        assert not detector.select(X).any()
    assert [warning.filename for warning in said] == [__file__]
    new = np.random.RandomState(1).standard_normal((3999, 3))
    enough = clone(detector).fit(new).calibrate(new)
    assert_array_equal(np.flatnonzero(enough.select(X)), np.arange(5))
    with pytest.warns(UserWarning, match="calibration rows"):
        assert not enough.calibrate(new[1:]).select(X).any()


def test_an_exponential_tail_selects_with_few_calibration_rows(many_rows):
    detector, X = many_rows
    assert_array_equal(np.flatnonzero(detector.select(X, tail="exponential")), np.arange(5))
    assert not detector.select(X[5:], tail="exponential").any()
    assert not detector.select(X[5:205]).any()  # where nothing stands out, no warning
    for method in (detector.select, detector.p_values):
        with pytest.raises(ValueError, match="tail must be None or 'exponential', got 'pareto'"):
            method(X, tail="pareto")


@pytest.mark.parametrize(
    ("parameters", "n_rows", "n_left"),
    [({"novelty": True}, 18, 18), ({"novelty": True, "calibration": "split"}, 60, 18)],
    ids=["cv", "split"],
)
def test_too_few_calibration_rows_are_refused_before_a_fit(parameters, n_rows, n_left, rng):
    class NeverFitted(GaussianEnergy):
        def fit_rows(self, X, weights, rng):
            raise AssertionError("fitted")

    X = rng.standard_normal((n_rows, 2))
    with pytest.raises(ValueError, match=f"needs at least 19 compatible rows.*got {n_left}"):
        EnergyDetector(NeverFitted(), threshold="false_alarm", **parameters).fit(X)


def test_p_values_need_calibration(contaminated):
    X = contaminated[0]
    detector = EnergyDetector("gaussian", calibration=None).fit(X)
    assert detector.calibration_energies_ is None
    with pytest.raises(ValueError, match="calibrate"):
        detector.p_values(X)
    assert detector.calibrate(X).p_values(X).min() > 0


def test_classifiers_refuse_energies_of_inputs():
    with pytest.raises(ValueError, match="for EnergyDetector"):
        EnergyClassifier("forest").fit(*load_wine(return_X_y=True))


def test_many_rows_are_calibrated_on_some(monkeypatch):
    monkeypatch.setattr("sk_ebm._estimators.detector._CALIBRATION_ROWS", 100)
    X, _ = make_blobs(300, random_state=0)
    detector = EnergyDetector("gaussian", random_state=0).fit(X)
    assert len(detector.calibration_energies_) == 100


@pytest.mark.parametrize(
    "energy",
    [*ENERGIES, LogisticRegression(), [SMALL_FOREST, LogisticRegression()]],
    ids=lambda energy: str(energy)[:12],
)
def test_energies_of_labels_point_the_same_way(energy, rng):
    X = np.r_[rng.standard_normal((150, 2)), rng.normal(3, 1, (40, 2))]
    y = np.repeat([1, -1], [150, 40])
    detector = EnergyDetector(energy, labels="anomaly", threshold="f_score", random_state=0)
    assert roc_auc_score(y, detector.fit(X, y).score_samples(X)) > 0.9
    assert np.mean(detector.predict(X) == y) > 0.9


def test_folds_by_number_are_stratified(contaminated):
    X, anomalous = contaminated
    y = np.where(anomalous, -1, 1)
    detector = EnergyDetector("trees", labels="anomaly", threshold="f_score", cv=5, random_state=0)
    assert np.mean(detector.fit(X, y).predict(X) == y) > 0.95


def test_frozen_experts_and_densities_of_zero(contaminated):
    X = contaminated[0]
    frozen = FrozenEstimator(IsolationForest(n_estimators=10, random_state=0).fit(X))
    detector = EnergyDetector(frozen).fit(X)
    assert_array_equal(detector.score_samples(X), frozen.score_samples(X))
    box = EnergyDetector([KernelDensity(kernel="tophat"), "gaussian"], random_state=0).fit(X)
    assert np.isfinite(box.energies(X + 100)).all()


def test_groups_make_no_exact_promise(contaminated):
    X = contaminated[0]
    detector = EnergyDetector("gaussian", threshold="false_alarm", calibration="split")
    assert detector.fit(X, groups=np.arange(400) // 4).guarantee_ == "approximate"
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        detector.fit(X, groups=np.arange(500))


def test_answers_are_checked(contaminated):
    X = contaminated[0]
    y = (X[:, 0] > 0).astype(int)
    detector = EnergyDetector(EnergyClassifier(), labels="answer").fit(X, y)
    with pytest.raises(ValueError, match="needs the answers y"):
        detector.calibrate(X)
    with pytest.raises(ValueError, match="inconsistent"):
        detector.calibrate(X, y[:1])
    with pytest.raises(ValueError, match="1d array"):
        detector.pair_energies(X, y[:, None].repeat(2, axis=1))


def test_residual_sums_need_labels(contaminated):
    with pytest.raises(ValueError, match="needs labels"):
        EnergyDetector(SumEnergy(["forest", "gaussian"], "residual")).fit(contaminated[0])


def test_folds_that_name_rows_do_not_go_with_a_held_out_part(contaminated):
    cv = [(np.arange(300), np.arange(300, 400))]
    with pytest.raises(ValueError, match="cv must then be None or an integer"):
        EnergyDetector("gaussian", calibration="split", cv=cv).fit(contaminated[0])


@pytest.mark.parametrize(
    "energy", ["auto", ["gaussian", "mixture", "marginal"], "gaussian"], ids=str
)
def test_where_nothing_iterates_there_is_one_iteration(energy, contaminated):
    """However many terms there are."""
    assert EnergyDetector(energy, random_state=0).fit(contaminated[0]).n_iter_ == 1


def test_iterations_of_a_sum_are_the_most_of_its_terms(contaminated):
    X, anomalous = contaminated
    terms = ["gaussian", "mixture", "linear", TreesEnergy(7, early_stopping=False)]
    detector = EnergyDetector(terms, labels="anomaly", random_state=0)
    detector.fit(X, np.where(anomalous, -1, 1))
    curves = detector.energy_.loss_curves_
    assert detector.n_iter_ == max(map(len, curves.values())) >= 7
    assert [len(curve) for curve in list(curves.values())[:2]] == [0, 0]


def test_the_warning_points_at_the_line_of_the_user(contaminated):
    X, anomalous = contaminated
    detector = EnergyDetector("linear", labels="anomaly", alpha=1e-6, max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning) as caught:
        detector.fit(X, np.where(anomalous, -1, 1))
    assert [warning.filename for warning in caught] == [__file__]


def test_classes_that_one_group_has_are_held_out_nevertheless(rng):
    y = np.repeat(["mild", "severe", "none"], 40)
    X = rng.standard_normal((120, 3)) + 2.5 * np.eye(3)[np.repeat([0, 1, 2], 40)]
    detector = EnergyDetector(EnergyClassifier(), labels="answer", random_state=0)
    whole = detector.fit(X, y).offset_
    with pytest.warns(UserWarning, match="not fitted on the classes.*Give groups"):
        assert abs(detector.fit(X, y, groups=y).offset_ - whole) < 1


def test_a_frozen_classifier_knows_anomalies_by_their_label(rng):
    X = rng.standard_normal((300, 3))
    y = np.where(X[:, 0] > 1.2, -1, 1)
    frozen = FrozenEstimator(LogisticRegression().fit(X[:150], y[:150]))
    detector = EnergyDetector(frozen, labels="anomaly").fit(X[150:], y[150:])
    assert np.mean(detector.predict(X) == y) > 0.9


@pytest.mark.parametrize("energy", ["gaussian", ["neighbors", "linear"], KernelDensity()], ids=str)
@pytest.mark.parametrize("calibration", ["cv", "split", None])
def test_rows_of_weight_zero_are_absent(energy, calibration, rng):
    X, y = rng.standard_normal((40, 2)), np.where(np.arange(40) % 4, 1, -1)
    weights = rng.randint(0, 2, 40)
    used = weights > 0
    settings = {"labels": "anomaly", "calibration": calibration, "random_state": 0}
    settings["threshold"] = "contamination"
    weighted = EnergyDetector(energy, **settings).fit(X, y, sample_weight=weights)
    without = EnergyDetector(energy, **settings).fit(X[used], y[used])
    assert_allclose(weighted.decision_function(X), without.decision_function(X), rtol=1e-9)


@pytest.mark.parametrize("calibration", ["cv", "split"])
@pytest.mark.parametrize("energy", ["gaussian", [["neighbors", "linear"], "linear"]], ids=str)
def test_too_few_compatible_rows_are_refused_or_enough(energy, calibration, rng):
    """Also inside of the folds of a nested sum, where one compatible row is left."""
    settings = {"labels": "anomaly", "calibration": calibration, "random_state": 0}
    settings["threshold"] = "contamination"
    for n_compatible in (1, 2, 5):
        X, y = rng.standard_normal((6, 2)), np.repeat([1, -1], [n_compatible, 6 - n_compatible])
        detector = EnergyDetector(energy, **settings)
        for weights in (None, np.r_[0.0, np.ones(5)]):
            try:
                assert np.isfinite(detector.fit(X, y, sample_weight=weights).energies(X)).all()
            except ValueError as refusal:
                assert n_compatible < 5
                assert re.search("positive sample_weight|holds out", str(refusal))
