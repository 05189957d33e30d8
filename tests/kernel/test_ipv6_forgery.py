"""What is forged over IPv6 reaches nobody."""

from __future__ import annotations

import pytest

from gureum.engines.linux.names import link_local
from gureum.program.statements import Mode
from tests.kernel import packets
from tests.kernel.dual import A6, B6, C6, NOBODY, ROUTER, Dual
from tests.kernel.lab import Lab
from tests.kernel.packets import ethernet, ipv6, neighbour

pytestmark = pytest.mark.kernel


def router_mac(dual: Dual) -> str:
    return dual.one.mac


def test_forged_sources(lab: Lab) -> None:
    dual = Dual()
    lab.build(dual.net.statements)
    a, b, c = lab.ns("i-a"), lab.ns("i-b"), lab.ns("i-c")
    for source, arrives in ((A6, True), (C6, False), (link_local(dual.a.mac), False)):
        for ns, target, mac in ((b, B6, dual.b.mac), (c, C6, router_mac(dual))):
            marker = f"from {source} to {target}".encode()
            if lab.way == "isolated":
                mac = router_mac(dual)
            with packets.sniffing(ns, "eth0") as heard:
                frame = ethernet(mac, dual.a.mac, 0x86DD, ipv6(source, target, marker))
                packets.send_frame(a, "eth0", frame)
                patience = packets.LONG if arrives else packets.SHORT
                assert heard(marker, patience) is arrives, (source, target)


@pytest.mark.parametrize("mode", ["fabric", "hub"])
def test_forged_neighbours(lab: Lab, mode: Mode) -> None:
    """Nobody can say where another's address is, nor the router's."""
    dual = Dual(mode)
    lab.build(dual.net.statements)
    a, b = lab.ns("i-a"), lab.ns("i-b")
    assert packets.ping(b, C6, patience=packets.LONG) == "reply"  # b knows the router
    for target in (C6, ROUTER, NOBODY, "3fff:1:2:301::1", link_local(dual.b.mac)):
        for source in (A6, target):
            with packets.sniffing(b, "eth0") as heard:
                for to, mac in ((B6, dual.b.mac), ("ff02::1", "33:33:00:00:00:01")):
                    body = neighbour(136, target, dual.a.mac)
                    packet = ipv6(source, to, body, 58, 255)
                    packets.send_frame(a, "eth0", ethernet(mac, dual.a.mac, 0x86DD, packet))
                assert not heard(packets.address(target), packets.SHORT), (source, target)
    with packets.sniffing(b, "eth0") as heard:  # a solicitation tells its sender's address, too
        packet = ipv6(NOBODY, B6, neighbour(135, B6, dual.a.mac), 58, 255)
        packets.send_frame(a, "eth0", ethernet(dual.b.mac, dual.a.mac, 0x86DD, packet))
        assert not heard(packets.address(NOBODY), packets.SHORT)
    known = packets.sh(b, "ip", "-6", "neigh", "show", "dev", "eth0")
    assert dual.a.mac not in known.replace(f"{A6} lladdr {dual.a.mac}", "")


def test_an_own_neighbour_message_arrives(one_lab: Lab) -> None:
    dual = Dual()
    one_lab.build(dual.net.statements)
    b = one_lab.ns("i-b")
    with packets.sniffing(b, "eth0") as heard:
        packet = ipv6(A6, B6, neighbour(136, A6, dual.a.mac), 58, 255)
        packets.send_frame(
            one_lab.ns("i-a"), "eth0", ethernet(dual.b.mac, dual.a.mac, 0x86DD, packet)
        )
        assert heard(neighbour(136, A6, dual.a.mac)[4:])


@pytest.mark.parametrize("kind", [133, 134, 137])
@pytest.mark.parametrize("hidden", [False, True])
def test_nobody_makes_itself_a_router(lab: Lab, kind: int, hidden: bool) -> None:
    """Router advertisements and redirects are dropped, also behind an extension header."""
    dual = Dual("hub")
    lab.build(dual.net.statements)
    marker = b"I am the router!"
    body = bytes((kind, 0, 0, 0)) + bytes(12) + marker
    source = link_local(dual.a.mac)
    packet = ipv6(source, "ff02::1", body, 58, 255)
    if hidden:
        options = bytes((58, 0, 1, 4, 0, 0, 0, 0))  # a destination options header of padding
        packet = ipv6(source, "ff02::1", options + packet[40:], 60, 255)
    with packets.sniffing(lab.ns("i-b"), "eth0") as heard:
        frame = ethernet("33:33:00:00:00:01", dual.a.mac, 0x86DD, packet)
        packets.send_frame(lab.ns("i-a"), "eth0", frame)
        assert not heard(marker, packets.SHORT)


def test_nothing_is_overheard(lab: Lab) -> None:
    """In a fabric a solicitation reaches whom it asks for alone."""
    dual = Dual()
    eve = dual.net.instance("eve", dual.one, "10.0.1.66", "open", ip6="3fff:1:2:301::66")
    lab.build(dual.net.statements)
    with packets.sniffing(lab.ns("i-eve"), "eth0") as heard:
        assert packets.ping(lab.ns("i-a"), B6, patience=packets.LONG) == "reply"
        assert packets.ping(lab.ns("i-a"), NOBODY, patience=packets.SHORT) == packets.TIMEOUT
        assert not heard(packets.address(A6), packets.SHORT)
    assert eve.mac not in packets.sh(lab.ns("i-a"), "ip", "-6", "neigh", "show", "dev", "eth0")


def test_neighbour_messages_do_not_cross_the_router(lab: Lab) -> None:
    """What looks like neighbour discovery is exempt from groups on the link only."""
    dual = Dual()
    dual.net.group("closed", [])
    dual.regroup(dual.c, "closed", "10.0.2.12", C6)
    lab.build(dual.net.statements)
    with packets.sniffing(lab.ns("i-c"), "eth0") as heard:
        packet = ipv6(A6, C6, neighbour(136, A6, dual.a.mac), 58, 255)
        packets.send_frame(
            lab.ns("i-a"), "eth0", ethernet(router_mac(dual), dual.a.mac, 0x86DD, packet)
        )
        assert not heard(neighbour(136, A6, dual.a.mac)[4:], packets.SHORT)
