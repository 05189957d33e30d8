"""IPv6 blocks that are delegated to a port, on real packets: all of their addresses are its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gureum.program import Address, GlobalAddress, Guard, Member, Port
from gureum.program.statements import Mode
from tests.kernel import packets
from tests.kernel.dual import A6, B6, Dual
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY6, allow, internet
from tests.kernel.packets import ethernet, ipv6, listening, neighbour

pytestmark = pytest.mark.kernel

BLOCK = "3fff:1:2:301:b::/80"
OWN, BEHIND = "3fff:1:2:301:b::5", "3fff:1:2:301:b:ffff:1:2"
OUTSIDE = "3fff:1:2:301:c::5"


def delegate(dual: Dual, port: Port, group: str = "open") -> None:
    """Give a port the block."""
    guard = next(
        each for each in dual.net.statements if isinstance(each, Guard) and each.port == port
    )
    dual.net.statements.remove(guard)
    dual.net.add(replace(guard, addresses=(*guard.addresses, BLOCK)))
    dual.net.add(Address(port, BLOCK, primary=False, delegated=True))
    dual.net.add(Member("vpc-1", group, BLOCK))


def give(lab: Lab, host: str, *ips: str) -> None:
    """A host gives addresses to itself."""
    for ip in ips:
        packets.give(lab.ns(host), "eth0", ip)


def test_its_addresses_reach_the_port(lab: Lab) -> None:
    dual = Dual()
    delegate(dual, dual.b)
    lab.build(dual.net.statements)
    b, c = lab.ns("i-b"), lab.ns("i-c")
    give(lab, "i-b", OWN, BEHIND)
    lab.check(
        f"""
        c {OWN} icmp pass
        c {BEHIND} icmp pass
        c {OUTSIDE} icmp drop
        c b6 icmp pass
        c 3fff:1:2:301:b::6 icmp drop   # nobody in the host has it
        """
    )
    with listening(c, 80, "::"), listening(b, 80, "::"):
        assert packets.tcp(b, "3fff:1:2:302::c", 80, source=OWN, patience=packets.LONG) == "open"
        assert packets.tcp(c, BEHIND, 80, patience=packets.LONG) == "open"
    assert packets.hops(c, OWN) == ["3fff:1:2:302::1", OWN]
    lab.adopt()
    assert not lab.engine.drift(lab.statements)
    said = {each for each in lab.statements if BLOCK in str(each)}
    guards = {each for each in said if isinstance(each, Guard)}
    kept = {
        replace(each, addresses=tuple(ip for ip in each.addresses if ip != BLOCK))
        for each in guards
    }
    lab.change(kept, said)
    lab.check(f"c {OWN} icmp drop\nc b6 icmp pass")


@pytest.mark.parametrize("mode", ["fabric", "switch", "hub"])
def test_neighbours_find_them(one_lab: Lab, mode: Mode) -> None:
    dual = Dual(mode)
    delegate(dual, dual.b)
    one_lab.build(dual.net.statements)
    a, b = one_lab.ns("i-a"), one_lab.ns("i-b")
    give(one_lab, "i-b", OWN)
    assert packets.hops(a, OWN) == [OWN]
    with listening(a, 80, "::"):
        assert packets.tcp(b, A6, 80, source=OWN, patience=packets.LONG) == "open"
    # what is another's is said by nobody else
    give(one_lab, "i-a", BEHIND)
    assert packets.tcp(a, B6, 80, source=BEHIND, patience=packets.SHORT) == packets.TIMEOUT
    with packets.sniffing(a, "eth0") as heard:
        packet = ipv6(OWN, A6, neighbour(136, OWN, dual.b.mac), 58, 255)
        packets.send_frame(b, "eth0", ethernet(dual.a.mac, dual.b.mac, 0x86DD, packet))
        assert heard(neighbour(136, OWN, dual.b.mac)[4:])
    with packets.sniffing(b, "eth0") as heard:
        packet = ipv6(A6, B6, neighbour(136, BEHIND, dual.a.mac), 58, 255)
        packets.send_frame(a, "eth0", ethernet(dual.b.mac, dual.a.mac, 0x86DD, packet))
        assert not heard(packets.address(BEHIND), packets.SHORT)


def test_the_addresses_are_checked_like_others(lab: Lab) -> None:
    """Sources, groups and references to groups."""
    dual = Dual()
    dual.net.group("web", [allow(ANY6, 6, 80, "sgr-80")])
    dual.net.group("friends", [allow("web", 58, why="sgr-58")])
    dual.regroup(dual.b, "web", "10.0.1.11", B6)
    dual.regroup(dual.c, "friends", "10.0.2.12", "3fff:1:2:302::c")
    delegate(dual, dual.b, "web")
    lab.build(dual.net.statements)
    a, b, c = lab.ns("i-a"), lab.ns("i-b"), lab.ns("i-c")
    give(lab, "i-b", OWN)
    give(lab, "i-a", BEHIND)
    with listening(b, 80, "::"), listening(b, 81, "::"):
        assert packets.tcp(c, OWN, 80, patience=packets.LONG) == "open"
        assert packets.tcp(c, OWN, 81, patience=packets.SHORT) == packets.TIMEOUT
    for ns, ip, patience in ((b, OWN, "5"), (b, B6, "5"), (a, A6, "0.5"), (a, BEHIND, "0.5")):
        found = packets.run(ns, "ping", "-6", "-c1", "-W", patience, "-I", ip, "3fff:1:2:302::c")
        assert (found.returncode == 0) == (ns == b), ip


@pytest.mark.parametrize("egress_only", [False, True])
def test_the_internet(one_lab: Lab, egress_only: bool) -> None:
    dual = Dual()
    gateway = dual.net.egress_only("out") if egress_only else dual.net.gateway("x")
    dual.goes_out_by(gateway)
    delegate(dual, dual.b)
    dual.net.add(GlobalAddress(gateway, "vpc-1", BLOCK))
    one_lab.build(dual.net.statements, internet())
    b, me = one_lab.ns("i-b"), one_lab.ns("me")
    give(one_lab, "i-b", OWN, OUTSIDE)
    with listening(me, 443, "::"):
        assert packets.tcp(b, "3fff:800::10", 443, source=OWN, patience=packets.LONG) == "open"
    one_lab.check(
        f"""
        me {OWN} icmp {"drop" if egress_only else "pass"}
        me {OUTSIDE} icmp drop
        me b6 icmp drop
        """
    )


def test_an_instance_that_passes_packets_on(lab: Lab) -> None:
    """Its check is off: it has the block beside what is routed to it."""
    dual = Dual()
    box = dual.net.instance("box", dual.one, "10.0.1.77", "open", True, ip6="3fff:1:2:301::77")
    delegate(dual, box)
    lab.build(dual.net.statements)
    give(lab, "i-box", OWN)
    lab.check(f"c {OWN} icmp pass\nc box6 icmp pass\nc {OUTSIDE} icmp drop")
