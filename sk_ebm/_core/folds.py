"""Folds: which samples a model is fitted on, and which it is then evaluated on."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)

DEFAULT_FOLDS = 5  # scikit-learn's own default of cv


@dataclass(frozen=True)
class Folds:
    """Pairs of training and test samples, built once per fit.

    Parameters
    ----------
    pairs : tuple of (train, test)
        Indices of samples.
    """

    pairs: tuple

    @classmethod
    def of_numbers(cls, fold):
        """From the number of the fold that tests each sample, (n,)."""
        numbers = range(fold.max() + 1)
        return cls(tuple((np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in numbers))

    def __iter__(self):
        return iter(self.pairs)

    def __len__(self):
        return len(self.pairs)

    @property
    def samples(self):
        """The test samples, fold after fold."""
        return np.concatenate([test for _, test in self.pairs])

    def first(self, n_folds):
        """The first so many folds."""
        return Folds(self.pairs[:n_folds])

    def first_with(self, enough, weights):
        """As many folds as it takes to test ``enough`` samples of positive weight."""
        tested = np.cumsum([np.count_nonzero(weights[test]) for _, test in self.pairs])
        return self.first(np.searchsorted(tested, enough) + 1)

    def in_order(self, per_fold):
        """Values of the test samples of each fold, as one array in the order of the samples."""
        values = np.concatenate(per_fold)
        return values[np.argsort(self.samples)]

    def check_partition(self, n_samples):
        """Raise a ValueError unless every one of n samples is tested exactly once."""
        tested = np.sort(self.samples)
        if not np.array_equal(tested, np.arange(n_samples)):
            raise ValueError(
                f"cv must test every row exactly once, as KFold does, got {len(self)} folds that "
                f"test {len(np.unique(tested))} of {n_samples} rows, {len(tested)} in all."
            )


def shuffled_folds(n_samples, n_splits, rng, labels=None):
    """Shuffled folds; stratified by labels (n,) where each has a sample for every fold."""
    samples = np.arange(n_samples)
    if labels is not None:
        counts = np.bincount(labels)
        if counts[counts > 0].min() >= n_splits:
            folds = StratifiedKFold(n_splits, shuffle=True, random_state=rng)
            return Folds(tuple(folds.split(samples, labels)))
    folds = KFold(n_splits, shuffle=True, random_state=rng)
    return Folds(tuple(folds.split(samples)))


def user_folds(cv, X, y, groups, rng, *, classifier):
    """The folds of the parameter ``cv``, which never split a group; None leaves the choice open."""
    if cv is None and groups is None:
        return None
    if groups is None or not (cv is None or isinstance(cv, Integral)):
        return Folds(tuple(check_cv(cv, y, classifier=classifier).split(X, y, groups)))
    n_splits = min(cv or DEFAULT_FOLDS, len(np.unique(groups)))
    kind = StratifiedGroupKFold if classifier else GroupKFold
    folds = kind(n_splits, shuffle=True, random_state=rng)
    return Folds(tuple(folds.split(np.zeros(len(y)), y, groups)))
