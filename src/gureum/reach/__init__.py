"""Knows the reachability of all pairs and all headers, both directions, at once."""

from gureum.reach.changes import Change, difference
from gureum.reach.dual import Dual, differences
from gureum.reach.prefixes import VERSIONS, Version
from gureum.reach.reach import Reach
from gureum.reach.verdicts import Span, Verdict
from gureum.reach.way import Node

__all__ = [
    "VERSIONS",
    "Change",
    "Dual",
    "Node",
    "Reach",
    "Span",
    "Verdict",
    "Version",
    "difference",
    "differences",
]
