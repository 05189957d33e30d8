"""Every operation's answer is read back equal by botocore, and tag by tag against the raw model.

botocore's parser accepts any tag inside a list and ignores tags it does not know; Go's does not.
So a second, strict reading walks the XML along the model's JSON.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.loaders import Loader

from gureum.wire import Request, actions, encode
from gureum.wire.encoder import Encoder, MisfitError
from tests.wire.samples import Sampler, odd_shape
from tests.wiring import REQUEST_ID, SERVICES, parse, request_for, service_model, through_wire

CALLS = [(name, action) for name in SERVICES for action in sorted(actions(name))]
RAW: dict[str, Any] = {name: Loader().load_service_model(name, "service-2") for name in SERVICES}

# The only lists in ec2's outputs whose items the model does not call <item>.
OTHER_ITEMS = {"GroupIdStringList": "groupId", "SecurityGroupIdStringList": "SecurityGroupId"}


def sample(service: str, action: str) -> Any:
    """A sample result, or an empty one where there is no output."""
    shape = service_model(service).operation_model(action).output_shape
    return Sampler().value(shape) if shape is not None else {}


def request(service: str, action: str) -> Request:
    return Request(service=service, version="", action=action)


@pytest.mark.parametrize(("service", "action"), CALLS)
def test_botocore_reads_it_back(service: str, action: str) -> None:
    result = sample(service, action)
    response = encode(request(service, action), result, REQUEST_ID)
    assert parse(service, action, response) == result


@pytest.mark.parametrize(("service", "action"), CALLS)
def test_every_tag_is_the_models(service: str, action: str) -> None:
    result = sample(service, action)
    body = encode(request(service, action), result, REQUEST_ID).body
    namespace = RAW[service]["metadata"]["xmlNamespace"].rstrip("/") + "/"
    root = ElementTree.fromstring(body)
    assert root.tag == f"{{{namespace}}}{action}Response"
    children = list(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{namespace}}}")
    output = RAW[service]["operations"][action].get("output")
    if service == "ec2":
        assert children[0].tag == "requestId"
        assert children[0].text == REQUEST_ID
        del root[0]
        if output is None:
            assert [(child.tag, child.text) for child in root] == [("return", "true")]
            return
    else:
        assert children[-1].tag == "ResponseMetadata"
        assert children[-1].findtext("RequestId") == REQUEST_ID
        del root[-1]
        if output is None:
            assert not list(root)
            return
        (root,) = root
        assert root.tag == f"{action}Result"
    strict(RAW[service], output["shape"], root, result)


def strict(model: Any, name: str, element: ElementTree.Element, value: Any) -> None:
    """Asserts that ``element`` is ``value`` in the very tags of the model, and nothing else."""
    shape = model["shapes"][name]
    if shape["type"] == "structure":
        expected = {
            member: its.get("locationName", member) for member, its in shape["members"].items()
        }
        assert [child.tag for child in element] == [expected[member] for member in value]
        for child, (member, content) in zip(element, value.items(), strict=True):
            strict(model, shape["members"][member]["shape"], child, content)
    elif shape["type"] == "list":
        ec2 = model["metadata"]["protocol"] == "ec2"
        tag = OTHER_ITEMS.get(name, "item") if ec2 else "member"
        assert [child.tag for child in element] == [tag] * len(value)
        for child, content in zip(element, value, strict=True):
            strict(model, shape["member"]["shape"], child, content)
    elif shape["type"] == "map":
        assert [child.tag for child in element] == ["entry"] * len(value)
        for child, content in zip(element, value.values(), strict=True):
            assert [each.tag for each in child] == ["key", "value"]
            strict(model, shape["value"]["shape"], child[1], content)
    else:
        assert not list(element)
        assert not element.attrib
        if isinstance(value, bool):
            assert element.text == str(value).lower()
        elif isinstance(value, datetime):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", element.text or "")
        elif isinstance(value, str):
            assert (element.text or "") == value


@pytest.mark.parametrize(("service", "action"), CALLS)
def test_members_that_the_model_does_not_know_fail(service: str, action: str) -> None:
    result = sample(service, action)
    shape = service_model(service).operation_model(action).output_shape
    inner, path = result, [action]
    while (found := structure_in(shape)) is not None:
        name, shape = found
        inner = inner[name][0] if isinstance(inner[name], list) else inner[name]
        path.append(name)
    inner["NotOfTheModel"] = "x"
    with pytest.raises(MisfitError, match="NotOfTheModel") as caught:
        encode(request(service, action), result, REQUEST_ID)
    assert re.split(r"\.|\[0\]\.", str(caught.value).split(":")[0]) == [*path, "NotOfTheModel"]


def structure_in(shape: Any) -> tuple[str, Any] | None:
    """The first member that is a structure or a list of structures, and that structure."""
    for name, member in shape.members.items() if shape is not None else ():
        inner = member.member if member.type_name == "list" else member
        if inner.type_name == "structure":
            return name, inner
    return None


def described(vpc: dict[str, Any]) -> str:
    body = encode(request("ec2", "DescribeVpcs"), {"Vpcs": [vpc]}, "id").body.decode()
    found = re.search(r"<vpcSet><item>(.*)</item></vpcSet>", body, re.DOTALL)
    assert found
    return found[1]


def test_none_is_left_out_and_empty_is_shown() -> None:
    assert described({"VpcId": None, "Tags": [], "OwnerId": ""}) == (
        "<tagSet></tagSet><ownerId></ownerId>"
    )
    empty = encode(request("ec2", "DescribeVpcs"), {"Vpcs": [], "NextToken": None}, "id")
    assert b"<vpcSet></vpcSet></DescribeVpcsResponse>" in empty.body


@pytest.mark.parametrize(
    ("vpc", "path"),
    [
        ({"VpcId": 1}, "DescribeVpcs.Vpcs[0].VpcId: a string"),
        ({"VpcId": b"vpc"}, "DescribeVpcs.Vpcs[0].VpcId: a string"),
        ({"IsDefault": "true"}, "DescribeVpcs.Vpcs[0].IsDefault: a boolean"),
        ({"IsDefault": 1}, "DescribeVpcs.Vpcs[0].IsDefault: a boolean"),
        ({"State": "Available"}, "DescribeVpcs.Vpcs[0].State: 'Available' is none of available"),
        ({"Tags": {"Key": "k"}}, "DescribeVpcs.Vpcs[0].Tags: a list"),
        ({"Tags": "abc"}, "DescribeVpcs.Vpcs[0].Tags: a list"),
        ({"Tags": [{"Key": "a"}, {"Key": 2}]}, "DescribeVpcs.Vpcs[0].Tags[1].Key: a string"),
        ({"Tags": [None]}, "DescribeVpcs.Vpcs[0].Tags[0]: a structure"),
        ({"vpcId": "x"}, "DescribeVpcs.Vpcs[0].vpcId: Vpc has no such member"),
    ],
)
def test_wrong_types_name_the_path(vpc: dict[str, Any], path: str) -> None:
    with pytest.raises(MisfitError) as caught:
        described(vpc)
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize("value", ["1", True, 1.5, None])
def test_integers_are_integers(value: Any) -> None:
    subnet = {"Subnets": [{"AvailableIpAddressCount": value}]}
    if value is None:
        assert through_wire(request("ec2", "DescribeSubnets"), subnet) == {"Subnets": [{}]}
        return
    with pytest.raises(MisfitError, match="an integer is expected"):
        encode(request("ec2", "DescribeSubnets"), subnet, "id")


SEOUL = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 11, 24, 8, tzinfo=UTC), "2026-11-24T08:00:00.000Z"),
        (datetime(2026, 11, 24, 17, 0, 0, 999_999, tzinfo=SEOUL), "2026-11-24T08:00:00.999Z"),
        ("2026-11-24T08:00:00.000Z", "2026-11-24T08:00:00.000Z"),
        ("2026-11-24T17:00:00+09:00", "2026-11-24T08:00:00.000Z"),
    ],
)
def test_times(time: Any, text: str) -> None:
    answer = encode(
        request("ec2", "DescribeNatGateways"), {"NatGateways": [{"CreateTime": time}]}, "id"
    )
    assert f"<createTime>{text}</createTime>".encode() in answer.body


@pytest.mark.parametrize("time", ["yesterday", 1700000000, datetime(2026, 1, 1)])  # noqa: DTZ001
def test_times_that_are_none(time: Any) -> None:
    with pytest.raises(MisfitError, match=r"NatGateways\[0\].CreateTime: a time"):
        encode(request("ec2", "DescribeNatGateways"), {"NatGateways": [{"CreateTime": time}]}, "id")


def test_characters_that_xml_cannot_hold_do_not_break_it() -> None:
    hostile = "".join(map(chr, range(0x20))) + "\x7f\ud800\ufffe\uffff�é"
    read = through_wire(
        request("ec2", "DescribeVpcs"), {"Vpcs": [{"OwnerId": hostile}], "NextToken": "\x00"}
    )
    text = read["Vpcs"][0]["OwnerId"]
    assert len(text) == len(hostile)
    assert [c for c in text if c != "�"] == list("\t\n\r\x7fé")
    assert read["NextToken"] == "�"


def test_flat_lists_and_maps_of_the_query_protocol() -> None:
    value = {
        "Leaves": ["a", "b"],
        "Names": ["c"],
        "Map": {"k": 7},
        "Flat": {"f": 8, "g": 9},
        "Me": {"Me": {"Leaves": ["deep"]}},
    }
    out: list[str] = []
    Encoder("query").content(odd_shape())(value, out)
    assert "".join(out) == (
        "<Leaf>a</Leaf><Leaf>b</Leaf>"
        "<Named><Name>c</Name></Named>"
        "<Map><entry><Key>k</Key><value>7</value></entry></Map>"
        "<Flat><key>f</key><value>8</value></Flat><Flat><key>g</key><value>9</value></Flat>"
        "<Me><Me><Leaf>deep</Leaf></Me></Me>"
    )
    with pytest.raises(MisfitError, match=r"Map.k: an integer"):
        Encoder("query").content(odd_shape())({"Map": {"k": "7"}}, [])


def test_a_value_that_aws_sends_beyond_its_own_enum() -> None:
    result = {"InternetGateways": [{"Attachments": [{"State": "available"}]}]}
    assert through_wire(request_for("DescribeInternetGateways", {}), result) == result
