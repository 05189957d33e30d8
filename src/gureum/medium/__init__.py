"""A discrete-event model of shared Ethernet: who sends when, what collides, who waits how long."""
