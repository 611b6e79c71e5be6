"""Helpers of all layers."""
