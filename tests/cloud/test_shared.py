"""What one account shares with another by AWS RAM, on real packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel.packets import SHORT, eventually, listening, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

OWNER, OTHER = "111111111111", "123456789012"
"""The one shares; the other is the account of the site."""
ME, MIRROR = "198.19.0.10", "198.19.0.20"


def share(daemon: Daemon, arn: str) -> str:
    """Share something of the owner's with the other account, which accepts."""
    made = daemon.ec2("ram", OWNER).create_resource_share(
        name="ours", resourceArns=[arn], principals=[OTHER]
    )
    key = str(made["resourceShare"]["resourceShareArn"])
    ram = daemon.ec2("ram", OTHER)
    found = ram.get_resource_share_invitations(resourceShareArns=[key])
    (only,) = found["resourceShareInvitations"]
    ram.accept_resource_share_invitation(
        resourceShareInvitationArn=only["resourceShareInvitationArn"]
    )
    return key


def make_list(ec2: Any, cidr: str) -> dict[str, Any]:
    made: dict[str, Any] = ec2.create_managed_prefix_list(
        PrefixListName="offices",
        MaxEntries=5,
        AddressFamily="IPv4",
        Entries=[{"Cidr": cidr}],
    )["PrefixList"]
    return made


def test_the_owners_change_of_a_list_opens_and_closes_a_group(daemon: Daemon, site: Site) -> None:
    own = daemon.ec2(account=OWNER)
    made = make_list(own, "192.0.2.0/24")
    key, shared = made["PrefixListId"], share(daemon, made["PrefixListArn"])
    group = site.group("listed")
    web = site.launch(site.public, group, public=True)
    to = {"PrefixListIds": [{"PrefixListId": key}]}
    site.ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, **to}]
    )

    def change(version: int, **entries: Any) -> None:
        own.modify_managed_prefix_list(PrefixListId=key, CurrentVersion=version, **entries)

    def works(source: str) -> bool:
        """What is said of it, and of all pairs."""
        one = daemon.gureum("explain", source, web.id, "80").returncode == 0
        statement = f"name: one\n  from: {source}\n  to: {web.id}\n"
        file = daemon.state / "policy.yaml"
        file.write_text(f"- {statement}  {'always' if one else 'never'}: tcp/80\n")
        held = daemon.gureum("verify", str(file))
        assert held.returncode == 0, held.stdout + held.stderr
        return one

    ip, mirror = web.public_ip, daemon.netns("host-mirror")
    with listening(web.ns, 80):
        assert tcp(site.me, ip, 80, patience=SHORT) == "timeout"
        change(1, AddEntries=[{"Cidr": f"{ME}/32"}])
        assert tcp(site.me, ip, 80) == "open"
        assert tcp(mirror, ip, 80, patience=SHORT) == "timeout"
        assert works("me")
        assert not works("mirror")
        # No longer shared: what refers to the list stays, and follows it (VPC User Guide).
        daemon.ec2("ram", OWNER).delete_resource_share(resourceShareArn=shared)
        assert tcp(site.me, ip, 80) == "open"
        change(2, RemoveEntries=[{"Cidr": f"{ME}/32"}], AddEntries=[{"Cidr": f"{MIRROR}/32"}])
        assert tcp(site.me, ip, 80, patience=SHORT) == "timeout"
        assert tcp(mirror, ip, 80) == "open"
        assert not works("me")
        assert works("mirror")


def test_the_owners_change_of_a_list_leads_routes(daemon: Daemon, site: Site) -> None:
    own = daemon.ec2(account=OWNER)
    made = make_list(own, "198.19.0.0/28")
    share(daemon, made["PrefixListArn"])
    subnet = site.subnet("10.0.3.0/24")
    site.ec2.create_route(
        RouteTableId=site.table(subnet),
        DestinationPrefixListId=made["PrefixListId"],
        GatewayId=site.gateway,
    )
    guest = site.launch(subnet, site.group("out"), public=True)
    with listening(site.me, 8080), listening(daemon.netns("host-mirror"), 8080):
        assert tcp(guest.ns, ME, 8080) == "open"
        assert tcp(guest.ns, MIRROR, 8080, patience=SHORT) == "timeout"
        own.modify_managed_prefix_list(
            PrefixListId=made["PrefixListId"],
            CurrentVersion=1,
            AddEntries=[{"Cidr": f"{MIRROR}/32"}],
        )
        assert tcp(guest.ns, MIRROR, 8080) == "open"


def test_vpcs_of_two_accounts_meet_on_a_shared_transit_gateway(daemon: Daemon, site: Site) -> None:
    hub = Site(daemon, "10.1.0.0/16", OWNER)
    own = hub.ec2
    made = own.create_transit_gateway()["TransitGateway"]
    gateway: str = made["TransitGatewayId"]
    becomes(lambda: own.describe_transit_gateways()["TransitGateways"][0]["State"], "available")
    share(daemon, made["TransitGatewayArn"])
    archive = hub.launch(hub.private, hub.group("archive", ("tcp", 80, "10.0.0.0/16")))
    clerk = site.launch(site.private, site.group("clerk"))

    def attach(who: Site) -> str:
        told = who.ec2.create_transit_gateway_vpc_attachment(
            TransitGatewayId=gateway, VpcId=who.vpc, SubnetIds=[who.private]
        )
        return str(told["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])

    def state(who: Site, key: str) -> str:
        found = who.ec2.describe_transit_gateway_attachments(TransitGatewayAttachmentIds=[key])
        return str(found["TransitGatewayAttachments"][0]["State"])

    mine, theirs = attach(hub), attach(site)
    becomes(lambda: state(hub, mine), "available")
    assert state(site, theirs) == state(hub, theirs) == "pendingAcceptance"
    to = {"DestinationCidrBlock": "10.0.0.0/16", "TransitGatewayId": gateway}
    own.create_route(RouteTableId=hub.table(hub.private), **to)
    with listening(archive.ns, 80):
        assert tcp(clerk.ns, archive.ip, 80, patience=SHORT) == "timeout"
        own.accept_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=theirs)
        becomes(lambda: state(site, theirs), "available")
        back = {"DestinationCidrBlock": "10.1.0.0/16", "TransitGatewayId": gateway}
        site.ec2.create_route(RouteTableId=site.table(site.private), **back)
        assert tcp(clerk.ns, archive.ip, 80) == "open"
        told = daemon.gureum("explain", clerk.id, archive.id, "80")
        assert (told.returncode, gateway in told.stdout) == (0, True), told.stdout + told.stderr
        assert f"of {OWNER}" in daemon.gureum("map").stdout
        # The owner of the gateway may end what the other one attached.
        own.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=theirs)
        becomes(lambda: state(site, theirs), "deleted")
        assert tcp(clerk.ns, archive.ip, 80, patience=SHORT) == "timeout"


def becomes(look: Callable[[], str], state: str) -> None:
    assert eventually(lambda: look() == state, 10), look()
