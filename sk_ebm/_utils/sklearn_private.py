"""The private helpers of scikit-learn that the package uses, each for want of a public one."""

from contextlib import nullcontext
from numbers import Integral
from threading import Lock

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils._array_api import get_namespace
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

# Squared lengths of dense and of sparse rows, in one pass: it is not documented.
from sklearn.utils.extmath import row_norms  # noqa: F401

# Reaches the parameters of named parts of a list, as in Pipeline: there is no public base class.
from sklearn.utils.metaestimators import _BaseComposition as NamedParts  # noqa: F401
from sklearn.utils.parallel import _get_threadpool_controller
from sklearn.utils.validation import _check_sample_weight, _num_samples


def namespace(*arrays):
    """The array API namespace that the arrays share: there is no public dispatch."""
    return get_namespace(*arrays)[0]


class _OneBlasThread:
    """One thread of linear algebra while any thread of Python is inside.

    Limits are the process's: the first to come sets one, and the last to go takes it back. Each on
    its own would take the limit of another for what was there before.
    """

    def __init__(self):
        self._lock, self._n_inside, self._limit = Lock(), 0, None

    def __enter__(self):
        with self._lock:
            if not self._n_inside:
                self._limit = _get_threadpool_controller().limit(limits=1, user_api="blas")
            self._n_inside += 1

    def __exit__(self, *_):
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                self._limit.restore_original_limits()


_ONE_BLAS_THREAD = _OneBlasThread()


def one_blas_thread(where):
    """A context in which linear algebra has one thread, where that is wanted.

    numpy and scipy bring a library each, whose threads wait in loops for more work and so keep the
    other's from the cores: alternating between the two takes several times as long. Looking these
    libraries up is slow, and only scikit-learn's own record of them is kept.
    """
    return _ONE_BLAS_THREAD if where else nullcontext()


def count_threads():
    """How many threads OpenMP would have.

    Only scikit-learn's own count heeds both ``OMP_NUM_THREADS`` and a container's share.
    """
    return _openmp_effective_n_threads()


def check_sample_weight(sample_weight, X):
    """Weights of the rows of X, ones for None: `validate_data` does not take them."""
    return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)


def take_rows(X, rows):
    """Some rows of an array, a sparse matrix or a frame of any library."""
    return _safe_indexing(X, rows)


def count_rows(X):
    """The number of rows of an array, a sparse matrix or a frame of any library."""
    return _num_samples(X)


def split_column(X, name, column):
    """X without one column, and that column (n,); ``name`` is what the user calls it.

    Rows of a list may hold values of several kinds, which an array would make one.
    """
    if sparse.issparse(X):
        X = X.tocsr()
    table = X if hasattr(X, "shape") else np.asarray(X, dtype=object)
    place = _place(table, name, column)
    others = np.delete(np.arange(table.shape[1]), place)  # by place: names may be numbers
    rest = _safe_indexing(table, others, axis=1)
    if sparse.issparse(X):
        return rest, table[:, [place]].toarray()[:, 0]
    return rest if table is X else rest.tolist(), _safe_indexing(table, place, axis=1)


def _place(table, name, column):
    """The index of a column that is given by name or index."""
    if len(table.shape) != 2:
        raise ValueError(
            f"X must have two dimensions, rows and columns, got the shape {table.shape}."
        )
    names, n_columns = list(getattr(table, "columns", [])), table.shape[1]
    if isinstance(column, str) and column in names:
        return names.index(column)
    integer = isinstance(column, Integral) and not isinstance(column, bool)
    if integer and -n_columns <= column < n_columns:
        return int(column) % n_columns
    columns = f"the columns {names[:20]}" if names else "no names of columns"
    raise ValueError(
        f"{name} must be the name of a column of X, or an index < {n_columns}, got {column!r}; "
        f"X has {columns}."
    )
