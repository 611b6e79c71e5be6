"""Features of the classes, as users give them: a mapping or a frame indexed by class."""

from collections.abc import Mapping
from numbers import Real
from typing import NamedTuple

import numpy as np

_TOO_LARGE = 1e150  # sums of squares of smaller numbers are finite


class ClassFeatures(NamedTuple):
    """A row of features for each of some classes.

    Attributes
    ----------
    labels : list
    values : ndarray of shape (n_labels, p)
    columns : list of str or None
        Names, where a frame gave some.
    """

    labels: list
    values: np.ndarray
    columns: list | None

    def of(self, classes):
        """The features (K, p) of these classes (K,)."""
        rows = {label: row for row, label in enumerate(self.labels)}
        missing = [label for label in classes.tolist() if label not in rows]
        if missing:
            raise ValueError(
                f"class_features must have a row for each class, got none for {len(missing)} of "
                f"{len(classes)}, such as {missing[:5]}; it has rows for {self.labels[:5]}."
            )
        return self.values[[rows[label] for label in classes.tolist()]]

    def like(self, columns, n_columns):
        """The same with the columns of a fit, in its order."""
        if columns is not None and self.columns is not None:
            if set(columns) != set(self.columns):
                raise ValueError(
                    f"class_features must have the columns of fit, {columns[:5]}, got "
                    f"{self.columns[:5]}."
                )
            order = [self.columns.index(name) for name in columns]
            return self._replace(values=self.values[:, order], columns=columns)
        if self.values.shape[1] != n_columns:
            raise ValueError(
                f"class_features must have {n_columns} features of each class, as in fit, got "
                f"{self.values.shape[1]}."
            )
        return self


def read_class_features(given):
    """`ClassFeatures` from a mapping of classes to numbers, or from a frame indexed by class."""
    if isinstance(given, Mapping):
        labels, values, columns = list(given), list(given.values()), None
    elif hasattr(given, "index") and hasattr(given, "columns"):
        labels, values, columns = given.index.tolist(), given, [str(c) for c in given.columns]
    else:
        raise ValueError(
            "class_features must be a mapping of each class to its features, or a pandas frame "
            f"indexed by class, got {type(given).__name__}."
        )
    if not labels:
        raise ValueError("class_features must have a row for each class, got none.")
    labels = [label.item() if isinstance(label, np.generic) else label for label in labels]
    _check_names(labels)
    _check_distinct(labels, columns or [])
    return ClassFeatures(labels, _numbers(values, len(labels)), columns)


def _check_names(labels):
    strings = all(isinstance(label, str) for label in labels)
    if not (strings or all(isinstance(label, Real) and label == label for label in labels)):
        raise ValueError(
            "class_features must be by class, and classes are all strings or all numbers: got "
            f"{labels[:5]}. Use the names that y has."
        )


def _check_distinct(labels, columns):
    if len(set(labels)) < len(labels):
        raise ValueError("class_features must have one row for each class, got some twice.")
    if len(set(columns)) < len(columns):
        raise ValueError(f"class_features must have columns of different names, got {columns[:5]}.")


def _numbers(values, n_rows):
    try:
        values = np.asarray(values, dtype=np.float64).reshape(n_rows, -1)
    except (ValueError, TypeError) as error:
        raise ValueError(
            "class_features must hold as many numbers for each class as for the others: encode "
            "text and categories."
        ) from error
    if not values.size or not (np.abs(values) < _TOO_LARGE).all():
        raise ValueError(
            f"class_features must be finite numbers below {_TOO_LARGE:g}, at least one for each "
            "class."
        )
    return values
