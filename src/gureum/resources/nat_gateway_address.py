"""Further addresses of NAT gateways: what is translated is shared out among all that one has.

Sources: VPC User Guide, "Edit secondary IP address associations"; EC2 API Reference,
AssociateNatGatewayAddress, AssignPrivateNatGatewayAddress.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Shape
from gureum.model import Resource
from gureum.resources.nat_gateway import (
    NatGateway,
    SecondaryAddress,
    add_addresses,
    asked_private,
    show_secondary,
)
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.network_interface_address import take_address
from gureum.resources.shapes import unsupported


def associate_address(call: Call) -> Shape:
    """AssociateNatGatewayAddress: Elastic IPs, each with a private address of a public gateway."""
    unsupported(call, "AvailabilityZone", "AvailabilityZoneId")
    row, eni = _asked(call, "public")
    allocations = call.params["AllocationIds"]
    private = call.get("PrivateIpAddresses", [])
    if private and len(private) != len(allocations):
        raise ApiError(
            "InvalidParameterCombination",
            "As many private IP addresses as allocation IDs must be given.",
        )
    return _added(call, row, eni, private or [None] * len(allocations), allocations, "associating")


def assign_private_address(call: Call) -> Shape:
    """AssignPrivateNatGatewayAddress: to a private gateway, given addresses or any free ones."""
    row, eni = _asked(call, "private")
    private = asked_private(
        call.get("PrivateIpAddresses", []), call.get("PrivateIpAddressCount", 0)
    )
    if not private:
        raise ApiError(
            "MissingParameter",
            "The request must contain the parameter privateIpAddresses or privateIpAddressCount",
        )
    return _added(call, row, eni, private, [], "assigning")


def _added(
    call: Call,
    row: NatGateway,
    eni: NetworkInterface,
    private: Sequence[str | None],
    allocations: Sequence[str],
    status: str,
) -> Shape:
    before = len(row.secondary)
    row = call.txn.put(add_addresses(call, row, eni, private, allocations))
    return _answer(row, row.secondary[before:], status)


def disassociate_address(call: Call) -> Shape:
    """DisassociateNatGatewayAddress: of secondary addresses; their connections end at once."""
    row, eni = _asked(call, "public")
    by_key = {each.association: each for each in row.secondary}
    gone = []
    for key in call.params["AssociationIds"]:
        if key == row.association:
            raise invalid_value("associationId", key, "The primary address stays.")
        if key not in by_key:
            raise ApiError(
                "InvalidAssociationID.NotFound", f"The association ID '{key}' does not exist"
            )
        gone.append(by_key[key])
    return _removed(call, row, eni, gone, "disassociating")


def unassign_private_address(call: Call) -> Shape:
    """UnassignPrivateNatGatewayAddress: of secondary addresses; their connections end at once."""
    row, eni = _asked(call, "private")
    by_ip = {each.ip: each for each in row.secondary}
    gone = []
    for ip in call.params["PrivateIpAddresses"]:
        if ip not in by_ip:
            what = "The primary address stays." if ip == row.ip else "It is not assigned."
            raise invalid_value("privateIpAddress", ip, what)
        gone.append(by_ip[ip])
    return _removed(call, row, eni, gone, "unassigning")


def _removed(
    call: Call,
    row: NatGateway,
    eni: NetworkInterface,
    gone: Sequence[SecondaryAddress],
    status: str,
) -> Shape:
    for each in gone:
        eni = take_address(call, eni, each.ip)
    rest = tuple(each for each in row.secondary if each not in gone)
    return _answer(call.txn.put(replace(row, secondary=rest)), gone, status)


def _asked(call: Call, connectivity: str) -> tuple[NatGateway, NetworkInterface]:
    """The gateway, which must work and be of the kind that the action is for.

    Raises:
        ApiError: ``NatGatewayNotFound``, ``InvalidParameterValue``, ``IncorrectState``.
    """
    row = call.txn.get(NatGateway, call.params["NatGatewayId"])
    if row.connectivity != connectivity:
        raise invalid_value("natGatewayId", row.id, f"A {connectivity} NAT gateway is needed.")
    eni = call.txn.find(NetworkInterface, row.interface)
    if row.state != "available" or eni is None:
        raise ApiError("IncorrectState", f"The NAT gateway {row.id} is {row.state}.")
    return row, eni


def _answer(row: NatGateway, addresses: Sequence[SecondaryAddress], status: str) -> Shape:
    shown = [show_secondary(row, each) | {"Status": status} for each in addresses]
    return {"NatGatewayId": row.id, "NatGatewayAddresses": shown}


KIND: Kind[Resource] = Kind(
    row=None,
    actions={
        "AssociateNatGatewayAddress": associate_address,
        "DisassociateNatGatewayAddress": disassociate_address,
        "AssignPrivateNatGatewayAddress": assign_private_address,
        "UnassignPrivateNatGatewayAddress": unassign_private_address,
    },
)
