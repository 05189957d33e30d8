"""Every filter that AWS documents for a listing is understood, and leads somewhere."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from gureum.errors import ApiError
from gureum.resources import REGISTRY
from gureum.wire.models import service, walk
from tests.conftest import Cloud
from tests.resources.transit import make_star, make_transit


class _Names(HTMLParser):
    """The first code word of each item of a list, but not of lists inside an item (values)."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._depth = 0
        self._due = self._code = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._depth += tag == "ul"
        self._due = self._due or (tag == "li" and self._depth == 1)
        self._code = tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "ul"
        self._code = False

    def handle_data(self, data: str) -> None:
        if self._due and self._code:
            self.names.append(data)
            self._due = False


@cache
def _model() -> Any:
    return ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")


def _members(action: str) -> dict[str, Any]:
    operation: OperationModel = _model().operation_model(action)
    members: dict[str, Any] = operation.input_shape.members
    return members


def documented(action: str) -> list[str]:
    """The names of the filters in the documentation of the action's filter member."""
    members = _members(action)
    shape = members.get("Filters") or members.get("Filter")
    if shape is None:
        return []
    reader = _Names()
    reader.feed(shape.documentation)
    if not reader.names:  # a list without marks
        reader.names = re.findall(r"<li> <p>([a-z][a-z.-]*) - ", shape.documentation)
    return [
        "tag:Owner" if name.startswith("tag") and name[3:4] in ("", ":") else name
        for name in map(str.strip, reader.names)
    ]


def _a_subnet(cloud: Cloud) -> str:
    return str(cloud.call("DescribeSubnets")["Subnets"][0]["SubnetId"])


def _a_vpc(cloud: Cloud) -> str:
    return str(cloud.call("DescribeVpcs")["Vpcs"][0]["VpcId"])


def _a_service(cloud: Cloud) -> str:
    arn = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/a/b"
    made = cloud.call("CreateVpcEndpointServiceConfiguration", NetworkLoadBalancerArns=[arn])
    return str(made["ServiceConfiguration"]["ServiceId"])


def _a_transit_table(cloud: Cloud) -> str:
    found = cloud.call("DescribeTransitGatewayRouteTables")["TransitGatewayRouteTables"]
    key = found[0]["TransitGatewayRouteTableId"] if found else make_star(cloud).table
    return str(key)


def _a_transit_attachment(cloud: Cloud) -> str:
    found = cloud.call("DescribeTransitGatewayAttachments")["TransitGatewayAttachments"]
    key = found[0]["TransitGatewayAttachmentId"] if found else make_star(cloud).attachments[0]
    return str(key)


def _a_multicast_domain(cloud: Cloud) -> str:
    gateway = make_transit(cloud, MulticastSupport="enable")
    made = cloud.call("CreateTransitGatewayMulticastDomain", TransitGatewayId=gateway)
    return str(made["TransitGatewayMulticastDomain"]["TransitGatewayMulticastDomainId"])


def _a_policy_table(cloud: Cloud) -> str:
    made = cloud.call("CreateTransitGatewayPolicyTable", TransitGatewayId=make_transit(cloud))
    return str(made["TransitGatewayPolicyTable"]["TransitGatewayPolicyTableId"])


_REQUIRED = {
    "SubnetId": _a_subnet,
    "VpcId": _a_vpc,
    "ServiceId": _a_service,
    "TransitGatewayRouteTableId": _a_transit_table,
    "TransitGatewayAttachmentId": _a_transit_attachment,
    "TransitGatewayMulticastDomainId": _a_multicast_domain,
    "TransitGatewayPolicyTableId": _a_policy_table,
}
"""Something for the members without which a listing is not answered."""

_MADE: WeakKeyDictionary[Cloud, dict[str, str]] = WeakKeyDictionary()


def _known(cloud: Cloud, member: str) -> str:
    """A value for a member: always the same in a cloud."""
    made = _MADE.setdefault(cloud, {})
    if member not in made:
        made[member] = _REQUIRED[member](cloud)
    return made[member]


NEEDED: dict[str, dict[str, Any]] = {"DescribeLaunchTemplateVersions": {"Versions": ["$Latest"]}}
"""What an action must be given beside filters."""


def _accepted(cloud: Cloud, action: str, name: str) -> bool:
    member = "Filters" if "Filters" in _members(action) else "Filter"
    operation: OperationModel = _model().operation_model(action)
    members = operation.input_shape.required_members
    required = {each: _known(cloud, each) for each in members if each != member}
    value = "10.0.0.0/8" if name.startswith("route-search.") else "x"
    try:
        more = required | NEEDED.get(action, {})
        cloud.call(action, **more, **{member: [{"Name": name, "Values": [value]}]})
    except ApiError as error:
        if error.message != f"The filter '{name}' is invalid":
            raise
        return False
    return True


LACKING: dict[str, dict[str, str]] = {}
"""Filters that AWS documents and we refuse, by action, each with the reason.  It only shrinks: what
stands here and is accepted is an error."""


@pytest.mark.parametrize("action", sorted(REGISTRY.listings))
def test_documented_filters_are_accepted(cloud: Cloud, action: str) -> None:
    refused = [name for name in documented(action) if not _accepted(cloud, action, name)]
    assert refused == list(LACKING.get(action, {}))


def test_whatever_has_filters_is_a_listing() -> None:
    """An action that reads its filters by itself would not be asked above."""
    with_filters = {
        action for action in REGISTRY.reads if {"Filters", "Filter"} & _members(action).keys()
    }
    assert with_filters - REGISTRY.listings.keys() == set()
    assert LACKING.keys() <= with_filters


UNTOLD = frozenset(
    {
        "DescribeTransitGatewayMeteringPolicies",
        "DescribeTransitGatewayPolicyTables",
        "DescribeTransitGatewayRouteTableAnnouncements",
        "DescribeVpcEncryptionControls",
        "DescribeVpnConcentrators",
        "GetTransitGatewayMeteringPolicyEntries",
        "GetTransitGatewayPolicyTableAssociations",
    }
)
"""Listings with filters of which the documentation names none."""


def test_filters_are_read_from_the_documentation() -> None:
    assert documented("DescribeRouteTables")[:3] == [
        "association.gateway-id",
        "association.route-table-association-id",
        "association.route-table-id",
    ]
    counts = {action: len(documented(action)) for action in REGISTRY.listings}
    assert counts["DescribeNetworkInterfaces"] > 30
    assert counts["DescribeImages"] > 30
    for action in (action for action, number in counts.items() if number == 0):
        shape = _members(action).get("Filters")
        named = shape is not None and "no supported filters" not in shape.documentation
        assert named == (action in UNTOLD), action


@pytest.mark.parametrize("action", sorted(REGISTRY.listings))
def test_paths_of_filters_lead_to_a_member(action: str) -> None:
    _, listing = REGISTRY.listings[action]
    shape = walk(service("ec2").output_shape(action), f"{listing.result}[]")
    lost = {name: path for name, path in listing.paths.items() if path and not walk(shape, path)}
    assert lost == {}


def test_a_filter_that_nobody_documents_is_refused(cloud: Cloud) -> None:
    assert not _accepted(cloud, "DescribeRouteTables", "colour")
