"""Endpoint services that accounts offer: who may connect, who is accepted, what is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import make_subnet, make_vpc, only, settle
from tests.resources.routing import refusal

BALANCER = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/a/0123"
OTHER = "210987654321"
GONE = "vpce-svc-0000000000000000a"


@pytest.fixture
def other(cloud: Cloud) -> Cloud:
    """The same cloud as another account sees it."""
    made = Cloud(account=OTHER)
    made.store, made.dispatch, made.compiler = cloud.store, cloud.dispatch, cloud.compiler
    return made


def offer(cloud: Cloud, **more: Any) -> dict[str, Any]:
    params = {"NetworkLoadBalancerArns": [BALANCER], **more}
    answer = cloud.call("CreateVpcEndpointServiceConfiguration", **params)
    return dict(answer["ServiceConfiguration"])


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    answer = cloud.call("DescribeVpcEndpointServiceConfigurations", ServiceIds=[key])
    return dict(answer["ServiceConfigurations"][0])


def connect(cloud: Cloud, name: str) -> dict[str, Any]:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    answer = cloud.call(
        "CreateVpcEndpoint",
        VpcId=vpc,
        ServiceName=name,
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
    )
    return dict(answer["VpcEndpoint"])


def state(cloud: Cloud, key: str) -> str:
    (shape,) = cloud.call("DescribeVpcEndpoints", VpcEndpointIds=[key])["VpcEndpoints"]
    return str(shape["State"])


def permit(cloud: Cloud, key: str, *principals: str) -> dict[str, Any]:
    return cloud.call(
        "ModifyVpcEndpointServicePermissions", ServiceId=key, AddAllowedPrincipals=principals
    )


def test_a_service_is_made_changed_and_deleted(cloud: Cloud) -> None:
    made = offer(cloud, ClientToken="once")
    assert offer(cloud, ClientToken="once") == made
    key = made["ServiceId"]
    assert made["ServiceName"] == f"com.amazonaws.vpce.ap-northeast-2.{key}"
    assert (made["ServiceState"], made["AcceptanceRequired"]) == ("Available", True)
    assert made["ServiceType"] == [{"ServiceType": "Interface"}]
    second = BALANCER.replace("/a/", "/b/")
    cloud.call(
        "ModifyVpcEndpointServiceConfiguration",
        ServiceId=key,
        AcceptanceRequired=False,
        AddNetworkLoadBalancerArns=[second],
        RemoveNetworkLoadBalancerArns=[BALANCER],
    )
    shown = show(cloud, key)
    assert shown["NetworkLoadBalancerArns"] == [second]
    assert shown["AcceptanceRequired"] is False
    none = {"ServiceId": key, "RemoveNetworkLoadBalancerArns": [second]}
    assert refusal(cloud, "ModifyVpcEndpointServiceConfiguration", **none)[0] == "InvalidParameter"
    cloud.call(
        "ModifyVpcEndpointServicePayerResponsibility",
        ServiceId=key,
        PayerResponsibility="ServiceOwner",
    )
    assert show(cloud, key)["PayerResponsibility"] == "ServiceOwner"
    answer = cloud.call("DeleteVpcEndpointServiceConfigurations", ServiceIds=[key, GONE])
    assert [each["ResourceId"] for each in answer["Unsuccessful"]] == [GONE]
    assert answer["Unsuccessful"][0]["Error"]["Code"] == "InvalidVpcEndpointService.NotFound"
    refused = refusal(cloud, "DescribeVpcEndpointServiceConfigurations", ServiceIds=[key])
    assert refused[0] == "InvalidVpcEndpointServiceId.NotFound"


def test_who_may_have_endpoints(cloud: Cloud, other: Cloud) -> None:
    made = offer(cloud)
    key, name = made["ServiceId"], made["ServiceName"]
    ask: dict[str, Any] = {"ServiceNames": [name]}
    assert cloud.call("DescribeVpcEndpointServices", **ask)["ServiceNames"] == [name]
    assert refusal(other, "DescribeVpcEndpointServices", **ask)[0] == "InvalidServiceName"
    principal = f"arn:aws:iam::{OTHER}:root"
    (added,) = permit(cloud, key, principal)["AddedPrincipals"]
    assert (added["PrincipalType"], added["Principal"]) == ("Account", principal)
    assert permit(cloud, key, principal)["AddedPrincipals"] == []
    (detail,) = other.call("DescribeVpcEndpointServices", **ask)["ServiceDetails"]
    assert (detail["Owner"], detail["ServiceId"]) == (cloud.account, key)
    permit(cloud, key, "*", f"arn:aws:iam::{OTHER}:role/admin")
    listed = cloud.call("DescribeVpcEndpointServicePermissions", ServiceId=key)
    found = [each["PrincipalType"] for each in listed["AllowedPrincipals"]]
    assert found == ["Account", "All", "Role"]
    filtered = cloud.call(
        "DescribeVpcEndpointServicePermissions",
        ServiceId=key,
        Filters=only({"principal-type": "All"}),
    )
    assert [each["Principal"] for each in filtered["AllowedPrincipals"]] == ["*"]
    bad = {"ServiceId": key, "AddAllowedPrincipals": ["somebody"]}
    assert refusal(cloud, "ModifyVpcEndpointServicePermissions", **bad)[0] == "InvalidPrincipal"
    cloud.call(
        "ModifyVpcEndpointServicePermissions",
        ServiceId=key,
        RemoveAllowedPrincipals=["*", principal, f"arn:aws:iam::{OTHER}:role/admin"],
    )
    assert refusal(other, "DescribeVpcEndpointServices", **ask)[0] == "InvalidServiceName"


def test_connections_are_accepted_and_rejected(cloud: Cloud, other: Cloud) -> None:
    made = offer(cloud)
    key = made["ServiceId"]
    permit(cloud, key, "*")
    end = connect(other, made["ServiceName"])
    mine = end["VpcEndpointId"]
    assert (end["State"], end["PrivateDnsEnabled"]) == ("pendingAcceptance", False)
    assert "PolicyDocument" not in end
    settle(other)
    assert state(other, mine) == "pendingAcceptance"
    (waiting,) = cloud.call(
        "DescribeVpcEndpointConnections",
        Filters=only({"service-id": key, "vpc-endpoint-state": "pendingAcceptance"}),
    )["VpcEndpointConnections"]
    assert (waiting["VpcEndpointOwner"], waiting["VpcEndpointId"]) == (OTHER, mine)
    assert other.call("DescribeVpcEndpointConnections")["VpcEndpointConnections"] == []
    ask: dict[str, Any] = {"ServiceId": key, "VpcEndpointIds": [mine]}
    refused = refusal(other, "AcceptVpcEndpointConnections", **ask)
    assert refused[0] == "InvalidVpcEndpointServiceId.NotFound"
    assert cloud.call("AcceptVpcEndpointConnections", **ask)["Unsuccessful"] == []
    settle(other)
    assert state(other, mine) == "available"
    (failed,) = cloud.call("AcceptVpcEndpointConnections", **ask)["Unsuccessful"]
    assert (failed["ResourceId"], failed["Error"]["Code"]) == (mine, "InvalidState")
    (failed,) = cloud.call("DeleteVpcEndpointServiceConfigurations", ServiceIds=[key])[
        "Unsuccessful"
    ]
    assert failed["Error"]["Code"] == "ExistingVpcEndpointConnections"
    assert cloud.call("RejectVpcEndpointConnections", **ask)["Unsuccessful"] == []
    assert state(other, mine) == "rejected"
    cloud.call("DeleteVpcEndpointServiceConfigurations", ServiceIds=[key])
    other.call("DeleteVpcEndpoints", VpcEndpointIds=[mine])
    settle(other)
    assert other.call("DescribeVpcEndpoints")["VpcEndpoints"] == []


def test_a_private_name_is_for_those_after_its_verification(cloud: Cloud) -> None:
    made = offer(cloud, PrivateDnsName="api.example.com", AcceptanceRequired=False)
    proof = made["PrivateDnsNameConfiguration"]
    assert (proof["State"], proof["Type"]) == ("pendingVerification", "TXT")
    vpc = make_vpc(cloud)
    cloud.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    ask: dict[str, Any] = {
        "VpcId": vpc,
        "ServiceName": made["ServiceName"],
        "VpcEndpointType": "Interface",
        "PrivateDnsEnabled": True,
    }
    refused = refusal(cloud, "CreateVpcEndpoint", **ask)
    assert "does not provide a private DNS name" in refused[1]
    key = made["ServiceId"]
    cloud.call("StartVpcEndpointServicePrivateDnsVerification", ServiceId=key)
    end = cloud.call("CreateVpcEndpoint", **ask)["VpcEndpoint"]
    assert end["State"] == "pending"
    assert end["DnsEntries"][-1]["DnsName"] == "api.example.com"
    cloud.call("ModifyVpcEndpointServiceConfiguration", ServiceId=key, RemovePrivateDnsName=True)
    assert "PrivateDnsName" not in show(cloud, key)
    refused = refusal(cloud, "StartVpcEndpointServicePrivateDnsVerification", ServiceId=key)
    assert refused[0] == "InvalidParameter"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "InvalidParameter"),
        ({"NetworkLoadBalancerArns": ["x"]}, "InvalidParameter"),
        (
            {"NetworkLoadBalancerArns": [BALANCER], "GatewayLoadBalancerArns": [BALANCER]},
            "InvalidParameterCombination",
        ),
        (
            {"NetworkLoadBalancerArns": [BALANCER], "SupportedIpAddressTypes": ["ipv6"]},
            "UnsupportedOperation",
        ),
    ],
)
def test_refused(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    assert refusal(cloud, "CreateVpcEndpointServiceConfiguration", **params)[0] == code


def test_notifications(cloud: Cloud) -> None:
    key = offer(cloud)["ServiceId"]
    topic = "arn:aws:sns:ap-northeast-2:123456789012:told"
    ask: dict[str, Any] = {
        "ServiceId": key,
        "ConnectionNotificationArn": topic,
        "ConnectionEvents": ["Accept", "Reject"],
    }
    made = cloud.call("CreateVpcEndpointConnectionNotification", **ask)["ConnectionNotification"]
    assert (made["ServiceId"], made["ConnectionNotificationState"]) == (key, "Enabled")
    one = {"ConnectionNotificationId": made["ConnectionNotificationId"]}
    cloud.call("ModifyVpcEndpointConnectionNotification", **one, ConnectionEvents=["Delete"])
    answer = cloud.call("DescribeVpcEndpointConnectionNotifications", **one)
    (shown,) = answer["ConnectionNotificationSet"]
    assert shown["ConnectionEvents"] == ["Delete"]
    by = cloud.call(
        "DescribeVpcEndpointConnectionNotifications", Filters=only({"service-id": GONE})
    )
    assert by["ConnectionNotificationSet"] == []
    for change, code in (
        ({"ConnectionEvents": ["Never"]}, "InvalidParameter"),
        ({"ConnectionNotificationArn": "topic"}, "InvalidParameter"),
        ({"VpcEndpointId": "vpce-00000000000000001"}, "InvalidParameterCombination"),
    ):
        refused = refusal(cloud, "CreateVpcEndpointConnectionNotification", **{**ask, **change})
        assert refused[0] == code
    keys = [made["ConnectionNotificationId"]]
    gone = {"ConnectionNotificationIds": keys}
    assert cloud.call("DeleteVpcEndpointConnectionNotifications", **gone)["Unsuccessful"] == []
    (failed,) = cloud.call("DeleteVpcEndpointConnectionNotifications", **gone)["Unsuccessful"]
    assert failed["Error"]["Code"] == "InvalidConnectionNotification"
    refused = refusal(cloud, "DescribeVpcEndpointConnectionNotifications", **one)
    assert refused[0] == "InvalidConnectionNotification"
