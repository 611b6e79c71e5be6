"""Weights of classes, and of the rows with them."""

import numpy as np
from sklearn.utils import compute_sample_weight

from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.validation import check_largest_weight, check_number, check_weighs


def weights_of(X, y, sample_weight, class_weight):
    """Weights (n,) of rows, those of their classes included; ValueErrors if they are none."""
    weights = check_sample_weight(sample_weight, X)
    _check_class_weight(class_weight)
    if class_weight is not None:
        weights = weights * compute_sample_weight(class_weight, y)
    check_weighs(weights)
    check_largest_weight(weights)
    return weights


def unbalanced(weights, class_weight, y):
    """Weights without class_weight, which is not how often the classes will come."""
    if class_weight is None:
        return weights
    factors = compute_sample_weight(class_weight, y)
    return weights / np.where(factors > 0, factors, 1)


def _check_class_weight(given):
    if isinstance(given, dict):
        for label, weight in given.items():
            check_number(f"class_weight[{label!r}]", weight, 0, closed=True)
    elif given is not None and not (isinstance(given, str) and given == "balanced"):
        raise ValueError(
            "class_weight must be 'balanced', a dict of a number >= 0 for each class, or None, "
            f"got {given!r}."
        )
