"""Hand-written statements on a real kernel: real packets, damage, repair."""
