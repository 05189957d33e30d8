"""Tests of the wire, with botocore's serializer and parser and a strict reading as oracles."""
