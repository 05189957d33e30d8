"""Policy tables, metering policies, network functions, translation and announcements of transit
gateways, as records."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal
from tests.resources.transit import Star, attachment, make_star, make_transit, new_table

BALANCER = (
    "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/gwy/a/0123456789abcdef"
)


@pytest.fixture
def star(cloud: Cloud) -> Star:
    return make_star(cloud)


# --- policy tables ------------------------------------------------------------------------------
def policy_table(cloud: Cloud, gateway: str) -> str:
    made = cloud.call("CreateTransitGatewayPolicyTable", TransitGatewayId=gateway)
    settle(cloud)
    return str(made["TransitGatewayPolicyTable"]["TransitGatewayPolicyTableId"])


def test_a_policy_table_and_who_is_associated(cloud: Cloud, star: Star) -> None:
    key, link = policy_table(cloud, star.gateway), star.attachments[0]
    (shown,) = cloud.call("DescribeTransitGatewayPolicyTables")["TransitGatewayPolicyTables"]
    assert (shown["TransitGatewayPolicyTableId"], shown["State"]) == (key, "available")
    pair = {"TransitGatewayPolicyTableId": key, "TransitGatewayAttachmentId": link}
    associate = "AssociateTransitGatewayPolicyTable"
    assert refusal(cloud, associate, **pair)[0] == "Resource.AlreadyAssociated"
    cloud.call(
        "DisassociateTransitGatewayRouteTable",
        TransitGatewayRouteTableId=star.table,
        TransitGatewayAttachmentId=link,
    )
    settle(cloud)
    made = cloud.call(associate, **pair)["Association"]
    assert made == {**pair, "ResourceId": star.vpcs[0], "ResourceType": "vpc",
                    "State": "associating"}  # fmt: skip
    assert refusal(cloud, associate, **pair)[0] == "Resource.AlreadyAssociated"
    settle(cloud)
    asked = {"TransitGatewayPolicyTableId": key}
    listed = cloud.call("GetTransitGatewayPolicyTableAssociations", **asked)["Associations"]
    assert listed == [made | {"State": "associated"}]
    assert refusal(cloud, "DeleteTransitGatewayPolicyTable", **asked)[0] == "IncorrectState"
    gone = cloud.call("DisassociateTransitGatewayPolicyTable", **pair)["Association"]
    assert gone["State"] == "disassociating"
    assert refusal(cloud, "DisassociateTransitGatewayPolicyTable", **pair)[0] == (
        "InvalidTransitGatewayPolicyTableAssociation.NotFound"
    )
    cloud.call("DeleteTransitGatewayPolicyTable", **asked)
    assert refusal(cloud, "DeleteTransitGatewayPolicyTable", **asked)[0] == (
        "InvalidTransitGatewayPolicyTableId.NotFound"
    )


def test_entries_of_a_policy_table(cloud: Cloud, star: Star) -> None:
    key = policy_table(cloud, star.gateway)
    table = {"TransitGatewayPolicyTableId": key}
    rule = {
        "SourceCidrBlock": "10.0.0.0/16",
        "DestinationPortRange": "80-443",
        "Protocol": "6",
        "MetaData": {"MetaDataKey": "segment", "MetaDataValue": "prod"},
    }

    def make(number: str, **more: Any) -> dict[str, Any]:
        asked = {"PolicyRuleNumber": number, "PolicyRule": rule, "TargetRouteTableId": star.table}
        return dict(
            cloud.call("CreateTransitGatewayPolicyTableEntry", **table, **{**asked, **more})[
                "TransitGatewayPolicyTableEntry"
            ]
        )

    made = make("20")
    assert made == {
        "PolicyRuleNumber": "20",
        "PolicyRule": rule,
        "TargetRouteTableId": star.table,
        "State": "active",
    }
    first = make("3", PolicyRule={})
    listed, result = "GetTransitGatewayPolicyTableEntries", "TransitGatewayPolicyTableEntries"
    assert cloud.call(listed, **table)[result] == [first, made]
    filters = only({"policy-rule.meta-data.value": "prod", "policy-rule.protocol": "6"})
    assert cloud.call(listed, **table, Filters=filters)[result] == [made]
    changed = cloud.call(
        "ModifyTransitGatewayPolicyTableEntry",
        **table,
        PolicyRuleNumber="20",
        PolicyRule={"Protocol": "17"},
    )["TransitGatewayPolicyTableEntry"]
    assert changed["PolicyRule"] == {**rule, "Protocol": "17"}
    good = {"PolicyRuleNumber": "5", "TargetRouteTableId": star.table}
    elsewhere = new_table(cloud, make_transit(cloud))
    for more, code in (
        ({"PolicyRuleNumber": "20"}, "InvalidParameterValue"),
        ({"PolicyRuleNumber": "x"}, "InvalidParameterValue"),
        ({"PolicyRule": {"SourceCidrBlock": "10.0.0.1/16"}}, "InvalidParameterValue"),
        ({"PolicyRule": {"SourcePortRange": "9-1", "Protocol": "6"}}, "InvalidParameterValue"),
        ({"PolicyRule": {"SourcePortRange": "9"}}, "InvalidParameterCombination"),
        ({"PolicyRule": {"Protocol": "2"}}, "InvalidParameterValue"),
        ({"TargetRouteTableId": elsewhere}, "InvalidParameterValue"),
    ):
        asked = {**table, **good, **more}
        assert refusal(cloud, "CreateTransitGatewayPolicyTableEntry", **asked)[0] == code
    gone = cloud.call("DeleteTransitGatewayPolicyTableEntry", **table, PolicyRuleNumber="20")
    assert gone["TransitGatewayPolicyTableEntry"]["State"] == "deleted"
    again = {**table, "PolicyRuleNumber": "20"}
    assert refusal(cloud, "DeleteTransitGatewayPolicyTableEntry", **again)[0] == (
        "InvalidParameterValue"
    )


# --- metering -----------------------------------------------------------------------------------
def test_a_metering_policy(cloud: Cloud, star: Star) -> None:
    one, two = star.attachments
    made = cloud.call(
        "CreateTransitGatewayMeteringPolicy",
        TransitGatewayId=star.gateway,
        MiddleboxAttachmentIds=[one],
    )["TransitGatewayMeteringPolicy"]
    key = made["TransitGatewayMeteringPolicyId"]
    policy = {"TransitGatewayMeteringPolicyId": key}
    assert (made["State"], made["MiddleboxAttachmentIds"]) == ("pending", [one])
    again = {"TransitGatewayId": star.gateway}
    code, _ = refusal(cloud, "CreateTransitGatewayMeteringPolicy", **again)
    assert code == "Resource.AlreadyAssociated"
    changed = cloud.call(
        "ModifyTransitGatewayMeteringPolicy",
        **policy,
        AddMiddleboxAttachmentIds=[two],
        RemoveMiddleboxAttachmentIds=[one],
    )["TransitGatewayMeteringPolicy"]
    assert (changed["State"], changed["MiddleboxAttachmentIds"]) == ("modifying", [two])
    settle(cloud)
    (shown,) = cloud.call("DescribeTransitGatewayMeteringPolicies")[
        "TransitGatewayMeteringPolicies"
    ]
    assert shown == changed | {"State": "available"}
    unknown = {**policy, "RemoveMiddleboxAttachmentIds": [one]}
    code, _ = refusal(cloud, "ModifyTransitGatewayMeteringPolicy", **unknown)
    assert code == "InvalidParameterValue"
    entry = cloud.call(
        "CreateTransitGatewayMeteringPolicyEntry",
        **policy,
        PolicyRuleNumber=10,
        MeteredAccount="transit-gateway-owner",
        SourceTransitGatewayAttachmentId=one,
        DestinationTransitGatewayAttachmentType="vpc",
        DestinationCidrBlock="10.0.0.0/8",
        DestinationPortRange="443",
        Protocol="6",
    )["TransitGatewayMeteringPolicyEntry"]
    assert entry["MeteringPolicyRule"] == {
        "SourceTransitGatewayAttachmentId": one,
        "DestinationTransitGatewayAttachmentType": "vpc",
        "DestinationCidrBlock": "10.0.0.0/8",
        "DestinationPortRange": "443",
        "Protocol": "6",
    }
    listed = cloud.call("GetTransitGatewayMeteringPolicyEntries", **policy)
    assert listed["TransitGatewayMeteringPolicyEntries"] == [entry]
    good = {"PolicyRuleNumber": 11, "MeteredAccount": "source-attachment-owner"}
    for more, code in (
        ({"PolicyRuleNumber": 10}, "InvalidParameterValue"),
        ({"PolicyRuleNumber": 32767}, "InvalidParameterValue"),
        ({"Protocol": "tcp"}, "InvalidParameterValue"),
        ({"SourcePortRange": "80"}, "InvalidParameterCombination"),
        (
            {
                "SourceTransitGatewayAttachmentId": one,
                "SourceTransitGatewayAttachmentType": "vpc",
            },
            "InvalidParameterCombination",
        ),
    ):
        asked = {**policy, **good, **more}
        assert refusal(cloud, "CreateTransitGatewayMeteringPolicyEntry", **asked)[0] == code
    gone = cloud.call("DeleteTransitGatewayMeteringPolicyEntry", **policy, PolicyRuleNumber=10)
    assert gone["TransitGatewayMeteringPolicyEntry"]["State"] == "deleted"
    cloud.call("DeleteTransitGatewayMeteringPolicy", **policy)
    assert refusal(cloud, "DeleteTransitGatewayMeteringPolicy", **policy)[0] == (
        "InvalidTransitGatewayMeteringPolicyId.NotFound"
    )


# --- network functions --------------------------------------------------------------------------
def test_a_network_function_attachment(cloud: Cloud) -> None:
    gateway = make_transit(cloud)
    service = cloud.call(
        "CreateVpcEndpointServiceConfiguration",
        GatewayLoadBalancerArns=[BALANCER],
        AcceptanceRequired=False,
    )["ServiceConfiguration"]
    zone, other = service["AvailabilityZones"][:2]
    asked = {
        "TransitGatewayId": gateway,
        "ServiceName": service["ServiceName"],
        "AvailabilityZones": [zone],
    }
    name = "TransitGatewayNetworkFunctionAttachment"
    made = cloud.call(f"Create{name}", **asked)[name]
    key = made["TransitGatewayAttachmentId"]
    assert (made["State"], made["AvailabilityZones"]) == ("pending", [zone])
    assert made["ResourceId"] == service["ServiceId"]
    settle(cloud)
    assert attachment(cloud, key)["ResourceType"] == "network-function"
    filters = only({"service-name": service["ServiceName"], "state": "available"})
    result = cloud.call(f"Describe{name}s", Filters=filters)[f"{name}s"]
    assert [each["TransitGatewayAttachmentId"] for each in result] == [key]
    code, _ = refusal(cloud, f"Create{name}", **asked)
    assert code == "DuplicateTransitGatewayAttachment"
    one = {"TransitGatewayAttachmentId": key}
    changed = cloud.call(
        f"Modify{name}", **one, AddAvailabilityZones=[other], RemoveAvailabilityZones=[zone]
    )[name]
    assert (changed["State"], changed["AvailabilityZones"]) == ("modifying", [other])
    settle(cloud)
    for more, code in (
        ({}, "MissingParameter"),
        ({"RemoveAvailabilityZones": [other]}, "InvalidParameterValue"),
        ({"RemoveAvailabilityZones": [zone]}, "InvalidParameterValue"),
        (
            {"RemoveAvailabilityZones": [other], "AddAvailabilityZones": [other]},
            "InvalidParameterCombination",
        ),
    ):
        assert refusal(cloud, f"Modify{name}", **one, **more)[0] == code
    assert cloud.call(f"Delete{name}", **one)[name]["State"] == "deleting"
    settle(cloud)
    assert refusal(cloud, f"Delete{name}", **one)[0] == (
        "InvalidTransitGatewayAttachmentID.NotFound"
    )
    wrong: dict[str, Any]
    for wrong, code in (
        ({"AvailabilityZones": []}, "MissingParameter"),
        ({"AvailabilityZones": ["us-east-1a"]}, "InvalidParameterValue"),
        ({"ServiceName": "com.example.none"}, "InvalidServiceName"),
        ({"ServiceName": "com.amazonaws.ap-northeast-2.ec2"}, "InvalidParameter"),
    ):
        assert refusal(cloud, f"Create{name}", **{**asked, **wrong})[0] == code


# --- translation and announcements --------------------------------------------------------------
def test_translation_of_an_attachment(cloud: Cloud, star: Star) -> None:
    one = {"TransitGatewayAttachmentId": star.attachments[0]}
    get, modify = (f"{verb}TransitGatewayAttachmentNatConfiguration" for verb in ("Get", "Modify"))
    assert cloud.call(get, **one) == {
        **one,
        "NatGatewaySupport": "disabled",
        "NatSystemRouteSupport": "disable",
        "NatGatewayRules": [],
    }
    rule = {"RuleNumber": 5, "MatchSourceCidr": "10.0.0.0/16", "NatCidr": "100.64.0.0/16"}
    made = cloud.call(modify, **one, NatGatewaySupport="enable", NatGatewayRules=[rule])
    assert made["NatGatewaySupport"] == "enabled"
    assert made["NatGatewayRules"] == [rule | {"State": "activated"}]
    assert cloud.call(modify, **one, NatSystemRouteSupport="enable") == made | {
        "NatSystemRouteSupport": "enable"
    }
    for item, code in (
        ({**rule, "RuleNumber": 0}, "InvalidParameterValue"),
        ({**rule, "NatCidr": "198.51.100.0/24"}, "InvalidParameterValue"),
        ({**rule, "NatCidr": "100.64.0.0/17"}, "InvalidParameterValue"),
        ({**rule, "MatchSourceCidr": "224.0.0.0/16"}, "InvalidParameterValue"),
        ({"RuleNumber": 5}, "MissingParameter"),
    ):
        assert refusal(cloud, modify, **one, NatGatewayRules=[item])[0] == code
    both = {"NatGatewayRules": [rule], "ResetNatGatewayRules": True}
    assert refusal(cloud, modify, **one, **both)[0] == "InvalidParameterCombination"
    assert cloud.call(modify, **one, ResetNatGatewayRules=True)["NatGatewayRules"] == []


def test_route_tables_are_announced_over_peerings_only(cloud: Cloud, star: Star) -> None:
    asked = {
        "TransitGatewayRouteTableId": star.table,
        "PeeringAttachmentId": star.attachments[0],
    }
    name = "TransitGatewayRouteTableAnnouncement"
    assert refusal(cloud, f"Create{name}", **asked)[0] == "InvalidParameterValue"
    assert cloud.call(f"Describe{name}s")[f"{name}s"] == []
    missing = {f"{name}Id": "tgw-rtb-announcement-0123456789abcdef0"}
    assert refusal(cloud, f"Delete{name}", **missing)[0] == f"Invalid{name}Id.NotFound"


def test_a_route_table_is_announced(cloud: Cloud, star: Star) -> None:
    made = cloud.call(
        "CreateTransitGatewayPeeringAttachment",
        TransitGatewayId=star.gateway,
        PeerTransitGatewayId=make_transit(cloud),
        PeerAccountId="123456789012",
        PeerRegion="ap-northeast-2",
    )["TransitGatewayPeeringAttachment"]
    key, far = made["TransitGatewayAttachmentId"], made["AccepterTgwInfo"]["TransitGatewayId"]
    settle(cloud)
    cloud.call("AcceptTransitGatewayPeeringAttachment", TransitGatewayAttachmentId=key)
    settle(cloud)
    name = "TransitGatewayRouteTableAnnouncement"
    asked = {"TransitGatewayRouteTableId": star.table, "PeeringAttachmentId": key}
    announced = cloud.call(f"Create{name}", **asked)[name]
    assert announced["TransitGatewayId"] == star.gateway
    assert announced["PeerTransitGatewayId"] == far
    assert (announced["AnnouncementDirection"], announced["State"]) == ("outgoing", "pending")
    assert refusal(cloud, f"Create{name}", **asked)[0] == "Resource.AlreadyAssociated"
    settle(cloud)
    (shown,) = cloud.call(f"Describe{name}s")[f"{name}s"]
    assert shown == announced | {"State": "available"}
    one = {f"{name}Id": announced[f"{name}Id"]}
    assert cloud.call(f"Delete{name}", **one)[name]["State"] == "deleting"
    assert refusal(cloud, f"Delete{name}", **one)[0] == f"Invalid{name}Id.NotFound"
