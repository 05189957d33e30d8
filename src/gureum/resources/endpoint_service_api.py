"""The API's actions on endpoint services that accounts offer, and on connections to them.

No load balancer is here: a service is a record, and so are the connections to it.

Sources: AWS PrivateLink Guide, "Create a service powered by AWS PrivateLink" and "Configure an
endpoint service"; EC2 API Reference.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from gureum.errors import ApiError, invalid_combination
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import View
from gureum.resources.endpoint_service import EndpointService, Permission, PrivateName
from gureum.resources.region import zones
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.vpc_endpoint import VpcEndpoint, names_of

_CONNECTED = frozenset({"pendingAcceptance", "pending", "available"})
"""States of an endpoint in which its service cannot be deleted."""

_TYPES = {"root": "Account", "user": "User", "role": "Role"}


# --- configurations -----------------------------------------------------------------------------
def create(call: Call) -> Shape:
    """CreateVpcEndpointServiceConfiguration: behind load balancers of one kind."""
    _check_addresses(call, "SupportedIpAddressTypes", "SupportedRegions")
    row = EndpointService(
        **call.common(EndpointService),
        acceptance=call.get("AcceptanceRequired", True),
        network_balancers=_arns(call.get("NetworkLoadBalancerArns", ())),
        gateway_balancers=_arns(call.get("GatewayLoadBalancerArns", ())),
        private_name=_private_name(call.get("PrivateDnsName")),
    )
    _check_balancers(row)
    answer: Shape = {"ServiceConfiguration": show(call.created(row), call.txn.view)}
    return answer | ({"ClientToken": call.get("ClientToken")} if call.get("ClientToken") else {})


def _check_addresses(call: Call, types: str, regions: str) -> None:
    """Raises:
    ApiError: ``UnsupportedOperation`` for IPv6 and for other regions.
    """
    unwanted = set(call.get(types, ())) - {"ipv4"}
    if unwanted or set(call.get(regions, ())) - {call.region}:
        raise ApiError(
            "UnsupportedOperation", "Endpoint services here are for IPv4 and for their own region."
        )


def _arns(given: Sequence[str]) -> tuple[str, ...]:
    for arn in given:
        if not arn.startswith("arn:aws:elasticloadbalancing:"):
            raise ApiError("InvalidParameter", f"Invalid load balancer ARN: {arn}")
    return tuple(dict.fromkeys(given))


def _check_balancers(row: EndpointService) -> None:
    if row.network_balancers and row.gateway_balancers:
        raise invalid_combination(
            "Network Load Balancers and Gateway Load Balancers cannot both be given."
        )
    if not (row.network_balancers or row.gateway_balancers):
        raise ApiError(
            "InvalidParameter", "An endpoint service must have at least one load balancer."
        )
    if row.gateway_balancers and row.private_name:
        raise ApiError(
            "InvalidParameter", "Private DNS names are only supported for Interface services."
        )


def _private_name(name: str | None) -> PrivateName | None:
    if not name:
        return None
    record, value = secrets.token_hex(10), secrets.token_urlsafe(15)
    return PrivateName(name=name.lower(), record=f"_{record}", value=f"vpce:{value}")


def modify(call: Call) -> Shape:
    """ModifyVpcEndpointServiceConfiguration: for connections to come."""
    row = _asked(call)
    for change in ("Add", "Remove"):
        _check_addresses(call, f"{change}SupportedIpAddressTypes", f"{change}SupportedRegions")
    unsupported(call, "RemoveSupportedIpAddressTypes", "RemoveSupportedRegions")
    name = call.get("PrivateDnsName")
    if name and call.get("RemovePrivateDnsName"):
        raise invalid_combination("PrivateDnsName and RemovePrivateDnsName cannot both be given.")
    if name or call.get("RemovePrivateDnsName"):
        row = replace(row, private_name=_private_name(name))
    row = replace(
        row,
        acceptance=call.get("AcceptanceRequired", row.acceptance),
        network_balancers=_changed(call, "NetworkLoadBalancerArns", row.network_balancers),
        gateway_balancers=_changed(call, "GatewayLoadBalancerArns", row.gateway_balancers),
    )
    _check_balancers(row)
    call.txn.put(row)
    return {"Return": True}


def _changed(call: Call, name: str, old: Sequence[str]) -> tuple[str, ...]:
    kept = [arn for arn in old if arn not in call.get(f"Remove{name}", ())]
    return _arns([*kept, *call.get(f"Add{name}", ())])


def delete(call: Call) -> Shape:
    """DeleteVpcEndpointServiceConfigurations: those without connections; each on its own."""
    return {"Unsuccessful": _each(call.params["ServiceIds"], lambda key: _delete(call, key))}


def _delete(call: Call, key: str) -> None:
    row = call.txn.find(EndpointService, key)
    if row is None:
        said = EndpointService.missing.format(id=key)
        raise ApiError("InvalidVpcEndpointService.NotFound", said)
    if any(each.state in _CONNECTED for each in connections(call, row)):
        raise ApiError(
            "ExistingVpcEndpointConnections",
            f"Service {key} has existing active VPC Endpoint connections!",
        )
    call.txn.delete(row)


def _each(keys: Sequence[str], do: Callable[[str], None]) -> list[Shape]:
    """Do it for each key; the refusals as ``UnsuccessfulItem`` structures."""
    failed: list[Shape] = []
    for key in dict.fromkeys(keys):
        try:
            do(key)
        except ApiError as error:
            told = {"Code": error.code, "Message": error.message}
            failed.append({"ResourceId": key, "Error": told})
    return failed


def verify(call: Call) -> Shape:
    """StartVpcEndpointServicePrivateDnsVerification: nobody serves the record, so that it is taken
    to be there."""
    row = _asked(call)
    if row.private_name is None:
        raise ApiError("InvalidParameter", f"The service {row.id} has no private DNS name.")
    call.txn.put(replace(row, private_name=replace(row.private_name, state="verified")))
    return {"ReturnValue": True}


def pay(call: Call) -> Shape:
    """ModifyVpcEndpointServicePayerResponsibility: from now on the service's owner."""
    call.txn.put(replace(_asked(call), by_owner=True))
    return {"ReturnValue": True}


def _asked(call: Call) -> EndpointService:
    return call.txn.get(EndpointService, call.params["ServiceId"])


# --- permissions --------------------------------------------------------------------------------
def modify_permissions(call: Call) -> Shape:
    """ModifyVpcEndpointServicePermissions: who may have endpoints; those there are stay."""
    row = _asked(call)
    gone = call.get("RemoveAllowedPrincipals", ())
    kept = tuple(each for each in row.permissions if each.principal not in gone)
    known = {each.principal for each in kept}
    added = tuple(
        Permission(id=call.new_id("vpce-svc-perm"), principal=principal)
        for principal in dict.fromkeys(call.get("AddAllowedPrincipals", ()))
        if principal not in known and _principal_type(principal)
    )
    row = call.txn.put(replace(row, permissions=(*kept, *added)))
    return {
        "AddedPrincipals": [show_permission(row, each) for each in added],
        "ReturnValue": True,
    }


def _principal_type(principal: str) -> str:
    """Raises:
    ApiError: ``InvalidPrincipal``.
    """
    if principal == "*":
        return "All"
    if principal.endswith(".amazonaws.com"):
        return "Service"
    parts = principal.split(":", 5)
    if parts[:3] == ["arn", "aws", "organizations"]:
        return "OrganizationUnit"
    kind = _TYPES.get(parts[5].partition("/")[0]) if len(parts) == 6 else None
    if kind is None or parts[:3] != ["arn", "aws", "iam"]:
        raise ApiError("InvalidPrincipal", f"Invalid principal: '{principal}'")
    return kind


def show_permission(row: EndpointService, permission: Permission) -> Shape:
    """The API's ``AllowedPrincipal`` structure."""
    return {
        "PrincipalType": _principal_type(permission.principal),
        "Principal": permission.principal,
        "ServicePermissionId": permission.id,
        "ServiceId": row.id,
        "PermissionType": "vpc-endpoint",
    }


@dataclass(frozen=True)
class _Permitted:
    """A permission as it is listed."""

    id: str
    created: str
    shape: Shape


def _permitted(call: Call) -> Iterator[_Permitted]:
    row = _asked(call)
    for number, each in enumerate(row.permissions):
        yield _Permitted(f"{number:06}", "", show_permission(row, each))


def _show_permitted(row: _Permitted, view: View) -> Shape:
    return row.shape


# --- connections --------------------------------------------------------------------------------
def connections(call: Call, row: EndpointService) -> list[VpcEndpoint]:
    """The endpoints to a service, of all accounts, oldest first."""
    return list(call.txn.referrers(row.id, VpcEndpoint))


def accept(call: Call) -> Shape:
    """AcceptVpcEndpointConnections: those that wait or were rejected; each on its own."""
    return _answered(call, ("pendingAcceptance", "rejected"), "pending")


def reject(call: Call) -> Shape:
    """RejectVpcEndpointConnections: those that wait or were accepted; each on its own."""
    return _answered(call, ("pendingAcceptance", "pending", "available"), "rejected")


def _answered(call: Call, before: Sequence[str], after: str) -> Shape:
    unsupported(call, "TransitGatewayAttachmentIds")
    row = _asked(call)
    ends = {each.id: each for each in connections(call, row)}

    def answer(key: str) -> None:
        end = ends.get(key)
        if end is None:
            said = VpcEndpoint.missing.format(id=key)
            raise ApiError("InvalidVpcEndpoint.NotFound", said)
        if end.state not in before:
            raise ApiError("InvalidState", f"The Vpc Endpoint '{key}' is {end.state}.")
        call.txn.put(replace(end, state=after))

    return {"Unsuccessful": _each(call.params["VpcEndpointIds"], answer)}


@dataclass(frozen=True)
class _Connection:
    """An endpoint with the service of the caller's that it leads to."""

    id: str
    created: str
    service: EndpointService
    endpoint: VpcEndpoint


def _connections(call: Call) -> Iterator[_Connection]:
    for row in call.txn.all(EndpointService):
        for end in connections(call, row):
            yield _Connection(end.id, end.created, row, end)


def _show_connection(item: _Connection, view: View) -> Shape:
    row, end = item.service, item.endpoint
    return {
        "ServiceId": row.id,
        "VpcEndpointId": end.id,
        "VpcEndpointOwner": end.account,
        "VpcEndpointState": end.state,
        "VpcEndpointRegion": end.region,
        "VpcEndpointConnectionId": f"vpce-con-{end.id.removeprefix('vpce-')}",
        "CreationTimestamp": end.created,
        "DnsEntries": list(names_of(view, end)),
        "NetworkLoadBalancerArns": list(row.network_balancers),
        "IpAddressType": "ipv4",
    }


# --- answers ------------------------------------------------------------------------------------
def show(row: EndpointService, view: View) -> Shape:
    """The API's ``ServiceConfiguration`` structure."""
    shape: Shape = {
        "ServiceType": [{"ServiceType": row.type}],
        "ServiceId": row.id,
        "ServiceName": row.name,
        "ServiceState": "Available",
        "AvailabilityZones": list(zones(row.region)),
        "AcceptanceRequired": row.acceptance,
        "ManagesVpcEndpoints": False,
        "NetworkLoadBalancerArns": list(row.network_balancers),
        "GatewayLoadBalancerArns": list(row.gateway_balancers),
        "SupportedIpAddressTypes": ["ipv4"],
        "SupportedRegions": [{"Region": row.region, "ServiceState": "Available"}],
        "BaseEndpointDnsNames": [row.domain],
        "RemoteAccessEnabled": False,
        "Tags": tag_list(row),
    }
    if row.by_owner:
        shape["PayerResponsibility"] = "ServiceOwner"
    if row.private_name:
        shape["PrivateDnsName"] = row.private_name.name
        shape["PrivateDnsNameConfiguration"] = {
            "State": row.private_name.state,
            "Type": "TXT",
            "Value": row.private_name.value,
            "Name": row.private_name.record,
        }
    return shape


KIND = Kind(
    row=EndpointService,
    actions={
        "CreateVpcEndpointServiceConfiguration": create,
        "ModifyVpcEndpointServiceConfiguration": modify,
        "DeleteVpcEndpointServiceConfigurations": delete,
        "StartVpcEndpointServicePrivateDnsVerification": verify,
        "ModifyVpcEndpointServicePayerResponsibility": pay,
        "ModifyVpcEndpointServicePermissions": modify_permissions,
        "AcceptVpcEndpointConnections": accept,
        "RejectVpcEndpointConnections": reject,
    },
    listings=(
        Listing(
            action="DescribeVpcEndpointServiceConfigurations",
            result="ServiceConfigurations",
            show=show,
            ids="ServiceIds",
            paths={"supported-ip-address-types": "SupportedIpAddressTypes[]"},
        ),
        Listing(
            action="DescribeVpcEndpointServicePermissions",
            result="AllowedPrincipals",
            show=_show_permitted,
            rows=_permitted,
        ),
        Listing(
            action="DescribeVpcEndpointConnections",
            result="VpcEndpointConnections",
            show=_show_connection,
            rows=_connections,
        ),
    ),
)
