"""Tests of the engines without a kernel."""
