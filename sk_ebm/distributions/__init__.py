"""Predictive distributions: what `EnergyDensityEstimator.predict_distribution` returns."""

from sk_ebm.distributions._family import (
    CorrectedDistribution,
    Distribution,
    RoundedDistribution,
    SampledDistribution,
    WithPointMasses,
)
from sk_ebm.distributions._predictive import PredictiveDistribution

__all__ = [
    "CorrectedDistribution",
    "Distribution",
    "PredictiveDistribution",
    "RoundedDistribution",
    "SampledDistribution",
    "WithPointMasses",
]
