"""Security groups beyond their VPC: associated, usable there, in force there, stale."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Filter, Guard, Member
from tests.conftest import Cloud
from tests.resources.building import (
    default_group,
    make_group,
    make_interface,
    make_subnet,
    make_vpc,
    only,
    plug_in,
)
from tests.resources.routing import refusal


def allow(cloud: Cloud, group: str, peer: str) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
            "UserIdGroupPairs": [{"GroupId": peer}]}  # fmt: skip
    cloud.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])


@pytest.fixture
def pair(cloud: Cloud) -> dict[str, str]:
    """A group of one VPC that is associated with another."""
    home, other = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    both = {"GroupId": make_group(cloud, home), "VpcId": other}
    assert cloud.call("AssociateSecurityGroupVpc", **both) == {"State": "associating"}
    return {**both, "home": home}


def test_associations_are_listed(cloud: Cloud, pair: dict[str, str]) -> None:
    both = {"GroupId": pair["GroupId"], "VpcId": pair["VpcId"]}
    shape = {
        **both,
        "VpcOwnerId": "123456789012",
        "GroupOwnerId": "123456789012",
        "State": "associated",
    }
    listed = "DescribeSecurityGroupVpcAssociations"
    for name, value in (
        ("group-id", pair["GroupId"]),
        ("vpc-id", pair["VpcId"]),
        ("state", "associated"),
        ("group-owner-id", "123456789012"),
        ("vpc-owner-id", "123456789012"),
    ):
        found = cloud.call(listed, Filters=only({name: value}))["SecurityGroupVpcAssociations"]
        assert found == [shape]
    assert cloud.call("AssociateSecurityGroupVpc", **both) == {"State": "associated"}
    assert refusal(cloud, "DeleteSecurityGroup", GroupId=pair["GroupId"])[0] == (
        "DependencyViolation"
    )
    gone = cloud.call("DisassociateSecurityGroupVpc", **both)
    assert gone == {"State": "disassociating"}
    assert cloud.call(listed)["SecurityGroupVpcAssociations"] == []
    code, _ = refusal(cloud, "DisassociateSecurityGroupVpc", **both)
    assert code == "InvalidSecurityGroupVpcAssociation.NotFound"
    cloud.call("DeleteSecurityGroup", GroupId=pair["GroupId"])


def test_what_cannot_be_associated(cloud: Cloud, pair: dict[str, str]) -> None:
    (default,) = cloud.call("DescribeVpcs", Filters=only({"is-default": "true"}))["Vpcs"]
    for group, vpc in (
        (default_group(cloud, pair["home"])["GroupId"], pair["VpcId"]),
        (pair["GroupId"], default["VpcId"]),
        (pair["GroupId"], pair["home"]),
        (make_group(cloud, default["VpcId"]), pair["VpcId"]),
    ):
        both = {"GroupId": group, "VpcId": vpc}
        assert refusal(cloud, "AssociateSecurityGroupVpc", **both)[0] == "InvalidParameterValue"


def test_groups_for_a_vpc(cloud: Cloud, pair: dict[str, str]) -> None:
    def ids(vpc: str, **filters: str) -> list[str]:
        asked = only({name.replace("_", "-"): value for name, value in filters.items()})
        found = cloud.call("GetSecurityGroupsForVpc", VpcId=vpc, Filters=asked)
        return [item["GroupId"] for item in found["SecurityGroupForVpcs"]]

    default = default_group(cloud, pair["VpcId"])["GroupId"]
    assert set(ids(pair["VpcId"])) == {default, pair["GroupId"]}
    assert ids(pair["VpcId"], primary_vpc_id=pair["home"]) == [pair["GroupId"]]
    assert default not in ids(pair["home"])
    found = cloud.call("GetSecurityGroupsForVpc", VpcId=pair["VpcId"], MaxResults=5)
    (shape,) = (s for s in found["SecurityGroupForVpcs"] if s["GroupId"] == pair["GroupId"])
    assert shape == {
        "GroupId": pair["GroupId"],
        "GroupName": "web",
        "Description": "web",
        "OwnerId": "123456789012",
        "PrimaryVpcId": pair["home"],
        "Tags": [],
    }


def test_its_rules_are_in_force_in_the_other_vpc(cloud: Cloud, pair: dict[str, str]) -> None:
    group, other = pair["GroupId"], pair["VpcId"]
    local = make_group(cloud, other, "local")
    allow(cloud, group, local)
    subnet = make_subnet(cloud, other, "10.1.1.0/24")
    eni = make_interface(cloud, subnet, Groups=[group])
    plug_in(cloud, eni["NetworkInterfaceId"])
    plug_in(cloud, make_interface(cloud, subnet, Groups=[local])["NetworkInterfaceId"], "i-b")
    statements = cloud.program().statements
    (guard,) = (s for s in statements if isinstance(s, Guard) and s.filter_in == f"{group}/in")
    assert guard.port.segment.router == other
    (filter_,) = (s for s in statements if isinstance(s, Filter) and s.id == f"{group}/in")
    assert (filter_.router, [rule.peer for rule in filter_.rules]) == (other, [local])
    assert {s.group for s in statements if isinstance(s, Member)} >= {group, local}
    both = {"GroupId": group, "VpcId": other}
    assert refusal(cloud, "DisassociateSecurityGroupVpc", **both)[0] == "DependencyViolation"
    home = make_subnet(cloud, pair["home"])
    assert refusal(cloud, "CreateNetworkInterface", SubnetId=home, Groups=[local])[0] == (
        "InvalidParameterValue"
    )


def test_rules_are_stale_once_no_vpc_is_shared(cloud: Cloud, pair: dict[str, str]) -> None:
    group, other = pair["GroupId"], pair["VpcId"]
    local = make_group(cloud, other, "local")
    allow(cloud, local, group)

    def stale(vpc: str) -> list[dict[str, Any]]:
        found = cloud.call("DescribeStaleSecurityGroups", VpcId=vpc)["StaleSecurityGroupSet"]
        return list(found)

    assert stale(other) == []
    cloud.call("DisassociateSecurityGroupVpc", GroupId=group, VpcId=other)
    (shape,) = stale(other)
    assert (shape["GroupId"], shape["GroupName"], shape["VpcId"]) == (local, "local", other)
    (item,) = shape["StaleIpPermissions"]
    assert (item["IpProtocol"], item["FromPort"]) == ("tcp", 80)
    assert item["UserIdGroupPairs"] == [
        {"GroupId": group, "UserId": "123456789012", "VpcId": pair["home"]}
    ]
    assert shape["StaleIpPermissionsEgress"] == []
    assert stale(pair["home"]) == []


def test_references_from_peers(cloud: Cloud, pair: dict[str, str]) -> None:
    found = cloud.call("DescribeSecurityGroupReferences", GroupId=[pair["GroupId"]])
    assert found["SecurityGroupReferenceSet"] == []
    asked = {"GroupId": ["sg-00000000000000001"]}
    code, _ = refusal(cloud, "DescribeSecurityGroupReferences", **asked)
    assert code == "InvalidGroup.NotFound"


def test_quotas_of_an_interface(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    groups = [make_group(cloud, vpc, f"g{number}") for number in range(6)]
    action = "ValidateSecurityGroupQuotasForInterface"
    assert cloud.call(action, SecurityGroupIds=groups[:5])["Valid"] is True
    for keys, code in (
        (groups, "SecurityGroupsPerInterfaceLimitExceeded"),
        ([groups[0], groups[0]], "InvalidParameterValue"),
        (["sg-00000000000000001"], "InvalidGroup.NotFound"),
    ):
        assert refusal(cloud, action, SecurityGroupIds=keys)[0] == code
