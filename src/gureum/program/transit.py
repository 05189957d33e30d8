"""Routers between routers: transit gateways, and what leads to them and between them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transit:
    """A router between routers: a transit gateway.  It has tables of its own, whose ``router`` is
    its id."""

    id: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A link between a router and a transit; without ``ipv6`` it carries none of that.

    ``feet`` are where it stands in the router, in the order of their zones: each a zone and the
    link-layer address that the transit has there.  What leaves the transit comes out in the zone in
    which it came in, else in the first (AWS: Availability Zone affinity); with ``appliance`` in the
    one in which the first packet of its flow came in, so that both directions meet (AWS: appliance
    mode).
    """

    id: str
    transit: str
    router: str
    feet: tuple[tuple[str, str], ...]
    ipv6: bool = False
    appliance: bool = False


@dataclass(frozen=True, slots=True)
class TransitPeering:
    """A link between two transits, in the order of their ids, which carries what the tables of
    either lead there.  What comes by it into a transit is routed by its :class:`AttachmentTable`
    there, and has no zone."""

    id: str
    transits: tuple[str, str]


@dataclass(frozen=True, slots=True)
class ViaTransit:
    """From a router to a transit, by an attachment."""

    transit: str
    attachment: str


@dataclass(frozen=True, slots=True)
class ViaAttachment:
    """From a transit to a router, by its attachment."""

    attachment: str
    router: str


@dataclass(frozen=True, slots=True)
class ViaTransitPeering:
    """From a transit to another one, ``transit``, by a peering."""

    peering: str
    transit: str
