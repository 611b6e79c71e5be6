"""
Can the probabilities of a large-margin classifier be trusted?
==============================================================

A hinge loss says nothing about probabilities. The inverse temperature that is learned on held-out
rows makes them match frequencies on new rows.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_ebm import EnergyClassifier
from sk_ebm.displays import ReliabilityDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=0)
classifier = EnergyClassifier(loss="hinge", alpha=1e-3).fit(X_train, y_train)
display = ReliabilityDisplay.from_estimator(classifier, X_test, y_test, n_bins=5)
print(display.calibration_errors_)
