"""NAT gateway: a machine of AWS's own on a port of a subnet that hides others behind its address.

Sources: VPC User Guide, "NAT gateways" and "Troubleshoot NAT gateways" (failed ones); EC2 API
Reference, CreateNatGateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from gureum.errors import ApiError, invalid_combination
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Reader, Resource, Txn, View, ref
from gureum.model.timestamps import age
from gureum.program import Host, Port, Translator
from gureum.resources import network_interface
from gureum.resources.elastic_ip import ElasticIp, associate
from gureum.resources.interface_addresses import Asked, counted
from gureum.resources.network_interface import AMAZON, Attachment, NetworkInterface
from gureum.resources.network_interface_address import give_address
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.subnet import Subnet

MAX_PER_ZONE = 5
"""NAT gateways per Availability Zone; pending, active and deleting ones count (VPC quotas)."""

KEPT = timedelta(hours=1)
"""How long deleted and failed NAT gateways stay visible."""

MAX_ADDRESSES = {"public": 2, "private": 8}
"""Addresses of a gateway by its connectivity, the primary one among them (VPC quotas)."""

_ALIVE = frozenset({"pending", "available", "deleting"})


@dataclass(frozen=True, kw_only=True)
class SecondaryAddress:
    """A further private address of a gateway, with its Elastic IP if the gateway is public."""

    ip: str
    allocation: str | None = None
    association: str | None = None
    public_ip: str | None = None


@dataclass(frozen=True, kw_only=True)
class NatGateway(
    Resource,
    kind="natgateway",
    prefix="nat",
    not_found="NatGatewayNotFound",
    malformed="NatGatewayMalformed",
    noun="natGateway",
    missing="NAT gateway {id} was not found",
):
    """A NAT gateway; it holds its subnet by its interface, and remembers both when they are gone.

    ``ip`` is the private and ``public_ip`` the public address.  ``ended`` is the time at which it
    was deleted or failed.
    """

    vpc: str = ref("weak")
    subnet: str = ref("weak")
    zone: str
    connectivity: str
    state: str
    interface: str | None = ref("weak", default=None)
    allocation: str | None = ref("weak", default=None)
    association: str | None = None
    ip: str | None = None
    public_ip: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    ended: str | None = None
    secondary: tuple[SecondaryAddress, ...] = ()


def create_nat_gateway(call: Call) -> Shape:
    """CreateNatGateway: public (with an Elastic IP) unless private is asked for.

    What AWS finds out only while it makes the gateway (no internet gateway, an Elastic IP in use)
    leaves a failed NAT gateway rather than an error, as there.
    """
    unsupported(call, "AvailabilityZoneAddresses")
    if call.get("AvailabilityMode", "zonal") != "zonal":
        unsupported(call, "AvailabilityMode")
    if not call.get("SubnetId"):
        raise _missing("SubnetId")
    subnet = call.txn.get(Subnet, call.params["SubnetId"])
    connectivity = call.get("ConnectivityType", "public")
    address = _address(call, connectivity)
    private, allocations = _asked_secondary(call, connectivity)
    _check_quota(call, subnet)
    row = NatGateway(
        **call.common(NatGateway),
        vpc=subnet.vpc,
        subnet=subnet.id,
        zone=subnet.zone,
        connectivity=connectivity,
        state="pending",
        allocation=address.id if address else None,
    )
    row = call.created(_equipped(call, row, subnet, address, private, allocations))
    return {"NatGateway": show(row, call.txn.view), "ClientToken": call.get("ClientToken", "")}


def _missing(parameter: str) -> ApiError:
    return ApiError(
        "MissingParameter",
        f"The request must include the {parameter} parameter. "
        "Add the required parameter and retry the request.",
    )


def _address(call: Call, connectivity: str) -> ElasticIp | None:
    """The Elastic IP of a public gateway."""
    key = call.get("AllocationId")
    if connectivity == "private":
        if key:
            raise ApiError(
                "InvalidParameterCombination",
                "AllocationId cannot be given for a NAT gateway with private connectivity.",
            )
        return None
    if not key:
        raise _missing("AllocationId")
    return call.txn.get(ElasticIp, key)


def _asked_secondary(call: Call, connectivity: str) -> tuple[Sequence[str | None], list[str]]:
    """The further private addresses (None for any free one) and Elastic IPs that are asked for."""
    allocations = call.get("SecondaryAllocationIds", [])
    named = call.get("SecondaryPrivateIpAddresses", [])
    count = call.get("SecondaryPrivateIpAddressCount", 0)
    if connectivity == "private":
        if allocations:
            raise invalid_combination(
                "SecondaryAllocationIds cannot be given for a NAT gateway with private "
                "connectivity."
            )
        return asked_private(named, count), []
    if count or (named and len(named) != len(allocations)):
        raise invalid_combination(
            "A public NAT gateway has as many secondary private IP addresses as secondary "
            "allocation IDs."
        )
    return named or [None] * len(allocations), list(allocations)


def asked_private(named: Sequence[str], count: int) -> Sequence[str | None]:
    """Private addresses that are named, or None for each of those that are only counted.

    Raises:
        ApiError: ``InvalidParameterCombination``.
    """
    if named and count:
        raise invalid_combination("Private IP addresses and their number cannot both be given.")
    return list(named) or counted(count)


def add_addresses(
    call: Call,
    row: NatGateway,
    eni: NetworkInterface,
    private: Sequence[str | None],
    allocations: Sequence[str],
) -> NatGateway:
    """The gateway with further addresses, those of a public one each with an Elastic IP.

    Raises:
        ApiError: the codes of :func:`gureum.resources.subnet.lease` and of
            :func:`gureum.resources.elastic_ip.associate`, ``AddressLimitExceeded``.
    """
    _check_addresses(row, len(eni.ips) + len(private))
    before = len(eni.ips)
    for ip in private:
        eni = give_address(call, eni, ip)
    return _mapped(call, row, eni, eni.ips[before:], allocations)


def _check_addresses(row: NatGateway, count: int) -> None:
    most = MAX_ADDRESSES[row.connectivity]
    if count > most:
        raise ApiError(
            "AddressLimitExceeded",
            f"Performing this operation would exceed the limit of {most} addresses of a "
            f"{row.connectivity} NAT gateway",
        )


def _mapped(
    call: Call,
    row: NatGateway,
    eni: NetworkInterface,
    ips: Sequence[str],
    allocations: Sequence[str],
) -> NatGateway:
    """The gateway with further addresses that its interface has, each with its Elastic IP."""
    added = []
    for index, ip in enumerate(ips):
        item = SecondaryAddress(ip=ip)
        if allocations:
            address = call.txn.get(ElasticIp, allocations[index])
            mapped = associate(call, address, eni, item.ip, reassociate=False)
            item = replace(item, allocation=address.id, association=mapped.id, public_ip=mapped.ip)
        added.append(item)
    return replace(row, secondary=(*row.secondary, *added))


def _check_quota(call: Call, subnet: Subnet) -> None:
    rows = call.txn.all(NatGateway)
    if sum(1 for row in rows if row.zone == subnet.zone and row.state in _ALIVE) >= MAX_PER_ZONE:
        raise ApiError(
            "NatGatewayLimitExceeded",
            f"Performing this operation would exceed the limit of {MAX_PER_ZONE} NAT gateways",
        )


def _equipped(
    call: Call,
    row: NatGateway,
    subnet: Subnet,
    address: ElasticIp | None,
    private: Sequence[str | None],
    allocations: Sequence[str],
) -> NatGateway:
    """The gateway with its interface and addresses, or failed where AWS's would fail."""
    _check_addresses(row, 1 + len(private))
    eni = network_interface.create(
        call,
        subnet,
        groups=(),
        description=f"Interface for NAT Gateway {row.id}",
        asked=Asked(ips=(call.get("PrivateIpAddress") or None, *private), ips6=()),
        interface_type="nat_gateway",
        requester_managed=True,
        tags=(),
    )
    try:
        mapped = associate(call, address, eni, eni.ipv4, reassociate=False) if address else None
    except ApiError as error:
        network_interface.delete(call, eni)
        return replace(
            row,
            state="failed",
            failure_code=error.code,
            failure_message=_reason(error, subnet, row),
            ended=call.now,
        )
    attachment = Attachment(
        id=call.new_id("ela-attach"),
        owner=AMAZON,
        device_index=1,
        attach_time=call.now,
    )
    eni = call.txn.put(replace(eni, attachment=attachment, host=row.id))
    row = replace(
        row,
        interface=eni.id,
        ip=eni.ip,
        association=mapped.id if mapped else None,
        public_ip=mapped.ip if mapped else None,
    )
    return _mapped(call, row, eni, eni.ips[1:], allocations)


def _reason(error: ApiError, subnet: Subnet, row: NatGateway) -> str:
    """The failure in the words that AWS documents for NAT gateways."""
    if error.code == "Gateway.NotAttached":
        return f"Network {subnet.vpc} has no Internet gateway attached"
    return f"Elastic IP address [{row.allocation}] is already associated"


def delete_nat_gateway(call: Call) -> Shape:
    """DeleteNatGateway: it stops at once; its addresses are free when it is gone."""
    row = call.txn.get(NatGateway, call.params["NatGatewayId"])
    if row.state in ("pending", "available"):
        eni = call.txn.find(NetworkInterface, row.interface)
        if eni:
            network_interface.plug(call, eni, None)
        call.txn.put(replace(row, state="deleting", ended=call.now))
    elif row.state == "failed":
        call.txn.put(replace(row, state="deleted"))
    return {"NatGatewayId": row.id}


def settled(txn: Txn, row: NatGateway, now: str) -> None:
    """The network has the gateway's latest state: pending is available, deleting is deleted."""
    if row.state == "pending":
        txn.put(replace(row, state="available"))
    elif row.state == "deleting":
        eni = txn.find(NetworkInterface, row.interface)
        if eni:
            network_interface.delete(txn, network_interface.detach(txn, eni))
        txn.put(replace(row, state="deleted", ended=now))


def expired(txn: Txn, row: NatGateway, now: str) -> None:
    """Forget a gateway that was deleted or failed an hour ago."""
    if row.state not in _ALIVE and row.ended and age(row.ended, now) >= KEPT:
        txn.delete(row)


def show(row: NatGateway, view: View) -> Shape:
    """The API's ``NatGateway`` structure."""
    shape: Shape = {
        "NatGatewayId": row.id,
        "VpcId": row.vpc,
        "SubnetId": row.subnet,
        "State": row.state,
        "ConnectivityType": row.connectivity,
        "AvailabilityMode": "zonal",
        "CreateTime": row.created,
        "NatGatewayAddresses": [
            _show_address(row),
            *(show_secondary(row, each) for each in row.secondary),
        ],
        "Tags": tag_list(row),
    }
    extra = {
        "DeleteTime": row.ended if row.state != "failed" else None,
        "FailureCode": row.failure_code,
        "FailureMessage": row.failure_message,
    }
    return shape | {name: value for name, value in extra.items() if value is not None}


def _show_address(row: NatGateway) -> Shape:
    values = {
        "AllocationId": row.allocation,
        "AssociationId": row.association,
        "NetworkInterfaceId": row.interface,
        "PrivateIp": row.ip,
        "PublicIp": row.public_ip,
    }
    shape: Shape = {name: value for name, value in values.items() if value is not None}
    return shape | {
        "IsPrimary": True,
        "Status": "failed" if row.failure_code else "succeeded",
    }


def show_secondary(row: NatGateway, address: SecondaryAddress) -> Shape:
    """The API's ``NatGatewayAddress`` structure, of a further address."""
    values = {
        "AllocationId": address.allocation,
        "AssociationId": address.association,
        "NetworkInterfaceId": row.interface,
        "PrivateIp": address.ip,
        "PublicIp": address.public_ip,
    }
    shape: Shape = {name: value for name, value in values.items() if value is not None}
    return shape | {"IsPrimary": False, "Status": "succeeded"}


def port_of_gateway(reader: Reader, row: NatGateway) -> Port | None:
    """The port of a gateway that is up."""
    eni = reader.find(NetworkInterface, row.interface)
    return network_interface.port_of(reader, eni) if eni else None


def lower(row: NatGateway, lowering: Lowering) -> None:
    """A host that translates; its port is said by its interface."""
    eni = lowering.view.find(NetworkInterface, row.interface)
    port = port_of_gateway(lowering.view, row)
    if eni is None or eni.ip is None or port is None:
        return
    lowering.say(Host(id=row.id, kind="nat-gateway", router=row.vpc, name=row.id))
    lowering.say(Translator(port=port, ip=eni.ip, others=eni.ips[1:]))


KIND = Kind(
    row=NatGateway,
    actions={"CreateNatGateway": create_nat_gateway, "DeleteNatGateway": delete_nat_gateway},
    listings=(
        Listing(
            action="DescribeNatGateways",
            result="NatGateways",
            show=show,
            ids="NatGatewayIds",
        ),
    ),
    lower=lower,
    settled=settled,
    expired=expired,
)
