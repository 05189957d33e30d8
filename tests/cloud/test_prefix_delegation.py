"""Prefixes that are delegated to interfaces, at the launch or by the AWS CLI: their addresses reach
the instances."""

from __future__ import annotations

import pytest

from tests.cloud.aws import aws
from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel.packets import SHORT, listening, sh, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

CIDR = "10.0.0.0/16"


def one_of(prefix: str) -> str:
    """An address of a /28."""
    base, _, last = prefix.removesuffix("/28").rpartition(".")
    return f"{base}.{int(last) + 5}"


def test_addresses_of_a_prefix_reach_the_interface(daemon: Daemon, site: Site) -> None:
    group = site.group("pods", ("tcp", 80, CIDR))
    node = site.launch(site.private, group)
    other = site.launch(site.private, group, interface={"Ipv4PrefixCount": 1})
    far = site.launch(site.public, group)
    eni = node.show()["NetworkInterfaces"][0]["NetworkInterfaceId"]
    asked = ("--network-interface-id", eni, "--ipv4-prefix-count", "1")
    made = aws(daemon, "assign-private-ip-addresses", *asked)
    prefix = made["AssignedIpv4Prefixes"][0]["Ipv4Prefix"]
    pod = one_of(prefix)
    sh(node.ns, "ip", "address", "add", f"{pod}/32", "dev", "eth0")
    (launched,) = other.show()["NetworkInterfaces"][0]["Ipv4Prefixes"]
    neighbour = one_of(launched["Ipv4Prefix"])
    sh(other.ns, "ip", "address", "add", f"{neighbour}/32", "dev", "eth0")
    with listening(node.ns, 80), listening(other.ns, 80), listening(far.ns, 80):
        assert tcp(other.ns, pod, 80) == "open"  # in the subnet
        assert tcp(far.ns, pod, 80) == "open"  # by the router
        assert tcp(node.ns, far.ip, 80, source=pod) == "open"  # and it may speak for it
        assert tcp(node.ns, other.ip, 80, source=pod) == "open"
        assert tcp(node.ns, neighbour, 80, source=pod) == "open"  # of the launch
        assert tcp(far.ns, neighbour, 80) == "open"
        aws(daemon, "unassign-private-ip-addresses", "--network-interface-id", eni,
            "--ipv4-prefixes", prefix)  # fmt: skip
        assert tcp(far.ns, pod, 80, patience=SHORT) == "timeout"
        assert tcp(node.ns, far.ip, 80, source=pod, patience=SHORT) == "timeout"
