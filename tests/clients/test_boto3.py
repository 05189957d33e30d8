"""boto3's resources, waiters and paginators, and the waiters of the AWS CLI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore import xform_name

from gureum.resources import REGISTRY
from tests.cloud.aws import wait
from tests.daemon import REGION, Daemon
from tests.wiring import service_model

pytestmark = pytest.mark.kernel

BUILT = {*REGISTRY.actions, *REGISTRY.listings}
NOT_ALONE = {"DescribeLaunchTemplateVersions"}
"""Want a parameter that the model does not call required."""


@pytest.fixture(scope="module")
def ec2(daemon: Daemon) -> Iterator[Any]:
    made = daemon.ec2()
    yield made
    made.close()


@pytest.fixture(scope="module")
def image(ec2: Any) -> str:
    answer = ec2.describe_images(Filters=[{"Name": "name", "Values": ["gureum-base*"]}])
    return str(answer["Images"][0]["ImageId"])


def test_resources_lead_from_one_to_the_next(daemon: Daemon, image: str) -> None:
    cloud = boto3.resource(
        "ec2",
        endpoint_url=daemon.endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    vpc = cloud.create_vpc(CidrBlock="10.50.0.0/16")
    vpc.wait_until_available()
    vpc.modify_attribute(EnableDnsHostnames={"Value": True})
    assert vpc.describe_attribute(Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    vpc.create_tags(Tags=[{"Key": "Name", "Value": "resources"}])
    vpc.reload()
    assert vpc.tags == [{"Key": "Name", "Value": "resources"}]
    gateway = cloud.create_internet_gateway()
    vpc.attach_internet_gateway(InternetGatewayId=gateway.id)
    assert [each.id for each in vpc.internet_gateways.all()] == [gateway.id]
    subnet = vpc.create_subnet(CidrBlock="10.50.1.0/24")
    table = vpc.create_route_table()
    route = table.create_route(DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway.id)
    association = table.associate_with_subnet(SubnetId=subnet.id)
    table.reload()
    assert [each["SubnetId"] for each in table.associations_attribute] == [subnet.id]
    group = vpc.create_security_group(GroupName="web", Description="Web")
    group.authorize_ingress(IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
    (instance,) = subnet.create_instances(
        ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, SecurityGroupIds=[group.id]
    )
    instance.wait_until_running()
    instance.load()
    assert instance.vpc.id == vpc.id
    assert instance.security_groups == [{"GroupId": group.id, "GroupName": "web"}]
    assert [each.id for each in subnet.instances.all()] == [instance.id]
    (interface,) = vpc.network_interfaces.filter(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance.id]}]
    )
    assert interface.private_ip_address == instance.private_ip_address
    address = cloud.VpcAddress(cloud.meta.client.allocate_address()["AllocationId"])
    address.associate(InstanceId=instance.id)
    address.reload()
    assert address.network_interface_id == interface.id
    address.association.delete()
    address.release()
    instance.terminate()
    instance.wait_until_terminated(WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    association.delete()
    route.delete()
    for each in (table, group, subnet):
        each.delete()
    vpc.detach_internet_gateway(InternetGatewayId=gateway.id)
    gateway.delete()
    vpc.delete()
    assert vpc.id not in [each.id for each in cloud.vpcs.all()]
    cloud.meta.client.close()


def paginators() -> list[str]:
    """The operations we built that botocore pages through and that can be asked for everything."""
    model = service_model("ec2")
    client = boto3.client("ec2", region_name=REGION)
    found = [
        name
        for name in sorted(BUILT - NOT_ALONE)
        if client.can_paginate(xform_name(name))
        and not model.operation_model(name).input_shape.required_members
    ]
    client.close()
    return found


def test_pages_of_five_hold_what_one_answer_holds(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.51.0.0/16")["Vpc"]["VpcId"]
    for number in range(12):
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.51.{number}.0/24")
        ec2.create_security_group(VpcId=vpc, GroupName=f"g{number}", Description="-")
        ec2.create_route_table(VpcId=vpc)
    different, many = [], []
    asked = paginators()
    for name in asked:
        pages = ec2.get_paginator(xform_name(name))
        key = str(pages.result_keys[0].expression)
        whole = getattr(ec2, xform_name(name))()[key]
        # Of some the least page is longer, which the client itself holds.
        least = _members(name)["MaxResults"].metadata.get("min", 0) if _pages(name) else 0
        size = {"PageSize": 5} if _pages(name) and least <= 5 else {}
        paged = [page.get(key, []) for page in pages.paginate(PaginationConfig=size)]
        # Without pages the order is another; AWS promises none.
        if sorted(repr(row) for page in paged for row in page) != sorted(map(repr, whole)):
            different.append(name)
        if len(paged) > 1:
            many.append(name)
            assert {len(page) for page in paged[:-1]} == {5}, name
    assert different == []
    assert len(asked) > 50
    assert {"DescribeSubnets", "DescribeSecurityGroups", "DescribeRouteTables"} <= set(many)


def _members(name: str) -> Mapping[str, Any]:
    members: Mapping[str, Any] = service_model("ec2").operation_model(name).input_shape.members
    return members


def _pages(name: str) -> bool:
    return "MaxResults" in _members(name)


def test_every_waiter_of_networks_comes_to_its_end(ec2: Any, image: str) -> None:
    def until(name: str, **asked: Any) -> None:
        ec2.get_waiter(name).wait(**asked, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    vpc = ec2.create_vpc(CidrBlock="10.52.0.0/16")["Vpc"]["VpcId"]
    until("vpc_exists", VpcIds=[vpc])
    until("vpc_available", VpcIds=[vpc])
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.52.1.0/24")["Subnet"]["SubnetId"]
    until("subnet_available", SubnetIds=[subnet])
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    until("internet_gateway_exists", InternetGatewayIds=[gateway])
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    group = ec2.create_security_group(VpcId=vpc, GroupName="w", Description="-")["GroupId"]
    until("security_group_exists", GroupIds=[group])
    ec2.create_key_pair(KeyName="waited-for")
    until("key_pair_exists", KeyNames=["waited-for"])
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    until("network_interface_available", NetworkInterfaceIds=[interface["NetworkInterfaceId"]])
    nat = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]
    until("nat_gateway_available", NatGatewayIds=[nat["NatGatewayId"]])
    ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    until("nat_gateway_deleted", NatGatewayIds=[nat["NatGatewayId"]])
    second = ec2.create_vpc(CidrBlock="10.53.0.0/16")["Vpc"]["VpcId"]
    ec2.associate_security_group_vpc(GroupId=group, VpcId=second)
    both = [{"Name": "group-id", "Values": [group]}]
    until("security_group_vpc_association_associated", Filters=both)
    ec2.disassociate_security_group_vpc(GroupId=group, VpcId=second)
    until("security_group_vpc_association_disassociated", Filters=both)
    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=second)
    key = peering["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    until("vpc_peering_connection_exists", VpcPeeringConnectionIds=[key])
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    until("vpc_peering_connection_deleted", VpcPeeringConnectionIds=[key])
    customer = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="192.0.2.1", BgpAsn=65000)
    far = customer["CustomerGateway"]["CustomerGatewayId"]
    until("customer_gateway_available", CustomerGatewayIds=[far])
    near = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    vpn = ec2.create_vpn_connection(Type="ipsec.1", CustomerGatewayId=far, VpnGatewayId=near)
    tunnel = vpn["VpnConnection"]["VpnConnectionId"]
    until("vpn_connection_available", VpnConnectionIds=[tunnel])
    ec2.delete_vpn_connection(VpnConnectionId=tunnel)
    until("vpn_connection_deleted", VpnConnectionIds=[tunnel])
    until("image_exists", ImageIds=[image])
    until("image_available", ImageIds=[image])
    ran = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)
    instance = [ran["Instances"][0]["InstanceId"]]
    for name in ("instance_exists", "instance_running", "instance_status_ok", "system_status_ok"):
        until(name, InstanceIds=instance)
    ec2.stop_instances(InstanceIds=instance)
    until("instance_stopped", InstanceIds=instance)
    ec2.terminate_instances(InstanceIds=instance)
    until("instance_terminated", InstanceIds=instance)


def test_the_cli_waits(daemon: Daemon, ec2: Any) -> None:
    default = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    vpc, subnet = (default["Subnets"][0][key] for key in ("VpcId", "SubnetId"))
    nat = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]
    wait(daemon, "vpc-available", "--vpc-ids", vpc)
    wait(daemon, "subnet-available", "--subnet-ids", subnet)
    wait(daemon, "nat-gateway-available", "--nat-gateway-ids", nat["NatGatewayId"])
