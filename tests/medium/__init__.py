"""The model of shared Ethernet."""
