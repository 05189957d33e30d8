"""Subnet CIDR reservation: part of a subnet's addresses that AWS does not give out by itself.

What it keeps from being given out is in :mod:`gureum.resources.subnet`.

Sources: VPC User Guide, "Subnet CIDR reservations"; EC2 API Reference, CreateSubnetCidrReservation.
"""

from __future__ import annotations

from collections.abc import Iterator

from gureum.errors import invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import View
from gureum.model.cidr import DELEGATED, inside, ipv4_network, ipv6_network, is_ipv6
from gureum.resources.shapes import tag_list
from gureum.resources.subnet import CidrReservation, Subnet, reservations

MAX_LENGTH = {
    4: {"explicit": 32, "prefix": DELEGATED[4]},
    6: {"explicit": 128, "prefix": DELEGATED[6]},
}
"""The smallest block of each type, by IP version: what is given out as prefixes must hold one."""


def create_reservation(call: Call) -> Shape:
    """CreateSubnetCidrReservation: addresses in it that are in use stay so."""
    subnet = call.txn.get(Subnet, call.params["SubnetId"])
    text, kind = call.params["Cidr"], call.params["ReservationType"]
    network = ipv6_network(text, "cidr") if is_ipv6(text) else ipv4_network(text, "cidr")
    cidr, lengths = str(network), MAX_LENGTH[network.version]
    if kind not in lengths:
        raise invalid_value("reservationType", kind)
    if not any(inside(cidr, block) for block in subnet.cidrs):
        blocks = " and ".join(subnet.cidrs)
        raise invalid_value("cidr", cidr, f"It is not within the subnet {blocks}.")
    if network.prefixlen > lengths[kind]:
        least = f"A {kind} reservation is a /{lengths[kind]} or larger."
        raise invalid_value("cidr", cidr, least)
    for other in reservations(call.txn.view, subnet.id):
        if inside(cidr, other.cidr) or inside(other.cidr, cidr):
            raise invalid_value("cidr", cidr, f"It overlaps with {other.id}, {other.cidr}.")
    row = call.created(
        CidrReservation(
            **call.common(CidrReservation),
            subnet=subnet.id,
            cidr=cidr,
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


def by_version(shown: list[Shape]) -> Shape:
    """Reservations as they are answered: those of each IP version by themselves."""
    return {
        f"SubnetIpv{version}CidrReservations": [
            each for each in shown if is_ipv6(each["Cidr"]) == (version == 6)
        ]
        for version in (4, 6)
    }


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
            summary=by_version,
        ),
    ),
)
