"""Energy-based learning with scikit-learn estimators."""

from sk_ebm.classifier import EnergyClassifier
from sk_ebm.density import EnergyDensityEstimator

__version__ = "0.1.0"
__all__ = ["EnergyClassifier", "EnergyDensityEstimator", "__version__"]
