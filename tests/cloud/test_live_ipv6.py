"""Predictions about IPv6 laid over real packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cloud.site import Guest, Site
from tests.cloud.test_ipv6 import ANY, ME, Dual, ipv6
from tests.cloud.test_live import armed, confirmed, live, readers, rule_of, statuses, stopped, told
from tests.daemon import Daemon
from tests.kernel.packets import listening, sh

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

FAR = "3fff:7:0:100::/56"
FAR_SUBNET = FAR.replace("/56", "/64")


@dataclass
class World:
    """Two instances in a subnet behind an internet gateway, one in a subnet behind an egress-only
    one, and one in a VPC that is peered."""

    dual: Dual
    web: Guest
    twin: Guest
    db: Guest
    far: Guest
    web_group: str


@pytest.fixture(scope="module")
def world(daemon: Daemon) -> World:
    dual = Dual(daemon)
    site = dual.site
    group = dual.web.show()["SecurityGroups"][0]["GroupId"]
    rule = {
        "IpProtocol": "icmpv6",
        "FromPort": 128,
        "ToPort": -1,
        "Ipv6Ranges": [{"CidrIpv6": ANY}],
    }
    site.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    twin, far = site.launch(site.public, group), _peered(daemon, site)
    guests = {"web": dual.web, "twin": twin, "db": dual.db, "far": far}
    for name, guest in guests.items():
        site.ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    return World(dual, web_group=group, **guests)


def _peered(daemon: Daemon, site: Site) -> Guest:
    """An instance in another VPC, which the site's public subnet has a route to and the other way
    round."""
    other, ec2 = Site(daemon, "10.1.0.0/16"), site.ec2
    ec2.associate_vpc_cidr_block(VpcId=other.vpc, Ipv6Pool="Amazon", Ipv6CidrBlock=FAR)
    ec2.associate_subnet_cidr_block(SubnetId=other.public, Ipv6CidrBlock=FAR_SUBNET)
    on = {"Value": True}
    ec2.modify_subnet_attribute(SubnetId=other.public, AssignIpv6AddressOnCreation=on)
    made = ec2.create_vpc_peering_connection(VpcId=site.vpc, PeerVpcId=other.vpc)
    key = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    for table, cidr in ((site.out, FAR), (other.out, ANY)):
        to = {"DestinationIpv6CidrBlock": cidr, "VpcPeeringConnectionId": key}
        ec2.create_route(RouteTableId=table, **to)
    group = other.group("far")
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    rule["Ipv6Ranges"] = [{"CidrIpv6": ANY}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    return other.launch(other.public, group)


@pytest.fixture(autouse=True)
def leaves_nothing(daemon: Daemon) -> Iterator[None]:
    """Each test ends without tables or readers."""
    yield
    assert (armed(daemon), readers(daemon)) == ([], [])


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        ("web", "twin", 80),  # inside a subnet
        ("web", "db", 3306),  # across subnets
        ("me", "web", 80),  # in by the internet gateway
        ("web", "mirror", 80),  # out by it
        ("db", "mirror", 80),  # out by the egress-only one
        ("web", "far", 80),  # over the peering
        ("far", "web", 80),
    ],
)
def test_every_way_is_confirmed(
    daemon: Daemon, world: World, source: str, target: str, port: int
) -> None:
    receiver = {"mirror": daemon.netns("host-mirror")}
    receiver |= {name: getattr(world, name).ns for name in ("web", "twin", "db", "far")}
    with listening(receiver[target], port, ANY):
        found = confirmed(daemon, "-6", source, target, str(port), status=0)
    assert statuses(found, "forth") == statuses(found, "back") == {"seen"}
    assert found["evidence"]["outcome"] == "answered"
    assert ":" in found["evidence"]["packet"]["source"]


def test_a_ping_and_a_datagram(daemon: Daemon, world: World) -> None:
    found = confirmed(daemon, "web", ipv6(world.twin), status=0)
    assert statuses(found, "forth") == statuses(found, "back") == {"seen"}
    found = confirmed(daemon, "web", ME, "udp/53", status=1)
    assert found["evidence"]["outcome"] == "refused (icmpv6 1/4)"


def test_what_blocks_is_seen(daemon: Daemon, world: World) -> None:
    found = confirmed(daemon, "-6", "me", "db", "3306", status=1)
    assert "drop egress-only" in [each["said"] for each in found["evidence"]["forth"]]
    found = confirmed(daemon, "-6", "web", "twin", "81", status=1)
    assert stopped(found)["said"].startswith("drop sg:")
    nobody = ipv6(world.twin).rpartition(":")[0] + ":beef"
    found = confirmed(daemon, "web", nobody, "80", status=1)
    assert "nobody answers a neighbour solicitation" in stopped(found)["said"]


def test_a_rule_that_is_missing_in_the_kernel_contradicts(daemon: Daemon, world: World) -> None:
    daemon.kill()
    daemon.start()  # the next pass that puts things right is a minute away then
    only = [{"Name": "group-id", "Values": [world.web_group]}]
    rules = world.dual.site.ec2.describe_security_group_rules(Filters=only)["SecurityGroupRules"]
    (key,) = (each["SecurityGroupRuleId"] for each in rules if each.get("FromPort") == 80)
    router = daemon.netns(world.dual.site.vpc)
    chain, handle = rule_of(router, key)
    sh(router, "nft", "delete", "rule", "inet", "gureum", chain, "handle", handle)
    with listening(world.web.ns, 80, ANY):
        found = live(daemon, "-6", "me", "web", "80", status=6)
        daemon.kill()
        daemon.start()  # puts the rule back
        assert found["works"], "the prediction knows nothing of it"
        assert found["evidence"]["verdict"] == "contradicted"
        (reason,) = found["evidence"]["reasons"]
        assert key in reason
        assert ("group", "contradicted") in told(found, "forth")
        confirmed(daemon, "-6", "me", "web", "80", status=0)
