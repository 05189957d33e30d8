"""Things that change their place: interfaces, route tables, addresses, groups."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gureum.program import (
    Address,
    Filter,
    Guard,
    InternetHost,
    Member,
    Port,
    Route,
    Segment,
    SegmentTable,
    Table,
    ViaUplink,
)
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, Net, allow, internet

pytestmark = pytest.mark.kernel


def _net() -> tuple[Net, Segment]:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-open", [allow()])
    net.instance("one", a, "10.0.1.10", "sg-open")
    net.instance("two", a, "10.0.1.20", "sg-open")
    net.instance("near", net.segment("b", "10.0.2.0/24"), "10.0.2.10", "sg-open")
    return net, a


def _extra(net: Net) -> tuple[Port, set[Address | Guard]]:
    """A second interface of one, in the other subnet, and what hangs on it."""
    b = next(s for s in net.statements if isinstance(s, Segment) and s.id == "subnet-b")
    port = net.instance("extra", b, "10.0.2.30", "sg-open", host="i-one", index=1)
    return port, {s for s in net.statements if isinstance(s, (Address, Guard)) and s.port == port}


def test_an_interface_moves_to_another_host(lab: Lab) -> None:
    net, _ = _net()
    port, parts = _extra(net)
    lab.build(net.statements)
    moved = replace(port, host="i-two")
    lab.change([moved, *(replace(s, port=moved) for s in parts)], [port, *parts])
    assert not lab.engine.drift(lab.statements)
    assert "10.0.2.30" in packets.sh(lab.ns("i-two"), "ip", "address", "show", "eth1")
    assert "eth1" not in packets.sh(lab.ns("i-one"), "ip", "link")
    lab.check("""
        near 10.0.2.30 icmp pass
        one  two       icmp pass
    """)


def test_an_interface_gets_another_index(lab: Lab) -> None:
    net, _ = _net()
    port, parts = _extra(net)
    lab.build(net.statements)
    moved = Port(port.id, port.segment, port.host, 2, port.mac)
    lab.change([moved, *(replace(s, port=moved) for s in parts)], [port, *parts])
    assert not lab.engine.drift(lab.statements)
    lab.check("near 10.0.2.30 icmp pass")


def test_a_subnet_takes_another_route_table(lab: Lab) -> None:
    net, a = _net()
    gateway = net.gateway("1")
    net.public(gateway, "10.0.1.10", "198.18.0.1")
    other = Table("rtb-out", "vpc-1", 7)
    net.add(other, Route(other, ANY, ViaUplink(gateway)))
    lab.build(net.statements, internet())
    lab.check("one me icmp drop")
    old = SegmentTable(a, net.tables["a"])
    lab.replace(old, SegmentTable(a, other))
    lab.check("one me icmp pass")
    lab.replace(SegmentTable(a, other), old)
    lab.check("one me icmp drop")
    assert not lab.engine.drift(lab.statements)


def test_an_internet_host_changes_its_address(one_lab: Lab) -> None:
    lab = one_lab
    lab.build(internet())
    old = InternetHost("other", "198.19.0.20", "3fff:800::20")
    lab.replace(old, InternetHost("other", "198.19.0.99", "3fff:800::99"))
    assert not lab.engine.drift(lab.statements)
    lab.check("""
        me 198.19.0.99 icmp pass
        me 198.19.0.20 icmp drop
        me 3fff:800::99 icmp pass
        me 3fff:800::20 icmp drop
        other me       icmp pass
        other me6      icmp pass
    """)


def test_an_interface_takes_other_groups(lab: Lab) -> None:
    net, _ = _net()
    net.group("sg-refers", [allow("sg-late", protocol=1)])
    lab.build(net.statements)
    lab.check("one two icmp pass")
    old = next(s for s in net.statements if isinstance(s, Guard) and s.port.id == "eni-two")
    lab.replace(old, replace(old, filter_in="sg-refers/in", filter_out="sg-refers/out"))
    lab.check("""
        one two icmp drop
        two one icmp pass
    """)
    lab.change(add=[Member("vpc-1", "sg-late", "10.0.1.10")])
    lab.check("one two icmp pass")
    gone = {s for s in lab.statements if isinstance(s, Filter) and s.id.startswith("sg-refers")}
    now = next(s for s in lab.statements if isinstance(s, Guard) and s.port.id == "eni-two")
    lab.change([old], [now, *gone, Member("vpc-1", "sg-late", "10.0.1.10")])
    assert not lab.engine.drift(lab.statements)
    assert "m-sg-late" not in packets.sh(lab.ns("vpc-1"), "nft", "list", "sets")
    lab.check("one two tcp/9 pass")


def test_a_primary_address_is_another(lab: Lab) -> None:
    """The last address of a link takes the routes with it; they come back."""
    net, _ = _net()
    gateway = net.gateway("1")
    net.public(gateway, "10.0.1.10", "198.18.0.1")
    net.route("a", ANY, ViaUplink(gateway))
    lab.build(net.statements, internet())
    packets.sh(lab.ns("i-one"), "ip", "address", "flush", "dev", "eth0")
    lab.engine.sync(lab.statements)
    lab.check("one me icmp pass")
    one = {s for s in net.statements if isinstance(s, Address) and s.ip == "10.0.1.10"}
    guard = next(s for s in net.statements if isinstance(s, Guard) and s.port.id == "eni-one")
    lab.change(
        [*(replace(s, ip="10.0.1.11") for s in one), replace(guard, addresses=("10.0.1.11",))],
        [*one, guard],
    )
    assert not lab.engine.drift(lab.statements)
    lab.check("two 10.0.1.11 icmp pass")
