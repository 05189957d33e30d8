"""Reads VPC endpoints and EC2 Instance Connect Endpoints."""

from __future__ import annotations

import re

from gureum.imports.answers import Item
from gureum.imports.reading import Left, Reading
from gureum.resources.connect_endpoint import ConnectEndpoint
from gureum.resources.endpoint_service import GATEWAY, INTERFACE, asked_service
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.subnet import Subnet
from gureum.resources.vpc_endpoint import Placed, VpcEndpoint, of_service
from gureum.resources.vpc_endpoint_api import FULL_ACCESS


def endpoint(reading: Reading, item: Item) -> None:
    """A gateway or interface endpoint; the routes to it are those of route tables."""
    key, kind = item["VpcEndpointId"], item.get("VpcEndpointType", GATEWAY)
    if kind not in (GATEWAY, INTERFACE):
        raise Left(f"endpoints of type {kind} are not built")
    if item["State"].lower() not in ("pending", "available"):
        raise Left(f"it is {item['State']}")
    service = asked_service(reading.call, item["ServiceName"], kind)
    policy, options = item.get("PolicyDocument"), item.get("DnsOptions", {})
    reading.put(
        VpcEndpoint(
            **reading.common(VpcEndpoint, item, key, "CreationTimestamp"),
            vpc=item["VpcId"],
            type=kind,
            **of_service(service),
            label=_label(key, item),
            state=item["State"].lower(),
            policy=None if policy == FULL_ACCESS[kind] else policy,
            placed=tuple(_placed(reading, each) for each in item.get("NetworkInterfaceIds", ())),
            groups=tuple(each["GroupId"] for each in item.get("Groups", ())),
            private_dns=item.get("PrivateDnsEnabled", False),
            inbound=options.get("PrivateDnsOnlyForInboundResolverEndpoint", False),
        )
    )


def _label(key: str, item: Item) -> str:
    """What the endpoint's names have beside its id."""
    for entry in item.get("DnsEntries", ()):
        found = re.search(rf"{key}-([a-z0-9]+)\.", entry.get("DnsName", ""))
        if found:
            return found.group(1)
    return key[-8:]


def _placed(reading: Reading, interface: str) -> Placed:
    eni = reading.call.txn.get(NetworkInterface, interface)
    return Placed(subnet=eni.subnet, interface=eni.id)


def connect_endpoint(reading: Reading, item: Item) -> None:
    """An EC2 Instance Connect Endpoint with its interface."""
    key, state = item["InstanceConnectEndpointId"], item["State"]
    if state not in ("create-in-progress", "create-complete"):
        raise Left(f"it is {state}")
    subnet = reading.call.txn.get(Subnet, item["SubnetId"])
    interfaces = item.get("NetworkInterfaceIds", ())
    for interface in interfaces:
        reading.call.txn.get(NetworkInterface, interface)
    reading.put(
        ConnectEndpoint(
            **reading.common(ConnectEndpoint, item, key, "CreatedAt"),
            vpc=subnet.vpc,
            subnet=subnet.id,
            zone=subnet.zone,
            interface=next(iter(interfaces), None),
            groups=tuple(item.get("SecurityGroupIds", ())),
            preserve_ip=item.get("PreserveClientIp", False),
            state=state,
        )
    )
