"""Containers inside instances: their files, their processes, what they print; no networking."""

from gureum.machines.nested.room import Ended, NestedRoom, Running, StartError
from gureum.machines.nested.spec import Bind, Spec

__all__ = ["Bind", "Ended", "NestedRoom", "Running", "Spec", "StartError"]
