"""Multicast domains of transit gateways: subnets, and which interfaces send and hear what.

They are records: no multicast packet leaves its subnet here.

Sources: Amazon VPC Transit Gateways, "Multicast in transit gateways"; EC2 API Reference,
CreateTransitGatewayMulticastDomain and its relatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Literal

from gureum.errors import ApiError, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Part, Shape, show_part
from gureum.model import Resource, Txn, View, ref
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.shapes import tag_list
from gureum.resources.subnet import Subnet, arn
from gureum.resources.transit_gateway import (
    TransitGateway,
    TransitGatewayAttachment,
    incorrect,
    show_switches,
    switched,
    usable,
)

MAX_DOMAINS = 20
"""Multicast domains per transit gateway (transit gateway quotas)."""
_SWITCHES = ("Igmpv2Support", "StaticSourcesSupport", "AutoAcceptSharedAssociations")
_GROUPS = (ip_network("224.0.0.0/4"), ip_network("ff00::/8"))


@dataclass(frozen=True, kw_only=True)
class Joined:
    """A subnet in a domain, by an attachment of its VPC."""

    subnet: str = ref("weak")
    attachment: str = ref("weak")
    state: Literal["associating", "associated"] = "associating"


@dataclass(frozen=True, kw_only=True)
class Station:
    """An interface that hears a group (``member``) or sends to it (``source``)."""

    group: str
    interface: str = ref("weak")
    role: Literal["member", "source"]


@dataclass(frozen=True, kw_only=True)
class MulticastDomain(
    Resource,
    kind="transit-gateway-multicast-domain",
    prefix="tgw-mcast-domain",
    not_found="InvalidTransitGatewayMulticastDomainId.NotFound",
    malformed="InvalidTransitGatewayMulticastDomainId.Malformed",
    noun="transit gateway multicast domain",
):
    """A domain; ``enabled`` are the names of the options that are on."""

    gateway: str = ref()
    enabled: tuple[str, ...] = ()
    state: Literal["pending", "available"] = "pending"
    subnets: tuple[Joined, ...] = ()
    stations: tuple[Station, ...] = ()


# --- domains ------------------------------------------------------------------------------------
def create_domain(call: Call) -> Shape:
    """CreateTransitGatewayMulticastDomain: on a gateway that supports multicast."""
    gateway = usable(call, TransitGateway, call.params["TransitGatewayId"])
    if "MulticastSupport" not in gateway.enabled:
        raise incorrect(f"{gateway.id} does not have multicast support enabled")
    if len(list(call.txn.referrers(gateway.id, MulticastDomain))) >= MAX_DOMAINS:
        raise ApiError(
            "TransitGatewayLimitExceeded",
            f"The maximum number of multicast domains of {gateway.id} has been reached.",
        )
    row = call.created(
        MulticastDomain(
            **call.common(MulticastDomain),
            gateway=gateway.id,
            enabled=switched((), _SWITCHES, call.get("Options") or {}),
        )
    )
    return {"TransitGatewayMulticastDomain": show(row, call.txn.view)}


def delete_domain(call: Call) -> Shape:
    """DeleteTransitGatewayMulticastDomain: once no subnet is in it."""
    row = _domain(call)
    if row.subnets:
        raise incorrect(f"{row.id} has non-disassociated subnets: {row.subnets[0].subnet}.")
    shown = show(row, call.txn.view) | {"State": "deleting"}
    call.txn.delete(row)
    return {"TransitGatewayMulticastDomain": shown}


def _domain(call: Call) -> MulticastDomain:
    key = call.get("TransitGatewayMulticastDomainId")
    if not key:
        raise missing_parameter("transitGatewayMulticastDomainId")
    return call.txn.get(MulticastDomain, key)


def show(row: MulticastDomain, view: View) -> Shape:
    """The API's ``TransitGatewayMulticastDomain`` structure."""
    return {
        "TransitGatewayMulticastDomainId": row.id,
        "TransitGatewayId": row.gateway,
        "TransitGatewayMulticastDomainArn": arn(row),
        "OwnerId": row.account,
        "Options": show_switches(row.enabled, _SWITCHES),
        "State": row.state,
        "CreationTime": row.created,
        "Tags": tag_list(row),
    }


def settled(txn: Txn, row: MulticastDomain, now: str) -> None:
    """The cloud has the domain and its subnets."""
    subnets = tuple(replace(each, state="associated") for each in row.subnets)
    calm = replace(row, state="available", subnets=subnets)
    if calm != row:
        txn.put(calm)


# --- subnets ------------------------------------------------------------------------------------
def associate(call: Call) -> Shape:
    """AssociateTransitGatewayMulticastDomain: a subnet is in one domain at most.

    Raises:
        ApiError: the not-found codes, ``IncorrectState``, ``InvalidParameterValue``,
            ``Resource.AlreadyAssociated``.
    """
    row = _available(call)
    link = usable(call, TransitGatewayAttachment, call.params["TransitGatewayAttachmentId"])
    if link.gateway != row.gateway or not link.of_vpc:
        raise invalid_value(
            "transitGatewayAttachmentId", link.id, f"It is no VPC attachment of {row.gateway}."
        )
    added = []
    for key in _asked_subnets(call):
        subnet = call.txn.get(Subnet, key)
        if subnet.vpc != link.vpc:
            raise invalid_value("subnetIds", key, f"The subnet is not in {link.vpc}.")
        if any(True for _ in call.txn.referrers(key, MulticastDomain)):
            raise ApiError(
                "Resource.AlreadyAssociated",
                f"Subnet {key} is already associated to a multicast domain.",
            )
        added.append(Joined(subnet=key, attachment=link.id))
    call.txn.put(replace(row, subnets=(*row.subnets, *added)))
    return {"Associations": _show_joined(row, link, added)}


def _available(call: Call) -> MulticastDomain:
    row = _domain(call)
    if row.state != "available":
        raise incorrect(f"{row.id} is in invalid state")
    return row


def _asked_subnets(call: Call) -> list[str]:
    keys = list(dict.fromkeys(call.get("SubnetIds") or ()))
    if not keys:
        raise missing_parameter("subnetIds")
    return keys


def disassociate(call: Call) -> Shape:
    """DisassociateTransitGatewayMulticastDomain: the interfaces in the subnets leave the groups."""
    row = _domain(call)
    link = call.txn.get(TransitGatewayAttachment, call.params["TransitGatewayAttachmentId"])
    gone = set(_asked_subnets(call))
    there = [each for each in row.subnets if each.subnet in gone and each.attachment == link.id]
    if missing := gone - {each.subnet for each in there}:
        raise _not_joined(row, min(missing))
    shown = _show_joined(row, link, there, "disassociating")
    call.txn.put(
        replace(
            row,
            subnets=tuple(each for each in row.subnets if each not in there),
            stations=tuple(
                each for each in row.stations if _subnet_of(call.txn.view, each) not in gone
            ),
        )
    )
    return {"Associations": shown}


def _not_joined(row: MulticastDomain, subnet: str) -> ApiError:
    return ApiError(
        "InvalidTransitGatewayMulticastDomainAssociation.NotFound",
        f"Association of {subnet} with {row.id} does not exist.",
    )


def answer(call: Call) -> Shape:
    """Accept… and RejectTransitGatewayMulticastDomainAssociations: none waits for an answer, as a
    domain has subnets of its own account only.

    Raises:
        ApiError: ``IncorrectState``, the not-found codes, ``MissingParameter``.
    """
    row = _domain(call)
    subnets = {each.subnet for each in row.subnets}
    for key in _asked_subnets(call):
        if key not in subnets:
            raise _not_joined(row, key)
    raise incorrect(f"{row.id} has no association that is pending acceptance")


def _show_joined(
    row: MulticastDomain,
    link: TransitGatewayAttachment,
    those: Iterable[Joined],
    state: str | None = None,
) -> Shape:
    return {
        "TransitGatewayMulticastDomainId": row.id,
        "TransitGatewayAttachmentId": link.id,
        **link.resource,
        "ResourceOwnerId": link.account,
        "Subnets": [{"SubnetId": each.subnet, "State": state or each.state} for each in those],
    }


def associations(view: View, row: MulticastDomain) -> Iterator[Part]:
    """The subnets of a domain."""
    for each in row.subnets:
        shape: Shape = {
            "TransitGatewayAttachmentId": each.attachment,
            **_resource(view, each.attachment),
            "Subnet": {"SubnetId": each.subnet, "State": each.state},
        }
        yield Part(each.subnet, row.created, shape)


def _resource(view: View, key: str) -> Shape:
    link = view.find(TransitGatewayAttachment, key)
    return {**link.resource, "ResourceOwnerId": link.account} if link else {"ResourceType": "vpc"}


# --- groups -------------------------------------------------------------------------------------
Role = Literal["member", "source"]


def _register(role: Role, result: str) -> Callable[[Call], Shape]:
    def register(call: Call) -> Shape:
        row = _available(call)
        if role == "source" and "StaticSourcesSupport" not in row.enabled:
            raise incorrect(f"{row.id} does not have static sources support enabled")
        group, added = _group(call), []
        subnets = {each.subnet for each in row.subnets}
        for key in _asked_interfaces(call):
            eni = call.txn.get(NetworkInterface, key)
            if eni.subnet not in subnets:
                raise invalid_value(
                    "networkInterfaceIds", key, f"Its subnet is not associated with {row.id}."
                )
            added.append(Station(group=group, interface=key, role=role))
        known = dict.fromkeys((*row.stations, *added))
        call.txn.put(replace(row, stations=tuple(known)))
        return {result: _told("Registered", row, group, added)}

    return register


def _deregister(role: Role, result: str) -> Callable[[Call], Shape]:
    def deregister(call: Call) -> Shape:
        row, group = _domain(call), _group(call)
        gone = [Station(group=group, interface=k, role=role) for k in _asked_interfaces(call)]
        for each in gone:
            if each not in row.stations:
                raise invalid_value(
                    "networkInterfaceIds", each.interface, f"It is no {role} of {group}."
                )
        call.txn.put(replace(row, stations=tuple(s for s in row.stations if s not in gone)))
        return {result: _told("Deregistered", row, group, gone)}

    return deregister


def _told(word: str, row: MulticastDomain, group: str, those: list[Station]) -> Shape:
    return {
        "TransitGatewayMulticastDomainId": row.id,
        f"{word}NetworkInterfaceIds": [each.interface for each in those],
        "GroupIpAddress": group,
    }


def _group(call: Call) -> str:
    text = call.get("GroupIpAddress")
    if not text:
        raise missing_parameter("groupIpAddress")
    try:
        address = ip_address(text)
    except ValueError:
        raise invalid_value("groupIpAddress", text) from None
    if not any(address in each for each in _GROUPS):
        raise invalid_value("groupIpAddress", text, "It must be a multicast address.")
    return str(address)


def _asked_interfaces(call: Call) -> list[str]:
    keys = list(dict.fromkeys(call.get("NetworkInterfaceIds") or ()))
    if not keys:
        raise missing_parameter("networkInterfaceIds")
    return keys


def _subnet_of(view: View, station: Station) -> str | None:
    eni = view.find(NetworkInterface, station.interface)
    return eni.subnet if eni else None


def stations(view: View, row: MulticastDomain) -> Iterator[Part]:
    """The stations of a domain, as far as their interfaces are there, by group."""
    links = {each.subnet: each.attachment for each in row.subnets}
    for each in sorted(row.stations, key=lambda one: (ip_address(one.group).packed, one.role)):
        subnet = _subnet_of(view, each)
        if subnet is None:
            continue
        shape: Shape = {
            "GroupIpAddress": each.group,
            "TransitGatewayAttachmentId": links[subnet],
            "SubnetId": subnet,
            **_resource(view, links[subnet]),
            "NetworkInterfaceId": each.interface,
            "GroupMember": each.role == "member",
            "GroupSource": each.role == "source",
            "MemberType" if each.role == "member" else "SourceType": "static",
        }
        yield Part(f"{each.group}/{each.interface}/{each.role}", row.created, shape)


KIND = Kind(
    row=MulticastDomain,
    actions={
        "CreateTransitGatewayMulticastDomain": create_domain,
        "DeleteTransitGatewayMulticastDomain": delete_domain,
        "AssociateTransitGatewayMulticastDomain": associate,
        "DisassociateTransitGatewayMulticastDomain": disassociate,
        "AcceptTransitGatewayMulticastDomainAssociations": answer,
        "RejectTransitGatewayMulticastDomainAssociations": answer,
        "RegisterTransitGatewayMulticastGroupMembers": _register(
            "member", "RegisteredMulticastGroupMembers"
        ),
        "RegisterTransitGatewayMulticastGroupSources": _register(
            "source", "RegisteredMulticastGroupSources"
        ),
        "DeregisterTransitGatewayMulticastGroupMembers": _deregister(
            "member", "DeregisteredMulticastGroupMembers"
        ),
        "DeregisterTransitGatewayMulticastGroupSources": _deregister(
            "source", "DeregisteredMulticastGroupSources"
        ),
    },
    listings=(
        Listing(
            action="DescribeTransitGatewayMulticastDomains",
            result="TransitGatewayMulticastDomains",
            show=show,
            ids="TransitGatewayMulticastDomainIds",
        ),
        Listing(
            action="GetTransitGatewayMulticastDomainAssociations",
            result="MulticastDomainAssociations",
            show=show_part,
            rows=lambda call: associations(call.txn.view, _domain(call)),
            paths={"state": "Subnet.State", "subnet-id": "Subnet.SubnetId"},
        ),
        Listing(
            action="SearchTransitGatewayMulticastGroups",
            result="MulticastGroups",
            show=show_part,
            rows=lambda call: stations(call.txn.view, _domain(call)),
            paths={"is-group-member": "GroupMember", "is-group-source": "GroupSource"},
        ),
    ),
    settled=settled,
)
