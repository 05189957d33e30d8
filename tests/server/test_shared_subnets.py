"""Shared subnets where policies are enforced: ARNs name the owner, tags are the caller's own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.secured import REGION, Secured
from tests.server.test_enforce import Team, allow, refused


class Guests(Team):
    """An account with users that has a subnet of another one's."""

    def __init__(self, cloud: Secured) -> None:
        super().__init__(cloud)
        host = cloud.account("host")
        own, ram = cloud.client(host), cloud.client(host, "ram")
        self.host = cloud.client(host, "sts").get_caller_identity()["Account"]
        self.vpc = own.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = own.create_subnet(VpcId=self.vpc, CidrBlock="10.0.1.0/24")["Subnet"]
        self.subnet = made["SubnetId"]
        own.create_tags(Resources=[self.subnet], Tags=[{"Key": "team", "Value": "host"}])
        share = ram.create_resource_share(
            name="ours", resourceArns=[made["SubnetArn"]], principals=[self.number]
        )["resourceShare"]["resourceShareArn"]
        mine = cloud.client(self.keys, "ram")
        (asked,) = mine.get_resource_share_invitations(resourceShareArns=[share])[
            "resourceShareInvitations"
        ]
        mine.accept_resource_share_invitation(
            resourceShareInvitationArn=asked["resourceShareInvitationArn"]
        )
        self.group = self.ec2.create_security_group(GroupName="g", Description="g", VpcId=self.vpc)[
            "GroupId"
        ]

    def make(self, *statements: Any) -> Any:
        """What makes an interface in the shared subnet, as a user with these statements."""
        around = [
            allow("ec2:CreateNetworkInterface", resource=self.arn(kind, "*"))
            for kind in ("network-interface", "security-group")
        ]
        client = self.cloud.client(self.user(*around, *statements))
        return lambda: client.create_network_interface(SubnetId=self.subnet, Groups=[self.group])


@pytest.fixture(scope="module")
def guests(enforced: Secured) -> Guests:
    return Guests(enforced)


def test_a_policy_names_the_owners_subnet(guests: Guests) -> None:
    whole = f"arn:aws:ec2:{REGION}:{guests.host}:subnet/{guests.subnet}"
    code, message, _ = refused(guests.make(allow("ec2:*", resource=guests.arn("subnet", "*"))))
    assert (code, f"on resource: {whole}" in message) == ("UnauthorizedOperation", True), message
    guests.make(allow("ec2:CreateNetworkInterface", resource=whole))()
    vpc = f"arn:aws:ec2:{REGION}:{guests.host}:vpc/{guests.vpc}"
    here = allow("ec2:CreateNetworkInterface", ArnEquals={"ec2:Vpc": vpc})
    guests.make(here)()
    other = allow("ec2:CreateNetworkInterface", ArnEquals={"ec2:Vpc": guests.arn("vpc", "*")})
    assert refused(guests.make(other))[0] == "UnauthorizedOperation"


def test_a_policy_asks_for_ones_own_tags(guests: Guests) -> None:
    def tagged(value: str) -> Any:
        tags = {"aws:ResourceTag/team": value}
        return guests.make(allow("ec2:CreateNetworkInterface", StringEquals=tags))

    assert refused(tagged("host"))[0] == "UnauthorizedOperation", "its tags are the owner's"
    guests.ec2.create_tags(Resources=[guests.subnet], Tags=[{"Key": "team", "Value": "guest"}])
    tagged("guest")()
