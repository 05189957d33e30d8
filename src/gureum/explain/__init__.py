"""Walks a packet over the abstract network and says, step by step, what decided and why."""

from gureum.explain.network import Network
from gureum.explain.packet import Packet, ephemeral
from gureum.explain.verdict import Answer, explain

__all__ = ["Answer", "Network", "Packet", "ephemeral", "explain"]
