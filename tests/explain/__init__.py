"""Predictions about packets."""
