"""explain, explain_terms and feature_importances_ of all estimators."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm.energies import INPUT_ENERGIES, LinearEnergy, SumEnergy, TreesEnergy
from sk_ebm.explanations import Explanation

X, Y = load_wine(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
CLOSED = ["linear", "trees", ["linear", "trees"], SumEnergy(["linear", "trees"], "residual")]
SAMPLED = ["kernel", "mlp", "prototype", ["linear", "kernel"], GaussianNB()]
CLOSED_INPUTS = ["gaussian", "mixture", "marginal", ["gaussian", "marginal"]]
FEW = slice(0, 178, 30)


def check_sums(explanation, energies):
    np.testing.assert_allclose(explanation.energies(), energies, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("energy", [*CLOSED, *SAMPLED], ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifiers(energy, n_classes):
    rows = n_classes > Y
    classifier = EnergyClassifier(energy, random_state=0).fit(X[rows], Y[rows])
    found = classifier.explain(X[FEW])
    check_sums(found, classifier.energies(X[FEW]))
    assert found.values.shape == (6, 13, n_classes)
    assert np.shape(found.base) == (n_classes,)
    closed = energy in CLOSED
    assert (found.errors is None) == closed
    assert hasattr(classifier, "feature_importances_") == closed
    if closed:
        np.testing.assert_allclose(
            classifier.feature_importances_, classifier.explain(X[rows]).importances(), rtol=0.2
        )
    check_sums(classifier.explain_terms(X[FEW]), classifier.energies(X[FEW]))


def test_coefficients_are_the_contributions_of_a_unit():
    classifier = EnergyClassifier().fit(X, Y)
    row = np.stack([X[0], X[0] + np.eye(13)[4]])
    change = np.diff(classifier.explain(row).values, axis=0)[0]
    np.testing.assert_allclose(change[4], -classifier.coef_[:, 4], rtol=1e-9)
    assert np.abs(np.delete(change, 4, axis=0)).max() < 1e-12


@pytest.mark.parametrize("energy", ["auto", *INPUT_ENERGIES, *CLOSED_INPUTS[3:], KernelDensity()])
@pytest.mark.parametrize("novelty", [False, True])
def test_detectors(energy, novelty):
    detector = EnergyDetector(energy, novelty=novelty, random_state=0).fit(X)
    found = detector.explain(X[FEW])
    check_sums(found, detector.energies(X[FEW]))
    assert found.values.shape == (6, 13)
    assert np.ndim(found.base) in (0, 1)
    if energy in CLOSED_INPUTS:
        assert found.errors is None
        assert detector.feature_importances_.shape == (13,)
    check_sums(detector.explain_terms(X[FEW]), detector.energies(X[FEW]))


def test_a_labelled_detector():
    labels = np.where(Y == 2, -1, 0)
    detector = EnergyDetector(labels="anomaly", random_state=0).fit(X, labels)
    check_sums(detector.explain(X[FEW]), detector.energies(X[FEW]))


@pytest.mark.parametrize("energy", ["auto", "gaussian", "mixture", "neighbors"])
def test_the_changed_cell_has_the_largest_contribution(energy):
    changed = X[:40].copy()
    changed[np.arange(40), np.arange(40) % 13] += 8
    found = EnergyDetector(energy, novelty=True, random_state=0).fit(X).explain(changed)
    assert (found.values.argmax(axis=1) == np.arange(40) % 13).mean() > 0.9


def test_constant_and_missing_columns():
    table = np.column_stack([X, np.ones(len(X))])
    table[::9, 3] = np.nan
    for energy in CLOSED_INPUTS:
        detector = EnergyDetector(energy, random_state=0).fit(table)
        found = detector.explain(table[FEW])
        check_sums(found, detector.energies(table[FEW]))
        assert not found.values[:, 13].any()


@pytest.mark.parametrize("energy", ["linear", "trees", "kernel", "mlp"])
def test_sparse_tables(energy):
    table = sparse.csr_array(np.maximum(X, 0))
    classifier = EnergyClassifier(energy, random_state=0).fit(table, Y)
    check_sums(classifier.explain(table[FEW]), classifier.energies(table[FEW]))


@pytest.mark.parametrize("energy", ["gaussian", "mixture"])
def test_sparse_rows_of_detectors(energy):
    table = sparse.csr_array(np.maximum(X, 0))
    detector = EnergyDetector(energy, random_state=0).fit(table)
    found = detector.explain(table[FEW])
    check_sums(found, detector.energies(table[FEW]))
    assert found.errors is not None


@pytest.mark.parametrize("energy", ["linear", "trees", "kernel"])
@pytest.mark.parametrize("normalize", [None, "query"])
def test_rankers(energy, normalize):
    table, y = load_diabetes(return_X_y=True)
    queries = np.repeat(np.arange(34), 13)
    relevance = np.digitize(y, [100, 200])
    ranker = EnergyRanker(energy, normalize=normalize, random_state=0)
    ranker.fit(table, relevance, groups=queries)
    few = slice(26)
    found = ranker.explain(table[few], groups=queries[few])
    check_sums(found, ranker.energies(table[few], groups=queries[few]))
    assert found.values.shape == (26, 10)
    assert np.ndim(found.base) == 0
    terms = ranker.explain_terms(table[few], groups=queries[few])
    check_sums(terms, ranker.energies(table[few], groups=queries[few]))


def test_densities():
    table, y = load_diabetes(return_X_y=True)
    table, y = table[:150, :4], y[:150]
    density = EnergyDensityEstimator(location=Ridge(), random_state=0).fit(table, y)
    found = density.explain(table[:3], y[:3])
    check_sums(found, -density.log_prob(table[:3], y[:3]))
    with pytest.raises(AttributeError, match="explain"):
        _ = density.feature_importances_
    with pytest.raises(ValueError, match="y is None"):
        density.explain(table[:3])
    with pytest.raises(ValueError, match="inconsistent"):
        density.explain(table[:3], y[:2])
    joint = EnergyDensityEstimator(conditional=False, random_state=0).fit(table)
    found = joint.explain(table[:5])
    check_sums(found, -joint.score_samples(table[:5]))
    assert found.errors is None
    assert joint.feature_importances_.shape == (4,)


def test_names_of_frames_and_slices():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=load_wine().feature_names)
    classifier = EnergyClassifier().fit(frame, Y)
    found = classifier.explain(frame[:9])
    assert found.feature_names == list(frame.columns)
    assert found.to_frame().shape == (9, 39)
    assert found.to_frame()[0].columns.tolist() == list(frame.columns)
    part = found[[2, 5]]
    check_sums(part, classifier.energies(frame.iloc[[2, 5]]))
    assert len(found[2]) == 1
    detector = EnergyDetector("mixture").fit(frame)
    found = detector.explain(frame[:9])
    check_sums(found[::2], detector.energies(frame[:9:2]))  # its base is one of each row
    assert found.to_frame().columns.tolist() == list(frame.columns)


def test_densities_of_frames_with_categories():
    pd = pytest.importorskip("pandas")
    table, y = load_diabetes(return_X_y=True)
    frame = pd.DataFrame(table[:150, :2], columns=["age", "sex"])
    frame["grade"] = np.array(["low", "middle", "high"])[np.arange(150) % 3]
    frame.loc[4, "age"] = np.nan
    y = y[:150] + 200 * (frame["grade"] == "high").to_numpy()
    density = EnergyDensityEstimator("linear", location=Ridge(), random_state=0).fit(frame, y)
    found = density.explain(frame[:6], pd.Series(y[:6]))  # without a warning
    check_sums(found, -density.log_prob(frame[:6], y[:6]))
    assert found.feature_names == ["age", "sex", "grade"]
    assert found.values.shape == found.errors.shape == (6, 3)
    assert found.importances().argmax() == 2
    numbers = frame[["sex"]].assign(other=table[:150, 3])
    joint = EnergyDensityEstimator(conditional=False, n_orders=1, random_state=0).fit(numbers)
    assert joint.feature_importances_.shape == (2,)  # without a warning
    pair = np.stack([y, -y], axis=1)
    both = EnergyDensityEstimator("linear", location=Ridge(), random_state=0).fit(numbers, pair)
    check_sums(both.explain(numbers[:4], pair[:4]), -both.log_prob(numbers[:4], pair[:4]))
    with pytest.raises(ValueError, match="y must have 2 columns"):
        both.explain(numbers[:4], y[:4])


def test_experts_are_given_frames_as_they_came():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X[:, :2], columns=["ash", "hue"])
    forest = IsolationForest(n_estimators=20, random_state=0)
    detector = EnergyDetector(forest, random_state=0).fit(frame)
    found = detector.explain(frame[:3])  # without a warning of missing names
    check_sums(found, detector.energies(frame[:3]))
    frame["grade"] = pd.Categorical(np.array(["low", "high"])[Y % 2])
    encoder = make_column_transformer((OneHotEncoder(), ["grade"]), remainder="passthrough")
    classifier = EnergyClassifier(make_pipeline(encoder, LogisticRegression())).fit(frame, Y)
    found = classifier.explain(frame[:3])
    check_sums(found, classifier.energies(frame[:3]))
    assert found.feature_names == ["ash", "hue", "grade"]


def test_plots():
    plt = pytest.importorskip("matplotlib.pyplot")
    found = EnergyClassifier().fit(X, Y).explain(X[:4])
    ax = found.plot()
    assert ax.get_xlabel() == "mean absolute contribution to the energy"
    longest = int(found.importances().argmax())
    assert ax.get_yticklabels()[0].get_text() == f"x{longest}"
    assert found[0].plot(ax=plt.figure().add_subplot()).get_title().endswith("of class 0")
    assert found.plot(kind="row", row=3, answer=2).get_title().endswith("of class 2")
    with pytest.raises(ValueError, match="answer must be one of the classes"):
        found[0].plot(answer="nothing")
    with pytest.raises(ValueError, match="kind must be"):
        found.plot(kind="rows")
    plt.close("all")


def test_what_cannot_be_explained():
    with pytest.raises(NotFittedError):
        EnergyClassifier().explain(X)
    with pytest.raises(NotFittedError):
        _ = EnergyDetector().feature_importances_
    kernel = EnergyClassifier("kernel").fit(X, Y)
    with pytest.raises(AttributeError, match=r"explain\(X\).importances\(\)"):
        _ = kernel.feature_importances_
    with pytest.raises(ValueError, match="13"):
        kernel.explain(X[:, :3])
    sets = EnergyClassifier().fit(X, np.stack([Y == 0, Y == 1], axis=1).astype(int))
    with pytest.raises(AttributeError, match="explain is of classes"):
        sets.explain(X)


def test_saved_models_explain_the_same():
    detector = EnergyDetector(random_state=0).fit(X)
    restored = pickle.loads(pickle.dumps(detector))
    found, again = detector.explain(X[:2]), restored.explain(X[:2])
    np.testing.assert_array_equal(found.values, again.values)
    assert "2 rows" in repr(found)


def test_trees_and_linear_energies_of_a_sum_are_added():
    terms = EnergyClassifier([LinearEnergy(), TreesEnergy()], random_state=0).fit(X, Y)
    assert terms.explain_terms(X[:2]).feature_names == ["linear", "trees"]
    assert isinstance(terms.explain(X[:2]), Explanation)
