"""Exchanges of running instances, told frame by frame: what is told is what was captured."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.site import Guest, Site
from tests.cloud.test_live import readers
from tests.daemon import Daemon
from tests.kernel.packets import listening, sh

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ANY = "0.0.0.0/0"


@dataclass
class World:
    """Two instances of one subnet, and one behind a NAT gateway."""

    site: Site
    web: Guest
    twin: Guest
    private: Guest
    nat: str
    group: str


@pytest.fixture(scope="module")
def world(site: Site) -> World:
    ec2 = site.ec2
    ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsHostnames={"Value": True})
    group = site.group("all", ("tcp", 80, ANY), ("icmp", 8, ANY))
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=site.public, AllocationId=address)
    nat = str(made["NatGateway"]["NatGatewayId"])
    waiter = ec2.get_waiter("nat_gateway_available")
    waiter.wait(NatGatewayIds=[nat], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    table = site.table(site.private)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, NatGatewayId=nat)
    guests = {
        "web": site.launch(site.public, group, public=True),
        "twin": site.launch(site.public, group),
        "private": site.launch(site.private, group),
    }
    for name, guest in guests.items():
        ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    return World(site, nat=nat, group=group, **guests)


@pytest.fixture(autouse=True)
def leaves_nothing(daemon: Daemon) -> Iterator[None]:
    yield
    assert readers(daemon) == []


def story(daemon: Daemon, *args: str) -> dict[str, Any]:
    done = daemon.gureum("story", *args, "--json")
    assert done.returncode == 0, f"{done.stderr}\n{daemon.log()}"
    found: dict[str, Any] = json.loads(done.stdout)
    assert [each["number"] for each in found["frames"]] == [*range(1, len(found["frames"]) + 1)]
    assert [each["at"] for each in found["frames"]] == sorted(
        each["at"] for each in found["frames"]
    )
    return found


def way(found: dict[str, Any], word: str) -> list[dict[str, Any]]:
    """The frames of which one says a word."""
    return [each for each in found["frames"] if word in each["said"]]


def places(frames: list[dict[str, Any]]) -> list[str]:
    """Whom the frames of one packet pass, in their order; each link begins where the last ended."""
    for one, next_ in itertools.pairwise(frames):
        assert one["to"] == next_["from"]
    return [frames[0]["from"], *(each["to"] for each in frames)]


def test_a_ping_after_an_empty_arp_cache(daemon: Daemon, world: World) -> None:
    web, private, router = world.web, world.private, world.site.vpc
    found = story(daemon, "web", "private")
    assert found["talks"][0]["said"] == f"{private.ip} answered"
    asks, told, *rest = found["frames"]
    assert asks["said"] == f"ARP who has 10.0.1.1? tell {web.ip}"
    assert asks["frame"][1] == "ff:ff:ff:ff:ff:ff"
    assert (told["from"], told["to"]) == (router, web.id)
    assert told["changed"] == [f"{web.id}: + arp 10.0.1.1 is at {told['frame'][0]} (reachable)"]
    assert [each["layers"][1]["protocol"] for each in rest] == ["IPv4"] * 2 + ["ARP"] * 2 + [
        "IPv4"
    ] * 2
    forth, back = way(found, "echo request"), way(found, "echo reply")
    assert places(forth) == [web.id, router, private.id]
    assert places(back) == [private.id, router, web.id]
    assert [each["ttl"] for each in forth + back] == [64, 63, 64, 63]
    first, second = forth
    assert first["frame"][1] == told["frame"][0], "to whom ARP has named"
    assert set(first["frame"]).isdisjoint(second["frame"]), "the router writes both MACs anew"
    assert second["acts"][0].startswith("layer 3: routes it: time to live 64 -> 63")
    text = "\n".join(second["used"])
    for rule in ("security group: let out by sgr-", "network ACL", "(rtb-", "let in by sgr-"):
        assert rule in text
    assert any("+ conntrack icmp" in line for line in first["changed"])
    assert second["ends"].startswith("layer 4, own addresses")
    again = story(daemon, "web", "private")
    assert again["frames"][0]["said"] == asks["said"], "both forget whom they have asked for"


def test_a_name_and_a_page_by_way_of_nat(daemon: Daemon, world: World) -> None:
    mirror = daemon.netns("host-mirror")
    with listening(mirror, 80) as server:
        answering = threading.Thread(target=answer_one, args=(server,))
        answering.start()
        found = story(daemon, "private", "mirror", "http")
        answering.join(5)
    site = world.site
    assert [each["said"] for each in found["talks"]] == [
        "mirror.internet.test is 198.19.0.20",
        "the answer is 'HTTP/1.1 204 No Content'",
    ]
    (query,) = way(found, "DNS query")
    assert (query["from"], query["to"]) == (world.private.id, site.vpc)
    assert "resolver" in query["ends"]
    syn = way(found, "[SYN]")
    assert places(syn) == [
        world.private.id, site.vpc, world.nat, site.vpc, site.gateway, "internet", "mirror",
    ]  # fmt: skip
    assert [each["ttl"] for each in syn] == [64, 63, 62, 61, 60, 59]
    rewritten = [line for each in syn for line in each["acts"] if "translates" in line]
    assert len(rewritten) == 2
    assert f"the source: {world.private.ip}:" in rewritten[0]
    assert any(f"{world.nat}: + conntrack tcp" in line for each in syn for line in each["changed"])
    answers = way(found, "[SYN,ACK]")
    assert places(answers) == places(syn)[::-1]
    assert [line for each in answers for line in each["acts"] if "the destination" in line]
    assert len(way(found, "HTTP GET / HTTP/1.1")) == len(way(found, "204 No Content")) == 6
    assert way(found, "FIN"), "to the end of the connection"


def answer_one(server: Any) -> None:
    taken, _ = server.accept()
    with taken:
        taken.recv(1000)
        taken.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_what_stops_a_packet_is_told_where_it_ends(daemon: Daemon, world: World) -> None:
    found = story(daemon, "me", "web", "81")
    assert found["talks"][0]["said"] == "nobody answered"
    last = way(found, "[SYN]")[2]
    assert (last["from"], last["to"]) == (world.site.gateway, world.site.vpc)
    assert "STOPPED by security group" in last["ends"]
    assert world.group in last["ends"]
    refused = story(daemon, "web", "twin", "80")
    assert refused["talks"][0]["said"].startswith("it was refused")
    assert [each["from"] for each in way(refused, "RST")] == [world.twin.id, world.site.vpc]


def test_a_switch_learns_and_a_bystander_hears_the_question(daemon: Daemon, world: World) -> None:
    site = world.site
    try:
        assert daemon.gureum("segment", site.public, "switch").returncode == 0
        _forget_stations(daemon.netns(site.vpc))
        found = story(daemon, "web", "twin")
    finally:
        daemon.gureum("segment", site.public, "fabric")
    asks = way(found, "ARP who has")
    assert {each["to"] for each in asks} == {site.vpc, world.twin.id, None}, "it is flooded"
    learned = [line for each in found["frames"] for line in each["changed"] if "+ mac" in line]
    assert len(learned) == 2
    (request, passed) = way(found, "echo request")
    assert passed["frame"] == request["frame"]
    assert passed["acts"] == [f"layer 2: switches it, unchanged, towards {request['frame'][1]}"]


def _forget_stations(router: Path) -> None:
    for line in sh(router, "bridge", "fdb", "show").splitlines():
        words = line.split()
        if "master" in words and not {"permanent", "static"} & set(words):
            sh(router, "bridge", "fdb", "del", words[0], "dev", words[2], "master")


def test_for_people(daemon: Daemon, world: World) -> None:
    done = daemon.gureum("story", "web", "private")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"ping {world.private.ip}: {world.private.ip} answered"
    assert lines[2].startswith("  1        0.0 µs  web -> ")
    assert any(line.startswith("     web now has: + arp 10.0.1.1 is at") for line in lines)


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (("web", "nobody"), 4, "No place is called 'nobody'"),
        (("web", "twin", "sctp/9"), 2, "is none of icmp, 443"),
        (("203.0.113.5", "web"), 1, "nothing can be sent from it"),
    ],
)
def test_refusals(
    daemon: Daemon, world: World, args: tuple[str, ...], status: int, says: str
) -> None:
    done = daemon.gureum("story", *args)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
