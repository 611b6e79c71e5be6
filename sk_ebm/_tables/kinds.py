"""What the columns of a table hold, read from tables of any library."""

import datetime
from collections import Counter
from numbers import Number, Real

import narwhals.stable.v2 as nw
import numpy as np

from sk_ebm._tables.columns import as_objects
from sk_ebm._tables.reading import is_missing

_DAY = np.timedelta64(1, "D")


def named_values(X):
    """Pairs of the name or index of a column and its values, as a narwhals series or an array."""
    if hasattr(X, "columns"):
        frame = nw.from_native(X, eager_only=True)
        return list(zip(frame.columns, frame.iter_columns(), strict=True))
    table = X if hasattr(X, "dtype") else as_objects(X)
    return list(enumerate(table.T))


def kind_of(values, name):
    """ "numeric", "boolean", "category", "date" or "duration"."""
    if isinstance(values, nw.Series):
        kind = _kind_of_dtype(values.dtype)
        if kind is not None:
            return kind
    elif values.dtype.kind in "biufmM":
        kinds = {"b": "boolean", "m": "duration", "M": "date"}
        return kinds.get(values.dtype.kind, "numeric")
    return _kind_of_objects(*objects_of(values), name, isinstance(values, nw.Series))


def _kind_of_dtype(dtype):
    """The kind, where the type of a column says it."""
    if dtype.is_numeric():
        return "numeric"
    kinds = {
        nw.Boolean: "boolean",
        nw.String: "category",
        nw.Enum: "category",
        nw.Date: "date",
        nw.Datetime: "date",
        nw.Duration: "duration",
        nw.Time: "duration",
    }
    return next((kind for of, kind in kinds.items() if dtype == of), None)


def _kind_of_objects(values, missing, name, in_frame):
    """The kind of a list of values; numbers written as text in an array of objects are numbers."""
    types = set(map(type, _present(values, missing)))
    kind = next((kind for kind, of in _TYPES.items() if all(of(t) for t in types)), None)
    if kind is None:
        kinds = ", ".join(sorted(t.__name__ for t in types))
        raise TypeError(
            f"The column {name!r} holds values of the types {kinds}: each category of an argument "
            "must be a string or a number."
        )
    written = kind == "category" and not in_frame and _are_numbers(values, missing)
    return "numeric" if not types or written else kind


def _is_truth(t):
    return issubclass(t, (bool, np.bool_))


def _is_number(t):
    return issubclass(t, (Real, np.bool_)) or t.__name__ == "Decimal"


def _is_date(t):
    return issubclass(t, (datetime.date, np.datetime64)) or t.__name__ == "Period"


def _is_duration(t):
    return issubclass(t, (datetime.timedelta, np.timedelta64, datetime.time))


def _is_category(t):
    return issubclass(t, (str, Number, np.bool_))


_TYPES = {  # in this order: what holds truth values alone is no column of numbers
    "boolean": _is_truth,
    "numeric": _is_number,
    "date": _is_date,
    "duration": _is_duration,
    "category": _is_category,
}


def _present(values, missing):
    return [value for value, gone in zip(values, missing, strict=True) if not gone]


def _are_numbers(values, missing):
    try:
        list(map(float, _present(values, missing)))
    except ValueError:
        return False
    return True


def objects_of(values):
    """Values as a list, and which of them are missing."""
    listed = values.to_list() if isinstance(values, nw.Series) else values.tolist()
    return listed, is_missing(_objects(listed))


def _objects(listed):
    objects = np.empty(len(listed), dtype=object)
    objects[:] = listed
    return objects


def categories_of(values):
    """The distinct values of a column, the most frequent first, ties as they come."""
    listed, missing = objects_of(values)
    return [value for value, _ in Counter(_present(listed, missing)).most_common()]


def codes_of(values, categories):
    """Positions (n,) among the categories, -1 where they are none of them, NaN where missing."""
    listed, missing = objects_of(values)
    positions = {value: float(code) for code, value in enumerate(categories)}
    codes = np.array([positions.get(value, -1.0) for value in listed], dtype=float)
    codes[missing] = np.nan
    return codes


def numbers_of(values, kind, name):
    """A column as numbers (n,), NaN where missing; times in days."""
    try:
        if kind in ("date", "duration"):
            return _days(values)
        numbers = values.to_numpy() if isinstance(values, nw.Series) else values
        if numbers.dtype.kind in "biuf":
            return numbers
        listed, missing = objects_of(values)
        return np.array([np.nan if g else float(v) for v, g in zip(listed, missing, strict=True)])
    except (TypeError, ValueError) as error:
        expected = {"date": "dates", "duration": "durations"}.get(kind, "numbers")
        raise ValueError(
            f"The column {name!r} of X must hold {expected}, as in fit: {error}."
        ) from error


def _days(values):
    """Days since 1970, or of a duration or a time of day."""
    listed, missing = objects_of(values)
    listed = [None if gone else _plain(v) for v, gone in zip(listed, missing, strict=True)]
    is_duration = any(isinstance(v, (datetime.timedelta, np.timedelta64)) for v in listed)
    if is_duration:
        return np.array(listed, dtype="timedelta64[us]") / _DAY
    days = np.array(listed, dtype="datetime64[us]") - np.datetime64(0, "us")
    return days / _DAY


N_PARTS = 3


def parts_of(days):
    """Day of the week, day of the year and hour (n, 3) of days since 1970, NaN where missing."""
    whole = np.floor(days)
    dates = np.where(np.isnan(whole), 0, whole).astype("datetime64[D]")
    day_of_year = (dates - dates.astype("datetime64[Y]")).astype(float)
    parts = np.column_stack([(whole + 3) % 7, day_of_year, 24 * (days - whole)])  # 1970: Thursday
    parts[np.isnan(days)] = np.nan
    return parts


def _plain(value):
    """A moment without its zone, or a duration."""
    if type(value).__name__ == "Period":
        value = value.start_time
    if isinstance(value, datetime.time):
        return datetime.datetime.combine(datetime.date.min, value) - datetime.datetime.min
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    return value
