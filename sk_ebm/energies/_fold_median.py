"""The median of the energies of folds, for tables that are wide for their rows."""

import numpy as np
from sklearn.base import clone

from sk_ebm._core.training import FitResult
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm.energies._base import Energy

# Without the median, the default novelty detector flagged 3 to 5 % of new normal rows for 5 % at
# 150 x 50, 100 x 100 and 300 x 100, but 26 % for 10 % at 100 x 1,000, and a one-class SVM none.
_COLUMNS_PER_ROW = 0.5
_FEWEST_ROWS = 10  # below, folds are too small to stand for all rows, and a row is a large part


def is_wide(inputs, n_rows):
    """Whether an energy fitted on all rows may differ from those of the folds in distribution."""
    shape = getattr(inputs, "shape", (0,))
    return n_rows >= _FEWEST_ROWS and len(shape) == 2 and shape[1] > _COLUMNS_PER_ROW * n_rows


def leaves_rows_out(energy, inputs, training):
    """Whether the fit of an energy itself gives held-out energies, without folds."""
    weights = training.objective.weights
    enough = np.count_nonzero(weights) >= _FEWEST_ROWS
    return training.leave_one_out and enough and energy.can_leave_out(inputs, weights.sum())


def needs_median(energy, inputs, training):
    """Whether held-out energies are those of new rows only if folds are the model, too."""
    wide = is_wide(inputs, training.objective.weights.sum())
    return wide and not leaves_rows_out(energy, inputs, training)


def of_compatible(outputs):
    """Energies (m, 1) that are low for compatible inputs: E(compatible) - E(not), or E(x)."""
    return outputs[:, :1] - outputs[:, 1:] if outputs.shape[1] == 2 else -outputs


class FoldMedian(Energy):
    """The median of energies of inputs that were each fitted on the other folds.

    In a wide table, an energy that is fitted on all rows has other energies of new rows than one
    that is fitted on four fifths of them. The held-out energies of K fold models then say little
    about new rows. But each model's held-out energies are exchangeable with its energies of new
    rows. So if a share r of them exceeds a level, the median of the K models exceeds it for a share
    of at most r K / ceil(K / 2), below 2 r, of new rows, and of about r or less if they agree [1]_.

    Parameters
    ----------
    energies : list of fitted energies

    References
    ----------
    .. [1] Barber, Candes, Ramdas and Tibshirani, "Predictive inference with the jackknife+", 2021.
    """

    answers = frozenset({"inputs"})

    def __init__(self, energies):
        self.energies = energies

    @property
    def raw(self):
        return self.energies[0].raw

    @property
    def reads_dates(self):
        return self.energies[0].reads_dates

    def __call__(self, inputs):
        return -np.median([of_compatible(energy(inputs)) for energy in self.energies], axis=0)

    def of_pairs(self, inputs, y):
        """Energies (m,) of inputs with their answers."""
        return np.median([energy.of_pairs(inputs, y) for energy in self.energies], axis=0)

    def with_classes(self, X, y, sample_weight=None):
        """A copy whose classifiers take new classes without a refit."""
        return FoldMedian([energy.with_classes(X, y, sample_weight) for energy in self.energies])

    def __sklearn_tags__(self):
        return self.energies[0].__sklearn_tags__()


def fit_fold_median(energy, inputs, training, folds, evaluate):
    """Fit clones of an energy on the folds.

    ``evaluate(fitted, test)`` gives the values of test samples that the result holds.
    """
    clones = [clone(energy) for _ in folds]
    crossed = training.fit_on_folds(
        clones, inputs, folds, lambda result, test: evaluate(result.energy, test)
    )
    results = crossed.models
    return FitResult(
        FoldMedian([result.energy for result in results]),
        (folds.samples, np.concatenate(crossed.held_out)),
        converged=all(result.converged for result in results),
        n_iter=max(result.n_iter for result in results),
    )


def fit_with_held_out(energy, inputs, training, folds):
    """Fit a clone of an energy of inputs; if the table is wide, one for each of the folds."""
    if not needs_median(energy, inputs, training):
        return clone(energy).fit(inputs, training)

    def outputs_of(fitted, test):
        return fitted(take_rows(inputs, test))

    return fit_fold_median(energy, inputs, training, folds, outputs_of)
