"""Network ACLs on real packets."""

from __future__ import annotations

import pytest

from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow

pytestmark = pytest.mark.kernel

TCP, UDP, ICMP = 6, 17, 1
EPHEMERAL = (1024, 65535)


def _net(net: Net) -> None:
    """An open subnet with a client, and one behind an ACL with two servers."""
    a = net.segment("a", "10.0.1.0/24")
    b = net.segment("b", "10.0.2.0/24", acl="acl-b")
    net.group("sg-open", [allow()])
    net.instance("client", a, "10.0.1.10", "sg-open")
    net.instance("other", a, "10.0.1.11", "sg-open")
    net.instance("server", b, "10.0.2.10", "sg-open")
    net.instance("beside", b, "10.0.2.11", "sg-open")


def test_first_match_decides(lab: Lab) -> None:
    net = Net()
    _net(net)
    net.acl(
        "acl-b",
        [
            allow("10.0.1.11/32", protocol=TCP, ports=80, deny=True, why="acl-b/90"),
            allow("10.0.1.0/24", protocol=TCP, ports=80, why="acl-b/100"),
            allow("10.0.1.0/24", protocol=TCP, ports=(0, 100), deny=True, why="acl-b/110"),
            allow("10.0.0.0/16", protocol=TCP, why="acl-b/120"),
            allow(protocol=ICMP, icmp=(8, 0), why="acl-b/130"),
        ],
        [allow(why="acl-b/100")],
    )
    lab.build(net.statements)
    lab.check("""
        client server tcp/80  pass
        other  server tcp/80  drop   # denied before it is allowed
        client server tcp/81  drop   # denied before a wider allow
        client server tcp/101 pass
        other  server tcp/101 pass
        client server udp/80  drop   # the last line
        client server icmp    pass
        server client icmp    drop   # the answer is no echo request: nothing is remembered
        server client tcp/80  pass
    """)


def test_answers_need_the_ephemeral_ports(lab: Lab) -> None:
    net = Net()
    _net(net)
    http_in, http_out = allow(protocol=TCP, ports=80), allow(protocol=TCP, ports=EPHEMERAL)
    net.acl("acl-b", [http_in], [])
    lab.build(net.statements)
    lab.check("client server tcp/80 drop   # it arrives, and no answer leaves")
    old = net.filter("acl-b", "out", [], stateful=False)
    lab.replace(old, net.filter("acl-b", "out", [http_out], stateful=False))
    lab.check("""
        client server tcp/80   pass
        client server tcp/81   drop
        server client tcp/80   drop   # port 80 may not leave
        server client tcp/8080 drop   # it leaves, and no answer comes in
    """)


def test_inside_a_subnet_no_acl_applies(lab: Lab) -> None:
    net = Net()
    _net(net)
    net.acl("acl-b", [], [])
    lab.build(net.statements)
    lab.check("""
        server beside tcp/80 pass
        server beside icmp   pass
        client server icmp   drop
        server client icmp   drop
    """)


def test_an_acl_is_judged_again_for_every_packet(lab: Lab) -> None:
    from tests.kernel import packets

    net = Net()
    _net(net)
    net.acl("acl-b", [allow()], [allow()])
    lab.build(net.statements)
    with packets.connection(lab.ns("i-client"), "10.0.2.10", lab.ns("i-server"), 80) as (
        client,
        server,
        _,
    ):
        assert packets.alive(client, server)
        closed = net.filter("acl-b", "in", [], stateful=False)
        lab.replace(net.filter("acl-b", "in", [allow()], stateful=False), closed)
        assert not packets.alive(client, server, packets.SHORT)
