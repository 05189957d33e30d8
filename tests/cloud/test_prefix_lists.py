"""Managed prefix lists by the AWS CLI: rules and routes with them filter and route packets."""

from __future__ import annotations

import json

import pytest

from tests.cloud.aws import aws
from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel.packets import SHORT, listening, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ME, MIRROR = "198.19.0.10", "198.19.0.20"
ANY = "0.0.0.0/0"


def make_list(daemon: Daemon, *cidrs: str) -> str:
    entries = [f"Cidr={cidr}" for cidr in cidrs]
    made = aws(daemon, "create-managed-prefix-list", "--prefix-list-name", "some", "--max-entries",
               "5", "--address-family", "IPv4", "--entries", *entries)  # fmt: skip
    return str(made["PrefixList"]["PrefixListId"])


def change(daemon: Daemon, key: str, version: int, way: str, cidr: str) -> None:
    aws(daemon, "modify-managed-prefix-list", "--prefix-list-id", key, "--current-version",
        str(version), f"--{way}-entries", f"Cidr={cidr}")  # fmt: skip


def test_a_rule_with_a_list_admits_what_the_list_holds(daemon: Daemon, site: Site) -> None:
    key, group = make_list(daemon, "192.0.2.0/24", f"{ME}/32"), site.group("listed")
    web = site.launch(site.public, group, public=True)
    rule = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
             "PrefixListIds": [{"PrefixListId": key}]}]  # fmt: skip
    asked = ("--group-id", group, "--ip-permissions", json.dumps(rule))
    ip, mirror = web.public_ip, daemon.netns("host-mirror")
    with listening(web.ns, 80):
        assert tcp(site.me, ip, 80, patience=SHORT) == "timeout"
        aws(daemon, "authorize-security-group-ingress", *asked)
        assert tcp(site.me, ip, 80) == "open"
        assert tcp(mirror, ip, 80, patience=SHORT) == "timeout"
        change(daemon, key, 1, "add", f"{MIRROR}/32")
        assert tcp(mirror, ip, 80) == "open"
        change(daemon, key, 2, "remove", f"{ME}/32")
        assert tcp(site.me, ip, 80, patience=SHORT) == "timeout"
        aws(daemon, "restore-managed-prefix-list-version", "--prefix-list-id", key,
            "--previous-version", "1", "--current-version", "3")  # fmt: skip
        assert tcp(site.me, ip, 80) == "open"
        assert tcp(mirror, ip, 80, patience=SHORT) == "timeout"


def test_a_route_to_a_list_carries_what_the_list_holds(daemon: Daemon, site: Site) -> None:
    key = make_list(daemon, "198.19.0.0/28")
    subnet = site.subnet("10.0.3.0/24")
    to = ("--route-table-id", site.table(subnet), "--destination-prefix-list-id", key)
    guest = site.launch(subnet, site.group("out"), public=True)
    assert tcp(guest.ns, ME, 80, patience=SHORT) == "timeout"
    aws(daemon, "create-route", *to, "--gateway-id", site.gateway)
    with listening(site.me, 8080), listening(daemon.netns("host-mirror"), 8080):
        assert tcp(guest.ns, ME, 8080) == "open"
        assert tcp(guest.ns, MIRROR, 8080, patience=SHORT) == "timeout"
        change(daemon, key, 1, "add", f"{MIRROR}/32")
        assert tcp(guest.ns, MIRROR, 8080) == "open"
        assert tcp(guest.ns, ME, 8080) == "open"
