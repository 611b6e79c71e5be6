"""A regressor that is fitted once for each fold, with its held-out predictions."""

from dataclasses import dataclass

import numpy as np
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.frozen import FrozenEstimator

from sk_ebm._core.cross_fit import cross_fit
from sk_ebm._density.flat_forest import FlatForest
from sk_ebm._density.transforms import PowerTransform
from sk_ebm._utils.fit_arguments import fit_rows, naming, seeded

# From so many rows on one model of all rows predicts, 1.5 to 3.5 times as fast as the models of the
# folds; it costs .02 +- .01 nats on the 3 sets that are as large.
MIN_ROWS_ONE_MODEL = 2000
_FARTHEST = 1e290  # predictions: quantiles around them are finite


@dataclass(frozen=True)
class AveragedRegressor:
    """Predicts y by the mean of its models, each fitted to y or to a power of it."""

    models: list
    power: PowerTransform | None = None

    def predict(self, X):
        return self.to_y(sum(_predictions(model, X) for model in self.models) / len(self.models))

    def to_y(self, predictions):
        """From the scale that the models are fitted on."""
        return predictions if self.power is None else self.power.inverse(predictions)


def _predictions(model, X):
    """Predictions (n,); of LightGBM's trees without its wrapper, which warns of names below 4.7."""
    trees = getattr(model, "booster_", None)
    with naming(model, "asked"):
        y = model.predict(X) if trees is None else trees.predict(X, num_threads=model.n_jobs)
    y = np.asarray(y, np.float64).reshape(len(X))
    if np.isnan(y).any():
        raise ValueError(
            f"location must predict numbers, got NaN from {model!r}, as of sums that overflow: use "
            "another unit of X, or weights of about one."
        )
    return np.clip(y, -_FARTHEST, _FARTHEST)


@dataclass(frozen=True)
class CrossFittedRegressor:
    """What `cross_fit_regressor` returns.

    Attributes
    ----------
    regressor : AveragedRegressor
        Predicts new rows.
    fold_models : list
    held_out : ndarray of shape (n,)
        Predictions of each row by the model of its fold.
    """

    regressor: AveragedRegressor
    fold_models: list
    held_out: np.ndarray

    @property
    def is_forest(self):
        """Whether predictions are means of the leaves' y; a subclass may predict anything."""
        return type(self.fold_models[0]) in (RandomForestRegressor, ExtraTreesRegressor)

    def flat_regressor(self, flat=None):
        """The same predictions of a forest, faster, by its trees in one `FlatForest`."""
        flat = FlatForest.of(self.regressor.models) if flat is None else flat
        return AveragedRegressor([flat], self.regressor.power)


def cross_fit_regressor(
    regressor,
    X,
    y,
    weights,
    folds,
    rng,
    *,
    power=None,
    n_jobs=None,
    refit=None,
    own=True,
    first_model=None,
):
    """Cross-fit a regressor, on the scale of a `PowerTransform` or of y.

    Regressors of our ``own`` get weights whether or not they request them by metadata routing.

    New rows are predicted by the mean of the folds' models or, with ``refit``, by one more model,
    fitted to all rows; None means so from 2,000 rows on. The first fold may have a ``first_model``
    already. A `FrozenEstimator` is neither fitted nor transformed.
    """
    if isinstance(regressor, FrozenEstimator):
        frozen = AveragedRegressor([regressor])
        return CrossFittedRegressor(frozen, [regressor], frozen.predict(X))
    with config_context(
        enable_metadata_routing=get_config()["enable_metadata_routing"] and not own
    ):
        return _cross_fit(regressor, X, y, weights, folds, rng, power, n_jobs, refit, first_model)


def _cross_fit(regressor, X, y, weights, folds, rng, power, n_jobs, refit, first_model):
    target = y if power is None else power(y)
    models = [seeded(clone(regressor), rng) for _ in folds]

    def fit(k, train):
        if k == 0 and first_model is not None:
            return first_model
        return fit_rows(models[k], X, target, weights, train)

    crossed = cross_fit(
        fit,
        lambda model, test: AveragedRegressor([model], power).predict(X[test]),
        folds,
        n_jobs=n_jobs,
    )
    models = crossed.models
    if len(y) >= MIN_ROWS_ONE_MODEL if refit is None else refit:
        model = seeded(clone(regressor), rng)
        models = [fit_rows(model, X, target, weights, np.arange(len(y)))]
    return CrossFittedRegressor(AveragedRegressor(models, power), crossed.models, crossed.in_order)
