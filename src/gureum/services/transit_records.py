"""Flows through a transit gateway as lines of a flow log, field by field.

Source: Amazon VPC Transit Gateways, "Transit Gateway Flow Logs" ("Transit Gateway Flow Log
records").
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gureum.engines.flows import Flow
from gureum.model import View
from gureum.resources.flow_log import FlowLog
from gureum.resources.flow_log_format import TRANSIT_FIELDS, fields_of, version_of
from gureum.resources.region import zone_id
from gureum.resources.subnet import Subnet
from gureum.resources.transit_gateway import (
    Foot,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
    Way,
    attached_cidrs,
    attachments_of,
    ways,
)
from gureum.services.flow_records import NOTHING, Status

_Header = tuple[str, str, int, int, int]


@dataclass(frozen=True)
class Crossing:
    """What one record is about: an attachment, a time in seconds since 1970, and the flows of one
    header in one direction, if there were any: what passed, and what the gateway lost.  ``pair`` is
    the attachment at the other end, where there is one.  ``view`` is the revision of the time."""

    view: View
    attachment: TransitGatewayAttachment
    begin: float
    end: float
    status: Status = "OK"
    flows: tuple[Flow, ...] = ()
    pair: TransitGatewayAttachment | None = None

    @property
    def source(self) -> TransitGatewayAttachment | None:
        """The attachment by which the packets came in."""
        return self.attachment if self.flows[0].inward else self.pair

    @property
    def target(self) -> TransitGatewayAttachment | None:
        """The attachment by which they left."""
        return self.pair if self.flows[0].inward else self.attachment


def crossings(
    view: View, attachment: TransitGatewayAttachment, mine: Collection[Flow], all_: Iterable[Flow]
) -> Iterator[Crossing]:
    """The records about flows of an attachment; ``all_`` are those of the whole gateway."""
    grouped: dict[tuple[_Header, bool], list[Flow]] = {}
    for flow in mine:
        grouped.setdefault((_header(flow), flow.inward), []).append(flow)
    ends = {(_header(flow), flow.inward): flow.interface for flow in all_ if flow.accepted}
    for (header, inward), flows in grouped.items():
        key = ends.get((header, not inward))
        passed = any(flow.accepted for flow in flows)
        yield Crossing(
            view,
            attachment,
            min(flow.begin for flow in flows),
            max(flow.end for flow in flows),
            flows=tuple(flows),
            pair=_pair(view, attachment, flows[0], key) if passed else None,
        )


def line(log: FlowLog, crossing: Crossing) -> str:
    """A record in the format of a flow log."""
    fields = fields_of(log.log_format, TRANSIT_FIELDS)
    version = str(version_of(fields, TRANSIT_FIELDS))
    return " ".join(version if name == "version" else value_of(name, crossing) for name in fields)


def value_of(name: str, crossing: Crossing) -> str:
    """The value of a field but ``version``."""
    if name in _OF_ATTACHMENT:
        return _OF_ATTACHMENT[name](crossing)
    if not crossing.flows or name not in _OF_FLOWS:
        return NOTHING
    return _OF_FLOWS[name](crossing) or NOTHING


def _header(flow: Flow) -> _Header:
    return flow.source, flow.target, flow.protocol, flow.sport, flow.dport


# --- the other end ------------------------------------------------------------------------------
def _pair(
    view: View, attachment: TransitGatewayAttachment, flow: Flow, key: str | None
) -> TransitGatewayAttachment | None:
    """The attachment at the other end: the one where the same header was counted (``key``), else
    the one that the table leads to, or whose blocks have the source."""
    if key is None and flow.inward:
        way = _way(view, attachment, flow.target)
        key = way.attachment if way else None
    if key is not None:
        return view.find(TransitGatewayAttachment, key)
    others = attachments_of(view, attachment.gateway)
    return next((each for each in others if _holds(attached_cidrs(view, each), flow.source)), None)


def _way(view: View, attachment: TransitGatewayAttachment, ip: str) -> Way | None:
    """The route that the attachment's table has for an address."""
    link = attachment.association
    table = view.find(TransitGatewayRouteTable, link.table) if link else None
    all_ = ways(view, table).values() if table else ()
    found = [way for way in all_ if _holds([way.destination], ip)]
    return max(found, key=lambda way: ipaddress.ip_network(way.destination).prefixlen, default=None)


def _holds(cidrs: Iterable[str], ip: str) -> bool:
    address = ipaddress.ip_address(ip)
    return any(address in ipaddress.ip_network(cidr) for cidr in cidrs)


def _foot(crossing: Crossing, side: TransitGatewayAttachment | None, ip: str) -> Foot | None:
    """Where packets of an address pass between a VPC and the gateway: in the zone of its subnet,
    or where that has no foot, in any."""
    if side is None or not side.feet:
        return None
    subnets = crossing.view.referrers(side.vpc, Subnet)
    zones = {each.zone for each in subnets if _holds(each.cidrs, ip)}
    return next((foot for foot in side.feet if foot.zone in zones), side.feet[0])


def _source_foot(crossing: Crossing) -> Foot | None:
    return _foot(crossing, crossing.source, crossing.flows[0].source)


def _target_foot(crossing: Crossing) -> Foot | None:
    """The gateway keeps packets in the zone that they came from, where both ends have a foot in it
    (VPC Transit Gateways, "Availability Zones")."""
    source, target = _source_foot(crossing), crossing.target
    if target is None or not target.feet:
        return None
    same = (foot for foot in target.feet if source is not None and foot.zone == source.zone)
    return next(same, target.feet[0])


# --- fields -------------------------------------------------------------------------------------
_OF_ATTACHMENT: Mapping[str, Callable[[Crossing], str]] = {
    "resource-type": lambda _: "TransitGateway",
    "account-id": lambda it: it.attachment.account,
    "tgw-id": lambda it: it.attachment.gateway,
    "tgw-attachment-id": lambda it: it.attachment.id,
    "start": lambda it: str(int(it.begin)),
    "end": lambda it: str(int(it.end)),
    "log-status": lambda it: it.status,
    "region": lambda it: it.attachment.region,
}


def _passed(crossing: Crossing) -> Iterator[Flow]:
    return (flow for flow in crossing.flows if flow.accepted)


def _lost(crossing: Crossing, reason: str) -> str:
    """What was lost for a reason: by what the table says of the target now."""
    way = _way(crossing.view, crossing.attachment, crossing.flows[0].target)
    nowhere = way is not None and (way.attachment is None or not way.active)
    lost = (flow for flow in crossing.flows if not flow.accepted)
    reasons = (
        ("ttl" if flow.expired else "blackhole" if nowhere else "no-route", flow.packets)
        for flow in lost
    )
    return str(sum(packets for why, packets in reasons if why == reason))


def _flags(crossing: Crossing) -> str:
    flags = 0
    for flow in crossing.flows:
        flags |= flow.tcp_flags
    return str(flags)


def _of_foot(
    find: Callable[[Crossing], Foot | None], show: Callable[[Foot], str]
) -> Callable[[Crossing], str]:
    def value(crossing: Crossing) -> str:
        foot = find(crossing)
        return show(foot) if foot else NOTHING

    return value


_OF_FLOWS: Mapping[str, Callable[[Crossing], str]] = {
    "tgw-src-vpc-account-id": lambda it: it.source.account if it.source else "",
    "tgw-dst-vpc-account-id": lambda it: it.target.account if it.target else "",
    "tgw-src-vpc-id": lambda it: it.source.vpc if it.source else "",
    "tgw-dst-vpc-id": lambda it: it.target.vpc if it.target else "",
    "tgw-src-subnet-id": _of_foot(_source_foot, lambda foot: foot.subnet),
    "tgw-dst-subnet-id": _of_foot(_target_foot, lambda foot: foot.subnet),
    "tgw-src-eni": _of_foot(_source_foot, lambda foot: foot.interface),
    "tgw-dst-eni": _of_foot(_target_foot, lambda foot: foot.interface),
    "tgw-src-az-id": _of_foot(_source_foot, lambda foot: zone_id(foot.zone)),
    "tgw-dst-az-id": _of_foot(_target_foot, lambda foot: zone_id(foot.zone)),
    "tgw-pair-attachment-id": lambda it: it.pair.id if it.pair else "",
    "srcaddr": lambda it: it.flows[0].source,
    "dstaddr": lambda it: it.flows[0].target,
    "srcport": lambda it: str(it.flows[0].sport),
    "dstport": lambda it: str(it.flows[0].dport),
    "protocol": lambda it: str(it.flows[0].protocol),
    "packets": lambda it: str(sum(flow.packets for flow in _passed(it))),
    "bytes": lambda it: str(sum(flow.octets for flow in _passed(it))),
    "type": lambda it: "IPv6" if ":" in it.flows[0].source else "IPv4",
    "packets-lost-no-route": lambda it: _lost(it, "no-route"),
    "packets-lost-blackhole": lambda it: _lost(it, "blackhole"),
    "packets-lost-mtu-exceeded": lambda _: "0",
    "packets-lost-ttl-expired": lambda it: _lost(it, "ttl"),
    "tcp-flags": _flags,
    "flow-direction": lambda it: "ingress" if it.flows[0].inward else "egress",
}
