"""Tables as the columns of numbers that linear, kernel and other numeric energies read."""

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

_FEWEST_OF_A_CATEGORY = 2  # rows: rarer ones share a column, with those that are unknown
_TARGET_FOLDS = 5  # scikit-learn's default
_ROWS_OF_THE_MEAN = 10.0  # log-loss .589 -> .579, .564 -> .555 of 200 even and 5,000 Zipf levels
_MOST_CLASSES = 20  # each of which has a column for every column of many categories
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
    columns_ : ColumnTransformer
        Of the columns as numbers, see `Schema.values_of`.
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
        self.columns_ = _columns(table.schema, target, self.of_inputs)
        learned_from = table.values if rows is None else table.values[rows]
        y = None if target is None else target.values if rows is None else target.values[rows]
        encoded = self.columns_.fit_transform(learned_from, y)
        if rows is None:
            return _plain(encoded, table)
        columns = self._transformed(table.values)
        columns[rows] = encoded
        return _plain(columns, table)

    def transform(self, table):
        """The columns (m, p) of other rows."""
        if self._unchanged:
            return table.values if self.takes_nan else table.complete_values
        with config_context(assume_finite=True, skip_parameter_validation=True):
            return _plain(self._transformed(table.values), table)

    def _transformed(self, values):
        """As `ColumnTransformer` does, in a third of its time for one row."""
        parts = [part.transform(values[:, columns]) for _, part, columns in self._parts]
        return np.hstack(parts)

    @property
    def _parts(self):
        """Names, fitted transformers and columns."""
        return [part for part in self.columns_.transformers_ if part[0] != "remainder"]

    def sources(self):
        """The index of the column of the table that each column (p,) is made of."""
        of_values = self.schema.sources()
        if self._unchanged:
            return of_values
        parts = [of_values[_sources_of(*part)] for part in self._parts]
        return np.concatenate(parts)

    def get_feature_names_out(self):
        """Names of the columns (p,)."""
        names = self.schema.value_names()
        if self._unchanged:
            return names
        return self.columns_.get_feature_names_out(names)


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


def _columns(schema, target, of_inputs):
    """The transformers of the kinds of columns."""
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
        ("texts", "passthrough", schema.text_columns()),
        ("levels", make_pipeline(_of_many(target), StandardScaler()), many),
    ]
    used = [part for part in parts if part[2]]
    columns = ColumnTransformer(used, sparse_threshold=0, verbose_feature_names_out=False)
    return columns.set_output(transform="default")


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
