"""Tests: pure ones first, kernel ones under ``tests/kernel``."""
