"""Rankers and regressors as energies of the items of a query."""

import numpy as np
from sklearn import get_config
from sklearn.base import clone, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from sk_ebm._core.training import FitResult
from sk_ebm._utils.fit_arguments import naming, seeded, weight_arguments
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm.energies.experts._shared import Expert

_QUERIES = ("groups", "qid", "group_id", "group")  # names of what holds the queries


class ItemExpertEnergy(Expert):
    """The energy of a ranker or of a regressor on relevance: E = -predict.

    It is fitted as it fits itself, on relevance as given, rows being sorted by query. A ranker
    gets the queries under the name that its ``fit`` has for them: ``groups``, ``qid`` or
    ``group_id``, one value for each row, or ``group``, the sizes of the queries (LightGBM). The
    loss, ``alpha`` and the solver do not act on it. Weights are passed on as to `ExpertEnergy`,
    to rankers with ``qid`` (XGBoost) or ``group_weight`` (CatBoost) those of the queries; queries
    of weight zero are left out. A `FrozenEstimator` is not fitted again.

    Parameters
    ----------
    estimator : ranker or regressor
        Parameters called ``random_state`` that are None are drawn from the estimator's own.

    Attributes
    ----------
    estimator_ : fitted estimator
    """

    answers = frozenset({"items"})
    takes_offset = False

    def fit(self, inputs, training):
        objective, answers = training.objective, training.answers
        samples = np.flatnonzero(objective.weights)
        rows = answers.rows(samples)
        estimator = seeded(clone(self.estimator), training.rng)
        arguments = self._arguments(estimator, objective, samples, rows)
        with naming(self.estimator):
            self.estimator_ = estimator.fit(
                take_rows(inputs, rows), answers.relevance[rows], **arguments
            )
        return FitResult(self)

    def _arguments(self, estimator, objective, samples, rows):
        """Queries and weights, as the estimator's fit names and counts them."""
        weights = objective.row_weights[rows]
        name = _name_of_queries(estimator)
        if name is None or isinstance(estimator, FrozenEstimator):
            return weight_arguments(estimator, weights)
        sizes = objective.answers.sizes[samples]
        queries = sizes if name == "group" else np.repeat(np.arange(len(samples)), sizes)
        given = {_prefixed(estimator, name): queries}
        if has_fit_parameter(_last(estimator), "group_weight"):
            weights = np.repeat(objective.weights[samples], sizes)
            return {**given, _prefixed(estimator, "group_weight"): weights}
        if name == "qid":
            weights = objective.weights[samples]
        return {**given, **weight_arguments(estimator, weights)}

    def __call__(self, inputs):
        with naming(self.estimator, "asked"):
            predicted = self.estimator_.predict(inputs)
        return np.asarray(predicted, dtype=np.float64).reshape(-1, 1)


def ranks_items(estimator):
    """Whether an estimator orders items: a regressor, or one that is fitted to queries."""
    if is_regressor(estimator) or get_tags(estimator).estimator_type == "ranker":
        return True
    return hasattr(estimator, "predict") and _name_of_queries(estimator) in ("qid", "group")


def _name_of_queries(estimator):
    return next((name for name in _QUERIES if has_fit_parameter(_last(estimator), name)), None)


def _last(estimator):
    """What is fitted to relevance: the last step of a pipeline, or what is frozen."""
    if isinstance(estimator, FrozenEstimator):
        return _last(estimator.estimator)
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _prefixed(estimator, name):
    """The name under which the fit of a pipeline takes what is for its last step."""
    if isinstance(estimator, Pipeline) and not get_config()["enable_metadata_routing"]:
        return f"{estimator.steps[-1][0]}__{name}"
    return name
