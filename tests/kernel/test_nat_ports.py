"""The port that a NAT gateway draws for a client's below 1024, as stateless filters see it."""

from __future__ import annotations

import select
import socket
from contextlib import ExitStack

import pytest

from gureum.explain import Answer, Network, Packet, explain
from gureum.explain.packet import UDP, nat_ports
from gureum.explain.verdict import Reach
from gureum.program import ViaUplink
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, Net, allow, internet

pytestmark = pytest.mark.kernel

CLIENT, OTHER, PUBLIC = "10.0.2.20", "198.19.0.20", "198.18.0.5"
INSIDE = "10.0.2.0/24"
FIRST, COUNT = 500, 40
"""Ports of clients."""


def cloud(answers: tuple[int, int]) -> Net:
    """A client behind a NAT gateway, into whose subnet an ACL lets datagrams of the internet to
    some ports only."""
    net = Net()
    entering = [allow(INSIDE, why="acl/90"), allow(ANY, protocol=UDP, ports=answers, why="acl/100")]
    net.acl("acl", entering, [allow(why="acl/100")])
    a, b = net.segment("a", "10.0.1.0/24", acl="acl"), net.segment("b", INSIDE)
    net.group("sg", [allow(protocol=UDP)])
    net.instance("client", b, CLIENT, "sg")
    gateway = net.gateway("1")
    net.public(gateway, "10.0.1.5", PUBLIC)
    net.route("a", ANY, ViaUplink(gateway))
    net.route("b", ANY, net.nat("1", a, "10.0.1.5"))
    return net


@pytest.mark.parametrize(
    ("answers", "reach"),
    [((1024, 65535), "all"), ((1024, 33279), "some"), ((1, 1023), "none")],
)
def test_the_verdict_is_about_the_ports_that_are_drawn(
    one_lab: Lab, answers: tuple[int, int], reach: Reach
) -> None:
    one_lab.build(cloud(answers).statements, internet())
    network = Network(one_lab.statements, one_lab.engine.forwards)
    answer = predicted(network, FIRST)
    assert (answer.reach, answer.works) == (reach, reach != "none")
    assert answer.drawn == (() if reach == "none" else (answers,))
    assert answer.ports == (() if reach == "none" else ((FIRST, FIRST),))
    seen = asked(one_lab, answer.drawn)
    assert {port in nat_ports for port, _ in seen} == {True}
    assert [got for _, got in seen] == [in_any(answer.drawn, port) for port, _ in seen]
    assert {got for _, got in seen} == {"all": {True}, "some": {True, False}, "none": {False}}[
        reach
    ]


def test_a_port_that_is_kept() -> None:
    network = Network([*cloud((1024, 33279)).statements, *internet()])
    for port, reach in ((1024, "all"), (33280, "none")):
        answer = predicted(network, port)
        assert (answer.reach, answer.drawn) == (reach, ())


def predicted(network: Network, port: int) -> Answer:
    start = network.primary("i-client")
    assert start is not None
    return explain(network, start, Packet(CLIENT, OTHER, UDP, port, 53))


def in_any(ranges: tuple[tuple[int, int], ...], port: int) -> bool:
    return any(first <= port <= last for first, last in ranges)


def asked(lab: Lab, works: tuple[tuple[int, int], ...]) -> list[tuple[int, bool]]:
    """From each client's port a datagram to a server, which answers: the port that this saw, and
    whether the answer came; it should from the ports ``works``."""
    with ExitStack() as stack:
        server = stack.enter_context(packets.make(lab.ns("other"), socket.SOCK_DGRAM))
        server.bind((OTHER, 53))
        clients = []
        for number in range(COUNT):
            clients.append(stack.enter_context(packets.make(lab.ns("i-client"), socket.SOCK_DGRAM)))
            clients[-1].bind((CLIENT, FIRST + number))
            clients[-1].sendto(bytes((number,)), (OTHER, 53))
        ports = {}
        for _ in clients:
            data, (ip, port) = server.recvfrom(64)
            assert ip == PUBLIC
            ports[data[0]] = port
            server.sendto(b"!", (ip, port))
        due = [each for number, each in enumerate(clients) if in_any(works, ports[number])]
        others = [each for each in clients if each not in due]
        got = {
            *(each for each in due if select.select([each], [], [], packets.LONG)[0]),
            *select.select(others, [], [], packets.SHORT)[0],
        }
        return [(ports[number], client in got) for number, client in enumerate(clients)]
