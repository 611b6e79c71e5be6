"""How many threads LightGBM gets, and one thread of linear algebra for small problems."""

from contextlib import nullcontext
from threading import Lock

from sk_ebm._utils.sklearn_private import count_threads, threadpools


def lightgbm_threads(n_jobs=None):
    """How many threads LightGBM gets: ``n_jobs``, with the same meaning as in scikit-learn.

    Its own defaults ignore ``OMP_NUM_THREADS``, or a container's share of the cores.
    """
    return count_threads(n_jobs)


class _OneBlasThread:
    """One thread of linear algebra while any thread of Python is inside.

    Limits are the process's: the first to enter sets one, and the last to leave takes it back. Each
    on its own would restore the limit of another.
    """

    def __init__(self):
        self._lock, self._n_inside, self._limit = Lock(), 0, None

    def __enter__(self):
        with self._lock:
            if not self._n_inside:
                self._limit = threadpools().limit(limits=1, user_api="blas")
            self._n_inside += 1

    def __exit__(self, *_):
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                self._limit.restore_original_limits()


_ONE_BLAS_THREAD = _OneBlasThread()


def one_blas_thread(wanted):
    """A context in which linear algebra has one thread, where that is wanted.

    numpy and scipy bring a library each, whose threads wait in loops for more work and so keep the
    other's from the cores: alternating between the two takes several times as long.
    """
    return _ONE_BLAS_THREAD if wanted else nullcontext()
