"""What experts share: columns of a classifier's answers, and tags."""

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sk_ebm._utils.warnings import warn_user
from sk_ebm.energies._base import Energy

_LARGEST_DECISION = 1e100  # beyond any scale of data, and its products with weights are finite


class Expert(Energy):
    """Base class of estimators as energies, which read inputs as the user gave them.

    Parameters
    ----------
    estimator : estimator
    """

    raw = True

    def __init__(self, estimator):
        self.estimator = estimator

    @property
    def reads_dates(self):
        """Whether it is one of ours, or some step transforms the inputs, as dates into numbers."""
        estimator = self.estimator
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        return hasattr(estimator, "energies") or any(
            hasattr(part, "transform") for part in estimator.get_params().values()
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


def decision_columns(classifier, inputs):
    """`decision_function` with a column for each class, (m, n_classes)."""
    decisions = np.asarray(classifier.decision_function(inputs), dtype=float)
    if decisions.ndim == 1:
        decisions = np.stack([-decisions / 2, decisions / 2], axis=1)
    if decisions.shape[1] != len(classifier.classes_):
        raise ValueError(
            f"decision_function of {classifier!r} must give a column for each of the "
            f"{len(classifier.classes_)} classes, got {decisions.shape[1]}."
        )
    return np.clip(np.nan_to_num(decisions, nan=0.0), -_LARGEST_DECISION, _LARGEST_DECISION)


def warn_of_refit(energy):
    """Warn where an estimator in the parameter ``energy`` is fitted already, as it is not kept."""
    if isinstance(energy, (list, tuple)):
        for part in energy:
            warn_of_refit(part)
        return
    inner = getattr(energy, "terms", getattr(energy, "estimator", None))
    if hasattr(energy, "all_terms"):
        warn_of_refit(inner)
    elif hasattr(energy, "fit") and not isinstance(energy, FrozenEstimator) and _is_fitted(energy):
        warn_user(
            f"The fitted {type(energy).__name__} in energy= is cloned and fitted again. Use "
            "FrozenEstimator(...) of sklearn.frozen to keep its fit, on rows that it has not seen, "
            "or clone(...) of sklearn.base to say that it is to be fitted again.",
            UserWarning,
        )


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError):
        return False
    return get_tags(estimator).requires_fit
