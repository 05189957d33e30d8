"""Tests of the services inside networks."""
