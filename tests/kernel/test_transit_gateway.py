"""Transit gateways on real packets: by their own tables, from the zones that they serve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gureum.program import (
    Attachment,
    AttachmentTable,
    Blackhole,
    Filter,
    Foot,
    Guard,
    InternetHost,
    Port,
    Route,
    Segment,
    SegmentFilter,
    Served,
    Statement,
    Table,
    Transit,
    TransitPeering,
    Uplink,
    ViaAttachment,
    ViaPort,
    ViaTransit,
    ViaTransitPeering,
    ViaUplink,
)
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, ANY6, Net, allow

pytestmark = pytest.mark.kernel

HUB = "tgw-00000000000000001"
CIDRS = {1: "10.0.0.0/16", 2: "10.1.0.0/16", 3: "10.2.0.0/16"}
MAIN, OTHER = Table("tgw-rtb-1", HUB, 1), Table("tgw-rtb-2", HUB, 2)
OPEN = [allow(protocol=1, why="sgr-ping"), allow(protocol=6, ports=80)]


ZONE = "zone-a"


def link(number: int, *zones: str, ipv6: bool = False) -> Attachment:
    key = f"tgw-attach-0000000000000000{number}"
    feet = tuple((zone, mac_of(number, zone)) for zone in zones or (ZONE,))
    return Attachment(key, HUB, f"vpc-{number}", feet, ipv6)


def mac_of(number: int, zone: str) -> str:
    return f"02:00:00:00:0{number}:{ord(zone[-1]):02x}"


def foot(made: Net, name: str, zone: str = ZONE, acl: str = "acl-open") -> Foot:
    """Where the network's attachment stands in one of its segments."""
    number = int(made.router[-1])
    (segment,) = (
        each
        for each in made.statements
        if isinstance(each, Segment) and each.id == made.suffix(f"subnet-{name}")
    )
    mac, filters = mac_of(number, zone), (f"{acl}/in", f"{acl}/out")
    return Foot(link(number).id, zone, segment, mac, made.tables[name], *filters)


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
    made.add(link(number), AttachmentTable(link(number).id, MAIN), foot(made, "in"))
    if served:
        made.add(Served(link(number).id, segment, ZONE))
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
    """An attachment carries IPv6 where that is asked for, and nothing of it elsewhere."""
    parts: list[Statement] = []
    for number in (1, 2):
        block = f"3fff:{number}:1:100::/56"
        made = Net(f"vpc-{number}", CIDRS[number], cidr6=block)
        base = CIDRS[number].rsplit(".", 2)[0]
        segment = made.segment("in", f"{base}.1.0/24", cidr6=block.replace("56", "64"))
        made.group("sg", [allow(ANY6, protocol=58)])
        made.instance(f"host{number}", segment, f"{base}.1.10", "sg", ip6=block.replace("/56", "a"))
        made.route("in", "3fff::/20", ViaTransit(HUB, link(number).id))
        made.add(link(number, ipv6=True), foot(made, "in"), Served(link(number).id, segment, ZONE))
        made.add(AttachmentTable(link(number).id, MAIN), Route(MAIN, block, out(number)))
        parts += made.statements
    lab.build(parts, {Transit(HUB), MAIN})
    far = lab.addresses()["host226"]
    assert packets.ping(lab.ns("i-host1"), far) == "reply"
    for number in (1, 2):  # neither lets it in nor out
        lab.replace(link(number, ipv6=True), link(number))
        assert packets.ping(lab.ns("i-host1"), far) != "reply"
        lab.replace(link(number), link(number, ipv6=True))
    assert packets.ping(lab.ns("i-host1"), far) == "reply"


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
    served = Served(link(1).id, port.segment, ZONE)
    lab.change([served])
    lab.check("host1 host22 icmp pass")
    lab.change([], [served])
    lab.check("host1 host22 icmp drop")


def test_an_attachment_carries_whatever_source_its_network_lets_out(lab: Lab) -> None:
    """An interface with its check off may send in another's name, as appliances and NAT gateways
    do; one with its check on may not."""
    one, port = net(1, forwarding=True)
    two = Net("vpc-2", CIDRS[2])
    two.group("sg", [allow()])
    two.instance("host", two.segment("in", "10.1.1.0/24"), "10.1.1.10", "sg")
    two.add(link(2), foot(two, "in"))
    lab.build(one.statements, two.statements, known(1, 2))
    off = next(each for each in one.statements if isinstance(each, Guard))
    with packets.sniffing(lab.ns("i-host2"), "eth0") as heard:
        for guard in (off, replace(off, forwarding=False)):
            lab.replace(off, guard)
            for number, source in enumerate(("10.0.1.77", "10.2.0.9", "172.16.0.9")):
                mark = f"{source} {guard.forwarding} {number}".encode()
                packet = packets.ipv4(source, "10.1.1.10", mark)
                frame = packets.ethernet(port.segment.mac, port.mac, 0x0800, packet)
                packets.send_frame(lab.ns("i-host1"), "eth0", frame)
                wait = packets.LONG if guard.forwarding else packets.SHORT
                assert heard(mark, wait) == guard.forwarding, mark


def egress() -> Net:
    """A network with a NAT gateway for others: from the foot to it, from it to the internet, and
    from it back to the others."""
    made = Net("vpc-3", CIDRS[3])
    for at, name in enumerate(("foot", "out")):
        made.segment(name, f"10.2.{at}.0/24")
    gateway = made.gateway("a")
    foot_ = foot(made, "foot")
    made.add(link(3), AttachmentTable(link(3).id, OTHER), foot_)
    (outer,) = (e for e in made.statements if isinstance(e, Segment) and e.id == "subnet-out3")
    nat = made.nat("a", outer, "10.2.1.9")
    made.public(gateway, "10.2.1.9", "198.18.0.9")
    made.route("foot", ANY, nat)
    made.route("out", ANY, ViaUplink(gateway))
    made.route("out", "10.0.0.0/8", ViaTransit(HUB, link(3).id))
    made.add(*(Served(link(3).id, each, ZONE) for each in (outer, foot_.segment)))
    return made


def spokes() -> list[set[Statement]]:
    """Two networks whose way out is the gateway's, by a table that knows the third alone."""
    made = []
    for number in (1, 2):
        spoke, _ = net(number)
        spoke.route("in", ANY, ViaTransit(HUB, link(number).id))
        made.append(spoke.statements)
    return made


def test_the_internet_through_another_network(lab: Lab) -> None:
    """Centralized egress: out through a NAT gateway of another network, and the answers back.  A
    blackhole keeps the spokes apart, who would reach each other through the NAT gateway, too."""
    to_hub, apart = Route(MAIN, ANY, out(3)), Route(MAIN, "10.0.0.0/8", Blackhole(MAIN.id))
    outside = InternetHost("web", "198.19.0.8")
    more: set[Statement] = {MAIN, to_hub, apart, outside}
    lab.build(*spokes(), egress().statements, known(1, 2, table=OTHER), more)
    lab.check("""
        host1 web    icmp   pass
        host22 web   tcp/80 pass
        host1 host22 icmp   drop
        web   host1  icmp   drop
    """)
    with packets.connection(lab.ns("i-host1"), outside.ip, lab.ns("web"), 80) as (a, b, seen):
        assert seen == "198.18.0.9", "the NAT gateway's public address"
        assert packets.alive(a, b)
    lab.replace(to_hub, replace(to_hub, target=Blackhole("tgw-rtb-1")))
    lab.check("host1 web icmp drop")
    lab.replace(replace(to_hub, target=Blackhole("tgw-rtb-1")), to_hub)
    lab.adopt()
    lab.check("host1 web icmp pass")


def test_no_internet_gateway_for_what_comes_out_of_a_transit_gateway(lab: Lab) -> None:
    """Without a translation nobody has a public address in the other network."""
    made = egress()
    (nat,) = (e for e in made.statements if isinstance(e, Route) and e.destination == ANY
              and e.table.id == "rtb-foot3")  # fmt: skip
    (uplink,) = (e for e in made.statements if isinstance(e, Uplink))
    outside = InternetHost("web", "198.19.0.8")
    to_hub = Route(MAIN, ANY, out(3))
    lab.build(*spokes(), made.statements, known(1, 2, table=OTHER), {MAIN, to_hub, outside})
    lab.check("host1 web icmp pass")
    lab.replace(nat, replace(nat, target=ViaUplink(uplink.gateway)))
    lab.check("host1 web icmp drop")


def test_through_an_appliance_of_another_network(lab: Lab) -> None:
    """Inspection: what comes out of the gateway goes to an interface with its check off, whose host
    passes it on, back into the gateway."""
    one, port = net(1)
    two, _ = net(2)
    hub = Net("vpc-3", CIDRS[3])
    hub.segment("foot", "10.2.0.0/24")
    inside = hub.segment("in", "10.2.1.0/24")
    hub.group("sg", [allow()])
    box = hub.instance("box", inside, "10.2.1.5", "sg", True)
    foot_ = foot(hub, "foot")
    hub.route("foot", ANY, ViaPort(box.id, inside, "10.2.1.5", box.mac))
    hub.route("in", ANY, ViaTransit(HUB, link(3).id))
    hub.add(link(3), AttachmentTable(link(3).id, OTHER), foot_)
    hub.add(*(Served(link(3).id, each, ZONE) for each in (inside, foot_.segment)))
    lab.build(
        one.statements,
        two.statements,
        hub.statements,
        known(1, 2, table=OTHER),
        {MAIN, Route(MAIN, ANY, out(3))},
    )
    lab.check("host1 host22 icmp drop")
    with packets.inside(lab.ns("i-box3")):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    lab.check("""
        host1  host22 icmp   pass
        host22 host1  tcp/80 pass
        host22 host1  tcp/81 drop
    """)
    with packets.sniffing(lab.ns("i-box3"), "eth0") as heard:
        packet = packets.ipv4("10.0.1.10", "10.1.1.10", b"inspected")
        frame = packets.ethernet(port.segment.mac, port.mac, 0x0800, packet)
        packets.send_frame(lab.ns("i-host1"), "eth0", frame)
        assert heard(b"inspected", packets.LONG)


def test_the_acl_of_the_foot(lab: Lab) -> None:
    """Another subnet's ACL is asked as if packets went through that subnet; that of the same one is
    asked outwards twice and inwards not at all (VPC Transit Gateways, "Network ACLs")."""
    one, _ = net(1)
    two = Net("vpc-2", CIDRS[2])
    two.segment("foot", "10.1.0.0/24", acl="acl-foot")
    inside = two.segment("in", "10.1.1.0/24")
    two.group("sg", OPEN)
    two.instance("host2", inside, "10.1.1.10", "sg")
    two.route("in", "10.0.0.0/8", ViaTransit(HUB, link(2).id))
    foot_ = foot(two, "foot", acl="acl-foot")
    two.add(link(2), AttachmentTable(link(2).id, MAIN), foot_)
    two.add(Served(link(2).id, inside, ZONE))
    open_, shut = allow(why="acl-foot/1"), allow(why="acl-foot/2", protocol=6, ports=80, deny=True)
    two.acl("acl-foot", [open_], [open_])
    lab.build(one.statements, two.statements, known(1, 2))
    lab.check("host1 host22 tcp/80 pass")
    entering, leaving = (
        Filter(f"acl-foot/{way}", "vpc-2", way, False, (shut, open_), "acl-foot/*")
        for way in ("in", "out")
    )
    plain = {
        way: replace(each, rules=(open_,)) for way, each in (("in", entering), ("out", leaving))
    }
    lab.replace(plain["out"], leaving)  # out of the foot, to the host
    lab.check("""
        host1  host22 tcp/80 drop
        host22 host1  tcp/80 pass
    """)
    lab.replace(leaving, plain["out"])
    lab.replace(plain["in"], entering)  # into the foot, from the host
    lab.check("""
        host1  host22 tcp/80 pass
        host22 host1  tcp/80 drop
    """)
    # the foot moves to the host's own subnet, whose ACL is the shut one now
    same = replace(foot_, segment=inside, table=two.tables["in"])
    acl = SegmentFilter(inside, "acl-open/in", "acl-open/out")
    lab.change([same, SegmentFilter(inside, "acl-foot/in", "acl-foot/out")], [foot_, acl])
    lab.check("""
        host1  host22 tcp/80 pass
        host22 host1  tcp/80 drop
    """)


def test_the_zone_of_the_sender_is_where_it_comes_out(lab: Lab) -> None:
    """Each foot is routed by the table of its subnet; from a zone without one, by the first's."""
    one = Net("vpc-1", CIDRS[1])
    one.group("sg", OPEN)
    for at, zone in enumerate(("zone-a", "zone-b", "zone-c"), start=1):
        segment = one.segment(zone[-1], f"10.0.{at}.0/24")
        one.instance(f"host{at}", segment, f"10.0.{at}.10", "sg")
        one.route(zone[-1], "10.0.0.0/8", ViaTransit(HUB, link(1).id))
        one.add(foot(one, zone[-1], zone), Served(link(1).id, segment, zone))
    one.add(link(1, "zone-a", "zone-b", "zone-c"), AttachmentTable(link(1).id, MAIN))
    two = Net("vpc-2", CIDRS[2])
    two.group("sg", OPEN)
    inside = two.segment("in", "10.1.1.0/24")
    two.instance("far", inside, "10.1.1.10", "sg")
    two.route("in", "10.0.0.0/8", ViaTransit(HUB, link(2).id))
    two.add(link(2, "zone-a", "zone-b"), AttachmentTable(link(2).id, MAIN))
    two.add(Served(link(2).id, inside, "zone-a"))
    for at, zone in enumerate(("zone-a", "zone-b"), start=2):
        two.segment(zone[-1], f"10.1.{at}.0/24")
        two.add(foot(two, zone[-1], zone))
    lab.build(one.statements, two.statements, known(1, 2))
    lab.check("""
        host1 far2 icmp pass
        host2 far2 icmp pass
        host3 far2 icmp pass
    """)
    for name, verdicts in (("a", "drop pass drop"), ("b", "pass drop pass")):
        black = Route(two.tables[name], "10.1.1.10/32", Blackhole("eni-gone"))
        lab.change([black])
        words = enumerate(verdicts.split(), start=1)
        lab.check("\n".join(f"host{at} far2 icmp {verdict}" for at, verdict in words))
        lab.change([], [black])


def inspected(*, appliance: bool) -> tuple[set[Statement], dict[str, Port]]:
    """Two networks, one in each of two zones, and an appliance between them in the first zone only:
    in the second, packets of the inspecting network go nowhere.  Gives the hosts' ports, too."""
    hosts = {}
    parts: set[Statement] = set()
    for number, zone in ((1, "zone-a"), (2, "zone-b")):
        made = Net(f"vpc-{number}", CIDRS[number])
        base = CIDRS[number].rsplit(".", 2)[0]
        segment = made.segment("in", f"{base}.1.0/24")
        made.group("sg", OPEN)
        port = made.instance("host", segment, f"{base}.1.10", "sg")
        hosts[port.host] = port
        made.route("in", "10.0.0.0/8", ViaTransit(HUB, link(number).id))
        made.add(link(number, zone), AttachmentTable(link(number).id, MAIN))
        made.add(foot(made, "in", zone), Served(link(number).id, segment, zone))
        parts |= made.statements
    hub = Net("vpc-3", CIDRS[3])
    hub.group("sg", [allow()])
    for at, zone in enumerate(("zone-a", "zone-b"), start=1):
        segment = hub.segment(zone[-1], f"10.2.{at}.0/24")
        hub.add(Served(link(3).id, segment, zone))
        hub.add(foot(hub, zone[-1], zone))
    inside = hub.segment("box", "10.2.3.0/24")
    box = hub.instance("box", inside, "10.2.3.5", "sg", True)
    hub.route("a", ANY, ViaPort(box.id, inside, "10.2.3.5", box.mac))
    hub.route("b", ANY, Blackhole("eni-gone"))
    hub.route("box", ANY, ViaTransit(HUB, link(3).id))
    hub.add(Served(link(3).id, inside, "zone-a"), AttachmentTable(link(3).id, OTHER))
    hub.add(replace(link(3, "zone-a", "zone-b"), appliance=appliance))
    more: set[Statement] = {MAIN, Route(MAIN, ANY, out(3)), *known(1, 2, table=OTHER)}
    return parts | hub.statements | more, hosts


def test_appliance_mode_keeps_both_directions_together(lab: Lab) -> None:
    """Whoever begins says in which zone both directions come out."""
    statements, _ = inspected(appliance=True)
    lab.build(statements)
    with packets.inside(lab.ns("i-box3")):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    lab.check("""
        host  host2 icmp pass
        host2 host  icmp drop
    """)
    with packets.connection(lab.ns("i-host"), "10.1.1.10", lab.ns("i-host2"), 80) as (a, b, _):
        assert packets.alive(a, b)
    mode = replace(link(3, "zone-a", "zone-b"), appliance=True)
    lab.replace(mode, replace(mode, appliance=False))
    lab.check("""
        host  host2 icmp drop
        host2 host  icmp drop
    """)


def test_peered_transit_gateways(lab: Lab) -> None:
    """A peering carries what the tables of both gateways lead there."""
    far_hub = "tgw-00000000000000002"
    far_table = Table("tgw-rtb-9", far_hub, 1)
    peering = TransitPeering("tgw-attach-00000000000000009", (HUB, far_hub))
    parts: list[Statement] = []
    for number, hub, table in ((1, HUB, MAIN), (2, far_hub, far_table)):
        block = f"3fff:{number}:1:100::/56"
        made = Net(f"vpc-{number}", CIDRS[number], cidr6=block)
        base = CIDRS[number].rsplit(".", 2)[0]
        segment = made.segment("in", f"{base}.1.0/24", cidr6=block.replace("56", "64"))
        made.group("sg", [*OPEN, allow(ANY6, protocol=58)])
        made.instance(f"host{number}", segment, f"{base}.1.10", "sg", ip6=block.replace("/56", "a"))
        joined = replace(link(number, ipv6=True), transit=hub)
        for wide in ("10.0.0.0/8", "3fff::/20"):
            made.route("in", wide, ViaTransit(hub, joined.id))
        made.add(joined, foot(made, "in"), Served(joined.id, segment, ZONE))
        made.add(AttachmentTable(joined.id, table), AttachmentTable(peering.id, table))
        made.add(Transit(hub), table)
        for cidr in (CIDRS[number], block):
            made.add(Route(table, cidr, out(number)))
        other = 3 - number
        for cidr in (CIDRS[other], f"3fff:{other}:1:100::/56"):
            far = far_hub if number == 1 else HUB
            made.add(Route(table, cidr, ViaTransitPeering(peering.id, far)))
        parts += made.statements
    lab.build(parts, {peering})
    lab.check("""
        host1  host22  icmp   pass
        host22 host1   tcp/80 pass
        host22 host1   tcp/81 drop
    """)
    assert packets.ping(lab.ns("i-host1"), lab.addresses()["host226"]) == "reply"
    lab.adopt()
    lab.check("host1 host22 icmp pass")
    associated = AttachmentTable(peering.id, far_table)
    lab.change([], [associated])
    lab.check("host1 host22 icmp drop")
    lab.change([associated])
    routes = {each for each in lab.statements if "ViaTransitPeering" in repr(each)}
    lab.change([], [peering, *routes])
    lab.check("host1 host22 icmp drop")
    lab.change([peering, *routes])
    lab.check("host1 host22 icmp pass")


def test_an_attachment_comes_and_goes(lab: Lab) -> None:
    lab.build(net(1)[0].statements, net(2)[0].statements, known(1, 2))
    theirs = [each for each in lab.statements if link(2).id in str(each)]
    lab.change([], theirs)
    lab.check("host1 host22 icmp drop")
    lab.change(theirs)
    lab.check("host1 host22 icmp pass")
