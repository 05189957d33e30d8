"""Clients of other makers, as they are installed, against a daemon."""
