"""The live tables of places, in the cloud's own names."""

from __future__ import annotations

import contextlib

import pytest

from gureum.engines import Row
from gureum.program import Blackhole, ViaUplink
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, Net, allow, internet

pytestmark = pytest.mark.kernel


@pytest.fixture
def cloud(one_lab: Lab) -> Lab:
    """A web server with a public address, a database behind a NAT gateway, in a switched subnet."""
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    b = net.segment("b", "10.0.2.0/24", mode="switch")
    net.group("sg-open", [allow()])
    gateway = net.gateway("1")
    net.instance("web", a, "10.0.1.10", "sg-open")
    net.instance("db", b, "10.0.2.20", "sg-open")
    net.public(gateway, "10.0.1.10", "198.18.0.1")
    net.public(gateway, "10.0.1.5", "198.18.0.5")
    net.route("a", ANY, ViaUplink(gateway))
    net.route("b", ANY, net.nat("1", a, "10.0.1.5"))
    net.route("b", "10.9.0.0/16", Blackhole("pcx-gone"))
    one_lab.build(net.statements, internet())
    return one_lab


def _only(rows: list[Row], **values: str | int) -> Row:
    found = [row for row in rows if values.items() <= row.items()]
    assert len(found) == 1, f"{values} in {rows}"
    return found[0]


def test_arp(cloud: Lab) -> None:
    cloud.check("db web icmp pass")
    rows = cloud.engine.tables("arp", "vpc-1")
    web = _only(rows, address="10.0.1.10")
    assert web == {
        "address": "10.0.1.10",
        "mac": "02:01:0a:00:01:0a",
        "link": "subnet-a",
        "state": "permanent",
        "interface": "eni-web",
    }
    assert _only(rows, link="igw-1", address="169.254.0.2")["state"] == "permanent"
    assert {row["link"] for row in cloud.engine.tables("arp", "subnet-b")} == {"subnet-b"}
    inside = _only(cloud.engine.tables("arp", "i-web"), address="10.0.1.1")
    assert (inside["link"], inside["mac"]) == ("eni-web", "02:01:00:00:01:01")


def test_mac(cloud: Lab) -> None:
    cloud.check("db web icmp pass")
    rows = cloud.engine.tables("mac", "subnet-a")
    web = _only(rows, mac="02:01:0a:00:01:0a")
    assert (web["kind"], web["link"], web["interface"]) == ("static", "eni-web", "eni-web")
    assert {row["segment"] for row in rows} == {"subnet-a"}
    learned = _only(cloud.engine.tables("mac", "subnet-b"), mac="02:01:0a:00:02:14")
    assert (learned["kind"], learned["link"]) == ("learned", "eni-db")
    assert int(learned["age"]) < 60
    both = {row["segment"] for row in cloud.engine.tables("mac", "vpc-1")}
    assert both == {"subnet-a", "subnet-b"}


def test_route(cloud: Lab) -> None:
    rows = cloud.engine.tables("route", "vpc-1")
    assert _only(rows, table="rtb-a", destination="0.0.0.0/0")["target"] == "igw-1"
    assert _only(rows, table="rtb-b", destination="0.0.0.0/0")["target"] == "eni-1"
    assert _only(rows, table="rtb-b", destination="10.0.0.0/16")["target"] == "local"
    assert _only(rows, table="rtb-b", destination="10.9.0.0/16")["target"] == "blackhole"
    assert _only(rows, table="main", destination="10.0.2.0/24")["target"] == "subnet-b"
    assert {row["table"] for row in cloud.engine.tables("route", "subnet-b")} == {"rtb-b"}
    inside = _only(cloud.engine.tables("route", "i-db"), destination="0.0.0.0/0")
    assert (inside["via"], inside["target"]) == ("10.0.2.1", "eni-db")
    assert cloud.engine.tables("route", "me")


def test_conntrack(cloud: Lab) -> None:
    with packets.connection(cloud.ns("i-db"), "10.0.1.10", cloud.ns("i-web"), 80):
        row = _only(cloud.engine.tables("conntrack", "vpc-1"), dport=80)
        assert row["state"] == "established"
        assert (row["protocol"], row["source"], row["destination"]) == (
            "tcp",
            "10.0.2.20",
            "10.0.1.10",
        )
        assert (row["source_interface"], row["destination_interface"]) == ("eni-db", "eni-web")
        _only(cloud.engine.tables("conntrack", "subnet-b"), dport=80)
    cloud.check("web me icmp pass")
    assert not [r for r in cloud.engine.tables("conntrack", "subnet-b") if r["protocol"] == "icmp"]
    _only(cloud.engine.tables("conntrack", "igw-1"), protocol="icmp", source="10.0.1.10")


def test_nat(cloud: Lab) -> None:
    pair = {
        "gateway": "igw-1",
        "public": "198.18.0.1",
        "private": "10.0.1.10",
        "interface": "eni-web",
    }
    assert cloud.engine.tables("nat", "i-web") == [pair]
    assert _only(cloud.engine.tables("nat", "vpc-1"), public="198.18.0.1") == pair
    assert len(cloud.engine.tables("nat", "igw-1")) == 2
    assert cloud.engine.tables("nat", "subnet-b") == []
    with packets.connection(cloud.ns("i-db"), "198.19.0.10", cloud.ns("me"), 80):
        rows = cloud.engine.tables("nat", "nat-1")
    flow = _only(rows, dport=80)
    assert (flow["private"], flow["translated"]) == ("10.0.2.20", "10.0.1.5")
    assert (flow["destination"], flow["interface"]) == ("198.19.0.10", "eni-db")
    assert _only(rows, public="198.18.0.5")["private"] == "10.0.1.5"


def test_an_unknown_place(cloud: Lab) -> None:
    with pytest.raises(LookupError, match="vpc-none"):
        cloud.engine.tables("arp", "vpc-none")


def test_sockets(cloud: Lab) -> None:
    with packets.listening(cloud.ns("i-web"), 8080):
        rows = cloud.engine.tables("socket", "i-web")
    waits = _only(rows, state="listening", port=8080)
    assert (waits["protocol"], waits["peer_port"]) == ("tcp", 0)
    assert cloud.engine.tables("socket", "i-db") == []


def test_a_port_with_many_connections(cloud: Lab) -> None:
    """Each has its own four numbers; who was not accepted yet waits, and only so many may."""
    server, ip = cloud.ns("i-web"), "10.0.1.10"
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(packets.listening(server, 8080))
        caller_ns = cloud.ns("i-db")
        callers = [stack.enter_context(packets.make(caller_ns)) for _ in range(3)]
        for caller in callers:
            caller.connect((ip, 8080))
        taken = stack.enter_context(listener.accept()[0])
        callers[0].sendall(b"12345")

        def rows() -> list[Row]:
            return [r for r in cloud.engine.tables("socket", "i-web") if r["port"] == 8080]

        assert packets.eventually(lambda: any(row["unread"] == 5 for row in rows()), packets.LONG)
        waits = _only(rows(), state="listening")
        assert (waits["waiting"], waits["backlog"], waits["unread"]) == (2, 64, "")
        talking = [row for row in rows() if row["state"] == "established"]
        assert {(r["address"], r["peer"], r["peer_port"]) for r in talking} == {
            (ip, *each.getsockname()) for each in callers
        }
        assert taken.recv(10) == b"12345"


def test_whether_a_host_passes_packets_on(cloud: Lab) -> None:
    assert not cloud.engine.forwards("i-web")
    packets.sh(cloud.ns("i-web"), "sysctl", "-qw", "net.ipv4.ip_forward=1")
    assert cloud.engine.forwards("i-web")
    with pytest.raises(LookupError):
        cloud.engine.forwards("i-nobody")
