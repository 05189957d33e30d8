"""Shared prefix lists: who sees them, refers to them, changes them; and what unsharing leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ram.conftest import OTHER, OWNER, World
from tests.ram.test_shares import refused


class Shared:
    """A list of one account's that another one has joined the share of."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.list = world.listed(OWNER, "192.0.2.0/24")
        self.key = self.list["PrefixListId"]
        self.share = world.share(self.list["PrefixListArn"])
        world.accept(self.share)
        self.own, self.ec2 = world.ec2(OWNER), world.ec2(OTHER)
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.group = self.ec2.create_security_group(GroupName="g", Description="g", VpcId=self.vpc)[
            "GroupId"
        ]

    def permission(self) -> dict[str, Any]:
        return {
            "IpProtocol": "tcp",
            "FromPort": 80,
            "ToPort": 80,
            "PrefixListIds": [{"PrefixListId": self.key}],
        }

    def allow(self) -> None:
        self.ec2.authorize_security_group_ingress(
            GroupId=self.group, IpPermissions=[self.permission()]
        )

    def revoke(self) -> None:
        self.ec2.revoke_security_group_ingress(
            GroupId=self.group, IpPermissions=[self.permission()]
        )


@pytest.fixture
def shared(world: World) -> Iterator[Shared]:
    made = Shared(world)
    yield made
    made.ec2.delete_security_group(GroupId=made.group)
    made.ec2.delete_vpc(VpcId=made.vpc)


def test_the_other_account_sees_it_as_the_owners(shared: Shared) -> None:
    shared.own.create_tags(Resources=[shared.key], Tags=[{"Key": "secret", "Value": "plan"}])
    (shown,) = shared.ec2.describe_managed_prefix_lists(PrefixListIds=[shared.key])["PrefixLists"]
    (whole,) = shared.own.describe_managed_prefix_lists(PrefixListIds=[shared.key])["PrefixLists"]
    assert shown == {**whole, "Tags": []}, "its tags are the owner's business"
    assert shown["OwnerId"] == OWNER
    listed = shared.ec2.describe_managed_prefix_lists(
        Filters=[{"Name": "owner-id", "Values": [OWNER]}]
    )
    assert shared.key in [each["PrefixListId"] for each in listed["PrefixLists"]]
    entries = shared.ec2.get_managed_prefix_list_entries(PrefixListId=shared.key)["Entries"]
    assert entries == [{"Cidr": "192.0.2.0/24"}]
    old = shared.ec2.get_managed_prefix_list_entries(PrefixListId=shared.key, TargetVersion=1)
    assert old["Entries"] == entries


def test_before_it_is_accepted_nobody_sees_it(world: World) -> None:
    listed = world.listed()
    world.share(listed["PrefixListArn"])
    describe = world.ec2(OTHER).describe_managed_prefix_lists
    code, _ = refused(describe, PrefixListIds=[listed["PrefixListId"]])
    assert code == "InvalidPrefixListID.NotFound"


def test_it_is_shared_in_its_region_only(shared: Shared) -> None:
    elsewhere = shared.world.ec2(OTHER, "us-east-1").describe_managed_prefix_lists
    code, _ = refused(elsewhere, PrefixListIds=[shared.key])
    assert code == "InvalidPrefixListID.NotFound"
    assert shared.key not in [each["PrefixListId"] for each in elsewhere()["PrefixLists"]]


def test_what_is_taken_out_of_the_share_is_not_seen(shared: Shared) -> None:
    shared.world.ram(OWNER).disassociate_resource_share(
        resourceShareArn=shared.share, resourceArns=[shared.list["PrefixListArn"]]
    )
    describe = shared.ec2.describe_managed_prefix_lists
    assert refused(describe, PrefixListIds=[shared.key])[0] == "InvalidPrefixListID.NotFound"
    assert shared.key not in [each["PrefixListId"] for each in describe()["PrefixLists"]]


def test_who_refers_to_it_is_told_to_the_owner_and_of_ones_own(shared: Shared) -> None:
    vpc = shared.own.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = shared.own.create_security_group(GroupName="own", Description="own", VpcId=vpc)
    shared.own.authorize_security_group_ingress(
        GroupId=made["GroupId"], IpPermissions=[shared.permission()]
    )
    shared.allow()

    def told(ec2: Any) -> set[str]:
        found = ec2.get_managed_prefix_list_associations(PrefixListId=shared.key)
        return {str(each["ResourceOwner"]) for each in found["PrefixListAssociations"]}

    assert told(shared.own) == {OWNER, OTHER}
    assert told(shared.ec2) == {OTHER}


def test_the_other_account_changes_nothing_of_it(shared: Shared) -> None:
    ec2, key = shared.ec2, shared.key
    for call, more in (
        (ec2.modify_managed_prefix_list, {"PrefixListName": "mine"}),
        (ec2.restore_managed_prefix_list_version, {"PreviousVersion": 1, "CurrentVersion": 1}),
        (ec2.delete_managed_prefix_list, {}),
    ):
        assert refused(call, PrefixListId=key, **more)[0] == "UnauthorizedOperation"
    tags = {"Resources": [key], "Tags": [{"Key": "a", "Value": "b"}]}
    assert refused(ec2.create_tags, **tags)[0] == "InvalidPrefixListID.NotFound"
    onward = shared.world.ram(OTHER).create_resource_share(
        name="onward", resourceArns=[shared.list["PrefixListArn"]]
    )["resourceShare"]["resourceShareArn"]
    (association,) = shared.world.ram(OTHER).get_resource_share_associations(
        associationType="RESOURCE", resourceShareArns=[onward]
    )["resourceShareAssociations"]
    assert association["status"] == "FAILED", "what is shared with you, you do not share"


def test_a_list_that_somebody_refers_to_stays(shared: Shared) -> None:
    shared.allow()
    code, _ = refused(shared.own.delete_managed_prefix_list, PrefixListId=shared.key)
    assert code == "DependencyViolation"
    told = shared.own.get_managed_prefix_list_associations(PrefixListId=shared.key)
    assert told["PrefixListAssociations"] == [{"ResourceId": shared.group, "ResourceOwner": OTHER}]
    shared.revoke()
    shared.own.delete_managed_prefix_list(PrefixListId=shared.key)
    resources = shared.world.ram(OTHER).list_resources(
        resourceOwner="OTHER-ACCOUNTS", resourceShareArns=[shared.share]
    )
    assert resources["resources"] == []


def test_unsharing_leaves_what_refers_to_it(shared: Shared) -> None:
    """VPC User Guide, "Unshare a shared prefix list"."""
    shared.allow()
    table = shared.ec2.create_route_table(VpcId=shared.vpc)["RouteTable"]["RouteTableId"]
    shared.world.ram(OWNER).disassociate_resource_share(
        resourceShareArn=shared.share, principals=[OTHER]
    )
    (group,) = shared.ec2.describe_security_groups(GroupIds=[shared.group])["SecurityGroups"]
    assert group["IpPermissions"][0]["PrefixListIds"] == [{"PrefixListId": shared.key}]
    entries = shared.ec2.get_managed_prefix_list_entries
    assert refused(entries, PrefixListId=shared.key)[0] == "InvalidPrefixListID.NotFound"
    gateway = shared.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    shared.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=shared.vpc)
    code, _ = refused(
        shared.ec2.create_route,
        RouteTableId=table,
        DestinationPrefixListId=shared.key,
        GatewayId=gateway,
    )
    assert code == "InvalidPrefixListID.NotFound", "nothing new may refer to it"
    shared.revoke()
    assert refused(shared.allow)[0] == "InvalidPrefixListID.NotFound"
    shared.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=shared.vpc)
    shared.ec2.delete_internet_gateway(InternetGatewayId=gateway)
    shared.ec2.delete_route_table(RouteTableId=table)


def test_routes_lead_by_it(shared: Shared) -> None:
    gateway = shared.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    shared.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=shared.vpc)
    table = shared.ec2.create_route_table(VpcId=shared.vpc)["RouteTable"]["RouteTableId"]
    shared.ec2.create_route(
        RouteTableId=table, DestinationPrefixListId=shared.key, GatewayId=gateway
    )
    (shown,) = shared.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    assert [each.get("DestinationPrefixListId") for each in shown["Routes"]] == [None, shared.key]
    mine = shared.ec2.get_managed_prefix_list_associations(PrefixListId=shared.key)
    assert mine["PrefixListAssociations"] == [{"ResourceId": table, "ResourceOwner": OTHER}]
    shared.ec2.delete_route(RouteTableId=table, DestinationPrefixListId=shared.key)
    shared.ec2.delete_route_table(RouteTableId=table)
    shared.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=shared.vpc)
    shared.ec2.delete_internet_gateway(InternetGatewayId=gateway)
