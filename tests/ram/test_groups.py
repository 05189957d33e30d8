"""Shared security groups: a participant's interfaces wear the owner's group in the shared VPC."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ram.conftest import OTHER, OWNER, THIRD, World
from tests.ram.test_shares import refused
from tests.ram.test_subnets import Shared, associations, clear, not_owned
from tests.resources.building import only


class Worn(Shared):
    """A shared subnet, and a group of the owner's that is shared, too."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.base = self.group(self.own, "base")
        self.whole = self.share_group(self.base)
        world.accept(self.whole)

    def arn_of(self, group: str) -> str:
        (found,) = self.own.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        return str(found["SecurityGroupArn"])

    def share_group(self, group: str) -> str:
        return self.world.share(self.arn_of(group))

    def unshare_group(self) -> None:
        self.world.ram(OWNER).delete_resource_share(resourceShareArn=self.whole)


@pytest.fixture
def worn(world: World) -> Iterator[Worn]:
    made = Worn(world)
    yield made
    clear(made)


def test_a_participant_sees_the_group_and_wears_it(worn: Worn) -> None:
    ec2 = worn.ec2
    worn.own.create_tags(Resources=[worn.base], Tags=[{"Key": "secret", "Value": "x"}])
    (mine,) = worn.own.describe_security_groups(GroupIds=[worn.base])["SecurityGroups"]
    (seen,) = ec2.describe_security_groups(GroupIds=[worn.base])["SecurityGroups"]
    assert seen == {**mine, "Tags": []}
    assert seen["OwnerId"] == OWNER
    rules = ec2.describe_security_group_rules(Filters=only({"group-id": worn.base}))
    assert [each["GroupOwnerId"] for each in rules["SecurityGroupRules"]] == [OWNER]
    group = worn.group()
    usable = ec2.get_security_groups_for_vpc(VpcId=worn.vpc)["SecurityGroupForVpcs"]
    assert {each["GroupId"]: each["OwnerId"] for each in usable} == {
        worn.base: OWNER, group: OTHER}  # fmt: skip
    eni = worn.interface(Groups=[worn.base, group])
    (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    assert [each["GroupId"] for each in shown["Groups"]] == [worn.base, group]
    image = ec2.describe_images(Filters=only({"name": "gureum-base*"}))["Images"][0]["ImageId"]
    launch = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "SubnetId": worn.subnet}
    code, _ = refused(ec2.run_instances, **launch, SecurityGroupIds=[worn.base], DryRun=True)
    assert code == "DryRunOperation"


def test_it_stays_the_owners(worn: Worn) -> None:
    ec2 = worn.ec2
    rule = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    not_owned(ec2.authorize_security_group_ingress, GroupId=worn.base, IpPermissions=[rule])
    not_owned(ec2.delete_security_group, GroupId=worn.base)
    not_owned(ec2.create_tags, Resources=[worn.base], Tags=[{"Key": "k", "Value": "v"}])
    third = worn.world.ec2(THIRD)
    code, _ = refused(third.describe_security_groups, GroupIds=[worn.base])
    assert code == "InvalidGroup.NotFound"
    eni = worn.interface(Groups=[worn.base])
    assert refused(worn.own.delete_security_group, GroupId=worn.base)[0] == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=eni)


def test_who_wears_it_goes_on_when_it_is_shared_no_more(worn: Worn) -> None:
    ec2, group = worn.ec2, worn.group()
    eni = worn.interface(Groups=[worn.base])
    other = worn.interface(Groups=[group])
    worn.unshare_group()
    code, _ = refused(ec2.describe_security_groups, GroupIds=[worn.base])
    assert code == "InvalidGroup.NotFound"
    modify = ec2.modify_network_interface_attribute
    not_owned(modify, NetworkInterfaceId=other, Groups=[worn.base])
    modify(NetworkInterfaceId=eni, Groups=[worn.base, group])
    not_owned(ec2.create_network_interface, SubnetId=worn.subnet, Groups=[worn.base])
    image = ec2.describe_images(Filters=only({"name": "gureum-base*"}))["Images"][0]["ImageId"]
    place = [{"DeviceIndex": 0, "NetworkInterfaceId": eni}]
    not_owned(ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1, NetworkInterfaces=place)
    assert refused(worn.own.delete_security_group, GroupId=worn.base)[0] == "DependencyViolation"
    modify(NetworkInterfaceId=eni, Groups=[group])
    not_owned(modify, NetworkInterfaceId=eni, Groups=[worn.base, group])


def test_what_groups_are_not_shared(worn: Worn) -> None:
    world = worn.world
    default = worn.default_group()
    (vpc,) = worn.own.describe_vpcs(Filters=only({"is-default": "true"}))["Vpcs"]
    there = worn.own.create_security_group(GroupName="d", Description="d", VpcId=vpc["VpcId"])
    for group, why in (
        (default, "Default security groups cannot be shared."),
        (there["GroupId"], "Security groups of a default VPC cannot be shared."),
    ):
        share = worn.share_group(group)
        assert associations(world, share, "RESOURCE") == [("FAILED", why)]
        world.ram(OWNER).delete_resource_share(resourceShareArn=share)
    worn.own.delete_security_group(GroupId=there["GroupId"])
    # A participant's own group is not the participant's to share.
    group = worn.group()
    (mine,) = worn.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    ram = world.ram(OTHER)
    share = ram.create_resource_share(
        name="mine", resourceArns=[mine["SecurityGroupArn"]], principals=[THIRD]
    )["resourceShare"]["resourceShareArn"]
    (told,) = ram.get_resource_share_associations(
        associationType="RESOURCE", resourceShareArns=[share]
    )["resourceShareAssociations"]
    assert (told["status"], told["statusMessage"]) == (
        "FAILED",
        "Security groups of another account's VPC cannot be shared.",
    )
    ram.delete_resource_share(resourceShareArn=share)
