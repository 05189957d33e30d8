"""A flow as a line of a flow log, field by field.

Source: VPC User Guide, "Flow log records".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from gureum.engines.flows import Flow
from gureum.model import View
from gureum.model.cidr import delegated_block
from gureum.resources.flow_log import FlowLog
from gureum.resources.flow_log_format import FIELDS, TRANSIT_FIELDS, fields_of, version_of
from gureum.resources.instance import Instance
from gureum.resources.instance_types import nitro
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.region import zone_id
from gureum.resources.vpc import Vpc
from gureum.resources.vpc_peering import VpcPeeringConnection

Status = Literal["OK", "NODATA", "SKIPDATA"]
NOTHING = "-"
"""What stands for a field that does not apply."""


@dataclass(frozen=True)
class Entry:
    """What one record is about: an interface, a time in seconds since 1970, and a flow, if there
    was one.  ``view`` is the revision in which it flowed."""

    view: View
    interface: NetworkInterface
    begin: float
    end: float
    status: Status = "OK"
    flow: Flow | None = None

    @property
    def flows(self) -> tuple[Flow, ...]:
        """The flow, if there was one."""
        return () if self.flow is None else (self.flow,)


def wanted(log: FlowLog, entry: Entry) -> bool:
    """Whether a flow log takes an entry: by the verdict; that there was nothing, or not all could
    be counted, is told in each."""
    if entry.flow is None or log.traffic == "ALL":
        return True
    return entry.flow.accepted == (log.traffic == "ACCEPT")


def line(log: FlowLog, entry: Entry) -> str:
    """An entry in the format of a flow log."""
    fields = fields_of(log.log_format)
    return " ".join(
        str(version_of(fields)) if name == "version" else value_of(name, entry) for name in fields
    )


def header(log: FlowLog) -> str:
    """The names of the fields, as the first line of an object in a bucket has them."""
    return " ".join(fields_of(log.log_format, TRANSIT_FIELDS if log.of_transit else FIELDS))


def value_of(name: str, entry: Entry) -> str:
    """The value of a field but ``version``."""
    if name in _OF_INTERFACE:
        return _OF_INTERFACE[name](entry)
    if entry.flow is None or name not in _OF_FLOW:
        return NOTHING
    return _OF_FLOW[name](entry, entry.flow)


# --- of interfaces ------------------------------------------------------------------------------
def _instance(entry: Entry) -> str:
    attachment = entry.interface.attachment
    return (attachment.instance if attachment else None) or NOTHING


_OF_INTERFACE: Mapping[str, Callable[[Entry], str]] = {
    "account-id": lambda entry: entry.interface.account,
    "interface-id": lambda entry: entry.interface.id,
    "start": lambda entry: str(int(entry.begin)),
    "end": lambda entry: str(int(entry.end)),
    "log-status": lambda entry: entry.status,
    "vpc-id": lambda entry: entry.interface.vpc,
    "subnet-id": lambda entry: entry.interface.subnet,
    "instance-id": _instance,
    "region": lambda entry: entry.interface.region,
    "az-id": lambda entry: zone_id(entry.interface.zone),
}


# --- of flows -----------------------------------------------------------------------------------
def own_address(interface: NetworkInterface, ip: str) -> str:
    """The interface's address where a packet has ``ip`` on the interface's side: that one if it has
    it, else (it forwards for others) its primary one."""
    if ip in interface.own or delegated_block(ip) in interface.own:
        return ip
    return next(iter(interface.ips6 if ":" in ip else interface.ips), ip)


def _source(entry: Entry, flow: Flow) -> str:
    return flow.source if flow.inward else own_address(entry.interface, flow.source)


def _target(entry: Entry, flow: Flow) -> str:
    return own_address(entry.interface, flow.target) if flow.inward else flow.target


def _path(entry: Entry, flow: Flow) -> str:
    """``traffic-path``: 1 through another resource of the VPC, 2 or (of Nitro instances) 8 through
    an internet gateway, 4 over a peering within the region and 5 to another."""
    match flow.way:
        case "local":
            return "1"
        case "gateway":
            instance = entry.view.find(Instance, _instance(entry))
            return "8" if instance is not None and nitro(instance.type) else "2"
        case "peering":
            return "5" if _leaves_region(entry, flow.target) else "4"
    return NOTHING


def _leaves_region(entry: Entry, ip: str) -> bool:
    vpc = entry.interface.vpc
    for peering in entry.view.all(VpcPeeringConnection):
        if vpc not in (side.vpc for side in peering.sides):
            continue
        cidrs = peering.beyond(entry.view, vpc)
        if any(ipaddress.ip_address(ip) in ipaddress.ip_network(cidr) for cidr in cidrs):
            other = entry.view.find(Vpc, peering.other(vpc).vpc)
            return other is not None and other.region != entry.interface.region
    return False


_OF_FLOW: Mapping[str, Callable[[Entry, Flow], str]] = {
    "srcaddr": _source,
    "dstaddr": _target,
    "srcport": lambda _, flow: str(flow.sport),
    "dstport": lambda _, flow: str(flow.dport),
    "protocol": lambda _, flow: str(flow.protocol),
    "packets": lambda _, flow: str(flow.packets),
    "bytes": lambda _, flow: str(flow.octets),
    "action": lambda _, flow: "ACCEPT" if flow.accepted else "REJECT",
    "tcp-flags": lambda _, flow: str(flow.tcp_flags),
    "type": lambda _, flow: "IPv6" if ":" in flow.source else "IPv4",
    "pkt-srcaddr": lambda _, flow: flow.source,
    "pkt-dstaddr": lambda _, flow: flow.target,
    "flow-direction": lambda _, flow: "ingress" if flow.inward else "egress",
    "traffic-path": _path,
}

ALWAYS_NOTHING = frozenset(FIELDS) - _OF_FLOW.keys() - _OF_INTERFACE.keys() - {"version"}
"""Fields of what is not in this cloud: wavelength zones, AWS's own services, ECS, and the reasons
of account-wide blocks."""
