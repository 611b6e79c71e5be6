"""Boosted trees, grown by LightGBM on the slopes and curvatures of any objective."""

import os
from copy import copy
from numbers import Integral
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
from sklearn.utils import check_array

from sk_ebm._utils.threads import count_threads
from sk_ebm._utils.validation import check_number
from sk_ebm.energies._base import Energy

_FEW = 20  # samples below which there is no early stopping
_MANY = 2000  # samples from which one held-out part of them is enough to stop on
_SHARE = 4.0  # of the columns for each tree, times the root of their number, and
_SPARSE_SHARE = 0.3  # of sparse ones at least
_BLOCK = 3000  # leaves of trees, which then stay in the cache of a core
_FEW_ROWS = 500  # below which blocks do not pay, nor
_COLUMNS = 4  # where rows have more than so many for each tree of a block

# Of each model, which itself remembers which of its trees are to predict: one thread at a time.
_LOCKS: WeakKeyDictionary = WeakKeyDictionary()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_LOCKS.clear)  # what other threads held there stays so


class TreesEnergy(Energy):
    """Outputs that are sums of boosted regression trees, one per output and round.

    Each round takes a Newton step of the objective in function space (Friedman, 2001): LightGBM
    (Ke et al., 2017) grows a tree for each output on its slopes and second derivatives. Losses
    that are not curved have a constant second derivative, `Loss.steepness`. The penalty acts on
    the values of the leaves: with ``alpha`` and n samples of weight 1, LightGBM's ``lambda_l2`` is
    ``alpha (1 - l1_ratio) n``. Needs the extra ``trees`` (LightGBM).

    Frames are read as they are: columns of categories are split by subsets of their values, and
    missing values go to the side that lowers the objective.

    Parameters
    ----------
    n_estimators : int, default=500
        Rounds; with early stopping the most of them.
    learning_rate : float, default=0.1
    max_leaf_nodes : int, default=31
    max_depth : int, default=None
        None leaves the depth free.
    min_samples_leaf : int, default=20
    subsample : float, default=1.0
        Share of the rows drawn for each round, in (0, 1].
    colsample : float or "auto", default="auto"
        Share of the columns drawn for each tree, in (0, 1]. "auto" is 4 / sqrt(n_columns), at least
        0.3 of sparse columns and at most 1: trees of fewer columns are grown faster, differ
        more, and their sum generalises better.
    max_step : float, default=3.0
        Largest value of a leaf before the learning rate, > 0. Where outputs are sure and wrong,
        second derivatives vanish and Newton steps explode; None leaves them free, as LightGBM's
        own objectives do.
    max_bins : int, default=255
        Of each column's histogram.
    categorical_features : "from_dtype" or list of int or str, default="from_dtype"
        Columns of categories: those of a category, string or object type in a frame, or by index
        or name.
    early_stopping : bool, default=True
        Whether to grow trees for as many rounds as give the least loss on samples held out: a
        part of 2,000 or more samples, or each of five folds of fewer, and then the mean; or each
        of the estimator's ``cv``. Without it, ``beta="auto"`` cross-fits.
    validation_fraction : float, default=0.1
        The part held out.
    patience : int, default=20
        Rounds without a lower held-out loss after which training stops.
    n_jobs : int, default=None
        LightGBM's threads; None means all cores.

    Attributes
    ----------
    booster_ : lightgbm.Booster
    intercept_ : ndarray of shape (n_outputs,)
        Constant outputs of least loss, from which boosting starts.
    n_estimators_ : int
        Rounds kept.
    alpha_ : float
        The penalty used; ``alpha="auto"`` means 0.

    References
    ----------
    Friedman, "Greedy function approximation: a gradient boosting machine", 2001.
    Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", 2017.
    """

    raw = True

    def __init__(
        self,
        n_estimators=500,
        learning_rate=0.1,
        max_leaf_nodes=31,
        *,
        max_depth=None,
        min_samples_leaf=20,
        subsample=1.0,
        colsample="auto",
        max_step=3.0,
        max_bins=255,
        categorical_features="from_dtype",
        early_stopping=True,
        validation_fraction=0.1,
        patience=20,
        n_jobs=None,
    ):
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.subsample = subsample
        self.colsample = colsample
        self.max_step = max_step
        self.max_bins = max_bins
        self.categorical_features = categorical_features
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.n_jobs = n_jobs

    def check(self):
        _lightgbm()
        check_number("n_estimators", self.n_estimators, 1, closed=True, kind=Integral)
        check_number("learning_rate", self.learning_rate, 0)
        check_number("max_leaf_nodes", self.max_leaf_nodes, 2, closed=True, kind=Integral)
        check_number("max_depth", self.max_depth, 1, closed=True, kind=Integral, other=(None,))
        check_number("min_samples_leaf", self.min_samples_leaf, 1, closed=True, kind=Integral)
        check_number("subsample", 0.5 if self.subsample == 1 else self.subsample, 0, 1)
        colsample = 0.5 if self.colsample == 1 else self.colsample
        check_number("colsample", colsample, 0, 1, other=("auto",))
        check_number("max_step", self.max_step, 0, other=(None,))
        check_number("max_bins", self.max_bins, 2, 65535, closed=True, kind=Integral)
        check_number("validation_fraction", self.validation_fraction, 0, 1)
        check_number("patience", self.patience, 1, closed=True, kind=Integral)
        columns = self.categorical_features
        if isinstance(columns, str) and columns != "from_dtype":
            raise ValueError(
                f"categorical_features must be 'from_dtype' or a list of columns, got {columns!r}."
            )

    def fit(self, inputs, objective, rng):
        objective.alpha = self.alpha_ = 0.0 if objective.alpha == "auto" else objective.alpha
        columns = self._read(inputs, fit=True)
        splits = self._splits(objective, rng)
        judged = [self._judged(columns, objective, train, test, rng) for train, test in splits]
        rounds = [trees.n_estimators_ for trees in judged] or [self.n_estimators]
        self._grow(columns, objective, rng, round(np.mean(rounds)), keep=True)
        if splits:
            outputs = [
                trees._outputs(columns[objective.answers.rows(test)])
                for trees, (_, test) in zip(judged, splits, strict=True)
            ]
            samples = np.concatenate([test for _, test in splits])
            objective.held_out = samples, np.concatenate(outputs)
        return self

    def _splits(self, objective, rng):
        """Samples to train and to stop on: those of ``cv``, folds of few or a part of many."""
        n, weights = len(objective.answers), objective.weights
        if not self.early_stopping or n < _FEW:
            return []
        splits = objective.splits
        if splits is None and n < _MANY:
            splits = objective.default_splits(rng)
        elif splits is None:
            test = objective.hold_out(self.validation_fraction, rng)
            splits = [] if test is None else [(np.setdiff1d(np.arange(n), test), test)]
        return [(a, b) for a, b in splits if weights[a].any() and weights[b].any()]

    def _judged(self, columns, objective, train, test, rng):
        """A copy grown on some samples for as long as the loss of others falls."""
        rows = objective.answers.rows
        judge = columns[rows(test)], objective.take(test)
        part = objective.take(train)
        return copy(self)._grow(columns[rows(train)], part, rng, self.n_estimators, judge)

    def _grow(self, columns, objective, rng, n_rounds, judge=None, keep=False):
        """Grows trees, at most so many rounds, or until the loss on the judge's rows has risen.

        The outputs of the rows are kept as ``objective.fitted``, where that is wanted.
        """
        self._dtype = columns.dtype
        self.intercept_ = _constant_outputs(objective)
        self.booster_ = booster = self._booster(columns, objective, rng, judge)
        self.n_estimators_, n_grown, best, value, descends = 0, 0, np.inf, None, True

        def slopes(outputs, _):
            nonlocal value, descends
            # Single precision, which is all that LightGBM takes.
            outputs32 = self._shifted(outputs).astype(np.float32)
            value, *first_and_second = objective.second_order(outputs32)
            descends = first_and_second[0].any()
            return [part.reshape(outputs.shape) for part in first_and_second]

        def held_out_loss(outputs, _):
            return "loss", judge[1].unseen_loss(self._shifted(outputs)), False

        def keep_fitted(outputs, _):
            objective.fitted = self._shifted(outputs).astype(self._dtype)
            return "", 0.0, False

        draws = self.subsample < 1 or self._share(columns) < 1  # so that other trees may come
        for n_grown in range(1, (n_rounds if booster else 0) + 1):
            finished = booster.update(fobj=slopes)
            if judge is not None:
                value = booster.eval_valid(held_out_loss)[0][2]
            if judge is None or value < best:
                self.n_estimators_, best = n_grown, value
            objective.record(value, lambda: copy(self))
            finished = finished and not (draws and descends)
            if finished or n_grown - self.n_estimators_ >= self.patience:
                break
        if booster:
            if keep and 0 < self.n_estimators_ == n_grown:
                booster.eval_train(keep_fitted)
            booster.free_dataset()
        return self

    def settled(self):
        return clone(self).set_params(n_estimators=max(self.n_estimators_, 1), early_stopping=False)

    def _booster(self, columns, objective, rng, judge):
        total = objective.weights.sum()
        parameters = {
            "objective": "none",
            "metric": "none",
            "num_class": objective.answers.n_outputs,
            "learning_rate": self.learning_rate,
            "num_leaves": self.max_leaf_nodes,
            "max_depth": self.max_depth or -1,
            "min_data_in_leaf": self.min_samples_leaf,
            "bagging_fraction": self.subsample,
            "bagging_freq": int(self.subsample < 1),
            "feature_fraction": self._share(columns),
            "max_bin": self.max_bins,
            "max_delta_step": self.max_step or 0.0,
            "lambda_l1": objective.alpha * objective.l1_ratio * total,
            "lambda_l2": objective.alpha * (1 - objective.l1_ratio) * total,
            "seed": int(rng.randint(np.iinfo(np.int32).max)),
            "num_threads": self.n_jobs or 0,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }
        lightgbm = _lightgbm()
        categories = list(range(self._n_categorical))
        data = lightgbm.Dataset(columns, categorical_feature=categories, params=parameters)
        data.construct()
        if all(data.feature_num_bin(i) < 2 for i in range(data.num_feature())):
            return None  # nothing to split: too few rows, or constant columns
        booster = lightgbm.Booster(parameters, data)
        if judge is not None:
            booster.add_valid(data.create_valid(judge[0], params=parameters), "held out")
        return booster

    def _share(self, columns):
        """Of the columns, for each tree."""
        if self.colsample != "auto":
            return self.colsample
        least = _SPARSE_SHARE if sparse.issparse(columns) else 0.0
        return min(1.0, max(_SHARE / np.sqrt(columns.shape[1]), least))

    def _shifted(self, outputs):
        """LightGBM's outputs, (n,) if there is one, with the constant part: (n, o)."""
        return outputs.reshape(len(outputs), -1) + self.intercept_

    def __call__(self, inputs):
        return self._outputs(self._read(inputs))

    def _outputs(self, columns):
        raw = np.zeros((columns.shape[0], len(self.intercept_)))
        if self.n_estimators_:
            raw = raw_outputs(
                self.booster_, columns, self.n_estimators_, self.max_leaf_nodes, self.n_jobs
            )
        return self._shifted(raw).astype(self._dtype, copy=False)

    def _read(self, inputs, fit=False):
        """Columns as numbers, those of categories first and by index; nan where missing."""
        if fit:
            columns = self._categorical_columns(inputs)
            self._n_categorical = len(columns)
            self._encoder = None
            if len(columns):
                encoder = OrdinalEncoder(
                    handle_unknown="use_encoded_value",
                    unknown_value=np.nan,
                    encoded_missing_value=np.nan,
                )
                numbers = FunctionTransformer(_numbers)
                self._encoder = ColumnTransformer([("", encoder, columns)], remainder=numbers)
                self._encoder.fit(inputs)
        return _numbers(self._encoder.transform(inputs) if self._encoder else inputs)

    def _categorical_columns(self, inputs):
        if self.categorical_features != "from_dtype":
            return list(self.categorical_features)
        if not hasattr(inputs, "columns"):
            return []
        return [
            name
            for name in inputs.columns
            if str(inputs[name].dtype).lower().startswith(("cat", "str", "obj", "enum"))
        ]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


def _lightgbm():
    try:
        import lightgbm
    except ImportError as error:
        raise ImportError("The energy 'trees' needs LightGBM: pip install sk-ebm[trees]") from error
    return lightgbm


def raw_outputs(booster, X, n_rounds, n_leaves, n_jobs=None):
    """Sums of the trees of the first rounds, (n,) or (n, o).

    Many rows of few columns go through one block of trees after the other, which takes up to half
    less time than rows that go through all trees one by one, as LightGBM has it. It copies a row
    for each block: those of many columns do not gain.

    Parameters
    ----------
    booster : lightgbm.Booster
    X : array or CSR matrix of shape (n, d)
    n_rounds : int
    n_leaves : int
        Of a tree, at most.
    n_jobs : int, default=None
        Threads; None means as many as OpenMP has.
    """
    n_trees, (n_rows, n_columns) = _BLOCK // n_leaves, X.shape
    size = n_rounds
    if n_rows >= _FEW_ROWS and n_columns <= _COLUMNS * n_trees:
        size = max(1, n_trees // booster.num_model_per_iteration())
    with _LOCKS.setdefault(booster, Lock()):
        return sum(
            booster.predict(
                X,
                start_iteration=start,
                num_iteration=min(size, n_rounds - start),
                raw_score=True,
                num_threads=n_jobs or count_threads(),
            )
            for start in range(0, n_rounds, size)
        )


def _numbers(columns):
    return check_array(
        columns, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
    )


def _constant_outputs(objective):
    """Outputs (o,), the same for all rows, of least objective, or likelihood if that is safer."""
    if not (objective.loss.curved and objective.loss.exact):
        objective = objective.as_likelihood()
    shape = len(objective.row_weights), objective.answers.n_outputs

    def vjp(params):
        return np.broadcast_to(params, shape), lambda slopes: slopes.sum(axis=0, keepdims=True)

    constant = objective.with_(solver="lbfgs", report=None)
    return constant.minimize(np.zeros((1, shape[1])), vjp, np.zeros((1, 1)), None)[0]
