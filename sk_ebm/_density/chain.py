"""A chain of one-dimensional densities: each target given the inputs and the targets before it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import RandomState

from sk_ebm._core.folds import Folds, shuffled_folds
from sk_ebm._density.conditional import Conditional
from sk_ebm._density.location_scale import LocationScale
from sk_ebm._density.point_masses import PointMassClassifier
from sk_ebm._density.predicted import PredictedBase
from sk_ebm._density.score_answers import NormalScoreAnswers
from sk_ebm._density.splines import NormalSplines
from sk_ebm._utils.estimators import row_blocks
from sk_ebm.distributions import SampledDistribution
from sk_ebm.energies import Energy

_MIN_COLUMNS_WIDE = 100
_ARRAYS_PER_BLOCK = 60  # of the quadrature's size, that the distributions of a block hold at once

N_MARGINAL_DRAWS = 200  # of the other targets, for the distribution of one of several
_LEVELS = (np.arange(11) + 0.5) / 11  # of the quantiles that stand for each of these draws


def default_folds(weights, rng, n_columns=1):
    """Ten folds of few rows, whose models then see nearly all of them; five of many, and of wide
    tables, each of whose models takes long.

    Rows of positive weight are spread evenly over them.
    """
    rows = np.flatnonzero(weights)
    few = 50 <= len(rows) < 300 and n_columns < _MIN_COLUMNS_WIDE
    n_splits = min(10 if few else 5, len(rows))
    fold = np.arange(len(weights)) % n_splits
    for k, (_, test) in enumerate(shuffled_folds(len(rows), n_splits, rng)):
        fold[rows[test]] = k
    return Folds.of_numbers(fold)


class ConditionalChain:
    """Fitted conditionals, each of one target given the inputs and the targets before it.

    Parameters
    ----------
    conditionals : list of Conditional
    """

    def __init__(self, conditionals):
        self.conditionals = conditionals

    def single(self, method):
        """The conditional of the one target, which the method needs."""
        if len(self.conditionals) > 1:
            raise ValueError(
                f"{method} needs one target, got {len(self.conditionals)}: use sample or "
                "predict_quantile, or ask the chain_ one by one."
            )
        return self.conditionals[0]

    def blocks_of_marginals(self, X):
        """Slices of rows whose `marginals` fit into scikit-learn's ``working_memory``."""
        return self.blocks(X, N_MARGINAL_DRAWS if len(self.conditionals) > 1 else 1)

    def marginals(self, X, seed):
        """The distribution of each target given X alone.

        That of the first is exact. For the others the targets before are drawn 200 times, by Latin
        hypercubes that are the same for every row, and 11 quantiles of each are taken.
        """
        first, *others = self.conditionals
        distributions = [first.distribution(X)]
        if not others:
            return distributions
        table, rng = np.repeat(X, N_MARGINAL_DRAWS, axis=0), np.random.RandomState(seed)
        for earlier, conditional in zip(self.conditionals, others, strict=False):
            levels = (rng.permutation(N_MARGINAL_DRAWS) + 0.5) / N_MARGINAL_DRAWS
            drawn = earlier.distribution(table).ppf(np.tile(levels, len(X)))
            table = np.column_stack([table, drawn])
            distribution = conditional.distribution(table)
            points = distribution.ppf(np.tile(_LEVELS, (len(table), 1)))
            distributions.append(SampledDistribution(points.reshape(len(X), -1)))
        return distributions

    def blocks(self, inputs, n_draws=1):
        """Slices of rows whose distributions fit into scikit-learn's ``working_memory``."""
        n_nodes = len(self.conditionals[0].splines.nodes)
        n_values = max(len(conditional.rounding.values) for conditional in self.conditionals)
        return row_blocks(inputs, n_draws * (_ARRAYS_PER_BLOCK * n_nodes + 4 * n_values))

    def log_prob(self, X, targets, measure):
        """Log density or log mass (n,) of targets (n, n_targets) given X, of all together."""
        return self.log_probs(X, targets, measure).sum(axis=1)

    def log_probs(self, X, targets, measure):
        """The same of each target given X and the targets before it, (n, n_targets)."""
        table, found = np.hstack([X, targets]), np.empty(targets.shape)
        for t, conditional in enumerate(self.conditionals):
            j = X.shape[1] + t
            for rows in self.blocks(table):
                found[rows, t] = conditional.log_prob(table[rows, :j], table[rows, j], measure)
        return found

    def draws(self, X, n_draws, rng):
        """X and draws of the targets, (n, n_draws, n_columns + n_targets)."""
        table, n_per_row = X, n_draws
        for conditional in self.conditionals:
            p = rng.uniform(size=(len(table), n_per_row, 2))
            drawn = np.empty(p.shape[:2])
            for rows in self.blocks(table):
                drawn[rows] = conditional.draws(table[rows], p[rows])
            table = np.column_stack([np.repeat(table, n_per_row, axis=0), drawn.ravel()])
            n_per_row = 1
        return table.reshape(len(X), n_draws, -1)


def report_nothing(value, attributes):
    """Report no iteration."""


@dataclass(frozen=True)
class ChainFit:
    """The settings of one fit of a chain.

    Parameters
    ----------
    energy : Energy
        Unfitted.
    fit_energy : callable
        ``fit_energy(features, answers, weights, report)`` fits a clone of the energy and returns a
        `FittedComponent`.
    splines : NormalSplines
    has_masses : bool
        Whether point masses and rounded values have masses.
    weights : ndarray of shape (n,)
    folds : Folds
        Of the cross-fitting of bases.
    rng : RandomState
    report : callable
        ``report(value, attributes)`` is called after each iteration of an energy, ``attributes()``
        making the estimator's attribute ``chain_``, or None until all conditionals are there.
    """

    energy: Energy
    fit_energy: Callable
    splines: NormalSplines
    has_masses: bool
    weights: np.ndarray
    folds: Folds
    rng: RandomState
    report: Callable

    def chain(self, bases, X, targets, roundings):
        """Conditionals of the targets (n, n_targets); bases, unfitted, are fitted in place."""
        conditionals = []
        for base, y, rounding in zip(bases, targets.T, roundings, strict=True):
            inputs = np.hstack([X, targets[:, : len(conditionals)]])
            is_last = len(conditionals) == targets.shape[1] - 1
            earlier = list(conditionals) if is_last else None
            conditionals.append(self._conditional(base, inputs, y, rounding, earlier))
        return conditionals

    def _conditional(self, base, inputs, y, rounding, earlier):
        has_point_masses = self.has_masses and len(rounding.point_masses) > 0
        weights = self.weights * ~rounding.is_point_mass(y) if has_point_masses else self.weights
        fit = base.fit(inputs, y, rounding.spread(y), weights, self.folds, self.rng)
        answers = NormalScoreAnswers(fit.normal_scores, self.splines)
        classifier = self._point_masses(fit.features, y, rounding) if has_point_masses else None
        is_rounded = self.has_masses and rounding.rounded
        make = partial(Conditional, fit.base, self.splines, rounding, is_rounded, classifier)

        def report(value, attributes):
            def chain():  # of all targets, without which there is nothing to ask
                return None if earlier is None else {"chain_": [*earlier, make(**attributes())]}

            self.report(value, chain)

        fitted = self.fit_energy(fit.features, answers, weights, report)
        return make(**fitted.attributes, converged=fitted.converged)

    def _point_masses(self, features, y, rounding):
        """The probabilities of point masses, by an energy of the same kind."""
        points = rounding.point_masses
        answers = PointMassClassifier.class_answers(y, points)
        fitted = self.fit_energy(features, answers, self.weights, report_nothing)
        return PointMassClassifier(points, **fitted.attributes, converged=fitted.converged)


def make_bases(n_targets, base, location, power, n_jobs):
    """Unfitted base models of the targets."""
    if base is not None:
        return [PredictedBase(base, n_jobs) for _ in range(n_targets)]
    return [LocationScale(_regressors(location), power, n_jobs) for _ in range(n_targets)]


def _regressors(location):
    """A list of the regressors of the parameter ``location``, or "auto" or None."""
    if location is None or (isinstance(location, str) and location == "auto"):
        return location
    return list(location) if isinstance(location, (list, tuple)) else [location]


def unconverged_n_iter(chains, names, kind):
    """Iterations of the longest fit that did not reach ``tol``, or 0, and what it was " for ...".

    ``chains`` are pairs of an order and the conditionals in this order, which are of what ``kind``
    says, by the names or, where there are none, by index.
    """
    n_iter = np.zeros(len(chains[0][0]), dtype=int)
    for order, conditionals in chains:
        for j, conditional in zip(order, conditionals, strict=True):
            n_iter[j] = max(n_iter[j], conditional.unconverged_n_iter)
    listed = [repr(names[j] if names else int(j)) for j in np.flatnonzero(n_iter)]
    plural = "s" if len(listed) > 1 else ""
    return n_iter.max(), f" for {kind}{plural} {', '.join(listed)}" if len(n_iter) > 1 else ""
