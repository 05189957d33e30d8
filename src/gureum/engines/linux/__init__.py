"""The Linux engine carries a program out with network namespaces, bridges, routes and nftables."""

from gureum.engines.linux.engine import LinuxEngine
from gureum.engines.linux.flow_meter import FlowMeter
from gureum.engines.linux.namespaces import is_free

__all__ = ["FlowMeter", "LinuxEngine", "is_free"]
