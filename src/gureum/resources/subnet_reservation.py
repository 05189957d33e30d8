"""Subnet CIDR reservation: part of a subnet's addresses that AWS does not give out by itself.

What it keeps from being given out is in :mod:`gureum.resources.subnet`.

Sources: VPC User Guide, "Subnet CIDR reservations"; EC2 API Reference, CreateSubnetCidrReservation.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from gureum.errors import invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import View
from gureum.model.cidr import ipv4_network
from gureum.resources.shapes import tag_list
from gureum.resources.subnet import PREFIX_LENGTH, CidrReservation, Subnet, reservations

MAX_LENGTH = {"explicit": 32, "prefix": PREFIX_LENGTH}
"""The smallest block of each type: what is given out as prefixes must hold one."""


def create_reservation(call: Call) -> Shape:
    """CreateSubnetCidrReservation: addresses in it that are in use stay so."""
    subnet = call.txn.get(Subnet, call.params["SubnetId"])
    network, kind = ipv4_network(call.params["Cidr"], "cidr"), call.params["ReservationType"]
    if kind not in MAX_LENGTH:
        raise invalid_value("reservationType", kind)
    if not network.subnet_of(IPv4Network(subnet.cidr)):
        raise invalid_value("cidr", str(network), f"It is not within the subnet {subnet.cidr}.")
    if network.prefixlen > MAX_LENGTH[kind]:
        least = f"A {kind} reservation is a /{MAX_LENGTH[kind]} or larger."
        raise invalid_value("cidr", str(network), least)
    for other in reservations(call.txn.view, subnet.id):
        if network.overlaps(IPv4Network(other.cidr)):
            raise invalid_value("cidr", str(network), f"It overlaps with {other.id}, {other.cidr}.")
    row = call.created(
        CidrReservation(
            **call.common(CidrReservation),
            subnet=subnet.id,
            cidr=str(network),
            type=kind,
            description=call.get("Description"),
        )
    )
    return {"SubnetCidrReservation": show(row, call.txn.view)}


def delete_reservation(call: Call) -> Shape:
    """DeleteSubnetCidrReservation: addresses in it that are in use stay so."""
    row = call.txn.get(CidrReservation, call.params["SubnetCidrReservationId"])
    call.txn.delete(row)
    return {"DeletedSubnetCidrReservation": show(row, call.txn.view)}


def show(row: CidrReservation, view: View) -> Shape:
    """The API's ``SubnetCidrReservation`` structure."""
    shape: Shape = {
        "SubnetCidrReservationId": row.id,
        "SubnetId": row.subnet,
        "Cidr": row.cidr,
        "ReservationType": row.type,
        "OwnerId": row.account,
        "Tags": tag_list(row),
    }
    return shape | ({"Description": row.description} if row.description else {})


def _listed(call: Call) -> Iterator[CidrReservation]:
    subnet = call.txn.get(Subnet, call.params["SubnetId"])
    return iter(reservations(call.txn.view, subnet.id))


KIND = Kind(
    row=CidrReservation,
    actions={
        "CreateSubnetCidrReservation": create_reservation,
        "DeleteSubnetCidrReservation": delete_reservation,
    },
    listings=(
        Listing(
            action="GetSubnetCidrReservations",
            result="SubnetIpv4CidrReservations",
            show=show,
            rows=_listed,
            beside=lambda call: {"SubnetIpv6CidrReservations": []},
        ),
    ),
)
