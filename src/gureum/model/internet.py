"""The internet that a cloud plays: whose its public addresses are.

They are blocks that are set aside for benchmarks (RFC 2544) and documentation (RFC 9637), so that
they collide with nothing real.  Every room that knows one of these blocks knows it from here.
"""

from __future__ import annotations

PUBLIC, PUBLIC6 = "198.18.0.0/15", "3fff::/20"
"""All of them, of either version."""
CUSTOMERS, CUSTOMERS6 = "198.18.0.0/16", "3fff::/21"
"""The half for the cloud's customers: public addresses, and blocks of VPCs."""
HOSTS, HOSTS6 = "198.19.0.0/16", "3fff:800::/21"
"""The half for hosts of the internet."""
GATEWAY_HOP, GATEWAY_HOP6 = "100.64.0.1", "3fff:fff::1"
INTERNET_HOP, INTERNET_HOP6 = "100.64.0.2", "3fff:fff::2"
"""What an internet gateway and the internet's router call themselves in traceroute (RFC 6598)."""
