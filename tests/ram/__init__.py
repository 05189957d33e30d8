"""Tests of RAM."""
