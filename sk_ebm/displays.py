"""Pictures of energies, distributions, thresholds and rankings (extra ``plot``).

They follow scikit-learn's displays: ``from_estimator`` or ``from_predictions`` computes what is
drawn and draws it, ``plot(ax=)`` draws it again, and ``ax_`` and ``figure_`` are what it was drawn
on. Estimators may be at the end of pipelines and searches.
"""

from sk_ebm._displays.explanation import ExplanationDisplay
from sk_ebm._displays.false_alarm import FalseAlarmDisplay
from sk_ebm._displays.histogram import EnergyHistogramDisplay
from sk_ebm._displays.landscape import EnergyLandscapeDisplay
from sk_ebm._displays.loss import LossDisplay
from sk_ebm._displays.pit import PITDisplay
from sk_ebm._displays.predictive import PredictiveDistributionDisplay
from sk_ebm._displays.ranking import RankingDisplay
from sk_ebm._displays.reliability import ReliabilityDisplay
from sk_ebm._displays.tables import TableComparisonDisplay

__all__ = [
    "EnergyHistogramDisplay",
    "EnergyLandscapeDisplay",
    "ExplanationDisplay",
    "FalseAlarmDisplay",
    "LossDisplay",
    "PITDisplay",
    "PredictiveDistributionDisplay",
    "RankingDisplay",
    "ReliabilityDisplay",
    "TableComparisonDisplay",
]
