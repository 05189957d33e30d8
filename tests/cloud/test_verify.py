"""A policy that fails, the mend, the policy that holds; and the packet says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel.packets import LONG, SHORT, listening, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

POLICY = """
- name: the internet reaches the web server on 80 only
  from: internet
  to: web
  only: tcp/80
  always: tcp/80
"""


def test_a_policy_and_the_packet_agree(daemon: Daemon, site: Site, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    group = site.group("web", ("tcp", 80, "0.0.0.0/0"), ("tcp", 8022, "0.0.0.0/0"))
    web = site.launch(site.public, group, public=True)
    site.ec2.create_tags(Resources=[web.id], Tags=[{"Key": "Name", "Value": "web"}])
    ip, me = web.show()["PublicIpAddress"], daemon.netns("host-me")
    with listening(web.ns, 80), listening(web.ns, 8022):
        found = daemon.gureum("verify", str(policy))
        assert (found.returncode, "on tcp 8022 by acl-" in found.stdout) == (1, True)
        assert tcp(me, ip, 8022, patience=LONG) == "open"
        site.forbid(group, "tcp", 8022, "0.0.0.0/0")
        found = daemon.gureum("verify", str(policy))
        assert (found.returncode, found.stdout) == (
            0,
            "ok    the internet reaches the web server on 80 only\n",
        )
        assert tcp(me, ip, 8022, patience=SHORT) == "timeout"
        assert tcp(me, ip, 80, patience=LONG) == "open"
