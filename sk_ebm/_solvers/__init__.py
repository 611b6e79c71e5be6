"""Solvers of the training problem, by name."""

from sk_ebm._solvers.registry import SOLVERS

__all__ = ["SOLVERS"]
