"""Policies: grammar, conditions, matching, evaluation."""
