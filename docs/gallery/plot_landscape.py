"""
What does an energy look like?
==============================

Petals of three kinds of iris: the energy of a Gaussian mixture is low where there are many, and the
threshold surrounds what counts as an iris of these kinds.
"""

from sklearn.datasets import load_iris

from sk_ebm import EnergyDetector
from sk_ebm.displays import EnergyLandscapeDisplay

X = load_iris(as_frame=True).data[["petal length (cm)", "petal width (cm)"]]
detector = EnergyDetector("mixture", random_state=0).fit(X)
EnergyLandscapeDisplay.from_estimator(detector, X)
print(f"threshold {detector.threshold_:.2f}")
