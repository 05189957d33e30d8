"""Instances as OCI containers: images, disks, processes and consoles; no networking."""

from gureum.machines.absent import NoMachines
from gureum.machines.containers import Machines
from gureum.machines.fake import FakeMachines
from gureum.machines.room import MachineError, MachineRoom, MachineStatus

__all__ = [
    "FakeMachines",
    "MachineError",
    "MachineRoom",
    "MachineStatus",
    "Machines",
    "NoMachines",
]
