"""The schema of a table: what each column holds, learned once, and rows that it reads."""

from functools import cached_property

import numpy as np

from sk_ebm._tables.columns import column_index, in_columns
from sk_ebm._tables.kinds import (
    N_PARTS,
    categories_of,
    codes_of,
    kind_of,
    named_values,
    numbers_of,
    objects_of,
    parts_of,
)
from sk_ebm._tables.reading import column_names, with_nan
from sk_ebm._tables.texts import TextVectors, is_text
from sk_ebm._utils.sklearn_private import take_columns, take_rows

NUMERIC_KINDS = "numeric", "boolean", "date", "duration"
FEW_CATEGORIES = 30  # up to which each has a column of its own
_MOST_SHARED = 2**20  # values of a table, 8 MB: encoding is a small part of the fits of more


class Schema:
    """What the columns of a table hold.

    Attributes
    ----------
    names : list
        Of the columns in the order of `fit`; their indices where they have no names.
    kinds : list of str
        "numeric", "boolean", "category", "text", "date", "duration" or, for one value only,
        "constant". A column of text has more than 30 distinct strings, most of them with letters.
    categories : list
        Of each column those that `fit` has seen, the most frequent first; None for other kinds.
    named : bool
        Whether the columns have names.
    is_complete : bool
        Whether all columns are numbers, and none was missing in `fit`.
    """

    def __init__(self, names, kinds, categories, named):
        self.names = names
        self.kinds = kinds
        self.categories = categories
        self.named = named
        self.is_complete = False
        texts = [i for i, kind in enumerate(kinds) if kind == "text"]
        self.vectors = {str(i): TextVectors(categories[i]) for i in texts}

    @classmethod
    def of(cls, X, categorical_features="auto"):
        """Learn what the columns of X hold."""
        columns = named_values(X)
        forced = _forced(X, categorical_features)
        names = [name for name, _ in columns]
        found = [_kind_and_categories(*c, f) for c, f in zip(columns, forced, strict=True)]
        kinds, categories = [kind for kind, _ in found], [levels for _, levels in found]
        if set(kinds) <= {"constant", "numeric", "boolean"}:
            kinds = ["numeric" if kind == "constant" else kind for kind in kinds]
        schema = cls(names, kinds, categories, hasattr(X, "columns"))
        schema.is_complete = schema.is_numeric and not np.isnan(schema.values_of(X)).any()
        return schema

    @property
    def is_numeric(self):
        """Whether all columns are numbers, which then keep their order."""
        return set(self.kinds) <= {"numeric", "boolean"}

    def indices(self, *kinds):
        """Indices of the columns of some kinds; those of a frame by name, whatever their order."""
        found = [i for i, kind in enumerate(self.kinds) if kind in kinds]
        by_name = self.named and not self.is_numeric
        return sorted(found, key=lambda i: str(self.names[i])) if by_name else found

    def text_columns(self):
        """Indices of the columns of `values_of` that are of vectors of texts."""
        start = len(self.names)
        places = {}
        for i, vectors in self.vectors.items():
            places[int(i)] = range(start, start + vectors.n_columns)
            start += vectors.n_columns
        return [column for i in self.indices("text") for column in places[i]]

    def calendar_columns(self):
        """Indices of the columns of `values_of` that say when in week, year and day dates are."""
        start = len(self.names) + sum(v.n_columns for v in self.vectors.values())
        dates = [i for i, kind in enumerate(self.kinds) if kind == "date"]
        places = {
            i: range(start + k * N_PARTS, start + (k + 1) * N_PARTS) for k, i in enumerate(dates)
        }
        return [column for i in self.indices("date") for column in places[i]]

    def sources(self):
        """Of each column of `values_of`, the index of the column that it is made of."""
        found = list(range(len(self.names)))
        for i, vectors in self.vectors.items():
            found += [int(i)] * vectors.n_columns
        dates = [i for i, kind in enumerate(self.kinds) if kind == "date"]
        return np.array(found + [i for i in dates for _ in range(N_PARTS)])

    def value_names(self):
        """Names of the columns of `values_of`."""
        names = [str(name) for name in self.names]
        for i, vectors in self.vectors.items():
            names += [f"{self.names[int(i)]}_text{k}" for k in range(vectors.n_columns)]
        for i in [i for i, kind in enumerate(self.kinds) if kind == "date"]:
            names += [f"{self.names[i]}_{part}" for part in ("weekday", "yearday", "hour")]
        return np.asarray(names, dtype=object)

    def categorical(self, few):
        """Indices of columns of few categories, or of many, texts among them."""
        columns = self.indices("category", "text")
        return [i for i in columns if (len(self.categories[i]) <= FEW_CATEGORIES) == few]

    @property
    def width(self):
        """About how many columns the energies of numbers read."""
        few = sum(len(self.categories[i]) for i in self.categorical(few=True))
        return max(few + len(self.names) + len(self.text_columns()), 1)

    def in_order(self, X):
        """X with its columns in the order of `fit`; a frame may have them in another, unless all of
        them are numbers, which scikit-learn wants as they were."""
        names = column_names(X)
        if self.is_numeric or not self.named or not names or names == self.names:
            return X
        if set(names) != set(self.names):
            return X  # for validation to refuse
        return take_columns(X, [names.index(name) for name in self.names])

    def values_of(self, X):
        """The columns as numbers: codes of categories, days of dates, NaN where missing; then the
        vectors of texts, and the parts of dates."""
        columns, vectors, calendar = [], [], []
        for index, (name, values) in enumerate(named_values(X)):
            kind, categories = self.kinds[index], self.categories[index]
            is_category = categories is not None  # or a constant that is no number
            columns.append(
                codes_of(values, categories) if is_category else numbers_of(values, kind, name)
            )
            if kind == "text":
                vectors.append(self.vectors[str(index)](objects_of(values)[0]))
            if kind == "date":
                calendar.append(parts_of(columns[-1]))
        values = np.column_stack([*columns, *vectors, *calendar])
        return values if values.dtype == np.float32 else values.astype(np.float64, copy=False)


def _kind_and_categories(name, values, is_category):
    """The kind of a column, and its categories or None."""
    kind = "category" if is_category else kind_of(values, name)
    levels = categories_of(values) if kind == "category" else None
    if _is_constant(values, levels):
        return "constant", [] if kind in ("date", "duration") else levels  # which are no numbers
    many = kind == "category" and not is_category and len(levels) > FEW_CATEGORIES
    return "text" if many and is_text(levels) else kind, levels


def _is_constant(values, categories):
    """Whether a column has one value only, and none is missing."""
    if categories is not None:
        return len(categories) < 2 and not objects_of(values)[1].any()
    listed, missing = objects_of(values)
    return len(listed) > 0 and not missing.any() and all(value == listed[0] for value in listed)


class Table:
    """Rows of a table, as given and as numbers.

    Parameters
    ----------
    source : frame, or array of shape (n_source, d)
    rows : ndarray of int or None
        Those that are meant, or all.
    schema : Schema
    values : ndarray of shape (n, d), default=None
        The rows as numbers, if these are known; else they are read when they are needed.
    """

    def __init__(self, source, rows, schema, values=None):
        self.source = source
        self.rows = rows
        self.schema = schema
        self._shared = {}
        if values is not None:
            self.values = values

    def __getstate__(self):
        return {**vars(self), "_shared": {}}

    def shared(self, key, make):
        """What ``make()`` returns, of these rows and the key alone: made once for all terms of a
        sum, which read the same rows one after another."""
        if self.values.size > _MOST_SHARED:
            return make()
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    @cached_property
    def values(self):
        """Columns (n, d) as numbers, see `Schema.values_of`."""
        values = self.schema.values_of(self._source_rows)
        infinite = np.isinf(values).any(axis=0)
        if infinite.any():
            names = [self.schema.names[i] for i in np.flatnonzero(infinite)]
            raise ValueError(
                f"X holds infinite values (inf){in_columns(names)}: replace them, or leave these "
                "rows out."
            )
        return values

    @property
    def complete_values(self):
        """The same, where the fit had no missing values."""
        missing = np.isnan(self.values).any(axis=0)
        if missing.any():
            names = [self.schema.names[i] for i in np.flatnonzero(missing)]
            raise ValueError(
                f"X holds missing values (NaN){in_columns(names)}: the fit had none, so fill them, "
                "or fit again with rows that have some."
            )
        return self.values

    def without_source(self):
        """The same rows, as numbers alone."""
        return Table(None, None, self.schema, self.values)

    @cached_property
    def given(self):
        """The rows as the user gave them."""
        return with_nan(self._source_rows)

    @property
    def _source_rows(self):
        return self.source if self.rows is None else take_rows(self.source, self.rows)

    @property
    def shape(self):
        return len(self), self._width

    @cached_property
    def _width(self):
        return self.schema.width

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        """Some rows; scikit-learn asks for them with an ellipsis."""
        rows = key[0] if isinstance(key, tuple) else key
        index = np.arange(len(self))[rows]
        return self.shared(("rows", index.tobytes()), lambda: self._taken(index))

    def _taken(self, index):
        source_rows = index if self.rows is None else np.asarray(self.rows)[index]
        return Table(self.source, source_rows, self.schema, self.values[index])


def _forced(X, categorical_features):
    """Which columns (d,) are categories because the user says so."""
    n_columns = X.shape[1] if hasattr(X, "shape") else len(X[0])
    forced = np.zeros(n_columns, dtype=bool)
    if isinstance(categorical_features, str):
        return forced
    named = np.asarray(categorical_features)
    if named.dtype == bool:
        if named.shape != forced.shape:
            raise ValueError(
                f"categorical_features as a mask must have {n_columns} values, one for each column "
                f"of X, got {len(named)}."
            )
        forced[:] = named
        return forced
    for column in categorical_features:
        forced[column_index(X, "categorical_features", column)] = True
    return forced
