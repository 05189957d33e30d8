"""The machine and its link to ``me``: it calls out, nobody calls in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from gureum.engines.linux.namespaces import Namespaces
from gureum.program import ViaUplink
from tests.kernel import packets
from tests.kernel.lab import DROP, PASS, Lab, verdict
from tests.kernel.networks import ANY, Net, allow, internet

pytestmark = pytest.mark.kernel

OWN = "203.0.113.1"


@pytest.fixture
def machine() -> Iterator[Path]:
    """A namespace that plays the machine: the real one may have a cloud already."""
    spaces = Namespaces(secrets.token_hex(2) + "m")
    spaces.create("machine")
    path = spaces.path("machine")
    packets.sh(path, "ip", "address", "add", f"{OWN}/32", "dev", "lo")
    yield path
    spaces.remove("machine")
    spaces.close()


@pytest.fixture
def joined(machine: Path) -> Iterator[Lab]:
    made = Lab("netfilter", host_link=True, machine=machine)
    yield made
    assert made.close() == []


def _build(lab: Lab) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-open", [allow()])
    gateway = net.gateway("1")
    net.instance("web", a, "10.0.1.10", "sg-open")
    net.public(gateway, "10.0.1.10", "198.18.0.1")
    net.route("a", ANY, ViaUplink(gateway))
    lab.build(net.statements, internet())


def test_the_machine_calls_out_and_is_not_called(joined: Lab, machine: Path) -> None:
    lab = joined
    _build(lab)
    assert verdict(machine, "198.18.0.1", "icmp", PASS) == PASS
    assert verdict(machine, "198.18.0.1", "tcp/80", PASS) == PASS
    assert verdict(machine, "198.19.0.20", "tcp/80", PASS) == PASS
    assert verdict(machine, "10.0.1.10", "icmp", DROP) == DROP
    lab.check(f"""
        web   169.254.77.1 icmp   drop
        web   169.254.77.1 tcp/22 drop
        web   169.254.77.2 icmp   drop
        web   {OWN}        icmp   drop
        web   {OWN}        tcp/22 drop
        other 169.254.77.1 icmp   drop
        other {OWN}        icmp   drop
        me    169.254.77.1 icmp   drop   # not even the user's own host on the internet
        me    169.254.77.1 tcp/22 drop
        web   me           icmp   pass
    """)
    with packets.connection(machine, "198.18.0.1", lab.ns("i-web"), 80) as (client, server, seen):
        assert seen == "198.19.0.10"  # the machine is me
        assert packets.alive(client, server)
        assert packets.alive(server, client)


def test_instances_do_not_reach_the_machine_by_any_address_of_it(joined: Lab) -> None:
    """Also not by a route of their own making: they hold CAP_NET_ADMIN at home."""
    lab = joined
    _build(lab)
    ns = lab.ns("i-web")
    for target in ("169.254.77.1", OWN):
        packets.sh(ns, "ip", "route", "replace", f"{target}/32", "via", "10.0.1.1")
        assert verdict(ns, target, "icmp", DROP) == DROP
        assert verdict(ns, target, "tcp/22", DROP) == DROP


def test_the_link_survives_and_is_repaired(joined: Lab, machine: Path) -> None:
    lab = joined
    _build(lab)
    lab.adopt()
    assert not lab.engine.drift(lab.statements)
    packets.sh(machine, "ip", "link", "delete", f"gu{lab.tag}")
    assert lab.engine.drift(lab.statements)
    lab.engine.sync(lab.statements)
    assert verdict(machine, "198.18.0.1", "icmp", PASS) == PASS
    lab.engine.sync(())
    assert f"gu{lab.tag}" not in packets.sh(machine, "ip", "link")
    assert "198.18" not in packets.sh(machine, "ip", "route")


def test_a_route_of_the_machine_is_not_taken_away(machine: Path) -> None:
    packets.sh(machine, "ip", "route", "add", "198.18.0.0/15", "dev", "lo")
    lab = Lab("netfilter", host_link=True, machine=machine)
    _build(lab)
    assert f"gu{lab.tag}" not in packets.sh(machine, "ip", "link")
    lab.check("me 198.18.0.1 icmp pass")
    assert lab.close() == []
    assert "198.18.0.0/15 dev lo" in packets.sh(machine, "ip", "route")
