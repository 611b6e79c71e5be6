"""What several test files need."""

import numpy as np
from sklearn.base import clone

from sk_ebm._core.classes import Labels
from sk_ebm._core.groups import Groups
from sk_ebm._core.training import Penalty, Training
from sk_ebm._density.score_answers import NormalScoreAnswers
from sk_ebm._density.splines import NormalSplines

SPLINES = NormalSplines(4)


def training_of(objective, rng=None, *, alpha=0.0, l1_ratio=0.0, **settings):
    """The settings of a fit, without a penalty unless there is one."""
    rng = np.random.RandomState(0) if rng is None else rng
    return Training(objective, Penalty(alpha, l1_ratio), rng=rng, **settings)


def fit(energy, X, objective, rng=None, **settings):
    """What fitting a clone of the energy finds, a `FitResult`."""
    return clone(energy).fit(X, training_of(objective, rng, **settings))


def classes(rng):
    X = rng.standard_normal((60, 3))
    return X, Labels((X[:, 0] > 0.5).astype(int) + (X[:, 1] > 0), 3)


def groups(rng):
    """Queries of one to five items in any order, of which those of large x[:, 0] are good."""
    query = rng.permutation(np.repeat(np.arange(40), rng.randint(1, 6, size=40)))
    X = rng.standard_normal((len(query), 3))
    noisy = X[:, 0] + 0.3 * rng.standard_normal(len(X))
    best = np.full(40, -np.inf)
    np.maximum.at(best, query, noisy)
    return X, Groups(np.where(noisy == best[query], 3.0, noisy.clip(0)), query)


def scores(rng):
    """Normal scores of a continuous answer."""
    X = rng.standard_normal((60, 3))
    return X, NormalScoreAnswers((X[:, 0] + 0.3 * rng.standard_normal(60)).clip(-3, 3), SPLINES)


ANSWERS = {"classes": classes, "groups": groups, "scores": scores}
"""Functions of a generator to inputs (m, 3) and answers that depend on them."""


def each_block(answers):
    """Rows and answers of each block, as they are arranged."""
    return [block[1:] for block in answers.blocks or [(..., ..., answers)]]
