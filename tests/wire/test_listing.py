"""Describe calls: names of filters, tags, pages and the parameters that exclude each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.model import Resource
from gureum.wire.filters import Candidate
from gureum.wire.listing import default_path
from gureum.wire.listing import page as page_of


@dataclass(frozen=True)
class Row:
    id: str
    created: str = "2026-11-24T08:00:00.000Z"


Pairs = Iterable[tuple[Any, dict[str, Any]]]


def page(
    action: str, listing: Listing, pairs: Pairs, params: Mapping[str, Any], view: Any
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of rows with their structures."""
    shown = dict(pairs)
    candidates = [Candidate(row, shown.__getitem__) for row in shown]
    return page_of(action, listing, candidates, params, view)


@dataclass(frozen=True)
class Listing:
    """The part of ``gureum.kind.Listing`` that the wire reads."""

    result: str
    ids: str | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    computed: Mapping[str, Callable[[Any, Any], Iterable[str]]] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("action", "result", "root", "name", "path"),
    [
        ("DescribeVpcs", "Vpcs", "", "vpc-id", "VpcId"),
        ("DescribeVpcs", "Vpcs", "", "vpcId", "VpcId"),
        ("DescribeVpcs", "Vpcs", "", "is-default", "IsDefault"),
        ("DescribeVpcs", "Vpcs", "", "state", "State"),
        ("DescribeVpcs", "Vpcs", "", "tag:Name", "Tags[].Key"),
        ("DescribeVpcs", "Vpcs", "", "tag-key", "Tags[].Key"),
        ("DescribeNetworkInterfaces", "NetworkInterfaces", "", "tag:Name", "TagSet[].Key"),
        ("DescribeNetworkInterfaces", "NetworkInterfaces", "", "tag-value", "TagSet[].Value"),
        ("DescribeVpcs", "Vpcs", "", "tag-value", "Tags[].Value"),
        (
            "DescribeVpcs",
            "Vpcs",
            "",
            "cidr-block-association.cidr-block",
            "CidrBlockAssociationSet[].CidrBlock",
        ),
        ("DescribeSubnets", "Subnets", "", "enable-dns64", "EnableDns64"),
        (
            "DescribeNetworkInterfaces",
            "NetworkInterfaces",
            "",
            "attachment.instance-id",
            "Attachment.InstanceId",
        ),
        ("DescribeInternetGateways", "InternetGateways", "", "attachment.vpc-id",
         "Attachments[].VpcId"),
        ("DescribeRouteTables", "RouteTables", "", "route.gateway-id", "Routes[].GatewayId"),
        ("DescribeNetworkInterfaces", "NetworkInterfaces", "", "availability-zone",
         "AvailabilityZone"),
        ("DescribeInstances", "Reservations", "", "reservation-id", "ReservationId"),
        ("DescribeInstances", "Reservations", "", "instance-id", None),
        ("DescribeInstances", "Reservations", "Instances[]", "instance-id",
         "Instances[].InstanceId"),
        ("DescribeInstances", "Reservations", "Instances[]", "tag:x", "Instances[].Tags[].Key"),
        # Names that mean nothing: wrong case, a structure, a list, no member, no tags.
        ("DescribeVpcs", "Vpcs", "", "VpcId", None),
        ("DescribeVpcs", "Vpcs", "", "vpc-Id", None),
        ("DescribeVpcs", "Vpcs", "", "VPC-ID", None),
        ("DescribeVpcs", "Vpcs", "", "tags", None),
        ("DescribeVpcs", "Vpcs", "", "cidr-block-association", None),
        ("DescribeVpcs", "Vpcs", "", "vpc-id.x", None),
        ("DescribeVpcs", "Vpcs", "", "nonsense", None),
        ("DescribeVpcs", "Vpcs", "", ".", None),
        ("DescribeVpcs", "Nonsense", "", "vpc-id", None),
        ("DescribeAvailabilityZones", "AvailabilityZones", "", "tag:Name", None),
        ("DescribeAvailabilityZones", "AvailabilityZones", "", "tag-key", None),
    ],
)  # fmt: skip
def test_default_path(action: str, result: str, root: str, name: str, path: str | None) -> None:
    assert default_path("ec2", action, result, root, name) == path


def tags(**pairs: str | None) -> list[dict[str, str | None]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


SHOWN: list[tuple[Row, dict[str, Any]]] = [
    (Row("vpc-1"), {"VpcId": "vpc-1", "IsDefault": True, "Tags": tags(Name="web", env="prod")}),
    (Row("vpc-2"), {"VpcId": "vpc-2", "IsDefault": False, "Tags": tags(Name="db", env="web")}),
    (Row("vpc-3"), {"VpcId": "vpc-3", "IsDefault": False, "Tags": tags(empty="")}),
    (Row("vpc-4"), {"VpcId": "vpc-4", "IsDefault": False}),
]
VPCS = Listing(
    result="Vpcs",
    ids="VpcIds",
    paths={"isDefault": "IsDefault", "odd-name": "VpcId"},
    computed={
        "last-digit": lambda row, view: [row.id[-1]],
        "revision": lambda row, view: [view],
        "state": lambda row, view: ["computed"],
    },
)


def ids(name: str, *values: str) -> list[str]:
    params = {"Filters": [{"Name": name, "Values": list(values)}]}
    found, token = page("DescribeVpcs", VPCS, SHOWN, params, "r7")
    assert token is None
    return [item["VpcId"] for item in found]


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("tag:Name", ["web"], "1"),
        ("tag:Name", ["w*", "d?"], "12"),
        ("tag:name", ["web"], ""),
        ("tag:empty", [""], "3"),
        ("tag:missing", ["*"], ""),
        ("tag-key", ["env", "empty"], "123"),
        ("tag-value", ["web"], "12"),
        ("is-default", ["true"], "1"),
        ("isDefault", ["false"], "234"),
        ("is-default", ["True"], ""),
        ("odd-name", ["vpc-2"], "2"),
        ("last-digit", ["3", "4"], "34"),
        ("revision", ["r7"], "1234"),
        ("state", ["computed"], "1234"),
    ],
)
def test_filters(name: str, values: list[str], found: str) -> None:
    assert ids(name, *values) == [f"vpc-{digit}" for digit in found]


@pytest.mark.parametrize("name", ["nonsense", "tags", "tag-keys", "tag", "VpcId", "", "a" * 5000])
def test_unknown_filters(name: str) -> None:
    with pytest.raises(ApiError) as caught:
        ids(name, "x")
    assert caught.value.code == "InvalidParameterValue"
    assert caught.value.message == f"The filter '{name or 'null'}' is invalid"


def test_a_tag_whose_key_looks_like_a_path() -> None:
    shown = [(Row("v"), {"VpcId": "v", "Tags": tags(**{"a.b:c": "x", "": "y"})})]
    for name in ("tag:a.b:c", "tag:"):
        params = {"Filters": [{"Name": name, "Values": ["*"]}]}
        assert len(page("DescribeVpcs", VPCS, shown, params, None)[0]) == 1


MANY: list[tuple[Row, dict[str, Any]]] = [
    (Row(f"vpc-{n:02}", f"2026-11-24T08:00:{n % 7:02}.000Z"), {"VpcId": f"vpc-{n:02}"})
    for n in range(23)
]


def test_pages() -> None:
    order = sorted(MANY, key=lambda pair: (pair[0].created, pair[0].id))
    seen: list[dict[str, Any]] = []
    params: dict[str, Any] = {"MaxResults": 5}
    sizes = []
    while True:
        items, token = page("DescribeVpcs", VPCS, reversed(MANY), params, None)
        seen += items
        sizes.append(len(items))
        if token is None:
            break
        params["NextToken"] = token
    assert seen == [item for _, item in order]
    assert sizes == [5, 5, 5, 5, 3]


def test_without_limits_the_order_is_the_one_given() -> None:
    items, token = page("DescribeVpcs", VPCS, reversed(MANY), {"NextToken": ""}, None)
    assert (items, token) == ([item for _, item in reversed(MANY)], None)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MaxResults": 4}, "InvalidParameterValue"),
        ({"MaxResults": 1001}, "InvalidParameterValue"),
        ({"MaxResults": 5, "VpcIds": ["vpc-1"]}, "InvalidParameterCombination"),
        ({"NextToken": "rubbish"}, "InvalidPaginationToken"),
    ],
)
def test_refused(params: dict[str, Any], code: str) -> None:
    with pytest.raises(ApiError) as caught:
        page("DescribeVpcs", VPCS, SHOWN, params, None)
    assert caught.value.code == code


def test_where_the_model_has_no_bounds() -> None:
    listing = Listing(result="Reservations")
    many = [(Row(f"r-{n:04}"), {"ReservationId": f"r-{n:04}"}) for n in range(1001)]
    items, token = page("DescribeInstances", listing, many, {"MaxResults": 5000}, None)
    assert len(items) == 1000
    assert token
    with pytest.raises(ApiError, match="greater than 5"):
        page("DescribeInstances", listing, many, {"MaxResults": 4}, None)


def test_a_member_that_is_called_filter() -> None:
    listing = Listing("NatGateways")
    shown = [(Row(key), {"NatGatewayId": key}) for key in ("nat-1", "nat-2")]
    params = {"Filter": [{"Name": "nat-gateway-id", "Values": ["nat-2"]}]}
    items, _ = page("DescribeNatGateways", listing, shown, params, None)
    assert items == [{"NatGatewayId": "nat-2"}]


def test_a_page_shows_no_more_rows_than_it_takes() -> None:
    looked: list[str] = []

    def show(row: Row) -> dict[str, Any]:
        looked.append(row.id)
        return {"VpcId": row.id, "State": "available"}

    def ask(params: Mapping[str, Any]) -> list[str]:
        looked.clear()
        candidates = [Candidate(row, show) for row, _ in MANY]
        return [
            item["VpcId"] for item in page_of("DescribeVpcs", VPCS, candidates, params, None)[0]
        ]

    first = ["vpc-00", "vpc-07", "vpc-14", "vpc-21", "vpc-01"]  # by second, then by id
    assert ask({"MaxResults": 5}) == looked == first
    last = {"Filters": [{"Name": "last-digit", "Values": ["4"]}]}
    assert ask(last) == looked == ["vpc-04", "vpc-14"]
    odd = {"Filters": [{"Name": "odd-name", "Values": ["vpc-*7", "vpc-21"]}], "MaxResults": 1}
    with pytest.raises(ApiError, match="greater than 5"):
        ask(odd)
    assert looked == []


@dataclass(frozen=True, kw_only=True)
class Box(Resource, kind="box-of-tests", prefix="box", not_found="None", noun="box"):
    """A resource that shows its tags to some only."""


def test_a_resource_without_the_tag_is_not_looked_at() -> None:
    boxes = [
        Box(
            id=f"box-{n}",
            account="1",
            region="r",
            created="t",
            tags=((("Name", f"n{n}"),) if n else ()),
        )
        for n in range(3)
    ]
    looked: list[str] = []

    def show(row: Box) -> dict[str, Any]:
        looked.append(row.id)
        return {"VpcId": row.id, "Tags": tags(**dict(row.tags)) if row.id != "box-2" else []}

    params = {"Filters": [{"Name": "tag:Name", "Values": ["n*"]}]}
    candidates = [Candidate(box, show) for box in boxes]
    found, _ = page_of("DescribeVpcs", VPCS, candidates, params, None)
    assert [item["VpcId"] for item in found] == ["box-1"]
    assert looked == ["box-1", "box-2"], "what is hidden from the caller is not found by its tag"
