"""What the cloud itself does inside its networks: it answers questions about names (DNS) and
instance metadata (IMDS), and records the flows that somebody wants to have logged.

Instances are hostile: whatever they send costs a bounded time and space, and each is known by its
address, which it cannot forge.
"""

from gureum.services.flow_recorder import FlowRecorder, FlowRoom, NoFlows
from gureum.services.room import NoServices, Rooms, ServiceRoom
from gureum.services.services import Services

__all__ = [
    "FlowRecorder",
    "FlowRoom",
    "NoFlows",
    "NoServices",
    "Rooms",
    "ServiceRoom",
    "Services",
]
