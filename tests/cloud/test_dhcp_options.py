"""DHCP options by the AWS CLI: what an instance is told about names at its next start."""

from __future__ import annotations

import pytest

from tests.cloud.aws import aws
from tests.cloud.site import Guest, Site
from tests.daemon import Daemon

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]


def inside(daemon: Daemon, guest: Guest, *words: str) -> str:
    done = daemon.gureum("exec", guest.id, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_set_of_the_vpc_is_told_at_the_next_start(daemon: Daemon, site: Site) -> None:
    guest = site.launch(site.private, site.group("named"))
    usual = "nameserver 10.0.0.2\nsearch ap-northeast-2.compute.internal\n"
    assert inside(daemon, guest, "cat", "/etc/resolv.conf") == usual
    made = aws(daemon, "create-dhcp-options", "--dhcp-configurations",
               "Key=domain-name,Values=corp.example lab.example",
               "Key=domain-name-servers,Values=10.0.2.53,10.0.1.53")  # fmt: skip
    key = made["DhcpOptions"]["DhcpOptionsId"]
    site.ec2.associate_dhcp_options(DhcpOptionsId=key, VpcId=site.vpc)
    assert inside(daemon, guest, "cat", "/etc/resolv.conf") == usual, "it keeps its lease"
    site.ec2.stop_instances(InstanceIds=[guest.id])
    guest.becomes("stopped")
    site.ec2.start_instances(InstanceIds=[guest.id])
    guest.becomes("running")
    told = "nameserver 10.0.2.53\nnameserver 10.0.1.53\nsearch corp.example lab.example\n"
    assert inside(daemon, guest, "cat", "/etc/resolv.conf") == told
    name = inside(daemon, guest, "hostname").strip()
    assert f" {name}.corp.example {name}\n" in inside(daemon, guest, "cat", "/etc/hosts")
