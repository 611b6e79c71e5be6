"""L-BFGS, for any loss and any parameters."""

from collections import deque

import numpy as np
from scipy.optimize import minimize

from sk_ebm._solvers.result import Result, ridge

_FLAT = 0.1  # of the objective, which is about one without weights: lesser ones count as this
# Pairs kept, 10 at least: of hinge losses on 150 rows, 10 end 5 % above the optimum, and 30 2 %.
_MOST_PAIRS, _MOST_NUMBERS = 30, 10_000_000  # 80 MB
_WINDOW = 5  # iterations over which a gain is judged, which is uneven along kinks: 10 take 1.4 x


def lbfgs(
    objective, init, vjp, *, l2, l1, tol, max_iter, report, preconditioner=None, curvature=1.0, **_
):
    """L-BFGS, for any loss and any parameters.

    Parameters are divided by the root of their second derivatives, about ``curvature`` of the loss
    and l2 of the penalty. Steps satisfy the weak Wolfe conditions, with which quasi-Newton methods
    descend along kinks too (Lewis and Overton, 2013). A step that fails is tried again along the
    gradient; where that fails too, the gradient of a smooth convex problem tells whether it is the
    optimum.

    With l1 > 0 each parameter is the difference of two that are bounded below by zero, so that
    those without effect end exactly at zero (L-BFGS-B; Byrd, Lu, Nocedal and Zhu, 1995).
    """
    problem = _Problem(objective, vjp, l2, l1, curvature, init.shape)

    def follow(value, flat):
        report(float(value), problem.params(flat.copy()))

    smooth = preconditioner is not None and objective.loss.second_derivatives == "continuous"
    descend = _descend if problem.l1 is None else _descend_bounded
    tolerance = tol if smooth else 1000 * tol  # kinks and valleys make the last digits slow
    flat, converged, stuck = descend(
        problem.value_and_gradient,
        problem.start(init),
        tolerance,
        max_iter,
        follow,
        # Iterating on separates classes no better, and moves far: on lymphoma and orl hinge loses
        # 10 and 2 points of accuracy (classification.py --part losses).
        enough=tolerance * _FLAT if objective.loss.non_negative else -np.inf,
    )
    if stuck and smooth:
        value, gradient = problem.value_and_gradient(flat)
        converged = 0.5 * float(gradient @ gradient) <= np.sqrt(tol) * max(abs(value), _FLAT)
    return Result(problem.params(flat), converged)


class _Problem:
    """The penalised objective as a function of what L-BFGS moves, a flat array."""

    def __init__(self, objective, vjp, l2, l1, curvature, shape):
        self.objective, self.vjp, self.l2, self.shape = objective, vjp, l2, shape
        self.unit = 1 / np.sqrt(np.broadcast_to(curvature + l2, shape))
        self.l1 = l1 * self.unit if np.any(l1) else None

    def start(self, params):
        params = (params / self.unit).ravel().astype(np.float64)
        return params if self.l1 is None else np.concatenate([params, -params]).clip(0)

    def params(self, flat):
        halves = flat.reshape(-1, *self.shape)
        return self.unit * (halves[0] if self.l1 is None else halves[0] - halves[1])

    def value_and_gradient(self, flat):
        params = self.params(flat)
        outputs, pullback = self.vjp(params)
        loss, by_outputs = self.objective.value_and_gradient(outputs)
        gradient = self.unit * (pullback(by_outputs) + self.l2 * params)
        value = loss + ridge(self.l2, params)
        if self.l1 is None:
            return value, gradient.ravel()
        value += float(np.sum(self.l1 * flat.reshape(2, *self.shape)))
        return value, np.concatenate([self.l1 + gradient, self.l1 - gradient], axis=None)


def _descend(value_and_gradient, x, tol, max_iter, follow, enough):
    """Where steps end, whether they converged, and whether it is since none was possible.

    Values of at most ``enough`` need no further steps.
    """
    value, gradient = value_and_gradient(x)
    pairs = deque(maxlen=int(np.clip(_MOST_NUMBERS // (2 * len(x)), 10, _MOST_PAIRS)))
    values = deque([np.inf] * _WINDOW + [value], maxlen=_WINDOW + 1)
    if value <= enough:
        follow(value, x)
        return x, True, False
    for _ in range(max_iter):
        step = _search(value_and_gradient, x, value, gradient, _direction(gradient, pairs))
        if step is None and pairs:
            pairs.clear()
            step = _search(value_and_gradient, x, value, gradient, _direction(gradient, pairs))
        if step is None:
            follow(value, x)
            return x, True, True
        new_x, value, new_gradient = step
        moved, change = new_x - x, new_gradient - gradient
        curvature = float(moved @ change)
        if curvature > np.finfo(float).eps * float(change @ change):
            pairs.append((moved, change, curvature))
        x, gradient = new_x, new_gradient
        follow(value, x)
        values.append(value)
        if value <= enough or values[0] - value <= tol * max(abs(value), _FLAT):
            return x, True, False
    return x, False, False


def _direction(gradient, pairs):
    """Minus the inverse of the second derivatives that the pairs tell of, times the gradient."""
    direction, factors, part = -gradient, [], np.empty_like(gradient)
    for moved, change, curvature in reversed(pairs):
        factors.append(float(moved @ direction) / curvature)
        direction -= np.multiply(change, factors[-1], out=part)
    if pairs:
        _, change, curvature = pairs[-1]
        direction *= curvature / float(change @ change)
    else:
        direction /= max(1.0, float(np.linalg.norm(gradient)))
    for moved, change, curvature in pairs:
        factor = factors.pop() - float(change @ direction) / curvature
        direction += np.multiply(moved, factor, out=part)
    return direction


def _search(value_and_gradient, x, value, gradient, direction):
    """(point, value, gradient) of a step that satisfies the weak Wolfe conditions, or is at least
    lower; None without one."""
    derivative, low, high, length = float(gradient @ direction), 0.0, np.inf, 1.0
    best = None
    for _ in range(40 if derivative < 0 else 0):
        new_x = x + length * direction
        new_value, new_gradient = value_and_gradient(new_x)
        if not new_value <= value + 1e-4 * length * derivative:
            high = length
        else:
            best = new_x, new_value, new_gradient
            if float(new_gradient @ direction) >= 0.9 * derivative:
                break
            low = length
        length = (low + high) / 2 if high < np.inf else 2 * length
    return best if best is not None and best[1] < value else None


def _descend_bounded(value_and_gradient, x, tol, max_iter, follow, enough):
    """The same with parameters of at least zero, by L-BFGS-B from where its last run ended, until
    one gains nothing."""
    value, n_left = np.inf, max_iter
    while n_left > 0:
        minimum = minimize(
            value_and_gradient,
            x,
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, None)] * len(x),
            callback=lambda intermediate_result: follow(
                intermediate_result.fun, intermediate_result.x
            ),
            options={"maxiter": n_left, "maxfun": 20 * n_left, "ftol": 0.1 * tol, "gtol": 1e-12},
        )
        gain, value = value - minimum.fun, minimum.fun
        x, n_left = minimum.x, n_left - minimum.nit
        if minimum.nit == 0:
            follow(value, x)
        if value <= enough or gain <= tol * max(abs(value), _FLAT) or minimum.nit == 0:
            return x, True, False
    return x, False, False
