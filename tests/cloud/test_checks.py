"""What a person tries first: ports, told apart with the rule that explains each, many clients at
one port, and the way there by three kinds of packets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel import packets
from tests.kernel.packets import listening

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ANY = "0.0.0.0/0"


@dataclass
class World:
    """An instance with a public address and one without, in a group that admits some things."""

    web: Guest
    db: Guest
    group: str


@pytest.fixture(scope="module")
def world(site: Site) -> World:
    rules = [
        ("tcp", 80, ANY),
        ("icmp", 8, ANY),
        *(("udp", port, ANY) for port in range(33434, 33440)),
    ]
    group = site.group("some", *rules)
    web, db = site.launch(site.public, group, public=True), site.launch(site.private, group)
    for guest, name in ((web, "web"), (db, "db")):
        site.ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    return World(web, db, group)


def check(daemon: Daemon, *args: str, status: int) -> dict[str, Any]:
    done = daemon.gureum("port", *args, "--json", "--timeout", "0.5" if status else "5")
    assert done.returncode == status, f"{done.stdout}{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("source", "target"), [("web", "db"), ("me", "web")])
def test_open_refused_and_filtered_each_with_its_rule(
    daemon: Daemon, world: World, source: str, target: str
) -> None:
    guest = world.db if target == "db" else world.web
    with listening(guest.ns, 80):
        found = check(daemon, source, target, "80", status=0)
    assert found["state"] == "open"
    because = found["explained"]["because"]
    assert any("let in by sgr-" in each["said"] for each in because)
    assert {each["way"] for each in because} == {"forth", "back"}
    found = check(daemon, source, target, "80", status=1)
    assert found["state"] == "refused"
    *rules, last = found["explained"]["because"]
    assert any("let in by sgr-" in each["said"] for each in rules)
    assert "nobody listens on tcp port 80" in last["said"]
    found = check(daemon, source, target, "81", status=1)
    assert found["state"] == "filtered"
    (block,) = found["explained"]["because"]
    assert (block["passed"], block["code"]) == (False, "ENI_SG_RULES_MISMATCH")
    assert f"sg:{world.group}" in block["by"]


def test_what_the_rules_do_not_explain_is_said(daemon: Daemon, world: World) -> None:
    """A program that listens and does not accept: the network is not to blame."""
    with listening(world.db.ns, 80) as server:
        server.listen(0)
        done = daemon.gureum("port", "web", "db", "80", "--count", "4", "--timeout", "0.4")
    assert done.returncode == 1
    assert "filtered" in done.stdout
    assert "That is not what the rules say" in done.stderr


def test_many_clients_at_one_port(daemon: Daemon, world: World) -> None:
    with listening(world.db.ns, 80):
        found = check(daemon, "web", "db", "80", "--clients", "40", status=0)
        text = daemon.gureum("port", "web", "db", "80", "--clients", "3").stdout
    waits = [row for row in found["server"] if row["state"] == "listening"]
    talking = [row for row in found["server"] if row["state"] == "established"]
    assert [(row["waiting"], row["backlog"]) for row in waits] == [(40, 64)]
    at_server = {(row["peer"], row["peer_port"], row["address"], row["port"]) for row in talking}
    assert at_server == {tuple(each) for each in found["connections"]}
    assert len(at_server) == 40
    assert "clients: 3 open" in text
    assert f"<- {world.web.ip}:" in text
    assert daemon.gureum("port", "web", "db", "80", "--clients", "3", "--udp").returncode == 2


@pytest.mark.parametrize("probe", [("-I",), ("-U",), ("-T", "-p", "80")])
def test_the_way_by_three_kinds_of_packets(
    daemon: Daemon, world: World, probe: tuple[str, ...]
) -> None:
    for source, target, last in (
        ("web", "db", world.db.ip),
        ("mirror", "web", world.web.public_ip),
    ):
        done = daemon.gureum("trace", source, target, *probe, "-m", "6", "--json")
        found = json.loads(done.stdout)
        assert found["reached"], done.stdout
        assert found["hops"][-1]["address"] == last


def test_why_a_way_ends_is_told(daemon: Daemon, world: World) -> None:
    done = daemon.gureum("trace", "web", "db", "-T", "-p", "81", "-m", "2", "-w", "0.5")
    assert done.returncode == 1
    assert "on the way there: not let in: no rule admits tcp" in done.stderr
    assert world.group in done.stderr


def test_a_watched_table_shows_what_a_packet_changes(daemon: Daemon, world: World) -> None:
    call = [sys.executable, "-m", "gureum", "--state", str(daemon.state)]
    call += ["table", "conntrack", world.web.site.vpc, "--watch", "-i", "0.1", "--json"]
    with subprocess.Popen(
        call, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert "rows" in json.loads(process.stdout.readline())
            assert packets.ping(world.web.ns, world.db.ip) == "reply"
            came = json.loads(process.stdout.readline())
            while came["row"]["protocol"] != "icmp":
                came = json.loads(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=packets.LONG)
        finally:
            process.kill()
    assert (process.returncode, error) == (0, "")
    assert came["change"] == "added"
    assert (came["row"]["source"], came["row"]["destination"]) == (world.web.ip, world.db.ip)
    assert came["row"]["state"] == "answered"
