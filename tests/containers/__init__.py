"""Tests of containers as rows: what is asked for, what becomes of it, what network follows."""
