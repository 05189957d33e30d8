"""Holds answers against AWS's model of them, so that what reads them can rely on types.

An item that has a member of another type, or a value that no enumeration knows, is left out with
the reason; members that the model does not know are no fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gureum.imports.answers import IDS, Answers, Item
from gureum.imports.listed import LISTED
from gureum.imports.report import Report
from gureum.wire.encoder import allowed
from gureum.wire.models import service

_PARTS = {
    "Associations": "GetTransitGatewayPolicyTableAssociations",
    "Entries": "GetManagedPrefixListEntries",
    "MulticastDomainAssociations": "GetTransitGatewayMulticastDomainAssociations",
    "MulticastGroups": "SearchTransitGatewayMulticastGroups",
    "TransitGatewayMeteringPolicyEntries": "GetTransitGatewayMeteringPolicyEntries",
    "TransitGatewayPolicyTableEntries": "GetTransitGatewayPolicyTableEntries",
    "Routes": "SearchTransitGatewayRoutes",
    "TransitGatewayRouteTablePropagations": "GetTransitGatewayRouteTablePropagations",
}
_MORE = {
    "AllowedPrincipals": "DescribeVpcEndpointServicePermissions",
    "LaunchTemplateVersions": "DescribeLaunchTemplateVersions",
    "PrefixLists": "DescribePrefixLists",
    "SubnetIpv4CidrReservations": "GetSubnetCidrReservations",
    "SubnetIpv6CidrReservations": "GetSubnetCidrReservations",
    "TrafficMirrorFilterRules": "DescribeTrafficMirrorFilterRules",
    "TransitGatewayPrefixListReferences": "GetTransitGatewayPrefixListReferences",
}
_KINDS: Mapping[str, Any] = {
    "string": str,
    "timestamp": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "structure": Mapping,
    "map": Mapping,
    "list": list,
}


def conforming(answers: Answers, report: Report) -> Answers:
    """The answers without what is not as AWS's model says; that is told in the report."""
    lists = {
        what: list(_good(what, items, report)) if what in _actions() else items
        for what, items in answers.lists.items()
    }
    parts = {
        (what, key): [
            item for item in items if _fits(what, key, _shape(_PARTS[what], what), item, report)
        ]
        for (what, key), items in answers.parts.items()
    }
    attributes = {
        (key, name): value
        for (key, name), value in answers.attributes.items()
        if isinstance(value, str if name == "UserData" else bool)
    }
    return Answers(lists, attributes, parts, answers.strange)


def _actions() -> dict[str, tuple[str, str]]:
    """The action that answers with a list, and the member that lists."""
    found = {what: (listed.action, listed.member or what) for what, listed in LISTED.items()}
    return found | {what: (action, what) for what, action in _MORE.items()}


def _shape(action: str, member: str) -> Any:
    return service("ec2").output_shape(action).members[member].member


def _good(what: str, items: list[Item], report: Report) -> Iterator[Item]:
    shape, name = _shape(*_actions()[what]), IDS.get(what, "")
    for item in items:
        if name and not isinstance(item.get(name), str):
            report.leave(what, "?", f"it has no {name}")
        elif _fits(what, str(item.get(name)), shape, item, report):
            yield item


def _fits(what: str, key: str, shape: Any, item: Item, report: Report) -> bool:
    why = _misfit(shape, item, "")
    if why is not None:
        report.leave(what, key, f"it is not what AWS answers: {why}")
    return why is None


def _misfit(shape: Any, value: Any, path: str) -> str | None:
    """What is wrong with a value, if anything is."""
    kind = shape.type_name
    if not isinstance(value, _KINDS[kind]) or (kind != "boolean" and isinstance(value, bool)):
        return f"{path or 'it'} is no {kind}"
    if kind == "structure":
        members = ((name, shape.members.get(name), item) for name, item in value.items())
        found = (_misfit(its, item, f"{path}.{name}") for name, its, item in members if its)
    elif kind == "list":
        found = (_misfit(shape.member, item, f"{path}[]") for item in value)
    elif kind == "string" and shape.enum:
        return None if value in allowed(shape) else f"{path} is {value!r}, which is none of AWS's"
    else:
        return None
    return next((each for each in found if each is not None), None)
