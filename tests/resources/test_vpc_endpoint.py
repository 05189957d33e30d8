"""VPC endpoints: routes of gateway endpoints, interfaces and names of interface endpoints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gureum.program import Beyond, Route
from tests.conftest import Cloud
from tests.resources.building import (
    default_group,
    make_group,
    make_subnet,
    make_vpc,
    only,
    settle,
)
from tests.resources.routing import main_of, make_table, refusal, table

S3 = "com.amazonaws.ap-northeast-2.s3"
EC2 = "com.amazonaws.ap-northeast-2.ec2"
GONE = "vpce-0000000000000000a"


def make(cloud: Cloud, vpc: str, service: str = S3, **more: Any) -> dict[str, Any]:
    answer = cloud.call("CreateVpcEndpoint", VpcId=vpc, ServiceName=service, **more)
    return dict(answer["VpcEndpoint"])


def make_interface(cloud: Cloud, vpc: str, service: str = EC2, **more: Any) -> dict[str, Any]:
    return make(cloud, vpc, service, VpcEndpointType="Interface", **more)


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    (shape,) = cloud.call("DescribeVpcEndpoints", VpcEndpointIds=[key])["VpcEndpoints"]
    return dict(shape)


def prefix_list(cloud: Cloud) -> str:
    filters = only({"prefix-list-name": S3})
    (shape,) = cloud.call("DescribePrefixLists", Filters=filters)["PrefixLists"]
    return str(shape["PrefixListId"])


def route_to(cloud: Cloud, key: str, listed: str) -> dict[str, Any] | None:
    routes = table(cloud, key)["Routes"]
    found = [each for each in routes if each.get("DestinationPrefixListId") == listed]
    return found[0] if found else None


@pytest.fixture
def vpc(cloud: Cloud) -> str:
    """A VPC that resolves names."""
    key = make_vpc(cloud)
    cloud.call("ModifyVpcAttribute", VpcId=key, EnableDnsHostnames={"Value": True})
    return key


def interfaces(cloud: Cloud, keys: list[str]) -> list[dict[str, Any]]:
    found = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=keys)
    return list(found["NetworkInterfaces"])


# --- gateway endpoints --------------------------------------------------------------------------
def test_a_gateway_endpoint_is_a_route_in_its_tables(cloud: Cloud, vpc: str) -> None:
    main, other = main_of(cloud, vpc)["RouteTableId"], make_table(cloud, vpc)
    tags = [{"Key": "Name", "Value": "s3"}]
    made = make(
        cloud,
        vpc,
        RouteTableIds=[main, other],
        TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": tags}],
    )
    key, listed = made["VpcEndpointId"], prefix_list(cloud)
    assert (made["State"], made["VpcEndpointType"]) == ("pending", "Gateway")
    settle(cloud)
    shown = show(cloud, key)
    assert shown["State"] == "available"
    assert sorted(shown["RouteTableIds"]) == sorted([main, other])
    assert shown["Tags"] == tags
    assert (shown["SubnetIds"], shown["Groups"], shown["DnsEntries"]) == ([], [], [])
    assert json.loads(shown["PolicyDocument"])["Statement"][0]["Action"] == "*"
    assert route_to(cloud, main, listed) == {
        "DestinationPrefixListId": listed,
        "GatewayId": key,
        "Origin": "CreateRoute",
        "State": "active",
    }
    said = [s for s in cloud.program().statements if isinstance(s, Route)]
    ways = {each.destination for each in said if each.target == Beyond(key)}
    assert ways == {"198.19.248.0/22"}


def test_route_tables_come_and_go(cloud: Cloud, vpc: str) -> None:
    main, other, listed = main_of(cloud, vpc)["RouteTableId"], make_table(cloud, vpc), ""
    key = make(cloud, vpc, RouteTableIds=[main])["VpcEndpointId"]
    listed = prefix_list(cloud)
    change = {"AddRouteTableIds": [other], "RemoveRouteTableIds": [main]}
    assert cloud.call("ModifyVpcEndpoint", VpcEndpointId=key, **change)["Return"] is True
    assert show(cloud, key)["RouteTableIds"] == [other]
    assert route_to(cloud, main, listed) is None
    assert route_to(cloud, other, listed) is not None
    second = refusal(
        cloud, "CreateVpcEndpoint", VpcId=vpc, ServiceName=S3, RouteTableIds=[main, other]
    )
    assert second == (
        "RouteAlreadyExists",
        f"route table {other} already has a route with destination-prefix-list-id {listed}",
    )
    assert route_to(cloud, main, listed) is None, "all or nothing"
    foreign = make_table(cloud, make_vpc(cloud, "10.1.0.0/16"))
    refused = refusal(cloud, "ModifyVpcEndpoint", VpcEndpointId=key, AddRouteTableIds=[foreign])
    assert refused[0] == "InvalidParameter"
    cloud.call("DeleteRouteTable", RouteTableId=other)
    assert show(cloud, key)["RouteTableIds"] == []


def test_an_endpoints_route_changes_with_it_only(cloud: Cloud, vpc: str) -> None:
    main = main_of(cloud, vpc)["RouteTableId"]
    key, listed = make(cloud, vpc, RouteTableIds=[main])["VpcEndpointId"], prefix_list(cloud)
    to = {"RouteTableId": main, "DestinationPrefixListId": listed}
    assert refusal(cloud, "DeleteRoute", **to) == (
        "InvalidParameterValue",
        f"cannot remove VPC endpoint route {listed} in route table {main}",
    )
    gateway = cloud.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    cloud.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    assert refusal(cloud, "ReplaceRoute", **to, GatewayId=gateway)[0] == "InvalidParameterValue"
    wider = {"RouteTableId": main, "DestinationCidrBlock": "0.0.0.0/0"}
    assert refusal(cloud, "CreateRoute", **wider, GatewayId=key)[0] == "InvalidParameterValue"


def test_a_deleted_endpoint_takes_its_routes_along(cloud: Cloud, vpc: str) -> None:
    main = main_of(cloud, vpc)["RouteTableId"]
    key, listed = make(cloud, vpc, RouteTableIds=[main])["VpcEndpointId"], prefix_list(cloud)
    assert refusal(cloud, "DeleteVpc", VpcId=vpc)[0] == "DependencyViolation"
    answer = cloud.call("DeleteVpcEndpoints", VpcEndpointIds=[key, GONE])
    assert answer["Unsuccessful"] == [
        {
            "ResourceId": GONE,
            "Error": {
                "Code": "InvalidVpcEndpoint.NotFound",
                "Message": f"The Vpc Endpoint Id '{GONE}' does not exist",
            },
        }
    ]
    assert show(cloud, key)["State"] == "deleting"
    assert route_to(cloud, main, listed) is None
    assert refusal(cloud, "ModifyVpcEndpoint", VpcEndpointId=key)[0] == "IncorrectState"
    settle(cloud)
    assert refusal(cloud, "DescribeVpcEndpoints", VpcEndpointIds=[key]) == (
        "InvalidVpcEndpointId.NotFound",
        f"The Vpc Endpoint Id '{key}' does not exist",
    )
    cloud.call("DeleteVpc", VpcId=vpc)


def test_policies_are_kept_as_they_are_written(cloud: Cloud, vpc: str) -> None:
    text = '{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]}'
    key = make(cloud, vpc, PolicyDocument=text)["VpcEndpointId"]
    assert show(cloud, key)["PolicyDocument"] == text
    cloud.call("ModifyVpcEndpoint", VpcEndpointId=key, ResetPolicy=True)
    assert json.loads(show(cloud, key)["PolicyDocument"])["Statement"][0]["Effect"] == "Allow"
    for bad in ("{", "[]", "{}", "[" * 5000):
        refused = refusal(cloud, "ModifyVpcEndpoint", VpcEndpointId=key, PolicyDocument=bad)
        assert refused[0] == "InvalidPolicyDocument", bad


# --- interface endpoints ------------------------------------------------------------------------
def test_an_interface_endpoint_has_interfaces_and_names(cloud: Cloud, vpc: str) -> None:
    one = make_subnet(cloud, vpc, "10.0.1.0/24", AvailabilityZone="ap-northeast-2a")
    two = make_subnet(cloud, vpc, "10.0.2.0/24", AvailabilityZone="ap-northeast-2b")
    group = make_group(cloud, vpc)
    params: dict[str, Any] = {"SubnetIds": [one, two], "SecurityGroupIds": [group]}
    made = make_interface(cloud, vpc, **params, ClientToken="once")
    again = make_interface(cloud, vpc, **params, ClientToken="once")
    key = made["VpcEndpointId"]
    assert again["VpcEndpointId"] == key
    settle(cloud)
    shown = show(cloud, key)
    assert (shown["State"], shown["PrivateDnsEnabled"]) == ("available", True)
    assert shown["SubnetIds"] == [one, two]
    assert [each["GroupId"] for each in shown["Groups"]] == [group]
    names = [each["DnsName"] for each in shown["DnsEntries"]]
    label = names[0].removeprefix(f"{key}-").partition(".")[0]
    end = "ec2.ap-northeast-2.vpce.amazonaws.com"
    assert len(label) == 8
    assert names == [
        f"{key}-{label}.{end}",
        f"{key}-{label}-ap-northeast-2a.{end}",
        f"{key}-{label}-ap-northeast-2b.{end}",
        "ec2.ap-northeast-2.amazonaws.com",
    ]
    zones = [each["HostedZoneId"] for each in shown["DnsEntries"]]
    assert zones[0] == zones[1] == zones[2] != zones[3]
    first, second = interfaces(cloud, shown["NetworkInterfaceIds"])
    assert (first["SubnetId"], second["SubnetId"]) == (one, two)
    assert first["Description"] == f"VPC Endpoint Interface {key}"
    assert (first["InterfaceType"], first["RequesterManaged"]) == ("vpc_endpoint", True)
    assert [each["GroupId"] for each in first["Groups"]] == [group]
    assert first["Status"] == "in-use"
    eni = first["NetworkInterfaceId"]
    assert refusal(cloud, "DeleteSubnet", SubnetId=one)[0] == "DependencyViolation"
    assert refusal(cloud, "DeleteSecurityGroup", GroupId=group)[0] == "DependencyViolation"
    refused = refusal(
        cloud, "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=eni, Groups=[group]
    )
    assert refused[0] == "AuthFailure"
    cloud.call("DeleteVpcEndpoints", VpcEndpointIds=[key])
    settle(cloud)
    refused = refusal(cloud, "DescribeNetworkInterfaces", NetworkInterfaceIds=[eni])
    assert refused[0] == "InvalidNetworkInterfaceID.NotFound"
    for subnet in (one, two):
        cloud.call("DeleteSubnet", SubnetId=subnet)


def test_subnets_and_groups_change(cloud: Cloud, vpc: str) -> None:
    one = make_subnet(cloud, vpc, "10.0.1.0/24", AvailabilityZone="ap-northeast-2a")
    two = make_subnet(cloud, vpc, "10.0.2.0/24", AvailabilityZone="ap-northeast-2b")
    near = make_subnet(cloud, vpc, "10.0.3.0/24", AvailabilityZone="ap-northeast-2b")
    usual, group = default_group(cloud, vpc)["GroupId"], make_group(cloud, vpc)
    at = [{"SubnetId": one, "Ipv4": "10.0.1.77"}]
    key = make_interface(cloud, vpc, SubnetIds=[one], SubnetConfigurations=at)["VpcEndpointId"]
    assert [each["GroupId"] for each in show(cloud, key)["Groups"]] == [usual]
    (eni,) = interfaces(cloud, show(cloud, key)["NetworkInterfaceIds"])
    assert eni["PrivateIpAddress"] == "10.0.1.77"
    change: dict[str, Any] = {
        "AddSubnetIds": [two],
        "AddSecurityGroupIds": [group],
        "RemoveSecurityGroupIds": [usual],
    }
    cloud.call("ModifyVpcEndpoint", VpcEndpointId=key, **change)
    shown = show(cloud, key)
    assert [each["GroupId"] for each in shown["Groups"]] == [group]
    for each in interfaces(cloud, shown["NetworkInterfaceIds"]):
        assert [item["GroupId"] for item in each["Groups"]] == [group]
    refused = refusal(cloud, "ModifyVpcEndpoint", VpcEndpointId=key, AddSubnetIds=[near])
    assert refused[0] == "DuplicateSubnetsInSameZone"
    change = {"AddSubnetIds": [near], "RemoveSubnetIds": [two]}
    cloud.call("ModifyVpcEndpoint", VpcEndpointId=key, **change)
    assert show(cloud, key)["SubnetIds"] == [one, near]
    cloud.call("DeleteSubnet", SubnetId=two)
    none = {"VpcEndpointId": key, "RemoveSecurityGroupIds": [group]}
    assert refusal(cloud, "ModifyVpcEndpoint", **none)[0] == "InvalidParameter"
    moved = [{"SubnetId": one, "Ipv4": "10.0.1.78"}]
    cloud.call("ModifyVpcEndpoint", VpcEndpointId=key, SubnetConfigurations=moved)
    found = interfaces(cloud, show(cloud, key)["NetworkInterfaceIds"])
    assert "10.0.1.78" in [each["PrivateIpAddress"] for each in found]


def test_private_names_are_unique_and_need_a_resolver(cloud: Cloud, vpc: str) -> None:
    key = make_interface(cloud, vpc)["VpcEndpointId"]
    ask: dict[str, Any] = {"VpcId": vpc, "ServiceName": EC2, "VpcEndpointType": "Interface"}
    said = (
        "private-dns-enabled cannot be set because there is already a conflicting DNS domain for "
        f"ec2.ap-northeast-2.amazonaws.com in the VPC {vpc}"
    )
    assert refusal(cloud, "CreateVpcEndpoint", **ask) == ("InvalidParameter", said)
    second = cloud.call("CreateVpcEndpoint", **ask, PrivateDnsEnabled=False)["VpcEndpoint"]
    assert second["PrivateDnsEnabled"] is False
    cloud.call("ModifyVpcEndpoint", VpcEndpointId=key, PrivateDnsEnabled=False)
    other = {"VpcEndpointId": second["VpcEndpointId"], "PrivateDnsEnabled": True}
    cloud.call("ModifyVpcEndpoint", **other)
    assert show(cloud, second["VpcEndpointId"])["PrivateDnsEnabled"] is True
    plain = make_vpc(cloud, "10.1.0.0/16")
    code, message = refusal(cloud, "CreateVpcEndpoint", **{**ask, "VpcId": plain})
    assert code == "InvalidParameter"
    assert message.startswith("Enabling private DNS requires both enableDnsSupport")


def test_s3_has_private_names_beside_a_gateway_endpoint(cloud: Cloud, vpc: str) -> None:
    ask: dict[str, Any] = {"VpcId": vpc, "ServiceName": S3, "VpcEndpointType": "Interface"}
    refused = refusal(cloud, "CreateVpcEndpoint", **ask, PrivateDnsEnabled=True)
    assert "must have a Gateway endpoint for the service" in refused[1]
    make(cloud, vpc)
    made = make_interface(cloud, vpc, S3, PrivateDnsEnabled=True)
    assert made["DnsOptions"]["PrivateDnsOnlyForInboundResolverEndpoint"] is True
    assert made["DnsEntries"][0]["DnsName"].startswith(f"*.{made['VpcEndpointId']}-")


# --- both ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"ServiceName": "com.amazonaws.ap-northeast-2.no"}, "InvalidServiceName", "does not"),
        ({"ServiceName": EC2}, "InvalidParameter", "does not match available service types"),
        ({"ServiceName": S3, "SubnetIds": ["subnet-1"]}, "InvalidParameter", "only supported"),
        ({}, "MissingParameter", "ServiceName"),
        (
            {"ServiceName": EC2, "VpcEndpointType": "Interface", "RouteTableIds": ["rtb-1"]},
            "InvalidParameter",
            "Route table IDs are only supported for Gateway type VPC Endpoint.",
        ),
    ],
)
def test_refused(cloud: Cloud, vpc: str, params: dict[str, Any], code: str, message: str) -> None:
    found = refusal(cloud, "CreateVpcEndpoint", VpcId=vpc, **params)
    assert found[0] == code
    assert message in found[1]


def test_endpoints_are_found_by_filters(cloud: Cloud, vpc: str) -> None:
    one, two = make(cloud, vpc), make_interface(cloud, vpc)
    for filters in (
        {"service-name": EC2},
        {"vpc-endpoint-type": "Interface", "vpc-id": vpc},
        {"vpc-endpoint-id": two["VpcEndpointId"], "vpc-endpoint-state": "pending"},
    ):
        answer = cloud.call("DescribeVpcEndpoints", Filters=only(filters))
        assert [each["VpcEndpointId"] for each in answer["VpcEndpoints"]] == [two["VpcEndpointId"]]
    answer = cloud.call("DescribeVpcEndpointAssociations", VpcEndpointIds=[one["VpcEndpointId"]])
    assert answer["VpcEndpointAssociations"] == []
    refused = refusal(cloud, "DescribeVpcEndpointAssociations", VpcEndpointIds=[GONE])
    assert refused[0] == "InvalidVpcEndpointId.NotFound"
