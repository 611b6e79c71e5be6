"""Tables as the columns of numbers that linear, kernel and other numeric energies read."""

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    StandardScaler,
    TargetEncoder,
)

_FEWEST_OF_A_CATEGORY = 2  # rows: rarer ones share a column, with those that are unknown
_TARGET_FOLDS = 5  # scikit-learn's default
_ROWS_OF_THE_MEAN = 10.0  # log-loss .589 -> .579, .564 -> .555 of 200 even and 5,000 Zipf levels
_MOST_CLASSES = 20  # each of which has a column for every column of many categories
_NO_LEVELS = {"nan": "missing", "infrequent_sklearn": "infrequent"}
_PLAIN = {
    "transform_output": "default",
    "assume_finite": True,
    "skip_parameter_validation": True,
}
_PERIODS = {"week": 7.0, "year": 365.2425, "day": 1.0}  # days


class Target:
    """What high-cardinality columns are encoded by.

    Parameters
    ----------
    values : ndarray of shape (n,)
    kind : {"binary", "multiclass", "continuous"}
    """

    def __init__(self, values, kind):
        self.values = values
        self.kind = kind

    @classmethod
    def of_classes(cls, codes, n_classes):
        """That of codes of classes, or None where there are too many."""
        if n_classes > _MOST_CLASSES or len(np.unique(codes)) < 2:
            return None
        present = np.unique(codes)
        return cls(codes, "binary" if len(present) == 2 else "multiclass")


class TableNumbers:
    """Columns of a `Table` as numbers, none of them missing.

    Numbers are imputed by their median, with an indicator where some are missing in the fit, and
    standardised. Few categories have a column each, and so has a missing one; many are encoded by
    the mean target of their rows (cross-fitted: Micci-Barreca, 2001), or by their surprisal where
    there is none.
    Dates are days, and their place in the week, the year and the day on a circle; texts are vectors
    (`TextVectors`).

    Parameters
    ----------
    of_inputs : bool, default=False
        Whether they are for an energy of inputs, to which few categories are surprisals, too:
        tables.py --part detector: AUC .660 -> .700 on 8 sets.

    takes_nan : bool, default=False
        Whether numbers alone may be missing.

    Attributes
    ----------
    parts_ : list of (str, transformer, list of int)
        The kinds of columns, and the columns as numbers, see `Schema.values_of`.
    """

    def __init__(self, of_inputs=False, takes_nan=False):
        self.of_inputs = of_inputs
        self.takes_nan = takes_nan

    @property
    def _unchanged(self):
        """Whether columns are numbers that need no encoding."""
        return self.schema.is_complete or (self.takes_nan and self.schema.is_numeric)

    def fit_transform(self, table, target=None, rows=None):
        """The columns (n, p) of the rows, encoded by a `Target` of theirs, or None.

        ``rows`` are those that it learns from, if not all; targets of these are cross-fitted.
        """
        self.schema = table.schema
        if self._unchanged:
            return table.values
        rows = slice(None) if rows is None else rows
        y = None if target is None else target.values[rows]
        self.parts_ = _parts(table.schema, target, self.of_inputs)
        with config_context(**_PLAIN):
            levels = _fit_parts(self.parts_, table.values[rows], y)
            self._readers = [self._reader(*part) for part in self.parts_]
            columns = self._transformed(table.values)
        if levels is not None:
            columns[rows, -levels.shape[1] :] = levels
        return _plain(columns, table)

    def transform(self, table):
        """The columns (m, p) of other rows."""
        if self._unchanged:
            return table.values if self.takes_nan else table.complete_values
        with config_context(**_PLAIN):
            return _plain(self._transformed(table.values), table)

    def _reader(self, name, part, columns):
        """What applies a fitted part to rows: the same as its transform, faster for few rows."""
        if name == "numbers":
            return ScaledColumns(*(step for _, step in part.steps))
        if name in ("categories", "levels"):
            n_codes = max(len(self.schema.categories[i]) for i in columns)
            sources = _sources_of(name, part, range(len(columns)))
            return CategoryColumns(part, n_codes, sources)
        return part

    def _transformed(self, values):
        readers = zip(self._readers, self.parts_, strict=True)
        return np.hstack([reader.transform(values[:, part[2]]) for reader, part in readers])

    def sources(self):
        """The index of the column of the table that each column (p,) is made of."""
        of_values = self.schema.sources()
        if self._unchanged:
            return of_values
        parts = [of_values[_sources_of(*part)] for part in self.parts_]
        return np.concatenate(parts)

    def get_feature_names_out(self):
        """Names of the columns (p,)."""
        names = self.schema.value_names()
        if self._unchanged:
            return names
        return np.concatenate([self._names_of(*part, names) for part in self.parts_])

    def _names_of(self, name, part, columns, names):
        """Names of the columns that a part makes; categories are named, not their codes."""
        if name != "categories" or self.of_inputs:
            return part.get_feature_names_out(names[columns])
        found = []
        for encoded in part.get_feature_names_out([f"{i}:" for i in range(len(columns))]):
            i, _, code = encoded.partition(":_")
            levels = self.schema.categories[columns[int(i)]]
            level = _NO_LEVELS[code] if code in _NO_LEVELS else levels[int(float(code))]
            found.append(f"{names[columns[int(i)]]}_{level}")
        return np.asarray(found, dtype=object)


def _fit_parts(parts, values, y):
    """Fit transformers; cross-fitted columns of those of many categories, which come last."""
    levels = None
    for name, part, columns in parts:
        if name == "levels":
            levels = part.fit_transform(values[:, columns], y)
        else:
            part.fit(values[:, columns])
    return levels


class ScaledColumns:
    """Columns imputed and scaled as by scikit-learn's fitted transformers."""

    def __init__(self, imputer, scaler):
        self._fill = imputer.statistics_
        self._flagged = getattr(imputer.indicator_, "features_", np.zeros(0, dtype=int))
        self._mean, self._scale = scaler.mean_, scaler.scale_

    def transform(self, X):
        missing = np.isnan(X)
        columns = np.hstack([np.where(missing, self._fill, X), missing[:, self._flagged]])
        columns = columns.astype(X.dtype, copy=False)
        columns -= self._mean
        columns /= self._scale
        return columns


class CategoryColumns:
    """What a fitted encoder of columns makes of each of their codes, -1 and NaN among them.

    Parameters
    ----------
    encoder : transformer
        Of each column alone.
    n_codes : int
        The largest number of categories of a column.
    sources : list of int
        The column that each encoded one is made of.
    """

    def __init__(self, encoder, n_codes, sources):
        codes = np.array([*range(-1, n_codes), np.nan])
        self._encoded = encoder.transform(np.repeat(codes[:, None], encoder.n_features_in_, axis=1))
        self._n_codes, self._sources = n_codes, np.asarray(sources)

    def transform(self, X):
        rows = np.where(np.isnan(X), self._n_codes, X).astype(int) + 1
        return self._encoded[rows[:, self._sources], np.arange(len(self._sources))]


def _sources_of(name, part, columns):
    """The column that each output of a fitted transformer is made of."""
    if name == "categories" and isinstance(part, OneHotEncoder):
        names = part.get_feature_names_out([f"{i}:" for i in range(len(columns))])
        return [columns[int(name.partition(":")[0])] for name in names]
    if name == "dates":
        return np.repeat(columns, [2 * len(periods) for periods in part.periods_])
    if name == "numbers":
        missing = getattr(part[0].indicator_, "features_", ())
        return [*columns, *(columns[i] for i in missing)]
    if name == "levels":
        return np.repeat(columns, part[-1].n_features_in_ // len(columns))
    return columns


class AsGiven:
    """The rows of a `Table` as the user gave them."""

    def fit_transform(self, table, target=None, rows=None):
        return table.given

    def transform(self, table):
        return table.given


def _plain(columns, table):
    return np.ascontiguousarray(columns, dtype=table.values.dtype)


def _parts(schema, target, of_inputs):
    """The kinds of columns, their transformers, and their indices; levels are the last."""
    few, many = schema.categorical(few=True), schema.categorical(few=False)
    dates = schema.indices("date")
    numbers = [*schema.indices("numeric", "boolean", "duration"), *dates]
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    scaled = make_pipeline(imputer, StandardScaler())
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=_FEWEST_OF_A_CATEGORY,
        sparse_output=False,
    )
    parts = [
        ("numbers", scaled, numbers),
        ("dates", Circles(), dates),
        ("categories", Surprisals() if of_inputs else one_hot, few),
        ("texts", FunctionTransformer(feature_names_out="one-to-one"), schema.text_columns()),
        ("levels", make_pipeline(_of_many(target), StandardScaler()), many),
    ]
    return [part for part in parts if part[2]]


def _of_many(target):
    """The encoder of columns of many categories."""
    if target is None:
        return Surprisals()
    folds = KFold(_TARGET_FOLDS, shuffle=True, random_state=0)
    encoder = TargetEncoder(target_type=target.kind, smooth=_ROWS_OF_THE_MEAN, cv=folds)
    return make_pipeline(Frequent(), encoder)


class Frequent(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Codes of categories, where those of a single row are unknown, -1.

    Without its only row a category has the mean target of all others, which falls as the target of
    the row rises: names of rows would turn the energies of these rows around.
    """

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        counted = [np.unique(column, return_counts=True) for column in X.T]
        self.frequent_ = [codes[counts >= _FEWEST_OF_A_CATEGORY] for codes, counts in counted]
        return self

    def transform(self, X):
        known = [np.isin(*pair) for pair in zip(X.T, self.frequent_, strict=True)]
        return np.where(np.column_stack(known) | np.isnan(X), X, -1.0)


class Surprisals(TransformerMixin, BaseEstimator):
    """The surprisal of each category, -log of its share of the rows; the greatest of unknown ones.

    A missing value is a category. Each counts half a row more than it has, and so do unknown ones
    together.
    """

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.categories_, self.surprisals_ = [], []
        for column in X.T:
            missing = np.isnan(column)
            categories, counts = np.unique(column[~missing], return_counts=True)
            counts = np.array([*counts, missing.sum(), 0]) + 0.5
            self.categories_.append(categories)
            self.surprisals_.append(-np.log(counts / counts.sum()))
        return self

    def transform(self, X):
        columns = zip(X.T, self.categories_, self.surprisals_, strict=True)
        return np.column_stack([_looked_up(*column) for column in columns])

    def get_feature_names_out(self, names):
        return np.asarray([f"{name}_surprisal" for name in names], dtype=object)


def _looked_up(column, categories, surprisals):
    """Values (m,) of the categories of a column, the last but one where missing, else the last."""
    index = np.searchsorted(categories, column)
    known = np.flatnonzero(index < len(categories))
    known = known[categories[index[known]] == column[known]]
    found = np.full(len(column), surprisals[-1])
    found[known] = surprisals[index[known]]
    found[np.isnan(column)] = surprisals[-2]
    return found


class Circles(TransformerMixin, BaseEstimator):
    """Where days since 1970 lie in the week, the year and, if they have times, in the day: on
    circles, so that the last day of a week is next to the first. Missing dates are the centre."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.periods_ = [list(_PERIODS)[: 3 if timed else 2] for timed in (X % 1 > 0).any(axis=0)]
        return self

    def transform(self, X):
        columns = zip(X.T, self.periods_, strict=True)
        angles = [2 * np.pi * days / _PERIODS[p] for days, periods in columns for p in periods]
        places = np.column_stack([f(angle) for angle in angles for f in (np.cos, np.sin)])
        return np.nan_to_num(places, copy=False)

    def get_feature_names_out(self, names):
        columns = zip(names, self.periods_, strict=True)
        named = [f"{name}_{p}" for name, periods in columns for p in periods]
        return np.asarray([f"{name}_{f}" for name in named for f in ("cos", "sin")], dtype=object)
