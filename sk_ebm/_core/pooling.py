"""Pooling: the weights with which energies of different models add."""

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

# On 15 sets of 300 and of 1,500 rows no log-loss of a logistic regression, forest, naive Bayes or
# boosting rises at this level; at .05 some rise by .01, without a test by .02.
_SIGNIFICANCE = 0.01


def pool(objective, outputs):
    """Weights w_k >= 0 and a constant c, so that the outputs sum_k w_k o_k + c have least loss.

    Each energy is first brought to the inverse temperature b_k that calibrates it alone. The
    penalty (M / n) / 2 * sum_k (w_k / b_k - 1 / M)^2 + |c|^2 / (2 n) shrinks the M weights towards
    equal ones (Genest and Zidek, 1986, on logarithmic opinion pools). Losses without a margin,
    which are least where all weights vanish, and those whose gradients are not exact pool by
    likelihood.

    Parameters
    ----------
    objective : Objective
        Of samples that the energies were not fitted on.
    outputs : list of ndarray of shape (m, o)
        Outputs of each energy for these samples.

    Returns
    -------
    weights : ndarray of shape (M,)
    constant : ndarray of shape (o,)
    history : list of float
        The penalised objective after each iteration.
    """
    loss = objective.loss
    if loss.trivial_minimum or not loss.exact:
        objective = objective.as_likelihood()
    n_terms = len(outputs)
    scales = np.array([objective.learn_beta(term) for term in outputs])
    scaled = scales[:, None, None] * outputs
    equal = np.concatenate([np.full(n_terms, 1 / n_terms), np.zeros(scaled.shape[2])])
    shrinkage = np.where(equal > 0, n_terms, 1) / objective.weights.sum()

    def value_and_gradient(params):
        weights, constant = params[:n_terms], params[n_terms:]
        value, gradient = objective.value_and_gradient(np.tensordot(weights, scaled, 1) + constant)
        deviation = params - equal
        by_weights = np.array([np.vdot(gradient, term) for term in scaled])
        total = np.concatenate([by_weights, gradient.sum(axis=0)]) + shrinkage * deviation
        return value + 0.5 * float(shrinkage @ deviation**2), total

    history = []
    minimum = minimize(
        value_and_gradient,
        equal,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * n_terms + [(None, None)] * scaled.shape[2],
        callback=lambda intermediate_result: history.append(float(intermediate_result.fun)),
    )
    return scales * minimum.x[:n_terms], minimum.x[n_terms:], history


def correct_shares(objective, outputs):
    """A weight w and a constant c, so that w o + c has the shares of the answers.

    One and zero unless a likelihood ratio test finds the shares of the outputs wrong.

    Parameters
    ----------
    objective : Objective
        Of samples that the outputs were not fitted on.
    outputs : ndarray of shape (m, o)

    Returns
    -------
    weight : float
    constant : ndarray of shape (o,), or 0.0
    """
    objective = objective.as_likelihood()
    (weight,), constant, _ = pool(objective, [outputs])
    uncorrected = objective.learn_beta(outputs) * outputs
    losses = [
        objective.value_and_gradient(o)[0] for o in (uncorrected, weight * outputs + constant)
    ]
    ratio = 2 * objective.weights.sum() * (losses[0] - losses[1])
    if ratio > chi2.isf(_SIGNIFICANCE, objective.answers.n_classes - 1):
        return weight, constant
    return 1.0, 0.0


def aligned(outputs):
    """Outputs of several energies with the same columns: two where some have one of two classes."""
    if len({term.shape[1] for term in outputs}) == 1:
        return outputs
    return [term if term.shape[1] > 1 else np.hstack([-term, term]) / 2 for term in outputs]
