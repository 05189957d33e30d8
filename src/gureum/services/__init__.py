"""The cloud's own services inside its networks: names (DNS) and instance metadata (IMDS).

Instances are hostile: whatever they send costs a bounded time and space, and each is known by its
address, which it cannot forge.
"""

from gureum.services.room import NoServices, ServiceRoom
from gureum.services.services import Services

__all__ = ["NoServices", "ServiceRoom", "Services"]
