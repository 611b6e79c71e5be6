"""Threads of linear algebra, and how many threads there are."""

from contextlib import nullcontext
from threading import Lock

from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

# Squared lengths of dense and of sparse rows, in one pass: it is not documented.
from sklearn.utils.extmath import row_norms  # noqa: F401

# Reaches the parameters of named parts of a list, as in Pipeline: there is no public base class.
from sklearn.utils.metaestimators import _BaseComposition as NamedParts  # noqa: F401
from sklearn.utils.parallel import _get_threadpool_controller


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
