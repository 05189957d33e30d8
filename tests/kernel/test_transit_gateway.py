"""Transit gateways on real packets: by their own tables, from the zones that they serve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gureum.program import (
    Attachment,
    AttachmentTable,
    Blackhole,
    Port,
    Route,
    Served,
    Statement,
    Table,
    Transit,
    ViaAttachment,
    ViaTransit,
)
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY6, Net, allow

pytestmark = pytest.mark.kernel

HUB = "tgw-00000000000000001"
CIDRS = {1: "10.0.0.0/16", 2: "10.1.0.0/16", 3: "10.2.0.0/16"}
MAIN, OTHER = Table("tgw-rtb-1", HUB, 1), Table("tgw-rtb-2", HUB, 2)
OPEN = [allow(protocol=1, why="sgr-ping"), allow(protocol=6, ports=80)]


def link(number: int) -> Attachment:
    key = f"tgw-attach-0000000000000000{number}"
    return Attachment(key, HUB, f"vpc-{number}", (CIDRS[number],))


def out(number: int) -> ViaAttachment:
    return ViaAttachment(link(number).id, f"vpc-{number}")


def net(number: int, *, forwarding: bool = False, served: bool = True) -> tuple[Net, Port]:
    """A network with one host, ``.10`` of its first subnet, whose table leads to the gateway."""
    made = Net(f"vpc-{number}", CIDRS[number])
    base = CIDRS[number].rsplit(".", 2)[0]
    segment = made.segment("in", f"{base}.1.0/24")
    made.group("sg", OPEN)
    port = made.instance(f"host{number}", segment, f"{base}.1.10", "sg", forwarding)
    made.route("in", "10.0.0.0/8", ViaTransit(HUB, link(number).id))
    made.add(link(number), AttachmentTable(link(number).id, MAIN))
    if served:
        made.add(Served(link(number).id, segment))
    return made, port


def known(*numbers: int, table: Table = MAIN) -> set[Statement]:
    """The gateway, with a table that knows some networks."""
    routes = {Route(table, CIDRS[number], out(number)) for number in numbers}
    return {Transit(HUB), table, *routes}


def test_attached_networks_reach_each_other(lab: Lab) -> None:
    nets = [net(number)[0].statements for number in CIDRS]
    lab.build(*nets, known(1, 2, 3))
    lab.check("""
        host1  host22 icmp   pass
        host22 host1  icmp   pass
        host1  host33 tcp/80 pass
        host33 host22 tcp/81 drop
    """)
    server = lab.ns("i-host22")
    with packets.connection(lab.ns("i-host1"), "10.1.1.10", server, 80) as (a, b, seen):
        assert seen == "10.0.1.10", "nobody translates"
        assert packets.alive(a, b)
    lab.adopt()
    lab.check("host1 host22 icmp pass")


def test_attached_networks_over_ipv6(lab: Lab) -> None:
    """An attachment carries IPv6 where it has IPv6 blocks, and nothing of it where it has none."""
    parts: list[Statement] = []
    for number in (1, 2):
        block = f"3fff:{number}:1:100::/56"
        made = Net(f"vpc-{number}", CIDRS[number], cidr6=block)
        base = CIDRS[number].rsplit(".", 2)[0]
        segment = made.segment("in", f"{base}.1.0/24", cidr6=block.replace("56", "64"))
        made.group("sg", [allow(ANY6, protocol=58)])
        made.instance(f"host{number}", segment, f"{base}.1.10", "sg", ip6=block.replace("/56", "a"))
        made.route("in", "3fff::/20", ViaTransit(HUB, link(number).id))
        made.add(
            replace(link(number), cidrs=(CIDRS[number], block)), Served(link(number).id, segment)
        )
        made.add(AttachmentTable(link(number).id, MAIN), Route(MAIN, block, out(number)))
        parts += made.statements
    lab.build(parts, {Transit(HUB), MAIN})
    far = lab.addresses()["host226"]
    assert packets.ping(lab.ns("i-host1"), far) == "reply"
    whole = replace(link(1), cidrs=(CIDRS[1], "3fff:1:1:100::/56"))
    lab.replace(whole, link(1))
    assert packets.ping(lab.ns("i-host1"), far) != "reply"


def test_the_table_of_the_attachment_decides(lab: Lab) -> None:
    """A network that is associated with another table reaches whom that knows: spokes that reach a
    shared network and not each other."""
    nets = [net(number)[0].statements for number in CIDRS]
    lab.build(*nets, known(3), known(1, 2, table=OTHER))
    lab.check("""
        host1 host33 icmp drop
        host1 host22 icmp drop
    """)
    mine, theirs = AttachmentTable(link(3).id, MAIN), AttachmentTable(link(3).id, OTHER)
    lab.replace(mine, theirs)
    lab.check("""
        host1  host33 icmp pass
        host33 host22 icmp pass
        host1  host22 icmp drop
    """)
    lab.change([], [theirs])
    lab.check("""
        host33 host22 icmp drop
        host1  host33 icmp drop
    """)


def test_the_longest_route_wins_and_a_blackhole_drops(lab: Lab) -> None:
    nets = [net(number)[0].statements for number in CIDRS]
    lab.build(*nets, known(1, 2, 3))
    black = Route(MAIN, "10.1.1.0/24", Blackhole("tgw-rtb-1"))
    lab.change([black])
    lab.check("""
        host1 host22 icmp drop
        host1 host33 icmp pass
    """)
    lab.change([Route(MAIN, "10.1.1.10/32", out(2))])
    lab.check("host1 host22 icmp pass")


def test_a_zone_without_a_foot_is_not_served(lab: Lab) -> None:
    one, port = net(1, served=False)
    lab.build(one.statements, net(2)[0].statements, known(1, 2))
    lab.check("host1 host22 icmp drop")
    served = Served(link(1).id, port.segment)
    lab.change([served])
    lab.check("host1 host22 icmp pass")
    lab.change([], [served])
    lab.check("host1 host22 icmp drop")


def test_nobody_forges_an_address_of_another_network(lab: Lab) -> None:
    one, port = net(1, forwarding=True)
    two = Net("vpc-2", CIDRS[2])
    two.group("sg", [allow()])
    two.instance("host", two.segment("in", "10.1.1.0/24"), "10.1.1.10", "sg")
    two.add(link(2))
    lab.build(one.statements, two.statements, known(1, 2))
    with packets.sniffing(lab.ns("i-host2"), "eth0") as heard:
        for source, own in (("10.0.1.77", True), ("10.2.0.9", False), ("172.16.0.9", False)):
            packet = packets.ipv4(source, "10.1.1.10", source.encode())
            frame = packets.ethernet(port.segment.mac, port.mac, 0x0800, packet)
            packets.send_frame(lab.ns("i-host1"), "eth0", frame)
            assert heard(source.encode(), packets.LONG if own else packets.SHORT) == own, source


def test_an_attachment_comes_and_goes(lab: Lab) -> None:
    lab.build(net(1)[0].statements, net(2)[0].statements, known(1, 2))
    theirs = [each for each in lab.statements if link(2).id in str(each)]
    lab.change([], theirs)
    lab.check("host1 host22 icmp drop")
    lab.change(theirs)
    lab.check("host1 host22 icmp pass")
