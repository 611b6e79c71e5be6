"""Losses by name."""

from sk_ebm.losses._base import Loss
from sk_ebm.losses._lambdarank import Lambda
from sk_ebm.losses._likelihood import MEE, NLL
from sk_ebm.losses._pairwise import PairwiseHinge, PairwiseLog
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

LOSSES = {
    "energy": EnergyLoss,
    "perceptron": Perceptron,
    "hinge": Hinge,
    "log": Log,
    "lvq2": LVQ2,
    "mce": MCE,
    "square_square": SquareSquare,
    "square_exponential": SquareExponential,
    "nll": NLL,
    "mee": MEE,
}

ITEM_LOSSES = {
    "pairwise_log": PairwiseLog,
    "pairwise_hinge": PairwiseHinge,
    "lambda": Lambda,
    "xendcg": XENDCG,
}

GRADED_LOSSES: dict[str, type[Loss]] = {**LOSSES, **ITEM_LOSSES}

"""All that take a `RelevanceTarget`, by name."""
