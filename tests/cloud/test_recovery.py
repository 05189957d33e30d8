"""``kill -9`` at any moment: packets keep flowing, nothing acknowledged is lost."""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel.packets import alive, connection, eventually, ping, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

ANY = "0.0.0.0/0"


@pytest.fixture(autouse=True)
def up(daemon: Daemon) -> None:
    """Each test begins with a daemon that serves, whatever became of it before."""
    if daemon.process is None or daemon.process.poll() is not None:
        daemon.start()


def pid_of(daemon: Daemon, instance: str) -> int:
    return int((daemon.state / "instances" / instance / "pid").read_text())


def test_traffic_flows_through_a_killed_daemon_and_all_is_adopted(
    daemon: Daemon, site: Site
) -> None:
    group = site.group("all", ("-1", -1, ANY))
    web = site.launch(site.public, group, public=True)
    db = site.launch(site.private, group)
    before = [pid_of(daemon, guest.id) for guest in (web, db)]
    public, private = web.public_ip, db.ip
    with (
        connection(site.me, public, web.ns, 8000) as (outer, outer_end, _),
        connection(web.ns, private, db.ns, 3306) as (inner, inner_end, _),
    ):
        daemon.kill()
        assert alive(outer, outer_end)
        assert alive(inner, inner_end)
        assert ping(site.me, public) == "reply"
        daemon.start()
        assert alive(outer, outer_end)
        assert alive(inner, inner_end)
    assert [pid_of(daemon, guest.id) for guest in (web, db)] == before
    assert [guest.show()["State"]["Name"] for guest in (web, db)] == ["running", "running"]
    site.ec2.revoke_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY}]}]
    )
    assert tcp(site.me, public, 8000) == "timeout", "the adopted network takes changes"


def test_what_ended_while_nobody_looked_is_told(daemon: Daemon, site: Site) -> None:
    group = site.group("ended")
    guest = site.launch(site.public, group)
    pid = pid_of(daemon, guest.id)
    daemon.kill()
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())
    daemon.start()
    guest.becomes("stopped")
    assert guest.show()["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_damage_done_while_away_is_repaired(daemon: Daemon, site: Site) -> None:
    group = site.group("repaired", ("icmp", 8, ANY))
    guest = site.launch(site.public, group, public=True)
    public = guest.public_ip
    assert ping(site.me, public) == "reply"
    daemon.kill()
    subprocess.run(["ip", "netns", "del", f"gu{daemon.tag}-{site.gateway}"], check=True)
    assert eventually(lambda: ping(site.me, public) == "timeout"), "the kernel removes it later"
    daemon.start()
    assert eventually(lambda: ping(site.me, public) == "reply"), daemon.log()


def test_kills_between_and_during_calls_lose_nothing_acknowledged(
    daemon: Daemon, site: Site
) -> None:
    """One thread makes subnets and notes what was acknowledged; the daemon is killed again and
    again at odd moments.  Each subnet that was acknowledged is there, and carries packets."""
    acknowledged: list[str] = []
    done = threading.Event()
    blocks = ipaddress.ip_network("10.0.16.0/20").subnets(new_prefix=28)  # tries may be many

    def work() -> None:
        while not done.is_set():
            try:
                acknowledged.append(site.subnet(str(next(blocks))))
            except (BotoCoreError, ClientError, StopIteration):
                done.wait(0.1)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    for moment in (0.021, 0.013, 0.034):
        before = len(acknowledged)
        assert eventually(lambda: len(acknowledged) >= before + 3, 20)  # noqa: B023 - called here
        time.sleep(moment)  # the blow falls at some point of the next call
        daemon.kill()
        daemon.start()
    done.set()
    worker.join()
    found = {item["SubnetId"] for item in site.ec2.describe_subnets()["Subnets"]}
    assert set(acknowledged) <= found
    group = site.group("after", ("icmp", 8, ANY))
    first = site.launch(acknowledged[0], group)
    last = site.launch(acknowledged[-1], group)
    assert ping(first.ns, last.ip) == "reply"
