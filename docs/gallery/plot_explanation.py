"""
Why is a row flagged?
=====================

The contributions of the columns add up to the energy of a malignant tumour, which a detector of
benign ones flags.
"""

from sklearn.datasets import load_breast_cancer

from sk_ebm import EnergyDetector
from sk_ebm.displays import ExplanationDisplay

data = load_breast_cancer(as_frame=True)
benign, malignant = data.data[data.target == 1], data.data[data.target == 0]
detector = EnergyDetector("gaussian", novelty=True).fit(benign)
display = ExplanationDisplay.from_estimator(detector, malignant.iloc[:1])
print(f"{display.title}, threshold {detector.threshold_:.2f}")
