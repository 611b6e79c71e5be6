"""Solvers of the training problem, by name."""
