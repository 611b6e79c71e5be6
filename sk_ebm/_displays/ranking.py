"""How good a ranking is, down to each rank."""

import numpy as np

from sk_ebm._core.queries import query_codes
from sk_ebm._displays.base import BLUE, COLOURS, GREY, Display, final_model, refuse
from sk_ebm._estimators.ranker import EnergyRanker
from sk_ebm._utils.ranks import rank_in_groups
from sk_ebm._utils.validation import check_choice
from sk_ebm.metrics import ndcg

_SHUFFLES = 20  # over which the ranking by chance is averaged


class RankingDisplay(Display):
    """NDCG of the first k items for each k, or the relevance of the items at each rank.

    ``kind="ndcg"``: the mean over queries with a band of two standard errors, and that of items in
    random order. ``kind="relevance"``: the share of each grade of relevance at each rank.

    Parameters
    ----------
    kind : {"ndcg", "relevance"}
    ranks : ndarray of int, shape (n_ranks,)
        From 1 on.
    values : ndarray of shape (n_ranks,) or (n_grades, n_ranks)
        NDCG, or shares.
    errors : ndarray of shape (n_ranks,), default=None
        Standard errors of NDCG.
    chance : ndarray of shape (n_ranks,), default=None
        NDCG of items in random order.
    grades : ndarray of shape (n_grades,), default=None

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sk_ebm.displays import RankingDisplay
    >>> display = RankingDisplay.from_predictions([1, 0, 1, 0], [3, 2, 0, 1], [0, 0, 1, 1], k=2)
    >>> display.values.round(2)
    array([0.5 , 0.82])
    """

    def __init__(self, *, kind, ranks, values, errors=None, chance=None, grades=None):
        self.kind = kind
        self.ranks = ranks
        self.values = values
        self.errors = errors
        self.chance = chance
        self.grades = grades

    @classmethod
    def from_estimator(
        cls, estimator, X, y, groups=None, *, qid=None, kind="ndcg", k=10, ax=None, **kwargs
    ):
        """Rank the items, and draw how good this is.

        Parameters
        ----------
        estimator : fitted EnergyRanker, or pipeline or search that ends with one
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Relevance.
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row.
        kind : {"ndcg", "relevance"}, default="ndcg"
        k : int, default=10
            The last rank.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.plot``, or of ``ax.bar``.

        Returns
        -------
        display : RankingDisplay
        """
        model, read = final_model(estimator)
        if not isinstance(model, EnergyRanker):
            refuse(cls.__name__, model, "rankings of EnergyRanker; from_predictions takes scores")
        rows, groups = read(X), qid if groups is None else groups
        _, (_, codes) = model._read_queries(rows, groups, None)
        scores = model.decision_function(rows, groups)
        return cls.from_predictions(
            y, scores, codes, kind=kind, k=k, gain=model.gain, ax=ax, **kwargs
        )

    @classmethod
    def from_predictions(
        cls, y_true, y_score, groups=None, *, kind="ndcg", k=10, gain="exp2", ax=None, **kwargs
    ):
        """Draw how good a ranking by given scores is.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Relevance.
        y_score : array-like of shape (n_samples,)
            The items of a query are ranked by falling scores.
        groups : array-like of shape (n_samples,), default=None
        kind : {"ndcg", "relevance"}, default="ndcg"
        k : int, default=10
            The last rank.
        gain : {"exp2", "linear"} or callable, default="exp2"
            As in `sk_ebm.metrics.ndcg`.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.plot``, or of ``ax.bar``.

        Returns
        -------
        display : RankingDisplay
        """
        check_choice("kind", kind, ("ndcg", "relevance"))
        y_true, y_score = np.asarray(y_true), np.asarray(y_score, dtype=float)
        codes = query_codes(groups, len(y_true))[1]
        ranks = np.arange(1, min(k, np.bincount(codes).max()) + 1)
        compute = _ndcg_by_rank if kind == "ndcg" else _grades_by_rank
        return cls(kind=kind, ranks=ranks, **compute(y_true, y_score, codes, ranks, gain)).plot(
            ax, **kwargs
        )

    def plot(self, ax=None, **kwargs):
        """Draw the curve or the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.plot``, or of ``ax.bar``.

        Returns
        -------
        self
        """
        ax = self._start(ax)
        if self.kind == "ndcg":
            low, high = self.values - 2 * self.errors, self.values + 2 * self.errors
            ax.fill_between(self.ranks, low, np.minimum(high, 1), color=BLUE, alpha=0.25, lw=0)
            options = {"color": BLUE, "marker": "o", "lw": 2, "label": "ranking"} | kwargs
            ax.plot(self.ranks, self.values, **options)
            ax.plot(self.ranks, self.chance, color=GREY, ls=":", lw=2, label="random order")
            ax.set(xlabel="first k items", ylabel="NDCG of the first k items", ylim=(None, 1.01))
        else:
            self._plot_grades(ax, kwargs)
        ax.xaxis.get_major_locator().set_params(integer=True)
        beside = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
        ax.legend(**beside if self.kind == "relevance" else {"loc": "best"})
        return self

    def _plot_grades(self, ax, options):
        bottom = np.zeros(len(self.ranks))
        shades = np.linspace(0.15, 1, len(self.grades))
        for grade, shares, shade in zip(
            self.grades[::-1], self.values[::-1], shades[::-1], strict=True
        ):
            style = {"color": COLOURS[0], "alpha": shade, "label": f"relevance {grade:g}"}
            ax.bar(self.ranks, shares, bottom=bottom, **style | options)
            bottom += shares
        ax.set(xlabel="rank", ylabel="share of items", ylim=(0, 1))


def _ndcg_by_rank(y_true, y_score, codes, ranks, gain):
    rng = np.random.RandomState(0)

    def values(scores):
        queries = [ndcg(y_true, scores, codes, k=int(k), gain=gain, per_query=True) for k in ranks]
        return np.stack(queries)

    per_query = values(y_score)
    counted = ~np.isnan(per_query[0])
    if not counted.any():
        raise ValueError("y_true must hold a relevant item (> 0) in some query, got none.")
    per_query = per_query[:, counted]
    errors = per_query.std(axis=1, ddof=min(1, counted.sum() - 1)) / np.sqrt(counted.sum())
    chance = [
        values(rng.uniform(size=len(codes)))[:, counted].mean(axis=1) for _ in range(_SHUFFLES)
    ]
    return {"values": per_query.mean(axis=1), "errors": errors, "chance": np.mean(chance, axis=0)}


def _grades_by_rank(y_true, y_score, codes, ranks, gain):
    order, rank, _, _ = rank_in_groups(codes, -y_score)
    relevance = y_true[order]
    grades = np.unique(y_true)
    counts = [[np.sum((rank == k - 1) & (relevance == grade)) for k in ranks] for grade in grades]
    return {"values": np.array(counts) / np.sum(counts, axis=0), "grades": grades}
