"""Route tables on real packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from gureum.program import Blackhole, Route, ViaUplink
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, Net, allow, internet, via

pytestmark = pytest.mark.kernel


def _forward(ns: Path) -> None:
    packets.sh(ns, "sysctl", "-qw", "net.ipv4.ip_forward=1")


def test_hops(lab: Lab) -> None:
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-open", [allow()])
    net.instance("one", a, "10.0.1.10", "sg-open")
    net.instance("two", a, "10.0.1.11", "sg-open")
    net.instance("far", b, "10.0.2.10", "sg-open")
    lab.build(net.statements)
    assert packets.hops(lab.ns("i-one"), "10.0.1.11") == ["10.0.1.11"]
    assert packets.hops(lab.ns("i-one"), "10.0.2.10") == ["10.0.1.1", "10.0.2.10"]
    assert packets.hops(lab.ns("i-far"), "10.0.1.11") == ["10.0.2.1", "10.0.1.11"]


def test_the_longest_prefix_wins_and_nothing_is_the_default(lab: Lab) -> None:
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-open", [allow()])
    gateway = net.gateway("1")
    for name, segment, ip, public in (
        ("one", a, "10.0.1.10", "198.18.0.1"),
        ("two", b, "10.0.2.10", "198.18.0.2"),
    ):
        net.instance(name, segment, ip, "sg-open")
        net.public(gateway, ip, public)
    for name in ("a", "b"):
        net.route(name, "198.19.0.20/32", Blackhole("eni-gone"))
    net.route("a", ANY, ViaUplink(gateway))
    lab.build(net.statements, internet())
    lab.check("""
        one me    icmp pass
        one other icmp drop   # the blackhole is longer
        two me    icmp drop   # no default route
        me  198.18.0.1 icmp pass
        me  198.18.0.2 icmp drop   # it comes in and no answer leaves
        one two   icmp pass   # local, in any case
    """)
    lab.change(
        [Route(net.tables["a"], "198.19.0.20/32", ViaUplink(gateway))],
        [Route(net.tables["a"], "198.19.0.20/32", Blackhole("eni-gone"))],
    )
    lab.check("one other icmp pass")
    lab.change(
        [Route(net.tables["a"], ANY, Blackhole("igw-1"))],
        [Route(net.tables["a"], ANY, ViaUplink(gateway))],
    )
    lab.check("""
        one other icmp pass
        one me    icmp drop
    """)


def test_a_route_more_specific_than_local_leads_through_an_appliance(lab: Lab) -> None:
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    c = net.segment("c", "10.0.3.0/24")
    net.group("sg-open", [allow()])
    net.instance("client", a, "10.0.1.10", "sg-open")
    net.instance("server", b, "10.0.2.10", "sg-open")
    box = net.instance("box", c, "10.0.3.10", "sg-open", forwarding=True)
    net.route("a", "10.0.2.0/24", via(box, "10.0.3.10"))
    net.route("b", "10.0.1.0/24", via(box, "10.0.3.10"))
    lab.build(net.statements)
    lab.check("client server tcp/80 drop   # the appliance does not forward yet")
    _forward(lab.ns("i-box"))
    lab.check("""
        client server tcp/80 pass
        server client icmp   pass
        client box    icmp   pass
    """)
    path = ["10.0.1.1", "10.0.3.10", "10.0.3.1", "10.0.2.10"]
    assert packets.hops(lab.ns("i-client"), "10.0.2.10") == path


def test_the_appliance_needs_its_check_off(lab: Lab) -> None:
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    c = net.segment("c", "10.0.3.0/24")
    net.group("sg-open", [allow()])
    net.instance("client", a, "10.0.1.10", "sg-open")
    net.instance("server", b, "10.0.2.10", "sg-open")
    box = net.instance("box", c, "10.0.3.10", "sg-open", forwarding=False)
    net.route("a", "10.0.2.0/24", via(box, "10.0.3.10"))
    lab.build(net.statements)
    _forward(lab.ns("i-box"))
    with packets.sniffing(lab.ns("i-box"), "eth0") as saw:
        lab.check("client server icmp drop")
        assert not saw(packets.address("10.0.2.10"), packets.SHORT)  # it is not even delivered


def test_a_nat_instance(lab: Lab) -> None:
    """A route to an instance of the public subnet that masquerades inside its own namespace."""
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-open", [allow()])
    gateway = net.gateway("1")
    box = net.instance("box", a, "10.0.1.5", "sg-open", forwarding=True)
    net.instance("beside", a, "10.0.1.6", "sg-open")
    net.instance("inner", b, "10.0.2.10", "sg-open")
    net.public(gateway, "10.0.1.5", "198.18.0.1")
    net.route("a", ANY, ViaUplink(gateway))
    net.route("b", ANY, via(box, "10.0.1.5"))
    lab.build(net.statements, internet())
    lab.check("inner me tcp/80 drop")
    ns = lab.ns("i-box")
    _forward(ns)
    rules = (
        "table ip nat { chain post { type nat hook postrouting priority 100;"
        " oifname eth0 ip saddr != 10.0.1.5 masquerade; }; }"
    )
    packets.sh(ns, "nft", rules)
    lab.check("""
        inner  me    tcp/80 pass
        inner  other icmp   pass
        box    me    icmp   pass
        beside me    icmp   drop   # no public address
    """)
    with packets.connection(lab.ns("i-inner"), "198.19.0.10", lab.ns("me"), 80) as (_, _, seen):
        assert seen == "198.18.0.1"
    lab.engine.sync(lab.statements)
    lab.check("inner me tcp/80 pass   # what a guest did to itself is left alone")


def test_addresses_of_the_range_that_nobody_has_go_nowhere(lab: Lab) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-open", [allow()])
    gateway = net.gateway("1")
    net.instance("one", a, "10.0.1.10", "sg-open")
    net.public(gateway, "10.0.1.10", "198.18.0.1")
    net.route("a", ANY, ViaUplink(gateway))
    lab.build(net.statements, internet())
    with packets.sniffing(lab.ns("igw-1"), "r-1") as saw:
        lab.check("""
            one 10.0.9.9  icmp drop   # of the range, of no segment
            one 10.0.1.99 icmp drop   # of the segment, nobody's
            one me        icmp pass
        """)
        assert saw(packets.address("198.19.0.10"))
    with packets.sniffing(lab.ns("igw-1"), "r-1") as saw:
        lab.check("one 10.0.9.9 icmp drop")
        assert not saw(packets.address("10.0.9.9"), packets.SHORT)
