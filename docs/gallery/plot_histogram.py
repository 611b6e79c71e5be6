"""
How well does an energy tell anomalies apart?
=============================================

The threshold is learned from benign tumours alone. Energies of malignant ones, which the detector
never saw, lie above it for the most part.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer

from sk_ebm import EnergyDetector
from sk_ebm.displays import EnergyHistogramDisplay

X, y = load_breast_cancer(return_X_y=True)
benign, malignant = X[y == 1], X[y == 0]
detector = EnergyDetector(novelty=True, random_state=0).fit(benign[::2])
rows = np.concatenate([benign[1::2], malignant])
known = np.repeat([1, -1], [len(benign[1::2]), len(malignant)])
EnergyHistogramDisplay.from_estimator(detector, rows, known)
found = np.mean(detector.predict(malignant) == -1)
print(f"{found:.0%} of the malignant tumours are above the threshold")
