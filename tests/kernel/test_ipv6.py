"""IPv6 on real packets: within a subnet, across subnets, to the internet, and what is forged."""

from __future__ import annotations

from functools import partial

import pytest

from gureum.engines.linux.names import link_local
from gureum.program import Address, Guard, Peering, SegmentMode, ViaPeering, ViaUplink
from gureum.program.statements import Mode
from tests.kernel import packets
from tests.kernel.dual import A6, B6, C6, NOBODY, VPC, Dual
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY6, Net, allow, internet, via
from tests.kernel.packets import ethernet, ipv6, listening

pytestmark = pytest.mark.kernel


# --- where packets go ---------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["fabric", "switch", "hub"])
def test_within_and_across_subnets(lab: Lab, mode: Mode) -> None:
    dual = Dual(mode)
    lab.build(dual.net.statements)
    with listening(lab.ns("i-b"), 80, B6), listening(lab.ns("i-c"), 80, C6):
        lab.check(
            """
            a b6 icmp   pass
            b a6 icmp   pass
            a b6 tcp/80 pass
            a c6 icmp   pass
            c a6 icmp   pass
            a c6 tcp/80 pass
            a b6 udp/53 pass
            c b6 udp/53 pass
            a b  icmp   pass
            a c  icmp   pass
            """
        )
    lab.check(
        f"""
        a {NOBODY} icmp drop
        a 3fff:1:2:301::1 icmp drop   # the router answers nothing
        a 3fff:1:2:3ff::1 icmp drop
        a 3fff:800::10 icmp drop
        """
    )


def test_the_router_is_a_hop_between_subnets_and_none_within(lab: Lab) -> None:
    dual = Dual()
    lab.build(dual.net.statements)
    assert packets.hops(lab.ns("i-a"), B6) == [B6]
    assert packets.hops(lab.ns("i-a"), C6) == ["3fff:1:2:301::1", C6]
    assert packets.hops(lab.ns("i-c"), A6) == ["3fff:1:2:302::1", A6]


def test_an_instance_answers_at_once(lab: Lab) -> None:
    """Its address needs no detection of duplicates, its link no announcement of a router."""
    dual = Dual()
    lab.build(dual.net.statements)
    more = Net(cidr6=VPC)
    new = more.instance("new", dual.one, "10.0.1.50", "open", ip6="3fff:1:2:301::50")
    lab.change(more.statements - {new} | {new})
    assert packets.ping(lab.ns("i-a"), "3fff:1:2:301::50", patience=0.5) == "reply"
    assert packets.ping(lab.ns("i-new"), C6, patience=0.5) == "reply"
    shown = packets.sh(lab.ns("i-new"), "ip", "-6", "addr", "show", "dev", "eth0")
    assert "tentative" not in shown
    assert link_local(new.mac) in shown


def test_large_packets(lab: Lab) -> None:
    dual = Dual()
    lab.build(dual.net.statements)
    assert packets.udp(lab.ns("i-a"), lab.ns("i-b"), B6, 99, size=8900)
    assert packets.udp(lab.ns("i-a"), lab.ns("i-c"), C6, 99, size=8900)
    assert packets.udp(lab.ns("i-a"), lab.ns("i-c"), C6, 99, size=30000)  # in fragments


# --- rules --------------------------------------------------------------------------------------
def test_groups_are_stateful(lab: Lab) -> None:
    dual = Dual()
    dual.net.group("web", [allow(ANY6, 6, 80, "sgr-80")])
    dual.regroup(dual.b, "web", "10.0.1.11", B6)
    dual.net.group("friends", [allow("web", 17, 53, "sgr-53"), allow("web", 58, why="sgr-58")])
    dual.regroup(dual.c, "friends", "10.0.2.12", C6)
    lab.build(dual.net.statements)
    with listening(lab.ns("i-b"), 80, B6), listening(lab.ns("i-b"), 80):
        lab.check(
            """
            a b6 tcp/80 pass
            a b6 tcp/81 drop
            a b6 icmp   drop
            b a6 icmp   pass  # the answer to what went out comes in
            c b6 tcp/80 pass
            b c6 udp/53 pass  # as a member of the group
            b c6 icmp   pass
            a c6 udp/53 drop
            a c6 icmp   drop
            b c  udp/53 pass  # IPv4 members
            b c  icmp   drop  # and the rule about ICMPv6 is none about ICMP
            a b  tcp/80 drop  # what IPv6 may, IPv4 may not
            """
        )


def test_what_ipv4_may_ipv6_may_not(lab: Lab) -> None:
    dual = Dual()
    dual.net.group("old", [allow()], [allow()])
    dual.regroup(dual.b, "old", "10.0.1.11", B6)
    lab.build(dual.net.statements)
    lab.check(
        """
        a b  icmp   pass
        a b6 icmp   drop
        b a6 icmp   drop
        a b6 udp/53 drop
        """
    )


def test_acls_are_stateless(lab: Lab) -> None:
    dual = Dual()
    dual.net.acl(
        "acl-x",
        [
            allow(ANY6, 58, why="acl-x/90", icmp=(128, -1)),
            allow(ANY6, 6, 80, "acl-x/100"),
            allow(why="acl-x/200"),
        ],
        [allow(ANY6, 6, (32768, 65535), "acl-x/100"), allow(why="acl-x/200")],
    )
    three = dual.net.segment("three", "10.0.3.0/24", acl="acl-x", cidr6="3fff:1:2:303::/64")
    dual.net.instance("d", three, "10.0.3.13", "open", ip6="3fff:1:2:303::d")
    dual.net.instance("e", three, "10.0.3.14", "open", ip6="3fff:1:2:303::e")
    lab.build(dual.net.statements)
    with listening(lab.ns("i-d"), 80, "::"), listening(lab.ns("i-d"), 81, "::"):
        lab.check(
            """
            a d6 tcp/80 pass
            a d6 tcp/81 drop
            a d6 icmp   drop  # the answer is let out by no rule
            d a6 icmp   drop
            e d6 icmp   pass  # within the subnet no ACL applies
            a d  icmp   pass
            """
        )


def test_a_rule_changes_and_flows_go_on(lab: Lab) -> None:
    dual = Dual()
    dual.net.group("web", [allow(ANY6, 6, 80, "sgr-80")])
    dual.regroup(dual.c, "web", "10.0.2.12", C6)
    lab.build(dual.net.statements)
    with packets.connection(lab.ns("i-a"), C6, lab.ns("i-c"), 80) as (client, server, seen):
        assert seen == A6
        old = dual.net.filter("web", "in", [allow(ANY6, 6, 80, "sgr-80")])
        new = dual.net.filter("web", "in", [])
        lab.replace(old, new)
        assert packets.alive(client, server)
        assert packets.tcp(lab.ns("i-a"), C6, 80, patience=packets.SHORT) == packets.TIMEOUT


# --- the internet -------------------------------------------------------------------------------
def test_an_internet_gateway_passes_ipv6_as_it_is(one_lab: Lab) -> None:
    dual = Dual()
    dual.goes_out_by(dual.net.gateway("x"))
    one_lab.build(dual.net.statements, internet())
    a, me = one_lab.ns("i-a"), one_lab.ns("me")
    with packets.connection(a, "3fff:800::10", me, 443) as (client, server, seen):
        assert seen == A6
        assert packets.alive(client, server)
        assert packets.alive(server, client)
    with packets.connection(me, A6, a, 80) as (client, server, seen):
        assert seen == "3fff:800::10"
        assert packets.alive(server, client)
    assert packets.hops(me, A6) == ["3fff:fff::2", "3fff:fff::1", "*", A6]
    one_lab.check(
        """
        me a6 icmp pass
        a me6 icmp pass
        me other6 icmp pass
        b me6 icmp drop   # its address is not one that the gateway lets pass
        me b6 icmp drop
        me c6 icmp drop
        c me6 icmp drop   # no route
        """
    )


def test_an_unassigned_address_gets_nothing_from_outside(one_lab: Lab) -> None:
    """Not even what needs no answer."""
    dual = Dual()
    gateway = dual.net.gateway("x")
    dual.net.global_(gateway, dual.one, A6)
    one_lab.build(dual.net.statements, internet())
    me = one_lab.ns("me")
    assert packets.udp(me, one_lab.ns("i-a"), A6, 99)
    assert not packets.udp(me, one_lab.ns("i-b"), B6, 99, patience=packets.SHORT)


def test_large_packets_find_the_gateways_mtu(one_lab: Lab) -> None:
    dual = Dual()
    dual.goes_out_by(dual.net.gateway("x"))
    one_lab.build(dual.net.statements, internet())
    a, me = one_lab.ns("i-a"), one_lab.ns("me")
    send = partial(packets.udp, a, me, "3fff:800::10", 99, size=3000, patience=packets.SHORT)
    assert packets.eventually(send)  # in fragments, once the router has said what is too big
    assert "mtu 1500" in packets.sh(a, "ip", "-6", "route", "get", "3fff:800::10")


def test_an_egress_only_gateway(one_lab: Lab) -> None:
    dual = Dual()
    dual.goes_out_by(dual.net.egress_only("out"))
    one_lab.build(dual.net.statements, internet())
    a, me = one_lab.ns("i-a"), one_lab.ns("me")
    with packets.connection(a, "3fff:800::10", me, 443) as (client, server, seen):
        assert seen == A6
        assert packets.alive(client, server)
        assert packets.alive(server, client)
    with listening(a, 80, A6):
        one_lab.check(
            """
            a me6 icmp    pass
            a me6 udp/53  pass
            me a6 icmp    drop
            me a6 tcp/80  drop
            me a6 udp/53  drop
            b me6 icmp    drop
            """
        )


def test_both_gateways_side_by_side(one_lab: Lab) -> None:
    """A public subnet and a private one in one VPC."""
    dual = Dual()
    gateway, only_out = dual.net.gateway("x"), dual.net.egress_only("out")
    dual.net.route("one", ANY6, ViaUplink(gateway))
    dual.net.route("two", ANY6, ViaUplink(only_out))
    for each in (gateway, only_out):
        dual.net.global_(each, dual.one if each == gateway else dual.two, A6, B6, C6)
    one_lab.build(dual.net.statements, internet())
    one_lab.check(
        """
        a me6 icmp pass
        me a6 icmp pass
        c me6 icmp pass
        me c6 icmp drop
        a c6 icmp  pass
        """
    )


def test_two_vpcs_meet_on_the_internet_only(one_lab: Lab) -> None:
    dual, far = Dual(), Net("vpc-2", "10.0.0.0/16", cidr6="3fff:9:9:900::/56")
    there = far.segment("one", "10.0.1.0/24", cidr6="3fff:9:9:901::/64")
    far.group("open2", [allow(), allow(ANY6)])
    far.instance("f", there, "10.0.1.10", "open2", ip6="3fff:9:9:901::f")
    for net, segment, ip in ((dual.net, dual.one, A6), (far, there, "3fff:9:9:901::f")):
        gateway = net.gateway("x")
        net.route("one", ANY6, ViaUplink(gateway))
        net.global_(gateway, segment, ip)
    one_lab.build(dual.net.statements, far.statements, internet())
    assert packets.ping(one_lab.ns("i-a"), "3fff:9:9:901::f", patience=packets.LONG) == "reply"
    assert packets.hops(one_lab.ns("i-a"), "3fff:9:9:901::f")[1:4] == [
        "3fff:fff::1",
        "3fff:fff::2",
        "3fff:fff::1",
    ]
    one_lab.check("b 3fff:9:9:901::f icmp drop")


def test_peers_reach_each_other(lab: Lab) -> None:
    blocks = ("3fff:1:2:300::/56", "3fff:9:9:900::/56")
    ranges = (("10.0.0.0/16", blocks[0]), ("10.1.0.0/16", blocks[1]))
    link = Peering("pcx-00000000000000012", ("vpc-1", "vpc-2"), ranges)
    nets = []
    for number, (cidr, block) in enumerate(ranges, 1):
        net = Net(f"vpc-{number}", cidr, block)
        net.group("open", [allow(), allow(ANY6)])
        segment = net.segment(
            "in", cidr.replace("0.0/16", "1.0/24"), cidr6=block.replace("56", "64")
        )
        ip, ip6 = cidr.replace("0.0/16", "1.10"), block.replace("/56", "10")
        net.instance(f"h{number}", segment, ip, "open", ip6=ip6)
        far = ViaPeering(link.id, f"vpc-{3 - number}")
        net.route("in", ranges[2 - number][1], far)
        net.route("in", ranges[2 - number][0], far)
        nets.append(net)
    lab.build(nets[0].statements, nets[1].statements, {link})
    assert packets.hops(lab.ns("i-h1"), "3fff:9:9:900::10")[-1] == "3fff:9:9:900::10"
    lab.check(
        """
        h1 h226 icmp pass
        h22 h16 icmp pass
        h1 h22  icmp pass
        h1 3fff:800::10 icmp drop
        """
    )
    lab.adopt()
    assert not lab.engine.drift(lab.statements)
    lab.change(remove=[link])
    lab.check("h1 h226 icmp drop")


def test_a_host_of_the_internet_speaks_for_itself_only(one_lab: Lab) -> None:
    one_lab.build(internet())
    me, other = one_lab.ns("me"), one_lab.ns("other")
    gateway = packets.sh(me, "ip", "-6", "neigh", "show", "fe80::2").split("lladdr ")[1].split()[0]
    mine = packets.sh(me, "cat", "/sys/class/net/eth0/address").strip()
    for source, arrives in (("3fff:800::10", True), ("3fff:1:2:301::a", False)):
        marker = f"from {source}".encode()
        with packets.sniffing(other, "eth0") as heard:
            frame = ethernet(gateway, mine, 0x86DD, ipv6(source, "3fff:800::20", marker))
            packets.send_frame(me, "eth0", frame)
            patience = packets.LONG if arrives else packets.SHORT
            assert heard(marker, patience) is arrives


def test_routes_through_an_instance(lab: Lab) -> None:
    """A middlebox: the way to another subnet leads through an appliance."""
    dual = Dual()
    ips = ("10.0.1.77", "3fff:1:2:301::77")
    box = dual.net.instance("box", dual.one, ips[0], "open", forwarding=True, ip6=ips[1])
    dual.net.route("two", "3fff:1:2:301::/64", via(box, "10.0.1.77"))
    lab.build(dual.net.statements)
    packets.sh(lab.ns("i-box"), "sysctl", "-w", "net.ipv6.conf.all.forwarding=1")
    way = packets.hops(lab.ns("i-c"), A6)
    assert way[0] == "3fff:1:2:302::1"
    assert way[-1] == A6
    assert "3fff:1:2:301::77" in way


# --- the engine ---------------------------------------------------------------------------------
def everything() -> Net:
    dual = Dual()
    gateway, only_out = dual.net.gateway("x"), dual.net.egress_only("out")
    dual.net.route("one", ANY6, ViaUplink(gateway))
    dual.net.route("two", ANY6, ViaUplink(only_out))
    dual.net.route("two", "3fff:1:2:301::/64", via(dual.b, "10.0.1.11"))
    dual.net.global_(gateway, dual.one, A6, B6, C6)
    dual.net.global_(only_out, dual.two, A6, B6, C6)
    dual.net.group(
        "friends",
        [
            allow("friends", 58, why="sgr-1"),
            allow("friends", 6, 80, "sgr-2"),
            allow("3fff::/20", 58, why="sgr-3", icmp=(128, 0)),
            allow(ANY6, 58, why="sgr-4"),
            allow("3fff:800::10/128", 17, (53, 54), "sgr-5"),
            allow(ANY6, 6, 443, "sgr-6", untracked=True),
        ],
    )
    dual.net.acl("acl-y", [allow(ANY6, 58, why="acl-y/1", deny=True)], [allow(ANY6)])
    dual.net.add(SegmentMode(dual.two, "switch"))
    dual.net.statements -= {SegmentMode(dual.two, "fabric")}
    return dual.net


def test_a_restart_finds_no_difference(lab: Lab) -> None:
    lab.build(everything().statements, internet())
    lab.adopt()
    assert not lab.engine.drift(lab.statements)


def test_what_is_lost_is_repaired(lab: Lab) -> None:
    lab.build(everything().statements, internet())
    router, a = lab.ns("vpc-1"), lab.ns("i-a")
    bridge = packets.sh(router, "ip", "-6", "-o", "addr", "show", "to", "3fff:1:2:301::1").split()[
        1
    ]
    packets.sh(router, "ip", "-6", "rule", "del", "pref", "1001")
    packets.sh(router, "ip", "-6", "route", "flush", "table", "1001")
    packets.sh(router, "ip", "-6", "addr", "flush", "dev", bridge)
    packets.sh(router, "ip", "-6", "neigh", "flush", "dev", bridge, "nud", "permanent")
    packets.sh(router, "nft", "flush", "set", "bridge", "gureum", "owns6")
    packets.sh(a, "ip", "link", "set", "eth0", "down")
    lab.engine.sync(lab.statements)
    assert not lab.engine.drift(lab.statements)
    lab.check(
        """
        a b6 icmp  pass
        a me6 icmp pass
        a b icmp   pass
        """
    )


def test_an_address_comes_and_goes(lab: Lab) -> None:
    dual = Dual()
    lab.build(dual.net.statements)
    before = set(dual.net.statements)
    late = "3fff:1:2:301::1:1"
    after = {each for each in before if not (isinstance(each, Guard) and each.port == dual.b)}
    after |= {
        Guard(dual.b, ("10.0.1.11", B6, late), False, "open/in", "open/out"),
        Address(dual.b, late, primary=False),
    }
    lab.change(after - before, before - after)
    assert packets.ping(lab.ns("i-a"), late, patience=packets.LONG) == "reply"
    lab.change(before - after, after - before)
    assert packets.ping(lab.ns("i-a"), late, patience=packets.SHORT) == packets.TIMEOUT
    assert packets.ping(lab.ns("i-a"), B6, patience=packets.LONG) == "reply"
    assert not lab.engine.drift(lab.statements)


def test_a_network_becomes_dual_stack_and_back(lab: Lab) -> None:
    """Its flows go on: what is there of IPv4 is not made anew."""
    plain = Net()
    one = plain.segment("one", "10.0.1.0/24")
    plain.group("open", [allow(), allow(ANY6)])
    for name, ip in (("a", "10.0.1.10"), ("b", "10.0.1.11")):
        plain.instance(name, one, ip, "open")
    lab.build(plain.statements)
    dual = Dual()
    before, after = plain.statements, dual.net.statements
    with packets.connection(lab.ns("i-a"), "10.0.1.11", lab.ns("i-b"), 80) as (client, server, _):
        for old, new, verdict in ((before, after, "pass"), (after, before, "drop")):
            lab.change(new - old, old - new)
            assert packets.alive(client, server)
            assert packets.ping(lab.ns("i-a"), "10.0.1.11", patience=packets.LONG) == "reply"
            patience = packets.LONG if verdict == "pass" else packets.SHORT
            answer = packets.ping(lab.ns("i-a"), B6, patience=patience)
            assert (answer == "reply") == (verdict == "pass")
            lab.adopt()
            assert not lab.engine.drift(lab.statements)


def test_a_subnet_without_ipv6_has_none(lab: Lab) -> None:
    net = Net()
    one = net.segment("one", "10.0.1.0/24")
    net.group("open", [allow(), allow(ANY6)])
    for name, ip in (("a", "10.0.1.10"), ("b", "10.0.1.11")):
        net.instance(name, one, ip, "open")
    lab.build(net.statements)
    for name in ("a", "b"):
        assert packets.sh(lab.ns(f"i-{name}"), "ip", "-6", "addr", "show", "dev", "eth0") == ""
    assert packets.sh(lab.ns("vpc-1"), "ip", "-6", "addr", "show", "scope", "link") == ""
    packets.sh(lab.ns("i-a"), "ip", "addr", "add", "3fff::a/64", "dev", "eth0", "nodad")
    packets.sh(lab.ns("i-b"), "ip", "addr", "add", "3fff::b/64", "dev", "eth0", "nodad")
    lab.check("a 3fff::b icmp drop\na b icmp pass")
