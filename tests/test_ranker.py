"""EnergyRanker: scikit-learn's contract, and what it promises beyond it."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.callback import ScoringMonitor
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier, EnergyRanker
from sk_ebm._core.objective import Objective
from sk_ebm.energies import LinearEnergy, MLPEnergy, SumEnergy, TreesEnergy
from sk_ebm.exceptions import MissingQueriesWarning, NothingLearnedWarning
from sk_ebm.losses import ContrastiveLoss, Curvature, GradedLoss, Loss, PairLoss
from sk_ebm.losses._lambdarank import Lambda
from sk_ebm.losses._registry import GRADED_LOSSES
from sk_ebm.metrics import RankingScorer, ndcg, ndcg_scorer

ENERGIES = ["linear", "kernel", "mlp", "trees"]
every_energy = pytest.mark.parametrize("energy", ENERGIES)


def made(n_queries, seed, noise=0.5, curve=0.5):
    """Items of three features, better along a curve of two; rows in any order."""
    rng = np.random.RandomState(seed)
    groups = rng.permutation(np.repeat(np.arange(n_queries), rng.randint(5, 15, size=n_queries)))
    X = rng.standard_normal((len(groups), 3)) + 0.5 * rng.standard_normal((n_queries, 3))[groups]
    worth = X[:, 0] + curve * np.abs(X[:, 1]) + noise * rng.standard_normal(len(X))
    return X, np.clip(np.round(worth), 0, 3), groups


@pytest.fixture
def train():
    return made(80, 0)


@pytest.fixture
def test():
    return made(60, 1)


def fitted(ranker, data):
    X, y, groups = data
    return ranker.fit(X, y, groups=groups)


def scored(ranker, train, test):
    X, y, groups = test
    return fitted(ranker, train).score(X, y, groups)


def brute_nll(coef, X, y, groups, alpha):
    """Listwise cross-entropy and penalty, query by query."""
    values = []
    for query in np.unique(groups):
        outputs, gains = X[groups == query] @ coef, 2.0 ** y[groups == query] - 1
        if gains.any():
            log_z = np.log(np.exp(outputs).sum())
            values.append(log_z - gains @ outputs / gains.sum())
    return np.mean(values) + alpha / 2 * coef @ coef


def test_linear_nll_is_the_optimum_of_listnet(train, rng):
    ranker = fitted(EnergyRanker(alpha=0.1, beta=1, tol=1e-12), train)
    best = brute_nll(ranker.coef_, *train, 0.1)
    assert_allclose(ranker.loss_curve_[-1], best, rtol=1e-8)
    for _ in range(5):
        assert brute_nll(ranker.coef_ + 0.01 * rng.standard_normal(3), *train, 0.1) > best


def test_one_relevant_item_of_equally_long_queries_is_multinomial_regression():
    """With the item's features at its own class, the choice among K items is a softmax."""
    rng = np.random.RandomState(0)
    x, y = rng.standard_normal((90, 2)), rng.randint(3, size=90)
    X = np.concatenate([np.kron(np.eye(3), row[None]) for row in x])
    relevant, groups = np.eye(3)[y].ravel(), np.repeat(np.arange(90), 3)
    ranker = EnergyRanker(alpha=1 / 90, beta=1, tol=1e-12).fit(X, relevant, groups=groups)
    peer = LogisticRegression(fit_intercept=False, tol=1e-10).fit(x, y)
    assert_allclose(ranker.coef_.reshape(3, 2), peer.coef_, atol=1e-5)
    assert_allclose(ranker.query_proba(X, groups).reshape(90, 3), peer.predict_proba(x), atol=1e-5)


@every_energy
@pytest.mark.parametrize("loss", [name for name in GRADED_LOSSES if name != "energy"])
def test_every_energy_trains_on_every_loss(energy, loss, train, test):
    small = {
        "mlp": MLPEnergy((16,), n_epochs=20),
        "trees": TreesEnergy(30, early_stopping=False),
    }
    ranker = EnergyRanker(small.get(energy, energy), loss, beta=1, random_state=0)
    assert scored(ranker, train, test) > 0.77


def test_noise_scores_lower_than_what_every_energy_must_reach(test, rng):
    _, y, groups = test
    assert ndcg(y, rng.standard_normal(len(y)), groups) < 0.65


@pytest.mark.parametrize(
    "energy, loss",  # others draw rows, or mini-batches
    [("linear", "nll"), ("linear", "pairwise_log"), ("trees", "nll"), ("trees", "lambda")],
)
def test_the_order_of_rows_does_not_matter(energy, loss, train, test, rng):
    order = rng.permutation(len(train[1]))
    first = fitted(EnergyRanker(energy, loss, random_state=0), train)
    second = fitted(EnergyRanker(energy, loss, random_state=0), [part[order] for part in train])
    assert_allclose(first.predict(test[0]), second.predict(test[0]), rtol=1e-5, atol=1e-5)


def test_queries_without_relevant_items_teach_nothing(train):
    X, y, groups = train
    more = np.random.RandomState(5).standard_normal((30, 3))
    with_empty = (
        np.vstack([X, more]),
        np.append(y, np.zeros(30)),
        np.append(groups, np.repeat([100, 101, 102], 10)),
    )
    ranker = EnergyRanker(alpha=0.1, beta=1, tol=1e-12)
    assert_allclose(
        fitted(clone(ranker), with_empty).coef_, fitted(clone(ranker), train).coef_, atol=1e-6
    )


def test_a_query_of_one_item_is_allowed_and_moves_nothing(train):
    X, y, groups = train
    one = np.vstack([X, [[9.0, 9, 9]]]), np.append(y, 3), np.append(groups, 100)
    ranker = EnergyRanker(alpha=0.0, beta=1, tol=1e-12)
    assert_allclose(fitted(clone(ranker), one).coef_, fitted(clone(ranker), train).coef_, atol=1e-6)


def test_columns_that_are_constant_in_each_query_get_no_weight(train):
    X, y, groups = train
    ranker = EnergyRanker(alpha=0.01).fit(np.column_stack([X, groups % 7]), y, groups=groups)
    assert abs(ranker.coef_[3]) < 1e-6


@pytest.mark.parametrize("kind", ["integers", "strings", "tuples", "mixed", "nothing in common"])
def test_groups_are_any_hashable_values(kind, train):
    X, y, groups = train
    name = {
        "integers": lambda q: int(q),
        "strings": lambda q: f"query {q:03d}",
        "tuples": lambda q: (int(q), "a"),
        "mixed": lambda q: int(q) if q % 2 else str(q),
        "nothing in common": lambda q: None if q == 0 else frozenset([q]),
    }[kind]
    ranker = EnergyRanker(alpha=0.1, beta=1, tol=1e-12)
    found = clone(ranker).fit(X, y, groups=[name(q) for q in groups])
    assert_allclose(found.coef_, fitted(ranker, train).coef_, rtol=1e-6)


def test_qid_is_another_name_of_groups(train):
    X, y, groups = train
    first = EnergyRanker(alpha=0.1).fit(X, y, qid=groups)
    assert_array_equal(first.coef_, fitted(EnergyRanker(alpha=0.1), train).coef_)
    assert first.score(X, y, qid=groups) == first.score(X, y, groups)


QUESTIONS = ["energies", "decision_function", "predict", "predict_proba", "query_proba", "rank"]


@pytest.mark.parametrize("question", [*QUESTIONS, "top_k"])
def test_every_question_takes_qid(question, train, test):
    X, _, groups = test
    ask = getattr(fitted(EnergyRanker(alpha=0.1, normalize="query"), train), question)
    for by_qid, by_groups in zip(ask(X, qid=groups), ask(X, groups), strict=True):
        assert_array_equal(by_qid, by_groups)
    with pytest.raises(ValueError, match="groups and qid are two names of one thing"):
        ask(X, groups, qid=groups)


@pytest.mark.parametrize(
    "make, column, message",
    [
        (np.asarray, 3, "an index < 3, got 3; X has no names of columns"),
        (np.asarray, -4, "an index < 3, got -4"),
        (np.asarray, "q", "got 'q'; X has no names of columns"),
        (np.asarray, True, "got True"),
        (np.ndarray.tolist, 3, "an index < 3, got 3"),
        (sparse.csr_matrix, 3, "an index < 3, got 3"),
        (lambda X: pd.DataFrame(X, columns=list("abc")), "q", r"got 'q'; X .*\['a', 'b', 'c'\]"),
        (lambda X: pl.DataFrame(X, schema=list("abc")), "q", r"got 'q'; X .*\['a', 'b', 'c'\]"),
        (lambda X: pd.DataFrame(X, columns=list("abc")), 3, "an index < 3, got 3"),
    ],
)
def test_a_missing_column_of_queries_is_named(make, column, message, train):
    X, y, _ = train
    with pytest.raises(ValueError, match=f"group_column must be the name .*{message}"):
        EnergyRanker(group_column=column).fit(make(X), y)


def test_a_column_of_queries_needs_rows_and_columns(train):
    with pytest.raises(ValueError, match=r"X must have two dimensions.* got the shape \(2,\)"):
        EnergyRanker(group_column=0).fit([1.0, 2.0], [0, 1])


def test_queries_in_lists_of_rows_are_not_rounded_or_made_strings(train):
    X, y, groups = train
    expected = fitted(EnergyRanker(alpha=0.1), train)
    for name in (lambda q: 2**60 + int(q), lambda q: f"q{q}"):
        rows = [[*row, name(q)] for row, q in zip(X.tolist(), groups, strict=True)]
        ranker = EnergyRanker(alpha=0.1, group_column=-1).fit(rows, y)
        assert_allclose(ranker.coef_, expected.coef_, rtol=1e-6)
        assert_allclose(ranker.score(rows, y), expected.score(X, y, groups), rtol=1e-10)


def test_weights_constant_in_queries_are_those_of_the_queries(train):
    X, y, groups = train
    twice = groups < 40
    repeated = [np.concatenate([part, part[twice]]) for part in (X, y)]
    again = np.append(groups, groups[twice] + 1000)
    ranker = EnergyRanker(alpha=0.1, beta=1, tol=1e-12)
    by_weight = clone(ranker).fit(X, y, groups=groups, sample_weight=np.where(twice, 2.0, 1.0))
    assert_allclose(by_weight.coef_, ranker.fit(*repeated, groups=again).coef_, atol=1e-6)


def test_an_item_of_weight_two_is_two_items_of_its_query(train):
    X, y, groups = train
    twice = np.arange(len(y)) % 5 == 0
    weights = np.where(twice, 2.0, 1.0)
    weights /= (np.bincount(groups, weights) / np.bincount(groups))[groups]  # equal queries
    repeated = [np.concatenate([part, part[twice]]) for part in train]
    ranker = EnergyRanker(alpha=0.1, beta=1, tol=1e-12)
    by_weight = clone(ranker).fit(X, y, groups=groups, sample_weight=weights)
    assert_allclose(by_weight.coef_, fitted(ranker, repeated).coef_, atol=1e-6)


def test_query_proba_sums_to_one_in_each_query(train, test):
    X, _, groups = test
    ranker = fitted(EnergyRanker(), train)
    p = ranker.query_proba(X, groups)
    assert_allclose(np.bincount(groups, p), 1, rtol=1e-12)
    one = groups == 3
    expected = np.exp(-ranker.beta_ * ranker.energies(X[one]))
    assert_allclose(p[one], expected / expected.sum(), rtol=1e-10)


def test_predict_proba_is_the_share_of_relevant_items(train, test):
    ranker = fitted(EnergyRanker("trees", "lambda", random_state=0), train)
    p = ranker.predict_proba(test[0])
    assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    relevant = test[1] > 0
    assert abs(p[:, 1].mean() - relevant.mean()) < 0.05
    sure = p[:, 1] > 0.8
    assert abs(p[sure, 1].mean() - relevant[sure].mean()) < 0.1
    at_level = ranker.energies(test[0]) < ranker.level_
    assert_array_equal(at_level, p[:, 1] > 0.5)


def test_rank_and_top_k_agree_with_the_energies(train, test):
    X, _, groups = test
    ranker = fitted(EnergyRanker(), train)
    energies, places = ranker.energies(X), ranker.rank(X, groups)
    top = ranker.top_k(X, groups, k=7)
    for query, rows, found in zip(*top, strict=True):
        own = np.flatnonzero(groups == query)
        best = own[np.argsort(energies[own])][:7]
        assert_array_equal(rows[rows >= 0], best)
        assert_array_equal(places[best], np.arange(1, len(best) + 1))
        assert_array_equal(found[: len(best)], energies[best])
        assert np.isinf(found[len(best) :]).all()


def test_score_is_the_mean_ndcg(train, test):
    X, y, groups = test
    ranker = fitted(EnergyRanker(k=3, gain="linear", empty=0), train)
    expected = ndcg(y, ranker.predict(X), groups, k=3, gain="linear", empty=0)
    assert ranker.score(X, y, groups) == expected


def test_routed_queries_reach_splitter_fit_and_score(train):
    X, y, groups = train
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), EnergyRanker(alpha=0.1))
        search = GridSearchCV(pipeline, {"energyranker__alpha": [0.1, 10.0]}, cv=GroupKFold(3))
        search.fit(X, y, groups=groups)
    folds = []
    for train_rows, test_rows in GroupKFold(3).split(X, y, groups):
        scaler = StandardScaler().fit(X[train_rows])
        ranker = EnergyRanker(alpha=0.1)
        ranker.fit(scaler.transform(X[train_rows]), y[train_rows], groups=groups[train_rows])
        held_out = scaler.transform(X[test_rows]), y[test_rows], groups[test_rows]
        folds.append(ranker.score(*held_out))
    assert_allclose(search.cv_results_["mean_test_score"][0], np.mean(folds), rtol=1e-10)


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, pl.DataFrame, sparse.csr_matrix])
def test_a_column_of_queries_does_the_same_without_routing(make, train):
    X, y, groups = train
    table = np.column_stack([X[:, :1], groups, X[:, 1:]])
    if make in (pd.DataFrame, pl.DataFrame):
        column, table = "q", make(dict(zip("aqbc", table.T, strict=True)))
    else:
        column, table = 1, make(table)
    ranker = EnergyRanker(alpha=0.1, group_column=column)
    search = GridSearchCV(ranker, {"alpha": [0.1]}, cv=GroupKFold(3)).fit(table, y, groups=groups)
    expected = fitted(EnergyRanker(alpha=0.1), train)
    assert_allclose(search.best_estimator_.coef_, expected.coef_, rtol=1e-6)
    assert_allclose(search.score(table, y), expected.score(X, y, groups), rtol=1e-10)
    assert_array_equal(search.best_estimator_.rank(table), expected.rank(X, groups))
    assert search.best_estimator_.n_features_in_ == 3


def test_names_of_features_are_kept_without_the_column_of_queries(train):
    X, y, groups = train
    frame = pd.DataFrame(X, columns=list("abc")).assign(q=groups)
    ranker = EnergyRanker(group_column="q").fit(frame, y)
    assert ranker.feature_names_in_.tolist() == list("abc")


def test_normalisation_within_queries_ignores_their_level_and_scale(train, test):
    ranker = fitted(EnergyRanker("trees", normalize="query", random_state=0), train)
    X, _, groups = test
    rng = np.random.RandomState(0)
    moved = X * rng.uniform(1, 9, size=(60, 3))[groups] + rng.standard_normal((60, 3))[groups]
    assert_allclose(ranker.energies(moved, groups), ranker.energies(X, groups), atol=1e-6)
    constant = np.column_stack([X[:, :2], groups])
    assert np.isfinite(ranker.energies(constant, groups)).all()


def test_folds_of_cv_hold_whole_queries(train):
    ranker = fitted(EnergyRanker(cv=GroupKFold(4)), train)
    assert ranker.score(*train[:2], train[2]) > 0.8
    assert fitted(EnergyRanker(cv=3), train).score(*train[:2], train[2]) > 0.8
    with pytest.raises(ValueError, match="cv cuts a query into two folds; use GroupKFold"):
        fitted(EnergyRanker(cv=list(KFold(4).split(train[0]))), train)


@every_energy
def test_own_validation_never_cuts_a_query(energy, train, monkeypatch):
    """Every item of a query has the same random label, which its neighbours would give away."""
    X, y, groups = train
    taken = []
    original = Objective.take

    def take(self, samples):
        part = original(self, samples)
        taken.append((self.answers.sizes[samples], part.answers.sizes))
        return part

    monkeypatch.setattr(Objective, "take", take)
    EnergyRanker(energy, random_state=0).fit(X, y, groups=groups)
    assert taken
    for whole, part in taken:
        assert_array_equal(whole, part)


def test_trees_stop_early_on_held_out_queries(train):
    trees = TreesEnergy(300, learning_rate=0.3)
    assert fitted(EnergyRanker(trees, random_state=0), train).energy_.n_estimators_ < 100


def test_trees_ask_lambda_for_gradients_in_their_rounds_only(train, monkeypatch):
    """Not for the constant to start from, which no descent along its gradients finds."""
    calls, expansion = [], Lambda.expansion

    def counted(self, gibbs, target):
        calls.append(gibbs.energies.dtype)
        return expansion(self, gibbs, target)

    monkeypatch.setattr(Lambda, "expansion", counted)
    totals = []
    for n_rounds in (3, 6):
        trees = TreesEnergy(n_rounds, early_stopping=False)
        fitted(EnergyRanker(trees, "lambda", beta=1, random_state=0), train)
        totals.append(len(calls))
    assert set(calls) == {np.dtype(np.float32)}
    assert totals[1] == 3 * totals[0] > 0


@pytest.mark.parametrize("loss", ["nll", "xendcg", "lambda", "pairwise_hinge"])
def test_a_pooled_sum_learns_its_weights_on_held_out_queries(loss, train, test):
    useless = RandomForestRegressor(5, max_features=1, max_depth=1, random_state=0)
    ranker = EnergyRanker(["linear", "trees", useless], loss, random_state=0)
    assert scored(ranker, train, test) > scored(EnergyRanker(useless), train, test)
    weights = ranker.energy_.weights_
    assert min(weights.values()) >= 0 and max(weights.values()) > 0


def test_a_residual_sum_learns_what_a_linear_energy_left():
    train, test = made(80, 0, curve=2.0), made(60, 1, curve=2.0)
    both = SumEnergy([LinearEnergy(), TreesEnergy(200)], "residual")
    residual = scored(EnergyRanker(both, random_state=0), train, test)
    assert residual > scored(EnergyRanker("linear"), train, test) + 0.02


class Recorder(BaseEstimator):
    """A ranker that keeps what it was given, its queries under some name."""

    def predict(self, X):
        return X[:, 0]

    def _keep(self, X, y, queries, sample_weight):
        self.X_, self.y_, self.queries_, self.weights_ = X, y, queries, sample_weight
        return self


class ByGroup(Recorder):
    def fit(self, X, y, group=None, sample_weight=None):
        return self._keep(X, y, group, sample_weight)


class ByQid(Recorder):
    def fit(self, X, y, qid=None, sample_weight=None):
        return self._keep(X, y, qid, sample_weight)


def test_pipelines_and_frozen_rankers_are_experts(train, test):
    X, y, groups = train
    pipeline = make_pipeline(StandardScaler(), ByGroup())
    ranker = EnergyRanker(pipeline, beta=1).fit(X, y, groups=groups)
    kept = np.bincount(groups, y) > 0
    assert_array_equal(ranker.energy_.estimator_[-1].queries_, np.bincount(groups)[kept])
    frozen = FrozenEstimator(ranker.energy_.estimator_)
    again = EnergyRanker([frozen, "linear"]).fit(X, y, groups=groups)
    assert again.energy_.terms_["frozenestimator"].estimator_.estimator is frozen.estimator
    assert again.score(*test[:2], test[2]) > 0.8


@pytest.mark.parametrize("kind", [ByGroup, ByQid])
def test_experts_get_sorted_queries_relevance_and_weights(kind, train):
    X, y, groups = train
    weights = np.where(groups == 7, 0.0, 1.0 + groups % 3)
    ranker = EnergyRanker(kind(), beta=1).fit(X, y, groups=groups, sample_weight=weights)
    expert, rows = ranker.energy_.estimator_, np.argsort(groups, kind="stable")
    rows = rows[(groups[rows] != 7) & (np.bincount(groups, y) > 0)[groups[rows]]]
    assert_array_equal(expert.X_, X[rows])
    assert_array_equal(expert.y_, y[rows])
    sizes = np.unique(groups[rows], return_counts=True)[1]
    given = expert.queries_ if kind is ByGroup else np.bincount(expert.queries_)
    assert_array_equal(given, sizes)
    every = weights[rows] if kind is ByGroup else weights[rows][np.cumsum(sizes) - 1]
    assert_allclose(expert.weights_ / expert.weights_[0], every / every[0])
    assert_allclose(ranker.predict(X), X[:, 0])


def test_regressors_lightgbm_and_rankers_are_experts(train, test):
    lightgbm = pytest.importorskip("lightgbm")
    peer = lightgbm.LGBMRanker(n_estimators=10, min_child_samples=5, verbose=-1, n_jobs=1)
    for expert in (Ridge(), peer, EnergyRanker(alpha=0.1)):
        assert scored(EnergyRanker(expert, random_state=0), train, test) > 0.8
    X, y, groups = train
    rows = np.argsort(groups, kind="stable")
    rows = rows[(np.bincount(groups, y) > 0)[groups[rows]]]
    peer.fit(X[rows], y[rows], group=np.unique(groups[rows], return_counts=True)[1])
    ours = fitted(EnergyRanker(clone(peer), beta=1, random_state=0), train)
    assert_allclose(ours.predict(test[0]), peer.predict(test[0]), rtol=1e-6)


@pytest.mark.parametrize("expert", [Ridge(), ByGroup()])
def test_classifiers_refuse_experts_of_items(expert):
    with pytest.raises(ValueError, match="orders the items of a query, for EnergyRanker"):
        EnergyClassifier(expert).fit([[0.0], [1.0]], [0, 1])


@every_energy
def test_pickle_and_seed_give_the_same_energies(energy, train, test):
    first = fitted(EnergyRanker(energy, "xendcg", random_state=3), train)
    second = fitted(EnergyRanker(energy, "xendcg", random_state=3), train)
    copied = pickle.loads(pickle.dumps(first))
    assert_array_equal(first.energies(test[0]), second.energies(test[0]))
    assert_array_equal(first.energies(test[0]), copied.energies(test[0]))


@every_energy
def test_float32_is_kept(energy, train, test):
    X, y, groups = train
    ranker = EnergyRanker(energy, random_state=0).fit(X.astype(np.float32), y, groups=groups)
    assert ranker.predict(test[0].astype(np.float32)).dtype == np.float32


@every_energy
def test_sparse_rows_give_the_same_ranking(energy, train, test):
    X, y, groups = train
    ranker = EnergyRanker(energy, random_state=0).fit(sparse.csr_matrix(X), y, groups=groups)
    assert ranker.score(sparse.csr_matrix(test[0]), test[1], test[2]) > 0.8


def test_missing_values_and_categories_go_to_trees(train):
    X, y, groups = train
    frame = pd.DataFrame(X, columns=list("abc"))
    frame["d"] = pd.Categorical(np.where(frame["a"] > 0, "up", "down"))
    frame.loc[::7, "b"] = np.nan
    ranker = EnergyRanker("trees", random_state=0).fit(frame, y, groups=groups)
    assert ranker.score(frame, y, groups) > 0.8


def test_the_level_is_finite_beside_huge_weights():
    X, y, groups = np.zeros((6, 1)), np.tile([1, 0], 3), np.repeat(np.arange(3), 2)
    weights = np.where(y == 1, 1e30, 1e-30)
    ranker = EnergyRanker(Ridge()).fit(X, y, groups=groups, sample_weight=weights)
    assert np.isfinite(ranker.level_) and np.isfinite(ranker.predict_proba(X)).all()


def test_one_query_holds_nothing_out(train):
    X, y, one = *train[:2], np.zeros(len(train[1]))
    ranker = EnergyRanker(cv=3).fit(X, y, groups=one)
    assert ranker.energy_.alpha_ > 0 and ranker.beta_ > 0
    assert ranker.score(X, y, one) > 0.7


@pytest.mark.parametrize("combine", ["pooled", "residual"])
def test_of_one_query_the_terms_of_a_sum_count_alike(combine, train):
    X, y, one = *train[:2], np.zeros(len(train[1]))
    ranker = EnergyRanker(SumEnergy(["linear", "kernel"], combine)).fit(X, y, groups=one)
    assert ranker.score(X, y, one) > 0.7
    weights = np.array(list(ranker.energy_.weights_.values()))
    assert (weights > 0.1).all()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"y": lambda y: y - 1}, "y must hold relevance >= 0 .*got -1"),
        ({"y": lambda y: np.where(y > 1, np.nan, y)}, r"y is missing \(NaN\) in"),
        ({"y": lambda y: 0 * y}, "y must hold a relevant item .* got none"),
        ({"y": lambda y: 1e4 * y}, "overflows for relevance above 1000"),
        ({"groups": lambda g: g[:-1]}, "groups must hold the query of each of the .* rows"),
        ({"groups": lambda g: [[q] for q in g]}, "groups must hold hashable values"),
        ({"groups": lambda g: g[:, None]}, "groups must be one-dimensional"),
        ({"groups": lambda _: 3}, "groups must hold the query of each of the .* rows, .* got 3"),
        ({"qid": lambda _: np.ones(3)}, "groups and qid are two names of one thing"),
        ({"sample_weight": np.zeros_like}, "sample_weight must hold a positive weight"),
        ({"sample_weight": np.negative}, "[Nn]egative values in data passed to"),
    ],
)
def test_bad_data_is_named(changes, message, train):
    X, y, groups = train
    data = {"y": y, "groups": groups, "sample_weight": np.ones(len(y)), "qid": None}
    ranker = fitted(EnergyRanker(alpha=0.1, beta=1), train)
    before = ranker.coef_
    for name, change in changes.items():
        data[name] = change(data[name])
    with pytest.raises(ValueError, match=message):
        ranker.fit(X, **data)
    assert_array_equal(ranker.coef_, before)


@pytest.mark.parametrize(
    "parameters, message",
    [
        (
            {"energy": "prototype"},
            "PrototypeEnergy.* is one of classes: EnergyRanker takes 'linear'",
        ),
        ({"energy": LogisticRegression()}, "is one of classes: EnergyRanker takes"),
        ({"loss": "ndcg"}, r"loss must be one of .*'lambda'.*'xendcg'.* got 'ndcg'"),
        ({"loss": "energy"}, "collapses with LinearEnergy"),
        ({"loss": "lambda", "solver": "lbfgs"}, "gradients of Lambda are not those of its values"),
        ({"k": 0}, "k must be None or an integer >= 1, got 0"),
        ({"empty": "zero"}, "empty must be 'skip', 0 or 1, got 'zero'"),
        ({"gain": "log"}, "gain must be 'exp2', 'linear' or a function, got 'log'"),
        ({"normalize": "row"}, "normalize must be None or 'query', got 'row'"),
    ],
)
def test_bad_parameters_are_named(parameters, message, train):
    with pytest.raises(ValueError, match=message):
        fitted(EnergyRanker(**parameters), train)


def test_normalisation_refuses_sparse_rows(train):
    X, y, groups = train
    with pytest.raises(ValueError, match="normalize='query' needs dense numbers, got csr_"):
        EnergyRanker(normalize="query").fit(sparse.csr_matrix(X), y, groups=groups)


def test_the_warning_points_at_the_line_of_the_user(train):
    with pytest.warns(ConvergenceWarning) as caught:
        fitted(EnergyRanker(alpha=1e-6, beta=1, max_iter=1), train)
    assert [warning.filename for warning in caught] == [__file__]


def test_an_unfitted_ranker_says_so():
    with pytest.raises(NotFittedError):
        EnergyRanker().top_k([[1.0]])


def test_peers_cannot_but_this_can_be_cross_validated_with_weights(train):
    X, y, groups = train
    with config_context(enable_metadata_routing=True):
        ranker = EnergyRanker(alpha=0.1).set_fit_request(sample_weight=True)
        ranker.set_score_request(sample_weight=True)
        params = {"groups": groups, "sample_weight": 1.0 + groups % 2}
        found = cross_validate(ranker, X, y, cv=GroupKFold(2), params=params)
    assert found["test_score"].min() > 0.7


def test_normalising_within_queries_does_not_see_other_queries(rng):
    X, queries = rng.standard_normal((60, 3)), np.repeat(np.arange(12), 5)
    y = (X[:, 0] > 0).astype(float)
    ranker = EnergyRanker(normalize="query", alpha=0.1, beta=1.0).fit(X, y, groups=queries)
    more = np.r_[X, [[1e8, 1, 1], [2, 3, 4]]]
    both = ranker.energies(more, np.append(queries, [12, 12]))
    assert_allclose(both[:60], ranker.energies(X, queries))
    with pytest.raises(ValueError, match="needs the queries"):
        ranker.energies(X)


def test_query_column_of_a_frame_whose_names_are_numbers(rng):
    X, queries = rng.standard_normal((60, 3)), np.repeat(np.arange(12), 5)
    y = (X[:, 0] > 0).astype(float)
    frame = pd.DataFrame(np.column_stack([X, queries]), columns=[3, 2, 1, 0])
    by_column = EnergyRanker(alpha=0.1, beta=1.0, group_column=3).fit(frame.to_numpy(), y)
    of_frame = EnergyRanker(alpha=0.1, beta=1.0, group_column=3).fit(frame, y)
    assert_allclose(of_frame.coef_, by_column.coef_)


@pytest.mark.parametrize("cv", [0, 1, -3, True])
def test_folds_are_two_or_more(cv, rng):
    X, queries = rng.standard_normal((60, 3)), np.repeat(np.arange(12), 5)
    with pytest.raises(ValueError, match="cv must be"):
        EnergyRanker(cv=cv).fit(X, X[:, 0] > 0, groups=queries)


def test_a_ranker_without_queries_says_how_to_give_them(train):
    X, y, _ = train
    how = "groups=.* group_column=.*enable_metadata_routing=True"
    with pytest.warns(MissingQueriesWarning, match=how) as caught:
        without = EnergyRanker(alpha=0.1).fit(X, y)
    with pytest.warns(MissingQueriesWarning, match=how) as caught_in_score:
        score = without.score(X, y)
    assert [w.filename for w in [*caught, *caught_in_score]] == [__file__] * 2
    one = EnergyRanker(alpha=0.1).fit(X, y, groups=np.zeros(len(y)))
    assert_allclose(without.coef_, one.coef_)
    assert score == one.score(X, y, np.zeros(len(y)))


def test_searches_and_pipelines_that_lose_the_queries_warn(train):
    X, y, groups = train
    with pytest.warns(MissingQueriesWarning):
        cross_val_score(EnergyRanker(alpha=0.1), X, y, groups=groups, cv=GroupKFold(3))
    pipeline = make_pipeline(StandardScaler(), EnergyRanker(alpha=0.1))
    pipeline.fit(X, y, energyranker__groups=groups)
    with pytest.warns(MissingQueriesWarning):
        pipeline.score(X, y)
    with pytest.warns(MissingQueriesWarning):
        ndcg_scorer(pipeline, X, y)


@pytest.mark.parametrize("loss", [name for name in GRADED_LOSSES if name != "energy"])
@pytest.mark.parametrize("lowest", [1, 3])
def test_the_lowest_grade_of_a_query_is_the_irrelevant_one(loss, lowest, rng):
    """Grades that do not start at 0, as ratings from 1 to 5."""
    X, groups = rng.standard_normal((300, 3)), np.repeat(np.arange(30), 10)
    y = np.clip(np.round(lowest + 1 + X[:, 0] - X[:, 1]), lowest, lowest + 4)
    ranker = EnergyRanker(loss=loss, alpha=1e-3, beta=1, random_state=0).fit(X, y, groups=groups)
    assert ranker.score(X, y, groups) > 0.95


@pytest.mark.parametrize("loss", [name for name in GRADED_LOSSES if name != "energy"])
def test_queries_of_one_grade_each_warn(loss, train):
    X, _, groups = train
    ranker = EnergyRanker(loss=loss, alpha=0.1, beta=1, max_iter=50, tol=1, random_state=0)
    with pytest.warns(NothingLearnedWarning, match=f"loss={loss!r} has nothing.* groups must"):
        ranker.fit(X, 1 + groups % 3, groups=groups)


class Margins(Loss):
    """A loss of all energies, as a user writes it for one correct answer."""

    def __call__(self, gibbs, target):
        rows, energies = np.arange(len(target)), gibbs.present_energies
        short = np.maximum(0, 1 + energies[rows, target][:, None] - energies)
        short[rows, target] = 0
        gradient = -(short > 0).astype(float)
        gradient[rows, target] = (short > 0).sum(axis=1)
        return short.sum(axis=1), gradient


class Likelihood(Loss):
    second_derivatives = "continuous"

    def __call__(self, gibbs, target):
        gradient = -gibbs.probabilities
        gradient[np.arange(len(target)), target] += 1
        return gibbs.surprise(target), gradient

    def curvature(self, gibbs, target):
        p = gibbs.probabilities
        return Curvature(p * (1 - p), lambda v: p * (v - np.sum(p * v, axis=1, keepdims=True)))


class SquaredHinge(ContrastiveLoss):
    def pair(self, plus, minus):
        short = (1 + plus - minus).clip(min=0)
        return short**2, 2 * short, -2 * short


class SquaredGaps(PairLoss):
    def pair(self, gap):
        short = (1 + gap).clip(min=0)
        return short**2, 2 * short, 2.0 * (short > 0)


class ListLikelihood(GradedLoss):
    def expansion(self, gibbs, target):
        values = np.sum(target.shares * gibbs.energies, axis=1) - gibbs.free_energy
        curvature = Likelihood().curvature(gibbs, None)
        return values, target.shares - gibbs.probabilities, curvature


@every_energy
@pytest.mark.parametrize("loss", [Margins, Likelihood, SquaredHinge, SquaredGaps, ListLikelihood])
def test_every_form_of_a_loss_of_the_user_trains(energy, loss, train, test):
    small = {
        "mlp": MLPEnergy((16,), n_epochs=20),
        "trees": TreesEnergy(30, early_stopping=False),
    }
    ranker = EnergyRanker(small.get(energy, energy), loss(), beta=1, alpha=0.1, random_state=0)
    assert scored(ranker, train, test) > 0.77


def test_a_loss_of_one_correct_answer_is_the_mean_over_the_relevant_items(train):
    ours = fitted(EnergyRanker(loss=Likelihood(), alpha=0.1, beta=1, tol=1e-12), train)
    nll = fitted(EnergyRanker(alpha=0.1, beta=1, tol=1e-12), train)
    assert_allclose(ours.coef_, nll.coef_, rtol=1e-6)


@pytest.mark.parametrize("normalize", [None, "query"])
@pytest.mark.parametrize("column", [None, 0])
def test_callbacks_score_with_the_queries_of_fit(column, normalize, train):
    X, y, groups = train
    X, groups = (X, groups) if column is None else (np.column_stack([groups, X]), None)
    scoring = {"ndcg": ndcg_scorer, "own": lambda ranker, X, y: ranker.score(X, y)}
    monitor = ScoringMonitor(scoring=scoring)
    ranker = EnergyRanker(alpha=0.1, group_column=column, normalize=normalize)
    ranker.set_callbacks(monitor).fit(X, y, groups=groups)
    log = monitor.get_logs().data
    expected = ranker.score(X, y, groups)
    assert len(log) > 2
    assert_allclose([log[-1]["ndcg"], log[-1]["own"]], expected)
    assert_allclose([entry["ndcg"] for entry in log], [entry["own"] for entry in log])
    assert not hasattr(ranker, "_queries_in_fit")


def test_callbacks_score_probabilities(train):
    monitor = ScoringMonitor(scoring="neg_log_loss")
    X, y, groups = train
    EnergyRanker(alpha=0.1).set_callbacks(monitor).fit(X, y > 0, groups=groups)
    assert np.isfinite([entry["neg_log_loss"] for entry in monitor.get_logs().data]).all()


def test_the_scorer_knows_the_column_of_the_ranker(train):
    X, y, groups = train
    table = np.column_stack([groups, X])
    ranker = EnergyRanker(alpha=0.1, group_column=0).fit(table, y)
    expected = RankingScorer(group_column=0)(ranker, table, y)
    assert ndcg_scorer(ranker, table, y) == expected == ranker.score(table, y)


@every_energy
@pytest.mark.parametrize("scale", [1e-310, 1e-100, 1e308])
def test_the_scale_of_weights_does_not_change_the_order(energy, scale, train):
    X, y, groups = train
    small = {"mlp": MLPEnergy((4,), n_epochs=2), "trees": TreesEnergy(5, early_stopping=False)}
    ranker = EnergyRanker(small.get(energy, energy), alpha=0.1, beta=1, random_state=0)
    expected = clone(ranker).fit(X, y, groups=groups).energies(X)
    weights = np.full(len(y), scale)
    scaled = ranker.fit(X, y, groups=groups, sample_weight=weights)
    assert_allclose(scaled.energies(X), expected, rtol=1e-6, atol=1e-9)
    assert np.isfinite(scaled.predict_proba(X)).all()
    assert scaled.score(X, y, groups, sample_weight=weights) == scaled.score(X, y, groups)
