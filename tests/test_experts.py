"""Classifiers and densities of scikit-learn as energies of classes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from sk_ebm import EnergyClassifier, EnergyDetector, EnergyRanker
from sk_ebm.energies import SumEnergy

EXPERTS = {
    "logistic": LogisticRegression(),
    "forest": RandomForestClassifier(20),
    "neighbors": KNeighborsClassifier(),
    "svc": SVC(),
    "ridge": RidgeClassifier(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "boosting": HistGradientBoostingClassifier(max_iter=20),
    "ours": EnergyClassifier("kernel"),
    "mixture": GaussianMixture(covariance_type="diag"),
    "kernel density": KernelDensity(),
}
every_expert = pytest.mark.parametrize("name", EXPERTS)


@every_expert
@pytest.mark.parametrize("data", ["wine", "cancer"])
def test_every_expert_decides(name, data, request):
    X, X_test, y, y_test = request.getfixturevalue(data)
    classifier = EnergyClassifier(EXPERTS[name], random_state=0).fit(X, y)
    assert classifier.score(X_test, y_test) > 0.9
    assert log_loss(y_test, classifier.predict_proba(X_test)) < 0.5


@every_expert
def test_experts_follow_the_seed_and_survive_a_pickle(name, wine):
    X, X_test, y, _ = wine
    one, same = (
        EnergyClassifier(EXPERTS[name], beta=1, random_state=0).fit(X, y) for _ in range(2)
    )
    assert_array_equal(one.energies(X_test), same.energies(X_test))
    assert_array_equal(one.energies(X_test), pickle.loads(pickle.dumps(one)).energies(X_test))


@pytest.mark.parametrize("data", ["wine", "cancer"])
def test_energies_of_a_classifier_are_minus_log_p(data, request):
    X, X_test, y, _ = request.getfixturevalue(data)
    expert = LogisticRegression().fit(X, y)
    energies = EnergyClassifier(LogisticRegression(), beta=1).fit(X, y).energies(X_test)
    n, n_classes = len(y), len(np.unique(y))
    mixed = (n * expert.predict_proba(X_test) + 1 / n_classes) / (n + 1)
    assert_allclose(energies, -np.log(mixed), rtol=1e-10)


def drawn_classes(n, n_classes, rng):
    """Rows, and classes of which the last is the rarest."""
    X = rng.standard_normal((n, 4))
    energies = np.linspace(0, 3, n_classes) - 1.5 * X[:, [0]] * np.sin(np.arange(n_classes))
    p = np.exp(-energies) / np.exp(-energies).sum(axis=1, keepdims=True)
    return X, (p.cumsum(axis=1) < rng.uniform(size=(n, 1))).sum(axis=1)


BALANCED = {
    "logistic": LogisticRegression(class_weight="balanced"),
    "svc": SVC(class_weight="balanced"),
    "tree": DecisionTreeClassifier(class_weight="balanced", min_samples_leaf=50),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")),
    "pooled": [LogisticRegression(class_weight="balanced"), "linear"],
    "residual": SumEnergy([LogisticRegression(class_weight="balanced"), "linear"], "residual"),
}


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("name", BALANCED)
def test_probabilities_have_the_shares_of_the_data(name, n_classes, rng):
    X, y = drawn_classes(1200, n_classes, rng)
    p = EnergyClassifier(BALANCED[name], random_state=0).fit(X, y).predict_proba(X)
    assert_allclose(p.mean(axis=0), np.bincount(y) / len(y), atol=0.02)


def test_the_loss_does_not_act_on_the_shares_of_an_expert(rng):
    X, y = drawn_classes(1200, 3, rng)
    one, other = (
        EnergyClassifier(BALANCED["logistic"], loss, random_state=0).fit(X, y)
        for loss in ("nll", "mce")
    )
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_frozen_experts_of_resampled_rows_have_the_shares_of_the_data(rng):
    X, y = drawn_classes(1500, 3, rng)
    rows = np.concatenate([rng.choice(np.flatnonzero(y == k), 100) for k in range(3)])
    frozen = FrozenEstimator(LogisticRegression().fit(X[rows], y[rows]))
    classifier = EnergyClassifier(frozen).fit(X, y)
    assert_allclose(classifier.predict_proba(X).mean(axis=0), np.bincount(y) / len(y), atol=0.02)
    assert classifier.energy_.weight_ > 0


def test_shares_that_are_right_stay_as_they_are(cancer):
    X, _, y, _ = cancer
    expert = make_pipeline(StandardScaler(), LogisticRegression())
    energy = EnergyClassifier(expert).fit(X, y).energy_
    assert (energy.weight_, energy.constant_) == (1.0, 0.0)


def test_balanced_classes_have_the_shares_that_were_asked_for(rng):
    X, y = drawn_classes(1500, 2, rng)
    balanced = EnergyClassifier(LogisticRegression(), class_weight="balanced").fit(X, y)
    weights = len(y) / (2 * np.bincount(y))[y]
    assert_allclose(np.average(balanced.predict_proba(X)[:, 1], weights=weights), 0.5, atol=0.02)


@pytest.mark.parametrize("expert", [DecisionTreeClassifier(), KNeighborsClassifier(1)], ids=str)
def test_probabilities_of_zero_and_one_give_finite_energies(expert, wine):
    X, X_test, y, _ = wine
    energies = EnergyClassifier(expert, beta=1, random_state=0).fit(X, y).energies(X_test)
    assert_allclose(energies.max(), np.log(3 * (len(y) + 1)))
    assert_allclose(np.exp(-energies).sum(axis=1), 1)


def test_a_density_expert_is_a_generative_classifier(wine):
    X, X_test, y, _ = wine
    ours = EnergyClassifier(GaussianMixture(covariance_type="diag", reg_covar=0), beta=1).fit(X, y)
    peer = GaussianNB(var_smoothing=0).fit(X, y)
    assert_allclose(ours.predict_proba(X_test), peer.predict_proba(X_test), atol=1e-6)
    joint = peer.predict_joint_log_proba(X_test)
    assert_allclose(ours.free_energy(X_test), -np.logaddexp.reduce(joint, axis=1), rtol=1e-6)


def test_normalised_experts_have_no_free_energy(wine):
    X, X_test, y, _ = wine
    classifier = EnergyClassifier(LogisticRegression()).fit(X, y)
    assert not hasattr(classifier, "free_energy")
    with pytest.raises(AttributeError) as caught:
        classifier.free_energy(X_test)
    assert "-log p" in str(caught.value.__cause__) and "least_energy" in str(caught.value.__cause__)
    assert_allclose(classifier.least_energy(X_test), classifier.energies(X_test).min(axis=1))
    assert hasattr(EnergyClassifier(SVC()).fit(X, y), "free_energy")


def test_a_frozen_estimator_is_not_fitted_again(wine):
    X, X_test, y, y_test = wine
    names = np.array(["a", "b", "c"])
    fitted = LogisticRegression().fit(X, names[y])
    before = fitted.coef_.copy()
    classifier = EnergyClassifier(FrozenEstimator(fitted)).fit(X[:30], names[y[:30]])
    assert_array_equal(fitted.coef_, before)
    assert classifier.score(X_test, names[y_test]) > 0.9


def test_a_frozen_estimator_with_other_classes(wine):
    X, X_test, y, _ = wine
    fitted = FrozenEstimator(LogisticRegression().fit(X, y))
    two = y < 2
    classifier = EnergyClassifier(fitted, beta=1).fit(X[two], y[two])
    assert set(classifier.predict(X_test)) == {0, 1}
    assert_allclose(classifier.predict_proba(X_test).sum(axis=1), 1)
    with pytest.raises(ValueError, match=r"knows the classes \[0, 1, 2\], none of which"):
        EnergyClassifier(fitted, beta=1).fit(X, y + 10)


@pytest.mark.parametrize("expert", [LogisticRegression(), RidgeClassifier(), KernelDensity()])
def test_a_class_that_a_fold_lacks_is_incompatible(expert, rng):
    X, y = rng.standard_normal((41, 2)), np.arange(41) % 2
    X[:, 0] += 6 * y
    y[0] = 2  # its only row is in no training fold of its own test fold
    classifier = EnergyClassifier([expert, "linear"], random_state=0).fit(X, y)
    assert np.isfinite(classifier.energies(X)).all()
    assert classifier.score(X, y) > 0.9


def test_weights_reach_experts_that_take_them(wine):
    X, _, y, _ = wine
    weights = np.where(y == 2, 1e-6, 1.0)
    for expert in (LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())):
        classifier = EnergyClassifier(expert, beta=1).fit(X, y, sample_weight=weights)
        assert 2 not in classifier.predict(X)
    without = EnergyClassifier(KNeighborsClassifier(), beta=1)
    with pytest.raises(ValueError, match=r"sample_weight.*KNeighborsClassifier"):
        without.fit(X, y, sample_weight=weights)
    zero = without.fit(X, y, sample_weight=(y < 2).astype(float))
    assert 2 not in zero.predict(X)


ROUTED = {
    "unset": LogisticRegression,
    "requested": lambda: LogisticRegression().set_fit_request(sample_weight=True),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
}


@pytest.mark.parametrize("name", ROUTED)
def test_routing_passes_weights_on_as_without_routing(name, wine):
    X, _, y, _ = wine
    weights = np.where(y == 2, 1e-6, 1.0)
    plain = ROUTED["pipeline" if name == "pipeline" else "unset"]()
    expected = EnergyClassifier(plain, beta=1).fit(X, y, sample_weight=weights).energies(X)
    with config_context(enable_metadata_routing=True):
        classifier = EnergyClassifier(ROUTED[name](), beta=1)
        found = classifier.fit(X, y, sample_weight=weights).energies(X)
        assert classifier.set_params(class_weight="balanced").fit(X, y).score(X, y) > 0.9
    assert_allclose(found, expected)


def test_a_request_that_is_turned_off_is_heeded(wine):
    X, _, y, _ = wine
    weights = np.where(y == 2, 1e-6, 1.0)
    with config_context(enable_metadata_routing=True):
        deaf = LogisticRegression().set_fit_request(sample_weight=False)
        with pytest.raises(ValueError, match="not have the request turned off"):
            EnergyClassifier(deaf, beta=1).fit(X, y, sample_weight=weights)


class Fails(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("no licence")

    def predict_proba(self, X):
        return np.ones((len(X), 2)) / 2


@pytest.mark.parametrize(
    "energy, error, message",
    [
        (LinearRegression(), ValueError, "LinearRegression.* takes .*a classifier with predict"),
        (IsolationForest(), ValueError, "classifier with predict_proba or .*IsolationForest"),
        (make_pipeline(StandardScaler()), ValueError, "classifier with predict_proba"),
        (LogisticRegression, ValueError, "energy must be one of"),
        (SVC(decision_function_shape="ovo"), None, None),
    ],
)
def test_bad_energies_are_named(energy, error, message, wine):
    if error is None:  # three classes have as many pairs
        assert EnergyClassifier(energy).fit(wine[0], wine[2]).score(wine[0], wine[2]) >= 0
        return
    with pytest.raises(error, match=message):
        EnergyClassifier(energy).fit(wine[0], wine[2])


def test_an_expert_that_raises_is_named_and_the_fitted_model_survives(cancer):
    X, X_test, y, _ = cancer
    classifier = EnergyClassifier().fit(X, y)
    before = classifier.predict_proba(X_test)
    with pytest.raises(RuntimeError, match="no licence") as caught:
        classifier.set_params(energy=["linear", Fails()]).fit(X, y)
    assert "Fails()" in caught.value.__notes__[0]
    assert_array_equal(classifier.predict_proba(X_test), before)


def test_decisions_with_a_column_per_pair_are_refused(rng):
    X, y = rng.standard_normal((80, 2)), np.arange(80) % 4
    with pytest.raises(ValueError, match="a column for each of the 4 classes, got 6"):
        EnergyClassifier(SVC(decision_function_shape="ovo")).fit(X, y)


def test_experts_read_frames_and_text_themselves():
    texts = pd.Series(["cheap pills", "noon lunch", "cheap watch", "noon talk"] * 10)
    y = np.array(["spam", "mail"] * 20)
    model = EnergyClassifier(
        [
            make_pipeline(TfidfVectorizer(), MultinomialNB()),
            make_pipeline(TfidfVectorizer(), LogisticRegression()),
        ]
    )
    for X in (texts, texts.tolist(), texts.to_numpy()):
        assert model.fit(X, y).predict(["cheap talk pills"]).tolist() == ["spam"]


def test_groups_stay_together_in_the_folds(rng):
    """Labels are noise, the same in all rows of a group: only split groups make a forest sure."""
    groups = np.repeat(np.arange(40), 5)
    X = np.repeat(rng.standard_normal((40, 2)), 5, axis=0)
    y = np.repeat(np.arange(40) % 2, 5)
    forest = EnergyClassifier(RandomForestClassifier(20), random_state=0)
    split = forest.fit(X, y).beta_
    assert forest.fit(X, y, groups=groups).beta_ < 0.3 * split
    assert forest.set_params(cv=GroupKFold(4)).fit(X, y, groups=groups).beta_ < 0.3 * split
    assert forest.set_params(cv=4).fit(X, y, groups=groups).beta_ < 0.3 * split


SITES = {
    "linear": "linear",
    "prototype": "prototype",
    "expert": RandomForestClassifier(10),
    "pooled": ["linear", GaussianNB()],
    "residual": SumEnergy([GaussianNB(), "linear"], "residual"),
}


@pytest.mark.parametrize("settings", [{}, {"cv": TimeSeriesSplit(4)}, {"cv": KFold(3)}], ids=str)
@pytest.mark.parametrize("name", SITES)
def test_classes_that_only_one_fold_has_are_held_out_nevertheless(name, settings, rng):
    y = np.repeat(["mild", "severe", "none"], 30)
    X = rng.standard_normal((90, 3)) + 2.5 * np.eye(3)[np.repeat([0, 1, 2], 30)]
    groups = None if settings else y
    classifier = EnergyClassifier(SITES[name], random_state=0, **settings)
    with pytest.warns(UserWarning, match="not fitted on the classes.*Give groups, or a cv"):
        classifier.fit(X, y, groups=groups)
    assert log_loss(y, classifier.predict_proba(X)) < 0.5


@pytest.mark.parametrize("energy", [0, 1, 2], ids=["single", "sum", "beside numbers"])
def test_arrays_with_missing_values_are_taken_as_frames_are(energy, rng):
    X = rng.standard_normal((90, 3))
    y = (X[:, 0] > 0).astype(int)
    X[rng.uniform(size=X.shape) < 0.1] = np.nan
    pipeline = make_pipeline(SimpleImputer(), LogisticRegression())
    both = [pipeline, HistGradientBoostingClassifier(max_iter=5)]
    classifier = EnergyClassifier([pipeline, both, [*both, "linear"]][energy], random_state=0)
    expected = classifier.fit(pd.DataFrame(X), y).predict_proba(pd.DataFrame(X))
    assert_allclose(classifier.fit(X, y).predict_proba(X), expected)


class Given(ClassifierMixin, BaseEstimator):
    """Probabilities that are given, for classes in any order."""

    def __init__(self, p=None, order=None):
        self.p = p
        self.order = order

    def fit(self, X, y):
        self.classes_ = np.unique(y) if self.order is None else np.asarray(self.order)
        return self

    def predict_proba(self, X):
        return np.asarray(self.p)[X[:, 0].astype(int)]


@pytest.mark.parametrize("row", [[np.nan, np.nan, np.nan], [0, 0, 0], [np.inf, 0, 0], [-1, 2, 0]])
def test_rows_without_probabilities_have_finite_normalised_energies(row):
    X, y = np.repeat([[0.0], [1.0], [2.0]], 5, axis=0), np.repeat([0, 1, 2], 5)
    expert = Given([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], row])
    energies = EnergyClassifier(expert, beta=1).fit(X, y).energies(X)
    assert_allclose(np.exp(-energies).sum(axis=1), 1)
    assert np.isfinite(EnergyClassifier(expert).fit(X, y).predict_proba(X)).all()


@pytest.mark.parametrize("p", [np.full((3, 3), np.nan), np.ones((3, 2)) / 2], ids=["nan", "shape"])
def test_experts_without_any_probability_are_refused(p):
    X, y = np.repeat([[0.0], [1.0], [2.0]], 5, axis=0), np.repeat([0, 1, 2], 5)
    for energy in (Given(p), [Given(p), "linear"]):
        with pytest.raises(ValueError, match="(?s)predict_proba of the expert Given.*finite"):
            EnergyClassifier(energy).fit(X, y)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of naive Bayes itself
def test_constant_columns_are_refused_where_the_expert_gives_no_probabilities():
    with pytest.raises(ValueError, match="GaussianNB.*Constant or huge columns"):
        EnergyClassifier(GaussianNB()).fit(np.ones((20, 2)), np.arange(20) % 2)


def test_classes_of_an_expert_may_be_in_any_order(wine):
    y = wine[2]
    p = np.eye(3) * 0.7 + 0.1
    rows = y[:, None].astype(float)
    sorted_, reversed_ = (
        EnergyClassifier(Given(p[:, order], order), beta=1).fit(rows, y).energies(rows)
        for order in ([0, 1, 2], [2, 1, 0])
    )
    assert_allclose(sorted_, reversed_)


LABELS = {
    "strings": np.array(["b", "c", "a"]),
    "objects": np.array(["b", "c", "a"], dtype=object),
    "negative": np.array([-5, 0, 7]),
}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", ["logistic", "mixture", "pooled"])
def test_renamed_labels_rename_probabilities(name, labels, wine):
    X, X_test, y, _ = wine
    energy = [LogisticRegression(), GaussianNB()] if name == "pooled" else EXPERTS[name]
    plain, renamed = (
        EnergyClassifier(energy, random_state=0, cv=3).fit(X, target)
        for target in (y, LABELS[labels][y])
    )
    columns = np.argsort(np.argsort(LABELS[labels]))
    found = renamed.predict_proba(X_test)[:, columns]
    assert_allclose(found, plain.predict_proba(X_test), atol=1e-5)


def test_far_rows_have_finite_probabilities(wine):
    X, _, y, _ = wine
    far = np.full((1, X.shape[1]), 1e100)
    for expert in (KernelDensity(kernel="tophat"), RidgeClassifier(), GaussianNB(), SVC()):
        with np.errstate(all="ignore"):
            p = EnergyClassifier(expert, random_state=0).fit(X, y).predict_proba(far)
        assert np.isfinite(p).all()


def test_a_fitted_estimator_is_fitted_again_with_a_warning(wine):
    X, _, y, _ = wine
    fitted = LogisticRegression().fit(X[:60], y[:60])
    message = "fitted LogisticRegression.*FrozenEstimator"
    for energy in (fitted, ["linear", fitted], [("a", "linear"), ("b", fitted)]):
        with pytest.warns(UserWarning, match=message) as caught:
            EnergyClassifier(energy, beta=1, random_state=0).fit(X, y)
        assert caught[0].filename == __file__
    EnergyClassifier(FrozenEstimator(fitted), beta=1).fit(X, y)
    GridSearchCV(EnergyClassifier(fitted), {"beta": [1, 2]}, cv=2, refit=False).fit(X, y)


@pytest.mark.filterwarnings("ignore:.* beta is 1, the temperature of training")
@pytest.mark.parametrize("loss", ["nll", "hinge"])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_residual_sums_of_sure_experts_on_few_rows_fit_or_say_why(n, loss, rng):
    X, y = rng.standard_normal((n, 2)), np.array([0, 1, 0, 1, 0])[:n]
    residual = EnergyClassifier(SumEnergy([GaussianNB(), "linear"], "residual"), loss)
    try:
        assert np.isfinite(residual.fit(X, y).predict_proba(X)).all()
    except ValueError as error:
        assert n < 5 and "several rows of a class" in str(error)


@pytest.mark.parametrize("expert", [SVC(), GaussianMixture(), KernelDensity(), GaussianNB()])
def test_a_class_without_weight_has_no_probability(expert, rng):
    X, y = rng.standard_normal((120, 2)), np.arange(120) % 3
    X[:, 0] += 4 * (y == 1)
    for energy in (expert, [expert, "linear"], SumEnergy([expert, "linear"], "residual")):
        classifier = EnergyClassifier(energy, beta=1, random_state=0)
        p = classifier.fit(X, y, sample_weight=(y < 2).astype(float)).predict_proba(X)
        assert p.shape == (120, 3) and p[:, 2].max() < 0.02


def test_an_expert_that_fails_on_constant_columns_says_so():
    X, y = np.ones((12, 1)), np.arange(12) % 2
    with pytest.raises(ValueError, match=r"Analysis\(\) cannot be fitted on these rows"):
        EnergyClassifier(LinearDiscriminantAnalysis()).fit(X, y)


def test_an_expert_that_fails_on_huge_columns_says_so():
    X = np.array([[-1e200], [1e200], [0.0], [1e200]])
    with pytest.raises(ValueError, match=r"Mixture\(\) cannot be fitted .*infs.* huge columns out"):
        EnergyDetector(GaussianMixture()).fit(X)


def test_an_expert_whose_sums_overflow_is_refused_by_name(rng):
    X = (3e38 * rng.uniform(-1, 1, size=(12, 2))).astype(np.float32)
    with pytest.raises(ValueError, match=r"LinearRegression\(\) cannot be fitted on .* X"):
        EnergyRanker(LinearRegression()).fit(X, np.arange(12) % 3, groups=np.arange(12) // 3)


def test_a_far_training_row_is_refused_without_warnings(rng):
    X = rng.standard_normal((30, 2))
    X[0] = 1e155
    with pytest.raises(ValueError, match="not finite"):
        EnergyDetector(OneClassSVM()).fit(X)
