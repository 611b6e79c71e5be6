"""Columns of text as vectors of what their strings have in common."""

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.pipeline import make_pipeline

N_COMPONENTS = 30  # as skrub's StringEncoder
_NGRAMS = 3, 4  # characters, within words; also its own
_N_HASHES = 2**14
_MOST_STRINGS = 5000  # that the components are learned from
_LEAST_LETTERS = 0.5  # of the distinct strings of a text hold a letter


def is_text(categories):
    """Whether the distinct values of a column are strings, of which most hold letters."""
    if not all(isinstance(value, str) for value in categories):
        return False
    letters = sum(any(map(str.isalpha, value)) for value in categories)
    return letters >= _LEAST_LETTERS * len(categories)


class TextVectors:
    """The leading singular vectors of character n-grams, weighted by how rare they are.

    Those of all strings together have the variance of one standardised column. A missing value
    has none.

    Parameters
    ----------
    strings : list of str
        Distinct.
    """

    def __init__(self, strings):
        if len(strings) > _MOST_STRINGS:
            some = np.linspace(0, len(strings) - 1, _MOST_STRINGS).astype(int)
            strings = [strings[i] for i in some]
        ngrams = HashingVectorizer(
            analyzer="char_wb",
            ngram_range=_NGRAMS,
            n_features=_N_HASHES,
            alternate_sign=False,
            norm=None,
        )
        n_components = min(N_COMPONENTS, len(strings) - 1)
        components = TruncatedSVD(n_components, random_state=0)
        self._steps = make_pipeline(ngrams, TfidfTransformer(), components)
        vectors = self._steps.fit_transform(strings)
        self.n_columns = vectors.shape[1]
        self._scale = np.sqrt(vectors.var(axis=0).sum()) or 1.0

    def __call__(self, strings):
        """Vectors (n, n_columns) of a list of strings, and None where missing."""
        distinct = list(dict.fromkeys(s for s in strings if isinstance(s, str)))
        vectors = np.zeros((len(distinct) + 1, self.n_columns))
        if distinct:
            vectors[:-1] = self._steps.transform(distinct) / self._scale
        rows = {string: row for row, string in enumerate(distinct)}
        return vectors[[rows.get(s, -1) if isinstance(s, str) else -1 for s in strings]]
