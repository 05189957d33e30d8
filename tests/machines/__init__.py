"""Tests of the machine room: instances as real containers in namespaces of the tests' own."""
