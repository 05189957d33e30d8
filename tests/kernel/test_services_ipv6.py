"""Services of the cloud's own over IPv6: who reaches them, in whose name, and who does not."""

from __future__ import annotations

import socket
import struct

import pytest

from gureum.program import Port, Service
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow

pytestmark = pytest.mark.kernel

TCP, UDP, IPV6 = 6, 17, 0x86DD
METADATA = Service("vpc-1", "metadata", "fd00:ec2::254", TCP, 80)
RESOLVER = Service("vpc-1", "dns", "fd00:ec2::253", UDP, 53)
ONE, TWO = "3fff:1:0:1::10", "3fff:1:0:2::10"


def world(acl: str = "acl-closed", group: str = "sg-closed") -> Net:
    """Two subnets with an instance each; the second one is let say what it likes, and may speak for
    others."""
    made = Net(cidr6="3fff:1::/56")
    made.group("sg-closed", [], [])
    made.group("sg-open", [allow("::/0")])
    made.acl("acl-closed", [], [])
    for number, (name, ip6, of) in enumerate((("a", ONE, group), ("b", TWO, "sg-open")), 1):
        block, block6 = f"10.0.{number}.0/24", f"3fff:1:0:{number}::/64"
        segment = made.segment(name, block, acl=acl, cidr6=block6)
        ip = f"10.0.{number}.10"
        made.instance(name, segment, ip, of, forwarding=name == "b", ip6=ip6)
    made.add(METADATA, RESOLVER)
    return made


@pytest.fixture
def net() -> Net:
    """Groups and ACLs let nothing pass to the first instance, nor between them."""
    return world()


@pytest.mark.parametrize(("name", "ip6"), [("a", ONE), ("b", TWO)])
def test_questions_and_answers_pass_whatever_the_filters_say(
    lab: Lab, net: Net, name: str, ip6: str
) -> None:
    lab.build(net.statements)
    client = packets.make(lab.ns(f"i-{name}"), socket.SOCK_DGRAM, ip=ip6)
    with lab.engine.listen(RESOLVER) as server, client:
        server.settimeout(packets.LONG)
        client.sendto(b"question", (RESOLVER.ip, 53))
        question, sender = server.recvfrom(100)
        assert (question, sender[0]) == (b"question", ip6)
        server.sendto(b"answer", sender)
        answer, who = client.recvfrom(100)
        assert (answer, who[0]) == (b"answer", RESOLVER.ip)
    with lab.engine.listen(METADATA):
        assert packets.tcp(lab.ns(f"i-{name}"), METADATA.ip, 80, patience=packets.LONG) == "open"


def test_the_router_has_these_ports_and_no_others(lab: Lab, net: Net) -> None:
    lab.build(net.statements)
    with lab.engine.listen(METADATA):
        assert packets.tcp(lab.ns("i-a"), METADATA.ip, 81, patience=packets.SHORT) == "timeout"
        assert packets.tcp(lab.ns("i-a"), RESOLVER.ip, 80, patience=packets.SHORT) == "timeout"
    assert packets.ping(lab.ns("i-a"), METADATA.ip, patience=packets.SHORT) == "timeout"
    lab.adopt()
    drift = lab.engine.drift(lab.statements)
    assert (drift.put, drift.drop) == (set(), set())


def _question(source: str, said: bytes) -> bytes:
    """A datagram to the resolver, whose checksum is made anew for its port."""
    length = struct.pack("!HHHH", 9, RESOLVER.port, 8 + len(said), 0)
    pseudo = packets.address(source) + packets.address(RESOLVER.ip)
    pseudo += struct.pack("!II", 8 + len(said), UDP) + length + said
    total = sum(struct.unpack(f"!{(len(pseudo) + 1) // 2}H", pseudo + bytes(len(pseudo) % 2)))
    total = (total >> 16) + (total & 0xFFFF)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    udp = length[:6] + struct.pack("!H", checksum) + said
    return (
        packets.ipv6(source, RESOLVER.ip, udp, protocol=0)[:6]
        + bytes((UDP, 64))
        + (packets.address(source) + packets.address(RESOLVER.ip) + udp)
    )


def test_who_may_speak_for_others_is_heard_in_its_own_name_only(lab: Lab, net: Net) -> None:
    lab.build(net.statements)
    port = next(each for each in net.statements if isinstance(each, Port) and each.id == "eni-b")
    with lab.engine.listen(RESOLVER) as server:
        server.settimeout(packets.LONG)
        for source, said in (("3fff:1:0:2::99", b"forged"), (TWO, b"own")):
            frame = packets.ethernet(port.segment.mac, port.mac, IPV6, _question(source, said))
            packets.send_frame(lab.ns("i-b"), "eth0", frame)
        assert server.recvfrom(100)[0] == b"own"


def test_nobody_answers_in_a_services_name(lab: Lab) -> None:
    """An instance with its check off may speak for anybody else."""
    net = world("acl-open", "sg-open")
    lab.build(net.statements)
    port = next(each for each in net.statements if isinstance(each, Port) and each.id == "eni-b")
    with packets.sniffing(lab.ns("i-a"), "eth0") as heard:
        for source, said in (("3fff:1:0:2::99", b"from elsewhere"), (RESOLVER.ip, b"an answer")):
            packet = packets.ipv6(source, ONE, said)
            frame = packets.ethernet(port.segment.mac, port.mac, IPV6, packet)
            packets.send_frame(lab.ns("i-b"), "eth0", frame)
        assert heard(b"from elsewhere")
        assert not heard(b"an answer", packets.SHORT)
