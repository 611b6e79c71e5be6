"""What experts share: columns of a classifier's answers, and errors that name the expert."""

from contextlib import contextmanager

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags

from sk_ebm.energies._base import Energy


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
        """Whether some step transforms the inputs, and so can turn dates into numbers."""
        estimator = self.estimator
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        return any(hasattr(part, "transform") for part in estimator.get_params().values())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


@contextmanager
def naming(expert, doing="fitted"):
    """Adds the expert to what its methods raise, and says what to do about missing values."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ValueError) and "contains NaN" in str(error):
            raise ValueError(
                f"The expert {expert!r} takes no missing values (NaN): give one that fills them, "
                "such as a pipeline with an imputer, or use energy='trees', 'forest' in a detector."
            ) from error
        error.add_note(f"Raised while the expert {expert!r} was {doing}.")
        raise


def positions(classes, labels):
    """The position of each label (m,) among sorted classes, -1 where it is none of them."""
    nearest = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[nearest] == labels, nearest, -1)


def decision_columns(classifier, inputs):
    """`decision_function` with a column for each class, (m, n_classes)."""
    decisions = np.asarray(classifier.decision_function(inputs))
    if decisions.ndim == 1:
        decisions = np.stack([-decisions / 2, decisions / 2], axis=1)
    if decisions.shape[1] != len(classifier.classes_):
        raise ValueError(
            f"decision_function of {classifier!r} must give a column for each of the "
            f"{len(classifier.classes_)} classes, got {decisions.shape[1]}."
        )
    return decisions
