"""Tables as users give them: missing values written in one way, and no dates."""

import datetime
import sys

import numpy as np
from scipy import sparse

from sk_ebm._tables.columns import as_objects, in_columns, named_columns
from sk_ebm._utils.sklearn_private import take_columns

_TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
_TIME_DTYPES = ("date", "time", "duration", "period")  # how their names start, in any library


def is_missing(values):
    """Which entries of an array of any type are None, NaN, NaT or pandas' NA."""
    values = np.asarray(values)
    if "pandas" in sys.modules:
        return sys.modules["pandas"].isna(values)
    if values.dtype.kind not in "OfcmM":
        return np.zeros(values.shape, dtype=bool)
    return ((values != values) | (values == None)).astype(bool)  # noqa: E711


def with_nan(X):
    """X with NaN for what is missing, in columns of pandas, and in arrays or lists of objects.

    What is missing in other tables is written in one way only, and X is returned as it is.
    """
    if getattr(X, "ndim", 2) != 2 or sparse.issparse(X):
        return X
    if hasattr(X, "iloc"):
        return _frame_with_nan(X)
    is_list = isinstance(X, (list, tuple)) and len(X) > 0 and isinstance(X[0], (list, tuple))
    objects = as_objects(X) if is_list else X
    if not isinstance(objects, np.ndarray) or objects.dtype != np.dtype(object):
        return X
    read = _objects_with_nan(objects)
    return X if read is objects else read


def _frame_with_nan(frame):
    changed = frame
    for index, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, np.dtype) and not _is_object(dtype):
            continue
        column = frame.iloc[:, index]
        new = _column_with_nan(column)
        if new is not column:
            changed = frame.copy(deep=False) if changed is frame else changed
            changed.isetitem(index, new)
    return changed


def _column_with_nan(column):
    """A column of pandas with NaN for what is missing; those of times stay as they are."""
    dtype, name = column.dtype, str(column.dtype).lower()
    categories = getattr(dtype, "categories", None)
    if categories is not None:
        plain = isinstance(categories.dtype, np.dtype)
        return column if plain else column.cat.rename_categories(categories.astype(object))
    nullable = not isinstance(dtype, np.dtype) and not name.startswith("sparse")
    is_number = nullable and dtype.kind in "biuf"
    if not (is_number or _is_object(dtype) or name.startswith("str")) or not column.hasnans:
        return column
    if is_number:
        return column.to_numpy(dtype=float, na_value=np.nan)
    return _objects_with_nan(column.to_numpy(dtype=object))


def _objects_with_nan(objects):
    missing = is_missing(objects)
    return np.where(missing, np.nan, objects) if missing.any() else objects


def check_no_times(X, name="X"):
    """Raise a ValueError that names the columns of dates, times of day and durations."""
    found = _columns_of_times(X)
    if found:
        raise ValueError(
            f"{name} holds dates or durations{in_columns(found)}: turn them into numbers, such as "
            "days since a date, the day of the week, or hours."
        )


def column_names(X):
    """Names of the columns of a frame, or of a pyarrow table; none of what has no names."""
    return list(getattr(X, "column_names", getattr(X, "columns", ())))


def check_names(X):
    """Raise an error where several columns of a frame have one name, or it has no rows yet."""
    if hasattr(X, "collect_schema") and hasattr(X, "collect"):
        raise TypeError(f"X is a {type(X).__name__}, whose rows are not read yet: X.collect().")
    names = column_names(X)
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1}, key=str)
        raise ValueError(f"X has several columns of one name, {repeated}: rename them.")


def _columns_of_times(X):
    if hasattr(X, "columns"):
        columns = enumerate(zip(X.columns, X.dtypes, strict=True))
        return [
            column
            for index, (column, dtype) in columns
            if _is_of_times(dtype) or (_is_object(dtype) and _has_times(take_columns(X, index)))
        ]
    if getattr(getattr(X, "dtype", None), "kind", "O") not in "OmM":
        return []
    return [column for column, values in named_columns(X) if _has_times(values)]


def _is_object(dtype):
    return str(dtype).lower() == "object"


def _is_of_times(dtype):
    dtype = getattr(getattr(dtype, "categories", None), "dtype", dtype)
    return str(dtype).lower().startswith(_TIME_DTYPES)


def _has_times(values):
    if not _is_object(values.dtype):
        return _is_of_times(values.dtype)
    names = {kind.__name__: kind for kind in set(map(type, values))}
    names.pop("NaTType", None)  # which is missing, and of a type of dates
    return "Period" in names or any(issubclass(kind, _TIMES) for kind in names.values())
