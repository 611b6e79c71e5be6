"""What a classifier of very many classes answers, against all of its energies at once."""

import json
from copy import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError

from sk_ebm import EnergyClassifier
from sk_ebm._estimators import class_inference
from sk_ebm._utils import memory
from sk_ebm.energies import Energy, FitResult, MLPEnergy

N_CLASSES = 1200
DENSE = ("predict_proba", "predict_log_proba", "decision_function", "energies", "predict_set")


class ClassMeans(Energy):
    """-E(x, y) = <x, m_y> - |m_y|^2 / 2, with the mean m_y of each class."""

    answers = frozenset({"classes"})

    def fit(self, inputs, training):
        target = training.answers.target
        self.means_ = np.zeros((training.answers.n_classes, inputs.shape[1]))
        np.add.at(self.means_, target, inputs)
        self.means_ /= np.maximum(np.bincount(target, minlength=len(self.means_)), 1)[:, None]
        return FitResult(self)

    def features(self, inputs):
        return inputs

    def class_vectors(self):
        return self.means_, -0.5 * np.square(self.means_).sum(axis=1)

    def __call__(self, inputs):
        vectors, biases = self.class_vectors()
        return np.asarray(inputs @ vectors.T) + biases


@pytest.fixture(scope="module")
def many():
    """Rows of very many classes, two of each, their names, and new rows."""
    rng = np.random.RandomState(0)
    means = rng.standard_normal((N_CLASSES, 8))
    names = np.array([f"class {k}" for k in rng.permutation(N_CLASSES)])
    X = np.repeat(means, 2, axis=0) + 0.2 * rng.standard_normal((2 * N_CLASSES, 8))
    return X, np.repeat(names, 2), means + 0.2 * rng.standard_normal(means.shape), names


@pytest.fixture(scope="module")
def fitted(many):
    X, y, X_new, names = many
    classifier = EnergyClassifier(ClassMeans(), beta=3.0, recall=1.0)
    return classifier.fit(X, y).conformalize(X_new[:600], names[:600])


@pytest.fixture
def recalling(fitted, request):
    """The same, with the parameter as recall."""
    fitted.set_params(recall=request.param)
    yield fitted
    fitted.set_params(recall=1.0)


either_recall = pytest.mark.parametrize("recalling", [0.95, 1.0], indirect=True)


@either_recall
@pytest.mark.parametrize("k", [1, 10, 10**9])
def test_the_best_classes_are_those_of_least_energy(k, recalling, many):
    X_new = many[2][:100]
    top = recalling.top_k(X_new, k)
    energies, probabilities = recalling.energies(X_new), recalling.predict_proba(X_new)
    best = np.argsort(energies, axis=1, kind="stable")[:, :k]
    assert top._fields == ("classes", "energies", "probabilities")
    assert_array_equal(top.classes, recalling.classes_[best])
    assert_allclose(top.energies, np.take_along_axis(energies, best, axis=1), rtol=1e-10)
    rtol = 1e-10 if recalling.recall == 1 else 1e-4
    assert_allclose(top.probabilities, np.take_along_axis(probabilities, best, axis=1), rtol=rtol)


@either_recall
def test_decisions_and_energies_of_inputs(recalling, many):
    X_new = many[2]
    energies = recalling.energies(X_new)
    assert_array_equal(recalling.predict(X_new), recalling.classes_[energies.argmin(axis=1)])
    assert_allclose(recalling.least_energy(X_new), energies.min(axis=1), rtol=1e-10)
    free = -np.log(np.exp(-3.0 * energies).sum(axis=1)) / 3.0
    assert_allclose(recalling.free_energy(X_new), free, rtol=1e-5)
    assert recalling.score(X_new, many[3]) == np.mean(recalling.predict(X_new) == many[3])


def test_no_energies_of_all_classes_are_computed(fitted, many, monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(ClassMeans, "__call__", refuse)
    X_new, names = many[2:]
    fitted.predict(X_new)
    fitted.top_k(X_new)
    fitted.predict_set(X_new, sparse=True)
    fitted.conformalize(X_new[:600], names[:600])


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_sparse_sets_are_the_same_sets(coverage, fitted, many):
    X_new, names = many[2][600:], many[3][600:]
    sets, compact = (fitted.predict_set(X_new, coverage, sparse=s) for s in (False, True))
    assert compact.format == "csr"
    assert compact.dtype == sets.dtype == bool
    assert_array_equal(compact.toarray(), sets)
    covered = sets[np.arange(600), np.searchsorted(fitted.classes_, names)].mean()
    assert abs(covered - coverage) < 0.06


def test_sets_with_a_level_for_each_class():
    rng = np.random.RandomState(0)
    y = np.repeat(np.arange(3), 60)
    X = rng.standard_normal((180, 2)) + y[:, None]
    classifier = EnergyClassifier(calibrate=True, random_state=0).fit(X, y)
    sets, compact = (
        classifier.predict_set(X, 0.8, by_class=True, sparse=sparse) for sparse in (False, True)
    )
    assert_array_equal(compact.toarray(), sets)


@pytest.mark.parametrize("name", ["linear", "kernel", "mlp", "prototype", "trees"])
def test_few_classes(name, rng):
    y = np.repeat(np.arange(4), 30)
    X = rng.standard_normal((120, 3)) + y[:, None]
    energy = MLPEnergy(n_epochs=3) if name == "mlp" else name
    classifier = EnergyClassifier(energy, random_state=0).fit(X, y)
    top, order = classifier.top_k(X, 3), np.argsort(classifier.energies(X), axis=1, kind="stable")
    assert_array_equal(top.classes, order[:, :3])
    expected = np.take_along_axis(classifier.predict_proba(X), order[:, :3], axis=1)
    assert_allclose(top.probabilities, expected, rtol=1e-10)
    assert classifier.inference_ == {
        "method": "exact",
        "recall": 1.0,
        "negatives": "all",
        "proposal": None,
    }


@pytest.mark.parametrize("energy", ["linear", "kernel", "mlp"])
def test_searches_by_class_vectors_agree_with_all_energies(energy, monkeypatch, rng):
    y = np.repeat(np.arange(6), 30)
    X = rng.standard_normal((180, 4)) + y[:, None]
    energy = MLPEnergy(n_epochs=3) if energy == "mlp" else energy
    for given in (X, csr_matrix(X)):
        classifier = EnergyClassifier(energy, random_state=0).fit(given, y)
        expected = classifier.top_k(given, 4)
        monkeypatch.setattr(class_inference, "_MOST_HELD", 5)
        found = classifier.top_k(given, 4)
        monkeypatch.undo()
        assert_array_equal(found.classes, expected.classes)
        assert_allclose(found.energies, expected.energies, rtol=1e-7, atol=1e-7)


def test_rejection_by_search(many):
    X, y, X_new, names = many
    classifier = EnergyClassifier(
        ClassMeans(), beta=3.0, reject="false_alarm", reject_label="none of them"
    )
    classifier.fit(X, y).conformalize(X_new[:600], names[:600])
    rejected = classifier.predict(X_new[600:]) == "none of them"
    assert 0.01 < rejected.mean() < 0.12
    above = classifier.input_energies(X_new[600:]) > classifier.reject_threshold_
    assert_array_equal(rejected, above)


@pytest.mark.parametrize("k", [0, -3, 2.5, None, "10"])
def test_a_bad_k_is_named(k, fitted, many):
    with pytest.raises(ValueError, match="k must be an integer >= 1, got"):
        fitted.top_k(many[2], k)


@pytest.mark.parametrize("recall", [0, -0.1, 1.5, None, "most"])
def test_a_bad_recall_is_named(recall, fitted, many):
    with pytest.raises(ValueError, match="recall must be a finite number"):
        EnergyClassifier(recall=recall).fit(*many[:2])
    with pytest.raises(ValueError, match="recall must be a finite number > 0 and <= 1"):
        copy(fitted).set_params(recall=recall).predict(many[2])


@pytest.mark.parametrize("name", DENSE)
def test_what_exceeds_memory_is_refused_before_any_work(name, fitted):
    rows = np.broadcast_to(np.zeros(8), (10**12, 8))  # which nothing could even copy
    with pytest.raises(ValueError, match=r"10{12} rows need .* GiB .* top_k\(X, k\)"):
        getattr(fitted, name)(rows)


def test_a_k_that_exceeds_memory_is_refused(fitted):
    with pytest.raises(ValueError, match="Use a smaller k, or fewer rows"):
        fitted.top_k(np.broadcast_to(np.zeros(8), (10**12, 8)), 5)


def test_results_that_fit_are_given_in_blocks(fitted, many, monkeypatch):
    expected = fitted.predict_proba(many[2])
    monkeypatch.setattr(class_inference, "row_blocks", lambda X, k: [slice(0, 7), slice(7, None)])
    monkeypatch.setattr(memory, "_ALWAYS_FITS", 0)
    assert_allclose(fitted.predict_proba(many[2]), expected, rtol=1e-10)


def test_before_a_fit():
    with pytest.raises(NotFittedError):
        EnergyClassifier().top_k([[0.0]])


@pytest.mark.parametrize("negatives, expected", [(np.int64(5), 5), ("auto", "all"), ("all", "all")])
def test_inference_can_be_written_as_json(negatives, expected, rng):
    classifier = EnergyClassifier(negatives=negatives)
    classifier.fit(rng.standard_normal((60, 3)), np.arange(60) % 20)
    assert json.loads(json.dumps(classifier.inference_))["negatives"] == expected
