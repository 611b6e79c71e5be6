"""Solvers by name."""

from collections.abc import Callable

from sk_ebm._solvers.adam import adam
from sk_ebm._solvers.lbfgs import lbfgs
from sk_ebm._solvers.newton import newton
from sk_ebm._solvers.result import Result

SOLVERS: dict[str, Callable[..., Result]] = {"newton": newton, "lbfgs": lbfgs, "adam": adam}
"""``solver(objective, init, vjp, *, l2, l1, tol, max_iter, report, rng, **details)`` minimises the
objective of the outputs plus (l2/2) params^2 + l1 |params|; l2 and l1 broadcast to the parameters,
``vjp(params, rows=None) -> outputs, pullback``, and ``report(value, params)`` follows each
iteration."""
