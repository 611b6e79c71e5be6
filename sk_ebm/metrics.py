"""Metrics of rankings: one number for each query, and their mean.

None depends on the order of the rows: items of equal scores share what their places are worth.
Queries without relevant items have no value; ``empty`` says what counts for them.
"""

from inspect import signature
from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.metadata_routing import get_routing_for_object

from sk_ebm._core.queries import check_relevance, gains_of, query_codes
from sk_ebm._tables.columns import split_column
from sk_ebm._utils.ranks import ranges
from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.validation import check_number, check_weighs


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

    The gains of the items, each over log2(1 + its place), over the same sum of the best order.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Relevance >= 0; 0 = irrelevant.
    y_score : array-like of shape (n_samples,)
        The higher, the earlier the item. Tied items get the mean discount of their places.
    groups : array-like of shape (n_samples,), default=None
        The query of each row, in any order of rows: any hashable values, equal ones being one
        query, and so are all NaN. None means one query.
    k : int, default=10
        Places that count, >= 1; None means all.
    gain : {"exp2", "linear"} or callable, default="exp2"
        2^y - 1, y, or a function of an array of relevance.
    empty : {"skip", 0, 1}, default="skip"
        The value of a query without relevant items: none, so that it does not count in the mean
        (nan for ``per_query``), 0 as in `sklearn.metrics.ndcg_score`, or 1 as in LightGBM,
        XGBoost and CatBoost.
    sample_weight : array-like of shape (n_samples,), default=None
        A query counts by the mean weight of its rows.
    per_query : bool, default=False
        Whether to return the value of each query, in the order of `numpy.unique`.

    Returns
    -------
    ndcg : float, or ndarray of shape (n_queries,)
    """
    check_number("k", k, 1, closed=True, kind=Integral, other=(None,))
    relevance, scores, codes = _checked(y_true, y_score, groups)
    gains = gains_of(relevance, gain)
    n_queries = codes.max() + 1
    dcg = np.bincount(codes, gains * _mean_discounts(scores, codes, k), n_queries)
    best = np.bincount(codes, gains * _mean_discounts(gains, codes, k), n_queries)
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
    """Mean over the relevant items of the precision at their place.

    Tied items stand at the last of their places, as in
    `sklearn.metrics.average_precision_score`. Relevant is what has ``y_true > threshold``; the
    other parameters are those of `ndcg`.

    Returns
    -------
    average_precision : float, or ndarray of shape (n_queries,)
    """
    relevance, scores, codes = _checked(y_true, y_score, groups)
    order, tie, place, _ = _places(scores, codes)
    relevant = (relevance > threshold)[order].astype(float)
    total = np.bincount(codes, relevance > threshold)
    found = np.cumsum(relevant)
    sizes = np.bincount(codes)
    before = np.concatenate([[0.0], found])[np.cumsum(sizes) - sizes]  # in earlier queries
    last = np.append(np.flatnonzero(np.diff(tie)), len(tie) - 1)[tie]
    query = codes[order]
    precision = (found[last] - before[query]) / place[last]
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
    """One over the place of the first relevant item.

    Among tied items that is its mean place. Relevant is what has ``y_true > threshold``; the
    other parameters are those of `ndcg`.

    Returns
    -------
    reciprocal_rank : float, or ndarray of shape (n_queries,)
    """
    relevance, scores, codes = _checked(y_true, y_score, groups)
    order, tie, place, query = _places(scores, codes)
    relevant = (relevance > threshold)[order]
    size, hits = np.bincount(tie), np.bincount(tie, relevant)
    first = np.flatnonzero(np.diff(tie, prepend=-1))
    mean_place = place[first] - 1 + (size + 1) / (hits + 1)
    values = np.zeros(codes.max() + 1)
    hit = hits > 0
    np.maximum.at(values, query[first][hit], 1 / mean_place[hit])
    values[values == 0] = np.nan
    return _summary(values, codes, empty, sample_weight, per_query)


def top_k_recall(found, exact):
    """Share of the best items of the queries that an approximate search found.

    Parameters
    ----------
    found, exact : TopK
        From `EnergyRanker.top_k` of the same queries: with an `ItemIndex`, and without. Of items
        of equal energy, those that the exact search took count.

    Returns
    -------
    recall : float
        In [0, 1].
    """
    check_consistent_length(found.rows, exact.rows)
    n_items = 1 + max(found.rows.max(), exact.rows.max())
    first = n_items * np.arange(len(exact.rows))[:, None]  # so that queries share no row
    hits, wanted = ((first + top.rows)[top.rows >= 0] for top in (found, exact))
    return float(np.isin(wanted, hits).mean())


class RankingScorer(BaseEstimator):
    """A scorer for grid searches over any ranker, LightGBM's too: the mean `ndcg` of queries.

    With metadata routing it asks for ``groups``; without, ``group_column`` says which column of X
    holds the queries.

    The ranker gets the queries too where its ``decision_function``, or else its ``predict``, has
    an argument ``groups``, or hands it on: a pipeline does to an `EnergyRanker` at its end, with
    metadata routing only. Without routing a ranker with ``normalize="query"`` at the end of a
    pipeline, or within a search, needs a ``group_column`` of its own.

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
        """What metadata routing looks for; a scorer is called."""
        raise NotImplementedError("A scorer is called: scorer(ranker, X, y, groups=...).")

    def __call__(self, estimator, X, y, groups=None):
        if groups is None and self.group_column is not None:
            groups = split_column(X, "group_column", self.group_column)[1]
        name = "decision_function" if hasattr(estimator, "decision_function") else "predict"
        given = {"groups": groups} if _takes_groups(estimator, name) else {}
        scores = getattr(estimator, name)(X, **given)
        return ndcg(y, scores, groups, k=self.k, gain=self.gain, empty=self.empty)


def _takes_groups(estimator, name):
    """Whether a method has an argument ``groups``, or hands it on by metadata routing."""
    if "groups" in signature(getattr(estimator, name)).parameters:
        return True
    routed = get_config()["enable_metadata_routing"]
    return routed and bool(get_routing_for_object(estimator).consumes(name, ["groups"]))


ndcg_scorer = RankingScorer()


def _checked(y_true, y_score, groups):
    """Relevance, scores, and the number of the query of each row."""
    relevance = check_relevance(y_true)
    scores = np.asarray(y_score, dtype=np.float64)
    check_consistent_length(relevance, scores)
    if scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError("y_score must be one-dimensional and hold no NaN.")
    if not len(scores):
        raise ValueError("y_true must hold at least one row, got none.")
    return relevance, scores, query_codes(groups, len(relevance))[1]


def _places(scores, codes):
    """Rows by query and score, and for each of these its tie, its place from 1 and its query."""
    order = np.lexsort((-scores, codes))
    query = codes[order]
    new = np.diff(query, prepend=-1) != 0
    starts = np.flatnonzero(new)
    place = ranges(1, np.diff(np.append(starts, len(order))))
    ranked = scores[order]
    new[1:] |= ranked[1:] != ranked[:-1]
    return order, np.cumsum(new) - 1, place, query


def _mean_discounts(scores, codes, k):
    """1 / log2(1 + place) of each row up to place k, tied rows sharing theirs."""
    order, tie, place, _ = _places(scores, codes)
    discounts = 1 / np.log2(1.0 + place)
    if k is not None:
        discounts[place > k] = 0
    shared = np.bincount(tie, discounts) / np.bincount(tie)
    mean = np.empty(len(scores))
    mean[order] = shared[tie]
    return mean


def _summary(values, codes, empty, sample_weight, per_query):
    """The mean over queries, or the values, with what counts for empty ones."""
    if empty not in ("skip", 0, 1):
        raise ValueError(f"empty must be 'skip', 0 or 1, got {empty!r}.")
    if empty != "skip":
        values = np.where(np.isnan(values), float(empty), values)
    if per_query:
        return values
    known = ~np.isnan(values)
    if not known.any():
        raise ValueError(
            "No query has a relevant item (y_true > 0), so there is nothing to rank; "
            "empty=0 or 1 would count for each."
        )
    weights = np.ones(len(values))
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, codes)
        weights = np.bincount(codes, sample_weight) / np.bincount(codes)
        check_weighs(weights[known])
    return float(np.average(values[known], weights=weights[known]))
