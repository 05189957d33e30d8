"""Flows that are not what they seem: forged beginnings, answers for another, addresses with a past.

AWS tracks the flows of each interface by themselves; here one entry stands for a flow, however
often it crosses the router, so what it says about one interface must not open another.
"""

from __future__ import annotations

import pytest

from gureum.program import Address, Guard, Host, Member, Port, Statement
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow, via

pytestmark = pytest.mark.kernel

UDP = 17
IPV4 = 0x0800


def _send(lab: Lab, name: str, port: Port, to: str, packet: bytes) -> None:
    packets.send_frame(lab.ns(name), "eth0", packets.ethernet(to, port.mac, IPV4, packet))


@pytest.mark.parametrize("near", [True, False])
def test_a_forged_question_is_no_reason_to_let_the_answer_in(lab: Lab, near: bool) -> None:
    """With its check off, an instance can say to itself what its victim never said."""
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-open", [allow()])
    net.group("sg-closed")
    evil = net.instance("evil", a, "10.0.1.10", "sg-open", forwarding=True)
    ip = "10.0.1.20" if near else "10.0.2.20"
    victim = net.instance("victim", a if near else b, ip, "sg-closed")
    lab.build(net.statements)
    with packets.sniffing(lab.ns("i-evil"), "eth0") as saw:
        _send(lab, "i-evil", evil, a.mac, packets.ipv4(ip, "10.0.1.10", b"forged"))
        assert saw(b"forged")
    direct = near and lab.way == "netfilter"
    with packets.sniffing(lab.ns("i-victim"), "eth0") as saw:
        for to in {a.mac, victim.mac if direct else a.mac}:
            _send(lab, "i-evil", evil, to, packets.ipv4("10.0.1.10", ip, b"answer"))
        assert not saw(b"answer", packets.SHORT)


def test_an_appliance_that_answers_for_its_server_opens_nothing(lab: Lab) -> None:
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    c = net.segment("c", "10.0.3.0/24")
    net.group("sg-open", [allow()])
    net.group("sg-closed")
    client = net.instance("client", a, "10.0.1.10", "sg-open")
    net.instance("server", b, "10.0.2.10", "sg-closed")
    box = net.instance("box", c, "10.0.3.10", "sg-open", forwarding=True)
    net.route("a", "10.0.2.0/24", via(box, "10.0.3.10"))
    lab.build(net.statements)
    with (
        packets.sniffing(lab.ns("i-box"), "eth0") as asked,
        packets.sniffing(lab.ns("i-client"), "eth0") as answered,
        packets.sniffing(lab.ns("i-server"), "eth0") as reached,
    ):
        question = packets.ipv4("10.0.1.10", "10.0.2.10", b"question")
        _send(lab, "i-client", client, a.mac, question)
        assert asked(b"question")
        _send(lab, "i-box", box, c.mac, packets.ipv4("10.0.2.10", "10.0.1.10", b"answer"))
        assert answered(b"answer")
        _send(lab, "i-box", box, c.mac, question)
        assert not reached(b"question", packets.SHORT)


def test_the_groups_of_an_appliance_are_asked_for_both_of_its_sides(lab: Lab) -> None:
    """What comes to it must be let in, and what leaves it let out; answers pass both ways."""
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    c = net.segment("c", "10.0.3.0/24")
    net.group("sg-client", leaving=[allow()])
    net.group("sg-server", [allow()], leaving=[])
    net.group(
        "sg-box",
        [allow("10.0.1.0/24")],
        leaving=[allow("10.0.2.10/32")],
    )
    net.instance("client", a, "10.0.1.10", "sg-client")
    net.instance("server", b, "10.0.2.10", "sg-server")
    net.instance("other", b, "10.0.2.11", "sg-server")
    box = net.instance("box", c, "10.0.3.10", "sg-box", forwarding=True)
    net.route("a", "10.0.2.0/24", via(box, "10.0.3.10"))
    net.route("b", "10.0.1.0/24", via(box, "10.0.3.10"))
    lab.build(net.statements)
    packets.sh(lab.ns("i-box"), "sysctl", "-qw", "net.ipv4.ip_forward=1")
    lab.check("""
        client server icmp   pass
        client other  icmp   drop   # the appliance may not send there
        server client icmp   drop
    """)
    with packets.connection(lab.ns("i-client"), "10.0.2.10", lab.ns("i-server"), 81) as ends:
        client, server, _ = ends
        assert packets.alive(client, server)
        assert packets.alive(server, client)


def _station(net: Net, host: str, name: str, mac: str, group: str) -> set[Statement]:
    segment = next(s.segment for s in net.statements if isinstance(s, Port))
    port = Port(f"eni-{name}", segment, host, 0, mac)
    return {
        Host(host, "instance", net.router, name),
        port,
        Address(port, "10.0.1.20", primary=True),
        Guard(port, ("10.0.1.20",), False, f"{group}/in", f"{group}/out"),
        Member(net.router, group, "10.0.1.20"),
    }


def test_an_address_that_changes_hands_takes_no_flows_along(lab: Lab) -> None:
    """Whoever had a connection to the old instance has none to the new one."""
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-open", [allow(protocol=UDP), allow(protocol=6)])
    net.group("sg-closed")
    net.instance("client", a, "10.0.1.10", "sg-open")
    old = _station(net, "i-old", "old", "02:01:0a:00:01:14", "sg-open")
    new = _station(net, "i-new", "new", "02:01:0a:00:01:99", "sg-closed")
    lab.build(net.statements, old)
    with packets.make(lab.ns("i-client"), 2) as client:
        with packets.make(lab.ns("i-old"), 2) as server:
            client.bind(("0.0.0.0", 7001))
            server.bind(("0.0.0.0", 7000))
            client.sendto(b"1", ("10.0.1.20", 7000))
            server.sendto(server.recvfrom(8)[0], ("10.0.1.10", 7001))
            assert client.recv(8) == b"1"
        lab.change(new, old)
        packets.sh(lab.ns("i-client"), "ip", "neigh", "flush", "all")
        with packets.sniffing(lab.ns("i-new"), "eth0") as saw:
            client.sendto(b"to the new one", ("10.0.1.20", 7000))
            assert not saw(b"to the new one", packets.SHORT)


def test_inside_a_subnet_no_route_applies(lab: Lab) -> None:
    """A route to the subnet's own range is for the others that have the table."""
    net = Net()
    a, c = net.segment("a", "10.0.1.0/24"), net.segment("c", "10.0.3.0/24")
    net.group("sg-open", [allow()])
    net.instance("one", a, "10.0.1.10", "sg-open")
    net.instance("two", a, "10.0.1.11", "sg-open")
    box = net.instance("box", c, "10.0.3.10", "sg-open", forwarding=True)
    net.route("a", "10.0.1.0/24", via(box, "10.0.3.10"))
    lab.build(net.statements)
    lab.check("one two tcp/80 pass")
