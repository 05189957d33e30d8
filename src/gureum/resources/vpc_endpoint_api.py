"""The API's actions on VPC endpoints.

Sources: EC2 API Reference, CreateVpcEndpoint, ModifyVpcEndpoint, DeleteVpcEndpoints; AWS
PrivateLink Guide, "Gateway endpoints", "Private DNS names" and "Endpoint policies".
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Reader, Txn, View
from gureum.resources.endpoint_service import AMAZON, GATEWAY, INTERFACE, Service, asked_service
from gureum.resources.network_interface import checked_groups
from gureum.resources.prefix_list import PrefixList
from gureum.resources.route_table import RouteTable, over_quota
from gureum.resources.route_target import StaticRoute
from gureum.resources.security_group import show_identifiers
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.vpc import Vpc
from gureum.resources.vpc_endpoint import (
    VpcEndpoint,
    displace,
    names_of,
    of_service,
    place,
    regroup,
)

MAX_GATEWAY = 20
"""Gateway endpoints per region (AWS PrivateLink quotas)."""

MAX_INTERFACE = 50
"""Interface endpoints per VPC (AWS PrivateLink quotas)."""

FULL_ACCESS = {
    GATEWAY: '{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
    '"Action":"*","Resource":"*"}]}',
    INTERFACE: json.dumps(
        {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]},
        indent=2,
    ),
}
"""The default policy, as AWS shows it."""

_ONLY = {
    "RouteTableIds": (GATEWAY, "Route table IDs"),
    "AddRouteTableIds": (GATEWAY, "Route table IDs"),
    "RemoveRouteTableIds": (GATEWAY, "Route table IDs"),
    "SubnetIds": (INTERFACE, "Subnet IDs"),
    "AddSubnetIds": (INTERFACE, "Subnet IDs"),
    "RemoveSubnetIds": (INTERFACE, "Subnet IDs"),
    "SubnetConfigurations": (INTERFACE, "Subnet configurations"),
    "SecurityGroupIds": (INTERFACE, "Security group IDs"),
    "AddSecurityGroupIds": (INTERFACE, "Security group IDs"),
    "RemoveSecurityGroupIds": (INTERFACE, "Security group IDs"),
    "PrivateDnsEnabled": (INTERFACE, "Private DNS names"),
}
"""Parameters that one type of endpoint has."""


# --- creation -----------------------------------------------------------------------------------
def create(call: Call) -> Shape:
    """CreateVpcEndpoint: a gateway endpoint, unless another type is asked for."""
    unsupported(call, "ServiceNetworkArn", "ResourceConfigurationArn")
    kind = call.get("VpcEndpointType", GATEWAY)
    if kind not in (GATEWAY, INTERFACE):
        raise ApiError(
            "UnsupportedOperation", f"Endpoints of type {kind} are not available in this cloud yet."
        )
    if not call.get("ServiceName"):
        raise missing_parameter("ServiceName")
    if call.get("ServiceRegion", call.region) != call.region:
        unsupported(call, "ServiceRegion")
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    service = asked_service(call, call.params["ServiceName"], kind)
    _check_type(call, kind)
    _check_quota(call, vpc, kind)
    row = VpcEndpoint(
        **call.common(VpcEndpoint),
        vpc=vpc.id,
        type=kind,
        **of_service(service),
        label=secrets.token_hex(4),
        state="pendingAcceptance" if service.acceptance else "pending",
        policy=_asked_policy(call, service.policy),
    )
    if kind == GATEWAY:
        call.created(row)
        _join(call, row, call.get("RouteTableIds", ()))
    else:
        row = _equipped(call, row, vpc, service)
    return {
        "VpcEndpoint": show(row, call.txn.view),
        **({"ClientToken": call.get("ClientToken")} if call.get("ClientToken") else {}),
    }


def _check_type(call: Call, kind: str) -> None:
    """Raises:
    ApiError: ``InvalidParameter`` for what the other type of endpoint has;
        ``UnsupportedOperation`` for IPv6.
    """
    for name, (only, what) in _ONLY.items():
        if call.get(name) and kind != only:
            raise ApiError(
                "InvalidParameter", f"{what} are only supported for {only} type VPC Endpoint."
            )
    record = call.get("DnsOptions", {}).get("DnsRecordIpType", "ipv4")
    if call.get("IpAddressType", "ipv4") != "ipv4" or record not in ("ipv4", "service-defined"):
        raise ApiError("UnsupportedOperation", "Endpoints here have IPv4 addresses only.")


def _check_quota(call: Call, vpc: Vpc, kind: str) -> None:
    if kind == GATEWAY:
        rows, most = call.txn.all(VpcEndpoint), MAX_GATEWAY
    else:
        rows, most = call.txn.referrers(vpc.id, VpcEndpoint), MAX_INTERFACE
    if sum(1 for row in rows if row.type == kind) >= most:
        raise ApiError(
            "VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached."
        )


def _asked_policy(call: Call, supported: bool) -> str | None:
    """The policy that a call gives, as it is written.

    Raises:
        ApiError: ``InvalidPolicyDocument``, ``InvalidParameter`` (the service knows none).
    """
    text = call.get("PolicyDocument")
    if not text:
        return None
    if not supported:
        raise ApiError("InvalidParameter", "The service does not support endpoint policies.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not document.get("Statement"):
        raise ApiError(
            "InvalidPolicyDocument", "The specified policy document is not a valid JSON policy."
        )
    return str(text)


def _equipped(call: Call, row: VpcEndpoint, vpc: Vpc, service: Service) -> VpcEndpoint:
    """An interface endpoint with names, groups and interfaces."""
    asked = call.get("SecurityGroupIds")
    groups = checked_groups(call, asked or None, vpc.id, f"VPC {vpc.id}")
    # A service with gateway endpoints, too, has those used from within the VPC by default.
    usual = service.owner == AMAZON and not _has_gateway(service.name)
    row = replace(row, groups=groups)
    row = _with_private_dns(call, row, call.get("PrivateDnsEnabled", usual))
    call.created(row)
    addresses = _addresses(call)
    wanted = [*call.get("SubnetIds", ()), *addresses]
    return call.txn.put(place(call, row, wanted, addresses))


def _addresses(call: Call) -> dict[str, str]:
    """The addresses that SubnetConfigurations ask for, by subnet."""
    items = call.get("SubnetConfigurations", ())
    if any(item.get("Ipv6") for item in items):
        raise ApiError("UnsupportedOperation", "Endpoints here have IPv4 addresses only.")
    return {
        item["SubnetId"]: item["Ipv4"]
        for item in items
        if item.get("SubnetId") and item.get("Ipv4")
    }


def _has_gateway(service: str) -> bool:
    return service.rpartition(".")[2] in ("s3", "dynamodb")


# --- private names ------------------------------------------------------------------------------
def _with_private_dns(call: Call, row: VpcEndpoint, wanted: bool) -> VpcEndpoint:
    """The endpoint with the service's own names in its VPC, or without them.

    Raises:
        ApiError: ``InvalidParameter``: the service has none, the VPC resolves none, another
            endpoint has them, or a gateway endpoint is missing.
    """
    if not wanted:
        return replace(row, private_dns=False, inbound=False)
    if not row.names:
        raise _invalid(
            f"Private DNS can't be enabled because the service {row.service} does not provide a "
            "private DNS name."
        )
    vpc = call.txn.get(Vpc, row.vpc)
    if not (vpc.dns_support and vpc.dns_hostnames):
        raise _invalid(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC "
            f"attributes set to true for {vpc.id}"
        )
    for other in call.txn.referrers(vpc.id, VpcEndpoint):
        if other.id != row.id and other.private_dns and set(other.names) & set(row.names):
            raise _invalid(
                "private-dns-enabled cannot be set because there is already a conflicting DNS "
                f"domain for {row.names[0]} in the VPC {vpc.id}"
            )
    options = call.get("DnsOptions", {})
    inbound = options.get("PrivateDnsOnlyForInboundResolverEndpoint", row.service.endswith(".s3"))
    if inbound and not any(_gateways(call, row)):
        raise _invalid(
            f"To set PrivateDnsOnlyForInboundResolverEndpoint to true, the VPC {vpc.id} must have "
            "a Gateway endpoint for the service."
        )
    return replace(row, private_dns=True, inbound=inbound)


def _gateways(call: Call, row: VpcEndpoint) -> Iterator[VpcEndpoint]:
    """The gateway endpoints to the same service in the same VPC."""
    for other in call.txn.referrers(row.vpc, VpcEndpoint):
        if other.type == GATEWAY and other.service == row.service and other.state != "deleting":
            yield other


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameter", message)


# --- route tables -------------------------------------------------------------------------------
def _join(call: Call, row: VpcEndpoint, tables: Sequence[str]) -> None:
    """Routes to the service's prefix list, by the endpoint, in each of some tables.

    Raises:
        ApiError: ``InvalidRouteTableID.NotFound``, ``InvalidParameter`` (of another VPC),
            ``RouteAlreadyExists``, ``RouteLimitExceeded``.
    """
    listed = next(each for each in call.txn.all(PrefixList) if _is_of(each, row))
    for key in dict.fromkeys(tables):
        table = call.txn.get(RouteTable, key)
        if table.vpc != row.vpc:
            raise _invalid(f"Route table {key} does not belong to VPC {row.vpc}.")
        old = table.route(listed.id)
        if old is not None and old.target == row.id:
            continue
        if old is not None:
            raise ApiError(
                "RouteAlreadyExists",
                f"route table {key} already has a route with destination-prefix-list-id "
                f"{listed.id}",
            )
        route = StaticRoute(destination=listed.id, target=row.id, prefix_list=listed.id)
        table = call.txn.put(replace(table, routes=(*table.routes, route)))
        if over_quota(call.txn.view, table):
            raise ApiError("RouteLimitExceeded", "The maximum number of routes has been reached.")


def _is_of(listed: PrefixList, row: VpcEndpoint) -> bool:
    return listed.managed_by_aws and listed.name == row.service


def _part(call: Call, row: VpcEndpoint, tables: Sequence[str] | None = None) -> None:
    """Take the endpoint's routes out of some tables, or out of all."""
    for table in tables_of(call.txn.view, row):
        if tables is None or table.id in tables:
            kept = tuple(route for route in table.routes if route.target != row.id)
            call.txn.put(replace(table, routes=kept))


def tables_of(reader: Reader, row: VpcEndpoint) -> list[RouteTable]:
    """The route tables with a route to the endpoint, oldest first."""
    return sorted(reader.referrers(row.id, RouteTable), key=lambda each: (each.created, each.id))


# --- changes ------------------------------------------------------------------------------------
def modify(call: Call) -> Shape:
    """ModifyVpcEndpoint: policy, route tables, subnets, groups, private DNS."""
    row = _there(call, call.params["VpcEndpointId"])
    _check_type(call, row.type)
    for name in ("RemoveRouteTableIds", "AddRouteTableIds"):
        for key in call.get(name, ()):
            call.txn.get(RouteTable, key)
    if call.get("ResetPolicy"):
        row = replace(row, policy=None)
    elif call.get("PolicyDocument"):
        row = replace(row, policy=_asked_policy(call, row.service_owner == AMAZON))
    call.txn.put(row)
    if row.type == GATEWAY:
        _part(call, row, call.get("RemoveRouteTableIds", ()))
        _join(call, row, call.get("AddRouteTableIds", ()))
    else:
        _modify_interfaces(call, row)
    return {"Return": True}


def _modify_interfaces(call: Call, row: VpcEndpoint) -> None:
    removed = call.get("RemoveSecurityGroupIds", ())
    kept = [key for key in row.groups if key not in removed]
    groups = [*kept, *call.get("AddSecurityGroupIds", ())]
    if not groups:
        raise _invalid("At least one security group must be associated with the VPC endpoint.")
    groups_now = checked_groups(call, groups, row.vpc, f"VPC endpoint {row.id}")
    if groups_now != row.groups:
        row = regroup(call, row, groups_now)
    addresses = _addresses(call)  # another address is another interface
    row = displace(call.txn, row, [*call.get("RemoveSubnetIds", ()), *addresses])
    row = place(call, row, [*call.get("AddSubnetIds", ()), *addresses], addresses)
    wanted = call.get("PrivateDnsEnabled", row.private_dns)
    if wanted != row.private_dns or call.get("DnsOptions"):
        row = _with_private_dns(call, row, wanted)
    call.txn.put(row)


def _there(call: Call, key: str) -> VpcEndpoint:
    """The endpoint, unless it is on its way out.

    Raises:
        ApiError: ``InvalidVpcEndpointId.NotFound``, ``IncorrectState``.
    """
    row = call.txn.get(VpcEndpoint, key)
    if row.state in ("deleting", "rejected", "failed"):
        raise ApiError("IncorrectState", f"The Vpc Endpoint '{row.id}' is {row.state}.")
    return row


def delete(call: Call) -> Shape:
    """DeleteVpcEndpoints: each on its own; those that fail are told in the answer."""
    failed: list[Shape] = []
    for key in dict.fromkeys(call.params["VpcEndpointIds"]):
        row = call.txn.find(VpcEndpoint, key)
        if row is None:
            said = VpcEndpoint.missing.format(id=key)
            error = {"Code": "InvalidVpcEndpoint.NotFound", "Message": said}
            failed.append({"ResourceId": key, "Error": error})
            continue
        _part(call, row)
        call.txn.put(replace(row, state="deleting", private_dns=False))
    return {"Unsuccessful": failed}


def settled(txn: Txn, row: VpcEndpoint, now: str) -> None:
    """The network has the endpoint, or has it no more."""
    if row.state == "pending":
        txn.put(replace(row, state="available"))
    elif row.state == "deleting":
        row = displace(txn, row, [each.subnet for each in row.placed])
        txn.delete(row)


# --- answers ------------------------------------------------------------------------------------
def show(row: VpcEndpoint, view: View) -> Shape:
    """The API's ``VpcEndpoint`` structure."""
    record = "service-defined" if row.type == GATEWAY else "ipv4"
    options: Shape = {"DnsRecordIpType": record}
    if row.private_dns:
        options["PrivateDnsOnlyForInboundResolverEndpoint"] = row.inbound
    shape: Shape = {
        "VpcEndpointId": row.id,
        "VpcEndpointType": row.type,
        "VpcId": row.vpc,
        "ServiceName": row.service,
        "ServiceRegion": row.region,
        "State": row.state,
        "RouteTableIds": [table.id for table in tables_of(view, row)],
        "SubnetIds": [each.subnet for each in row.placed],
        "Groups": show_identifiers(view, row.groups),
        "IpAddressType": "ipv4",
        "DnsOptions": options,
        "PrivateDnsEnabled": row.private_dns,
        "RequesterManaged": False,
        "NetworkInterfaceIds": [each.interface for each in row.placed],
        "DnsEntries": list(names_of(view, row)),
        "CreationTimestamp": row.created,
        "Tags": tag_list(row),
        "OwnerId": row.account,
    }
    if row.service_owner == AMAZON:
        shape["PolicyDocument"] = row.policy or FULL_ACCESS[row.type]
    if row.payer is not None:
        shape["PayerResponsibilities"] = _payers(row)
    return shape


@dataclass(frozen=True)
class _Association:
    """What a listing of associations would hold."""

    id: str
    created: str


def _associations(call: Call) -> Iterator[_Association]:
    """Associations are those of resources and service networks of VPC Lattice, of which there are
    none here; endpoints that are named must be there.

    Raises:
        ApiError: ``InvalidVpcEndpointId.NotFound``.
    """
    for key in call.get("VpcEndpointIds", ()):
        call.txn.get(VpcEndpoint, key)
    yield from ()


def _show_association(row: _Association, view: View) -> Shape:
    return {"Id": row.id}


CHARGES = "vpc-endpoint-charges"


def pay(call: Call) -> Shape:
    """ModifyVpcEndpointPayerResponsibility: kept; there are no charges here.

    Raises:
        ApiError: ``InvalidVpcEndpointId.NotFound``, ``InvalidParameterCombination`` (a resource
            gateway, which no endpoint here leads to), ``InvalidParameterValue`` (its service).
    """
    row = call.txn.get(VpcEndpoint, call.params["VpcEndpointId"])
    payer, scope = call.params["PayerResponsibility"], call.params["Scope"]
    if scope != CHARGES or payer == "resource-gateway-account":
        raise invalid_combination(
            f"The endpoint '{row.id}' of type {row.type} does not lead to a resource gateway."
        )
    service = call.get("ServiceId")
    if service is not None and service != row.configuration:
        raise invalid_value("serviceId", service, "The endpoint is not of that service.")
    row = call.txn.put(replace(row, payer=payer))
    return {"VpcEndpointId": row.id, "PayerResponsibilities": _payers(row)}


def _payers(row: VpcEndpoint) -> list[Shape]:
    return [{"Scope": CHARGES, "PayerResponsibilityType": row.payer}]


KIND = Kind(
    row=VpcEndpoint,
    actions={
        "CreateVpcEndpoint": create,
        "ModifyVpcEndpoint": modify,
        "ModifyVpcEndpointPayerResponsibility": pay,
        "DeleteVpcEndpoints": delete,
    },
    listings=(
        Listing(
            action="DescribeVpcEndpoints",
            result="VpcEndpoints",
            show=show,
            ids="VpcEndpointIds",
            paths={"vpc-endpoint-state": "State"},
        ),
        Listing(
            action="DescribeVpcEndpointAssociations",
            result="VpcEndpointAssociations",
            show=_show_association,
            rows=_associations,
            paths={
                "association-id": "Id",
                "associated-resource-id": "AssociatedResourceArn",
            },
        ),
    ),
    settled=settled,
)
