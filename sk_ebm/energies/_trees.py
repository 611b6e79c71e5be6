"""Boosted trees, grown by LightGBM on the derivatives of any objective."""

from copy import copy
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.base import clone

from sk_ebm._core.contributions import Contributions
from sk_ebm._core.folds import Folds
from sk_ebm._core.training import FitResult
from sk_ebm._tables.encoding import TableEncoder
from sk_ebm._utils.threads import lightgbm_threads
from sk_ebm._utils.validation import check_flag, check_n_jobs, check_number
from sk_ebm._utils.warnings import warn_user
from sk_ebm.energies._base import Energy
from sk_ebm.exceptions import NothingLearnedWarning

_FEWEST_TO_STOP = 20  # samples, two for each class and fold at least: below, no early stopping
_ENOUGH_FOR_ONE_PART = 2000  # samples: a tenth of them, 200, tells when to stop
# Against all columns: 11 % of the time of fits on 12 sets (44 % of libras), log-loss .002 +- .002.
_SHARE = 4.0  # of the columns for each tree, times the root of their number, and
_SPARSE_SHARE = 0.3  # of sparse ones at least: a word is in few of their rows
# Of 16, 24, 36, 60 and 100 rows of 5 sets, a sixth in a leaf lowers log-loss by .15, .04, .13, .01
# and .01 against 20 rows, which few rows cannot fill twice; a tenth or a twentieth is no better.
_SHARE_OF_A_LEAF = 1 / 6  # of the rows, at least, and
_LARGEST_LEAF = 20  # rows at most. It and what follows are LightGBM's own defaults for a leaf of 20
_ROWS_OF_A_BIN = 3
_ROWS_OF_A_CATEGORY = 0.5  # at least, for each row of a leaf: 10
_ROWS_OF_CATEGORIES = 100  # on either side of a split: of few rows a third, so that there is one


class TreesEnergy(Energy):
    """Outputs that are sums of boosted regression trees, one per output and round.

    Each round takes a Newton step of the objective in function space (Friedman, 2001): LightGBM
    (Ke et al., 2017) grows a tree for each output on its gradient and second derivatives. Losses
    without second derivatives have a constant one, `Loss.second_derivative_bound`. The penalty acts
    on the values of the leaves: with ``alpha`` and n samples of weight 1, LightGBM's ``lambda_l2``
    is ``alpha (1 - l1_ratio) n``. Needs the extra ``trees`` (LightGBM).

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
    min_samples_leaf : int or "auto", default="auto"
        Rows of a leaf at least. "auto" is 20, and a sixth of fewer than 120 rows of positive
        weight, so that few rows can be split, too.
    subsample : float, default=1.0
        Share of the rows drawn for each round, in (0, 1].
    colsample : float or "auto", default="auto"
        Share of the columns drawn for each tree, in (0, 1]. "auto" is 4 / sqrt(n_columns), at least
        0.3 of sparse columns and at most 1: trees of fewer columns are grown faster, differ
        more, and their sum generalises better.
    max_step : float, default=3.0
        Largest value of a leaf before the learning rate, > 0. Where outputs are confident and
        wrong, second derivatives vanish and Newton steps explode; None leaves them free, as
        LightGBM's own objectives do.
    max_bins : int, default=255
        Of each column's histogram.
    categorical_features : "from_dtype" or list of int or str, default="from_dtype"
        Columns of categories: those of a category, string or object type in a frame and those of
        text in an array, or by index or name.
    early_stopping : bool, default=True
        Whether to grow trees for as many rounds as give the least loss on samples held out: a
        part of 2,000 or more samples, or each of five folds of fewer, and then the mean; or each
        of the estimator's ``cv``. Without it, ``beta="auto"`` cross-fits.
    validation_fraction : float, default=0.1
        The part held out.
    patience : int, default=20
        Rounds without a lower held-out loss after which training stops.
    n_jobs : int, default=None
        LightGBM's threads; None means one for every million values of the table, as far as there
        are cores, of which ``OMP_NUM_THREADS`` or a container may allow fewer.

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
    fits_on_folds = True

    def __init__(
        self,
        n_estimators=500,
        learning_rate=0.1,
        max_leaf_nodes=31,
        *,
        max_depth=None,
        min_samples_leaf="auto",
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
        leaf = self.min_samples_leaf
        check_number("min_samples_leaf", leaf, 1, closed=True, kind=Integral, other=("auto",))
        check_number("subsample", self.subsample, 0)
        check_number("subsample", self.subsample, 0, 1, closed=True)
        check_number("colsample", self.colsample, 0, other=("auto",))
        check_number("colsample", self.colsample, 0, 1, closed=True, other=("auto",))
        check_number("max_step", self.max_step, 0, other=(None,))
        check_number("max_bins", self.max_bins, 2, 65535, closed=True, kind=Integral)
        check_number("validation_fraction", self.validation_fraction, 0, 1)
        check_number("patience", self.patience, 1, closed=True, kind=Integral)
        check_flag("early_stopping", self.early_stopping)
        check_n_jobs(self.n_jobs)
        columns = self.categorical_features
        is_list = isinstance(columns, (list, tuple)) or getattr(columns, "ndim", 0) == 1
        if not is_list and not (isinstance(columns, str) and columns == "from_dtype"):
            raise ValueError(
                f"categorical_features must be 'from_dtype' or a list of columns, got {columns!r}."
            )

    def fit(self, inputs, training):
        training = training.with_default_alpha(0.0)
        self.alpha_ = training.penalty.alpha
        self._encoder = TableEncoder(self.categorical_features).fit(inputs)
        columns, rows = self._columns(inputs), training.answers.rows
        folds = self._folds(training)
        stopped = [self._early_stopped(columns, training, *fold) for fold in folds]
        rounds = [trees.n_estimators_ for trees in stopped] or [self.n_estimators]
        history, outputs = self._grow(columns, training, round(np.mean(rounds)))
        self._warn_constant(outputs, training)
        held_out = None
        if len(folds):
            pairs = zip(stopped, folds, strict=True)
            of_folds = [
                trees._with_rounds(self.n_estimators_)._outputs(columns[rows(test)])
                for trees, (_, test) in pairs
            ]
            held_out = folds.samples, np.concatenate(of_folds)
        if len(outputs) < columns.shape[0]:
            outputs = self._outputs(columns)
        return FitResult(self, held_out, outputs, alpha=self.alpha_, history=history)

    def _warn_constant(self, outputs, training):
        """Warn, but not for each fold, nor where the energies of an offset leave nothing to fit."""
        reported, alone = training.report is not None, training.objective.offset is None
        if reported and alone and not np.ptp(outputs, axis=0).any():
            warn_user(
                f"No tree found a split of {len(outputs)} rows, so that {self!r} has the same "
                "energies for all rows. Give more rows, or columns that differ between rows, or "
                f"lower min_samples_leaf (now {self.min_samples_leaf}).",
                NothingLearnedWarning,
            )

    def _folds(self, training):
        """Samples to train and to stop on: those of ``cv``, folds of few or a part of many."""
        n, weights = len(training.answers), training.objective.weights
        if not self.early_stopping or n < _FEWEST_TO_STOP:
            return Folds(())
        folds = training.folds
        if folds is None:
            few = n < _ENOUGH_FOR_ONE_PART
            folds = training.default_folds() if few else self._part(training)
        return Folds(tuple((a, b) for a, b in folds if weights[a].any() and weights[b].any()))

    def _part(self, training):
        """One pair of samples, the first of folds that are shared."""
        if training.shared_folds:
            return training.shared_folds.first(1)
        test = training.hold_out(self.validation_fraction)
        samples = np.arange(len(training.answers))
        return [] if test is None else [(np.setdiff1d(samples, test), test)]

    def _early_stopped(self, columns, training, train, test):
        """A copy grown on some samples for as long as the loss of others falls."""
        objective, rows = training.objective, training.answers.rows
        part = training.replace(objective=objective.take(train))
        trees = copy(self)
        trees._grow(
            columns[rows(train)],
            part,
            self.n_estimators,
            evaluation=(columns[rows(test)], objective.take(test)),
        )
        return trees

    def _grow(self, columns, training, n_rounds, evaluation=None):
        """Grow trees, at most so many rounds, or until the loss of evaluation rows has risen.

        Returns the losses of the rounds, and without evaluation rows the outputs of the rows of
        positive weight.
        """
        self._dtype = columns.dtype
        columns, training = _with_weight(columns, training)
        objective = training.objective
        self.intercept_ = _constant_outputs(training)
        self.n_estimators_ = 0
        self.booster_ = booster = self._booster(columns, training, evaluation)
        if booster is None:
            return [], self._outputs(columns)
        draws = self.subsample < 1 or self._share(columns) < 1  # so that other trees may come
        rounds = _Rounds(booster, objective, self.intercept_, evaluation, draws)
        history, best = [], np.inf
        for n_grown in range(1, n_rounds + 1):
            finished, value = rounds.grow()
            history.append(value)
            if evaluation is None or value < best:
                self.n_estimators_, best = n_grown, value
            if training.report is not None:
                training.report(value, lambda: copy(self))
            if finished or n_grown - self.n_estimators_ >= self.patience:
                break
        outputs = rounds.outputs().astype(self._dtype) if evaluation is None else None
        booster.free_dataset()
        return history, outputs

    def clone_with_choices(self):
        return clone(self).set_params(n_estimators=max(self.n_estimators_, 1), early_stopping=False)

    def _booster(self, columns, training, evaluation):
        objective, (alpha, l1_ratio) = training.objective, training.penalty
        total = objective.weights.sum()
        leaf = self._leaf_size(columns.shape[0])
        parameters = {
            "objective": "none",
            "metric": "none",
            "num_class": objective.answers.n_outputs,
            "learning_rate": self.learning_rate,
            "num_leaves": self.max_leaf_nodes,
            "max_depth": self.max_depth or -1,
            "min_data_in_leaf": leaf,
            "min_data_in_bin": min(leaf, _ROWS_OF_A_BIN),
            "cat_smooth": _ROWS_OF_A_CATEGORY * min(leaf, _LARGEST_LEAF),
            "min_data_per_group": int(np.clip(columns.shape[0] / 3, 1, _ROWS_OF_CATEGORIES)),
            "bagging_fraction": self.subsample,
            "bagging_freq": int(self.subsample < 1),
            "feature_fraction": self._share(columns),
            "max_bin": self.max_bins,
            "max_delta_step": self.max_step or 0.0,
            "lambda_l1": alpha * l1_ratio * total,
            "lambda_l2": alpha * (1 - l1_ratio) * total,
            "seed": int(training.rng.randint(np.iinfo(np.int32).max)),
            "num_threads": lightgbm_threads(self.n_jobs, *columns.shape),
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }
        lightgbm = _lightgbm()
        categories = list(range(self._encoder.n_categorical))
        data = lightgbm.Dataset(columns, categorical_feature=categories, params=parameters)
        data.construct()
        if all(data.feature_num_bin(i) < 2 for i in range(data.num_feature())):
            return None  # nothing to split: too few rows, or constant columns
        booster = lightgbm.Booster(parameters, data)
        if evaluation is not None:
            booster.add_valid(data.create_valid(evaluation[0], params=parameters), "held out")
        return booster

    def _leaf_size(self, n_rows):
        """The fewest rows of a leaf."""
        if self.min_samples_leaf != "auto":
            return self.min_samples_leaf
        return int(np.clip(n_rows * _SHARE_OF_A_LEAF, 1, _LARGEST_LEAF))

    def _share(self, columns):
        """Of the columns, for each tree."""
        if self.colsample != "auto":
            return self.colsample
        least = _SPARSE_SHARE if sparse.issparse(columns) else 0.0
        return min(1.0, max(_SHARE / np.sqrt(columns.shape[1]), least))

    def __call__(self, inputs):
        return self._outputs(self._columns(inputs))

    def _columns(self, inputs):
        """As LightGBM reads them: sparse matrices, but no sparse arrays."""
        columns = self._encoder.transform(inputs)
        return sparse.csr_matrix(columns) if sparse.issparse(columns) else columns

    def _with_rounds(self, n_rounds):
        """A copy that predicts with so many of its rounds, if it has them."""
        trees = copy(self)
        trees.n_estimators_ = 0 if self.booster_ is None else n_rounds
        return trees

    def _outputs(self, columns):
        raw = np.zeros((columns.shape[0], len(self.intercept_)))
        if self.n_estimators_:
            raw = self.booster_.predict(
                columns,
                num_iteration=self.n_estimators_,
                raw_score=True,
                num_threads=lightgbm_threads(self.n_jobs, *columns.shape),
            )
        return _with_constant(raw, self.intercept_).astype(self._dtype, copy=False)

    additive = True

    def contributions(self, inputs, background):
        """Shapley values by the paths of the trees, weighted by the rows that took them (Lundberg
        et al., "From local explanations to global understanding with explainable AI for trees",
        2020), for which no background is needed."""
        columns = self._columns(inputs)
        shape = columns.shape[0], len(self.intercept_), columns.shape[1] + 1
        found = np.zeros(shape)
        if self.n_estimators_:
            found = self.booster_.predict(
                columns.toarray() if sparse.issparse(columns) else columns,
                num_iteration=self.n_estimators_,
                pred_contrib=True,
                num_threads=lightgbm_threads(self.n_jobs, *columns.shape),
            ).reshape(shape)
        values = np.empty((shape[0], shape[2] - 1, shape[1]))
        values[:, self._encoder.order] = np.moveaxis(found[:, :, :-1], 1, 2)
        return Contributions(values, self.intercept_ + found[0, :, -1])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


class _Rounds:
    """Rounds of boosting on the gradient and second derivatives of an objective."""

    def __init__(self, booster, objective, constant, evaluation, draws):
        self.booster, self.objective, self.constant = booster, objective, constant
        self.evaluation, self.draws = evaluation, draws

    def grow(self):
        """Grow a tree for each output; whether nothing can be split any more, and the loss."""
        finished = self.booster.update(fobj=self._derivatives)
        if self.evaluation is not None:
            self.value = self.booster.eval_valid(self._held_out_loss)[0][2]
        return finished and not (self.draws and self.descends), self.value

    def _derivatives(self, raw, _):
        # In single precision, which is all that LightGBM takes.
        outputs = _with_constant(raw, self.constant).astype(np.float32)
        self.value, gradient, second = self.objective.second_order(outputs)
        self.descends = gradient.any()
        return gradient.reshape(raw.shape), second.reshape(raw.shape)

    def _held_out_loss(self, raw, _):
        loss = self.evaluation[1].held_out_loss(_with_constant(raw, self.constant))
        return "loss", loss, False

    def outputs(self):
        """Outputs (n, o) of the training rows, which LightGBM keeps."""
        kept = []

        def keep(raw, _):
            kept.append(_with_constant(raw, self.constant))
            return "", 0.0, False

        self.booster.eval_train(keep)
        return kept[0]


def _with_constant(raw, constant):
    """LightGBM's outputs, (n,) if there is one, with the constant part: (n, o)."""
    return raw.reshape(len(raw), -1) + constant


def _lightgbm():
    try:
        import lightgbm
    except ImportError as error:
        raise ImportError("The energy 'trees' needs LightGBM: pip install sk-ebm[trees]") from error
    return lightgbm


def _with_weight(columns, training):
    """The rows of the samples that have a weight, their mean weight being one."""
    objective = training.objective
    kept = np.flatnonzero(objective.weights)
    if len(kept) < len(objective.weights):
        columns, objective = columns[training.answers.rows(kept)], objective.take(kept)
    weights = objective.weights / objective.weights.max()  # so that the mean is finite
    objective = objective.replace(weights=weights / weights.mean())
    return columns, training.replace(objective=objective)


def _constant_outputs(training):
    """Outputs (o,), the same for all rows, of least objective, or likelihood if that is safer."""
    loss = training.objective.loss
    if not (loss.second_derivatives and loss.exact):
        training = training.as_likelihood()
    objective = training.objective
    shape = len(objective.row_weights), objective.answers.n_outputs

    def vjp(params):
        return np.broadcast_to(params, shape), lambda gradient: gradient.sum(axis=0, keepdims=True)

    constant = training.replace(solver="lbfgs", report=None)
    return constant.minimize(np.zeros((1, shape[1])), vjp, np.zeros((1, 1))).params[0]
