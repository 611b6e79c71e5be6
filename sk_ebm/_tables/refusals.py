"""Why a table cannot be read: messages that name the columns and say what to do."""

from contextlib import contextmanager

import numpy as np
from scipy import sparse

from sk_ebm._tables.columns import in_columns, named_columns
from sk_ebm._tables.reading import check_no_times, is_missing


@contextmanager
def saying_why(X, remedies):
    """Replaces errors by ValueErrors that say what is wrong with X, where that can be seen.

    ``remedies`` are what to do about "missing" values and "text"; what is not among them may be
    there.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        message = _wrong_with(X, remedies)
        if message is None:
            raise
        raise ValueError(message) from error


def check_target(y, *, numeric):
    """Raise a ValueError that says what of y is missing or infinite, or not a number."""
    if y is None or sparse.issparse(y):
        return  # which others refuse
    if numeric:
        check_no_times(y, "y")
    y = np.asarray(y)
    if y.dtype.names is not None:
        raise ValueError(
            f"y must be an array without fields, got those named {list(y.dtype.names)}: censored "
            "answers are not supported."
        )
    for what, bad in (("missing (NaN)", is_missing(y)), ("infinite (inf)", _is_infinite(y))):
        if bad.any():
            rows = np.flatnonzero(bad.reshape(len(y), -1).any(axis=1))
            raise ValueError(
                f"y is {what} in {len(rows)} of {len(y)} rows, first in row {rows[0]}: leave these "
                "rows out."
            )
    if numeric and _is_text(y):
        raise ValueError("y holds text, but must hold numbers.")


def _wrong_with(X, remedies):
    columns = named_columns(X)
    tests = {"missing": is_missing, "infinite": _is_infinite, "text": _is_text}
    what = {"missing": "missing values (NaN)", "infinite": "infinite values (inf)", "text": "text"}
    remedies = {"infinite": "replace them, or leave these rows out", **remedies}
    for kind, test in tests.items():
        found = [name for name, values in columns if kind in remedies and np.any(test(values))]
        if found:
            return f"X holds {what[kind]}{in_columns(found)}: {remedies[kind]}."
    return None


def _is_infinite(values):
    values = np.asarray(values)
    if values.dtype == object:
        return np.array([isinstance(v, float) and abs(v) == np.inf for v in values.ravel()])
    is_float = values.dtype.kind in "fc"
    return np.isinf(values) if is_float else np.zeros(values.shape, dtype=bool)


def _is_text(values):
    """Whether some of the strings are no numbers."""
    values = np.asarray(values)
    if values.dtype.kind in "biufc":
        return False
    strings = [value for value in values.ravel() if isinstance(value, str)]
    try:
        np.array(strings, dtype=float)
    except ValueError:
        return True
    return False
