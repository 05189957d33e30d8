"""VPC endpoint: a way from a VPC to a service, by routes or by network interfaces.

The row and its interfaces are here; the API's own actions are in
:mod:`gureum.resources.vpc_endpoint_api`.

Sources: AWS PrivateLink Guide, "Gateway endpoints" and "Access an AWS service using an interface
VPC endpoint"; EC2 API Reference, CreateVpcEndpoint.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gureum.errors import ApiError
from gureum.kind import Call, Shape
from gureum.model import Reader, Resource, Txn, ref
from gureum.resources import network_interface
from gureum.resources.endpoint_service import INTERFACE, Service
from gureum.resources.interface_addresses import Asked
from gureum.resources.network_interface import AMAZON, Attachment, NetworkInterface
from gureum.resources.subnet import Subnet

IN_SERVICE = frozenset({"pending", "available"})
"""States in which an endpoint's routes are active."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A network interface of an endpoint, and the subnet that it is in."""

    subnet: str = ref()
    interface: str = ref()


@dataclass(frozen=True, kw_only=True)
class VpcEndpoint(
    Resource,
    kind="vpc-endpoint",
    prefix="vpce",
    not_found="InvalidVpcEndpointId.NotFound",
    malformed="InvalidVpcEndpointId.Malformed",
    noun="Vpc Endpoint",
    missing="The Vpc Endpoint Id '{id}' does not exist",
):
    """An endpoint.  The route tables of a gateway endpoint are those with routes to it.

    ``service`` is the service's name, ``configuration`` the id of one that somebody made here,
    ``domain`` the end of the endpoint's names, which have ``label`` in them, ``names`` the
    service's own names.  ``inbound`` says that private names are for inbound resolver endpoints
    only.  ``policy`` None is the default, which allows all.  ``payer`` is who pays for it where
    that was said.
    """

    vpc: str = ref()
    type: str
    service: str
    service_owner: str
    configuration: str | None = ref("weak", default=None)
    domain: str
    names: tuple[str, ...] = ()
    label: str
    state: str = "pending"
    policy: str | None = None
    placed: tuple[Placed, ...] = ()
    groups: tuple[str, ...] = ref(default=())
    private_dns: bool = False
    inbound: bool = False
    payer: str | None = None


def of_service(service: Service) -> dict[str, Any]:
    """The fields of an endpoint that say what it leads to."""
    return {
        "service": service.name,
        "service_owner": service.owner,
        "configuration": service.configuration,
        "domain": service.domain,
        "names": service.names if service.verification == "verified" else (),
    }


# --- network interfaces -------------------------------------------------------------------------
def place(
    call: Call, row: VpcEndpoint, subnets: Sequence[str], addresses: Mapping[str, str]
) -> VpcEndpoint:
    """The endpoint with an interface more in each of some subnets; ``addresses`` are those that
    somebody asks for, by subnet.

    Raises:
        ApiError: ``InvalidSubnetID.NotFound``, ``InvalidParameter`` (of another VPC),
            ``DuplicateSubnetsInSameZone``, the codes of :func:`network_interface.create`.
    """
    known = {each.subnet for each in row.placed}
    taken = {call.txn.get(Subnet, key).zone for key in known}
    for key in dict.fromkeys(subnets):
        if key in known:
            continue
        subnet = call.txn.get(Subnet, key)
        if subnet.vpc != row.vpc:
            raise ApiError("InvalidParameter", f"Subnet {key} does not belong to VPC {row.vpc}.")
        if subnet.zone in taken:
            raise ApiError(
                "DuplicateSubnetsInSameZone",
                f"Found another VPC endpoint subnet in the availability zone of {key}. VPC endpoint"
                " subnets should be in different availability zones supported by the VPC endpoint "
                "service.",
            )
        taken.add(subnet.zone)
        item = Placed(subnet=key, interface=_interface(call, row, subnet, addresses.get(key)))
        row = replace(row, placed=(*row.placed, item))
    return row


def _interface(call: Call, row: VpcEndpoint, subnet: Subnet, ip: str | None) -> str:
    eni = network_interface.create(
        call,
        subnet,
        groups=row.groups,
        description=f"VPC Endpoint Interface {row.id}",
        asked=Asked(ips=(ip,), ips6=()),
        interface_type="vpc_endpoint",
        requester_managed=True,
        tags=(),
    )
    attachment = Attachment(
        id=call.new_id("ela-attach"), owner=AMAZON, device_index=1, attach_time=call.now
    )
    return call.txn.put(replace(eni, attachment=attachment)).id


def displace(txn: Txn, row: VpcEndpoint, subnets: Sequence[str]) -> VpcEndpoint:
    """The endpoint without its interfaces in some subnets."""
    gone = [each for each in row.placed if each.subnet in subnets]
    row = txn.put(replace(row, placed=tuple(each for each in row.placed if each not in gone)))
    for each in gone:
        eni = txn.get(NetworkInterface, each.interface)
        network_interface.delete(txn, network_interface.detach(txn, eni))
    return row


def regroup(call: Call, row: VpcEndpoint, groups: tuple[str, ...]) -> VpcEndpoint:
    """The endpoint with other security groups, on all of its interfaces."""
    for each in row.placed:
        eni = call.txn.get(NetworkInterface, each.interface)
        call.txn.put(replace(eni, groups=groups))
    return call.txn.put(replace(row, groups=groups))


def endpoint_of(reader: Reader, eni: NetworkInterface) -> VpcEndpoint | None:
    """The endpoint that an interface is of."""
    return next(reader.referrers(eni.id, VpcEndpoint), None)


# --- names --------------------------------------------------------------------------------------
def names_of(reader: Reader, row: VpcEndpoint) -> Iterator[Shape]:
    """The API's ``DnsEntry`` structures of an interface endpoint: its regional name, those of its
    zones, and the service's own with private DNS."""
    if row.type != INTERFACE:
        return
    wild = "*." if row.service.endswith(".s3") else ""
    shared = _hosted_zone(row.domain)
    yield _entry(f"{wild}{row.id}-{row.label}.{row.domain}", shared)
    for each in row.placed:
        subnet = reader.find(Subnet, each.subnet)
        if subnet is not None:
            yield _entry(f"{wild}{row.id}-{row.label}-{subnet.zone}.{row.domain}", shared)
    for name in row.names if row.private_dns else ():
        yield _entry(name, _hosted_zone(f"{row.id}/{name}"))


def _entry(name: str, zone: str) -> Shape:
    return {"DnsName": name, "HostedZoneId": zone}


def _hosted_zone(of: str) -> str:
    """An id as Route 53 gives them, the same in every answer."""
    digest = hashlib.sha256(of.encode()).digest()
    return f"Z{b32encode(digest).decode()[:20]}"
