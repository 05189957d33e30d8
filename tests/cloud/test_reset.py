"""A daemon for test suites: instances without processes, foreign image ids, emptied at a word."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel.packets import run

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

FOREIGN = "ami-0c55b159cbfafe1f0"
OPTIONS = ("--no-host-link", "--no-machines", "--allow-reset", f"--ami-alias={FOREIGN}=debian-12")


def spaces(daemon: Daemon) -> set[str]:
    """The namespaces of the cloud."""
    return {path.name for path in Path("/run/netns").glob(f"gu{daemon.tag}-*")}


def test_a_reset_empties_the_cloud_and_its_network(daemon: Daemon) -> None:
    before = spaces(daemon)
    site = Site(daemon)
    group = site.group("all", ("icmp", -1, "0.0.0.0/0"))
    first, second = (site.launch(site.public, group, public=True) for _ in range(2))
    assert first.ns.exists()
    assert run(first.ns, "ping", "-c1", "-W2", second.ip).returncode == 0, "the network is there"
    assert not (daemon.state / "instances").exists()
    volume = site.ec2.create_volume(AvailabilityZone="ap-northeast-2a", Size=1, ClientToken="once")
    begun = time.monotonic()
    answer = httpx.post(f"{daemon.endpoint}/_gureum/reset", timeout=30)
    assert (answer.status_code, answer.json()) == (200, {})
    assert time.monotonic() - begun < 5
    assert "gureum:Reset" in daemon.gureum("audit-log", "-n", "1").stdout
    assert spaces(daemon) == before
    ec2 = daemon.ec2()
    assert ec2.describe_instances()["Reservations"] == []
    assert [vpc["IsDefault"] for vpc in ec2.describe_vpcs()["Vpcs"]] == [True]
    assert ec2.describe_volumes()["Volumes"] == []
    again = ec2.create_volume(AvailabilityZone="ap-northeast-2a", Size=2, ClientToken="once")
    assert again["VolumeId"] != volume["VolumeId"]


def test_a_reset_is_a_post_and_not_a_web_pages(daemon: Daemon) -> None:
    path = f"{daemon.endpoint}/_gureum/reset"
    assert httpx.get(path).status_code == 405
    assert httpx.post(path, headers={"Origin": "https://evil.example"}).status_code == 403


def test_foreign_images_start_also_after_a_reset_and_a_new_start(daemon: Daemon) -> None:
    for _ in range(2):
        ec2 = daemon.ec2()
        launch = {"ImageId": FOREIGN, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1}
        key = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(
            InstanceIds=[key], WaiterConfig={"Delay": 1, "MaxAttempts": 10}
        )
        daemon.kill()
        daemon.start()
        (found,) = daemon.ec2().describe_instances(InstanceIds=[key])["Reservations"]
        assert found["Instances"][0]["State"]["Name"] == "running"
        said = daemon.gureum("exec", key, "--", "true")
        assert said.returncode != 0
        assert "--no-machines" in said.stderr
        assert httpx.post(f"{daemon.endpoint}/_gureum/reset", timeout=30).status_code == 200


def test_without_leave_nothing_is_reset(tmp_path: Path) -> None:
    plain = Daemon(tmp_path / "state", "--no-host-link", "--no-machines")
    plain.start()
    try:
        vpc = plain.ec2().create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        assert httpx.post(f"{plain.endpoint}/_gureum/reset").status_code == 403
        plain.ec2().describe_vpcs(VpcIds=[vpc])
    finally:
        plain.close()
