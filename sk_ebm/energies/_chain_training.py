"""Fits of the energies of label sequences: of labels and of transitions between them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from sk_ebm._core.chains import ChainGibbs, learn_chain_beta
from sk_ebm._core.classes import Labels
from sk_ebm._core.folds import Folds
from sk_ebm._core.objective import Objective
from sk_ebm._core.training import FitResult
from sk_ebm.energies._starts import least_scale
from sk_ebm.losses import NLL

_ENOUGH = 1000  # held-out positions, on which alpha and beta are then chosen
# The objective is as accurate as tol, or less so where iterations cost much, for each of so many
# products, and statistical errors are far larger, for so many sequences a parameter; a path of
# penalties is _COARSER still. Ten times as accurate, English parts of speech take twice the time
# for .0003 of token accuracy.
_PRODUCTS, _SEQUENCES_OF_A_PARAMETER, _LARGEST_FACTOR, _COARSER = 1e6, 100, 30, 3
_GAIN = 1e-3  # relative gain of held-out loss below which the path ends
_FACTOR, _LONGEST_PATH = 0.1, 8  # from one penalty of the path to the next, and their number
# Second derivatives of the loss by the weights, in `_units`: with these, L-BFGS takes half the
# iterations on both sets of sequences.py.
_CURVATURE = 0.1
_START = 60.0  # the first penalty times the weight of all sequences, over a column's variance


class HeldOutChains(NamedTuple):
    """Sequences that the energies were not fitted on.

    Attributes
    ----------
    sequences : ndarray of int
    weights : ndarray
    gibbs : ChainGibbs
        At beta = 1.
    """

    sequences: np.ndarray
    weights: np.ndarray
    gibbs: ChainGibbs


@dataclass(frozen=True, eq=False)
class ChainFit(FitResult):
    """What fitting the energies of sequences found.

    Parameters
    ----------
    transitions : ndarray of shape (K, K), default=None
        Negative energies of a label (first) and the next; None where they depend on the inputs.
    scale : float, default=1.0
        Factor of the energies of labels.
    parts : list of HeldOutChains
        Of the folds.
    """

    transitions: np.ndarray | None = None
    scale: float = 1.0
    parts: tuple = ()

    def learn_beta(self):
        """The inverse temperature of greatest held-out likelihood."""
        return _beta_of(self.parts)


def _beta_of(parts):
    if not parts:
        return 1.0
    return float(learn_chain_beta([p.gibbs for p in parts], [p.weights for p in parts]))


def fit_chains(energy, inputs, training):
    """The `ChainFit` of an energy of the labels, with transitions as the answers say.

    An energy that can is fitted jointly with them. Others are fitted to the labels of single
    positions; transitions, and a scale, are then those of greatest likelihood of held-out outputs.
    """
    training = training.replace(folds=chain_folds(training))
    if energy.fits_chains:
        return energy.fit(inputs, training)
    return _fit_stacked(energy, inputs, training)


def chain_folds(training):
    """The folds of the user, or as many of the default ones as hold enough positions."""
    if training.folds is not None:
        return training.folds
    answers, weights = training.answers, training.objective.weights
    folds = training.default_folds()
    if not len(folds):
        return folds
    lengths = np.diff(answers.starts) * (weights > 0)
    return folds.first(
        np.searchsorted(np.cumsum([lengths[t].sum() for _, t in folds]), _ENOUGH) + 1
    )


def fit_design(design, training, fitted):
    """Weights of a design for the labels, jointly with the transitions; a `ChainFit`.

    Where alpha is "auto", it is the penalty of least held-out loss, at the best beta.
    ``fitted(params, alpha)`` builds the fitted energy.
    """
    joint = _Joint(design, training.answers)
    training = training.replace(tol=joint.coarseness * training.tol)
    smooth = training.objective.loss.second_derivatives == "continuous"
    if smooth:
        trial = _Folded(joint, training).chosen()
        training = training.with_alpha(trial.alpha)
        init = trial.params[0] if trial.params else joint.init()
    else:
        training, init, trial = _from_likelihood(joint, training)
    minimum = joint.minimize(training, init, lambda p: fitted(joint.weights(p), trial.alpha))
    parts = trial.parts
    if not smooth:  # nor is the scale determined, or found in a few iterations
        parts = _at_scale_of(minimum.params, trial, joint)
    return ChainFit(
        fitted(joint.weights(minimum.params), trial.alpha),
        alpha=trial.alpha,
        converged=minimum.converged,
        history=minimum.history,
        transitions=joint.transitions(minimum.params),
        parts=tuple(parts),
    )


def _at_scale_of(params, trial, joint):
    """Held-out sequences with energies of the scale of the final parameters."""
    spread, *of_folds = (
        np.std(joint.design.vjp(joint.of_design(p))[0]) for p in (params, *trial.params)
    )
    return [
        part._replace(gibbs=part.gibbs.scaled(spread / of_fold if of_fold > 0 else 1.0))
        for part, of_fold in zip(trial.parts, of_folds, strict=True)
    ]


def _from_likelihood(joint, training):
    """Training with a penalty, a start and a trial, all from the optimum of the likelihood."""
    likelihood = _as_likelihood(training)
    trial = _Folded(joint, likelihood).chosen()
    likelihood, training = likelihood.with_alpha(trial.alpha), training.with_alpha(trial.alpha)
    init = trial.params[0] if trial.params else joint.init()
    optimum = joint.minimize(likelihood, init).params
    scale = least_scale(training.objective, joint.vjp_of(joint.design), optimum)
    starts = [scale * params for params in trial.params]
    return training, scale * optimum, _Folded(joint, training).trial(trial.alpha, starts)


def _as_likelihood(training):
    training = training.as_likelihood()
    answers = training.answers.of_loss(training.objective.loss)
    return training.replace(objective=training.objective.replace(answers=answers))


def _first_alpha(design, total):
    """A strong penalty, for columns of the variances that matter."""
    return float(_START * (_typical_variance(design) or 1.0) / total)


def _typical_variance(design):
    """The mean variance of the columns, weighted by itself: rare ones say little."""
    variances = design.variances
    return np.square(variances).sum() / max(variances.sum(), 1e-300)


def _units(design):
    """Factors (d + 1, 1) of the parameters that make second derivatives of the loss about equal.

    Those of standardised columns are, where columns are not rare; those of rarer ones fall with
    their variance, and Adam's equal steps would be far too large for them.
    """
    return 1 / np.sqrt(1 + _typical_variance(design) * np.square(design.scale))


class _Joint:
    """Parameters of a design, in units of its own, above those of constant transitions, if the
    answers have such."""

    def __init__(self, design, answers):
        self.unit = _units(design)
        self.design, self.answers = design.rescaled(self.unit[:-1, 0]), answers
        constant = answers.transitions is None and not answers.by_input
        self.n_extra = answers.n_labels if constant else 0

    @property
    def coarseness(self):
        """How many times tol the accuracy is that the size of the problem is worth."""
        columns, k = self.design.columns, self.answers.n_labels
        entries = columns.nnz if sparse.issparse(columns) else columns.size
        n_products = entries * self.answers.n_outputs + columns.shape[0] * k**2
        by_error = _SEQUENCES_OF_A_PARAMETER * self.init().size / len(self.answers)
        return np.clip(min(n_products / _PRODUCTS, by_error), 1, _LARGEST_FACTOR)

    def init(self):
        return np.zeros((self.design.shape[1] + 1 + self.n_extra, self.answers.n_outputs))

    def of_design(self, params):
        """Those of the design."""
        return params[: len(params) - self.n_extra]

    def weights(self, params):
        """The same, in the units of the design as given."""
        return self.unit * self.of_design(params)

    def transitions(self, params):
        """Those of the parameters, or those given; None where they depend on the inputs."""
        return params[-self.n_extra :] if self.n_extra else self.answers.transitions

    def vjp_of(self, design):
        def vjp(params, rows=None):
            outputs, pullback = design.vjp(self.of_design(params), rows)
            if not self.n_extra:
                return outputs, pullback
            outputs = np.concatenate([outputs, params[-self.n_extra :]])

            def joint_pullback(gradient):
                labels, transitions = gradient[: -self.n_extra], gradient[-self.n_extra :]
                return np.concatenate([pullback(labels), transitions])

            return outputs, joint_pullback

        return vjp

    def minimize(self, training, init, fitted=None, design=None):
        scale = np.concatenate([self.design.scale, np.ones((self.n_extra, 1))])
        vjp = self.vjp_of(self.design if design is None else design)
        return training.minimize(init, vjp, scale, fitted, curvature=_CURVATURE)


class _Trial(NamedTuple):
    """Fits with one penalty: parameters and held-out sequences of each fold, and their loss."""

    alpha: float
    params: list
    parts: list
    loss: float


class _Folded:
    """Fits on folds, each started from the last."""

    def __init__(self, joint, training):
        self.joint = joint
        self.training = training.replace(report=None)
        objective, rows = training.objective, training.answers.rows
        self.folds = [
            (objective.take(train), joint.design.take(rows(train)), test, rows(test))
            for train, test in training.folds
            if objective.weights[train].any() and objective.weights[test].any()
        ]
        self.init = [joint.init()] * len(self.folds)

    def chosen(self):
        """The trial with the penalty, or that of least loss, where alpha is "auto".

        Penalties fall by tens while that gains, or else rise, and one between the best two is
        tried in the end.
        """
        alpha, given = self.training.penalty.alpha, self.training.penalty.alpha != "auto"
        if not given:
            alpha = _first_alpha(self.joint.design, self.training.objective.weights.sum())
        if given or not self.folds:
            return self.trial(alpha, self.init)
        trials = [self.trial(alpha, self.init, _COARSER)]
        for factor in (_FACTOR, 1 / _FACTOR):
            while len(trials) < _LONGEST_PATH:
                last = trials[-1]
                trials.append(self.trial(last.alpha * factor, last.params, _COARSER))
                if trials[-1].loss >= last.loss * (1 - _GAIN):
                    break
            if len(trials) > 2:
                break
            trials.reverse()
        best, second = sorted(trials, key=lambda trial: trial.loss)[:2]
        alpha = float(np.sqrt(best.alpha * second.alpha))
        best = min(best, self.trial(alpha, best.params, _COARSER), key=lambda trial: trial.loss)
        return self.trial(best.alpha, best.params)

    def trial(self, alpha, starts, coarser=1):
        """Fits with a penalty, from these parameters of each fold."""
        training = self.training.with_alpha(alpha).replace(tol=coarser * self.training.tol)
        params = [
            self.joint.minimize(training.replace(objective=part), start, design=design).params
            for (part, design, _, _), start in zip(self.folds, starts, strict=True)
        ]
        parts = self._held_out(params)
        return _Trial(alpha, params, parts, _loss_of(parts) if parts else np.inf)

    def _held_out(self, params):
        objective, vjp = self.training.objective, self.joint.vjp_of(self.joint.design)
        return [
            HeldOutChains(
                test,
                objective.weights[test],
                objective.answers.take(test).distribution(vjp(p, rows)[0]),
            )
            for (_, _, test, rows), p in zip(self.folds, params, strict=True)
        ]


def _loss_of(parts):
    """Mean negative log-likelihood at the best beta, in nats for each sequence."""
    beta = _beta_of(parts)
    total = 0.0
    for _, weights, gibbs in parts:
        correct = gibbs.energies_of(gibbs.chains.labels)
        total += weights @ (beta * correct + gibbs.at(beta).log_z)
    return float(total / sum(part.weights.sum() for part in parts))


def _fit_stacked(energy, inputs, training):
    answers, weights = training.answers, training.objective.weights
    rows = answers.rows
    labels = Labels(answers.labels, answers.n_labels)
    flat = training.replace(
        objective=Objective(labels, training.objective.loss, answers.per_row(weights)),
        folds=Folds(tuple((rows(train), rows(test)) for train, test in training.folds)),
        calibrates=True,
    )
    result = energy.fit(inputs, flat)
    sequences = training.folds.samples
    _, outputs = flat.held_out_outputs(result, inputs)
    objective = training.objective.take(sequences)
    scale, transitions = _transitions_of(outputs, training.replace(objective=objective))
    gibbs = objective.answers.with_transitions(transitions).distribution(scale * outputs)
    return ChainFit(
        result.energy,
        alpha=result.alpha,
        converged=result.converged,
        history=result.history,
        n_iter=result.n_iter,
        transitions=transitions,
        scale=scale,
        parts=(HeldOutChains(sequences, objective.weights, gibbs),),
    )


def _transitions_of(outputs, training):
    """A scale of outputs (m, o) of labels, and transitions, of greatest penalised likelihood."""
    objective, k = training.objective, training.answers.n_labels
    answers = objective.answers.of_loss(NLL())
    given = answers.transitions
    energies = Labels.arrange(outputs)[0] if outputs.shape[1] == 1 else -outputs
    init = np.zeros((1 + k * (given is None), k))
    init[0] = 1.0 / k

    def vjp(params, rows=None):
        part = -energies * params[0].sum()

        def pullback(gradient):
            by_scale = -float(np.vdot(gradient[: len(energies)], energies))
            return np.concatenate([np.full((1, k), by_scale), gradient[len(energies) :]])

        return np.concatenate([part, params[1:]]), pullback

    likelihood = training.replace(
        objective=objective.replace(loss=NLL(), answers=answers), solver="lbfgs", report=None
    )
    likelihood = likelihood.with_alpha(1 / objective.weights.sum())  # as one pseudo-observation
    scale = np.concatenate([np.zeros((1, k)), np.ones((len(init) - 1, k))])
    params = likelihood.minimize(init, vjp, scale).params
    return float(params[0].sum()), params[1:] if given is None else given
