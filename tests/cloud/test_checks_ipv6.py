"""Checks over IPv6: ports with the rule that explains each, many clients at one, the way there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cloud.site import Guest
from tests.cloud.test_checks import check
from tests.cloud.test_ipv6 import ANY, ME, Dual, ipv6
from tests.daemon import Daemon
from tests.kernel.packets import listening

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]


@dataclass
class World:
    """An instance behind an internet gateway, and one behind an egress-only one."""

    dual: Dual
    web: Guest
    db: Guest


@pytest.fixture(scope="module")
def world(daemon: Daemon) -> World:
    dual = Dual(daemon)
    group = dual.db.show()["SecurityGroups"][0]["GroupId"]
    high = {"IpProtocol": "udp", "FromPort": 33434, "ToPort": 33440}
    high["Ipv6Ranges"] = [{"CidrIpv6": ANY}]
    dual.site.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[high])
    for name, guest in (("web", dual.web), ("db", dual.db)):
        dual.site.ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    return World(dual, dual.web, dual.db)


def test_open_refused_and_filtered_each_with_its_rule(daemon: Daemon, world: World) -> None:
    with listening(world.web.ns, 80, ANY):
        found = check(daemon, "-6", "me", "web", "80", status=0)
    assert (found["state"], found["address"]) == ("open", ipv6(world.web))
    assert any("let in by sgr-" in each["said"] for each in found["explained"]["because"])
    refused = check(daemon, "me", ipv6(world.web), "80", status=1)
    assert refused["state"] == "refused"
    assert "nobody listens on tcp port 80" in refused["explained"]["because"][-1]["said"]
    filtered = check(daemon, "-6", "web", "db", "81", status=1)
    assert filtered["state"] == "filtered"
    (block,) = filtered["explained"]["because"]
    assert (block["passed"], block["code"]) == (False, "ENI_SG_RULES_MISMATCH")


def test_many_clients_at_one_port(daemon: Daemon, world: World) -> None:
    with listening(world.db.ns, 3306, ANY):
        found = check(daemon, "-6", "web", "db", "3306", "--clients", "20", status=0)
        text = daemon.gureum("port", "-6", "web", "db", "3306", "--count", "2").stdout
    talking = [row for row in found["server"] if row["state"] == "established"]
    at_server = {(row["peer"], row["peer_port"], row["address"], row["port"]) for row in talking}
    assert at_server == {tuple(each) for each in found["connections"]}
    assert len(at_server) == 20
    assert f"-> [{ipv6(world.db)}]:3306" in text
    assert "2 distinct 4-tuples" in text


@pytest.mark.parametrize("probe", [("-I",), ("-U",), ("-T", "-p", "3306")])
def test_the_way_by_three_kinds_of_packets(
    daemon: Daemon, world: World, probe: tuple[str, ...]
) -> None:
    for source, target, last, hops in (("web", "db", ipv6(world.db), 2), ("db", "me", ME, 4)):
        found = trace(daemon, source, target, *probe)
        assert found["reached"], found
        assert found["hops"][-1]["address"] == last
        assert len(found["hops"]) == hops
    assert [each["name"] for each in found["hops"][1:]] == [
        "internet gateway", "the internet's router", "me",
    ]  # fmt: skip


def trace(daemon: Daemon, *args: str) -> dict[str, Any]:
    done = daemon.gureum("trace", "-6", *args, "-m", "6", "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_ping(daemon: Daemon, world: World) -> None:
    done = daemon.gureum("ping", "-6", "web", "db", "-c", "1", "--json")
    found = json.loads(done.stdout)
    assert (found["received"], found["address"]) == (1, ipv6(world.db))
    assert daemon.gureum("ping", "-6", "web", "stranger", "-c", "1").returncode == 0
