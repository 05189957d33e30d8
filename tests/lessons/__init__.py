"""Tests of the lessons: each teaches what is so."""
