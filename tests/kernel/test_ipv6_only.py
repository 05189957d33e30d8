"""IPv6-only subnets on real packets: who reaches whom, and that no IPv4 gets in or out."""

from __future__ import annotations

import socket

import pytest

from gureum.engines.linux.names import link_local
from gureum.program import Guard, Member, Port, Service, ViaUplink
from gureum.program.statements import Mode
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY6, Net, allow, internet, via
from tests.kernel.packets import ethernet, ipv4, listening

pytestmark = pytest.mark.kernel

VPC = "3fff:1:2:300::/56"
A6, B6, C6 = "3fff:1:2:301::a", "3fff:1:2:301::b", "3fff:1:2:302::c"
C4 = "10.0.2.12"
IPV4, ARP = 0x0800, 0x0806
METADATA = Service("vpc-1", "metadata", "fd00:ec2::254", 6, 80)
RESOLVER = Service("vpc-1", "dns", "fd00:ec2::253", 17, 53)


class Native:
    """Two instances in an IPv6-only subnet, a third in one of both versions."""

    def __init__(self, mode: Mode = "fabric", acl: str = "acl-open", group: str = "open") -> None:
        self.net = Net(cidr6=VPC)
        self.one = self.net.segment("one", "", mode, acl, cidr6="3fff:1:2:301::/64")
        self.two = self.net.segment("two", "10.0.2.0/24", mode, cidr6="3fff:1:2:302::/64")
        self.net.group("open", [allow(), allow(ANY6)])
        self.a = self.net.instance("a", self.one, "", "open", ip6=A6)
        self.b = self.net.instance("b", self.one, "", group, ip6=B6)
        self.c = self.net.instance("c", self.two, C4, "open", ip6=C6)

    def forwards(self, port: Port, ip6: str) -> None:
        """Switch off the source/destination check of an instance in the open group."""
        self.net.statements = {
            each
            for each in self.net.statements
            if not (isinstance(each, Guard) and each.port == port)
        }
        self.net.add(Guard(port, (ip6,), True, "open/in", "open/out"))


@pytest.mark.parametrize("mode", ["fabric", "switch", "hub"])
def test_within_and_across_subnets(lab: Lab, mode: Mode) -> None:
    native = Native(mode)
    lab.build(native.net.statements)
    with listening(lab.ns("i-b"), 80, B6), listening(lab.ns("i-c"), 80, C6):
        lab.check(
            """
            a b6 icmp   pass
            b a6 icmp   pass
            a b6 tcp/80 pass
            a b6 udp/53 pass
            a c6 icmp   pass
            a c6 tcp/80 pass
            c a6 icmp   pass
            c b6 udp/53 pass
            c 3fff:1:2:301::99 icmp drop
            a 3fff:1:2:301::1 icmp drop   # the router answers nothing
            """
        )
    assert packets.hops(lab.ns("i-a"), B6) == [B6]
    assert packets.hops(lab.ns("i-a"), C6) == ["3fff:1:2:301::1", C6]


def test_there_is_no_ipv4(lab: Lab) -> None:
    """No address, no route, and frames of it that somebody makes go nowhere."""
    native = Native("hub")
    lab.build(native.net.statements)
    a, b, c = (lab.ns(f"i-{name}") for name in "abc")
    shown = packets.sh(a, "ip", "-o", "-4", "address", "show", "dev", "eth0")
    assert shown + packets.sh(a, "ip", "-4", "route") == ""
    assert "inet " not in packets.sh(lab.ns("vpc-1"), "ip", "address", "show", "dev", "s-one")
    for source in ("10.0.1.10", "169.254.0.10", C4):
        for there, target, mac in ((b, "10.0.1.11", native.b.mac), (c, C4, native.one.mac)):
            marker = f"from {source} to {target}".encode()
            with packets.sniffing(there, "eth0") as heard:
                frame = ethernet(mac, native.a.mac, IPV4, ipv4(source, target, marker))
                packets.send_frame(a, "eth0", frame)
                assert not heard(marker, packets.SHORT), (source, target)


def test_not_even_of_one_that_may_speak_for_others(lab: Lab) -> None:
    """Whoever's source check is off may send any address; the router takes IPv4 from no IPv6-only
    subnet."""
    native = Native()
    native.forwards(native.a, A6)
    lab.build(native.net.statements)
    for source in ("10.0.1.10", "10.0.2.99"):
        marker = f"from {source}".encode()
        with packets.sniffing(lab.ns("i-c"), "eth0") as heard:
            frame = ethernet(native.one.mac, native.a.mac, IPV4, ipv4(source, C4, marker))
            packets.send_frame(lab.ns("i-a"), "eth0", frame)
            assert not heard(marker, packets.SHORT), source
    lab.check("a c6 icmp pass")


def test_groups_and_references(lab: Lab) -> None:
    native = Native(group="web")
    rules = [allow(ANY6, 6, 80, "sgr-80"), allow("open", 17, 53, "sgr-53")]
    native.net.group("web", rules)
    lab.build(native.net.statements)
    with listening(lab.ns("i-b"), 80, B6), listening(lab.ns("i-b"), 81, B6):
        lab.check(
            """
            a b6 tcp/80 pass
            a b6 tcp/81 drop
            a b6 udp/53 pass  # as a member of the group
            c b6 tcp/80 pass
            c b6 udp/53 pass
            c b6 icmp   drop
            b a6 icmp   pass  # the answer to what went out comes in
            """
        )
    lab.change(remove=[Member("vpc-1", "open", A6)])
    lab.check("a b6 udp/53 drop")


def test_acls_are_stateless(lab: Lab) -> None:
    native = Native(acl="acl-x")
    entering = [allow(ANY6, 6, 80, "acl-x/100"), allow(ANY6, 58, why="acl-x/110", icmp=(128, -1))]
    native.net.acl("acl-x", entering, [allow(ANY6, 6, (32768, 65535), "acl-x/100")])
    lab.build(native.net.statements)
    with listening(lab.ns("i-a"), 80, A6), listening(lab.ns("i-a"), 81, A6):
        lab.check(
            """
            c a6 tcp/80 pass
            c a6 tcp/81 drop
            c a6 icmp   drop  # the answer is let out by no rule
            a c6 icmp   drop
            b a6 icmp   pass  # within the subnet no ACL applies
            """
        )


def test_the_internet(one_lab: Lab) -> None:
    native = Native()
    gateway, way_out = native.net.gateway("x"), native.net.egress_only("out")
    native.net.route("one", ANY6, ViaUplink(gateway))
    native.net.global_(gateway, native.one, A6)
    native.net.route("two", ANY6, ViaUplink(way_out))
    native.net.global_(way_out, native.two, C6)
    one_lab.build(native.net.statements, internet())
    with packets.connection(one_lab.ns("me"), A6, one_lab.ns("i-a"), 80) as (client, server, seen):
        assert seen == "3fff:800::10"
        assert packets.alive(server, client)
    one_lab.check(
        """
        a me6 icmp pass
        me a6 icmp pass
        b me6 icmp drop   # its address is not one that the gateway lets pass
        me b6 icmp drop
        c me6 icmp pass
        me c6 icmp drop   # outwards only
        """
    )


def test_an_appliance_and_the_services(lab: Lab) -> None:
    """A route leads to an IPv6-only interface by its link-local address; services answer there
    whatever the filters say."""
    native = Native()
    port = native.a
    native.forwards(port, A6)
    native.net.route("two", "3fff:900::/32", via(port, A6))
    native.net.add(METADATA, RESOLVER)
    lab.build(native.net.statements)
    a, b, c = (lab.ns(f"i-{name}") for name in "abc")
    with packets.sniffing(a, "eth0") as heard:
        packets.udp(c, c, "3fff:900::1", 99, patience=packets.SHORT)
        assert heard(packets.address("3fff:900::1"))
    assert link_local(port.mac) in packets.sh(lab.ns("vpc-1"), "ip", "-6", "neigh")
    client = packets.make(b, socket.SOCK_DGRAM, ip=B6)
    with lab.engine.listen(RESOLVER) as server, client:
        server.settimeout(packets.LONG)
        client.sendto(b"question", (RESOLVER.ip, 53))
        assert server.recvfrom(100)[1][0] == B6
    with lab.engine.listen(METADATA):
        assert packets.tcp(b, METADATA.ip, 80, patience=packets.LONG) == "open"


def test_it_outlives_the_daemon_and_goes(one_lab: Lab) -> None:
    native = Native()
    one_lab.build(native.net.statements)
    one_lab.adopt()
    one_lab.check("a b6 icmp pass\nc a6 icmp pass")
    gone = {each for each in one_lab.statements if native.one in vars_of(each)}
    one_lab.change(remove=gone)
    assert "s-one" not in packets.sh(one_lab.ns("vpc-1"), "ip", "link")


def vars_of(statement: object) -> set[object]:
    """A statement, what it holds, and what that holds."""
    names = getattr(statement, "__slots__", ())
    own = {getattr(statement, name) for name in names}
    return {statement, *own, *(getattr(each, "segment", None) for each in own)}
