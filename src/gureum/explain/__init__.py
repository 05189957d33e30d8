"""Walks a packet over the abstract network and says, step by step, what decided and why."""

from gureum.explain.causes import not_up, told_anew
from gureum.explain.commands import Fix
from gureum.explain.fixes import fixes
from gureum.explain.guest import Listener, arrival, heard
from gureum.explain.network import Network
from gureum.explain.packet import Packet, ephemeral
from gureum.explain.verdict import Answer, explain

__all__ = [
    "Answer",
    "Fix",
    "Listener",
    "Network",
    "Packet",
    "arrival",
    "ephemeral",
    "explain",
    "fixes",
    "heard",
    "not_up",
    "told_anew",
]
