"""Tests of the labs: each is broken as it says, and mended by its fix."""
