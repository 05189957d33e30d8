"""Gureum: a public cloud's network on one Linux machine, with real packets."""

__version__ = "0.1.0"
