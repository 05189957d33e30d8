"""Tags: given, taken and listed, for every kind of resource alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gureum.kind import MAX_TAGS
from gureum.program import SegmentMode
from gureum.resources.vpc import Vpc
from tests.conftest import Cloud
from tests.resources.building import (
    make_address,
    make_gateway,
    make_group,
    make_interface,
    make_subnet,
    make_vpc,
    only,
)
from tests.resources.routing import main_of, make_table, refusal

GONE = "vpc-00000000000000001"


def pairs(**tags: str) -> list[dict[str, str]]:
    """Tags as the API takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag(cloud: Cloud, *keys: str, **tags: str) -> None:
    """Give tags to resources."""
    cloud.call("CreateTags", Resources=list(keys), Tags=pairs(**tags))


def tags_of(cloud: Cloud, key: str) -> dict[str, str]:
    """The tags of a resource, as DescribeTags lists them."""
    found = cloud.call("DescribeTags", Filters=only({"resource-id": key}))["Tags"]
    return {item["Key"]: item["Value"] for item in found}


def listed(cloud: Cloud, **params: Any) -> list[tuple[str, str]]:
    """Resource ids and keys that DescribeTags answers."""
    found = cloud.call("DescribeTags", **params)["Tags"]
    return [(item["ResourceId"], item["Key"]) for item in found]


def test_tags_are_added_and_changed(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    tag(cloud, vpc, Name="one", Owner="me")
    tag(cloud, vpc, Name="two")
    assert tags_of(cloud, vpc) == {"Name": "two", "Owner": "me"}
    (shape,) = cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
    assert shape["Tags"] == pairs(Name="two", Owner="me")


def test_every_taggable_kind(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    (group_rule, *_) = cloud.call("DescribeSecurityGroupRules")["SecurityGroupRules"]
    nat = cloud.call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")
    (acl, *_) = cloud.call("DescribeNetworkAcls")["NetworkAcls"]
    (options,) = cloud.call("DescribeDhcpOptions")["DhcpOptions"]
    keys = {
        "vpc": vpc,
        "subnet": subnet,
        "internet-gateway": make_gateway(cloud, vpc),
        "route-table": make_table(cloud, vpc),
        "security-group": make_group(cloud, vpc),
        "security-group-rule": group_rule["SecurityGroupRuleId"],
        "network-interface": make_interface(cloud, subnet)["NetworkInterfaceId"],
        "elastic-ip": make_address(cloud)["AllocationId"],
        "natgateway": nat["NatGateway"]["NatGatewayId"],
        "network-acl": acl["NetworkAclId"],
        "dhcp-options": options["DhcpOptionsId"],
        "key-pair": cloud.call("CreateKeyPair", KeyName="k", KeyType="ed25519")["KeyPairId"],
    }
    tag(cloud, *keys.values(), Owner="me")
    found = cloud.call("DescribeTags")["Tags"]
    assert {item["ResourceType"]: item["ResourceId"] for item in found} == keys
    assert {(item["Key"], item["Value"]) for item in found} == {("Owner", "me")}


def test_a_value_left_out_is_empty(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    cloud.call("CreateTags", Resources=[vpc], Tags=[{"Key": "Name"}])
    assert tags_of(cloud, vpc) == {"Name": ""}


@pytest.mark.parametrize(
    ("key", "code", "message"),
    [
        (GONE, "InvalidVpcID.NotFound", f"The vpc ID '{GONE}' does not exist"),
        (
            "i-00000000000000001",
            "InvalidInstanceID.NotFound",
            "The instance ID 'i-00000000000000001' does not exist",
        ),
        ("vpc-1", "InvalidVpcID.Malformed", 'Invalid id: "vpc-1" (expecting "vpc-...")'),
        ("web", "InvalidID", "The ID 'web' is not valid"),
        ("", "InvalidID", "The ID '' is not valid"),
    ],
)
@pytest.mark.parametrize("action", ["CreateTags", "DeleteTags"])
def test_unknown_ids(cloud: Cloud, action: str, key: str, code: str, message: str) -> None:
    vpc = make_vpc(cloud)
    params = {"Resources": [vpc, key], "Tags": pairs(Name="x")}
    assert refusal(cloud, action, **params) == (code, message)
    assert tags_of(cloud, vpc) == {}


def test_what_has_no_tags_is_no_resource(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    main = main_of(cloud, vpc)["Associations"][0]["RouteTableAssociationId"]
    other = cloud.call(
        "AssociateRouteTable",
        RouteTableId=make_table(cloud, vpc),
        SubnetId=make_subnet(cloud, vpc),
    )["AssociationId"]
    for key in (main, other):
        assert refusal(cloud, "CreateTags", Resources=[key], Tags=pairs(a="b")) == (
            "InvalidID",
            f"The ID '{key}' is not valid",
        )


def test_another_accounts_resource_is_not_there(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    cloud.account = "210987654321"
    code, _ = refusal(cloud, "CreateTags", Resources=[vpc], Tags=pairs(a="b"))
    assert code == "InvalidVpcID.NotFound"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pairs(**{"aws:x": "y"}), "Tag keys starting with 'aws:' are reserved for internal use"),
        ([{"Key": "", "Value": "y"}], "Tag key cannot be empty"),
        ([{"Value": "y"}], "Tag key cannot be empty"),
        (pairs(**{"k" * 128: "y"}), "Tag key exceeds the maximum length of 127 characters"),
        (pairs(x="v" * 256), "Tag value exceeds the maximum length of 255 characters"),
        (pairs(x="y") * 2, "Duplicate tag key 'x' specified."),
    ],
)
def test_bad_tags(cloud: Cloud, given: list[dict[str, str]], message: str) -> None:
    vpc = make_vpc(cloud)
    assert refusal(cloud, "CreateTags", Resources=[vpc], Tags=given) == (
        "InvalidParameterValue",
        message,
    )


def test_a_resource_has_at_most_fifty_tags(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    cloud.system(lambda txn: txn.put(replace(txn.get(Vpc, vpc), tags=(("aws:own", "x"),))))
    tag(cloud, vpc, **{f"k{number}": "v" for number in range(MAX_TAGS)})
    tag(cloud, vpc, k0="w")
    too_many = (
        "TagLimitExceeded",
        "The maximum number of Tags for a resource has been reached.",
    )
    assert refusal(cloud, "CreateTags", Resources=[vpc], Tags=pairs(more="v")) == too_many
    many = pairs(**{f"k{number}": "v" for number in range(MAX_TAGS + 1)})
    specification = [{"ResourceType": "vpc", "Tags": many}]
    params = {"CidrBlock": "10.0.0.0/16", "TagSpecifications": specification}
    assert refusal(cloud, "CreateVpc", **params) == too_many


def test_delete_by_key_and_by_value(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    tag(cloud, vpc, a="1", b="2", c="", d="4")
    wanted = [
        {"Key": "a"},
        {"Key": "b", "Value": "another"},
        {"Key": "c", "Value": ""},
        {"Key": "d", "Value": ""},
        {"Key": "absent"},
    ]
    cloud.call("DeleteTags", Resources=[vpc], Tags=wanted)
    assert tags_of(cloud, vpc) == {"b": "2", "d": "4"}


def test_delete_all_but_awss_own(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    own = ("aws:cloudformation:stack-name", "s")
    cloud.system(lambda txn: txn.put(replace(txn.get(Vpc, vpc), tags=(own,))))
    tag(cloud, vpc, a="1")
    assert refusal(cloud, "DeleteTags", Resources=[vpc], Tags=[{"Key": own[0]}])[0] == (
        "InvalidParameterValue"
    )
    cloud.call("DeleteTags", Resources=[vpc])
    assert tags_of(cloud, vpc) == dict([own])


def test_a_dry_run_tags_nothing(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    code, _ = refusal(cloud, "CreateTags", Resources=[vpc], Tags=pairs(a="b"), DryRun=True)
    assert code == "DryRunOperation"
    assert tags_of(cloud, vpc) == {}


def test_filters(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    tag(cloud, vpc, Name="net", Owner="me")
    tag(cloud, subnet, Name="sub", Owner="you")
    cases: list[tuple[dict[str, str], list[tuple[str, str]]]] = [
        ({"key": "Owner"}, [(vpc, "Owner"), (subnet, "Owner")]),
        ({"value": "net"}, [(vpc, "Name")]),
        ({"value": "?et"}, [(vpc, "Name")]),
        ({"resource-id": subnet}, [(subnet, "Name"), (subnet, "Owner")]),
        ({"resource-type": "vpc", "key": "Owner"}, [(vpc, "Owner")]),
        ({"tag:Owner": "you"}, [(subnet, "Owner")]),
        ({"tag:Owner": "sub"}, []),
    ]
    for filters, expected in cases:
        assert sorted(listed(cloud, Filters=only(filters))) == sorted(expected)
    assert refusal(cloud, "DescribeTags", Filters=only({"tag-key": "x"})) == (
        "InvalidParameterValue",
        "The filter 'tag-key' is invalid",
    )


def test_pages_hold_every_tag_once(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    tag(cloud, vpc, **{f"k{number}": "v" for number in range(12)})
    found, token = [], None
    while True:
        params: dict[str, Any] = {"NextToken": token} if token else {}
        answer = cloud.call("DescribeTags", MaxResults=5, **params)
        found += [item["Key"] for item in answer["Tags"]]
        token = answer.get("NextToken")
        if not token:
            break
    assert sorted(found) == sorted(f"k{number}" for number in range(12))


def test_a_tag_chooses_how_a_subnet_carries_frames(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))

    def mode() -> str:
        (found,) = (
            item.mode
            for item in cloud.program().statements
            if isinstance(item, SegmentMode) and item.segment.id == subnet
        )
        return found

    assert mode() == "fabric"
    tag(cloud, subnet, **{"gureum:segment-mode": "hub"})
    assert mode() == "hub"
    cloud.call("DeleteTags", Resources=[subnet], Tags=[{"Key": "gureum:segment-mode"}])
    assert mode() == "fabric"


# --- tag specifications -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("specifications", "message"),
    [
        (
            [{"ResourceType": "subnet", "Tags": pairs(a="b")}],
            "'subnet' is not a valid taggable resource type for this operation.",
        ),
        (
            # A VPC's default group comes along with it, but cannot be tagged on creation.
            [{"ResourceType": "security-group", "Tags": pairs(a="b")}],
            "'security-group' is not a valid taggable resource type for this operation.",
        ),
        ([{"Tags": pairs(a="b")}], "Tag specification resource type must have a value"),
        ([{"ResourceType": "vpc"}], "Tag specification must have at least one tag"),
        (
            [{"ResourceType": "vpc", "Tags": pairs(a="b")}] * 2,
            "The resource type 'vpc' is given in more than one tag specification.",
        ),
        (
            [{"ResourceType": "vpc", "Tags": pairs(a="b") * 2}],
            "Duplicate tag key 'a' specified.",
        ),
    ],
)
def test_bad_tag_specifications(
    cloud: Cloud, specifications: list[dict[str, Any]], message: str
) -> None:
    params = {"CidrBlock": "10.0.0.0/16", "TagSpecifications": specifications}
    assert refusal(cloud, "CreateVpc", **params) == ("InvalidParameterValue", message)
    assert len(cloud.call("DescribeVpcs")["Vpcs"]) == 1


def test_each_kind_that_a_call_makes_gets_its_own_tags(cloud: Cloud) -> None:
    (image, *_) = cloud.call("DescribeImages")["Images"]
    kinds = ("instance", "volume", "network-interface")
    specifications = [{"ResourceType": kind, "Tags": pairs(Kind=kind)} for kind in kinds]
    launch = {"ImageId": image["ImageId"], "MinCount": 1, "MaxCount": 1}
    cloud.call("RunInstances", **launch, TagSpecifications=specifications)
    found = cloud.call("DescribeTags")["Tags"]
    assert {item["ResourceType"]: item["Value"] for item in found} == {kind: kind for kind in kinds}
    wrong = [*specifications, {"ResourceType": "vpc", "Tags": pairs(a="b")}]
    assert refusal(cloud, "RunInstances", **launch, TagSpecifications=wrong) == (
        "InvalidParameterValue",
        "'vpc' is not a valid taggable resource type for this operation.",
    )
