"""Estimators of scikit-learn's kind as energies."""
