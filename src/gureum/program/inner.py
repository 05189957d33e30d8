"""The network inside a host: what an instance that runs containers has in its own namespace.

It belongs to the instance, whose owner may disturb it as on any machine of one's own; nothing
outside depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InnerSegment:
    """A broadcast domain inside a host, called ``name`` there (``docker0``).  The host has the
    address ``gateway`` in it and, unless it is ``closed``, passes its packets on under an address
    of its own.  Containers of two segments do not reach each other."""

    id: str
    host: str
    name: str
    cidr: str
    gateway: str
    closed: bool = False


@dataclass(frozen=True, slots=True)
class InnerHost:
    """A network stack of its own inside a host: a container's."""

    id: str
    host: str
    name: str


@dataclass(frozen=True, slots=True)
class InnerPort:
    """It joins a container to a segment of the same host as ``eth<index>``; ``gateway`` says
    whether the container's default route leads through it."""

    segment: InnerSegment
    owner: str
    index: int
    ip: str
    mac: str
    gateway: bool


@dataclass(frozen=True, slots=True)
class Published:
    """What reaches the host at ``port`` goes to a container instead: to ``to_port`` of ``ip`` on a
    segment.  ``address`` is the host's address where that is meant, or empty for all that it has;
    ``protocol`` is an IP protocol number."""

    segment: InnerSegment
    owner: str
    address: str
    protocol: int
    port: int
    ip: str
    to_port: int
