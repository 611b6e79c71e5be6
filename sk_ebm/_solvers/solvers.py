"""Solvers: minimise mean loss + R over the parameters of an energy function.

``solver(objective, init, vjp, *, l2, l1, tol, max_iter, report)`` gets the objective of the
outputs, ``vjp(params) -> outputs, pullback`` and the coefficients of (l2/2) params^2 and
l1 |params|, broadcastable to the parameters; it returns a `Result`.
"""

from collections import namedtuple
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

# glibc hands large freed arrays back to the system, and every new one then costs page faults,
# several times the arithmetic on it. Freeing one untouched 31 MB block makes it keep them.
np.empty(31 << 20, dtype=np.uint8)

Result = namedtuple("Result", ["params", "converged"])


def newton(objective, init, vjp, *, l2, l1, tol, max_iter, report, preconditioner, **_):
    """Newton steps by preconditioned conjugate gradients, for outputs linear in the parameters.

    As in trust-region Newton methods for logistic regression (Lin, Weng and Keerthi, 2008), only
    products with the matrix of second derivatives are needed. Linear outputs make each trial
    of the line search free of passes over the inputs. Stops once the gap to the minimum, as
    the Newton decrement estimates it, is below ``tol`` times the objective.

    ``preconditioner(curvature, cg_steps)`` takes the curvature and the steps of the last solution
    and returns a function that solves approximately with the matrix of second derivatives.
    """
    params = init
    outputs, pullback = vjp(params)
    loss, slopes = objective(outputs)
    value = loss + _ridge(l2, params)
    solve, cg_steps, damping, left = None, 0, 0.0, np.inf
    rounding = np.finfo(outputs.dtype).eps
    cheap = outputs.size * len(params) < 1e5  # then solve to rounding of the gradient
    tol = rounding**1.5 if cheap else max(tol, rounding)
    for _ in range(max_iter):
        gradient = pullback(slopes) + l2 * params
        curvature = objective.curvature(outputs, damping)
        if solve is None or cg_steps > preconditioner.patience:
            solve = preconditioner(curvature, cg_steps)

        def hessian(v, curvature=curvature, pullback=pullback):
            moved = vjp(v)[0]
            return moved, pullback(curvature.product(moved)) + l2 * v

        step, moved, cg_steps, unsolved = _conjugate_gradients(
            hessian, gradient, solve, abs(value), 0.0 if cheap else tol
        )
        decrement = -0.5 * float(np.vdot(gradient, step))
        length, outputs, loss, slopes, new_value = _search(
            objective, outputs, moved, params, step, l2, value, decrement
        )
        params = params + length * step
        damping = _damping(damping, length)
        gain, value = value - new_value, new_value
        report(value, params)
        before, left = left, decrement if cheap else 10 * unsolved + abs(gain - decrement)
        exhausted = gain <= _noise(outputs, value) and left > 0.1 * before and not damping
        if left <= tol * abs(value) or exhausted:
            return Result(params, True)
    return Result(params, False)


def _conjugate_gradients(hessian, gradient, solve, size, tol, max_steps=400):
    """(step, outputs moved, steps taken, unsolved part of the decrement) of an inexact Newton step.

    The residual is asked to fall with the decrement, which makes the outer steps converge
    faster than linearly.
    """
    step = np.zeros_like(gradient)
    moved, residual = 0.0, -gradient
    direction = solved = solve(residual)
    first = rho = float(np.vdot(residual, solved))
    if first <= 0:
        return step, np.zeros_like(hessian(step)[0]), 0, 0.0
    goal = max(first * min(0.05, first / (size or 1.0)), 0.02 * tol * size)
    count = 0
    while count < max_steps:
        count += 1
        moved_along, curved = hessian(direction)
        bend = float(np.vdot(direction, curved))
        if bend <= 0:
            break
        length = rho / bend
        step += length * direction
        moved = moved + length * moved_along
        residual = residual - length * curved
        solved = solve(residual)
        rho, last = float(np.vdot(residual, solved)), rho
        if rho <= max(goal, 1e-30):
            break
        direction = solved + (rho / last) * direction
    return step, moved, count, 0.5 * rho


def _search(objective, outputs, moved, params, step, l2, value, decrement):
    """Backtracking along the step until the objective falls enough (Armijo)."""
    noise = _noise(outputs, value)
    length = 1.0
    for _ in range(40):
        trial = outputs + length * moved
        loss, slopes = objective(trial)
        new_value = loss + _ridge(l2, params + length * step)
        if new_value <= value - 2e-4 * length * decrement + noise:
            break
        length *= 0.5
    return length, trial, loss, slopes, new_value


def _noise(outputs, value):
    """Rounding error of the objective: that of logarithms near one, which averages out."""
    return 4 * np.finfo(outputs.dtype).eps * (len(outputs) ** -0.5 + abs(value))


def _damping(damping, length):
    """Levenberg damping for the next step, from how far the last one could be followed."""
    if length < 1:
        return max(4 * damping, 1e-3)
    return damping / 10 if damping > 1e-6 else 0.0


def lbfgs(objective, init, vjp, *, l2, l1, tol, max_iter, report, preconditioner=None, **_):
    """L-BFGS (Byrd, Lu, Nocedal and Zhu, 1995), for any loss and any parameters.

    With l1 > 0 each parameter is the difference of two that are bounded below by zero, so that
    those without effect end exactly at zero.
    """
    split = bool(np.any(l1))
    shape = init.shape
    l1 = np.broadcast_to(l1, shape)

    def unpack(flat):
        halves = flat.reshape(2, *shape) if split else flat.reshape(1, *shape)
        return halves[0] - halves[1] if split else halves[0]

    def value_and_gradient(flat):
        params = unpack(flat)
        outputs, pullback = vjp(params)
        loss, slopes = objective(outputs)
        gradient = pullback(slopes) + l2 * params
        value = loss + _ridge(l2, params)
        if not split:
            return value, gradient.ravel()
        value += float(np.sum(l1 * flat.reshape(2, *shape)))
        return value, np.concatenate([(l1 + gradient).ravel(), (l1 - gradient).ravel()])

    convex = preconditioner is not None and objective.loss.smooth
    ftol = tol * (0.1 if convex else 10)  # kinks and valleys make the last digits slow
    start = np.concatenate([np.clip(init, 0, None), np.clip(-init, 0, None)]) if split else init
    found = minimize(
        value_and_gradient,
        start.ravel().astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * start.size if split else None,
        callback=lambda intermediate_result: report(
            float(intermediate_result.fun), unpack(intermediate_result.x.copy())
        ),
        options={"maxiter": max_iter, "maxfun": 20 * max_iter, "ftol": ftol, "gtol": 1e-12},
    )
    # Where the loss has kinks, the line search ends in one that no descent direction leaves.
    return Result(unpack(found.x), found.success or found.status == 2)


def adam(
    objective,
    init,
    vjp,
    *,
    l2,
    l1,
    tol,
    max_iter,
    report,
    rng,
    held_out=None,
    batch_size=64,
    learning_rate=3e-3,
    n_epochs=50,
    patience=10,
    **_,
):
    """Mini-batch Adam (Kingma and Ba, 2015) with a cosine schedule, for any parameters.

    With ``held_out`` samples, the parameters of least loss on them are kept, and training stops
    ``patience`` epochs after; otherwise the iterates of the second half are averaged, as in
    the averaged perceptron. The l1 term is descended along its sign. Where equal energies are a
    minimum, the rate stays constant: it is what keeps the scale of the energies.
    """
    anneal = not objective.loss.zero_margin
    params, average = init.copy(), np.zeros_like(init)
    first, second = np.zeros_like(params), np.zeros_like(params)
    n_epochs = min(max_iter, n_epochs)
    samples = np.flatnonzero(objective.weights)
    if held_out is not None:
        samples = np.setdiff1d(samples, held_out)
        judge = objective.take(held_out)
    n_batches = max(len(samples) // batch_size, 1)
    best, best_epoch, best_params, count = np.inf, 0, params, 0
    for epoch in range(n_epochs):
        for batch in np.array_split(rng.permutation(samples), n_batches):
            part = objective.take(batch)
            outputs, pullback = vjp(params, objective.answers.rows(batch))
            loss, slopes = part(outputs)
            gradient = pullback(slopes)
            gradient += l2 * params
            if np.any(l1):
                gradient += l1 * np.sign(params)
            count += 1
            progress = count / (n_epochs * n_batches)
            rate = learning_rate * (0.5 * (1 + np.cos(np.pi * progress)) if anneal else 1.0)
            rate *= np.sqrt(1 - 0.999**count) / (1 - 0.9**count)
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient * gradient - second)
            params -= rate * first / (np.sqrt(second) + 1e-8)
        if held_out is None:
            average += (params - average) / max(epoch - n_epochs // 2 + 1, 1)
            report(loss, average)
            continue
        value = judge.unseen_loss(vjp(params, objective.answers.rows(held_out))[0])
        report(value, params)
        if value < best:
            best, best_epoch, best_params = value, epoch, params.copy()
        elif epoch - best_epoch >= patience:
            break
    return Result(average if held_out is None else best_params, True)


def _ridge(l2, params):
    return 0.5 * float(np.sum(l2 * np.square(params)))


SOLVERS: dict[str, Callable[..., Result]] = {"newton": newton, "lbfgs": lbfgs, "adam": adam}
