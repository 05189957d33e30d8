"""Where packets will be walked over a program, to say why they pass or do not; empty so far."""
