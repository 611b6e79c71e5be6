"""Displays: what they compute, that they can be drawn on given axes, and what they refuse."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker, displays
from sk_ebm.displays import (
    EnergyHistogramDisplay,
    EnergyLandscapeDisplay,
    ExplanationDisplay,
    FalseAlarmDisplay,
    LossDisplay,
    PITDisplay,
    PredictiveDistributionDisplay,
    RankingDisplay,
    ReliabilityDisplay,
    TableComparisonDisplay,
)
from sk_ebm.losses import GRADED_LOSSES, LVQ2
from sk_ebm.metrics import ndcg

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

N = 120
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 3))
Y = np.digitize(X[:, 0] + 0.3 * RNG.standard_normal(N), [-0.5, 0.5])
T = X[:, 0] + 0.3 * RNG.standard_normal(N)
QUERIES = np.arange(N) % 12
KNOWN = np.where(np.abs(X[:, 1]) > 1.5, -1, 1)
CLASSIFIER = EnergyClassifier(alpha=0.01).fit(X, Y)
DETECTOR = EnergyDetector("gaussian", novelty=True).fit(X)
RANKER = EnergyRanker(alpha=0.01).fit(X, Y, groups=QUERIES)
DENSITY = EnergyDensityEstimator("linear", location=Ridge(), random_state=0).fit(X, T)
JOINT = EnergyDensityEstimator("linear", conditional=False, random_state=0).fit(X)

DRAWN = {
    "landscape of a classifier": (EnergyLandscapeDisplay, CLASSIFIER, (X,), {}),
    "landscape of a detector": (EnergyLandscapeDisplay, DETECTOR, (X, KNOWN), {}),
    "landscape of a ranker": (EnergyLandscapeDisplay, RANKER, (X,), {"features": (2, 0)}),
    "landscape of a density": (EnergyLandscapeDisplay, DENSITY, (X, T), {}),
    "landscape of a joint density": (EnergyLandscapeDisplay, JOINT, (X,), {}),
    "histogram of a classifier": (EnergyHistogramDisplay, CLASSIFIER, (X, Y), {}),
    "histogram of a detector": (EnergyHistogramDisplay, DETECTOR, (X, KNOWN), {}),
    "histogram of unknown rows": (EnergyHistogramDisplay, DETECTOR, (X,), {}),
    "histogram of a ranker": (EnergyHistogramDisplay, RANKER, (X, Y), {"groups": QUERIES}),
    "reliability": (ReliabilityDisplay, CLASSIFIER, (X, Y), {}),
    "reliability by class": (ReliabilityDisplay, CLASSIFIER, (X, Y), {"by": "class"}),
    "densities": (PredictiveDistributionDisplay, DENSITY, (X[:3], T[:3]), {}),
    "fan": (PredictiveDistributionDisplay, DENSITY, (X, T), {"feature": 0}),
    "PIT": (PITDisplay, DENSITY, (X, T), {}),
    "false alarms": (FalseAlarmDisplay, DETECTOR, (X, KNOWN), {}),
    "NDCG": (RankingDisplay, RANKER, (X, Y, QUERIES), {}),
    "relevance": (RankingDisplay, RANKER, (X, Y), {"qid": QUERIES, "kind": "relevance"}),
    "loss": (LossDisplay, CLASSIFIER, (X, Y), {}),
    "explanation": (ExplanationDisplay, CLASSIFIER, (X,), {"kind": "row", "row": 3}),
    "importance": (ExplanationDisplay, DETECTOR, (X,), {}),
    "table": (TableComparisonDisplay, JOINT, (X,), {"random_state": 0, "n_samples": 50}),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture
def ax():
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def draw(name, **options):
    display, model, data, own = DRAWN[name]
    return display.from_estimator(model, *data, **own | options)


@pytest.mark.parametrize("name", DRAWN)
def test_displays_draw_on_axes_of_their_own_and_on_given_ones(name, ax):
    own = draw(name)
    given = draw(name, ax=ax)
    assert own.figure_ is not given.figure_ is ax.figure
    again = own.plot(ax=matplotlib.pyplot.figure().add_subplot())
    assert again is own and own.figure_ is not given.figure_
    for drawn in np.ravel(given.ax_):
        assert drawn.get_xlabel() and (drawn.get_ylabel() or name == "table")


def test_every_display_is_drawn():
    assert {display for display, *_ in DRAWN.values()} == {
        getattr(displays, name) for name in displays.__all__
    }


def test_matplotlib_is_imported_when_something_is_drawn():
    code = "import sys, sk_ebm.displays; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_models_in_pipelines_and_searches_are_drawn_over_the_columns_that_users_give():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(10 * X + 3, columns=["length", "width", "height"])
    model = make_pipeline(StandardScaler(), EnergyClassifier(alpha=0.01))
    search = GridSearchCV(model, {"energyclassifier__l1_ratio": [0.0]}, cv=2).fit(frame, Y)
    drawn = EnergyLandscapeDisplay.from_estimator(search, frame, features=["width", 0])
    assert (drawn.xlabel, drawn.ylabel) == ("width", "length")
    assert drawn.xx0.max() > 10
    assert LossDisplay.from_estimator(search, frame, Y).points.shape == (N, 2)
    assert ReliabilityDisplay.from_estimator(search, frame, Y).curves


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_other_columns_keep_the_values_of_a_row(library):
    frame = pytest.importorskip(library).DataFrame({"a": T, "b": Y, "c": X[:, 2]})
    model = EnergyDetector("gaussian").fit(frame)
    drawn = EnergyLandscapeDisplay.from_estimator(
        model, frame, features=["a", "c"], row=5, grid_resolution=4
    )
    rows = np.stack([drawn.xx0.ravel(), np.full(16, Y[5]), drawn.xx1.ravel()], axis=1)
    same = EnergyDetector("gaussian").fit(frame.to_numpy()).energies(rows)
    assert_allclose(drawn.response.ravel(), same)


def test_landscapes_hold_the_energies_of_the_best_class():
    drawn = EnergyLandscapeDisplay.from_estimator(CLASSIFIER, X[:, :3], row=0, grid_resolution=5)
    rows = np.stack([drawn.xx0.ravel(), drawn.xx1.ravel(), np.full(25, X[0, 2])], axis=1)
    assert_allclose(drawn.response.ravel(), CLASSIFIER.least_energy(rows))
    assert_array_equal(CLASSIFIER.classes_[drawn.regions.ravel()], CLASSIFIER.predict(rows))


def test_histograms_know_threshold_and_guarantee():
    drawn = EnergyHistogramDisplay.from_estimator(DETECTOR, X, KNOWN)
    assert drawn.threshold == DETECTOR.threshold_
    assert_array_equal(drawn.compatible, KNOWN > 0)
    labels = [text.get_text() for text in drawn.ax_.get_legend().get_texts()]
    assert "threshold, guarantee: approximate" in labels


def test_histograms_of_rejecting_classifiers_tell_other_classes():
    model = EnergyClassifier(alpha=0.01, reject="false_alarm").fit(X[Y > 0], Y[Y > 0])
    drawn = EnergyHistogramDisplay.from_estimator(model, X, Y)
    assert_array_equal(drawn.compatible, Y > 0)
    assert drawn.threshold == model.reject_threshold_


def test_histograms_of_label_errors_are_of_pairs():
    model = EnergyDetector(LogisticRegression(), labels="answer").fit(X, Y)
    drawn = EnergyHistogramDisplay.from_estimator(model, X, Y)
    assert_array_equal(drawn.energies, model.pair_energies(X, Y))
    assert FalseAlarmDisplay.from_estimator(model, X, Y).n_samples == N


def test_histograms_show_energies_that_are_infinite(ax):
    drawn = EnergyHistogramDisplay.from_predictions([1, 1, -1], [0.0, 1.0, np.inf], ax=ax)
    assert sum(len(container) for container in drawn.ax_.containers) == 60


def test_reliability_counts_what_is_correct():
    y, p = np.repeat([0, 1], 50), np.repeat([0.2, 0.7], 50)
    drawn = ReliabilityDisplay.from_predictions(y, p, by="class")
    ((predicted, observed, counts),) = drawn.curves.values()
    assert_allclose(predicted, [0.2, 0.7])
    assert_array_equal(observed, [0, 1])
    assert_array_equal(counts, [50, 50])
    assert_allclose(drawn.calibration_errors_["1"], (0.2 + 0.3) / 2)


def test_bins_of_quantiles_hold_as_many_rows():
    drawn = ReliabilityDisplay.from_estimator(CLASSIFIER, X, Y, strategy="quantile", n_bins=4)
    assert_array_equal(drawn.curves["all classes"][2], 30)


def test_reliability_of_other_classifiers():
    model = LogisticRegression().fit(X, Y)
    assert ReliabilityDisplay.from_estimator(model, X, Y).calibration_errors_


def test_pit_of_rounded_answers_is_spread_over_their_mass():
    """Right distributions have a flat histogram, whatever the number of values."""
    rng = np.random.RandomState(0)
    rows = rng.standard_normal((400, 1))
    y = rng.randint(0, 3, 400)
    model = EnergyDensityEstimator("linear", location=None, random_state=0).fit(rows, y)
    drawn = PITDisplay.from_estimator(model, rows, y)
    same = PITDisplay.from_predictions(y, model.predict_distribution(rows))
    assert_allclose(drawn.shares, same.shares)
    assert_allclose(drawn.shares, 0.1, atol=0.02)


def test_pit_of_several_targets():
    targets = np.stack([T, X[:, 1]], axis=1)
    model = EnergyDensityEstimator("linear", location=Ridge(), random_state=0)
    drawn = PITDisplay.from_estimator(model.fit(X, targets), X, targets, n_bins=5)
    assert_allclose(drawn.shares.sum(axis=0), [1, 1])


def test_bands_of_pit_and_false_alarms_are_binomial():
    uniform = np.random.default_rng(0).uniform(size=1000)
    inside = [
        np.abs(PITDisplay.from_predictions(None, uniform, n_bins=10).shares - 0.1) < 0.02,
        np.abs(
            FalseAlarmDisplay.from_predictions(None, uniform).realised
            - np.linspace(0.005, 0.25, 50)
        )
        < 0.04,
    ]
    assert all(part.all() for part in inside)


def test_false_alarms_are_of_compatible_rows():
    drawn = FalseAlarmDisplay.from_estimator(DETECTOR, X, KNOWN, rates=[0.05, 0.2])
    compatible = X[KNOWN > 0]
    assert drawn.n_samples == len(compatible)
    assert drawn.realised[1] == np.mean(DETECTOR.p_values(compatible) <= 0.2)
    assert drawn.threshold == (0.05, np.mean(DETECTOR.predict(compatible) == -1))


def test_rankings_are_scored_as_the_metric_does():
    drawn = RankingDisplay.from_estimator(RANKER, X, Y, QUERIES, k=4)
    scores = RANKER.decision_function(X, QUERIES)
    expected = [ndcg(Y, scores, QUERIES, k=k) for k in drawn.ranks]
    assert_allclose(drawn.values, expected)
    assert (drawn.chance < drawn.values).all()


def test_shares_of_relevance_sum_to_one():
    drawn = RankingDisplay.from_predictions(Y, X[:, 0], QUERIES, kind="relevance", k=3)
    assert_allclose(drawn.values.sum(axis=0), 1)
    assert drawn.values[-1, 0] > 0.9


@pytest.mark.parametrize("name", GRADED_LOSSES)
def test_every_loss_of_two_energies_is_drawn(name):
    if GRADED_LOSSES[name].graded:
        with pytest.raises(ValueError, match="loss=.* is of all items"):
            LossDisplay.from_loss(name)
        return
    drawn = LossDisplay.from_loss(name)
    assert drawn.values.shape == (101, 101) and drawn.name == name


def test_losses_of_positive_energies_start_at_zero():
    assert LossDisplay.from_loss(LVQ2(relative=True)).plus.min() == 0


def test_densities_of_point_masses_and_of_few_values():
    rng = np.random.RandomState(0)
    y = np.where(rng.uniform(size=N) < 0.4, 0.0, np.exp(T))
    model = EnergyDensityEstimator("linear", location=Ridge(), random_state=0).fit(X, y)
    drawn = PredictiveDistributionDisplay.from_estimator(model, X[:2])
    points, masses = drawn.curves["row 0"].points
    assert_array_equal(points, [0])
    assert f"P = {masses[0]:.2f}" in drawn.ax_.texts[0].get_text()
    assert drawn.curves["row 0"].density.max() < 10
    model = EnergyDensityEstimator("linear", location=Ridge(), random_state=0).fit(X, Y)
    curve = PredictiveDistributionDisplay.from_estimator(model, X[:2]).curves["row 0"]
    assert curve.is_mass and abs(curve.density.sum() - 1) < 1e-9


def test_tables_are_compared_by_the_distance_of_their_cdfs():
    drawn = TableComparisonDisplay.from_predictions(X, np.stack([X[:, 0], X[:, 1] + 9, X[:, 2]], 1))
    assert_allclose(drawn.distances, [0, 1, 0])
    assert_allclose(*drawn.correlations)
    assert len(drawn.ax_) == 4


def test_tables_with_missing_values_and_constant_columns():
    table = np.where(X > 1.5, np.nan, X)
    table[:, 2] = 1
    drawn = TableComparisonDisplay.from_predictions(table, X)
    assert np.isfinite(drawn.distances).all()


def test_explanations_are_of_the_best_class_or_of_the_one_that_is_asked_for():
    explanation = CLASSIFIER.explain(X[:5])
    drawn = ExplanationDisplay.from_explanation(explanation, row=4, answer=2)
    assert_allclose(np.sort(drawn.values), np.sort(explanation.values[4, :, 2]))
    drawn = ExplanationDisplay.from_estimator(CLASSIFIER, X[:1])
    best = CLASSIFIER.predict(X[:1])[0]
    assert drawn.title.endswith(f"of class {best}")
    assert_allclose(drawn.values.sum(), CLASSIFIER.energies(X[:1]).min() - base_of(best))


def test_explanations_of_a_given_y_and_of_items():
    drawn = ExplanationDisplay.from_estimator(DENSITY, X[:4], T[:4], kind="row", row=2)
    found = DENSITY.explain(X[2:3], T[2:3])
    assert_allclose(np.sort(drawn.values), np.sort(found.values[0]))
    queries = np.zeros(4)
    drawn = ExplanationDisplay.from_estimator(RANKER, X[:4], groups=queries)
    found = RANKER.explain(X[:4], groups=queries).importances()
    assert_allclose(np.sort(drawn.values), np.sort(found))


def base_of(k):
    return np.broadcast_to(CLASSIFIER.explain(X[:1]).base, (1, 3))[0, k]


REFUSED = {
    "answer must be one of": lambda: draw("explanation", answer=7),
    "explanation must be": lambda: ExplanationDisplay.from_explanation(X),
    "contributions to": lambda: ExplanationDisplay.from_estimator(Ridge().fit(X, T), X),
    "features must be among": lambda: draw("landscape of a detector", features=("a", "b")),
    "feature must be among": lambda: PredictiveDistributionDisplay.from_estimator(
        DENSITY, X, feature="a"
    ),
    "features must name 2": lambda: draw("landscape of a detector", features=(0,)),
    "y is None": lambda: EnergyLandscapeDisplay.from_estimator(DENSITY, X),
    "y must hold these": lambda: EnergyHistogramDisplay.from_estimator(CLASSIFIER, X),
    "got Ridge": lambda: EnergyLandscapeDisplay.from_estimator(Ridge().fit(X, T), X),
    "detectors, classifiers": lambda: EnergyHistogramDisplay.from_estimator(DENSITY, X),
    "needs a classifier": lambda: ReliabilityDisplay.from_estimator(DENSITY, X, T),
    "by must be": lambda: draw("reliability", by="row"),
    "strategy must be": lambda: draw("reliability", strategy="kmeans"),
    "give classes=": lambda: ReliabilityDisplay.from_predictions([0, 1], np.ones((2, 3)) / 3),
    "conditional=True": lambda: PredictiveDistributionDisplay.from_estimator(JOINT, X),
    "pass fewer rows": lambda: draw("fan", feature=None, kind="density"),
    "PIT|cdf|calibration": lambda: PITDisplay.from_estimator(DETECTOR, X, T),
    "in \\[0, 1\\]": lambda: PITDisplay.from_predictions(None, [2.0]),
    "false alarms of": lambda: FalseAlarmDisplay.from_estimator(CLASSIFIER, X),
    "rates must be": lambda: draw("false alarms", rates=[0.0]),
    "there are none": lambda: FalseAlarmDisplay.from_estimator(DETECTOR, X, -np.ones(N)),
    "rankings of": lambda: RankingDisplay.from_estimator(CLASSIFIER, X, Y),
    "kind must be": lambda: draw("NDCG", kind="map"),
    "relevant item": lambda: RankingDisplay.from_predictions(0 * Y, T, QUERIES),
    "classes of the classifier": lambda: LossDisplay.from_estimator(CLASSIFIER, X, Y + 5),
    "limit": lambda: LossDisplay.from_loss("nll", limit=-1),
    "loss must be": lambda: LossDisplay.from_loss("huber"),
    "conditional=False": lambda: TableComparisonDisplay.from_estimator(DENSITY, X),
    "X_drawn": lambda: TableComparisonDisplay.from_predictions(X, X[:, :2]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_drawn_is_refused(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()
