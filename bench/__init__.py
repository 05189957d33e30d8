"""Measurements: ours beside a baseline in one run, medians of several repeats."""
