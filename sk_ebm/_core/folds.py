"""Folds: which samples a model is fitted on, and which it is then evaluated on."""

import reprlib
import warnings
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

from sk_ebm._utils.warnings import warn_user

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

    def knowing(self, labels, rng):
        """Folds that are each trained on all labels (n,) and together test all, and the labels that
        this took.

        Folds whose training samples lack a label are left out. Where the others do not test every
        label, the samples of labels that are lacking are split among the folds at random. A label
        of one sample is only trained on; samples of label -1 have no weight.
        """
        counts = np.bincount(labels[labels >= 0])
        several, pairs = np.flatnonzero(counts > 1), self.pairs
        if np.count_nonzero(counts) < 2:
            return self, []
        for label in np.flatnonzero(counts == 1):
            pairs = _splitting(np.flatnonzero(labels == label), pairs, rng)
        if not len(several):
            return Folds(()), []
        complete, lost = _complete(pairs, labels, several)
        if len(_untested(several, complete, labels)):
            for label in lost:
                pairs = _splitting(np.flatnonzero(labels == label), pairs, rng)
            complete = pairs
        return Folds(tuple((train, test) for train, test in complete if len(test))), lost

    def check_partition(self, n_samples):
        """Raise a ValueError unless every one of n samples is tested exactly once."""
        tested = np.sort(self.samples)
        if not np.array_equal(tested, np.arange(n_samples)):
            raise ValueError(
                f"cv must test every row exactly once, as KFold does, got {len(self)} folds that "
                f"test {len(np.unique(tested))} of {n_samples} rows, {len(tested)} in all."
            )


def _complete(pairs, labels, several):
    """The pairs that are trained on all of several labels, and labels that some pair lacks, or
    all tests."""
    lacking = [np.setdiff1d(several, labels[train]) for train, _ in pairs]
    complete = [pair for pair, lack in zip(pairs, lacking, strict=True) if not len(lack)]
    lost = np.concatenate([*lacking, _untested(several, pairs, labels)])
    return complete, np.unique(lost).astype(int)


def _untested(several, pairs, labels):
    """Labels that no fold tests."""
    tested = [labels[test] for _, test in pairs]
    return np.setdiff1d(several, np.concatenate(tested)) if tested else several


def _splitting(members, pairs, rng):
    """The pairs, of which each tests its share of the members and is trained on the others."""
    part = np.arange(len(members)) % max(len(pairs), 2)
    if len(members) == 1:
        part[:] = -1
    members = rng.permutation(members)
    return [
        (
            np.append(np.setdiff1d(train, members), members[part != k]),
            np.append(np.setdiff1d(test, members), members[part == k]),
        )
        for k, (train, test) in enumerate(pairs)
    ]


def shuffled_folds(n_samples, n_splits, rng, labels=None):
    """Shuffled folds, stratified by labels (n,); none where one is asked for."""
    if n_splits < 2:
        return Folds(())
    samples = np.arange(n_samples)
    if labels is None:
        folds = KFold(n_splits, shuffle=True, random_state=rng)
        return Folds(tuple(folds.split(samples)))
    counts = np.bincount(labels)
    if counts[counts > 0].min() >= n_splits:
        folds = StratifiedKFold(n_splits, shuffle=True, random_state=rng)
        return Folds(tuple(folds.split(samples, labels)))
    fold = np.empty(n_samples, dtype=int)  # a label that is rarer than folds is in several, too
    fold[np.lexsort((rng.permutation(n_samples), labels))] = samples % n_splits
    return Folds.of_numbers(fold)


def user_folds(cv, X, y, groups, rng, *, classifier):
    """The folds of the parameter ``cv``, which never split a group; None leaves the choice open."""
    if cv is None and groups is None:
        return None
    rows = np.arange(len(y))
    try:
        with warnings.catch_warnings():  # of rare classes, about which `knowing` does something
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            pairs = list(_splitter(cv, y, groups, rng, classifier).split(X, y, groups))
        folds = Folds(tuple((rows[train], rows[test]) for train, test in pairs))
        if not len(folds):
            raise ValueError("it has no folds.")
        return folds
    except (ValueError, IndexError, TypeError) as error:
        grouped = "" if groups is None else f" in {len(np.unique(groups))} groups"
        raise ValueError(
            f"cv={reprlib.repr(cv)} cannot split {len(y)} rows{grouped}: {error} Give another "
            "cv, such as fewer folds or KFold, or more rows or groups; without cv and groups, "
            "folds are chosen by the number of rows."
        ) from error


def _splitter(cv, y, groups, rng, classifier):
    if groups is None or not (cv is None or isinstance(cv, Integral)):
        return check_cv(cv, y, classifier=classifier)
    n_splits = min(cv or DEFAULT_FOLDS, len(np.unique(groups)))
    kind = StratifiedGroupKFold if classifier else GroupKFold
    return kind(n_splits, shuffle=True, random_state=rng)


def warn_of_unknown(labels):
    """Warn that folds of the user are not trained on some classes."""
    warn_user(
        f"Some folds of cv or groups are not fitted on the classes {list(labels)[:5]}, or none is "
        "tested on them. These folds are left out; where that leaves a class without held-out "
        "rows, rows of these classes are split among the folds at random. Give groups, or a cv, "
        "with rows of each class in two folds or more, or leave both out.",
        UserWarning,
    )
