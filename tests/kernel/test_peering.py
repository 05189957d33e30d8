"""Peering on real packets: both ways, by routes, and nothing beyond the two networks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gureum.program import Blackhole, Member, Peering, Port, Route, Rule, ViaPeering, ViaUplink
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, Net, allow, internet

pytestmark = pytest.mark.kernel

A, B, C = "10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"
LINK = Peering("pcx-00000000000000012", ("vpc-1", "vpc-2"), ((A,), (B,)))
NEXT = Peering("pcx-00000000000000023", ("vpc-2", "vpc-3"), ((B,), (C,)))


TARGETS = (ViaPeering(LINK.id, "vpc-1"), ViaPeering(LINK.id, "vpc-2"))
OPEN = [allow(protocol=1, why="sgr-ping"), allow(protocol=6, ports=80)]


def net(
    number: int,
    cidr: str,
    *peers: tuple[str, Peering],
    forwarding: bool = False,
    rules: list[Rule] = OPEN,
) -> tuple[Net, Port]:
    """A network with one host, ``.10`` of its first subnet, and routes to its peers."""
    made = Net(f"vpc-{number}", cidr)
    base = cidr.rsplit(".", 2)[0]
    segment = made.segment("in", f"{base}.1.0/24")
    made.group("sg", rules)
    port = made.instance(f"host{number}", segment, f"{base}.1.10", "sg", forwarding)
    for destination, link in peers:
        (far,) = {*link.routers} - {made.router}
        made.route("in", destination, ViaPeering(link.id, far))
    return made, port


def pair(*, forwarding: bool = False, rules: list[Rule] = OPEN) -> tuple[Net, Net, Port]:
    """Two joined networks, and the port of the first one's host, which may forward; ``rules`` are
    what the second one lets in."""
    one, port = net(1, A, (B, LINK), forwarding=forwarding)
    two, _ = net(2, B, (A, LINK), rules=rules)
    one.add(LINK)
    return one, two, port


def test_peers_reach_each_other(lab: Lab) -> None:
    one, two, _ = pair()
    lab.build(one.statements, two.statements, internet())
    lab.check("""
        host1 host22 icmp   pass
        host22 host1 icmp   pass
        host1 host22 tcp/80 pass
        host1 host22 tcp/81 drop
    """)
    server = lab.ns("i-host22")
    with packets.connection(lab.ns("i-host1"), "10.1.1.10", server, 80) as (a, b, seen):
        assert seen == "10.0.1.10", "nobody translates"
        assert packets.alive(a, b)
    big = packets.ping(lab.ns("i-host1"), "10.1.1.10", size=8900, patience=packets.LONG)
    assert big == "reply", "jumbo frames, as within a VPC"


def test_both_sides_need_routes(lab: Lab) -> None:
    one, _ = net(1, A, (B, LINK))
    two, _ = net(2, B)
    lab.build(one.statements, two.statements, {LINK})
    lab.check("host1 host22 icmp drop")
    route = two.route("in", A, ViaPeering(LINK.id, "vpc-1"))
    lab.change([route])
    lab.check("host1 host22 icmp pass")


def test_without_the_link_nothing_passes_and_a_restart_finds_it(lab: Lab) -> None:
    one, two, _ = pair()
    lab.build(one.statements, two.statements)
    lab.check("host1 host22 icmp pass")
    lab.adopt()
    lab.check("host1 host22 icmp pass")
    more = replace(LINK, cidrs=((A, "10.9.0.0/16"), (B,)))
    lab.replace(LINK, more)
    lab.check("host1 host22 icmp pass")
    routes = [each for each in lab.statements if isinstance(each, Route)]
    ways = [each for each in routes if each.target in TARGETS]
    gone = [replace(each, target=Blackhole(LINK.id)) for each in ways]
    lab.change(gone, [more, *ways])
    lab.check("host1 host22 icmp drop")
    lab.change([LINK, *ways], gone)
    lab.check("host1 host22 icmp pass")


def test_a_peer_leads_to_nobody_else(lab: Lab) -> None:
    """No transit: not to the peer's peer, not to its gateway (VPC Peering Guide)."""
    one, _ = net(1, A, (B, LINK), (C, LINK), (ANY, LINK))
    two, _ = net(2, B, (A, LINK), (C, NEXT))
    three, _ = net(3, C, (A, NEXT), (B, NEXT))
    gateway = two.gateway("1")
    two.public(gateway, "10.1.1.10", "198.18.0.9")
    two.route("in", ANY, ViaUplink(gateway))
    lab.build(one.statements, two.statements, three.statements, internet(), {LINK, NEXT})
    lab.check("""
        host1  host22 icmp pass
        host22 host33 icmp pass
        host1  host33 icmp drop
        host1  me     icmp drop
        host22 me     icmp pass
    """)


def test_nobody_forges_an_address_of_the_peer(lab: Lab) -> None:
    """A host that may forward says that it is a member of the peer's group, or somebody else."""
    one, two, port = pair(forwarding=True, rules=[allow("sg-own"), allow("172.16.0.0/12")])
    two.add(Member("vpc-2", "sg-own", "10.1.1.20"))
    lab.build(one.statements, two.statements)
    with packets.sniffing(lab.ns("i-host22"), "eth0") as heard:
        for source in ("10.1.1.20", "172.16.0.9"):
            packet = packets.ipv4(source, "10.1.1.10", source.encode())
            frame = packets.ethernet(port.segment.mac, port.mac, 0x0800, packet)
            packets.send_frame(lab.ns("i-host1"), "eth0", frame)
            assert not heard(source.encode(), packets.SHORT), source


def test_groups_across_a_peering(lab: Lab) -> None:
    """A rule that names a group of the peer admits its members and nobody else there."""
    one, two, port = pair(rules=[allow("sg-web", protocol=6, ports=80, why="sgr-peer")])
    one.instance("other", port.segment, "10.0.1.20", "sg")
    two.add(Member("vpc-2", "sg-web", "10.0.1.10"))
    lab.build(one.statements, two.statements)
    lab.check("""
        host1 host22 tcp/80 pass
        other host22 tcp/80 drop
    """)
