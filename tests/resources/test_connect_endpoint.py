"""EC2 Instance Connect Endpoints: their states, their interface, their groups."""

from __future__ import annotations

from typing import Any

from tests.conftest import Cloud
from tests.resources.building import make_group, make_subnet, make_vpc, settle
from tests.resources.routing import refusal


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    answer = cloud.call("DescribeInstanceConnectEndpoints", InstanceConnectEndpointIds=[key])
    return dict(answer["InstanceConnectEndpoints"][0])


def test_an_endpoint_has_an_interface_in_its_subnet(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet, group, other = (
        make_subnet(cloud, vpc),
        make_group(cloud, vpc),
        make_group(cloud, vpc, "b"),
    )
    params = {"SubnetId": subnet, "SecurityGroupIds": [group], "ClientToken": "once"}
    made = cloud.call("CreateInstanceConnectEndpoint", **params)["InstanceConnectEndpoint"]
    again = cloud.call("CreateInstanceConnectEndpoint", **params)["InstanceConnectEndpoint"]
    key = made["InstanceConnectEndpointId"]
    assert again["InstanceConnectEndpointId"] == key
    assert made["State"] == "create-in-progress"
    settle(cloud)
    shown = show(cloud, key)
    assert (shown["State"], shown["VpcId"]) == ("create-complete", vpc)
    (eni,) = shown["NetworkInterfaceIds"]
    assert refusal(cloud, "DeleteSubnet", SubnetId=subnet)[0] == "DependencyViolation"
    refused = refusal(cloud, "CreateInstanceConnectEndpoint", SubnetId=subnet)
    assert refused[0] == "ResourceLimitExceeded"
    cloud.call(
        "ModifyInstanceConnectEndpoint", InstanceConnectEndpointId=key, SecurityGroupIds=[other]
    )
    (interface,) = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[eni])[
        "NetworkInterfaces"
    ]
    assert [each["GroupId"] for each in interface["Groups"]] == [other]
    assert interface["RequesterManaged"] is True
    gone = {"InstanceConnectEndpointId": key}
    answer = cloud.call("DeleteInstanceConnectEndpoint", **gone)
    assert answer["InstanceConnectEndpoint"]["State"] == "delete-in-progress"
    settle(cloud)
    assert show(cloud, key)["State"] == "delete-complete"
    assert refusal(cloud, "DeleteInstanceConnectEndpoint", **gone)[0] == "IncorrectState"
    cloud.call("DeleteSubnet", SubnetId=subnet)
    cloud.call("DeleteSecurityGroup", GroupId=other)
    missing = {"InstanceConnectEndpointIds": ["eice-00000000000000001"]}
    refused = refusal(cloud, "DescribeInstanceConnectEndpoints", **missing)
    assert refused[0] == "InvalidInstanceConnectEndpointId.NotFound"
