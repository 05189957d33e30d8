"""The reachability engine against a plain reading of the statements, packet by packet."""
