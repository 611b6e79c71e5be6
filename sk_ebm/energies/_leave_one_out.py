"""Approximate leave-one-out for linear energies (Rad and Maleki, 2020)."""

import numpy as np

_LARGEST_COST = 5e8  # multiplications per penalty: above, fits on folds take less time
_LARGEST_COUPLED_COST = 1e8  # up to which second derivatives between two outputs count,
_ROWS_PER_PARAMETER = 10  # unless there are more rows than this for each parameter
_LEAST_REST = 1e-3  # of 1 - leverage: a row that determines its own output has no finite one


def leave_one_out_pays(design, training):
    """Whether leave-one-out exists for the objective, and is cheaper than folds."""
    objective = training.objective
    n, d = design.shape
    return (
        training.folds is None
        and objective.loss.second_derivatives == "continuous"
        and len(objective.answers) == n
        and training.penalty.l1_ratio == 0
        and hasattr(design, "leverages")
        and 2 * n * d**2 * objective.answers.n_outputs <= _LARGEST_COST
    )


def leave_one_out(design, training, params):
    """All samples, and their outputs as if one unit of weight of each had not been fitted.

    One Newton step per sample from the optimum: with H the leverages of its outputs, g and A the
    first and second derivatives of a unit of its loss by them, o + (1 - H A)^-1 H g. Second
    derivatives between two outputs are neglected where that is dear or changes little.
    """
    objective = training.objective
    outputs, _ = design.vjp(params)
    _, gradient, curvature_at = objective.expand(outputs)
    curvature, l2 = curvature_at(), training.penalty.alpha * design.scale**2
    unit = 1 / np.maximum(objective.weights, 1)[:, None]  # of the row's own weight
    if not _coupling_pays(design, objective):
        leverages = unit * design.leverages(curvature.diagonal, l2)
        rest = np.maximum(1 - leverages * curvature.diagonal, _LEAST_REST)
        return np.arange(len(outputs)), outputs + leverages * gradient / rest
    leverages, free, by_outputs = design.coupled_leverages(curvature, l2)
    leverages *= unit[:, :, None]
    rest = (1 + _LEAST_REST) * np.eye(len(free)) - leverages @ by_outputs
    moves = np.linalg.solve(rest, leverages @ (gradient @ free.T)[:, :, None])[:, :, 0] @ free
    return np.arange(len(outputs)), outputs + moves.astype(outputs.dtype)


def _coupling_pays(design, objective):
    n, d = design.shape
    o = objective.answers.n_outputs
    size, n_units = o * (d + 1), objective.weights.sum()
    few_rows = n_units < _ROWS_PER_PARAMETER * size
    return o > 1 and few_rows and n * max(size**2, o**3) <= _LARGEST_COUPLED_COST
