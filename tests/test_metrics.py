"""Ranking metrics: scikit-learn's on one query, and their rules for many."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyRanker
from sk_ebm._estimators.ranker import TopK
from sk_ebm.metrics import average_precision, ndcg, ndcg_scorer, reciprocal_rank, top_k_recall

METRICS = [ndcg, average_precision, reciprocal_rank]
every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)


@pytest.fixture
def ranking(rng):
    """Relevance, scores with ties, and queries in any order; each has something relevant."""
    groups = rng.permutation(np.repeat(np.arange(12), rng.randint(2, 15, size=12)))
    y = rng.randint(4, size=len(groups))
    y[[np.flatnonzero(groups == q)[0] for q in range(12)]] = 2
    return y, rng.randint(8, size=len(groups)).astype(float), groups


def queries(y, scores, groups):
    return [(y[groups == q], scores[groups == q]) for q in np.unique(groups)]


@pytest.mark.parametrize("k", [1, 3, 10, None])
@pytest.mark.parametrize("gain, worth", [("exp2", lambda y: 2.0**y - 1), ("linear", lambda y: y)])
def test_ndcg_is_that_of_scikit_learn_with_ties(ranking, k, gain, worth):
    expected = [ndcg_score([worth(y)], [s], k=k) for y, s in queries(*ranking)]
    result = ndcg(*ranking, k=k, gain=gain, per_query=True)
    assert_allclose(result, expected, rtol=1e-12)
    assert_allclose(ndcg(*ranking, k=k, gain=worth), np.mean(expected), rtol=1e-12)


@pytest.mark.parametrize("threshold", [0, 1])
def test_average_precision_is_that_of_scikit_learn_with_ties(ranking, threshold):
    expected = [average_precision_score(y > threshold, s) for y, s in queries(*ranking)]
    result = average_precision(*ranking, threshold=threshold, per_query=True)
    assert_allclose(result, expected, rtol=1e-12)


def test_reciprocal_rank_of_known_rankings():
    y, groups = [0, 1, 1, 0, 0, 2], [0, 0, 0, 1, 1, 1]
    result = reciprocal_rank(y, [3, 2, 1, 3, 2, 1], groups, per_query=True)
    assert_allclose(result, [1 / 2, 1 / 3])


def test_tied_items_share_the_rank_of_the_first_relevant_one():
    assert_allclose(reciprocal_rank([1, 0, 0], [5, 5, 5]), 1 / 2)
    assert_allclose(reciprocal_rank([1, 1, 0], [5, 5, 5]), 3 / 4)


@every_metric
def test_the_order_of_rows_does_not_matter(metric, ranking, rng):
    order = rng.permutation(len(ranking[0]))
    assert_allclose(metric(*(part[order] for part in ranking)), metric(*ranking), rtol=1e-12)


@every_metric
def test_labels_of_queries_may_be_anything_hashable(metric, ranking):
    y, scores, groups = ranking
    names = [("query", int(q)) if q % 2 else f"q{q}" for q in groups]
    assert_allclose(metric(y, scores, names), metric(y, scores, groups), rtol=1e-12)


@every_metric
@pytest.mark.parametrize("empty, expected", [("skip", 1.0), (0, 0.5), (1, 1.0)])
def test_queries_without_relevant_items(metric, empty, expected):
    y, scores, groups = [1, 0, 0, 0], [2, 1, 2, 1], [0, 0, 1, 1]
    assert metric(y, scores, groups, empty=empty) == expected
    value = metric(y, scores, groups, empty=empty, per_query=True)[1]
    assert np.isnan(value) if empty == "skip" else value == empty


@every_metric
def test_a_query_counts_by_the_mean_weight_of_its_rows(metric, ranking):
    weights = np.where(ranking[2] < 6, 3.0, 1.0)
    values = metric(*ranking, per_query=True)
    expected = np.average(values, weights=np.where(np.arange(12) < 6, 3.0, 1.0))
    assert_allclose(metric(*ranking, sample_weight=weights), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"y_true": [0, -1]}, "y must hold relevance >= 0 .*got -1"),
        ({"y_true": [0, np.nan]}, "y must hold finite relevance"),
        ({"y_true": ["a", "b"]}, "relevance of each row as a number"),
        ({"y_true": [0, 0]}, "No query has a relevant item"),
        ({"y_true": [0, 2000]}, "overflows for relevance above 1000"),
        ({"y_score": [1, np.nan]}, "y_score must be one-dimensional and hold no NaN"),
        ({"y_score": [1]}, "inconsistent numbers of samples"),
        ({"groups": [1]}, "groups must hold the query of each of the 2 rows, got 1"),
        ({"groups": np.ones((2, 1))}, "groups must be one-dimensional"),
        ({"groups": 3}, "groups must hold the query of each of the 2 rows, .* a list, got 3"),
        ({"groups": np.array(3)}, r"groups must be one-dimensional, got the shape \(\)"),
        ({"groups": "ab"}, "groups must hold the query of each of the 2 rows, .* got 'ab'"),
        ({"groups": [(1, [2]), 3]}, "groups must hold hashable values: unhashable type: 'list'"),
        ({"k": 0}, "k must be None or an integer >= 1, got 0"),
        ({"empty": 2}, "empty must be 'skip', 0 or 1, got 2"),
        ({"gain": "exp"}, "gain must be 'exp2', 'linear' or a function, got 'exp'"),
        ({"gain": lambda y: -y}, "gain must give a finite number >= 0"),
        ({"gain": lambda y: 1e305 * y}, "gain must give a finite number >= 0 .*, at most 1.1e"),
        ({"gain": "linear", "y_true": [0, 1e305]}, "The largest y must be .* <= 1.07.*got 1e"),
    ],
)
def test_bad_input_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        ndcg(**{"y_true": [0, 1], "y_score": [1, 2], "groups": None, **changes})


def test_the_scorer_takes_routed_queries(ranking):
    y, scores, groups = ranking
    X = scores[:, None]
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(Ridge(), {"alpha": [1.0]}, scoring=ndcg_scorer, cv=GroupKFold(3))
        search.fit(X, y, groups=groups)
    folds = list(GroupKFold(3).split(X, y, groups))
    expected = [
        ndcg(y[test], Ridge().fit(X[train], y[train]).predict(X[test]), groups[test])
        for train, test in folds
    ]
    assert_allclose(search.best_score_, np.mean(expected), rtol=1e-12)


def test_the_scorer_takes_a_column_of_queries(ranking):
    y, scores, groups = ranking
    X = np.column_stack([scores, groups])
    ranker = EnergyRanker(group_column=1, alpha=0.1).fit(X, y)
    result = type(ndcg_scorer)(group_column=1)(ranker, X, y)
    assert_allclose(result, ranker.score(X, y), rtol=1e-12)


@pytest.fixture
def normalising():
    """A ranker that needs the queries to predict."""
    return EnergyRanker(normalize="query", alpha=0.1)


def of_many_scales(y, scores, groups):
    return np.column_stack([y * 3.0**groups + scores, scores])


@pytest.mark.parametrize("wrap", [lambda ranker: ranker, FrozenEstimator])
def test_the_scorer_gives_queries_to_a_ranker_that_needs_them(wrap, normalising, ranking):
    y, _, groups = ranking
    X = of_many_scales(*ranking)
    ranker = normalising.fit(X, y, groups=groups)
    assert ndcg_scorer(wrap(ranker), X, y, groups=groups) == ranker.score(X, y, groups)


def test_a_pipeline_hands_the_queries_of_the_scorer_on_with_routing_only(normalising, ranking):
    y, _, groups = ranking
    X = of_many_scales(*ranking)
    pipeline = make_pipeline(StandardScaler(), normalising)
    with config_context(enable_metadata_routing=True):
        pipeline.fit(X, y, groups=groups)
        assert ndcg_scorer(pipeline, X, y, groups=groups) == pipeline.score(X, y, groups=groups)
        search = GridSearchCV(pipeline, {}, scoring=ndcg_scorer, cv=GroupKFold(3), refit=False)
        assert search.fit(X, y, groups=groups).cv_results_["mean_test_score"] > 0.7
    with pytest.raises(ValueError, match="needs the queries: give groups, or group_column"):
        ndcg_scorer(pipeline, X, y, groups=groups)


@pytest.mark.parametrize("routing", [False, True])
def test_the_scorer_passes_no_queries_to_models_that_take_none(routing, ranking):
    y, scores, groups = ranking
    X = scores[:, None]
    with config_context(enable_metadata_routing=routing):
        for model in (Ridge(), make_pipeline(StandardScaler(), Ridge())):
            expected = ndcg(y, model.fit(X, y).predict(X), groups)
            assert ndcg_scorer(model, X, y, groups=groups) == expected


def test_recall_is_the_share_of_the_best_items():
    exact = TopK(np.arange(2), np.array([[0, 1], [2, -1]]), None)
    assert top_k_recall(exact, exact) == 1
    assert top_k_recall(TopK(np.arange(2), np.array([[1, 5], [0, 1]]), None), exact) == 1 / 3
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        top_k_recall(TopK(np.arange(1), np.array([[1, 5]]), None), exact)


def test_infinite_scores_tie():
    assert ndcg([1, 0, 0, 0], [-np.inf] * 4) == ndcg([0, 0, 0, 1], [0.0] * 4)


def test_weights_must_weigh():
    with pytest.raises(ValueError, match="sample_weight must hold a positive weight"):
        ndcg([1, 0], [0.0, 1.0], sample_weight=[0, 0])


def test_no_rounding_lifts_ndcg_above_one(rng):
    y, queries = rng.randint(5, size=3000), rng.randint(40, size=3000)
    worth = ndcg(y, y + 0.1 * rng.uniform(size=3000), queries, k=None, per_query=True)
    assert worth.max() == 1
    assert_allclose(worth, 1)
    assert ndcg(y, y, queries, k=None, sample_weight=np.full(3000, 1e308)) == 1
