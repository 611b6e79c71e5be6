"""L-BFGS, for any loss and any parameters."""

import numpy as np
from scipy.optimize import minimize

from sk_ebm._solvers.result import Result, ridge


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
        loss, by_outputs = objective.value_and_gradient(outputs)
        gradient = pullback(by_outputs) + l2 * params
        value = loss + ridge(l2, params)
        if not split:
            return value, gradient.ravel()
        value += float(np.sum(l1 * flat.reshape(2, *shape)))
        return value, np.concatenate([(l1 + gradient).ravel(), (l1 - gradient).ravel()])

    convex = preconditioner is not None and objective.loss.second_derivatives == "continuous"
    ftol = tol * (0.1 if convex else 10)  # kinks and valleys make the last digits slow
    start = np.concatenate([np.clip(init, 0, None), np.clip(-init, 0, None)]) if split else init
    minimum = minimize(
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
    return Result(unpack(minimum.x), minimum.success or minimum.status == 2)
