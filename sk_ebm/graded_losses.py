"""Losses of items that are better and worse than each other, for rankers."""

from sk_ebm.losses import LOSSES

GRADED_LOSSES = {**LOSSES}
