"""Losses: per-sample functions of the candidates' energies, by name."""

from sk_ebm.losses._graded import (
    GRADED_LOSSES,
    ITEM_LOSSES,
    XENDCG,
    Lambda,
    PairwiseHinge,
    PairwiseLog,
)
from sk_ebm.losses._losses import (
    LOSSES,
    LVQ2,
    MCE,
    MEE,
    NLL,
    ContrastiveLoss,
    EnergyLoss,
    Hinge,
    Log,
    Loss,
    Perceptron,
    SquareExponential,
    SquareSquare,
)

__all__ = [
    "GRADED_LOSSES",
    "ITEM_LOSSES",
    "LOSSES",
    "LVQ2",
    "MCE",
    "MEE",
    "NLL",
    "XENDCG",
    "ContrastiveLoss",
    "EnergyLoss",
    "Hinge",
    "Lambda",
    "Log",
    "Loss",
    "PairwiseHinge",
    "PairwiseLog",
    "Perceptron",
    "SquareExponential",
    "SquareSquare",
]
