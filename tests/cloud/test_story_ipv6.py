"""Exchanges over IPv6, told frame by frame: what is told is what was captured."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cloud.site import Guest, Site
from tests.cloud.test_ipv6 import ANY, ME, Dual, ipv6
from tests.cloud.test_live import readers
from tests.cloud.test_story import answer_one, places, story, way
from tests.daemon import Daemon
from tests.kernel.packets import listening

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ROUTER = "fe80::1"


@dataclass
class World:
    """Two instances of one subnet, and one behind an egress-only gateway."""

    site: Site
    only_out: str
    web: Guest
    twin: Guest
    db: Guest


@pytest.fixture(scope="module")
def world(daemon: Daemon) -> World:
    dual = Dual(daemon)
    site = dual.site
    group = dual.web.show()["SecurityGroups"][0]["GroupId"]
    ping = {"IpProtocol": "icmpv6", "FromPort": 128, "ToPort": -1}
    ping["Ipv6Ranges"] = [{"CidrIpv6": ANY}]
    site.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ping])
    guests = {"web": dual.web, "twin": site.launch(site.public, group), "db": dual.db}
    for name, guest in guests.items():
        site.ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    return World(site, dual.only_out, **guests)


@pytest.fixture(autouse=True)
def leaves_nothing(daemon: Daemon) -> Iterator[None]:
    yield
    assert readers(daemon) == []


def test_a_ping_asks_for_the_router_as_a_neighbour(daemon: Daemon, world: World) -> None:
    web, db, router = world.web, world.db, world.site.vpc
    found = story(daemon, "-6", "web", "db")
    assert found["talks"][0]["said"] == f"{ipv6(db)} answered"
    asks, told = found["frames"][:2]
    assert asks["said"].endswith(f"ICMPv6 neighbour solicitation {ROUTER}")
    assert asks["frame"][1] == "33:33:ff:00:00:01", "the multicast group of that address"
    assert told["said"].endswith(f"ICMPv6 neighbour advertisement {ROUTER}")
    assert told["changed"] == [
        f"{web.id}: + neighbour {ROUTER} is at {told['frame'][0]} (reachable)"
    ]
    forth, back = way(found, "echo request"), way(found, "echo reply")
    assert places(forth) == [web.id, router, db.id]
    assert places(back) == [db.id, router, web.id]
    assert [each["ttl"] for each in forth + back] == [64, 63, 64, 63]
    first, second = forth
    assert first["frame"][1] == told["frame"][0], "whom the advertisement has named"
    assert second["acts"][0].startswith("layer 3: routes it: hop limit 64 -> 63")
    text = "\n".join(first["used"] + second["used"])
    for rule in (f"neighbour table: next hop: the router {ROUTER}", "let out by sgr-", "::/0",
                 "(rtb-", "let in by sgr-"):  # fmt: skip
        assert rule in text
    assert any("+ conntrack icmpv6" in line for line in first["changed"])
    again = story(daemon, "web", ipv6(db))
    assert again["frames"][0]["said"] == asks["said"], "forgotten again; an address needs no -6"


def test_inside_a_subnet_the_fabric_asks_the_one_that_is_meant(
    daemon: Daemon, world: World
) -> None:
    web, twin = world.web, world.twin
    found = story(daemon, "-6", "web", "twin")
    asks = way(found, f"neighbour solicitation {ipv6(twin)}")
    assert places(asks) == [web.id, world.site.vpc, twin.id]
    mac = way(found, "echo request")[0]["frame"][1]
    (act,) = asks[1]["acts"]
    assert act.startswith("layer 2: switches it, to the one that is meant: MAC 33:33:ff:")
    assert act.endswith(f"-> {mac}")
    tells = way(found, f"neighbour advertisement {ipv6(twin)}")
    assert any(f"+ neighbour {ipv6(twin)} is at {mac}" in line for line in tells[-1]["changed"])
    (request, passed) = way(found, "echo request")
    assert passed["frame"] == request["frame"]
    assert {each["ttl"] for each in (request, passed)} == {64}


def test_a_name_and_a_page_out_of_an_egress_only_gateway(daemon: Daemon, world: World) -> None:
    site, db = world.site, world.db
    with listening(daemon.netns("host-mirror"), 80, ANY) as server:
        answering = threading.Thread(target=answer_one, args=(server,))
        answering.start()
        found = story(daemon, "-6", "db", "mirror", "http")
        answering.join(5)
    assert [each["said"] for each in found["talks"]] == [
        "mirror.internet.test is 3fff:800::20",
        "the answer is 'HTTP/1.1 204 No Content'",
    ]
    (query,) = way(found, "DNS query")
    assert query["said"].endswith("mirror.internet.test. AAAA")
    assert "resolver" in query["ends"]
    syn = way(found, "[SYN]")
    assert places(syn) == [db.id, site.vpc, world.only_out, "internet", "mirror"]
    assert [each["ttl"] for each in syn] == [64, 63, 62, 61]
    assert not [line for each in found["frames"] for line in each["acts"] if "translates" in line]
    assert any(f"{world.only_out}: + conntrack tcp" in line for line in syn[1]["changed"])
    answers = way(found, "[SYN,ACK]")
    assert places(answers) == places(syn)[::-1]
    assert "an answer to what was begun from inside" in "\n".join(answers[2]["used"])
    assert len(way(found, "HTTP GET / HTTP/1.1")) == len(way(found, "204 No Content")) == 4
    assert way(found, "FIN"), "to the end of the connection"


def test_what_stops_a_packet_and_who_refuses_one(daemon: Daemon, world: World) -> None:
    found = story(daemon, "-6", "me", "db", "3306")
    assert found["talks"][0]["said"] == "nobody answered"
    first, again = way(found, "[SYN]")[:2], way(found, "[SYN]")[2:]
    assert places(first) == ["me", "internet", world.only_out]
    assert "STOPPED by gateway" in first[-1]["ends"]
    assert "nothing that begins outside" in first[-1]["ends"]
    assert [each["to"] for each in again] == ["internet", world.only_out], "a second attempt"
    refused = story(daemon, "web", ME, "udp/53")
    assert refused["talks"][0]["said"].startswith("it was refused")
    errors = way(refused, "port unreachable")
    assert places(errors) == ["me", "internet", world.site.gateway, world.site.vpc, world.web.id]
