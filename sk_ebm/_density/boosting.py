"""LightGBM's regressor. Can be imported where LightGBM is installed."""

from lightgbm import LGBMRegressor as BoostedRegressor  # noqa: F401
