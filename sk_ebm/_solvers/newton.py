"""Newton steps by preconditioned conjugate gradients."""

import numpy as np

from sk_ebm._solvers.result import Result, ridge

_CHEAP_PRODUCTS = 1e5  # of an evaluation, below which steps are solved to rounding of the gradient
_NOISE = 4  # rounding errors of the objective
_COARSE = 1e-5  # tolerance from which on they are not: along a path of penalties it takes 1.5 times


@np.errstate(over="ignore", invalid="ignore")  # in steps that are refused
def newton(objective, init, vjp, *, l2, l1, tol, max_iter, report, preconditioner, **_):
    """Newton steps by preconditioned conjugate gradients, for outputs linear in the parameters.

    As in trust-region Newton methods for logistic regression (Lin, Weng and Keerthi, 2008), only
    products with the matrix of second derivatives are needed. Linear outputs make each trial
    of the line search free of passes over the inputs. Stops once the gap to the minimum, as
    the Newton decrement estimates it, is below ``tol`` times the objective, or full steps gain no
    more than rounding noise.

    ``preconditioner(curvature, cg_steps)`` takes the curvature and the steps of the last solution
    and returns a function that solves approximately with the matrix of second derivatives.
    """
    params = init
    outputs, pullback = vjp(params)
    loss, by_outputs, curvature_at = objective.expand(outputs)
    value = loss + ridge(l2, params)
    solve, cg_steps, damping, gap = None, 0, 0.0, np.inf
    smooth = objective.loss.second_derivatives == "continuous"
    rounding = np.finfo(outputs.dtype).eps
    cheap = _steps_are_cheap(outputs, params, tol)
    asked = max(tol, _NOISE * rounding)
    tol = rounding**1.5 if cheap else asked
    for _ in range(max_iter):
        gradient = pullback(by_outputs) + l2 * params
        by_outputs = None  # all that is of the outputs' shape may be large
        curvature = curvature_at(damping)
        if solve is None or cg_steps > preconditioner.patience:
            solve = preconditioner(curvature, cg_steps)
        step, cg_steps, unsolved = _conjugate_gradients(
            _hessian(vjp, curvature, l2), gradient, solve, abs(value), 0.0 if cheap else tol
        )
        del curvature
        decrement = -0.5 * float(np.vdot(gradient, step))
        length, new_value, outputs, by_outputs, curvature_at = _search(
            objective, outputs, vjp, params, step, l2, value, decrement
        )
        if length > 0:
            params = params + length * step
        else:
            solve = None
        damping = _damping(damping, length)
        gain, value = value - new_value, new_value
        noise = _noise(outputs, value)
        if max(length, gain / noise) < 1:  # more digits than asked for are out of reach
            cheap, tol = False, asked
        report(value, params)
        previous_gap, gap = gap, decrement if cheap else 10 * unsolved + abs(gain - decrement)
        if _ended(tol * abs(value), gain, noise, gap, previous_gap, damping, smooth):
            return Result(params, True)
    return Result(params, False)


def _steps_are_cheap(outputs, params, tol):
    """Whether steps are solved to rounding of the gradient."""
    return outputs.size * len(params) < _CHEAP_PRODUCTS and tol < _COARSE


def _ended(least, gain, noise, gap, previous_gap, damping, smooth):
    """Whether the gap is as small as it need be, or full steps gain no more than rounding noise.

    Where gradients jump, steps gain as little in a kink, and damping makes any gap small.
    """
    if not smooth:
        return gap <= least and not damping
    return gap <= least or (gain <= noise and gap > 0.1 * previous_gap and not damping)


def _hessian(vjp, curvature, l2):
    """``hessian(v)``: the matrix of second derivatives times v, in blocks of rows if these are not
    smaller than v."""
    blocks, whole = curvature.blocks, [(None, curvature.product)]
    if len(blocks) > 1 and blocks[0][0].stop < len(l2):
        blocks = whole

    def product(v):
        total = l2 * v
        for rows, of_outputs in blocks:
            outputs, pullback = vjp(v, rows)
            total += pullback(of_outputs(outputs))
        return total

    return product


def _conjugate_gradients(hessian, gradient, solve, size, tol, max_steps=400):
    """An inexact Newton step: (step, steps taken, unsolved part of the decrement).

    The residual is asked to fall with the decrement, which makes the outer steps converge
    faster than linearly; quadratically where they are to be solved to rounding, ``tol`` = 0.
    """
    step, residual = np.zeros_like(gradient), -gradient
    direction = solved = solve(residual)
    first = rho = float(np.vdot(residual, solved))
    if first <= 0:
        return step, 0, 0.0
    # Of order 1.5 rather than 2, steps take a quarter fewer products on text (speed.py).
    fall = (first / (size or 1.0)) ** (0.5 if tol else 1.0)
    goal = max(first * min(0.2, fall), 0.1 * tol * size)
    count = 0
    while count < max_steps:
        count += 1
        product = hessian(direction)
        curvature = float(np.vdot(direction, product))
        if not curvature > 0:
            break
        length = rho / curvature
        step += length * direction
        residual = residual - length * product
        solved = solve(residual)
        rho, previous_rho = float(np.vdot(residual, solved)), rho
        if not rho > max(goal, 1e-30):
            break
        direction = solved + (rho / previous_rho) * direction
    return step, count, 0.5 * rho


def _search(objective, outputs, vjp, params, step, l2, value, decrement):
    """Backtracking along the step until the objective falls enough (Armijo): length, value, outputs
    and derivatives there; length 0 if it never does."""
    noise = _noise(outputs, value)
    length = 1.0
    for _ in range(40):
        trial = vjp(step)[0]  # again, as it is not held: most often the first length is the last
        trial *= length
        trial += outputs
        loss, *derivatives = objective.expand(trial)
        new_value = loss + ridge(l2, params + length * step)
        if new_value <= value - 2e-4 * length * decrement + noise:
            return length, new_value, trial, *derivatives
        length *= 0.5
        del trial, derivatives  # of the outputs' shape, too
    return 0.0, value, outputs, *objective.expand(outputs)[1:]


def _noise(outputs, value):
    """Rounding error of the objective: that of logarithms near one, which averages out."""
    return _NOISE * np.finfo(outputs.dtype).eps * (len(outputs) ** -0.5 + abs(value))


def _damping(damping, length):
    """Levenberg damping for the next step, from how far the last one could be followed."""
    if length < 1:
        return max(4 * damping, 1e-3)
    return damping / 10 if damping > 1e-6 else 0.0
