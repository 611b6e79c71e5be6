"""Sets of labels as answers."""

import itertools
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier
from sk_ebm._core.label_links import Links, learn_links, transitions_of
from sk_ebm._core.label_sets import LabelSets, LabelTree, LinkedLabelSets, chow_liu
from sk_ebm._core.objective import Objective
from sk_ebm.energies import KernelEnergy, LinearEnergy, MLPEnergy, TreesEnergy
from sk_ebm.losses import NLL, Hinge, Log
from sk_ebm.losses._registry import LOSSES

n, L = 12, 4
TREE = LabelTree(np.array([2, 0, 3, 1]), np.array([-1, 0, 0, 2]))
EDGES = {(2, 0), (2, 3), (3, 1)}
SETS = np.array(list(itertools.product([0, 1], repeat=L)))


def draw(rng, n_rows=400, n_labels=6, d=8, strength=2.5):
    """Rows and label sets with a chain of links, and the log odds and weights that they follow."""
    tree = LabelTree(np.arange(n_labels), np.arange(n_labels) - 1)
    weights = strength * rng.choice([-1, 1], n_labels - 1)
    X = rng.standard_normal((n_rows, d))
    log_odds = X @ rng.standard_normal((d, n_labels)) / np.sqrt(d) * 2
    log_odds[:, 1:] -= weights / 2
    log_odds[:, :-1] -= weights / 2
    gibbs = Links(tree, 0.0, weights, 1.0).distribution(log_odds)
    return X, gibbs.sample(rng).reshape(n_rows, n_labels), (tree, log_odds, weights)


@pytest.fixture
def data(rng):
    X, y, _ = draw(rng)
    return X[:200], y[:200], X[200:], y[200:]


@pytest.fixture
def fitted(data):
    return EnergyClassifier(random_state=0).fit(*data[:2])


def enumerated(outputs, weights):
    """Energies (n, 2^L) of all label sets of outputs, with links."""
    pairs = sum(w * SETS[:, a] * SETS[:, b] for w, (a, b) in zip(weights, TREE.edges, strict=True))
    return -(outputs @ (SETS - 0.5).T) - pairs


def test_edges_are_those_of_the_tree():
    assert {tuple(edge) for edge in TREE.edges.tolist()} == EDGES


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_the_distribution_is_that_of_all_label_sets(beta, rng):
    outputs, weights = rng.standard_normal((n, L)), 2 * rng.standard_normal(L - 1)
    gibbs = Links(TREE, np.zeros(L), weights, beta).distribution(outputs)
    energies = enumerated(outputs, weights)
    assert_allclose(gibbs.log_z, logsumexp(-beta * energies, axis=1), rtol=1e-12)
    p = np.exp(-beta * energies - gibbs.log_z[:, None])
    assert_allclose(gibbs.marginals[:, 1].reshape(n, L), p @ SETS, atol=1e-12)
    assert_array_equal(gibbs.mode.reshape(n, L), SETS[energies.argmin(axis=1)])
    labels, least = gibbs.best(16)
    assert_allclose(least, np.sort(energies, axis=1), rtol=1e-10, atol=1e-12)
    assert_array_equal(labels[1].reshape(n, L), SETS[energies.argsort(axis=1)[:, 1]])


@pytest.mark.parametrize("loss", [NLL(), Hinge(), Log()], ids=repr)
def test_losses_see_the_correct_set_and_the_others(loss, rng):
    outputs, weights = rng.standard_normal((n, L)), 2 * rng.standard_normal(L - 1)
    y = rng.randint(2, size=(n, L))
    objective = Objective(LinkedLabelSets(y, TREE, transitions_of(weights), loss), loss, np.ones(n))
    energies, rows = enumerated(outputs, weights), np.arange(n)
    correct = (SETS @ 2 ** np.arange(L)).argsort()[y @ 2 ** np.arange(L)]
    plus = energies[rows, correct]
    if isinstance(loss, NLL):
        expected = plus + logsumexp(-energies, axis=1)
    else:
        wrong = (SETS[None] != y[:, None]).sum(axis=2)
        margins = wrong if isinstance(loss, Hinge) else np.zeros_like(wrong)
        energies[rows, correct] = np.inf
        gap = plus - (energies - margins).min(axis=1)
        expected = np.maximum(gap, 0) if isinstance(loss, Hinge) else np.log1p(np.exp(gap))
    assert_allclose(objective.values(outputs), expected, rtol=1e-9, atol=1e-12)
    direction = rng.standard_normal((n, L))
    ahead, behind = (
        objective.value_and_gradient(outputs + s * 1e-6 * direction)[0] for s in (1, -1)
    )
    gradient = objective.value_and_gradient(outputs)[1]
    assert_allclose((ahead - behind) / 2e-6, np.vdot(gradient, direction), rtol=1e-5)


def test_independent_labels_have_the_sum_of_their_losses(rng):
    outputs, y, weights = (
        rng.standard_normal((n, L)),
        rng.randint(2, size=(n, L)),
        rng.uniform(size=n),
    )
    objective = Objective(LabelSets(y), NLL(), weights)
    expected = np.sum(np.log1p(np.exp(outputs)) - y * outputs, axis=1)
    assert_allclose(objective.values(outputs), expected, rtol=1e-12)
    value, gradient = objective.value_and_gradient(outputs)
    shares = weights / weights.sum()
    p = 1 / (1 + np.exp(-outputs))
    assert_allclose(value, shares @ expected)
    assert_allclose(gradient, shares[:, None] * (p - y), rtol=1e-10)
    assert_allclose(objective.curvature(outputs).diagonal, shares[:, None] * p * (1 - p))
    assert_allclose(objective.second_order(outputs)[2], weights[:, None] * p * (1 - p))


def test_independent_labels_are_logistic_regressions(rng):
    X, y, _ = draw(rng, 200)
    training_alpha = 1 / len(X)
    classifier = EnergyClassifier(alpha=training_alpha, beta=1.0, tol=1e-12)
    answers = LabelSets(y)
    training = classifier._training(NLL(), answers, np.ones(len(X)), None, None, calibrates=False)
    energy = LinearEnergy().fit(X, training.replace(report=None)).energy
    for label in range(y.shape[1]):
        peer = LogisticRegression(tol=1e-10).fit(X, y[:, label])
        assert_allclose(energy.coef_[:, label], peer.coef_[0], atol=1e-5)


def test_folds_spread_rare_labels(rng):
    y = np.zeros((100, 3), dtype=int)
    y[:, 0] = 1
    y[rng.permutation(100)[:5], 2] = 1
    folds = LabelSets(y).folds(5, rng)
    assert [y[test, 2].sum() for _, test in folds] == [1] * 5


def test_chow_liu_finds_the_tree(rng):
    log_odds = np.zeros((4000, L))
    gibbs = Links(TREE, np.zeros(L), np.array([3.0, -3.0, 3.0]), 1.0).distribution(log_odds)
    y = gibbs.sample(rng).reshape(-1, L)
    tree = chow_liu(y - y.mean(axis=0), np.ones(len(y)))
    assert {frozenset(edge) for edge in tree.edges.tolist()} == {frozenset(e) for e in EDGES}
    assert sorted(tree.order) == list(range(L))
    assert (tree.parents[1:] < np.arange(1, L)).all()


def test_links_are_estimated_within_their_errors(rng):
    """At the known log odds of 20,000 rows."""
    _, y, (tree, log_odds, weights) = draw(rng, 20_000, L)
    links = learn_links(log_odds, y, np.ones(len(y)), 1.0)
    found = dict(zip(map(frozenset, links.tree.edges.tolist()), links.weights, strict=True))
    expected = dict(zip(map(frozenset, tree.edges.tolist()), weights, strict=True))
    assert found.keys() == expected.keys()
    assert links.beta == pytest.approx(1.0, abs=0.05)
    assert all(abs(found[edge] - expected[edge]) < 0.2 for edge in found)


def test_links_pay(data):
    """Subset accuracy and joint log-loss, against independent labels and a chain of classifiers."""
    X, y, X_test, y_test = data
    classifier = EnergyClassifier(random_state=0).fit(X, y)
    labels = range(y.shape[1])
    alone = [EnergyClassifier(random_state=0).fit(X, y[:, i]) for i in labels]
    independent = np.column_stack([c.predict(X_test) for c in alone])
    chain = ClassifierChain(LogisticRegression()).fit(X, y).predict(X_test)
    accuracies = [(p == y_test).all(axis=1).mean() for p in (independent, chain)]
    assert classifier.score(X_test, y_test) > max(accuracies)
    surprisals = sum(log_loss(y_test[:, i], c.predict_proba(X_test)) for i, c in enumerate(alone))
    assert classifier.pair_energies(X_test, y_test).mean() < 0.95 * surprisals


def test_a_joint_refit_pays(rng, monkeypatch):
    X, y, _ = draw(rng, 3000)
    monkeypatch.setattr(LinearEnergy, "fits_chains", False)
    stacked = EnergyClassifier(random_state=0).fit(X[:1000], y[:1000])
    monkeypatch.undo()
    joint = EnergyClassifier(random_state=0).fit(X[:1000], y[:1000])
    losses = [c.pair_energies(X[1000:], y[1000:]).mean() for c in (stacked, joint)]
    assert losses[1] < losses[0] - 0.01


def test_what_it_predicts(fitted, data):
    X, y = data[2], data[3]
    proba, decision = fitted.predict_proba(X), fitted.decision_function(X)
    assert_array_equal(fitted.classes_, np.arange(6))
    assert fitted.predict(X).dtype == int and set(np.unique(fitted.predict(X))) == {0, 1}
    assert_allclose(decision, np.log(proba / (1 - proba)), rtol=1e-6)
    assert_allclose(fitted.predict_log_proba(X), np.log(proba))
    every = np.array(list(itertools.product([0, 1], repeat=6)))
    joint = np.array([fitted.predict_joint_proba(X, np.tile(s, (len(X), 1))) for s in every])
    assert_allclose(joint.sum(axis=0), 1)
    assert_allclose(proba, joint.T @ every, atol=1e-12)
    assert_array_equal(fitted.predict(X), every[joint.argmax(axis=0)])
    assert_allclose(fitted.predict_joint_proba(X, y), np.exp(-fitted.pair_energies(X, y)))
    energies = fitted.energies(X, y)
    free = fitted.free_energy(X)
    assert_allclose(fitted.pair_energies(X, y), fitted.beta_ * (energies - free), atol=1e-10)
    assert_allclose(fitted.least_energy(X), fitted.energies(X, fitted.predict(X)))
    assert fitted.score(X, y) == (fitted.predict(X) == y).all(axis=1).mean()
    assert fitted.score(X, y, np.arange(len(X))) != fitted.score(X, y)


def test_the_best_label_sets(fitted, data):
    sets, energies, probabilities = fitted.top_k(data[2], 100)
    assert sets.shape == (200, 64, 6)
    assert_allclose(probabilities.sum(axis=1), 1)
    assert (np.diff(energies, axis=1) >= -1e-12).all()
    assert_array_equal(sets[:, 0], fitted.predict(data[2]))


@pytest.mark.parametrize(
    "energy",
    [
        KernelEnergy(),
        MLPEnergy((8,), n_epochs=20),
        TreesEnergy(20, early_stopping=False),
        ["linear", "kernel"],
    ],
    ids=lambda energy: type(energy).__name__,
)
def test_energies_take_label_sets(energy, data):
    X, y, X_test, y_test = data
    classifier = EnergyClassifier(energy, random_state=0).fit(X, y)
    chance = np.log(2) * y.shape[1]
    assert classifier.pair_energies(X_test, y_test).mean() < 0.9 * chance
    assert classifier.score(X_test, y_test) > 0.1


@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"energy"}))
def test_losses_take_label_sets(loss, data):
    X, y, X_test, y_test = data
    classifier = EnergyClassifier(loss=loss, alpha=0.01, max_iter=40, random_state=0)
    classifier.fit(X, y)
    assert classifier.pair_energies(X_test, y_test).mean() < 0.75 * np.log(2) * y.shape[1]


def test_representations_of_y_are_the_same(data):
    X, y, X_test, _ = data
    classifier = EnergyClassifier(alpha=0.1, random_state=0)
    expected = clone(classifier).fit(X, y).predict_proba(X_test)
    for same in (csr_matrix(y), y.astype(bool), y.astype(np.float32)):
        found = clone(classifier).fit(X, same)
        assert_array_equal(found.predict_proba(X_test), expected)
        assert found.score(X, same) == found.score(X, y)


def test_sparse_rows(data):
    X, y, X_test, _ = data
    classifier = EnergyClassifier(alpha=0.1, random_state=0).fit(csr_matrix(X), y)
    dense = clone(classifier).fit(X, y)
    found = classifier.predict_proba(csr_matrix(X_test))
    assert_allclose(found, dense.predict_proba(X_test), atol=0.1)


def test_a_row_of_weight_two_is_two_rows(data):
    X, y, X_test, _ = data
    weights = np.arange(len(X)) % 3
    classifier = EnergyClassifier(alpha=0.1, tol=1e-12, cv=[(np.arange(100), np.arange(100, 200))])
    weighted = classifier.fit(X, y, weights).predict_proba(X_test)
    rows = np.repeat(np.arange(len(X)), weights)
    cv = [(np.flatnonzero(rows < 100), np.flatnonzero(rows >= 100))]
    repeated = clone(classifier).set_params(cv=cv).fit(X[rows], y[rows])
    assert_allclose(weighted, repeated.predict_proba(X_test), atol=1e-4)


def test_a_given_beta_is_kept(data):
    assert EnergyClassifier(beta=0.7).fit(*data[:2]).beta_ == pytest.approx(0.7)


def test_searches_pickles_and_groups(data):
    X, y, X_test, y_test = data
    pipeline = make_pipeline(StandardScaler(), EnergyClassifier(random_state=0))
    search = GridSearchCV(pipeline, {"energyclassifier__alpha": [0.01, 1.0]}, cv=2).fit(X, y)
    assert search.best_params_ == {"energyclassifier__alpha": 0.01}
    loaded = pickle.loads(pickle.dumps(search))
    assert_array_equal(loaded.predict(X_test), search.predict(X_test))
    groups = np.arange(len(X)) // 4
    grouped = EnergyClassifier(alpha=0.1, cv=3).fit(X, y, groups=groups)
    assert grouped.score(X_test, y_test) > 0.1
    EnergyClassifier(alpha=0.1).fit(X, y, groups=groups)


def test_constant_labels_are_predicted_as_they_are(data):
    X, y, X_test, _ = data
    with_constant = np.column_stack([np.ones(len(y), int), y, np.zeros(len(y), int)])
    classifier = EnergyClassifier(random_state=0).fit(X, with_constant)
    alone = EnergyClassifier(random_state=0).fit(X, y)
    assert_array_equal(classifier.predict(X_test)[:, [0, -1]], [[1, 0]] * len(X_test))
    assert_allclose(
        classifier.predict_proba(X_test)[:, 1:-1], alone.predict_proba(X_test), atol=1e-9
    )
    assert_allclose(classifier.predict_proba(X_test)[:, 0], 1 - 0.5 / (len(y) + 1))
    assert classifier.structure_.edges.shape == (7, 2)
    assert classifier.coef_.shape == (8, X.shape[1])
    assert not classifier.coef_[[0, -1]].any()


def test_one_label_that_varies(data):
    X, y, X_test, _ = data
    classifier = EnergyClassifier(random_state=0).fit(X, y * [1, 0, 0, 0, 0, 0])
    assert classifier.predict(X_test).shape == y.shape
    assert classifier.predict(X_test)[:, 1:].max() == 0


def test_empty_label_sets_and_few_rows(rng):
    X, y = make_multilabel_classification(12, 5, n_classes=3, random_state=0)
    with_empty = np.vstack([y, np.zeros((4, 3), int)])
    classifier = EnergyClassifier().fit(np.vstack([X, X[:4]]), with_empty)
    assert np.isfinite(classifier.predict_proba(X)).all()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda y: y + 1, "must hold 0 and 1.*row 0, column 0"),
        (lambda y: np.where(y, 0.5, 0), "must hold 0 and 1"),
        (lambda y: np.where(y, np.nan, 0), "must hold 0 and 1.*nan"),
        (lambda y: np.where(y, "a", "b"), "must hold 0 and 1"),
        (lambda y: csr_matrix(2 * y), "must hold 0 and 1"),
        (lambda y: np.zeros_like(y), "must hold a label that some rows"),
        (lambda y: y[:-1], "inconsistent numbers of samples"),
        (lambda y: y[:, :, None], "dim 3"),
        (lambda y: csr_matrix(y[:, :1]), "two columns or more"),
    ],
)
def test_bad_label_sets_are_refused(change, message, data):
    X, y, *_ = data
    with pytest.raises(ValueError, match=message):
        EnergyClassifier().fit(X, change(y))


@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": "balanced"},
        {"calibrate": True},
        {"reject": "false_alarm"},
        {"parents": {0: "a"}},
        {"negatives": 3},
        {"transitions": "none"},
        {"constraints": "bio"},
    ],
    ids=str,
)
def test_options_of_classes_are_refused(options, data):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is of other answers"):
        EnergyClassifier(**options).fit(*data[:2])


@pytest.mark.parametrize("energy", ["prototype", "embedding", RandomForestClassifier()])
def test_energies_of_classes_alone_are_refused(energy, data):
    with pytest.raises(ValueError, match="answers of several parts"):
        EnergyClassifier(energy).fit(*data[:2])


@pytest.mark.parametrize("method", ["predict_set", "input_energies"])
def test_what_is_of_classes_says_so(method, fitted, data):
    with pytest.raises(AttributeError, match="fitted to sets of labels"):
        getattr(fitted, method)(data[2])


def test_sequences_and_calibration_are_of_other_answers(fitted, data):
    with pytest.raises(ValueError, match="sequences= names the sequence"):
        fitted.predict(data[2], sequences=np.zeros(200))
    with pytest.raises(AttributeError, match="fitted to sets of labels"):
        fitted.conformalize(*data[2:])


def test_energies_need_label_sets(fitted, data):
    with pytest.raises(ValueError, match="needs y, the sets"):
        fitted.energies(data[2])


def test_other_numbers_of_columns_are_refused(fitted, data):
    for method in (fitted.score, fitted.energies, fitted.predict_joint_proba):
        with pytest.raises(ValueError, match="6 columns, as in fit, one for each label"):
            method(data[2], data[3][:, :4])


def test_a_failed_fit_keeps_the_fitted_classifier(fitted, data):
    expected = fitted.predict(data[2])
    with pytest.raises(ValueError, match="0 and 1"):
        fitted.fit(data[0], data[1] + 1)
    assert_array_equal(fitted.predict(data[2]), expected)


def test_classes_after_label_sets(data):
    X, y, *_ = data
    classifier = EnergyClassifier(alpha=0.1, calibrate=True).fit(X, y[:, 0])
    classifier.set_params(calibrate=False).fit(X, y)
    assert not hasattr(classifier, "calibration_energies_")
    assert classifier.fit(X, y[:, 0]).predict(X).shape == (len(X),)
    assert not hasattr(classifier, "structure_")
    assert_allclose(
        classifier.predict_joint_proba(X, y[:, 0]), np.exp(-classifier.pair_energies(X, y[:, 0]))
    )


def test_tables_with_categories():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.standard_normal(200), "grade": rng.choice(list("abc"), 200)})
    first = (frame["grade"] == "a").to_numpy()
    y = np.stack([first, first | (frame["size"] > 0)], axis=1).astype(int)
    classifier = EnergyClassifier(alpha=0.01, random_state=0).fit(frame, y)
    assert (classifier.predict(frame) == y).mean() > 0.95
