"""Security groups on real packets."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from gureum.program import Filter, Member, Rule
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow

pytestmark = pytest.mark.kernel

TCP, UDP, ICMP = 6, 17, 1


def _two_subnets(net: Net) -> None:
    """Web, db and a stranger in one subnet, app in another."""
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group(
        "sg-web",
        [
            allow(protocol=TCP, ports=80, why="sgr-http"),
            allow("10.0.2.0/24", protocol=UDP, ports=(5000, 5010), why="sgr-udp"),
            allow("10.0.2.10/32", protocol=ICMP, why="sgr-ping"),
        ],
    )
    net.group("sg-db", [allow("sg-web", protocol=TCP, ports=5432, why="sgr-db")])
    net.group("sg-plain")
    net.instance("web", a, "10.0.1.10", "sg-web")
    net.instance("db", a, "10.0.1.20", "sg-db")
    net.instance("plain", a, "10.0.1.30", "sg-plain")
    net.instance("app", b, "10.0.2.10", "sg-plain")
    net.instance("far", b, "10.0.2.20", "sg-web")


def test_groups_inside_a_subnet_and_across(lab: Lab) -> None:
    net = Net()
    _two_subnets(net)
    lab.build(net.statements)
    lab.check("""
        plain web   tcp/80   pass   # in one subnet
        plain web   tcp/81   drop
        plain web   udp/5000 drop   # only from the other subnet
        plain web   icmp     drop
        app   web   tcp/80   pass   # across subnets
        app   web   tcp/443  drop
        app   web   udp/5000 pass
        app   web   udp/5010 pass
        app   web   udp/5011 drop
        app   web   icmp     pass
        far   web   icmp     drop   # not the /32
        web   db    tcp/5432 pass   # a reference, in one subnet
        far   db    tcp/5432 pass   # a reference, across
        plain db    tcp/5432 drop   # not a member
        app   db    tcp/5432 drop
        web   db    tcp/5433 drop
        web   db    icmp     drop
        web   plain tcp/80   drop   # a group without rules admits nothing
        app   plain icmp     drop
        web   10.0.1.1 icmp  drop   # the router answers nothing
        web   10.0.1.99 icmp drop   # nobody
    """)


def test_answers_of_admitted_flows_pass_whatever_the_rules_say(lab: Lab) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-client", leaving=[allow(protocol=TCP, ports=80)])
    net.group("sg-server", [allow(protocol=TCP, ports=80)], leaving=[])
    net.instance("client", a, "10.0.1.10", "sg-client")
    net.instance("server", a, "10.0.1.20", "sg-server")
    lab.build(net.statements)
    lab.check("""
        client server tcp/80 pass
        client server tcp/81 drop   # stopped where it leaves
        client server icmp   drop
        server client tcp/80 drop   # nothing may leave
        server client icmp   drop
    """)
    there, here = lab.ns("i-server"), lab.ns("i-client")
    with packets.connection(here, "10.0.1.20", there, 80) as (client, server, seen):
        assert seen == "10.0.1.10"
        assert packets.alive(client, server)
        assert packets.alive(server, client)


def test_members_come_and_go(lab: Lab) -> None:
    net = Net()
    _two_subnets(net)
    lab.build(net.statements)
    lab.change(add=[Member("vpc-1", "sg-web", "10.0.1.30")])
    lab.check("plain db tcp/5432 pass")
    lab.change(remove=[Member("vpc-1", "sg-web", "10.0.1.30")])
    lab.check("""
        plain db tcp/5432 drop
        web   db tcp/5432 pass
    """)


@pytest.mark.parametrize("target", ["10.0.1.20", "10.0.2.20"])
def test_a_tracked_flow_outlives_its_rule(lab: Lab, target: str) -> None:
    lab.build(_servers([allow("10.0.0.0/8", protocol=TCP, ports=80)]).statements)
    server_ns = lab.ns("i-near" if target == "10.0.1.20" else "i-far")
    with packets.connection(lab.ns("i-client"), target, server_ns, 80) as (client, server, _):
        lab.replace(_entering(lab), _with(_entering(lab), ()))
        assert packets.alive(client, server)
        assert packets.alive(server, client)
    assert packets.tcp(lab.ns("i-client"), target, 80, patience=packets.SHORT) == packets.TIMEOUT


@pytest.mark.parametrize("target", ["10.0.1.20", "10.0.2.20"])
def test_an_untracked_flow_ends_with_its_rule(lab: Lab, target: str) -> None:
    lab.build(_servers([allow(protocol=TCP, ports=80, untracked=True)]).statements)
    server_ns = lab.ns("i-near" if target == "10.0.1.20" else "i-far")
    with packets.connection(lab.ns("i-client"), target, server_ns, 80) as (client, server, _):
        assert packets.alive(client, server)
        assert packets.alive(server, client)
        lab.replace(_entering(lab), _with(_entering(lab), ()))
        assert not packets.alive(client, server, packets.SHORT)


def _servers(entering: Iterable[Rule]) -> Net:
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-client")
    net.group("sg-server", entering)
    net.instance("client", a, "10.0.1.10", "sg-client")
    net.instance("near", a, "10.0.1.20", "sg-server")
    net.instance("far", b, "10.0.2.20", "sg-server")
    return net


def _entering(lab: Lab) -> Filter:
    return next(s for s in lab.statements if isinstance(s, Filter) and s.id == "sg-server/in")


def _with(old: Filter, rules: tuple[Rule, ...]) -> Filter:
    return Filter(old.id, old.router, old.direction, old.stateful, rules, old.default)


def test_icmp_types_and_protocols_without_ports(lab: Lab) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-any")
    net.group("sg-echo", [allow(protocol=ICMP, icmp=(8, -1))])
    net.group("sg-echo-code", [allow(protocol=ICMP, icmp=(8, 1))])
    net.group("sg-all-tcp", [allow(protocol=TCP, ports=(0, 65535))])
    net.instance("src", a, "10.0.1.10", "sg-any")
    net.instance("echo", a, "10.0.1.20", "sg-echo")
    net.instance("code", a, "10.0.1.21", "sg-echo-code")
    net.instance("tcp", a, "10.0.1.22", "sg-all-tcp")
    lab.build(net.statements)
    lab.check("""
        src echo icmp      pass
        src echo udp/9     drop
        src code icmp      drop
        src tcp  tcp/1     pass
        src tcp  tcp/65535 pass
        src tcp  udp/1     drop
        src tcp  icmp      drop
    """)


def test_a_ping_error_of_an_admitted_flow_comes_back(lab: Lab) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-out-only", leaving=[allow(protocol=UDP)])
    net.group("sg-udp", [allow(protocol=UDP)], leaving=[])
    net.instance("src", a, "10.0.1.10", "sg-out-only")
    net.instance("dst", a, "10.0.1.20", "sg-udp")
    lab.build(net.statements)
    lab.check("src dst udp/33434 pass")
