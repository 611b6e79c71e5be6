"""Energy-based learning with scikit-learn estimators."""

from sk_ebm.classifier import EnergyClassifier

__version__ = "0.1.0"
__all__ = ["EnergyClassifier", "__version__"]
