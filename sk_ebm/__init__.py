"""Energy-based learning with scikit-learn estimators."""

from sk_ebm._estimators.classifier import EnergyClassifier
from sk_ebm._estimators.density import EnergyDensityEstimator
from sk_ebm._estimators.detector import EnergyDetector
from sk_ebm._estimators.ranker import EnergyRanker
from sk_ebm._estimators.transformer import EnergyTransformer
from sk_ebm._utils.through import through

__version__ = "0.1.0"
__all__ = [
    "EnergyClassifier",
    "EnergyDensityEstimator",
    "EnergyDetector",
    "EnergyRanker",
    "EnergyTransformer",
    "__version__",
    "through",
]
