"""Reads what leads from network to network: peerings, VPN gateways, NAT gateways, route tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count

from gureum.imports.answers import Item
from gureum.imports.reading import Left, Reading, moment
from gureum.model.cidr import ipv4_network, ipv6_network, is_ipv6
from gureum.resources.customer_gateway import CustomerGateway
from gureum.resources.nat_gateway import NatGateway, SecondaryAddress
from gureum.resources.route_table import RouteTable, RouteTableAssociation
from gureum.resources.route_target import LOCAL, StaticRoute
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import Vpc, cidrs
from gureum.resources.vpc_peering import Side, VpcPeeringConnection
from gureum.resources.vpn_gateway import VpnGateway

_ENDS = frozenset({"deleted", "rejected", "expired", "failed"})
_BY = re.compile(r"Deleted by ([0-9]{12})")

_TARGETS = (
    "GatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "EgressOnlyInternetGatewayId",
    "CarrierGatewayId",
    "VpcPeeringConnectionId",
    "TransitGatewayId",
)
"""Members of a route that name its target, where that is built here."""


def peering(reading: Reading, item: Item) -> None:
    """A peering connection; both VPCs must be here, be it in another account or region."""
    status = item["Status"]["Code"]
    requester, accepter = (_side(item[f"{name}VpcInfo"]) for name in ("Requester", "Accepter"))
    for side in (requester, accepter):
        if reading.call.txn.view.find(Vpc, side.vpc) is None and status not in _ENDS:
            raise Left(f"its VPC {side.vpc} of account {side.account} is not here")
    common = reading.common(VpcPeeringConnection, item, item["VpcPeeringConnectionId"])
    by = _BY.search(item["Status"].get("Message", ""))
    reading.put(
        VpcPeeringConnection(
            **common | {"account": requester.account, "region": requester.region},
            requester=requester,
            accepter=accepter,
            state=status,
            ended=reading.call.now if status in _ENDS else None,
            by=by.group(1) if by else None,
        )
    )


def _side(info: Item) -> Side:
    options = info.get("PeeringOptions", {})
    return Side(
        vpc=info["VpcId"],
        account=info["OwnerId"],
        region=info["Region"],
        dns=options.get("AllowDnsResolutionFromRemoteVpc", False),
    )


def vpn_gateway(reading: Reading, item: Item) -> None:
    """A virtual private gateway and the VPC that it is attached to."""
    if item.get("State") in ("deleted", "deleting"):
        raise Left("it is deleted")
    vpcs = [p["VpcId"] for p in item.get("VpcAttachments", ()) if p.get("State") == "attached"]
    reading.put(
        VpnGateway(
            **reading.common(VpnGateway, item, item["VpnGatewayId"]),
            vpc=vpcs[0] if vpcs else None,
            asn=int(item.get("AmazonSideAsn", 64512)),
            zone=item.get("AvailabilityZone"),
        )
    )


def customer_gateway(reading: Reading, item: Item) -> None:
    """A customer gateway."""
    if item.get("State") in ("deleted", "deleting"):
        raise Left("it is deleted")
    reading.put(
        CustomerGateway(
            **reading.common(CustomerGateway, item, item["CustomerGatewayId"]),
            ip=item.get("IpAddress"),
            asn=int(item.get("BgpAsnExtended") or item.get("BgpAsn") or 65000),
            certificate=item.get("CertificateArn"),
            device=item.get("DeviceName"),
        )
    )


# --- NAT gateways -------------------------------------------------------------------------------
def nat_gateway(reading: Reading, item: Item) -> None:
    """A NAT gateway; its interface and Elastic IPs are items of their own."""
    parts = item.get("NatGatewayAddresses") or [{}]
    first = next((part for part in parts if part.get("IsPrimary", True)), parts[0])
    subnet = reading.find(Subnet, item["SubnetId"])
    if item.get("AvailabilityMode", "zonal") != "zonal":
        raise Left("regional NAT gateways are not built")
    reading.put(
        NatGateway(
            **reading.common(NatGateway, item, item["NatGatewayId"], "CreateTime"),
            vpc=item["VpcId"],
            subnet=item["SubnetId"],
            zone=subnet.zone if subnet else "",
            connectivity=item.get("ConnectivityType", "public"),
            state=item["State"],
            interface=first.get("NetworkInterfaceId"),
            allocation=first.get("AllocationId"),
            association=first.get("AssociationId"),
            ip=first.get("PrivateIp"),
            public_ip=first.get("PublicIp"),
            failure_code=item.get("FailureCode"),
            failure_message=item.get("FailureMessage"),
            ended=_ended(reading, item),
            secondary=tuple(
                SecondaryAddress(
                    ip=part["PrivateIp"],
                    allocation=part.get("AllocationId"),
                    association=part.get("AssociationId"),
                    public_ip=part.get("PublicIp"),
                )
                for part in parts
                if part is not first
            ),
        )
    )


def _ended(reading: Reading, item: Item) -> str | None:
    if item.get("DeleteTime"):
        return moment(item["DeleteTime"])
    return reading.call.now if item["State"] in ("failed", "deleted") else None


# --- route tables -------------------------------------------------------------------------------
def route_table(reading: Reading, item: Item) -> None:
    """A route table: who has it, and the routes that somebody made."""
    key, view = item["RouteTableId"], reading.call.txn.view
    taken = {row.number for row in view.referrers(item["VpcId"], RouteTable)}
    parts = item.get("Associations", ())
    main = [part["RouteTableAssociationId"] for part in parts if part.get("Main")]
    local = cidrs(view, item["VpcId"])
    gateways = [part["GatewayId"] for part in item.get("PropagatingVgws", ())]
    reading.put(
        RouteTable(
            **reading.common(RouteTable, item, key),
            vpc=item["VpcId"],
            number=next(number for number in count(1) if number not in taken),
            main=main[0] if main else None,
            routes=tuple(_routes(reading, key, item.get("Routes", ()), local)),
            propagating=tuple(gateways),
        )
    )
    for part in parts:
        if not part.get("Main"):
            with reading.one("Associations of RouteTables", part["RouteTableAssociationId"]):
                _associate(reading, key, part)


def _associate(reading: Reading, table: str, part: Item) -> None:
    if "SubnetId" not in part:
        raise Left("route tables of gateways are not built")
    common = reading.common(RouteTableAssociation, {}, part["RouteTableAssociationId"])
    reading.put(RouteTableAssociation(**common, table=table, subnet=part["SubnetId"]))


def _routes(
    reading: Reading, table: str, items: list[Item], local: tuple[str, ...]
) -> Iterator[StaticRoute]:
    for item in items:
        destination = _destination(item)
        if item.get("Origin") == "EnableVgwRoutePropagation":
            continue  # it follows from the gateway
        if item.get("GatewayId") == LOCAL:
            if destination not in local:
                reading.report.leave("Routes", table, f"{destination} is not of the VPC")
            continue
        target = next((item[name] for name in _TARGETS if item.get(name)), None)
        why = _unusable(reading, destination, target)
        if why or target is None:
            reading.report.leave("Routes", table, f"the route to {destination}: {why}")
            continue
        named = destination if destination.startswith("pl-") else None
        yield StaticRoute(destination=destination, target=target, prefix_list=named)


def _destination(item: Item) -> str:
    """A block in canonical form, or the id of a prefix list.

    Raises:
        ApiError: it is none.
    """
    if cidr := item.get("DestinationCidrBlock"):
        return str(ipv4_network(cidr))
    if cidr := item.get("DestinationIpv6CidrBlock"):
        return str(ipv6_network(cidr))
    return str(item["DestinationPrefixListId"])


def _unusable(reading: Reading, destination: str, target: str | None) -> str | None:
    if target is None:
        return "targets of this kind are not built"
    if destination.startswith("pl-") and destination not in reading.call.txn.view.rows:
        return "the prefix list is not here"
    if is_ipv6(destination) and target.startswith("nat-"):
        return "NAT gateways carry no IPv6 here"
    return None
