"""Internet gateways and NAT gateways on real packets."""

from __future__ import annotations

import socket

import pytest

from gureum.program import PublicAddress, Translator, ViaUplink
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, Net, allow, internet

pytestmark = pytest.mark.kernel

TCP, UDP, ICMP = 6, 17, 1


def _public_subnet(net: Net) -> str:
    """Two instances with public addresses and one without."""
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-web", [allow(protocol=TCP, ports=80), allow("sg-web", protocol=ICMP)])
    net.group("sg-ping", [allow("198.18.0.1/32", protocol=ICMP)])
    gateway = net.gateway("1")
    net.instance("web", a, "10.0.1.10", "sg-web")
    net.instance("web2", a, "10.0.1.20", "sg-web")
    net.instance("ping", a, "10.0.1.30", "sg-ping")
    net.instance("bare", a, "10.0.1.40", "sg-web")
    net.public(gateway, "10.0.1.10", "198.18.0.1")
    net.public(gateway, "10.0.1.20", "198.18.0.2")
    net.public(gateway, "10.0.1.30", "198.18.0.3")
    net.route("a", ANY, ViaUplink(gateway))
    return gateway


def test_an_internet_gateway_translates_one_to_one(lab: Lab) -> None:
    net = Net()
    _public_subnet(net)
    lab.build(net.statements, internet())
    lab.check("""
        web   me         tcp/80 pass
        web   me         icmp   pass
        web   other      udp/53 pass
        bare  me         icmp   drop   # no public address, no passage
        bare  me         tcp/80 drop
        me    198.18.0.1 tcp/80 pass
        me    198.18.0.1 tcp/81 drop   # the group
        me    198.18.0.1 icmp   drop
        me    198.18.0.9 tcp/80 drop   # nobody's
        me    10.0.1.10  tcp/80 drop   # a private address is not on the internet
        web   10.99.0.1  icmp   drop
        web   172.16.0.1 icmp   drop
        web   192.168.0.1 icmp  drop
        me    other      icmp   pass
        me    100.64.0.1 icmp   drop   # the boxes in between answer nothing
        web   100.64.0.1 icmp   drop
        web   100.64.0.2 icmp   drop
        web   169.254.0.2 icmp  drop
    """)
    with packets.connection(lab.ns("i-web"), "198.19.0.10", lab.ns("me"), 80) as (_, _, seen):
        assert seen == "198.18.0.1"
    with packets.connection(lab.ns("me"), "198.18.0.1", lab.ns("i-web"), 80) as (_, server, seen):
        assert seen == "198.19.0.10"
        assert server.getsockname()[0] == "10.0.1.10"


def test_private_destinations_die_in_the_gateway(lab: Lab) -> None:
    net = Net()
    _public_subnet(net)
    lab.build(net.statements, internet())
    with packets.sniffing(lab.ns("internet"), "g-1") as saw:
        lab.check("web 10.99.0.1 icmp drop")
        assert not saw(packets.address("10.99.0.1"), packets.SHORT)


def test_a_neighbour_by_its_public_address(lab: Lab) -> None:
    """The packet goes to the gateway and back and is no member of any group any more."""
    net = Net()
    _public_subnet(net)
    lab.build(net.statements, internet())
    lab.check("""
        web  10.0.1.20  icmp   pass   # by reference
        web  198.18.0.2 icmp   drop   # the reference is lost
        web  198.18.0.2 tcp/80 pass
        web  198.18.0.3 icmp   pass   # admitted by public address
        web2 198.18.0.3 icmp   drop
        web  10.0.1.30  icmp   drop   # which is another than the private one
        bare 198.18.0.2 tcp/80 drop
        web  198.18.0.1 tcp/80 pass   # itself
    """)
    with packets.connection(lab.ns("i-web"), "198.18.0.2", lab.ns("i-web2"), 80) as (_, _, seen):
        assert seen == "198.18.0.1"


def test_a_revoked_public_address_ends_its_flows(lab: Lab) -> None:
    net = Net()
    gateway = _public_subnet(net)
    lab.build(net.statements, internet())
    pair = PublicAddress(gateway, "vpc-1", "10.0.1.10", "198.18.0.1")
    with (
        packets.connection(lab.ns("me"), "198.18.0.1", lab.ns("i-web"), 80) as (outer, inner, _),
        packets.connection(lab.ns("i-web"), "198.19.0.20", lab.ns("other"), 80) as (near, far, _),
    ):
        assert packets.alive(outer, inner)
        assert packets.alive(near, far)
        lab.change(remove=[pair])
        for sender, receiver in ((outer, inner), (inner, outer), (near, far), (far, near)):
            assert not packets.alive(sender, receiver, packets.SHORT)
    lab.check("""
        web me         icmp   drop
        me  198.18.0.1 tcp/80 drop
        me  198.18.0.2 tcp/80 pass
    """)


def test_a_public_address_moves(lab: Lab) -> None:
    net = Net()
    gateway = _public_subnet(net)
    lab.build(net.statements, internet())
    old = PublicAddress(gateway, "vpc-1", "10.0.1.20", "198.18.0.2")
    lab.replace(old, PublicAddress(gateway, "vpc-1", "10.0.1.40", "198.18.0.2"))
    assert not packets.udp(  # the group
        lab.ns("me"), lab.ns("i-bare"), "198.18.0.2", 80, patience=packets.SHORT
    )
    with packets.connection(lab.ns("me"), "198.18.0.2", lab.ns("i-bare"), 80) as (_, inner, _):
        assert inner.getsockname()[0] == "10.0.1.40"
    lab.check("""
        bare me icmp pass
        web2 me icmp drop
    """)


def test_a_stream_follows_its_public_address(lab: Lab) -> None:
    """One that never pauses, from one port to one port, goes to the new owner, too."""
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-open", [allow()])
    gateway = net.gateway("1")
    net.instance("old", a, "10.0.1.10", "sg-open")
    net.instance("new", a, "10.0.1.20", "sg-open")
    pair = net.public(gateway, "10.0.1.10", "198.18.0.1")
    net.route("a", ANY, ViaUplink(gateway))
    lab.build(net.statements, internet())
    with (
        packets.make(lab.ns("me"), socket.SOCK_DGRAM) as sender,
        packets.make(lab.ns("i-old"), socket.SOCK_DGRAM) as old,
        packets.make(lab.ns("i-new"), socket.SOCK_DGRAM) as new,
    ):
        for receiver in (old, new):
            receiver.bind(("0.0.0.0", 7000))
        sender.sendto(b"1", ("198.18.0.1", 7000))
        assert old.recv(8) == b"1"
        lab.replace(pair, PublicAddress(gateway, "vpc-1", "10.0.1.20", "198.18.0.1"))
        sender.sendto(b"2", ("198.18.0.1", 7000))
        assert new.recv(8) == b"2"


def _nat_gateway(net: Net) -> None:
    """A private subnet whose way out is a NAT gateway in a public one with an ACL of its own."""
    a = net.segment("a", "10.0.1.0/24", acl="acl-a")
    b = net.segment("b", "10.0.2.0/24")
    closed = allow(protocol=TCP, ports=81, deny=True, why="acl-a/50")
    net.acl("acl-a", [allow(why="acl-a/100")], [closed, allow(why="acl-a/100")])
    net.group("sg-open", [allow()])
    gateway = net.gateway("1")
    target = net.nat("1", a, "10.0.1.5")
    net.public(gateway, "10.0.1.5", "198.18.0.5")
    net.instance("inner", b, "10.0.2.10", "sg-open")
    net.instance("inner2", b, "10.0.2.11", "sg-open")
    net.instance("beside", a, "10.0.1.10", "sg-open")
    net.route("a", ANY, ViaUplink(gateway))
    net.route("b", ANY, target)


def test_a_nat_gateway(lab: Lab) -> None:
    net = Net()
    _nat_gateway(net)
    lab.build(net.statements, internet())
    lab.check("""
        inner  me         tcp/80 pass
        inner2 me         tcp/80 pass
        inner  other      udp/53 pass
        inner  other      icmp   pass
        inner  me         tcp/81 drop   # the ACL of the gateway's subnet
        me     198.18.0.5 icmp   drop   # no ping
        me     198.18.0.5 tcp/80 drop   # nothing new comes in
        me     198.18.0.5 udp/80 drop
        inner  10.0.1.5   icmp   drop   # it answers nothing inside either
        inner  beside     icmp   pass
        beside me         icmp   drop   # its own subnet's default route is the gateway
    """)
    mirror = lab.ns("me")
    with (
        packets.connection(lab.ns("i-inner"), "198.19.0.10", mirror, 80) as (client, server, seen),
        packets.connection(lab.ns("i-inner2"), "198.19.0.10", mirror, 82) as (_, _, also),
    ):
        assert (seen, also) == ("198.18.0.5", "198.18.0.5")
        assert packets.alive(client, server)
        assert packets.alive(server, client)
        assert server.getpeername()[1] >= 1024
    path = packets.hops(lab.ns("i-inner"), "198.19.0.10", patience=1)
    assert path[0] == "10.0.2.1"
    assert path[-1] == "198.19.0.10"


def test_a_nat_gateway_is_used_by_route_only(lab: Lab) -> None:
    """A neighbour that sends its packets straight to the gateway's link address gets nowhere."""
    net = Net()
    _nat_gateway(net)
    lab.build(net.statements, internet())
    packets.sh(lab.ns("i-beside"), "ip", "route", "replace", "default", "via", "10.0.1.5")
    lab.check("beside me icmp drop")


def test_a_nat_gateway_passes_fragments_of_udp_only(lab: Lab) -> None:
    net = Net()
    _nat_gateway(net)
    lab.build(net.statements, internet())
    assert packets.udp(lab.ns("i-inner"), lab.ns("me"), "198.19.0.10", 7000, size=20000)
    assert (
        packets.ping(lab.ns("i-inner"), "198.19.0.10", size=20000, patience=packets.SHORT)
        == packets.TIMEOUT
    )
    assert packets.ping(lab.ns("i-inner"), "198.19.0.10", size=1000) == "reply"


def test_without_its_public_address_a_nat_gateway_leads_nowhere(lab: Lab) -> None:
    net = Net()
    _nat_gateway(net)
    lab.build(net.statements, internet())
    with packets.connection(lab.ns("i-inner"), "198.19.0.10", lab.ns("me"), 80) as (
        client,
        server,
        _,
    ):
        lab.change(remove=[PublicAddress("igw-1", "vpc-1", "10.0.1.5", "198.18.0.5")])
        assert not packets.alive(client, server, packets.SHORT)
    lab.check("""
        inner me     icmp drop
        inner beside icmp pass
    """)


def test_addresses_of_a_nat_gateway_share_source_ports(lab: Lab) -> None:
    """Each address has its share of the source ports of TCP and UDP, as the statement says, and
    answers come back by each; all other traffic has the first one."""
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-none")
    net.instance("db", b, "10.0.2.20", "sg-none")
    gateway = net.gateway("1")
    net.route("b", ANY, net.nat("1", a, "10.0.1.5", "10.0.1.6", "10.0.1.7"))
    net.route("a", ANY, ViaUplink(gateway))
    for number in (5, 6, 7):
        net.public(gateway, f"10.0.1.{number}", f"198.18.0.{number}")
    lab.build(net.statements, internet())
    (nat,) = (each for each in lab.statements if isinstance(each, Translator))
    seen: dict[int, str] = {}
    with packets.listening(lab.ns("me"), 80) as listener:
        for port in range(40000, 40008):
            with packets.make(lab.ns("i-db")) as client:
                client.bind(("", port))
                client.connect(("198.19.0.10", 80))
                server, (seen[port], _) = listener.accept()
                with server:
                    assert packets.alive(server, client)
    wanted = {port: nat.address_for(TCP, port).replace("10.0.1.", "198.18.0.") for port in seen}
    assert seen == wanted
    assert set(seen.values()) == {"198.18.0.5", "198.18.0.6", "198.18.0.7"}
    lab.check("""
        db  me          icmp   pass
        db  other       udp/53 pass
        me  198.18.0.6  tcp/80 drop
    """)
    assert not lab.engine.drift(lab.statements)
