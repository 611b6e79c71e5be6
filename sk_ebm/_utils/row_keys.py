"""Keys of rows, by which equal rows of two tables are found."""

from hashlib import blake2b

import numpy as np
from scipy import sparse


def row_keys(X):
    """A key for each row of numbers, dense or sparse; equal rows have equal keys."""
    if sparse.issparse(X):
        X = sparse.csr_array(X, dtype=np.float64, copy=True)
        X.sum_duplicates()
        X.eliminate_zeros()
        starts = zip(X.indptr[:-1], X.indptr[1:], strict=True)
        indices = X.indices.astype(np.int64)
        return [_key(indices[a:b].tobytes() + X.data[a:b].tobytes()) for a, b in starts]
    X = np.ascontiguousarray(X, dtype=np.float64) + 0.0  # of which -0.0 is equal to 0.0
    return [_key(row.tobytes()) for row in X]


def _key(data):
    return blake2b(data, digest_size=16).digest()
