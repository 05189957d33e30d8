"""Frames taken apart and written down."""
