"""What experts share: columns of a classifier's answers, and errors that name the expert."""

from contextlib import contextmanager

import numpy as np


@contextmanager
def naming(expert):
    """Adds the expert to what its fit raises."""
    try:
        yield
    except Exception as error:
        error.add_note(f"Raised while the expert {expert!r} was fitted.")
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
