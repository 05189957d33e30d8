"""Tests of events and what they must not say."""
