"""Predictions against real packets: random clouds and questions; what disagrees is made small."""
