"""Fixes of filters: one more rule in a security group, one more entry in a network ACL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gureum.explain.causes import interface_at
from gureum.explain.codes import Code
from gureum.explain.commands import Fix, alone, aws
from gureum.explain.packet import ICMP, ICMPV6, TCP, UDP, Packet, ephemeral, protocol_name
from gureum.explain.steps import Step
from gureum.model import View
from gureum.model.cidr import is_ipv6
from gureum.resources.network_acl import NUMBERS, NetworkAcl
from gureum.resources.network_interface import NetworkInterface

CLIENT_PORTS = (1024, 65535)
"""The client ports that AWS advises to open in ACLs (VPC User Guide, "Ephemeral ports")."""


def group(view: View, step: Step) -> Iterator[Fix]:
    """A rule for one port and one peer: the peer's group where it is known, else its address."""
    eni = view.find(NetworkInterface, step.place)
    if eni is None:
        return
    way = "ingress" if step.direction == "in" else "egress"
    ip = step.packet.source if step.direction == "in" else step.packet.target
    peer = interface_at(view, eni.vpc, ip)
    group = eni.groups[0]
    asked = _permission(step.packet)
    if peer is not None and step.code is not Code.SG_REFERENCES_NOT_PRESERVED:
        foreign = {"UserId": peer.account} if peer.account != eni.account else {}
        asked["UserIdGroupPairs"] = [{"GroupId": peer.groups[0], **foreign}]
        whom = f"members of {peer.groups[0]}{f', as {eni.account}' if foreign else ''}"
    else:
        member, key = ("Ipv6Ranges", "CidrIpv6") if is_ipv6(ip) else ("IpRanges", "CidrIp")
        asked[member] = [{key: alone(ip)}]
        whom = ip
    words = ("--group-id", group, "--ip-permissions", json.dumps([asked]))
    service = _service(step.packet)
    said = f"let {service} {'in from' if way == 'ingress' else 'out to'} {whom}"
    yield Fix(said, (aws(eni, f"authorize-security-group-{way}", *words),))


def _service(packet: Packet) -> str:
    name = protocol_name(packet.protocol)
    return name if packet.target_port is None else f"{name} {packet.target_port}"


def _permission(packet: Packet) -> dict[str, Any]:
    if packet.protocol in (TCP, UDP):
        first = last = packet.target_port
        name = protocol_name(packet.protocol)
    elif packet.protocol in (ICMP, ICMPV6) and packet.icmp is not None:
        (first, last), name = packet.icmp, protocol_name(packet.protocol)
    else:
        return {"IpProtocol": str(packet.protocol)}
    return {"IpProtocol": name, "FromPort": first, "ToPort": last}


def acl(view: View, step: Step) -> Iterator[Fix]:
    """An entry before the one that denies."""
    key, _, denying = step.by[0].partition("/")
    row = view.find(NetworkAcl, key)
    if row is None:
        return
    egress = step.direction == "out"
    taken = {entry.number for entry in row.entries if entry.egress == egress}
    number = _free_number(taken, None if denying == "*" else int(denying))
    if number is None:
        return
    packet = step.packet
    peer = packet.target if egress else packet.source
    what, words = _acl_service(packet)
    place = ("--network-acl-id", row.id, "--egress" if egress else "--ingress")
    block = "--ipv6-cidr-block" if is_ipv6(peer) else "--cidr-block"
    rank = ("--rule-number", str(number), "--rule-action", "allow", block, alone(peer))
    said = f"let {what} {'out to' if egress else 'in from'} {peer}, before rule {denying}"
    yield Fix(said, (aws(row, "create-network-acl-entry", *place, *rank, *words),))


def _acl_service(packet: Packet) -> tuple[str, tuple[str, ...]]:
    """Protocol and port of an entry, in words and as options."""
    protocol = ("--protocol", str(packet.protocol))
    name = protocol_name(packet.protocol)
    if packet.target_port is not None:
        # Where it is a client's port, the next client has another.
        client = packet.target_port >= ephemeral.start
        low, high = CLIENT_PORTS if client else (packet.target_port,) * 2
        said = f"{name} {low}" if low == high else f"{name} {low}-{high}"
        return said, (*protocol, "--port-range", f"From={low},To={high}")
    if packet.icmp is not None:
        kind, code = packet.icmp
        return name, (*protocol, "--icmp-type-code", f"Code={code},Type={kind}")
    return name, protocol


def _free_number(taken: set[int], before: int | None) -> int | None:
    """A rule number that is asked before another; a round one at the end if there is none."""
    if before is not None:
        return next((number for number in range(before - 1, 0, -1) if number not in taken), None)
    last = max(taken, default=0)
    return next((number for number in NUMBERS if number > last and number % 100 == 0), None)
