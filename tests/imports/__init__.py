"""Tests of importing and exporting accounts."""
