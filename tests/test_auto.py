"""energy="auto": which energies are tried, kept, and what is done where none can be."""

import pickle
import time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier, EnergyRanker
from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm.energies import AutoEnergy, KernelEnergy, LinearEnergy, TreesEnergy
from sk_ebm.exceptions import NothingLearnedWarning
from sk_ebm.losses import NLL

KEYS = {"term", "loss_alone", "loss_in_pool", "seconds", "kept"}


def auto(**params):
    return EnergyClassifier("auto", random_state=0, **params)


def blobs(n, n_columns, shares, spread, seed):
    """Rows of Gaussian classes, each class at least once."""
    rng = np.random.RandomState(seed)
    y = rng.choice(len(shares), n, p=shares)
    y[: 2 * len(shares)] = np.repeat(np.arange(len(shares)), 2)
    centres = spread * rng.standard_normal((len(shares), n_columns))
    return centres[y] + rng.standard_normal((n, n_columns)), y


def steps(n, seed):
    """Classes that only splits of columns tell apart."""
    rng = np.random.RandomState(seed)
    X = rng.uniform(-2, 2, (n, 6))
    worth = np.floor(X[:, 0]) + np.floor(X[:, 1]) * (X[:, 2] > 0) + 0.6 * rng.standard_normal(n)
    return X, np.digitize(worth, [-1.5, 0, 1])


def words(n, seed):
    """Counts of 2,000 words in short texts of five topics."""
    rng = np.random.RandomState(seed)
    topics, y = rng.dirichlet(np.full(2000, 0.05), 5), rng.randint(5, size=n)
    counts = [rng.multinomial(30, 0.3 * topics[k] + 0.7 / 2000) for k in y]
    return sparse.csr_matrix(np.array(counts, dtype=float)), y


def queries(seed=0, n_queries=60):
    rng = np.random.RandomState(seed)
    codes = np.repeat(np.arange(n_queries), 8)
    X = rng.standard_normal((len(codes), 5))
    worth = X[:, 0] + 2 * (X[:, 1] > 0) + 0.5 * rng.standard_normal(len(codes))
    return X, np.clip(np.round(worth), 0, 3), codes


def nats(classifier, X, y):
    """-log p of the correct class of each row."""
    p = classifier.predict_proba(X)[np.arange(len(y)), np.searchsorted(classifier.classes_, y)]
    return -np.log(np.maximum(p, 1e-15))


RARE = [0.6, 0.38, 0.012, 0.008]
LAWS = {
    "rare classes": (lambda seed: blobs(800, 6, RARE, 1.2, seed), 300),
    "30 classes": (lambda seed: blobs(700, 10, np.full(30, 1 / 30), 1.5, seed), 300),
    "two classes": (lambda seed: blobs(800, 8, [0.5, 0.5], 0.5, seed), 300),
    "wide text": (lambda seed: words(500, seed), 200),
    "steps": (lambda seed: steps(800, seed), 300),
    "100 rows": (lambda seed: blobs(600, 5, [0.4, 0.4, 0.2], 0.9, seed), 100),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("make, n", LAWS.values(), ids=LAWS)
def test_the_pool_is_not_worse_than_its_best_member(make, n, seed):
    """By more than a standard error of the member's loss, at its own temperature."""
    X, y = make(seed)
    pool = auto().fit(X[:n], y[:n])
    ours = nats(pool, X[n:], y[n:])
    target = np.searchsorted(pool.classes_, y[n:])
    test = Objective(Labels(target, len(pool.classes_)), NLL(), np.ones(len(target)))
    for term in pool.energy_.terms_.values():
        outputs = term(X[n:])
        alone = test.values(test.learn_beta(outputs) * outputs)
        assert ours.mean() <= alone.mean() + alone.std() / np.sqrt(len(alone))


def test_what_was_tried_is_told():
    X, y = steps(400, 0)
    classifier = auto().fit(X, y)
    found = classifier.selection_
    assert set(found) == KEYS
    assert len({len(values) for values in found.values()}) == 1
    kept = set(found["term"][found["kept"]])
    assert kept == set(classifier.energy_.terms_) == set(classifier.energy_.weights_)
    assert "trees" in kept
    assert min(classifier.energy_.weights_.values()) >= 0.02
    assert (found["seconds"] > 0).all()
    assert found["loss_in_pool"][-1] <= found["loss_alone"].min()


def test_candidates_without_gain_are_not_fitted_further(monkeypatch):
    """Trees of columns that say nothing: their sketch is fitted, and they are not."""
    rounds = []
    original = TreesEnergy.fit

    def fit(self, inputs, training):
        rounds.append(self.n_estimators)
        return original(self, inputs, training)

    monkeypatch.setattr(TreesEnergy, "fit", fit)
    X, y = make_blobs(400, 2, centers=3, cluster_std=3.0, random_state=0)
    found = auto().fit(X, y).selection_
    assert dict(zip(found["term"], found["kept"], strict=True))["trees"] == np.False_
    assert rounds == [30]


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
def test_a_fit_depends_on_data_and_seed_alone(effort):
    X, y = blobs(80, 3, [0.5, 0.5], 0.7, 0)
    first, second = (auto(effort=effort).fit(X, y) for _ in range(2))
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert list(first.selection_["term"]) == list(second.selection_["term"])
    if effort == "low":
        assert set(first.selection_["term"]) <= {"linear", "kernel"}


def test_rules_see_missing_values_and_words():
    X, y = steps(300, 0)
    X[::5, 0] = np.nan
    tried = auto().fit(X, y).selection_["term"]
    assert_array_equal(tried, auto().fit(pd.DataFrame(X), y).selection_["term"])
    assert {"linear", "trees"} <= set(tried)
    assert set(auto().fit(*words(300, 0)).selection_["term"]) == {"linear"}


def test_sketches_and_weights_of_samples(rng):
    X, y = steps(300, 0)
    weights = rng.randint(0, 3, 300).astype(float)
    weighted = auto().fit(X, y, sample_weight=weights)
    assert np.isfinite(weighted.predict_proba(X)).all()


def test_groups_are_not_split(monkeypatch):
    X, y = steps(240, 0)
    groups, seen = np.arange(240) // 2, []
    original = KernelEnergy.fit

    def fit(self, inputs, training):
        seen.append(len(training.answers))
        return original(self, inputs, training)

    monkeypatch.setattr(KernelEnergy, "fit", fit)
    classifier = auto(cv=2).fit(X, y, groups=groups)
    assert seen == [240, 120, 120]
    assert classifier.selection_["kept"].any()


def test_a_member_that_fails_is_left_out(monkeypatch):
    def fit(self, inputs, training):
        raise MemoryError("no room")

    monkeypatch.setattr(KernelEnergy, "fit", fit)
    X, y = steps(200, 0)
    with pytest.warns(UserWarning, match="leaves out the energy 'kernel'.*MemoryError: no room"):
        classifier = auto().fit(X, y)
    assert "kernel" not in classifier.energy_.terms_
    row = dict(zip(classifier.selection_["term"], classifier.selection_["loss_alone"], strict=True))
    assert np.isnan(row["kernel"])


def test_an_error_of_all_members_is_raised(monkeypatch):
    def fit(self, inputs, training):
        raise MemoryError("no room")

    for kind in (LinearEnergy, KernelEnergy):
        monkeypatch.setattr(kind, "fit", fit)
    X, y = steps(200, 0)
    with pytest.warns(UserWarning, match="leaves out"), pytest.raises(MemoryError, match="no room"):
        auto(effort="low").fit(X, y)


def test_little_time_leaves_the_cheapest():
    X, y = steps(200, 0)
    with pytest.warns(UserWarning, match="max_seconds=1e-06 is too little"):
        classifier = auto(max_seconds=1e-6).fit(X, y)
    assert len(classifier.energy_.terms_) == 1
    assert classifier.selection_["kept"].tolist()[0]
    assert len(classifier.selection_["term"]) > 1
    assert set(auto(max_seconds=1e6).fit(X, y).energy_.terms_) > {"trees"}


@pytest.mark.parametrize(
    "make, term",
    [
        (lambda: (np.ones((40, 3)), np.arange(40) % 2), "constant"),
        (lambda: (np.full((40, 3), np.nan), np.arange(40) % 2), "constant"),
        (lambda: (np.arange(12.0).reshape(6, 2), np.arange(6)), "linear"),
        (lambda: (pd.DataFrame({"a": ["b"] * 40, "c": 1}), np.arange(40) % 2), "constant"),
        (lambda: (pd.DataFrame({"a": [None] * 40}), np.arange(40) % 2), "constant"),
        (lambda: (pd.DataFrame({"a": list("abcdef")}), np.arange(6)), "linear"),
    ],
    ids=[
        *("constant", "missing", "one row per class"),
        *("constant frame", "missing frame", "frame of one row per class"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*beta is 1:UserWarning")
def test_where_nothing_can_be_compared(make, term):
    X, y = make()
    with pytest.warns(NothingLearnedWarning, match="No energies can be compared"):
        classifier = auto().fit(X, y)
    assert list(classifier.energy_.terms_) == [term]
    if term == "constant":
        assert_allclose(classifier.predict_proba(X), 0.5, atol=0.02)


def test_an_interrupted_fit_leaves_nothing(monkeypatch):
    X, y = steps(200, 0)
    classifier = auto(effort="low").fit(X, y)
    before = classifier.energy_

    def fit(self, inputs, training):
        raise KeyboardInterrupt

    monkeypatch.setattr(KernelEnergy, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y)
    assert classifier.energy_ is before
    fresh = auto()
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X, y)
    assert not hasattr(fresh, "energy_") and not hasattr(fresh, "selection_")


@pytest.mark.parametrize(
    "params, message",
    [({"effort": "most"}, "effort must be"), ({"max_seconds": 0}, "max_seconds must be")],
)
@pytest.mark.parametrize("estimator", [EnergyClassifier, EnergyRanker])
def test_bad_parameters_are_named(estimator, params, message):
    X, y, codes = queries()
    arguments = {} if estimator is EnergyClassifier else {"groups": codes}
    with pytest.raises(ValueError, match=message):
        estimator("auto", **params).fit(X, y, **arguments)


def test_pipelines_searches_copies_and_pickles():
    X, y = blobs(80, 3, [0.5, 0.5], 0.7, 0)
    model = make_pipeline(StandardScaler(), auto())
    search = GridSearchCV(model, {"energyclassifier__effort": ["low", "medium"]}, cv=2).fit(X, y)
    p = search.predict_proba(X)
    assert_array_equal(pickle.loads(pickle.dumps(search)).predict_proba(X), p)
    assert_array_equal(clone(search.best_estimator_).fit(X, y).predict_proba(X), p)


def test_other_energies_have_no_selection():
    X, y = steps(100, 0)
    assert EnergyClassifier().get_params()["effort"] == "medium"
    with pytest.raises(AttributeError, match="selection_ exists once"):
        _ = EnergyClassifier().fit(X, y).selection_
    refitted = auto(effort="low").fit(X, y).set_params(energy="linear").fit(X, y)
    assert not hasattr(refitted, "selection_")


def test_label_sets_pool_energies_of_values():
    X, y = steps(120, 0)
    labels = np.column_stack([y > 0, y > 1]).astype(int)
    classifier = auto(effort="low").fit(X, labels)
    assert classifier.predict(X).shape == labels.shape


@pytest.mark.parametrize("effort", ["low", "medium"])
def test_rankers_choose_by_held_out_ndcg(effort):
    X, y, codes = queries(n_queries=30)
    ranker = EnergyRanker("auto", effort=effort, random_state=0).fit(X, y, groups=codes)
    found = ranker.selection_
    assert set(found) == KEYS
    assert found["kept"].any() and found["kept"].sum() == len(ranker.energy_.terms_)
    linear = EnergyRanker(random_state=0).fit(X, y, groups=codes)
    X_test, y_test, test_codes = queries(1)
    gain = ranker.score(X_test, y_test, groups=test_codes)
    assert gain >= linear.score(X_test, y_test, groups=test_codes) - 0.01


def test_a_single_query_is_ranked_by_the_linear_energy():
    X, y, _ = queries(n_queries=3)
    with pytest.warns(NothingLearnedWarning, match="No energies can be compared"):
        ranker = EnergyRanker("auto", random_state=0).fit(X, y, groups=np.zeros(len(y)))
    assert list(ranker.energy_.terms_) == ["linear"]


def test_the_component_alone_and_in_time():
    X, y = steps(200, 0)
    start = time.perf_counter()
    classifier = EnergyClassifier(AutoEnergy("low"), random_state=0).fit(X, y)
    assert classifier.selection_["seconds"].sum() <= time.perf_counter() - start
    assert_array_equal(classifier.predict_proba(X), auto(effort="low").fit(X, y).predict_proba(X))
