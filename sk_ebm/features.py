"""Features of sequences: of tokens, and of the neighbours of a position.

Each transformer takes sequences in nested form, a list with one element for each sequence, and
returns them in nested form; or in flat form, one row for each position of all sequences.
"""

from collections.abc import Mapping
from itertools import chain
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sk_ebm._tables.columns import column_index
from sk_ebm._tables.sequences import (
    check_finite_positions,
    is_list,
    is_nested,
    position_of,
    read_flat,
    read_nested,
    restore,
    split,
)
from sk_ebm._utils.html import Boxes
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm._utils.validation import check_flag, check_number, validate_data
from sk_ebm._utils.versions import CarriesVersion

_LONGEST_RUN = 4  # of letters of a kind in a shape, as in spaCy's


class _SequenceTransformer(  # type: ignore[call-arg]
    CarriesVersion, Boxes, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Base class of transformers of sequences."""


class TokenFeatures(_SequenceTransformer, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Features of tokens as dictionaries: the word, its beginning and end, and its shape.

    The word itself is ``word``; in lower case, it is ``lower``. ``prefix2`` and ``suffix2`` are its
    first and last two characters. ``shape`` has X for upper case, x for lower case and d for a
    digit, at most four of a kind in a row: that of "Boeing-747" is "Xxxxx-ddd". ``capitalized``,
    ``upper``, ``digit`` and ``hyphen`` say whether it starts with or consists of upper case, and
    whether it has a digit or a hyphen.

    `SequenceVectorizer` makes a sparse matrix of them, and `WindowFeatures` adds the neighbours'.

    Parameters
    ----------
    prefixes, suffixes : int, default=3
        Longest prefix and suffix, in characters; all shorter ones are features as well. 0 for none.
    shapes : bool, default=True
        Whether to use the shape, and what it shows: capitals, digits and hyphens.
    lowercase : bool, default=True
        Whether to use the word in lower case besides, and to take prefixes and suffixes of it.

    Examples
    --------
    >>> from sk_ebm.features import TokenFeatures
    >>> TokenFeatures(prefixes=0, suffixes=2).fit_transform([["Ada", "slept"], ["Yes"]])[0][1]
    {'word': 'slept', 'lower': 'slept', 'suffix1': 't', 'suffix2': 'pt', 'shape': 'xxxx'}
    """

    def __init__(self, prefixes=3, suffixes=3, shapes=True, lowercase=True):
        self.prefixes = prefixes
        self.suffixes = suffixes
        self.shapes = shapes
        self.lowercase = lowercase

    def fit(self, X=None, y=None):
        """Check the parameters: nothing is learned.

        Parameters
        ----------
        X, y : ignored

        Returns
        -------
        self : TokenFeatures
        """
        check_number("prefixes", self.prefixes, 0, closed=True, kind=Integral)
        check_number("suffixes", self.suffixes, 0, closed=True, kind=Integral)
        check_flag("shapes", self.shapes)
        check_flag("lowercase", self.lowercase)
        return self

    def transform(self, X):
        """The features of each token.

        Parameters
        ----------
        X : list of lists of str, or list or array of str of shape (n_tokens,)
            The tokens of each sequence, or of all of them.

        Returns
        -------
        X_out : list of lists of dict, or list of dict
            A dictionary for each token.

        Raises
        ------
        ValueError
            Where a sequence is empty, or a token is not a string.
        """
        self.fit()
        tokens, starts = _read_tokens(X)
        of_types = {token: self._features_of(token) for token in set(tokens)}
        features = [dict(of_types[token]) for token in tokens]
        return features if starts is None else split(features, starts)

    def _features_of(self, token):
        lower = token.lower()
        features = {"word": token}
        if self.lowercase:
            features["lower"] = lower
        stem = lower if self.lowercase else token
        for n in range(1, min(self.prefixes, len(stem)) + 1):
            features[f"prefix{n}"] = stem[:n]
        for n in range(1, min(self.suffixes, len(stem)) + 1):
            features[f"suffix{n}"] = stem[-n:]
        if self.shapes:
            features["shape"] = _shape(token)
            found = {
                "capitalized": token[:1].isupper(),
                "upper": token.isupper(),
                "digit": any(map(str.isdigit, token)),
                "hyphen": "-" in token,
            }
            features |= {name: True for name, is_so in found.items() if is_so}
        return features

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


class SequenceVectorizer(
    CarriesVersion, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):  # type: ignore[call-arg]
    """Dictionaries of features as the rows of sparse matrices, one matrix for each sequence.

    A number is the value of its feature; a string makes a feature of its own, which is 1:
    ``{"word": "the"}`` is the feature "word=the". This is scikit-learn's `DictVectorizer`, or its
    `FeatureHasher`, on nested lists.

    Parameters
    ----------
    n_features : int, default=None
        With a number, features are hashed to so many columns, without a fit and without their
        names. None has a column for each feature seen in fit, and ignores others.
    dtype : dtype, default=numpy.float64
        Of the matrices.

    Attributes
    ----------
    vectorizer_ : DictVectorizer or FeatureHasher

    Examples
    --------
    >>> from sk_ebm.features import SequenceVectorizer
    >>> X = [[{"word": "a"}, {"word": "b"}], [{"word": "b", "length": 3}]]
    >>> vectorizer = SequenceVectorizer().fit(X)
    >>> vectorizer.get_feature_names_out()
    array(['length', 'word=a', 'word=b'], dtype=object)
    >>> vectorizer.transform(X)[1].toarray()
    array([[3., 0., 1.]])
    """

    def __init__(self, n_features=None, dtype=np.float64):
        self.n_features = n_features
        self.dtype = dtype

    def fit(self, X, y=None):
        """Learn the names of the features, unless they are hashed.

        Parameters
        ----------
        X : list of lists of dict, or list of dict
        y : ignored

        Returns
        -------
        self : SequenceVectorizer
        """
        check_number("n_features", self.n_features, 1, closed=True, kind=Integral, other=(None,))
        self.vectorizer_ = self._vectorizer().fit(_read_dictionaries(X)[0])
        return self

    def transform(self, X):
        """The features of each position.

        Parameters
        ----------
        X : list of lists of dict, or list of dict
            The positions of each sequence, or of all of them.

        Returns
        -------
        X_out : list of CSR matrices of shape (length, n_columns), or CSR matrix
            A matrix for each sequence, or one.
        """
        check_is_fitted(self)
        vectorizer = self.vectorizer_ if self.n_features is None else self._vectorizer()
        positions, starts = _read_dictionaries(X)
        rows = sparse.csr_matrix(vectorizer.transform(positions))
        ends = np.arange(len(positions) + 1) if starts is None else starts
        check_finite_positions(rows, ends)
        return rows if starts is None else split(rows, starts)

    @available_if(lambda self: self.n_features is None)
    def get_feature_names_out(self, input_features=None):
        """Names of the columns: not available where features are hashed.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str of shape (n_columns,)
        """
        check_is_fitted(self)
        return self.vectorizer_.get_feature_names_out()

    def _vectorizer(self):
        if self.n_features is None:
            return DictVectorizer(dtype=self.dtype)
        return FeatureHasher(self.n_features, dtype=self.dtype)

    def __sklearn_is_fitted__(self):
        return self.n_features is not None or hasattr(self, "vectorizer_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.n_features is None
        tags.input_tags.two_d_array = False
        tags.input_tags.dict = True
        return tags


class WindowFeatures(_SequenceTransformer, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """The features of a position together with those of its neighbours in the sequence.

    A feature "word" of the position before is "-1:word", of the one after "+1:word". Neighbours
    beyond an end of the sequence have zeros, or no features in dictionaries.

    With metadata routing, ``sequences`` is requested by `fit` and `transform`.

    Parameters
    ----------
    window : int, default=2
        How many neighbours count on each side, >= 0.
    boundaries : bool, default=True
        Whether to add a feature for each neighbour that is 1 where it is beyond an end of the
        sequence: "-1:boundary" is 1 in the first position.
    features : list of str or int, default=None
        Which features of the neighbours count: names, or names or indices of the columns of tables.
        None means all. Of tokens, ``["word"]`` makes fits several times faster, and parts of speech
        more accurate.

    Attributes
    ----------
    offsets_ : ndarray of shape (2 * window + 1,)
        The positions in the window, 0 for the position itself.
    columns_ : ndarray of int
        The columns of neighbours that count, of tables only.
    n_features_in_ : int
        Of tables only.
    feature_names_in_ : ndarray of str
        Of frames with names of columns only.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_ebm.features import WindowFeatures
    >>> X = [np.array([[1.0], [2.0], [3.0]]), np.array([[4.0]])]
    >>> window = WindowFeatures(window=1).fit(X)
    >>> window.get_feature_names_out(["x"])
    array(['-1:x', 'x', '+1:x', '-1:boundary', '+1:boundary'], dtype=object)
    >>> window.transform(X)[0]
    array([[0., 1., 2., 1., 0.],
           [1., 2., 3., 0., 0.],
           [2., 3., 0., 0., 1.]])

    The same of one flat table:

    >>> window.fit_transform([[1.0], [2.0], [3.0], [4.0]], sequences=["a", "a", "a", "b"])[3]
    array([0., 4., 0., 1., 1.])
    """

    __metadata_request__fit = {"sequences": True}
    __metadata_request__transform = {"sequences": True}

    def __init__(self, window=2, boundaries=True, features=None):
        self.window = window
        self.boundaries = boundaries
        self.features = features

    def fit(self, X, y=None, sequences=None):
        """Check the parameters and learn the columns of X.

        Parameters
        ----------
        X : list of arrays, CSR matrices, frames or lists of dict; or table or list of dict
            One element for each sequence; or, with ``sequences``, one row for each position of all.
        y : ignored
        sequences : array-like of shape (n_positions,), default=None
            The name of the sequence of each row of a flat X, in any order: rows keep their order
            within each sequence.

        Returns
        -------
        self : WindowFeatures
        """
        check_number("window", self.window, 0, closed=True, kind=Integral)
        check_flag("boundaries", self.boundaries)
        if not (self.features is None or isinstance(self.features, (list, tuple))):
            raise ValueError(
                f"features must be a list of names of features, or None, got {self.features!r}."
            )
        flat, _, _ = self._read(X, sequences, reset=True)
        if isinstance(flat, list):
            self._check_features(flat)
        else:
            self.columns_ = self._columns(X[0] if is_nested(X) else X, flat.shape[1])
        self.offsets_ = np.arange(-self.window, self.window + 1)
        return self

    def fit_transform(self, X, y=None, sequences=None):
        """The same as `fit` and `transform`, of which it has the parameters."""
        return self.fit(X, sequences=sequences).transform(X, sequences)

    def transform(self, X, sequences=None):
        """Each position with its neighbours.

        Parameters
        ----------
        X, sequences : as in `fit`

        Returns
        -------
        X_out : in the form of X
            A list of arrays, of CSR matrices or of lists of dict; or one array, CSR matrix or list
            of dict with the rows in the order of X.
        """
        check_is_fitted(self)
        flat, starts, in_given_form = self._read(X, sequences, reset=False)
        offsets = self.offsets_.tolist()
        if isinstance(flat, list):
            joined = _joined_dictionaries(flat, starts, offsets, self.boundaries, self.features)
        else:
            joined = _joined_tables(flat, starts, offsets, self.boundaries, self.columns_)
        return in_given_form(joined)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns, where X are tables.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,), default=None
            Names of the columns of X; None takes those of frames, or x0, x1, ...

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self, "n_features_in_")
        names = _check_feature_names_in(self, input_features)
        offsets, found = self.offsets_.tolist(), []
        for offset in offsets:
            found += [
                _prefix(offset) + name for name in (names[self.columns_] if offset else names)
            ]
        if self.boundaries:
            found += [_prefix(offset) + "boundary" for offset in offsets if offset]
        return np.array(found, dtype=object)

    def _columns(self, table, n_columns):
        if self.features is None:
            return np.arange(n_columns)
        table = table if hasattr(table, "shape") else np.asarray(table)
        return np.array([column_index(table, "features", name) for name in self.features], int)

    def _check_features(self, positions):
        """Raise a ValueError where no dictionary has a feature that neighbours are to have."""
        if self.features and not any(name in one for one in positions for name in self.features):
            known = list(dict.fromkeys(name for one in positions[:100] for name in one))
            raise ValueError(
                f"features must hold names of features in X, got {self.features!r}; X has "
                f"{', '.join(map(repr, known[:20]))}."
            )

    def _read(self, X, sequences, *, reset):
        """The flat positions, their starts, and a function that gives them the form of X."""
        if is_nested(X):
            flat, _, starts, _ = read_nested(X, sequences=sequences)
            if not isinstance(flat, list):  # names and number of columns, which all have alike
                validate_data(self, X[0], reset=reset, skip_check_array=True)
            return flat, starts, lambda values: split(values, starts)
        if sequences is None:
            raise ValueError(
                "sequences must name the sequence of each row of a flat X. Or give X as a list of "
                "sequences, each a 2-d array, a sparse matrix or a list of dictionaries."
            )
        if _is_dictionaries(X):
            X = list(X)
        else:
            X = validate_data(
                self, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32]
            )
        order, starts = read_flat(X, None, sequences)
        return take_rows(X, order), starts, lambda values: restore(values, order)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.dict = True
        return tags


def _shape(token):
    """Its kinds of characters: at most `_LONGEST_RUN` of a kind in a row."""
    kinds, last, run = [], "", 0
    for character in token:
        kind = _kind(character)
        run = run + 1 if kind == last else 1
        if run <= _LONGEST_RUN:
            kinds.append(kind)
        last = kind
    return "".join(kinds)


def _kind(character):
    if character.isdigit():
        return "d"
    if character.isupper():
        return "X"
    return "x" if character.isalpha() else character


def _prefix(offset):
    return f"{offset:+d}:" if offset else ""


def _read_tokens(X):
    """All tokens in one list, and the starts of their sequences, None for a flat X."""
    X = _as_list(X)
    if not isinstance(X, list):
        raise ValueError(
            f"X must be a list of lists of strings, or a list of strings, got {X!r:.100}."
        )
    X = [_as_list(one) for one in X]
    if not any(isinstance(one, list) for one in X):
        _check_strings(X, None)
        return X, None
    starts = np.cumsum([0] + [_count_tokens(one, index) for index, one in enumerate(X)])
    tokens = list(chain.from_iterable(X))
    _check_strings(tokens, starts)
    return tokens, starts


def _as_list(values):
    values = values.tolist() if hasattr(values, "tolist") else values
    return list(values) if isinstance(values, tuple) else values


def _count_tokens(one, index):
    if not isinstance(one, list) or not one:
        raise ValueError(
            "X must hold a list of at least one string for each sequence, got "
            f"{one!r:.100} for sequence {index}."
        )
    return len(one)


def _check_strings(tokens, starts):
    others = (row for row, token in enumerate(tokens) if not isinstance(token, str))
    row = next(others, None)
    if row is not None:
        where = f"row {row}" if starts is None else position_of(row, starts)
        raise ValueError(f"X must hold tokens as strings, got {tokens[row]!r:.100} in {where}.")


def _is_dictionaries(X):
    return is_list(X) and len(X) > 0 and isinstance(X[0], Mapping)


def _read_dictionaries(X):
    """All dictionaries in one list, and the starts of their sequences, None for a flat X."""
    flat, starts = X, None
    if is_nested(X):
        flat, _, starts, _ = read_nested(X)
    if not _is_dictionaries(flat) or not all(isinstance(one, Mapping) for one in flat):
        raise ValueError(
            "X must be a list with a list of dictionaries for each sequence, or a list of "
            f"dictionaries, got {X!r:.100}."
        )
    return list(flat), starts


def _neighbours(starts, offset):
    """For each position the row of its neighbour, and whether that is in the same sequence."""
    lengths = np.diff(starts)
    rows = np.arange(starts[-1]) + offset
    inside = (rows >= np.repeat(starts[:-1], lengths)) & (rows < np.repeat(starts[1:], lengths))
    return rows, inside


def _joined_tables(X, starts, offsets, boundaries, columns):
    """Columns of all neighbours side by side, and where they are beyond an end."""
    parts, outside = [], []
    neighbours = X if np.array_equal(columns, np.arange(X.shape[1])) else X[:, columns]
    for offset in offsets:
        rows, inside = _neighbours(starts, offset)
        part = (neighbours if offset else X)[np.where(inside, rows, 0)]
        parts.append(_without(part, ~inside))
        if offset and boundaries:
            outside.append((~inside).astype(X.dtype)[:, None])
    if sparse.issparse(X):
        return sparse.hstack([*parts, *map(sparse.csr_matrix, outside)], format="csr")
    return np.hstack(parts + outside)


def _without(table, rows):
    """The table, a new one, with zeros in some rows."""
    if sparse.issparse(table):
        return sparse.diags_array((~rows).astype(table.dtype), format="csr") @ table
    table[rows] = 0
    return table


def _joined_dictionaries(positions, starts, offsets, boundaries, features):
    """The features of all neighbours under prefixed names, and which are beyond an end."""
    joined = [{} for _ in positions]
    every = set(chain.from_iterable(positions))
    for offset in offsets:
        chosen = every if features is None or offset == 0 else features
        names = {name: _prefix(offset) + str(name) for name in chosen}
        beyond = {_prefix(offset) + "boundary": True} if boundaries else {}
        rows, inside = _neighbours(starts, offset)
        for found, row, is_inside in zip(joined, rows.tolist(), inside.tolist(), strict=True):
            found.update(_renamed(positions[row], names) if is_inside else beyond)
    return joined


def _renamed(features, names):
    """Those features that have new names."""
    return {names[name]: value for name, value in features.items() if name in names}
