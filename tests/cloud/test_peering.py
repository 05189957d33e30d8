"""Two VPCs joined by the AWS CLI: real packets, what is said about them, and the end of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cloud.aws import aws
from tests.cloud.site import Guest, Site
from tests.cloud.test_insights import found
from tests.cloud.test_live import confirmed, statuses, stopped, told
from tests.daemon import Daemon
from tests.kernel.packets import SHORT, alive, connection, hops, listening, ping, run, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

NEAR, FAR = "10.0.0.0/16", "10.1.0.0/16"


@dataclass
class Pair:
    """Two VPCs with an instance each in a private subnet: ``clerk`` asks, ``archive`` answers."""

    near: Site
    far: Site
    clerk: Guest
    archive: Guest


@dataclass
class Joined(Pair):
    """The two, joined by the connection ``key`` with routes on both sides."""

    key: str


@pytest.fixture(scope="module")
def pair(daemon: Daemon, site: Site) -> Pair:
    far = Site(daemon, FAR)
    rules = [("icmp", 8, NEAR), ("icmp", 8, FAR)]
    clerk = site.launch(site.private, site.group("clerk", *rules))
    archive = far.launch(far.private, far.group("archive", *rules, ("tcp", 80, NEAR)))
    for name, guest in (("clerk", clerk), ("archive", archive)):
        site.ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    return Pair(site, far, clerk, archive)


@pytest.fixture(scope="module")
def joined(daemon: Daemon, pair: Pair) -> Joined:
    """Asked for, accepted and routed, as the AWS CLI does it."""
    ends = ("--vpc-id", pair.near.vpc, "--peer-vpc-id", pair.far.vpc)
    made = aws(daemon, "create-vpc-peering-connection", *ends)["VpcPeeringConnection"]
    assert made["Status"]["Code"] == "initiating-request"
    key: str = made["VpcPeeringConnectionId"]
    aws(daemon, "wait", "vpc-peering-connection-exists", "--vpc-peering-connection-ids", key)
    only = ("--vpc-peering-connection-id", key)
    taken = aws(daemon, "accept-vpc-peering-connection", *only)["VpcPeeringConnection"]
    assert taken["Status"]["Code"] == "provisioning"
    for site, cidr in ((pair.near, FAR), (pair.far, NEAR)):
        to = ("--route-table-id", main_table(daemon, site.vpc), "--destination-cidr-block", cidr)
        assert aws(daemon, "create-route", *to, *only) == {"Return": True}
    assert state(daemon, key) == "active"
    return Joined(**vars(pair), key=key)


@pytest.fixture
def served(pair: Pair) -> Iterator[None]:
    """Somebody listens, so that only the network decides."""
    with listening(pair.archive.ns, 80):
        yield


def main_table(daemon: Daemon, vpc: str) -> str:
    only = (f"Name=vpc-id,Values={vpc}", "Name=association.main,Values=true")
    (table,) = aws(daemon, "describe-route-tables", "--filters", *only)["RouteTables"]
    return str(table["RouteTableId"])


def state(daemon: Daemon, key: str) -> str:
    only = ("--vpc-peering-connection-ids", key)
    (row,) = aws(daemon, "describe-vpc-peering-connections", *only)["VpcPeeringConnections"]
    return str(row["Status"]["Code"])


@pytest.mark.usefixtures("served")
def test_nothing_connects_two_vpcs_by_itself(daemon: Daemon, pair: Pair) -> None:
    assert tcp(pair.clerk.ns, pair.archive.ip, 80, patience=SHORT) == "timeout"
    assert stopped(confirmed(daemon, "clerk", pair.archive.ip, "80", status=1))
    done = daemon.gureum("explain", "clerk", pair.archive.ip, "80")
    assert (done.returncode, "DISCONNECTED_VPCS" in done.stdout) == (1, True)


def test_packets_go_both_ways_with_their_own_addresses(joined: Joined) -> None:
    clerk, archive = joined.clerk, joined.archive
    with connection(clerk.ns, archive.ip, archive.ns, 80) as (client, server, seen):
        assert seen == clerk.ip
        assert alive(client, server)
        assert alive(server, client)
    assert ping(clerk.ns, archive.ip) == ping(archive.ns, clerk.ip) == "reply"


@pytest.mark.usefixtures("served")
def test_what_is_said_is_what_packets_do(daemon: Daemon, joined: Joined) -> None:
    done = daemon.gureum("explain", "clerk", "archive", "80")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "works")
    assert f"over to {joined.far.vpc}" in done.stdout
    laid = confirmed(daemon, "clerk", "archive", "80", status=0)
    for way in ("forth", "back"):
        assert ("peering", "seen") in told(laid, way)
        assert statuses(laid, way) == {"seen"}
    assert laid["evidence"]["outcome"] == "answered"


def test_the_far_router_is_a_silent_hop(daemon: Daemon, joined: Joined) -> None:
    """Each router takes one of the time to live; the far one knows no way to who would be told."""
    assert hops(joined.clerk.ns, joined.archive.ip) == ["10.0.2.1", "*", joined.archive.ip]
    done = daemon.gureum("trace", "clerk", "archive")
    assert [line.split()[1] for line in done.stdout.splitlines()[2:4]] == ["10.0.2.1", "*"]
    assert done.stdout.splitlines()[-1].split()[-1] == "archive"


@pytest.mark.usefixtures("served")
def test_the_analyser_finds_the_connection(daemon: Daemon, joined: Joined) -> None:
    ends = ("--source", joined.clerk.id, "--destination", joined.archive.id)
    analysis = found(daemon, *ends, "--protocol", "tcp", "--destination-port", "80")
    assert analysis["NetworkPathFound"] is True
    for way, vpcs in (
        ("ForwardPathComponents", [joined.near.vpc, joined.far.vpc]),
        ("ReturnPathComponents", [joined.far.vpc, joined.near.vpc]),
    ):
        (link,) = (each for each in analysis[way] if each["Component"]["Id"] == joined.key)
        assert [link["SourceVpc"]["Id"], link["DestinationVpc"]["Id"]] == vpcs


@pytest.mark.usefixtures("served")
def test_what_is_deleted_carries_nothing(daemon: Daemon, joined: Joined) -> None:
    clerk, archive = joined.clerk, joined.archive
    assert tcp(clerk.ns, archive.ip, 80) == "open"
    only = ("--vpc-peering-connection-id", joined.key)
    aws(daemon, "delete-vpc-peering-connection", *only)
    keys = ("--vpc-peering-connection-ids", joined.key)
    aws(daemon, "wait", "vpc-peering-connection-deleted", *keys)
    assert tcp(clerk.ns, archive.ip, 80, patience=SHORT) == "timeout"
    assert f"p-{joined.key[-13:]}" not in run(daemon.netns(joined.near.vpc), "ip", "link").stdout
    laid = confirmed(daemon, "clerk", archive.ip, "80", status=1)
    (block,) = (step for step in laid["forth"]["steps"] if not step["passed"])
    assert (block["code"], joined.key in block["said"]) == ("BAD_STATE_ROUTE", True)
    (route,) = (r for r in _routes(daemon, joined.near.vpc) if r["DestinationCidrBlock"] == FAR)
    assert (route["VpcPeeringConnectionId"], route["State"]) == (joined.key, "blackhole")


def _routes(daemon: Daemon, vpc: str) -> list[dict[str, Any]]:
    keys = ("--route-table-ids", main_table(daemon, vpc))
    (table,) = aws(daemon, "describe-route-tables", *keys)["RouteTables"]
    routes: list[dict[str, Any]] = table["Routes"]
    return routes
