"""NAT64 on real packets: IPv6-only instances reach IPv4 hosts by a NAT gateway, and none back."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gureum.engines.linux import conntrack
from gureum.engines.linux.flow_meter import FlowMeter
from gureum.engines.linux.netlink import NETFILTER, Netlink
from gureum.explain.packet import ICMPV6, TCP, UDP
from gureum.model.nat64 import INSIDE4, INSIDE6, PREFIX, synthesized
from gureum.program import Nat64, Port, ViaUplink
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, ANY6, Net, allow, internet
from tests.kernel.test_flow_meter import recorded
from tests.kernel.test_tracing import all_seen, proved, seen_dropped, statuses

pytestmark = pytest.mark.kernel

VPC = "3fff:1:2:300::/56"
A6, D4, NAT4, NAT_PUBLIC = "3fff:1:2:301::a", "10.0.3.13", "10.0.2.5", "198.18.0.5"
ME, OTHER, D, INSIDE = (synthesized(ip) for ip in ("198.19.0.10", "198.19.0.20", D4, NAT4))


class Translating:
    """An IPv6-only instance behind a NAT gateway in a subnet of IPv4 alone, and an instance of IPv4
    alone."""

    def __init__(self, acl: str = "acl-open", group: str = "open", *others: str) -> None:
        self.net = Net(cidr6=VPC)
        self.one = self.net.segment("one", "", acl=acl, cidr6="3fff:1:2:301::/64")
        self.two = self.net.segment("two", "10.0.2.0/24")
        self.three = self.net.segment("three", "10.0.3.0/24")
        self.net.group("open", [allow(), allow(ANY6)])
        self.a = self.net.instance("a", self.one, "", group, ip6=A6)
        self.d = self.net.instance("d", self.three, D4, "open")
        self.gateway = self.net.gateway("x")
        self.target = self.net.nat("1", self.two, NAT4, *others)
        self.net.route("two", ANY, ViaUplink(self.gateway))
        self.net.public(self.gateway, NAT4, NAT_PUBLIC)
        self.nat = next(
            each
            for each in self.net.statements
            if isinstance(each, Port) and each.id == self.target.port
        )
        self.way = self.net.route("one", PREFIX, self.target)
        self.net.add(Nat64(self.nat, NAT4))


@contextlib.contextmanager
def connected(lab: Lab) -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """A connection from the instance to me, as :func:`packets.connection` gives it."""
    with (
        packets.listening(lab.ns("me"), 80) as listener,
        packets.make(lab.ns("i-a"), ip=ME) as client,
    ):
        client.settimeout(packets.LONG)
        client.connect((ME, 80))
        server, (seen, _) = listener.accept()
        server.settimeout(packets.LONG)
        with server:
            yield client, server, seen


def test_who_reaches_whom(lab: Lab) -> None:
    made = Translating()
    lab.build(made.net.statements, internet())
    with packets.listening(lab.ns("i-d"), 80):
        lab.check(f"""
            a {ME}    icmp   pass
            a {ME}    tcp/80 pass   # refused: by the host, so it was there
            a {ME}    udp/53 pass
            a {OTHER} icmp   pass
            a {D}     icmp   pass   # a private address, within the VPC
            a {D}     tcp/80 pass
            a {synthesized("198.19.0.99")} icmp drop
            a {synthesized("169.254.169.254")} tcp/80 drop
            a {synthesized("127.0.0.1")} icmp drop
            a {synthesized(INSIDE4)} icmp drop
            a {INSIDE} icmp drop   # the gateway answers nothing
            a {INSIDE6} icmp drop
            me {NAT_PUBLIC} icmp   drop   # nothing begins outside
            me {NAT_PUBLIC} tcp/80 drop
            d {NAT4}  icmp   drop
        """)
    assert not lab.engine.drift(lab.statements)


def test_connections_carry_what_is_sent(one_lab: Lab) -> None:
    made = Translating()
    one_lab.build(made.net.statements, internet())
    with connected(one_lab) as (client, server, seen):
        assert seen == NAT_PUBLIC
        assert packets.alive(client, server)
        assert packets.alive(server, client)
        size = 300_000  # joined segments are taken apart, and larger than the smallest link
        for sender, receiver in ((client, server), (server, client)):
            sent = bytes(at % 251 for at in range(size))
            got = bytearray()
            left = memoryview(sent)
            while len(got) < size:
                if left:
                    left = left[sender.send(left[:20_000]) :]
                got += receiver.recv(1 << 16)
            assert got == sent


def test_errors_come_back(one_lab: Lab) -> None:
    """The hops on the way, a port where nobody listens, and a packet that is too long for a link
    behind the gateway; the gateway is one hop."""
    made = Translating()
    one_lab.build(made.net.statements, internet())
    a = one_lab.ns("i-a")
    hops = [A6[:-1] + "1", INSIDE, synthesized("10.0.2.1")]
    outside = [synthesized(each) for each in ("100.64.0.1", "100.64.0.2")]
    assert packets.hops(a, ME) == [*hops, *outside, ME]
    assert packets.hops(a, D) == [*hops, D]
    assert packets.udp_is_refused(a, ME, 99)
    with packets.make(a, socket.SOCK_DGRAM, ip=ME, patience=packets.LONG) as client:
        client.setsockopt(socket.IPPROTO_IPV6, 62, 1)  # linux/in6.h, IPV6_DONTFRAG
        client.connect((ME, 99))
        client.send(bytes(3000))
        assert packets.eventually(lambda: client.getsockopt(socket.IPPROTO_IPV6, 24) == 1520)
    assert packets.ping(a, ME, size=1400) == "reply"


def test_filters_see_ipv6_before_and_ipv4_behind(one_lab: Lab) -> None:
    made = Translating(acl="acl-x", group="some")
    made.net.acl("acl-x", [allow(ANY6)], [allow(PREFIX, 6), allow(PREFIX, 58, icmp=(128, -1))])
    made.net.group("some", leaving=[allow(f"{ME}/128"), allow(f"{D}/128")])
    made.net.group("strict", [allow(f"{NAT4}/32", 6, 80)])
    made.net.instance("e", made.three, "10.0.3.14", "strict")
    made.net.statements.discard(made.way)
    made.net.route("one", PREFIX, made.target)
    one_lab.build(made.net.statements, internet())
    e = synthesized("10.0.3.14")
    one_lab.check(f"""
        a {ME}    icmp   pass
        a {ME}    tcp/80 pass
        a {ME}    udp/53 drop   # the ACL
        a {OTHER} icmp   drop   # the group
        a {D}     tcp/80 pass
        a {e}     tcp/80 drop
    """)


def test_several_addresses_and_low_ports(one_lab: Lab) -> None:
    made = Translating("acl-open", "open", "10.0.2.6")
    made.net.public(made.gateway, "10.0.2.6", "198.18.0.6")
    one_lab.build(made.net.statements, internet())
    seen: dict[int, tuple[str, int]] = {}
    with packets.listening(one_lab.ns("me"), 80) as listener:
        for port in (40000, 40001, 900):
            with packets.make(one_lab.ns("i-a"), ip=ME) as client:
                client.bind(("::", port))
                client.connect((ME, 80))
                server, seen[port] = listener.accept()
                with server:
                    assert packets.alive(server, client)
    assert seen[40000] == (NAT_PUBLIC, 40000)
    assert seen[40001] == ("198.18.0.6", 40001)
    assert seen[900][1] >= 1024


def test_nobody_gets_in_by_the_addresses_inside(one_lab: Lab) -> None:
    """Who may say what it likes, elsewhere and beside the gateway, knows a flow and what it is
    between the two halves."""
    made = Translating()
    forger = made.net.instance("f", made.three, "10.0.3.66", "open", forwarding=True)
    near = made.net.instance("g", made.two, "10.0.2.66", "open", forwarding=True)
    made.net.route("three", ANY, made.target)
    one_lab.build(made.net.statements, internet())
    f, a, me = one_lab.ns("i-f"), one_lab.ns("i-a"), one_lab.ns("me")
    mine = packets.make(a, socket.SOCK_DGRAM, ip=ME)
    with mine as client, packets.sniffing(me, "eth0") as out, packets.sniffing(a, "eth0") as heard:
        client.bind(("::", 9))
        client.connect((ME, 9))
        client.send(b"mine")
        assert out(b"mine")
        for source, target in (("198.19.0.10", INSIDE4), (INSIDE4, "198.19.0.10")):
            packets.sh(f, "ip", "address", "add", f"{source}/32", "dev", "lo")
            with packets.make(f, socket.SOCK_DGRAM) as forged:
                forged.bind((source, 9))
                forged.sendto(b"forged", (target, 9))
            packets.sh(f, "ip", "address", "del", f"{source}/32", "dev", "lo")
        for source, target in ((ME, INSIDE6), (INSIDE6, ME), (ME, A6)):
            packet = packets.ipv6(source, target, b"forged")
            frame = packets.ethernet(made.nat.mac, near.mac, 0x86DD, packet)
            packets.send_frame(one_lab.ns("i-g"), "eth0", frame)
        assert packets.ping(a, ME) == "reply"
        assert not heard(b"forged", packets.SHORT)
        assert not out(b"forged", packets.SHORT)
    assert forger.segment == made.three


def test_it_outlives_the_daemon_is_mended_and_goes(one_lab: Lab) -> None:
    made = Translating()
    one_lab.build(made.net.statements, internet())
    a, nat = one_lab.ns("i-a"), one_lab.ns("nat-1")
    with connected(one_lab) as (client, server, _):
        one_lab.adopt()
        assert packets.alive(client, server)
    assert not one_lab.engine.drift(one_lab.statements)
    packets.sh(nat, "tc", "filter", "del", "dev", "siit4", "ingress")
    assert packets.ping(a, ME, patience=packets.SHORT) == packets.TIMEOUT
    assert one_lab.engine.drift(one_lab.statements)
    one_lab.engine.sync(one_lab.statements)
    assert packets.ping(a, ME) == "reply"
    one_lab.change(remove=[made.way, Nat64(made.nat, NAT4)])
    assert "siit" not in packets.sh(nat, "ip", "link")
    assert packets.ping(a, ME, patience=packets.SHORT) == packets.TIMEOUT
    assert not one_lab.engine.drift(one_lab.statements)
    one_lab.change(add=[made.way, Nat64(made.nat, NAT4)])
    assert packets.ping(a, ME) == "reply"


def test_an_explanation_is_seen_step_by_step(lab: Lab) -> None:
    """What is predicted of a packet that changes its version on the way, and back."""
    made = Translating(group="strict")
    made.net.group("strict", leaving=[allow(f"{ME}/128"), allow(f"{D}/128")])
    lab.build(made.net.statements, internet())
    all_seen(lab, [("i-a", ME), ("i-a", D)])
    found = proved(lab, "i-a", ME, ICMPV6)
    assert (found.reasons, found.outcome) == ((), "answered")
    assert statuses(found) == ({"seen"}, {"seen"})
    found = proved(lab, "i-a", D, UDP, 53)
    assert (found.reasons, found.outcome) == ((), "refused (icmpv6 1/4)")
    seen_dropped(lab, ("i-a", OTHER, TCP, 80), "drop default-sg")


def test_what_is_not_translated_is_seen_to_end(one_lab: Lab) -> None:
    made = Translating()
    one_lab.build(made.net.statements, internet())
    for ip, seen in (
        ("169.254.169.254", "drop not-translatable"),
        (INSIDE4, "drop not-translatable"),
        (NAT4, "drop nat-gateway-answers-nothing"),
    ):
        seen_dropped(one_lab, ("i-a", synthesized(ip), TCP, 80), seen)


def test_within_the_subnet_of_the_gateway(lab: Lab) -> None:
    """The gateway and its client in one subnet, of both versions: past the ACL."""
    net = Net(cidr6=VPC)
    net.acl("acl-x", [allow(ANY)], [allow(ANY)])
    one = net.segment("one", "10.0.1.0/24", acl="acl-x", cidr6="3fff:1:2:301::/64")
    net.group("open", [allow(), allow(ANY6)])
    net.instance("a", one, "10.0.1.10", "open", ip6=A6)
    target = net.nat("1", one, "10.0.1.5")
    nat = next(each for each in net.statements if isinstance(each, Port) and each.id == target.port)
    gateway = net.gateway("x")
    net.public(gateway, "10.0.1.5", NAT_PUBLIC)
    net.route("one", ANY, ViaUplink(gateway))
    net.route("one", PREFIX, target)
    net.add(Nat64(nat, "10.0.1.5"))
    lab.build(net.statements, internet())
    all_seen(lab, [("i-a", ME)])


def test_flow_logs_have_both_sides_of_the_gateway(one_lab: Lab) -> None:
    made = Translating()
    one_lab.build(made.net.statements, internet())
    meter = FlowMeter(one_lab.tag)
    try:
        meter.watch("vpc-1", recorded(made.net, "a", "1"))
        with packets.make(one_lab.ns("i-a"), socket.SOCK_DGRAM, ip=ME) as client:
            client.bind(("::", 4000))
            client.connect((ME, 99))
            client.send(b"u")
        flows = meter.read("vpc-1").flows
    finally:
        meter.close()
    assert {
        (flow.interface, flow.inward, flow.source, flow.target, flow.accepted)
        for flow in flows
        if flow.protocol == UDP
    } == {
        ("eni-a", False, A6, ME, True),
        ("eni-1", True, A6, ME, True),
        ("eni-1", False, NAT4, "198.19.0.10", True),
    }


def test_a_forgotten_connection_is_reset(one_lab: Lab) -> None:
    """As of IPv4, whichever half has forgotten it; and its answers go nowhere."""
    made = Translating()
    one_lab.build(made.net.statements, internet())
    nat = one_lab.ns("nat-1")
    for inside in (A6, INSIDE4):
        with connected(one_lab) as (client, server, _), packets.sniffing(nat, "eth0") as seen:
            assert packets.alive(client, server)
            forget(nat, inside)
            server.sendall(b"answer")
            assert seen(b"answer")  # as it comes
            client.sendall(b"x")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    with connected(one_lab) as (_, server, _), packets.sniffing(nat, "eth0", 0x86DD) as seen:
        forget(nat, A6)
        server.sendall(b"answer")
        assert not seen(b"answer", packets.SHORT)


def forget(nat: Path, ip: str) -> None:
    with packets.inside(nat), contextlib.closing(Netlink(NETFILTER)) as netlink:
        conntrack.forget(netlink, [ip])


def test_fragments_do_not_pass(one_lab: Lab) -> None:
    made = Translating()
    one_lab.build(made.net.statements, internet())
    a = one_lab.ns("i-a")
    assert packets.ping(a, D, size=8_000) == "reply"
    assert packets.ping(a, D, size=12_000, patience=packets.SHORT) == packets.TIMEOUT
