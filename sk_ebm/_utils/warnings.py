"""Warnings that point at the line of the user who can act on them."""

import sys
import warnings

_PACKAGES = {"sk_ebm", "sklearn", "joblib", "pickle", "skops", "copy"}


def warn_user(message, category):
    """Warn at the first line, up the stack, that is not of a library that calls another."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in _PACKAGES:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
