"""Containers inside instances as rows: what was asked for, and what of the network follows."""

from gureum.containers.errors import DockerError
from gureum.containers.rows import (
    Container,
    ContainerImage,
    ContainerNetwork,
    ContainerVolume,
    Endpoint,
    Health,
    Limits,
    Mount,
    Port,
    Process,
    Restart,
)

__all__ = [
    "Container",
    "ContainerImage",
    "ContainerNetwork",
    "ContainerVolume",
    "DockerError",
    "Endpoint",
    "Health",
    "Limits",
    "Mount",
    "Port",
    "Process",
    "Restart",
]
