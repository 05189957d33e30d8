"""What the API says is what packets do, at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel.packets import (
    connection,
    eventually,
    hops,
    listening,
    ping,
    run,
    tcp,
)

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ANY = "0.0.0.0/0"
MIRROR = "198.19.0.20"


@pytest.fixture(scope="module")
def web(site: Site) -> Guest:
    group = site.group("web", ("tcp", 80, ANY), ("icmp", 8, "10.0.0.0/16"))
    return site.launch(site.public, group, public=True)


@pytest.fixture(scope="module")
def db(site: Site, web: Guest) -> Guest:
    group = web.show()["SecurityGroups"][0]["GroupId"]
    inner = site.group("db", ("tcp", 3306, group), ("icmp", 8, "10.0.0.0/16"))
    return site.launch(site.private, inner)


@pytest.fixture
def served(web: Guest, db: Guest) -> Iterator[None]:
    with listening(web.ns, 80), listening(web.ns, 81), listening(db.ns, 3306):
        yield


@pytest.mark.usefixtures("served")
def test_verdicts(site: Site, web: Guest, db: Guest) -> None:
    table = (
        (site.me, web.public_ip, 80, "open"),
        (site.me, web.public_ip, 81, "timeout"),
        (site.me, db.ip, 3306, "timeout"),
        (web.ns, db.ip, 3306, "open"),
        (web.ns, db.ip, 22, "timeout"),
        (web.ns, db.ip, 3306, "open"),
        (db.ns, web.ip, 80, "open"),
        (db.ns, web.ip, 8080, "timeout"),
        (db.ns, MIRROR, 80, "timeout"),
        (web.ns, MIRROR, 80, "refused"),
    )
    seen = [tcp(ns, ip, port) for ns, ip, port, _ in table]
    assert seen == [wanted for *_, wanted in table]


def test_hops(web: Guest, db: Guest) -> None:
    assert hops(web.ns, db.ip) == ["10.0.1.1", db.ip]


@pytest.mark.usefixtures("served")
def test_a_rule_is_in_force_when_the_call_returns(site: Site, web: Guest) -> None:
    group = web.show()["SecurityGroups"][0]["GroupId"]
    for _ in range(5):
        site.allow(group, "tcp", 81, ANY)
        assert tcp(site.me, web.public_ip, 81) == "open"
        site.forbid(group, "tcp", 81, ANY)
        assert tcp(site.me, web.public_ip, 81) == "timeout"


def test_a_nat_gateway_opens_the_way_out_only(site: Site, db: Guest) -> None:
    ec2 = site.ec2
    address = ec2.allocate_address(Domain="vpc")
    made = ec2.create_nat_gateway(SubnetId=site.public, AllocationId=address["AllocationId"])
    nat = made["NatGateway"]["NatGatewayId"]
    waiter = ec2.get_waiter("nat_gateway_available")
    waiter.wait(NatGatewayIds=[nat], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    table = site.table(site.private)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, NatGatewayId=nat)
    mirror = site.daemon.netns("host-mirror")
    with connection(db.ns, MIRROR, mirror, 8000) as (_, _, seen):
        assert seen == address["PublicIp"]
    assert ping(site.me, address["PublicIp"]) == "timeout"
    ec2.delete_nat_gateway(NatGatewayId=nat)
    assert tcp(db.ns, MIRROR, 8000) == "timeout"
    (route,) = (
        each
        for each in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        if each.get("NatGatewayId") == nat
    )
    assert route["State"] == "blackhole"


def test_a_network_acl_is_stateless(site: Site, web: Guest, db: Guest) -> None:
    ec2 = site.ec2
    acl = ec2.create_network_acl(VpcId=site.vpc)["NetworkAcl"]["NetworkAclId"]
    only = [{"Name": "association.subnet-id", "Values": [site.private]}]
    (old,) = ec2.describe_network_acls(Filters=only)["NetworkAcls"]
    (association,) = (a for a in old["Associations"] if a["SubnetId"] == site.private)

    def entry(number: int, *, egress: bool, first: int, last: int) -> None:
        ec2.create_network_acl_entry(
            NetworkAclId=acl,
            RuleNumber=number,
            Egress=egress,
            Protocol="6",
            RuleAction="allow",
            CidrBlock=ANY,
            PortRange={"From": first, "To": last},
        )

    with listening(db.ns, 3306):
        assert tcp(web.ns, db.ip, 3306) == "open"
        new = ec2.replace_network_acl_association(
            AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl
        )["NewAssociationId"]
        assert tcp(web.ns, db.ip, 3306) == "timeout"
        entry(100, egress=False, first=3306, last=3306)
        assert tcp(web.ns, db.ip, 3306) == "timeout", "the answers may not leave yet"
        entry(100, egress=True, first=1024, last=65535)
        assert tcp(web.ns, db.ip, 3306) == "open"
        ec2.replace_network_acl_association(AssociationId=new, NetworkAclId=old["NetworkAclId"])
    ec2.delete_network_acl(NetworkAclId=acl)


def test_two_vpcs_with_one_cidr_are_worlds_apart(daemon: Daemon, site: Site, web: Guest) -> None:
    other = Site(daemon)
    group = other.group("open", ("-1", -1, ANY))
    ip = web.ip
    guest = other.launch(other.public, group, public=True)
    eni = other.ec2.create_network_interface(SubnetId=other.public, PrivateIpAddress=ip)
    assert eni["NetworkInterface"]["PrivateIpAddress"] == ip, "the same address twice"
    with listening(web.ns, 80):
        assert tcp(guest.ns, ip, 80) == "timeout"
        assert tcp(guest.ns, web.public_ip, 80) == "open", "but over the internet it can"
    other.ec2.delete_network_interface(
        NetworkInterfaceId=eni["NetworkInterface"]["NetworkInterfaceId"]
    )


def test_a_nat_instance_masquerades(site: Site, web: Guest) -> None:
    """A route to an instance with the check off, and nftables inside it."""
    script = "#!/bin/sh\necho 1 >/proc/sys/net/ipv4/ip_forward\n"
    group = site.group("nat", ("-1", -1, "10.0.0.0/16"))
    nat = site.launch(site.public, group, public=True, UserData=script)
    site.ec2.modify_instance_attribute(InstanceId=nat.id, SourceDestCheck={"Value": False})
    assert eventually(lambda: run(nat.ns, "sysctl", "-n", "net.ipv4.ip_forward").stdout == "1\n")
    rules = "table ip nat { chain p { type nat hook postrouting priority 100; masquerade; }; }"
    assert run(nat.ns, "nft", rules).returncode == 0
    subnet = site.subnet("10.0.3.0/24")
    inner = site.launch(subnet, group)
    table = site.table(subnet)
    site.ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, InstanceId=nat.id)
    mirror = site.daemon.netns("host-mirror")
    with connection(inner.ns, MIRROR, mirror, 8001) as (_, _, seen):
        assert seen == nat.public_ip
    site.ec2.modify_instance_attribute(InstanceId=nat.id, SourceDestCheck={"Value": True})
    assert tcp(inner.ns, MIRROR, 8001) == "timeout"


def test_the_console_tells_of_user_data(site: Site, web: Guest) -> None:
    group = web.show()["SecurityGroups"][0]["GroupId"]
    script = "#!/bin/sh\necho hello from user data\n"
    guest = site.launch(site.public, group, UserData=script)

    def output() -> str:
        return str(site.ec2.get_console_output(InstanceId=guest.id).get("Output", ""))

    assert eventually(lambda: "hello from user data" in output(), 10)


def test_terminated_instances_leave_their_addresses(site: Site, web: Guest) -> None:
    group = web.show()["SecurityGroups"][0]["GroupId"]
    guest = site.launch(site.private, group)
    ip = guest.ip
    site.ec2.terminate_instances(InstanceIds=[guest.id])
    guest.becomes("terminated")
    assert eventually(lambda: not guest.ns.exists())
    eni = site.ec2.create_network_interface(SubnetId=site.private, PrivateIpAddress=ip)
    assert eni["NetworkInterface"]["PrivateIpAddress"] == ip
