"""The joint density of a table: a chain of its columns on the conditionals of a mixture."""

from dataclasses import replace
from math import factorial

import numpy as np
from scipy.special import entr, logsumexp, softmax
from sklearn.utils.parallel import Parallel, delayed

from sk_ebm._density.chain import ConditionalChain
from sk_ebm._density.column_transform import ColumnTransform
from sk_ebm._density.gaussian_mixture import fit_mixture
from sk_ebm._density.mixture_column import MixtureColumn
from sk_ebm._density.mixture_distribution import MixtureFactors
from sk_ebm._utils.threads import one_blas_thread

_SMALL_TABLE = 2000  # rows fitted with one BLAS thread (wine: 12.0 -> 5.7 s on two cores)
_FEW_ROUNDED_VALUES = 20  # up to which a rounded column is spread over its rounding intervals
_SAMPLER_DRAWS = 3000  # at most, on which samplers of repeated values are fitted


class JointChain:
    """A fitted joint density of the columns of a table, each given those before it.

    Parameters
    ----------
    conditionals : list of Conditional
        Of transformed columns.
    transforms : list of ColumnTransform
    roundings : list of Rounding
        Of the columns in their own units.
    has_masses : bool
        Whether draws repeat values as the columns do.
    """

    def __init__(self, conditionals, transforms, roundings, has_masses):
        self.conditionals = conditionals
        self.transforms = transforms
        self.roundings = roundings
        self.has_masses = has_masses

    def log_prob(self, X, measure):
        """Log density or log mass (n,) of rows, as ``measure`` says."""
        return self.log_probs(X, measure).sum(axis=1)

    def log_probs(self, X, measure):
        """The same of each column given those before it, (n, n_columns)."""
        no_inputs = np.empty((len(X), 0))
        chain = ConditionalChain(self.conditionals)
        found = chain.log_probs(no_inputs, _transformed(self.transforms, X), measure)
        if measure == "density":
            for j, (transform, column) in enumerate(zip(self.transforms, X.T, strict=True)):
                found[:, j] += transform.log_derivative(column)
        return found

    def draws(self, first_columns, n_draws, rng):
        """Draws (n, n_draws, n_columns) given the first columns (n, j), which stay as they are."""
        n_given, n_columns = first_columns.shape[1], len(self.conditionals)
        if n_given >= n_columns:
            raise ValueError(
                f"X must hold the first columns, at most {n_columns - 1}, got {n_given}."
            )
        chain = ConditionalChain(self.conditionals[n_given:])
        inputs = _transformed(self.transforms, first_columns)
        draws = self._original_units(chain.draws(inputs, n_draws, rng))
        draws[:, :, :n_given] = first_columns[:, None]
        return draws

    def _original_units(self, draws):
        """Draws (..., n_columns) in the units of the columns, rounded as these are."""
        columns = zip(self.transforms, np.moveaxis(draws, -1, 0), strict=True)
        draws = np.stack([transform.inverse(column) for transform, column in columns], axis=-1)
        if self.has_masses:
            for j, rounding in enumerate(self.roundings):
                draws[..., j] = rounding.restored(draws[..., j])
        return draws


def averaged_log_prob(chains, X, measure):
    """Log density or log mass (n,), averaged over pairs (order, `JointChain`)."""
    logs = [joint.log_prob(X[:, list(order)], measure) for order, joint in chains]
    return logsumexp(logs, axis=0) - np.log(len(logs))


def column_energies(chains, X, measure):
    """Energies (n, d) of the columns, each given those before it, averaged over orders by their
    responsibilities r, and what the energies -log p(x) of rows have besides, (n,).

    With K orders, -log p(x) = sum_k r_k (-log p_k(x)) + sum_k r_k log(K r_k).
    """
    logs = np.empty((len(chains), *X.shape))
    for found, (order, joint) in zip(logs, chains, strict=True):
        found[:, list(order)] = joint.log_probs(X[:, list(order)], measure)
    shares = softmax(logs.sum(axis=2), axis=0)
    rest = -entr(shares).sum(axis=0) + np.log(len(chains))
    return -np.einsum("kn,knd->nd", shares, logs), rest


def draw_rows(chains, n_draws, rng):
    """Rows (n_draws, n_columns), each from a random one of the pairs (order, `JointChain`)."""
    chosen = rng.randint(len(chains), size=n_draws)
    draws = np.empty((n_draws, len(chains[0][0])))
    for i in np.unique(chosen):
        rows, (order, joint) = np.flatnonzero(chosen == i), chains[i]
        draws[np.ix_(rows, order)] = joint.draws(np.empty((len(rows), 0)), 1, rng)[:, 0]
    return draws


def column_transforms(X, roundings):
    """Monotone transforms of the columns (n, d) to a common scale."""
    return [ColumnTransform.of(*pair) for pair in zip(X.T, roundings, strict=True)]


def fit_joint_chain(fit, X, roundings, n_jobs):
    """Fit the joint density of X (n, d) by a `ChainFit`, given the `Rounding` of each column."""
    transforms = column_transforms(X[fit.weights > 0], roundings)
    scaled = _transformed(transforms, X)
    scaled_roundings = [
        rounding.transformed(transform, len(rounding.values) <= _FEW_ROUNDED_VALUES)
        for rounding, transform in zip(roundings, transforms, strict=True)
    ]
    with one_blas_thread(len(X) <= _SMALL_TABLE):
        bases = _mixture_bases(scaled, scaled_roundings, fit, n_jobs)
        conditionals = fit.chain(bases, np.empty((len(X), 0)), scaled, scaled_roundings)
        if fit.has_masses:
            conditionals = _with_value_samplers(conditionals, min(len(X), _SAMPLER_DRAWS), fit.rng)
        conditionals = [
            replace(conditional, rounding=conditional.rounding.without_single_values())
            for conditional in conditionals
        ]
    return JointChain(conditionals, transforms, roundings, fit.has_masses)


def fit_joint_chains(fits, orders, X, roundings, n_jobs):
    """Pairs (order, JointChain), the `ChainFit` of each order given."""
    joints = Parallel(n_jobs=n_jobs)(
        delayed(fit_joint_chain)(fit, X[:, order], [roundings[j] for j in order], n_jobs)
        for fit, order in zip(fits, orders, strict=True)
    )
    return list(zip(orders, joints, strict=True))


def _mixture_bases(X, roundings, fit, n_jobs):
    """Unfitted base models of the columns, from one mixture of all rows and one for each fold."""
    columns = zip(X.T, roundings, strict=True)
    points = [rounding.dequantised(column, fit.rng) for column, rounding in columns]
    mixtures = fit_mixture(np.column_stack(points), fit.weights, list(fit.folds), fit.rng)
    factors = MixtureFactors.of(mixtures[0], X.shape[1])
    return [MixtureColumn(*mixtures, n_jobs, factors) for _ in roundings]


def _with_value_samplers(conditionals, n_draws, rng):
    """The conditionals with samplers of repeated values, fitted on draws from the chain itself."""
    chain, table, fitted = ConditionalChain(conditionals), np.empty((n_draws, 0)), []
    for conditional in conditionals:
        p = rng.uniform(size=(n_draws, 1, 2))
        blocks = [(table[rows], p[rows]) for rows in chain.blocks(table)]
        with_sampler, draws = conditional.with_value_sampler(blocks)
        fitted.append(with_sampler)
        table = np.hstack([table, draws])
    return fitted


def _transformed(transforms, X):
    """The first columns of a table, each on the scale of its transform."""
    columns = zip(transforms, X.T, strict=False)
    return np.column_stack(
        [transform(column) for transform, column in columns] or [np.empty((len(X), 0))]
    )


def other_orders(n_columns, n_orders, rng):
    """Random orders of the columns, so that with their own there are n_orders where possible."""
    orders = [tuple(range(n_columns))]
    while len(orders) < min(n_orders, factorial(n_columns)):
        order = tuple(rng.permutation(n_columns))
        if order not in orders:
            orders.append(order)
    return orders[1:]
