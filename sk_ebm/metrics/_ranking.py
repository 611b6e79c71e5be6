"""Metrics of rankings.

They are one number for each query, and their mean. None depends on the order of the
rows: tied items share their ranks. Queries without relevant items have no value; ``empty`` says
what counts for them.
"""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length

from sk_ebm._core.queries import check_relevance, gains_of, query_codes, warn_without_queries
from sk_ebm._tables.columns import split_column
from sk_ebm._utils.ranks import rank_in_groups
from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.validation import check_choice, check_number, check_weighs
from sk_ebm.metrics._routing import takes


def ndcg(
    y_true,
    y_score,
    groups=None,
    *,
    k=10,
    gain="exp2",
    empty="skip",
    sample_weight=None,
    per_query=False,
):
    """Normalised discounted cumulative gain of the first k items (Jarvelin and Kekalainen, 2002).

    The sum of the items' gains, each over log2(1 + rank), over the same sum for the best order.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Relevance >= 0; 0 = irrelevant.
    y_score : array-like of shape (n_samples,)
        The higher, the earlier the item. Tied items get the mean discount of their ranks.
    groups : array-like of shape (n_samples,), default=None
        The query of each row, in any order of rows: any hashable values. All NaN are one query.
        None means one query.
    k : int, default=10
        Number of ranks that count, >= 1; None means all.
    gain : {"exp2", "linear"} or callable, default="exp2"
        2^y - 1, y, or a function of an array of relevance.
    empty : {"skip", 0, 1}, default="skip"
        The value of a query without relevant items: none, so that the mean skips it (nan for
        ``per_query``), 0 as in `sklearn.metrics.ndcg_score`, or 1 as in LightGBM, XGBoost and
        CatBoost.
    sample_weight : array-like of shape (n_samples,), default=None
        The weight of a query is the mean weight of its rows.
    per_query : bool, default=False
        Whether to return the value of each query, in the order of `numpy.unique`.

    Returns
    -------
    ndcg : float, or ndarray of shape (n_queries,)
    """
    check_number("k", k, 1, closed=True, kind=Integral, other=(None,))
    relevance, scores, codes = _validated(y_true, y_score, groups)
    gains = gains_of(relevance, gain)
    n_queries = codes.max() + 1
    dcg = np.bincount(codes, gains * _mean_discounts(scores, codes, k), n_queries)
    best = np.bincount(codes, gains * _mean_discounts(gains, codes, k), n_queries)
    dcg = np.minimum(dcg, best)  # the best order's sum may be rounded otherwise
    values = np.divide(dcg, best, out=np.full(n_queries, np.nan), where=best > 0)
    return _summary(values, codes, empty, sample_weight, per_query)


def average_precision(
    y_true,
    y_score,
    groups=None,
    *,
    threshold=0.0,
    empty="skip",
    sample_weight=None,
    per_query=False,
):
    """Mean over the relevant items of the precision at their rank.

    Tied items all have the last of their ranks, as in `sklearn.metrics.average_precision_score`.
    An item is relevant if ``y_true > threshold``; the other parameters are those of `ndcg`.

    Returns
    -------
    average_precision : float, or ndarray of shape (n_queries,)
    """
    relevance, scores, codes = _validated(y_true, y_score, groups)
    order, rank, starts, sizes = rank_in_groups(codes, -scores)
    relevant, query = (relevance > threshold)[order].astype(float), codes[order]
    total = np.bincount(query, relevant)
    hits = np.cumsum(relevant) - (np.cumsum(total) - total)[query]  # up to each item of its query
    last = np.repeat(starts + sizes - 1, sizes)
    precision = hits[last] / (1 + rank[last])
    summed = np.bincount(query, relevant * precision)
    values = np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0)
    return _summary(values, codes, empty, sample_weight, per_query)


def reciprocal_rank(
    y_true,
    y_score,
    groups=None,
    *,
    threshold=0.0,
    empty="skip",
    sample_weight=None,
    per_query=False,
):
    """One over the rank of the first relevant item.

    Among tied items this is its mean rank over their orders. An item is relevant if ``y_true >
    threshold``; the other parameters are those of `ndcg`.

    Returns
    -------
    reciprocal_rank : float, or ndarray of shape (n_queries,)
    """
    relevance, scores, codes = _validated(y_true, y_score, groups)
    order, rank, starts, sizes = rank_in_groups(codes, -scores)
    hits = np.add.reduceat((relevance > threshold)[order].astype(int), starts)
    mean_rank = rank[starts] + (sizes + 1) / (hits + 1)
    values = np.zeros(codes.max() + 1)
    np.maximum.at(values, codes[order[starts]], np.where(hits > 0, 1 / mean_rank, 0.0))
    values[values == 0] = np.nan
    return _summary(values, codes, empty, sample_weight, per_query)


def top_k_recall(approximate, exact):
    """Share of the best items of the queries that an approximate search found.

    Parameters
    ----------
    approximate, exact : TopK
        From `EnergyRanker.top_k` of the same queries: with an `ItemIndex`, and without. Of items
        of equal energy, those in ``exact`` count.

    Returns
    -------
    recall : float
        In [0, 1].
    """
    check_consistent_length(approximate.rows, exact.rows)
    n_items = 1 + max(approximate.rows.max(), exact.rows.max())
    offsets = n_items * np.arange(len(exact.rows))[:, None]  # items of different queries differ
    hits, wanted = ((offsets + top.rows)[top.rows >= 0] for top in (approximate, exact))
    return float(np.isin(wanted, hits).mean())


class RankingScorer(BaseEstimator):
    """A scorer for grid searches over any ranker, LightGBM's too: the mean `ndcg` of queries.

    With metadata routing it requests ``groups``; without, ``group_column`` says which column of X
    holds the queries, and None means that of an `EnergyRanker`.

    The ranker receives the queries too if its ``decision_function``, or else its ``predict``, has
    an argument ``groups`` or passes it on, as a pipeline that ends in an `EnergyRanker` does with
    metadata routing. Without routing, a ranker with ``normalize="query"`` at the end of a pipeline
    or within a search needs a ``group_column`` of its own.

    Parameters
    ----------
    k, gain, empty : as in `ndcg`
    group_column : int or str, default=None
    """

    __metadata_request__score = {"groups": True}

    def __init__(self, k=10, gain="exp2", empty="skip", group_column=None):
        self.k = k
        self.gain = gain
        self.empty = empty
        self.group_column = group_column

    def score(self, X, y, groups=None):
        """Not used: metadata routing only reads its signature."""
        raise NotImplementedError("A scorer is called: scorer(ranker, X, y, groups=...).")

    def __call__(self, estimator, X, y, groups=None):
        groups = self._queries(estimator, X) if groups is None else groups
        name = "decision_function" if hasattr(estimator, "decision_function") else "predict"
        queries = {"groups": groups} if takes(estimator, name, "groups") else {}
        scores = getattr(estimator, name)(X, **queries)
        return ndcg(y, scores, groups, k=self.k, gain=self.gain, empty=self.empty)

    def _queries(self, estimator, X):
        """The queries of rows, by the scorer's own column of X or by what an `EnergyRanker` knows.

        A warning where nothing says which rows are one query.
        """
        if self.group_column is not None:
            return split_column(X, "group_column", self.group_column)[1]
        own = estimator._own_queries(X) if hasattr(estimator, "_own_queries") else None
        if own is None:
            warn_without_queries(type(self).__name__)
        return own


ndcg_scorer = RankingScorer()


def _validated(y_true, y_score, groups):
    """Relevance, scores and the code of the query of each row."""
    relevance = check_relevance(y_true)
    scores = np.asarray(y_score, dtype=np.float64)
    check_consistent_length(relevance, scores)
    if scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError("y_score must be one-dimensional and hold no NaN.")
    if not len(scores):
        raise ValueError("y_true must hold at least one row, got none.")
    return relevance, scores, query_codes(groups, len(relevance))[1]


def _mean_discounts(values, codes, k):
    """1 / log2(1 + rank) of each row, 0 beyond rank k, by falling values; the mean for ties."""
    order, rank, starts, sizes = rank_in_groups(codes, -values)
    discounts = 1 / np.log2(2.0 + rank)
    if k is not None:
        discounts[rank >= k] = 0
    mean = np.empty(len(values))
    mean[order] = np.repeat(np.add.reduceat(discounts, starts) / sizes, sizes)
    return mean


def _summary(values, codes, empty, sample_weight, per_query):
    """The weighted mean of the values of queries, or, with ``per_query``, the values."""
    check_choice("empty", empty, ("skip", 0, 1))
    if empty != "skip":
        values = np.where(np.isnan(values), float(empty), values)
    if per_query:
        return values
    counted = ~np.isnan(values)
    if not counted.any():
        raise ValueError(
            "No query has a relevant item (y_true > 0), so no query has a value. With empty=0 or "
            "empty=1 each has this value."
        )
    weights = np.ones(len(values))
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, codes)
        sample_weight = sample_weight / sample_weight.max()
        weights = np.bincount(codes, sample_weight) / np.bincount(codes)
        check_weighs(weights[counted])
    return float(np.average(values[counted], weights=weights[counted]))
