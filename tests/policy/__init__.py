"""Policies: the language, and what does not hold."""
