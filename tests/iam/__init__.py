"""Tests of the room ``iam``."""
