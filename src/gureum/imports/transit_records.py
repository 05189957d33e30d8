"""Reads what transit gateways have that is a record here: multicast domains, policy tables and
metering policies, each with parts that are asked for by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from gureum.imports.answers import Item
from gureum.imports.reading import Left, Reading, moment
from gureum.model import Resource
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.subnet import Subnet
from gureum.resources.transit_gateway import ENABLED, TransitGatewayAttachment
from gureum.resources.transit_gateway_metering import MeteringPolicy, MeteringRule
from gureum.resources.transit_gateway_multicast import Joined, MulticastDomain, Station
from gureum.resources.transit_gateway_policy import PolicyEntry, PolicyLink, PolicyTable
from gureum.resources.transit_gateway_rule import checked_block, checked_ports

_FIELDS = frozenset(
    {
        *("SourceTransitGatewayAttachmentId", "SourceTransitGatewayAttachmentType"),
        *("SourceCidrBlock", "SourcePortRange", "DestinationTransitGatewayAttachmentId"),
        *("DestinationTransitGatewayAttachmentType", "DestinationCidrBlock"),
        *("DestinationPortRange", "Protocol"),
    }
)
"""What a line of a metering policy is about."""


def _parts(reading: Reading, what: str, key: str, call: str) -> list[Item]:
    """The parts of one resource; it is told where nobody asked for them."""
    found = reading.answers.parts.get((what, key))
    if found is None:
        why = f"save 'aws ec2 {call} … {key}' as a file with {key} in its name"
        reading.report.leave(what, key, why)
    return found or []


def _state(item: Item) -> Any:
    if item["State"] not in ("pending", "available"):
        raise Left(f"it is {item['State']}")
    return item["State"]


def _one(reading: Reading, cls: type[Resource], key: str) -> str:
    if reading.find(cls, key) is None:
        raise Left(f"the {cls.noun} {key} of it is not here")
    return key


# --- multicast ----------------------------------------------------------------------------------
def multicast_domain(reading: Reading, item: Item) -> None:
    """A multicast domain with its subnets and stations."""
    key, options = item["TransitGatewayMulticastDomainId"], item.get("Options", {})
    subnets = tuple(_joined(reading, key))
    reading.put(
        MulticastDomain(
            **reading.common(MulticastDomain, item, key, "CreationTime"),
            gateway=item["TransitGatewayId"],
            enabled=tuple(sorted(name for name, value in options.items() if value == ENABLED)),
            state=_state(item),
            subnets=subnets,
            stations=tuple(_stations(reading, key, {each.subnet for each in subnets})),
        )
    )


def _joined(reading: Reading, key: str) -> Iterator[Joined]:
    call = "get-transit-gateway-multicast-domain-associations"
    for part in _parts(reading, "MulticastDomainAssociations", key, call):
        subnet, state = part["Subnet"]["SubnetId"], part["Subnet"]["State"]
        if state in ("associating", "associated"):
            yield Joined(
                subnet=_one(reading, Subnet, subnet),
                attachment=_one(
                    reading, TransitGatewayAttachment, part["TransitGatewayAttachmentId"]
                ),
                state=state,
            )


def _stations(reading: Reading, key: str, subnets: set[str]) -> Iterator[Station]:
    call = "search-transit-gateway-multicast-groups"
    for part in _parts(reading, "MulticastGroups", key, call):
        eni = reading.find(NetworkInterface, part.get("NetworkInterfaceId"))
        if eni is None or eni.subnet not in subnets:
            reading.report.leave("MulticastGroups", key, "its station is not here")
            continue
        group = str(ip_address(part["GroupIpAddress"]))
        if part.get("GroupMember"):
            yield Station(group=group, interface=eni.id, role="member")
        if part.get("GroupSource"):
            yield Station(group=group, interface=eni.id, role="source")


# --- policy tables ------------------------------------------------------------------------------
def policy_table(reading: Reading, item: Item) -> None:
    """A policy table with its entries and the attachments that it is associated with."""
    key = item["TransitGatewayPolicyTableId"]
    call = "get-transit-gateway-policy-table"
    links = _parts(reading, "Associations", key, f"{call}-associations")
    entries = _parts(reading, "TransitGatewayPolicyTableEntries", key, f"{call}-entries")
    reading.put(
        PolicyTable(
            **reading.common(PolicyTable, item, key, "CreationTime"),
            gateway=item["TransitGatewayId"],
            state=_state(item),
            links=tuple(
                PolicyLink(
                    attachment=_one(
                        reading, TransitGatewayAttachment, part["TransitGatewayAttachmentId"]
                    ),
                    state=part["State"],
                )
                for part in links
                if part["State"] in ("associating", "associated")
            ),
            entries=tuple(_entry(part) for part in entries),
        )
    )


def _entry(part: Item) -> PolicyEntry:
    rule = part.get("PolicyRule", {})
    data = rule.get("MetaData", {})
    return PolicyEntry(
        number=int(part["PolicyRuleNumber"]),
        target=part.get("TargetRouteTableId", ""),
        source=checked_block("SourceCidrBlock", rule, "SourceCidrBlock"),
        source_ports=checked_ports(rule, "SourcePortRange"),
        destination=checked_block("DestinationCidrBlock", rule, "DestinationCidrBlock"),
        destination_ports=checked_ports(rule, "DestinationPortRange"),
        protocol=rule.get("Protocol", ""),
        key=data.get("MetaDataKey", ""),
        value=data.get("MetaDataValue", ""),
    )


# --- metering policies --------------------------------------------------------------------------
def metering_policy(reading: Reading, item: Item) -> None:
    """A metering policy with its lines."""
    key = item["TransitGatewayMeteringPolicyId"]
    call = "get-transit-gateway-metering-policy-entries"
    parts = _parts(reading, "TransitGatewayMeteringPolicyEntries", key, call)
    if any(True for _ in reading.call.txn.referrers(item["TransitGatewayId"], MeteringPolicy)):
        raise Left(f"{item['TransitGatewayId']} has another one")
    reading.put(
        MeteringPolicy(
            **reading.common(MeteringPolicy, item, key),
            gateway=item["TransitGatewayId"],
            middleboxes=tuple(
                _one(reading, TransitGatewayAttachment, each)
                for each in item.get("MiddleboxAttachmentIds", ())
            ),
            state=_state(item),
            changed=moment(item["UpdateEffectiveAt"]),
            rules=tuple(
                MeteringRule(
                    number=int(part["PolicyRuleNumber"]),
                    about=tuple(
                        (name, value)
                        for name, value in part.get("MeteringPolicyRule", {}).items()
                        if name in _FIELDS
                    ),
                    account=part["MeteredAccount"],
                    changed=moment(part["UpdatedAt"]),
                )
                for part in parts
            ),
        )
    )
