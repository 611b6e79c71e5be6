"""
Are false alarms held at the rate that was asked for?
=====================================================

A detector is fitted to half of the benign tumours of a bundled data set. Of the other half, the
share that is flagged should be the rate that was asked for, whatever this rate is. The band holds
95 % of the shares that so many rows of an exact detector have.
"""

from sklearn.datasets import load_breast_cancer

from sk_ebm import EnergyDetector
from sk_ebm.displays import FalseAlarmDisplay

X, y = load_breast_cancer(return_X_y=True)
benign = X[y == 1]
detector = EnergyDetector(novelty=True, random_state=0).fit(benign[::2])
display = FalseAlarmDisplay.from_estimator(detector, benign[1::2])
print(f"asked for {display.threshold[0]:.2f}, realised {display.threshold[1]:.3f}")
