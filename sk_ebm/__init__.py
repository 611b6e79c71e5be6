"""Energy-based learning with scikit-learn estimators."""

from sk_ebm.classifier import EnergyClassifier
from sk_ebm.density import EnergyDensityEstimator
from sk_ebm.detector import EnergyDetector
from sk_ebm.ranker import EnergyRanker

__version__ = "0.1.0"
__all__ = [
    "EnergyClassifier",
    "EnergyDensityEstimator",
    "EnergyDetector",
    "EnergyRanker",
    "__version__",
]
