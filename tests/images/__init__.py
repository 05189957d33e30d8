"""Tests of the image store: recipes, layers, archives, registries."""
