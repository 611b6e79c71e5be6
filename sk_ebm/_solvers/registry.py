"""Solvers by name."""

from collections.abc import Callable

from sk_ebm._solvers.adam import adam
from sk_ebm._solvers.lbfgs import lbfgs
from sk_ebm._solvers.newton import newton
from sk_ebm._solvers.result import Result

SOLVERS: dict[str, Callable[..., Result]] = {"newton": newton, "lbfgs": lbfgs, "adam": adam}
