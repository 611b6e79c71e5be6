"""Losses: per-sample functions of the candidates' energies, by name."""

from sk_ebm.losses._base import Curvature, Loss
from sk_ebm.losses._contrast import ContrastiveLoss
from sk_ebm.losses._lambdarank import Lambda
from sk_ebm.losses._likelihood import MEE, NLL
from sk_ebm.losses._pairwise import GradedLoss, PairLoss, PairwiseHinge, PairwiseLog
from sk_ebm.losses._registry import GRADED_LOSSES, ITEM_LOSSES, LOSSES
from sk_ebm.losses._table1 import (
    LVQ2,
    MCE,
    EnergyLoss,
    Hinge,
    Log,
    Perceptron,
    SquareExponential,
    SquareSquare,
)
from sk_ebm.losses._xendcg import XENDCG

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
    "Curvature",
    "EnergyLoss",
    "GradedLoss",
    "Hinge",
    "Lambda",
    "Log",
    "Loss",
    "PairLoss",
    "PairwiseHinge",
    "PairwiseLog",
    "Perceptron",
    "SquareExponential",
    "SquareSquare",
]
