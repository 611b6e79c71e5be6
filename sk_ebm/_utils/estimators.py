"""What estimators share: rows in blocks, and fits that fail without a trace."""

from contextlib import contextmanager

from sklearn import get_config

from sk_ebm._utils.sklearn_private import count_rows


def row_blocks(X, n_candidates):
    """Slices of rows whose energies fit into scikit-learn's ``working_memory``."""
    n_rows = int(get_config()["working_memory"] * 2**20 / (4 * 8 * max(n_candidates, 1)))
    return batches_of(count_rows(X), n_rows)


def batches_of(n, size):
    """Slices of at most that many of n rows, at least one.

    Scikit-learn's `gen_batches` without the checks, which take long where there is one row.
    """
    size = max(size, 1)
    return [slice(first, min(first + size, n)) for first in range(0, n, size)]


class KeepsFitted:
    """Mixin of estimators that stay as they were if a fit fails."""

    @contextmanager
    def _keeping_fitted(self):
        """Restores all attributes if what is inside fails."""
        attributes = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(attributes)
            raise
