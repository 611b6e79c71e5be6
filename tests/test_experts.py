"""Classifiers and densities of scikit-learn as energies of classes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GroupKFold
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sk_ebm import EnergyClassifier

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


def test_routing_asks_for_a_request(wine):
    X, _, y, _ = wine
    weights = np.where(y == 2, 1e-6, 1.0)
    with config_context(enable_metadata_routing=True):
        silent, asking = (
            LogisticRegression(),
            LogisticRegression().set_fit_request(sample_weight=True),
        )
        with pytest.raises(ValueError, match="request it"):
            EnergyClassifier(silent, beta=1).fit(X, y, sample_weight=weights)
        classifier = EnergyClassifier(asking, beta=1).fit(X, y, sample_weight=weights)
    assert 2 not in classifier.predict(X)


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
