"""How many threads LightGBM gets, and one thread of linear algebra for small problems."""

import os
from contextlib import nullcontext
from threading import Lock

from joblib.parallel import get_active_backend

from sk_ebm._utils.sklearn_private import count_threads, threadpools

# Values of the table. 100 trees of so many take half a second with one thread; with two, which wait
# for each other in loops, 1,000 x 10 took 57 times as long on a busy machine, 30,000 x 50 10 times.
_VALUES_OF_A_THREAD = 1_000_000
_TYPICAL_COLUMNS = 20


def lightgbm_threads(n_jobs=None, n_rows=None, n_columns=_TYPICAL_COLUMNS):
    """How many threads LightGBM gets: ``n_jobs``, with the same meaning as in scikit-learn.

    None means one for every million values of the table, as far as there are cores for them: those
    that ``OMP_NUM_THREADS``, threadpoolctl, the process's affinity or a container's share allow,
    all of which LightGBM's own default ignores, and one within joblib's threads.
    """
    if n_jobs is not None:
        return count_threads(n_jobs)
    most = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if not most.isdigit():
        most = 1 if get_active_backend()[0].nesting_level else count_threads()
    wanted = count_threads() if n_rows is None else n_rows * n_columns // _VALUES_OF_A_THREAD
    return max(min(count_threads(), int(most), wanted), 1)


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
