"""The four estimators."""
