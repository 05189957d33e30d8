"""Groups named across a transit gateway: who may, what is shown, who is let in."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Member
from tests.conftest import Cloud
from tests.resources.building import default_group, make_group, make_interface, plug_in, settle
from tests.resources.transit import Star, make_star


@pytest.fixture
def star(cloud: Cloud) -> Star:
    made = make_star(cloud)
    option = {"SecurityGroupReferencingSupport": "enable"}
    cloud.call("ModifyTransitGateway", TransitGatewayId=made.gateway, Options=option)
    settle(cloud)
    return made


def rule(group: str) -> dict[str, Any]:
    pairs = [{"GroupId": group}]
    return {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": pairs}


def test_an_inbound_rule_names_a_group_of_another_vpc(cloud: Cloud, star: Star) -> None:
    mine = default_group(cloud, star.vpcs[0])["GroupId"]
    theirs = make_group(cloud, star.vpcs[1])
    eni = make_interface(cloud, star.subnets[1], Groups=[theirs])
    plug_in(cloud, eni["NetworkInterfaceId"])
    cloud.call("AuthorizeSecurityGroupIngress", GroupId=mine, IpPermissions=[rule(theirs)])
    shown = default_group(cloud, star.vpcs[0])["IpPermissions"]
    (pair,) = (each for item in shown for each in item["UserIdGroupPairs"]
               if each["GroupId"] == theirs)  # fmt: skip
    named = {"GroupId": theirs, "UserId": cloud.account, "VpcId": star.vpcs[1]}
    assert pair == named
    assert cloud.call("DescribeSecurityGroupReferences", GroupId=[theirs])[
        "SecurityGroupReferenceSet"
    ] == [
        {
            "GroupId": theirs,
            "ReferencingVpcId": star.vpcs[0],
            "TransitGatewayId": star.gateway,
        }
    ]
    member = Member(star.vpcs[0], theirs, eni["PrivateIpAddress"])
    assert member in cloud.program().statements
    option = {"SecurityGroupReferencingSupport": "disable"}
    key = star.attachments[1]
    cloud.call("ModifyTransitGatewayVpcAttachment", TransitGatewayAttachmentId=key, Options=option)
    assert member not in cloud.program().statements
    settle(cloud)
    cloud.call("RevokeSecurityGroupIngress", GroupId=mine, IpPermissions=[rule(theirs)])


def test_who_may_not(cloud: Cloud, star: Star) -> None:
    mine = default_group(cloud, star.vpcs[0])["GroupId"]
    theirs = make_group(cloud, star.vpcs[1])
    asked = {"GroupId": mine, "IpPermissions": [rule(theirs)]}
    assert cloud.error("AuthorizeSecurityGroupEgress", **asked).code == "InvalidGroup.NotFound"
    made = cloud.call("AuthorizeSecurityGroupEgress", GroupId=mine, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ])["SecurityGroupRules"][0]["SecurityGroupRuleId"]  # fmt: skip
    changed = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "ReferencedGroupId": theirs}
    update = [{"SecurityGroupRuleId": made, "SecurityGroupRule": changed}]
    call = "ModifySecurityGroupRules"
    error = cloud.error(call, GroupId=mine, SecurityGroupRules=update)
    assert error.code == "InvalidGroup.NotFound"
    option = {"SecurityGroupReferencingSupport": "disable"}
    cloud.call("ModifyTransitGateway", TransitGatewayId=star.gateway, Options=option)
    assert cloud.error("AuthorizeSecurityGroupIngress", **asked).code == "InvalidGroup.NotFound"
