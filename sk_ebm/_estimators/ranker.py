"""EnergyRanker: order the items of a query by their energies."""

from collections import namedtuple
from contextlib import contextmanager
from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.callback import with_callbacks
from sklearn.linear_model import LogisticRegression
from sklearn.utils import ClassifierTags, check_random_state
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.folds import Folds
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.groups import Groups
from sk_ebm._core.queries import check_relevance, gains_of, query_codes, warn_without_queries
from sk_ebm._estimators.automatic import TakesAuto
from sk_ebm._estimators.base import EnergyEstimator
from sk_ebm._estimators.explaining import Explains
from sk_ebm._tables.columns import split_column
from sk_ebm._utils.estimators import row_blocks
from sk_ebm._utils.finite import finite_outputs
from sk_ebm._utils.ranks import rank_in_groups
from sk_ebm._utils.sklearn_private import check_sample_weight, count_rows, take_rows
from sk_ebm._utils.validation import check_array, check_choice, check_number
from sk_ebm._utils.warnings import warn_user
from sk_ebm._utils.weighted import weighted_std
from sk_ebm.exceptions import NothingLearnedWarning
from sk_ebm.losses._mean_over_correct import MeanOverCorrect
from sk_ebm.losses._registry import GRADED_LOSSES
from sk_ebm.metrics import ndcg

_LEAST_BETA = 1e-3  # of standardised energies: keeps the level finite where these say nothing
_LEVEL_ROWS = 1e-6, 1e6  # beyond, Newton's steps to the level lose digits against the pseudo-rows

TopK = namedtuple("TopK", ["queries", "rows", "energies"])
"""The best answers of each query: queries (n,), rows (n, k) of X, -1 where a query has fewer than
k, and their energies (n, k), inf there."""


class EnergyRanker(TakesAuto, Explains, EnergyEstimator):
    """Ranker that orders the items of each query by their energies E(x, y), the least first.

    An energy function is fitted to minimise the mean loss of the energies of a query's items, plus
    a penalty on its weights. The default loss is the listwise cross-entropy between the Gibbs
    distribution over the items of a query and a target distribution proportional to their gains
    (ListNet [1]_).

    Parameters
    ----------
    energy : {"linear", "kernel", "mlp", "trees", "auto"}, Energy, estimator or list, \
            default="linear"
        The energy function. A ranker of LightGBM, XGBoost or CatBoost, or a regressor on
        relevance, can be given as it is; a list of any of these is their sum, with weights learned
        on held-out queries. "auto" pools those that stand a chance and earn their place on held-out
        queries (`AutoEnergy`).
    loss : {"nll", "pairwise_log", "pairwise_hinge", "lambda", "xendcg", "hinge", "log", \
            "perceptron", "lvq2", "mce", "mee", "square_square", "square_exponential"} or Loss, \
            default="nll"
        "nll" is listwise; "pairwise_log" is RankNet, "lambda" is LambdaRank. The others are those
        of `EnergyClassifier`: the correct answer is the relevant items together, by their free
        energy, and the most offending one is the irrelevant item of least energy.
    beta : float or "auto", default="auto"
        Inverse temperature of `query_proba`, > 0; "auto" learns it on held-out queries.
    alpha : float or "auto", default="auto"
        Strength of the penalty, >= 0; "auto" chooses it on held-out queries for the linear and
        the kernel energy. With a single query it is a constant.
    l1_ratio : float, default=0.0
        Share of the l1 norm in the penalty, in [0, 1].
    gain : {"exp2", "linear"} or callable, default="exp2"
        What an item of relevance y is worth: 2^y - 1, y, or a function of an array, which must be
        of a module, not a lambda, where the ranker is to be saved.
    k : int, default=10
        Ranks that count in `score`; None means all.
    empty : {"skip", 0, 1}, default="skip"
        What a query without relevant items counts in `score`, see `sk_ebm.metrics.ndcg`.
    group_column : int or str, default=None
        The column of X that holds the query of each row, where ``groups`` is not given; it is not
        a feature. It carries queries through a grid search without metadata routing.
    normalize : {None, "query"}, default=None
        "query" brings each column to mean 0 and variance 1 within each query; every method then
        needs the queries.
    cv : int, splitter or iterable, default=None
        Folds of queries on which alpha, beta and the weights of a sum are chosen; None means one
        or all of five. A splitter gets the rows and the queries as ``groups``, and must not cut
        any (`GroupKFold`). With a single query nothing is held out.
    solver : {"auto", "newton", "lbfgs", "adam"}, default="auto"
    max_iter : int, default=1000
        Bound on the iterations of the final fit (epochs, for "adam").
    tol : float, default=1e-7
        Relative gap of the objective to its minimum at which iterations stop.
    effort : {"low", "medium", "high"}, default="medium"
        Of energy="auto", as in `EnergyClassifier`.
    max_seconds : float, default=None
        Of energy="auto": energies that would probably end later are left out, but for the
        cheapest; > 0. None: the fit depends on the data and ``random_state`` alone.
    categorical_features : "auto", "from_dtype" or list, default="auto"
        Columns of categories, by name or index or as a mask. "auto", or "from_dtype": those that
        hold text or categories.
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.
    verbose : bool, default=False
        Whether to print a line after each iteration.
    random_state : int, RandomState instance or None, default=None
        Draws folds, landmarks, initial weights, mini-batches and the noise of "xendcg".

    Attributes
    ----------
    energy_ : Energy
        The fitted energy function.
    beta_ : float
        Inverse temperature of the Gibbs distribution over the items of a query.
    level_ : float
        Energy at which an item is as likely relevant as not.
    level_beta_ : float
        Inverse temperature of relevant against not relevant.
    selection_ : dict of str to ndarray of shape (n_candidates,)
        With energy="auto": which energies were tried, as in `EnergyClassifier`.
    n_iter_ : int
        Iterations of the final fit; of a sum, of the term with most of them.
    loss_curve_ : list of float
    n_features_in_ : int
        Without the column of queries.
    feature_names_in_ : ndarray of shape (n_features,)

    References
    ----------
    .. [1] Cao, Qin, Liu, Tsai and Li, "Learning to rank: from pairwise approach to listwise
       approach", 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_ebm import EnergyRanker
    >>> rng = np.random.RandomState(0)
    >>> X, queries = rng.standard_normal((200, 3)), np.repeat(np.arange(20), 10)
    >>> y = (X[:, 0] + 0.3 * rng.standard_normal(200)).round().clip(0, 2)
    >>> ranker = EnergyRanker().fit(X, y, groups=queries)
    >>> print(f"{ranker.score(X, y, groups=queries):.2f}")
    0.97
    """

    _losses = GRADED_LOSSES
    _answer_kind = "items"
    __metadata_request__fit = {"groups": True, "qid": True}
    __metadata_request__score = {"groups": True, "qid": True}
    __metadata_request__predict = {"groups": True, "qid": True}
    __metadata_request__predict_proba = {"groups": True, "qid": True}
    __metadata_request__decision_function = {"groups": True, "qid": True}

    def __init__(
        self,
        energy="linear",
        loss="nll",
        *,
        beta="auto",
        alpha="auto",
        l1_ratio=0.0,
        gain="exp2",
        k=10,
        empty="skip",
        group_column=None,
        normalize=None,
        cv=None,
        solver="auto",
        max_iter=1000,
        tol=1e-7,
        effort="medium",
        max_seconds=None,
        categorical_features="auto",
        n_jobs=None,
        verbose=False,
        random_state=None,
    ):
        self.energy = energy
        self.loss = loss
        self.beta = beta
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.gain = gain
        self.k = k
        self.empty = empty
        self.group_column = group_column
        self.normalize = normalize
        self.cv = cv
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.effort = effort
        self.max_seconds = max_seconds
        self.categorical_features = categorical_features
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y, *, groups=None, qid=None, sample_weight=None):
        """Fit the energy function and learn beta.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            One row for each item of a query, in any order.
        y : array-like of shape (n_samples,)
            Relevance >= 0; 0 = irrelevant. Some query must have a relevant item; queries without
            one are ignored.
        groups : array-like of shape (n_samples,), default=None
            The query of each row, any hashable values; None means one query. Equal values are
            one query, and so are all NaN.
        qid : array-like of shape (n_samples,), default=None
            Another name of ``groups``.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero. Within its query an item of weight 2 equals two items; a
            query counts by the mean weight of its items that have one, among the other queries.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter are out of range. A fitted estimator stays as it was.
        """
        with self._keeping_fitted():
            energy, loss = self._resolved_components()
            table, (_, codes) = self._read_queries(X, groups, qid, warns=True)
            table, y = self._validated(energy, table, y)
            relevance = check_relevance(y)
            answers, weights = self._items_and_weights(relevance, codes, table, sample_weight)
            inputs = self._normalised(table, codes)
            folds = self._query_folds(table, y, answers)
            with self._reporting(X, y, sample_weight, codes) as report:
                fitted = self._fit_component(energy, loss, inputs, answers, weights, folds, report)
                vars(self).update(fitted.attributes)
                self._keep_background(inputs, answers.per_row(weights))
            if not fitted.converged:
                self._warn_unconverged(fitted.n_iter)
            return self

    def _resolved_components(self):
        energy, loss = super()._resolved_components()
        check_choice("normalize", self.normalize, (None, "query"))
        check_number("k", self.k, 1, closed=True, kind=Integral, other=(None,))
        check_choice("empty", self.empty, ("skip", 0, 1))
        return energy, loss if loss.several_correct else MeanOverCorrect(loss)

    def _read_queries(self, X, groups, qid, warns=False):
        """X without its column of queries; the distinct queries, and the number of each row's.

        With ``warns``, a warning where nothing says which rows are one query.
        """
        if groups is not None and qid is not None:
            raise ValueError("groups and qid are two names of one thing: give only one of them.")
        groups = qid if groups is None else groups
        groups = self._own_queries(X) if groups is None else groups
        if groups is None and warns:
            warn_without_queries(type(self).__name__)
        if self.group_column is not None:
            X = split_column(X, "group_column", self.group_column)[0]
        return X, query_codes(groups, count_rows(X))

    def _own_queries(self, X):
        """The queries of rows that the ranker knows itself, or None.

        Those of ``group_column``; while it is fitted, for callbacks, those that `fit` was given.
        """
        if self.group_column is not None:
            return split_column(X, "group_column", self.group_column)[1]
        known = vars(self).get("_queries_in_fit")
        return known if known is not None and len(known) == count_rows(X) else None

    @contextmanager
    def _reporting(self, X, y, sample_weight, codes):
        """As for all estimators; those that callbacks score know the queries of X."""
        self._queries_in_fit = codes
        with super()._reporting(X, y, sample_weight) as report:
            yield report
        del self._queries_in_fit

    def _items_and_weights(self, relevance, codes, X, sample_weight):
        """The items of the queries, and the weights of the queries, whose mean is one."""
        rows = check_sample_weight(sample_weight, X)
        largest = rows.max()
        rows = rows / largest * np.clip(largest, 1e-100, 1e100)  # sums are then finite
        answers = Groups(gains_of(relevance, self.gain), codes, relevance, copies=rows)
        weights = np.where(answers.informative, answers.mean_copies, 0.0)
        if not weights.any():
            raise ValueError(
                "y must hold a relevant item (y > 0) of positive weight in some query, got none."
            )
        if not (answers.ordered & (weights > 0)).any():
            self._warn_unordered()
        return answers, weights / weights.sum() * np.count_nonzero(weights)

    def _warn_unordered(self):
        warn_user(
            f"No query has items of different relevance, so that loss={self.loss!r} has nothing to "
            "learn an order from. y must grade the items of a query against each other, and gain "
            f"({self.gain!r}) must differ between the grades; groups must hold one value for all "
            "items of a query.",
            NothingLearnedWarning,
        )

    def _normalised(self, X, codes):
        """Each column with mean 0 and variance 1 within each query, where that is asked for."""
        if self.normalize is None:
            return X
        if not isinstance(X, np.ndarray):
            raise ValueError(f"normalize='query' needs dense numbers, got {type(X).__name__}.")
        X = np.ldexp(X, -np.frexp(np.abs(X).max(axis=0))[1])  # exactly, so that squares are finite
        sizes = np.bincount(codes)[:, None]
        order = np.argsort(codes, kind="stable")
        starts = np.cumsum(sizes) - sizes[:, 0]
        centred = X - (np.add.reduceat(X[order], starts) / sizes)[codes]
        deviation = np.sqrt(np.add.reduceat(np.square(centred[order]), starts) / sizes)
        largest = np.maximum(np.maximum.reduceat(np.abs(X[order]), starts), 1e-300)
        constant = deviation <= 1e-6 * largest
        return (centred / np.where(constant, np.inf, deviation)[codes]).astype(X.dtype, copy=False)

    def _query_folds(self, X, y, answers):
        """The queries of the folds of ``cv``, or None."""
        if self.cv is None or len(answers) == 1:
            return None
        if isinstance(self.cv, Integral):
            return answers.folds(self.cv, check_random_state(self.random_state))
        return Folds(
            tuple(
                (_whole_queries(train, answers), _whole_queries(test, answers))
                for train, test in self._folds(X, y, answers.query)
            )
        )

    def _learn(self, result, inputs, training):
        """beta, and the level that separates relevant items; by held-out queries for "auto"."""
        objective = training.objective
        if self.beta == "auto":
            samples, outputs = training.held_out_outputs(result, inputs)
            objective = objective.take(samples)
            beta = objective.learn_beta(outputs)
        else:
            outputs, beta = result.outputs_of(inputs), self.beta
        relevant = objective.answers.relevance > 0
        level, level_beta = _level(-outputs[:, 0], relevant, objective.answers.copies)
        return {"beta_": float(beta), "level_": level, "level_beta_": level_beta}

    def energies(self, X, groups=None, *, qid=None):
        """Energy of each item, low where it fits its query.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name. Only used with ``normalize="query"``.

        Returns
        -------
        energies : ndarray of shape (n_samples,)
            In the arbitrary unit of the loss; ``beta_`` times them is in nats.
        """
        return self._energies_by_query(X, groups, qid)[0]

    def _energies_by_query(self, X, groups, qid):
        """The energies of the rows, the distinct queries, and the number of that of each row."""
        check_is_fitted(self)
        X, queries, codes = self._inputs_by_query(X, groups, qid)
        parts = [finite_outputs(self.energy_, take_rows(X, rows)) for rows in row_blocks(X, 1)]
        return -np.concatenate(parts)[:, 0], queries, codes

    def _inputs_by_query(self, X, groups, qid):
        """Inputs of the energy, the distinct queries, and the number of that of each row."""
        named = groups is not None or qid is not None or self._own_queries(X) is not None
        if self.normalize == "query" and not named:
            raise ValueError("normalize='query' needs the queries: give groups, or group_column.")
        X, (queries, codes) = self._read_queries(X, groups, qid)
        return (
            self._normalised(self._validated(self.energy_, X, reset=False), codes),
            queries,
            codes,
        )

    def explain(self, X, groups=None, *, qid=None):
        """Contributions of the columns to the energies of the items, which they add up to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name. Only used with ``normalize="query"``.

        Returns
        -------
        explanation : Explanation
            ``base + values.sum(axis=1)`` are the `energies`. As of `EnergyClassifier.explain`, they
            are in closed form or sampled.
        """
        check_is_fitted(self)
        return self._explain(self._inputs_by_query(X, groups, qid)[0])

    def explain_terms(self, X, groups=None, *, qid=None):
        """The same by term of a sum: their energies, times their weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name. Only used with ``normalize="query"``.

        Returns
        -------
        explanation : Explanation
            ``feature_names`` are those of the terms; the constant of the sum is the base.
        """
        check_is_fitted(self)
        return self._explain_terms(self._inputs_by_query(X, groups, qid)[0])

    def _arrange(self, outputs):
        return -outputs[:, 0]

    def decision_function(self, X, groups=None, *, qid=None):
        """Negative energy of each item: the higher, the earlier it comes.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name. Only used with ``normalize="query"``.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
        """
        return -self.energies(X, groups, qid=qid)

    def predict(self, X, groups=None, *, qid=None):
        """The same as `decision_function`: what other rankers predict.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name. Only used with ``normalize="query"``.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
        """
        return self.decision_function(X, groups, qid=qid)

    def predict_proba(self, X, groups=None, *, qid=None):
        """Gibbs probabilities of not relevant and relevant, at a learned level of energy.

        Rows are independent of each other; `query_proba` compares the items of a query.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name. Only used with ``normalize="query"``.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, 2)
        """
        energies = self.energies(X, groups, qid=qid)
        both = np.stack([np.full_like(energies, self.level_), energies], axis=1)
        return Gibbs(both, beta=self.level_beta_).probabilities

    def query_proba(self, X, groups=None, *, qid=None):
        """Gibbs probabilities of the items of each query at inverse temperature ``beta_``.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name; None means one query.

        Returns
        -------
        probabilities : ndarray of shape (n_samples,)
            They sum to one over the items of a query.
        """
        energies, _, codes = self._energies_by_query(X, groups, qid)
        probabilities = np.empty(len(energies))
        for _, rows, answers in Groups(np.zeros(len(codes)), codes).blocks:
            padded, _ = answers.arrange(-energies[rows][:, None])
            gibbs = Gibbs(padded, answers.log_measure, self.beta_)
            probabilities[rows] = gibbs.probabilities[answers.present]
        return probabilities.astype(energies.dtype, copy=False)

    def rank(self, X, groups=None, *, qid=None):
        """The rank of each item in its query, from 1; ties in the order of the rows.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name; None means one query.

        Returns
        -------
        ranks : ndarray of int, shape (n_samples,)
        """
        energies, _, codes = self._energies_by_query(X, groups, qid)
        order, rank, *_ = rank_in_groups(codes, energies)
        ranks = np.empty(len(order), dtype=int)
        ranks[order] = rank + 1
        return ranks

    def top_k(self, X, groups=None, k=10, *, qid=None, items=None):
        """The k items of least energy of each query, the best first.

        With ``items``, a catalogue that every query is given, the energies of all pairs are
        searched in blocks of scikit-learn's ``working_memory``, exactly, and never stored. An
        `ItemIndex` of the items instead is searched approximately.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name; None means one query.
        k : int, default=10
        items : array-like of shape (n_items, n_item_columns) or fitted ItemIndex, default=None
            Features of items, for a `BilinearEnergy` and ``normalize=None``. X then holds those
            of queries alone, one row for each, and ``groups`` and ``qid`` are not used.

        Returns
        -------
        top : TopK
            ``queries`` (n,), ``rows`` (n, k) of X and their ``energies`` (n, k); -1 and inf where
            a query has fewer items, or an `ItemIndex` found fewer. With ``items`` the rows are
            those of items, at most all of them.

        Raises
        ------
        ValueError
            If k, the queries or the widths of X and ``items`` are out of range, or where
            ``items`` comes with another energy or ``normalize="query"``.
        """
        check_number("k", k, 1, closed=True, kind=Integral)
        if items is not None:
            return self._top_of_catalogue(X, items, k)
        energies, queries, codes = self._energies_by_query(X, groups, qid)
        order, rank, *_ = rank_in_groups(codes, energies)
        order, rank = order[rank < k], rank[rank < k]
        rows = np.full((len(queries), k), -1)
        rows[codes[order], rank] = order
        return TopK(queries, rows, np.where(rows < 0, np.inf, energies[rows]))

    def _top_of_catalogue(self, X, items, k):
        check_is_fitted(self)
        if not hasattr(self.energy_, "best_items"):
            raise ValueError(f"items needs energy=BilinearEnergy(...), got {self.energy_!r}.")
        if self.normalize is not None:
            raise ValueError(
                f"items needs normalize=None, got {self.normalize!r}: a catalogue has no queries "
                "to normalise in."
            )
        X = _numbers("X", X, len(self.energy_.query_columns))
        width = self.energy_.matrix_.shape[1]
        if hasattr(items, "search"):
            check_is_fitted(items)
            _check_width("items", items.n_features_in_, width)
        else:
            items = _numbers("items", items, width)
        n_entries = int(get_config()["working_memory"] * 2**20 / 32)
        rows, energies = self.energy_.best_items(X, items, k, n_entries)
        return TopK(np.arange(len(X)), rows, energies)

    def score(self, X, y, groups=None, qid=None, sample_weight=None):
        """Mean NDCG of the first ``k`` items of each query, see `sk_ebm.metrics.ndcg`.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Relevance.
        groups, qid : array-like of shape (n_samples,), default=None
            The query of each row, by either name; None means one query.
        sample_weight : array-like of shape (n_samples,), default=None
            A query counts by the mean weight of its rows.

        Returns
        -------
        ndcg : float
        """
        codes = self._read_queries(X, groups, qid, warns=True)[1][1]
        return ndcg(
            y,
            self.decision_function(X, codes),
            codes,
            k=self.k,
            gain=self.gain,
            empty=self.empty,
            sample_weight=sample_weight,
        )

    @property
    def coef_(self):
        """Weights (n_features,) of the negative energy, where it is linear."""
        return self._linear("coef_")[:, 0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "ranker"
        tags.classifier_tags = ClassifierTags(multi_class=False)  # of predict_proba
        tags.target_tags.required = True
        tags.target_tags.positive_only = True
        return tags


def _whole_queries(rows, answers):
    """The queries of some rows, all of whose rows must be there."""
    rows = np.arange(len(answers.query))[rows]
    found = np.bincount(answers.query[rows], minlength=len(answers))
    if ((found > 0) & (found < answers.sizes)).any():
        raise ValueError("cv cuts a query into two folds; use GroupKFold, which keeps them whole.")
    return np.flatnonzero(found)


def _numbers(name, part, width):
    """Features of queries or of items, as the bilinear energy takes them."""
    part = check_array(part, dtype=[np.float64, np.float32], input_name=name)
    _check_width(name, part.shape[1], width)
    return part


def _check_width(name, found, width):
    if found != width:
        kind = "queries" if name == "X" else "items"
        raise ValueError(
            f"{name} must have the {width} columns of {kind} that the energy was fitted on, "
            f"got {found}."
        )


def _level(energies, relevant, weights):
    """Level and inverse temperature of p(relevant given E) = 1 / (1 + exp(-beta (level - E))).

    Platt's scaling, with half a pseudo-observation of either kind at the mean energy, and the prior
    of `LogisticRegression` on energies of unit variance. Energies that do not fall with relevance
    have a beta of nearly 0.
    """
    total = weights.sum()
    weights = weights / total * np.clip(total, *_LEVEL_ROWS)
    mean = float(np.average(energies, weights=weights))
    scale = weighted_std(energies, weights) or 1.0
    z = np.append((mean - energies) / scale, [0.0, 0.0])[:, None]
    target = np.append(relevant, [False, True])
    weights = np.append(weights, [0.5, 0.5])
    fitted = LogisticRegression(solver="newton-cholesky", tol=1e-10).fit(z, target, weights)
    beta, odds = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if beta <= _LEAST_BETA:
        beta, odds = _LEAST_BETA, float(np.log(weights @ target) - np.log(weights @ ~target))
    return mean + scale * odds / beta, beta / scale
