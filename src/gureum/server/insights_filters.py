"""The filters of Network Insights paths: what a packet has to be where it begins and arrives.

A filter at the source narrows what is sent, one at the destination what arrives, behind whatever
rewrites it on the way.  Where no packet is left AWS says at which end and by which field
(Reachability Analyzer guide, "Explanation codes").
"""

from __future__ import annotations

from collections.abc import Iterator

from gureum.explain import Answer, Packet
from gureum.explain.codes import Code
from gureum.explain.packet import nat_ports
from gureum.kind import Shape
from gureum.resources.network_insights import NetworkInsightsPath

Ports = tuple[int, int]


def source_ip(path: NetworkInsightsPath, *, begins_outside: bool) -> str | None:
    """The address that a path's packet is sent from, if the path says one."""
    given = path.source_ip or (path.at_source.source_ip if path.at_source else None)
    if given is None and begins_outside and path.at_target:
        return path.at_target.source_ip  # nothing rewrites it on the way in
    return given


def target_ip(path: NetworkInsightsPath) -> str | None:
    """The address that a path's packet is sent to, if the path says one."""
    given = path.target_ip or (path.at_source.target_ip if path.at_source else None)
    if given is None and path.target is None and path.at_target:
        return path.at_target.target_ip
    return given


def client(path: NetworkInsightsPath) -> int | None:
    """A port to send from."""
    found = _both(
        *(each.source_ports if each else None for each in (path.at_source, path.at_target))
    )
    return found[0] if found else None


def target_ports(path: NetworkInsightsPath) -> Ports:
    """The ports to send to."""
    if path.port is not None:
        return path.port, path.port
    ends = (path.at_source, path.at_target)
    return _both(*(each.target_ports if each else None for each in ends)) or (1, 65535)


def _both(sent: Ports | None, arrives: Ports | None) -> Ports | None:
    """What two ranges have in common; the one where the packet begins if that is nothing."""
    if sent is None or arrives is None:
        return sent or arrives
    low, high = max(sent[0], arrives[0]), min(sent[1], arrives[1])
    return (low, high) if low <= high else sent


def at_source(
    path: NetworkInsightsPath, own: frozenset[str], called: frozenset[str]
) -> list[Shape]:
    """Why nothing that begins is what the filter at the source wants: ``own`` are the addresses
    that the source may send from, ``called`` those by which the destination may be called; either
    is empty where any may."""
    filter_ = path.at_source
    if filter_ is None:
        return []
    found = []
    if filter_.source_ip and own and filter_.source_ip not in own:
        found.append(_told(Code.FILTER_AT_SOURCE_SOURCE_ADDRESS, "source-address"))
    if filter_.target_ip and called and filter_.target_ip not in called:
        found.append(_told(Code.FILTER_AT_SOURCE_DESTINATION_ADDRESS, "destination-address"))
    return found


def at_target(path: NetworkInsightsPath, answer: Answer) -> list[Shape]:
    """Why what arrives is not what the filter at the destination wants, and what a NAT gateway on
    the way has to do with it."""
    packet = answer.forth.packet
    if path.at_target is None or packet is None:
        return []
    hidden = any(step.code is Code.NGW_SOURCE_ADDRESS_REASSIGN for step in answer.forth.steps)
    return list(_unlike(path, packet, hidden=hidden))


def _unlike(path: NetworkInsightsPath, packet: Packet, *, hidden: bool) -> Iterator[Shape]:
    filter_ = path.at_target
    assert filter_ is not None
    drawn = (nat_ports.start, nat_ports.stop - 1)
    port = packet.source_port
    clients = drawn if hidden else (port, port) if port is not None else (1, 65535)
    if filter_.source_ip and filter_.source_ip != packet.source:
        yield _told(Code.FILTER_AT_DESTINATION_SOURCE_ADDRESS, "source-address")
        if hidden:
            yield _told(Code.NGW_SOURCE_ADDRESS_REASSIGN)
    if _apart(filter_.source_ports, clients):
        yield _told(Code.FILTER_AT_DESTINATION_SOURCE_PORT_RANGE, "source-port")
        if hidden:
            yield _told(Code.REMAP_EPHEMERAL_PORT)
    if filter_.target_ip and filter_.target_ip != packet.target:
        yield _told(Code.FILTER_AT_DESTINATION_DESTINATION_ADDRESS, "destination-address")
        if hidden:
            yield _told(Code.NGW_DEST_ADDRESS_PRESERVATION)
    asked = (packet.target_port, packet.target_port) if packet.target_port is not None else None
    if asked and _apart(filter_.target_ports, asked):
        yield _told(Code.FILTER_AT_DESTINATION_DESTINATION_PORT_RANGE, "destination-port")


def _apart(wanted: Ports | None, there: Ports) -> bool:
    return wanted is not None and (wanted[1] < there[0] or there[1] < wanted[0])


def _told(code: Code, field: str | None = None) -> Shape:
    shape: Shape = {"ExplanationCode": str(code)}
    return shape | {"PacketField": field} if field else shape
