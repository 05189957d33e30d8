"""Services of the cloud's own in a router: who reaches them, in whose name, and who does not."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from gureum.program import Peering, Port, Service, ViaPeering
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow

pytestmark = pytest.mark.kernel

TCP, UDP = 6, 17
IPV4 = 0x0800
METADATA = Service("vpc-1", "metadata", "169.254.169.254", TCP, 80)
NEAR = Service("vpc-1", "dns", "10.0.1.2", UDP, 53)
LINK_LOCAL = Service("vpc-1", "dns", "169.254.169.253", UDP, 53)
BURST = 1024


@pytest.fixture
def net() -> Net:
    """Two subnets with an instance each, whose groups and ACLs let nothing pass."""
    made = Net()
    made.group("sg-closed", [], [])
    made.group("sg-open", [allow()])
    made.acl("acl-closed", [], [])
    for number, name in enumerate(("a", "b"), 1):
        segment = made.segment(name, f"10.0.{number}.0/24", acl="acl-closed")
        made.instance(name, segment, f"10.0.{number}.10", "sg-closed")
    made.add(METADATA, NEAR, LINK_LOCAL)
    return made


def _port(net: Net, name: str) -> Port:
    found = (each for each in net.statements if isinstance(each, Port))
    return next(each for each in found if each.id == f"eni-{name}")


@contextlib.contextmanager
def _open(lab: Lab, service: Service, patience: float = packets.LONG) -> Iterator[socket.socket]:
    with lab.engine.listen(service) as made:
        made.settimeout(patience)
        yield made


def _heard(server: socket.socket) -> bool:
    try:
        server.recv(100)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("service", [NEAR, LINK_LOCAL], ids=["base+2", "link-local"])
@pytest.mark.parametrize("name", ["a", "b"])
def test_questions_and_answers_pass_whatever_the_filters_say(
    lab: Lab, net: Net, service: Service, name: str
) -> None:
    lab.build(net.statements)
    client = packets.make(lab.ns(f"i-{name}"), socket.SOCK_DGRAM)
    with _open(lab, service) as server, client:
        client.sendto(b"question", (service.ip, service.port))
        question, sender = server.recvfrom(100)
        assert (question, sender[0]) == (b"question", lab.addresses()[name])
        server.sendto(b"answer", sender)
        assert client.recvfrom(100) == (b"answer", (service.ip, service.port))


def test_an_instance_may_take_the_link_local_addresses_for_its_neighbours(
    lab: Lab, net: Net
) -> None:
    """As the routes of older Linux AMIs do: 169.254.0.0/16 is on the link."""
    lab.build(net.statements)
    packets.sh(lab.ns("i-a"), "ip", "route", "add", "169.254.0.0/16", "dev", "eth0")
    with _open(lab, METADATA), packets.make(lab.ns("i-a")) as client:
        client.connect((METADATA.ip, METADATA.port))
        assert client.getpeername() == (METADATA.ip, METADATA.port)


def test_the_router_has_these_ports_and_no_others(lab: Lab, net: Net) -> None:
    lab.build(net.statements)
    with _open(lab, METADATA):
        assert packets.tcp(lab.ns("i-a"), METADATA.ip, 80) == packets.OPEN
        lab.check(f"""
            a {METADATA.ip} tcp/81   drop
            a {METADATA.ip} udp/80   drop
            a {METADATA.ip} icmp     drop
            a {NEAR.ip}     icmp     drop
            a {NEAR.ip}     udp/5353 drop
            a 10.0.1.1      tcp/80   drop
            a 10.0.1.1      icmp     drop
            a 10.0.2.1      tcp/80   drop
        """)


def test_what_is_said_in_anothers_name_is_not_heard(lab: Lab, net: Net) -> None:
    """Also where the source check is off, which lets an appliance say what it likes otherwise."""
    segment = _port(net, "a").segment
    net.instance("box", segment, "10.0.1.30", "sg-open", forwarding=True)
    lab.build(net.statements)
    for name, own in (("a", "10.0.1.10"), ("box", "10.0.1.30")):
        port = _port(net, name)
        with _open(lab, NEAR, packets.SHORT) as server:
            for source, heard in ((own, True), ("10.0.2.10", False), ("192.0.2.1", False)):
                packet = packets.ipv4(source, NEAR.ip, b"question", port=NEAR.port)
                frame = packets.ethernet(segment.mac, port.mac, IPV4, packet)
                packets.send_frame(lab.ns(f"i-{name}"), "eth0", frame)
                assert _heard(server) is heard, (name, source)


def test_nobody_answers_in_a_services_name(lab: Lab) -> None:
    """An appliance may forward for anybody, but not for a service of the cloud's own."""
    net = Net()
    net.group("sg-open", [allow()])
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    box = net.instance("box", a, "10.0.1.30", "sg-open", forwarding=True)
    net.instance("victim", b, "10.0.2.20", "sg-open")
    net.add(METADATA, NEAR)
    lab.build(net.statements)
    for source, passes in (("192.0.2.1", True), (NEAR.ip, False), (METADATA.ip, False)):
        packet = packets.ipv4(source, "10.0.2.20", b"forged")
        with packets.sniffing(lab.ns("i-victim"), "eth0") as saw:
            frame = packets.ethernet(a.mac, box.mac, IPV4, packet)
            packets.send_frame(lab.ns("i-box"), "eth0", frame)
            assert saw(b"forged", packets.LONG if passes else packets.SHORT) is passes, source


def test_nobody_asks_over_a_peering(one_lab: Lab, net: Net) -> None:
    other = Net("vpc-2", "10.9.0.0/16")
    other.group("sg-open", [allow()])
    other.instance("far", other.segment("a", "10.9.1.0/24"), "10.9.1.10", "sg-open")
    pcx = Peering("pcx-1", ("vpc-1", "vpc-2"), (("10.0.0.0/16",), ("10.9.0.0/16",)))
    other.route("a", "10.0.0.0/16", ViaPeering("pcx-1", "vpc-1"))
    one_lab.build(net.statements, other.statements, [pcx])
    with _open(one_lab, NEAR, packets.SHORT) as server:
        with packets.make(one_lab.ns("i-far2"), socket.SOCK_DGRAM) as client:
            client.sendto(b"question", (NEAR.ip, NEAR.port))
        assert not _heard(server)
        with packets.make(one_lab.ns("i-a"), socket.SOCK_DGRAM) as client:
            client.sendto(b"question", (NEAR.ip, NEAR.port))
        assert _heard(server)


def test_each_interface_has_a_rate_of_its_own(one_lab: Lab, net: Net) -> None:
    one_lab.build(net.statements)
    with _open(one_lab, NEAR) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        begun = time.monotonic()
        with packets.make(one_lab.ns("i-a"), socket.SOCK_DGRAM) as client:
            for _ in range(8 * BURST):
                client.sendto(b"flood", (NEAR.ip, NEAR.port))
        allowed = BURST * (1 + time.monotonic() - begun)
        with packets.make(one_lab.ns("i-b"), socket.SOCK_DGRAM) as client:
            client.sendto(b"other", (NEAR.ip, NEAR.port))
        heard: list[bytes] = []
        while not heard or heard[-1] != b"other":
            heard.append(server.recv(100))
        assert 0.5 * BURST < len(heard) <= allowed + 2
    assert not one_lab.engine.drift(one_lab.statements)


def test_a_service_comes_and_goes(one_lab: Lab, net: Net) -> None:
    one_lab.build(net.statements)
    one_lab.change(remove=[LINK_LOCAL])
    with _open(one_lab, NEAR) as server, packets.make(one_lab.ns("i-a"), socket.SOCK_DGRAM) as c:
        c.sendto(b"question", (LINK_LOCAL.ip, LINK_LOCAL.port))
        c.sendto(b"question", (NEAR.ip, NEAR.port))
        assert server.recv(100) == b"question"
    with pytest.raises(OSError, match="assign"), _open(one_lab, LINK_LOCAL):
        pass
    one_lab.change(add=[LINK_LOCAL])
    with _open(one_lab, LINK_LOCAL) as server:
        with packets.make(one_lab.ns("i-a"), socket.SOCK_DGRAM) as client:
            client.sendto(b"question", (LINK_LOCAL.ip, LINK_LOCAL.port))
        assert _heard(server)
    assert not one_lab.engine.drift(one_lab.statements)
