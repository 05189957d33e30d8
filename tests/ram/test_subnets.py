"""Shared subnets: what each side sees, makes, and may not touch; and what unsharing leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gureum.resources.own_tags import OwnTags
from tests.ram.conftest import OTHER, OWNER, THIRD, World
from tests.ram.test_shares import refused
from tests.resources.building import only
from tests.server.secured import REGION

NOT_OWNED = "A subnet in this vpc is shared but the provided object is not owned by you"


def not_owned(call: Any, **params: Any) -> None:
    """The call is refused as AWS refuses it to who is in a VPC and does not own what it names."""
    code, message = refused(call, **params)
    assert (code, message.endswith(NOT_OWNED)) == ("UnauthorizedOperation", True), message
    assert f"to perform {call.__name__.title().replace('_', '')} operation." in message


class Shared:
    """A VPC of one account with a subnet that another one has, and one that is not shared."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.own, self.ec2 = world.ec2(OWNER), world.ec2(OTHER)
        self.vpc = str(self.own.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])
        made = [
            self.own.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]
            for number in (1, 2)
        ]
        self.subnet, self.kept = (str(each["SubnetId"]) for each in made)
        self.arn = str(made[0]["SubnetArn"])
        self.share = world.share(self.arn)
        world.accept(self.share)

    def group(self, who: Any = None, name: str = "g") -> str:
        who = who or self.ec2
        made = who.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        return str(made["GroupId"])

    def interface(self, who: Any = None, **more: Any) -> str:
        who = who or self.ec2
        made = who.create_network_interface(SubnetId=self.subnet, **more)
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def unshare(self) -> None:
        self.world.ram(OWNER).delete_resource_share(resourceShareArn=self.share)

    def default_group(self) -> str:
        filters = only({"vpc-id": self.vpc, "group-name": "default"})
        (found,) = self.own.describe_security_groups(Filters=filters)["SecurityGroups"]
        return str(found["GroupId"])


@pytest.fixture
def shared(world: World) -> Iterator[Shared]:
    made = Shared(world)
    yield made
    clear(made)


def clear(made: Shared) -> None:
    """Delete all that a test may have left, so that no quota fills up."""
    both, here = ((made.ec2, OTHER), (made.own, OWNER)), only({"vpc-id": made.vpc})
    groups = []
    for who, name in both:
        for eni in who.describe_network_interfaces(Filters=here)["NetworkInterfaces"]:
            if eni["OwnerId"] == name:
                who.delete_network_interface(NetworkInterfaceId=eni["NetworkInterfaceId"])
        groups += [
            (who, group["GroupId"], group["IpPermissions"])
            for group in who.describe_security_groups(Filters=here)["SecurityGroups"]
            if group["OwnerId"] == name and group["GroupName"] != "default"
        ]
    for who, group, rules in groups:
        if rules:
            who.revoke_security_group_ingress(GroupId=group, IpPermissions=rules)
    for who, group, _ in groups:
        who.delete_security_group(GroupId=group)
    for subnet in (made.subnet, made.kept):
        made.own.delete_subnet(SubnetId=subnet)
    made.own.delete_vpc(VpcId=made.vpc)


# --- seeing -------------------------------------------------------------------------------------
def test_a_participant_sees_what_leads_its_packets_as_the_owners(shared: Shared) -> None:
    own, ec2 = shared.own, shared.ec2
    own.create_tags(Resources=[shared.subnet, shared.vpc], Tags=[{"Key": "secret", "Value": "x"}])
    gateway = own.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    own.attach_internet_gateway(InternetGatewayId=gateway, VpcId=shared.vpc)
    try:
        for action, member, filters in (
            ("describe_subnets", "Subnets", {"subnet-id": shared.subnet}),
            ("describe_vpcs", "Vpcs", {"vpc-id": shared.vpc}),
            ("describe_route_tables", "RouteTables", {"vpc-id": shared.vpc}),
            ("describe_network_acls", "NetworkAcls", {"vpc-id": shared.vpc}),
            ("describe_internet_gateways", "InternetGateways", {"attachment.vpc-id": shared.vpc}),
        ):
            (mine,) = getattr(own, action)(Filters=only(filters))[member]
            (seen,) = getattr(ec2, action)(Filters=only(filters))[member]
            assert seen == {**mine, "Tags": []}, action
            assert seen["OwnerId"] == OWNER
        options = own.describe_vpcs(VpcIds=[shared.vpc])["Vpcs"][0]["DhcpOptionsId"]
        (seen,) = ec2.describe_dhcp_options(DhcpOptionsIds=[options])["DhcpOptions"]
        assert (seen["DhcpOptionsId"], seen["OwnerId"]) == (options, OWNER)
        told = ec2.describe_vpc_attribute(VpcId=shared.vpc, Attribute="enableDnsSupport")
        assert told["EnableDnsSupport"] == {"Value": True}
    finally:
        own.detach_internet_gateway(InternetGatewayId=gateway, VpcId=shared.vpc)
        own.delete_internet_gateway(InternetGatewayId=gateway)


def test_a_participant_sees_no_more(shared: Shared) -> None:
    own, ec2 = shared.own, shared.ec2
    assert refused(ec2.describe_subnets, SubnetIds=[shared.kept])[0] == "InvalidSubnetID.NotFound"
    group, eni = shared.group(own), shared.interface(own)
    (rule,) = own.describe_security_group_rules(Filters=only({"group-id": group}))[
        "SecurityGroupRules"
    ]
    code, _ = refused(
        ec2.describe_security_group_rules, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
    )
    assert code == "InvalidSecurityGroupRuleId.NotFound"
    assert refused(ec2.describe_security_groups, GroupIds=[group])[0] == "InvalidGroup.NotFound"
    code, _ = refused(ec2.describe_network_interfaces, NetworkInterfaceIds=[eni])
    assert code == "InvalidNetworkInterfaceID.NotFound"
    code, _ = refused(ec2.delete_network_interface, NetworkInterfaceId=eni)
    assert code == "InvalidNetworkInterfaceID.NotFound"
    third = shared.world.ec2(THIRD)
    assert refused(third.describe_subnets, SubnetIds=[shared.subnet])[0] == (
        "InvalidSubnetID.NotFound"
    )
    assert refused(third.describe_vpcs, VpcIds=[shared.vpc])[0] == "InvalidVpcID.NotFound"
    assert refused(third.delete_vpc, VpcId=shared.vpc)[0] == "InvalidVpcID.NotFound"
    elsewhere = shared.world.ec2(OTHER, "us-west-2")
    assert refused(elsewhere.describe_vpcs, VpcIds=[shared.vpc])[0] == "InvalidVpcID.NotFound"


def test_the_owner_sees_participants_interfaces_and_groups(shared: Shared) -> None:
    own, ec2 = shared.own, shared.ec2
    group = shared.group()
    ec2.create_tags(Resources=[group], Tags=[{"Key": "team", "Value": "b"}])
    eni = shared.interface(Groups=[group], Description="ours")
    (seen,) = own.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    (mine,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    assert (seen, seen["OwnerId"]) == (mine, OTHER)
    (seen,) = own.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert (seen["OwnerId"], seen["GroupName"], seen.get("Tags", [])) == (OTHER, "g", [])
    listed = own.describe_security_groups(Filters=only({"vpc-id": shared.vpc}))["SecurityGroups"]
    assert {each["GroupName"] for each in listed} == {"default", "g"}
    rules = own.describe_security_group_rules(Filters=only({"group-id": group}))
    assert [each["GroupOwnerId"] for each in rules["SecurityGroupRules"]] == [OTHER]
    told = own.describe_network_interface_attribute(NetworkInterfaceId=eni, Attribute="description")
    assert told["Description"] == {"Value": "ours"}
    usable = own.get_security_groups_for_vpc(VpcId=shared.vpc)["SecurityGroupForVpcs"]
    assert [each["GroupName"] for each in usable] == ["default"]
    usable = ec2.get_security_groups_for_vpc(VpcId=shared.vpc)["SecurityGroupForVpcs"]
    assert [each["GroupId"] for each in usable] == [group]


# --- touching -----------------------------------------------------------------------------------
def test_a_participant_changes_nothing_of_the_owners(shared: Shared) -> None:
    own, ec2 = shared.own, shared.ec2
    vpc, subnet, group = shared.vpc, shared.subnet, shared.group(own)
    (table,) = own.describe_route_tables(Filters=only({"vpc-id": vpc}))["RouteTables"]
    (acl,) = own.describe_network_acls(Filters=only({"vpc-id": vpc}))["NetworkAcls"]
    table_id, acl_id = table["RouteTableId"], acl["NetworkAclId"]
    permission = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    before = shared.world.cloud.store.view.rows
    not_owned(ec2.delete_vpc, VpcId=vpc)
    not_owned(ec2.modify_vpc_attribute, VpcId=vpc, EnableDnsHostnames={"Value": True})
    not_owned(ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.9.0/24")
    not_owned(ec2.delete_subnet, SubnetId=subnet)
    block = own.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"][0]
    not_owned(ec2.disassociate_vpc_cidr_block, AssociationId=block["AssociationId"])
    not_owned(ec2.modify_subnet_attribute, SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    not_owned(ec2.create_route_table, VpcId=vpc)
    not_owned(ec2.delete_route_table, RouteTableId=table_id)
    not_owned(
        ec2.create_route,
        RouteTableId=table_id,
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId="igw-0123456789abcdef0",
    )
    not_owned(ec2.associate_route_table, RouteTableId=table_id, SubnetId=subnet)
    not_owned(ec2.create_network_acl, VpcId=vpc)
    not_owned(ec2.delete_network_acl, NetworkAclId=acl_id)
    not_owned(
        ec2.create_network_acl_entry,
        NetworkAclId=acl_id,
        RuleNumber=1,
        Protocol="-1",
        RuleAction="deny",
        Egress=False,
        CidrBlock="0.0.0.0/0",
    )
    not_owned(
        ec2.replace_network_acl_association,
        AssociationId=acl["Associations"][0]["NetworkAclAssociationId"],
        NetworkAclId=acl_id,
    )
    main = table["Associations"][0]["RouteTableAssociationId"]
    not_owned(ec2.disassociate_route_table, AssociationId=main)
    not_owned(ec2.create_nat_gateway, SubnetId=subnet, ConnectivityType="private")
    not_owned(ec2.create_vpc_endpoint, VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3")
    not_owned(ec2.create_egress_only_internet_gateway, VpcId=vpc)
    not_owned(ec2.create_vpc_peering_connection, VpcId=vpc, PeerVpcId=vpc)
    not_owned(ec2.delete_security_group, GroupId=group)
    not_owned(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[permission])
    mine = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    not_owned(ec2.attach_internet_gateway, InternetGatewayId=mine, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=mine)
    told = ec2.create_flow_logs(
        ResourceIds=[subnet],
        ResourceType="Subnet",
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::logs",
    )
    assert [each["Error"]["Code"] for each in told["Unsuccessful"]] == ["UnauthorizedOperation"]
    assert shared.world.cloud.store.view.rows == before, "nothing happened"


def test_the_owner_changes_nothing_of_a_participants(shared: Shared) -> None:
    own = shared.own
    group = shared.group()
    eni = shared.interface(Groups=[group])
    not_owned(own.delete_security_group, GroupId=group)
    permission = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    not_owned(own.authorize_security_group_ingress, GroupId=group, IpPermissions=[permission])
    not_owned(own.delete_network_interface, NetworkInterfaceId=eni)
    not_owned(
        own.modify_network_interface_attribute,
        NetworkInterfaceId=eni,
        Description={"Value": "mine"},
    )
    not_owned(own.assign_private_ip_addresses, NetworkInterfaceId=eni,
              SecondaryPrivateIpAddressCount=1)  # fmt: skip
    not_owned(own.create_tags, Resources=[eni], Tags=[{"Key": "k", "Value": "v"}])
    not_owned(own.create_network_interface, SubnetId=shared.subnet, Groups=[group])
    (table,) = own.describe_route_tables(Filters=only({"vpc-id": shared.vpc}))["RouteTables"]
    not_owned(
        own.create_route,
        RouteTableId=table["RouteTableId"],
        DestinationCidrBlock="192.168.0.0/16",
        NetworkInterfaceId=eni,
    )
    for subnet_or_vpc, params in (
        (own.delete_subnet, {"SubnetId": shared.subnet}),
        (own.delete_vpc, {"VpcId": shared.vpc}),
    ):
        assert refused(subnet_or_vpc, **params)[0] == "DependencyViolation"


def test_groups_of_others_are_not_worn(shared: Shared) -> None:
    own, ec2 = shared.own, shared.ec2
    theirs, third = shared.group(own, "theirs"), shared.world.ec2(THIRD)
    not_owned(ec2.create_network_interface, SubnetId=shared.subnet)
    not_owned(ec2.create_network_interface, SubnetId=shared.subnet, Groups=[theirs])
    default = shared.default_group()
    not_owned(ec2.create_network_interface, SubnetId=shared.subnet, Groups=[default])
    image = ec2.describe_images(Filters=only({"name": "gureum-base*"}))["Images"][0]["ImageId"]
    launch = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "SubnetId": shared.subnet}
    not_owned(ec2.run_instances, **launch)
    not_owned(ec2.run_instances, **launch, SecurityGroupIds=[theirs])
    eni = shared.interface(Groups=[shared.group()])
    not_owned(ec2.modify_network_interface_attribute, NetworkInterfaceId=eni, Groups=[theirs])
    code, _ = refused(third.create_network_interface, SubnetId=shared.subnet)
    assert code == "InvalidSubnetID.NotFound"
    code, _ = refused(ec2.create_network_interface, SubnetId=shared.kept)
    assert code == "InvalidSubnetID.NotFound"


# --- rules --------------------------------------------------------------------------------------
def permission(group: str, owner: str | None) -> dict[str, Any]:
    pair = {"GroupId": group, **({"UserId": owner} if owner else {})}
    return {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}


def test_rules_name_the_groups_of_all_in_the_vpc(shared: Shared) -> None:
    own, ec2 = shared.own, shared.ec2
    theirs, mine = shared.group(own), shared.group()
    for who, group, peer, owner in ((ec2, mine, theirs, OWNER), (own, theirs, mine, OTHER)):
        allow = who.authorize_security_group_ingress
        code, _ = refused(allow, GroupId=group, IpPermissions=[permission(peer, THIRD)])
        assert code == "InvalidGroup.NotFound"
        (rule,) = allow(GroupId=group, IpPermissions=[permission(peer, owner)])[
            "SecurityGroupRules"
        ]
        assert rule["ReferencedGroupInfo"] == {
            "GroupId": peer, "UserId": owner, "VpcId": shared.vpc}  # fmt: skip
        (shown,) = who.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        (item,) = shown["IpPermissions"]
        assert item["UserIdGroupPairs"] == [{"GroupId": peer, "UserId": owner}]
        code, _ = refused(allow, GroupId=group, IpPermissions=[permission(peer, owner)])
        assert code == "InvalidPermission.Duplicate"
    assert refused(own.delete_security_group, GroupId=theirs)[0] == "DependencyViolation"
    shared.unshare()
    ec2.revoke_security_group_ingress(GroupId=mine, IpPermissions=[permission(theirs, OWNER)])
    code, _ = refused(
        ec2.authorize_security_group_ingress,
        GroupId=mine,
        IpPermissions=[permission(theirs, OWNER)],
    )
    assert code == "InvalidGroup.NotFound", "the VPC is shared no more"


def test_names_of_groups_are_each_accounts_own(shared: Shared) -> None:
    shared.group(shared.own, "web")
    shared.group(shared.ec2, "web")
    code, _ = refused(shared.group, who=shared.ec2, name="web")
    assert code == "InvalidGroup.Duplicate"


def test_a_group_of_ones_own_vpc_comes_into_the_shared_one(shared: Shared) -> None:
    own, ec2 = shared.own, shared.ec2
    home = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="h", Description="h", VpcId=home)["GroupId"]
    both = {"GroupId": group, "VpcId": shared.vpc}
    assert ec2.associate_security_group_vpc(**both)["State"] == "associating"
    (seen,) = own.describe_security_group_vpc_associations()["SecurityGroupVpcAssociations"]
    assert seen == {
        **both, "VpcOwnerId": OWNER, "GroupOwnerId": OTHER, "State": "associated"}  # fmt: skip
    eni = shared.interface(Groups=[group])
    assert refused(own.delete_vpc, VpcId=shared.vpc)[0] == "DependencyViolation"
    shared.unshare()
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.disassociate_security_group_vpc(**both)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=home)


def test_new_ipv6_opens_participants_groups_as_their_own(shared: Shared) -> None:
    group = shared.group()
    shared.own.associate_vpc_cidr_block(VpcId=shared.vpc, AmazonProvidedIpv6CidrBlock=True)
    rules = shared.ec2.describe_security_group_rules(Filters=only({"group-id": group}))
    assert [each["GroupOwnerId"] for each in rules["SecurityGroupRules"]] == [OTHER, OTHER]
    (shown,) = shared.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    out = shown["IpPermissionsEgress"]
    assert out[0]["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]
    shared.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=out)
    (block,) = shared.own.describe_vpcs(VpcIds=[shared.vpc])["Vpcs"][0][
        "Ipv6CidrBlockAssociationSet"
    ]
    not_owned(shared.ec2.disassociate_vpc_cidr_block, AssociationId=block["AssociationId"])
    shared.own.disassociate_vpc_cidr_block(AssociationId=block["AssociationId"])


# --- tags ---------------------------------------------------------------------------------------
def test_tags_are_each_accounts_own(shared: Shared) -> None:
    own, ec2, key = shared.own, shared.ec2, shared.subnet
    own.create_tags(Resources=[key], Tags=[{"Key": "Name", "Value": "a"}])
    ec2.create_tags(
        Resources=[key, shared.vpc],
        Tags=[{"Key": "Name", "Value": "b"}, {"Key": "more", "Value": "c"}],
    )
    for who, name in ((own, "a"), (ec2, "b")):
        filters = only({"tag:Name": name})
        (shown,) = who.describe_subnets(Filters=filters)["Subnets"]
        assert (shown["SubnetId"], shown["Tags"][0]["Value"]) == (key, name)
        listed = who.describe_tags(Filters=only({"resource-id": key, "key": "Name"}))["Tags"]
        assert listed == [
            {"Key": "Name", "Value": name, "ResourceId": key, "ResourceType": "subnet"}
        ]
    assert ec2.describe_subnets(Filters=only({"tag:Name": "a"}))["Subnets"] == []
    ec2.delete_tags(Resources=[key], Tags=[{"Key": "Name"}])
    (shown,) = ec2.describe_subnets(SubnetIds=[key])["Subnets"]
    assert shown["Tags"] == [{"Key": "more", "Value": "c"}]
    (shown,) = own.describe_subnets(SubnetIds=[key])["Subnets"]
    assert shown["Tags"] == [{"Key": "Name", "Value": "a"}]
    for _ in range(2):
        ec2.delete_tags(Resources=[key])
        mine = [row for row in shared.world.cloud.store.view.all(OwnTags) if row.resource == key]
        assert mine == [], "nothing is kept of none"
    code, _ = refused(shared.world.ec2(THIRD).create_tags, Resources=[key], Tags=[{"Key": "k"}])
    assert code == "InvalidSubnetID.NotFound"


# --- flow logs ----------------------------------------------------------------------------------
def test_flow_logs_are_of_who_made_them(shared: Shared) -> None:
    own, ec2 = shared.own, shared.ec2
    eni, foreign = shared.interface(Groups=[shared.group()]), shared.interface(own)
    log = {"ResourceType": "NetworkInterface", "TrafficType": "ALL", "LogDestinationType": "s3",
           "LogDestination": "arn:aws:s3:::logs"}  # fmt: skip
    told = ec2.create_flow_logs(ResourceIds=[eni, foreign], **log)
    (failed,) = told["Unsuccessful"]
    assert failed["Error"]["Code"] == "InvalidNetworkInterfaceID.NotFound"
    (mine,) = told["FlowLogIds"]
    (theirs,) = own.create_flow_logs(ResourceIds=[eni], **log)["FlowLogIds"]
    assert [each["FlowLogId"] for each in ec2.describe_flow_logs()["FlowLogs"]] == [mine]
    assert [each["FlowLogId"] for each in own.describe_flow_logs()["FlowLogs"]] == [theirs]
    (failed,) = own.delete_flow_logs(FlowLogIds=[mine])["Unsuccessful"]
    assert failed["Error"]["Code"] == "InvalidFlowLogId.NotFound"
    own.delete_flow_logs(FlowLogIds=[theirs])
    ec2.delete_flow_logs(FlowLogIds=[mine])


# --- the end ------------------------------------------------------------------------------------
def test_what_is_there_stays_when_the_share_ends(shared: Shared) -> None:
    own, ec2 = shared.own, shared.ec2
    group = shared.group()
    eni = shared.interface(Groups=[group])
    shared.unshare()
    assert refused(ec2.describe_subnets, SubnetIds=[shared.subnet])[0] == (
        "InvalidSubnetID.NotFound"
    )
    assert refused(ec2.describe_vpcs, VpcIds=[shared.vpc])[0] == "InvalidVpcID.NotFound"
    assert refused(ec2.delete_vpc, VpcId=shared.vpc)[0] == "InvalidVpcID.NotFound"
    code, _ = refused(ec2.create_network_interface, SubnetId=shared.subnet, Groups=[group])
    assert code == "InvalidSubnetID.NotFound"
    code, _ = refused(ec2.create_security_group, GroupName="n", Description="n", VpcId=shared.vpc)
    assert code == "InvalidVpcID.NotFound"
    # What the participant has goes on, and it may change and delete it.
    (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    assert shown["SubnetId"] == shared.subnet
    added = ec2.assign_private_ip_addresses(
        NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=1
    )
    assert len(added["AssignedPrivateIpAddresses"]) == 1
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[group])
    opened = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[opened])
    assert refused(own.delete_subnet, SubnetId=shared.subnet)[0] == "DependencyViolation"
    assert refused(own.delete_vpc, VpcId=shared.vpc)[0] == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.delete_security_group(GroupId=group)


# --- what cannot be shared ----------------------------------------------------------------------
def associations(world: World, share: str, kind: str) -> list[tuple[str, str]]:
    found = world.ram(OWNER).get_resource_share_associations(
        associationType=kind, resourceShareArns=[share]
    )["resourceShareAssociations"]
    return [(each["status"], each.get("statusMessage", "")) for each in found]


def test_default_subnets_are_not_shared(world: World) -> None:
    default = world.ec2(OWNER).describe_subnets(Filters=only({"default-for-az": "true"}))
    share = world.share(default["Subnets"][0]["SubnetArn"])
    assert associations(world, share, "RESOURCE") == [
        ("FAILED", "Subnets of a default VPC cannot be shared.")
    ]
    world.ram(OWNER).delete_resource_share(resourceShareArn=share)


def test_a_vpc_has_at_most_a_hundred_participants(shared: Shared) -> None:
    world, ram = shared.world, shared.world.ram(OWNER)
    share = world.share(shared.arn, to=tuple(f"{n:012}" for n in range(1, 101)))
    told = associations(world, share, "PRINCIPAL")
    assert sorted({each for each, _ in told}) == ["ASSOCIATING", "FAILED"]
    (why,) = [text for each, text in told if each == "FAILED"]
    assert why == "The subnets of a VPC can be shared with at most 100 accounts."
    ram.delete_resource_share(resourceShareArn=share)
    # As many may be asked by a share before the subnet is in it.
    share = world.share(to=tuple(f"{n:012}" for n in range(1, 101)))
    ram.associate_resource_share(resourceShareArn=share, resourceArns=[shared.arn])
    assert associations(world, share, "RESOURCE") == [("FAILED", why)]
    ram.delete_resource_share(resourceShareArn=share)


def test_an_account_has_at_most_a_hundred_subnets_by_shares(shared: Shared) -> None:
    world, own, ram = shared.world, shared.own, shared.world.ram(OWNER)
    blocks = [f"10.0.{100 + n // 16}.{n % 16 * 16}/28" for n in range(100)]
    made = [own.create_subnet(VpcId=shared.vpc, CidrBlock=each)["Subnet"] for each in blocks]
    arns = [each["SubnetArn"] for each in made]
    share = world.share(*arns)
    why = "At most 100 subnets can be shared with an account."
    assert associations(world, share, "PRINCIPAL") == [("FAILED", why)]
    ram.disassociate_resource_share(resourceShareArn=share, resourceArns=arns[:1])
    ram.associate_resource_share(resourceShareArn=share, principals=[OTHER])
    assert associations(world, share, "PRINCIPAL") == [("ASSOCIATING", "")]
    ram.associate_resource_share(resourceShareArn=share, resourceArns=arns[:1])
    told = [each for each in associations(world, share, "RESOURCE") if each[0] == "FAILED"]
    assert told == [("FAILED", why)]
    ram.delete_resource_share(resourceShareArn=share)
    for each in made:
        own.delete_subnet(SubnetId=each["SubnetId"])
