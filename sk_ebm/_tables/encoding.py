"""Tables of numbers and categories as the columns that boosted trees read."""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
from sklearn.utils import check_array

_CATEGORICAL_DTYPES = ("cat", "str", "obj", "enum")  # how their names start, in any library


class TableEncoder:
    """Columns as numbers, those of categories first and by index; nan where missing.

    Parameters
    ----------
    categorical_features : "from_dtype" or list of int or str
        Columns of categories: those of a category, string or object type in a frame, or by index
        or name.
    """

    def __init__(self, categorical_features):
        self.categorical_features = categorical_features

    def fit(self, X):
        columns = self._categorical_columns(X)
        self.n_categorical, self._transformer = len(columns), None
        if columns:
            encoder = OrdinalEncoder(
                handle_unknown="use_encoded_value",
                unknown_value=np.nan,
                encoded_missing_value=np.nan,
            )
            numbers = FunctionTransformer(_numbers)
            self._transformer = ColumnTransformer([("", encoder, columns)], remainder=numbers)
            self._transformer.fit(X)
        return self

    def transform(self, X):
        return _numbers(X if self._transformer is None else self._transformer.transform(X))

    def _categorical_columns(self, X):
        if self.categorical_features != "from_dtype":
            return list(self.categorical_features)
        names = getattr(X, "columns", [])
        return [n for n in names if str(X[n].dtype).lower().startswith(_CATEGORICAL_DTYPES)]


def _numbers(columns):
    return check_array(
        columns, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
    )
