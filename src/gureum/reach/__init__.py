"""Knows the reachability of all pairs and all headers, both directions, at once."""

from gureum.reach.changes import Change, difference
from gureum.reach.dual import Dual, differences
from gureum.reach.internet import Cuts, Internet, Piece, is_outward
from gureum.reach.prefixes import VERSIONS, Version
from gureum.reach.reach import Exposure, Reach
from gureum.reach.verdicts import Span, Verdict
from gureum.reach.way import Node, Part

__all__ = [
    "VERSIONS",
    "Change",
    "Cuts",
    "Dual",
    "Exposure",
    "Internet",
    "Node",
    "Part",
    "Piece",
    "Reach",
    "Span",
    "Verdict",
    "Version",
    "difference",
    "differences",
    "is_outward",
]
