"""The Linux engine carries a program out with network namespaces, bridges, routes and nftables."""

from gureum.engines.linux.engine import LinuxEngine

__all__ = ["LinuxEngine"]
