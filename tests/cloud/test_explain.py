"""Predictions against real packets: every pair of places, several ports, forth and back."""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel.packets import listening, make, ping, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

ANY = "0.0.0.0/0"
PORTS = (80, 443, 3306)


@dataclass
class Place:
    """A place by the name that commands know, with its namespace and addresses."""

    name: str
    ns: Path
    addresses: tuple[str, ...]


@pytest.fixture(scope="module")
def places(daemon: Daemon, site: Site) -> list[Place]:
    """Web servers in a public and a database in a private subnet with an ACL of its own, a NAT
    gateway, an instance without rules, hosts of the internet."""
    ec2 = site.ec2
    web = site.group("web", ("tcp", 80, ANY), ("icmp", 8, "10.0.0.0/16"))
    db = site.group("db", ("tcp", 3306, web), ("tcp", 443, "10.0.1.0/25"))
    quiet = site.group("quiet")
    guests = {
        "first": site.launch(site.public, web, public=True),
        "second": site.launch(site.public, web, public=True),
        "database": site.launch(site.private, db),
        "silent": site.launch(site.private, quiet),
    }
    for name, guest in guests.items():
        ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    _nat(site)
    _acl(site)
    found = [Place(name, guest.ns, _addresses(guest)) for name, guest in guests.items()]
    hosts = {"me": "198.19.0.10", "mirror": "198.19.0.20"}
    found += [Place(n, daemon.netns(f"host-{n}"), (ip,)) for n, ip in hosts.items()]
    return found


def _addresses(guest: Guest) -> tuple[str, ...]:
    shown = guest.show()
    return (shown["PrivateIpAddress"], *filter(None, [shown.get("PublicIpAddress")]))


def _nat(site: Site) -> None:
    address = site.ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = site.ec2.create_nat_gateway(SubnetId=site.public, AllocationId=address)
    nat = made["NatGateway"]["NatGatewayId"]
    waiter = site.ec2.get_waiter("nat_gateway_available")
    waiter.wait(NatGatewayIds=[nat], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    table = site.table(site.private)
    site.ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, NatGatewayId=nat)


def _acl(site: Site) -> None:
    """The private subnet lets 443 in, but not its answers out."""
    ec2 = site.ec2
    acl = ec2.create_network_acl(VpcId=site.vpc)["NetworkAcl"]["NetworkAclId"]
    rules: tuple[tuple[int, bool, str, dict[str, Any]], ...] = (
        (90, True, "deny", {"Protocol": "6", "CidrBlock": "10.0.1.0/24", "PortRange": _SOME}),
        (100, True, "allow", {"Protocol": "-1", "CidrBlock": ANY}),
        (100, False, "allow", {"Protocol": "-1", "CidrBlock": ANY}),
    )
    for number, egress, action, rest in rules:
        ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, Egress=egress, RuleAction=action, **rest
        )
    only = [{"Name": "association.subnet-id", "Values": [site.private]}]
    (old,) = ec2.describe_network_acls(Filters=only)["NetworkAcls"]
    (item,) = (a for a in old["Associations"] if a["SubnetId"] == site.private)
    ec2.replace_network_acl_association(
        AssociationId=item["NetworkAclAssociationId"], NetworkAclId=acl
    )


_SOME = {"From": 80, "To": 79 + 1000}
"""Ports that the database may not call in the public subnet; client ports are not among them."""


@pytest.fixture(scope="module")
def served(places: list[Place]) -> Iterator[None]:
    """Somebody listens on every port of every place, so that only the network decides."""
    with ExitStack() as stack:
        for place in places:
            for port in PORTS:
                stack.enter_context(listening(place.ns, port))
        yield


@pytest.mark.usefixtures("served")
def test_prediction_and_packet_agree(daemon: Daemon, places: list[Place]) -> None:
    probes = [
        (source, address, port)
        for source in places
        for target in places
        for address in target.addresses
        for port in (*PORTS, None)
        if source is not target
    ]
    with ThreadPoolExecutor(8) as pool:
        real = list(pool.map(lambda each: _real(each[0].ns, each[1], each[2]), probes))
    with daemon.console() as console:
        said = [_predicted(console, place.name, ip, port) for place, ip, port in probes]
    wrong = [
        (place.name, ip, port, answer, seen)
        for (place, ip, port), answer, seen in zip(probes, said, real, strict=True)
        if answer["works"] != seen
    ]
    assert wrong == []
    assert min(real.count(True), real.count(False)) > 10, "both verdicts must be among them"


def _predicted(console: Any, source: str, address: str, port: int | None) -> dict[str, Any]:
    body = {
        "source": source,
        "target": address,
        "protocol": "tcp" if port else "icmp",
        "port": port,
    }
    answer = console.post("/explain", json=body)
    found: dict[str, Any] = answer.json()
    assert answer.status_code == 200, found
    return found


def _real(ns: Path, address: str, port: int | None) -> bool:
    if port is None:
        return ping(ns, address) == "reply"
    return tcp(ns, address, port) == "open"


def test_the_command_tells_the_blocking_rule(daemon: Daemon, places: list[Place]) -> None:
    done = daemon.gureum("explain", "me", "first", "443")
    assert done.returncode == 1
    assert "ENI_SG_RULES_MISMATCH" in done.stdout
    done = daemon.gureum("explain", "me", "first", "80")
    assert "let in by sgr-" in done.stdout


def test_nobody_listens(daemon: Daemon, site: Site, places: list[Place]) -> None:
    """What the network lets through may meet a closed port."""
    first = next(place for place in places if place.name == "first")
    found = daemon.gureum("explain", "me", "first", "8081")
    assert found.returncode == 1
    (fix,) = (line for line in found.stdout.splitlines() if line.startswith("  aws ec2 "))
    words = shlex.split(fix)
    group, rules = (words[words.index(f"--{name}") + 1] for name in ("group-id", "ip-permissions"))
    site.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=json.loads(rules))
    found = daemon.gureum("explain", "me", "first", "8081")
    assert (found.returncode, "nobody listens on tcp port 8081" in found.stdout) == (1, True)
    assert tcp(daemon.netns("host-me"), first.addresses[1], 8081) == "refused"
    with listening(first.ns, 8081):
        found = daemon.gureum("explain", "me", "first", "8081")
        assert (found.returncode, found.stdout.splitlines()[-1]) == (0, "works")
        assert tcp(daemon.netns("host-me"), first.addresses[1], 8081) == "open"


@pytest.mark.usefixtures("served")
def test_the_time_to_live_is_as_predicted(daemon: Daemon, places: list[Place]) -> None:
    """Every router on the way takes one: counted by the receiver of a real segment."""
    by_name = {place.name: place for place in places}
    for source, target, address in (
        ("me", "first", 1),
        ("first", "second", 0),
        ("silent", "mirror", 0),
        ("first", "second", 1),
    ):
        ip = by_name[target].addresses[address]
        with daemon.console() as console:
            found = _predicted(console, source, ip, 80)
        last = found["forth"]["devices"][-1]
        assert (last["kind"], last["stopped"]) == ("host", None)
        assert _ttl(by_name[source].ns, by_name[target].ns, ip) == last["arriving"]["ttl"]


def _ttl(source: Path, target: Path, ip: str) -> int:
    """The time to live of the first segment that arrives at port 80 in another namespace."""
    with make(target, socket.SOCK_RAW, socket.IPPROTO_TCP) as waits:
        assert tcp(source, ip, 80) == "open"
        while True:
            packet = waits.recv(64)
            port = int.from_bytes(packet[22:24])
            if port == 80:
                return packet[8]
