"""A daemon of its own for measurements, and what they ask of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.daemon import Daemon
from tests.kernel.packets import ping

PATIENCE = 60.0


@contextmanager
def daemon() -> Iterator[Daemon]:
    """A daemon with an empty state folder, torn down at the end."""
    with TemporaryDirectory(prefix="gureum-bench-") as folder:
        made = Daemon(Path(folder) / "state", "--no-host-link")
        made.start()
        try:
            yield made
        finally:
            made.close()


class Site:
    """The default VPC with a group that lets pings in."""

    def __init__(self, cloud: Daemon) -> None:
        self.ec2 = cloud.ec2()
        self.me = cloud.netns("host-me")
        (vpc,) = self.ec2.describe_vpcs()["Vpcs"]
        answer = self.ec2.create_security_group(
            GroupName="ping", Description="pings from anywhere", VpcId=vpc["VpcId"]
        )
        self.group = answer["GroupId"]
        self.ec2.authorize_security_group_ingress(
            GroupId=self.group, IpProtocol="icmp", FromPort=8, ToPort=-1, CidrIp="0.0.0.0/0"
        )
        images = self.ec2.describe_images(
            Owners=["amazon"], Filters=[{"Name": "name", "Values": ["gureum-base*"]}]
        )
        self.image = images["Images"][0]["ImageId"]

    def launch(self, count: int, kind: str = "t3.nano") -> list[dict[str, Any]]:
        """RunInstances, one call."""
        answer = self.ec2.run_instances(
            ImageId=self.image,
            InstanceType=kind,
            MinCount=count,
            MaxCount=count,
            SecurityGroupIds=[self.group],
        )
        found: list[dict[str, Any]] = answer["Instances"]
        return found

    def answers(self, instance: dict[str, Any]) -> None:
        """Wait until the instance runs and answers a ping from the internet."""
        end = time.monotonic() + PATIENCE
        while not self._running(instance["InstanceId"]):
            if time.monotonic() > end:
                raise TimeoutError(f"{instance['InstanceId']} does not run")
        while ping(self.me, instance["PublicIpAddress"], patience=0.02) != "reply":
            if time.monotonic() > end:
                raise TimeoutError(f"{instance['InstanceId']} does not answer")

    def _running(self, key: str) -> bool:
        answer = self.ec2.describe_instances(InstanceIds=[key])
        return bool(answer["Reservations"][0]["Instances"][0]["State"]["Name"] == "running")

    def terminate(self, instances: list[dict[str, Any]]) -> None:
        """TerminateInstances, and wait until they are gone."""
        ids = [item["InstanceId"] for item in instances]
        self.ec2.terminate_instances(InstanceIds=ids)
        settings = {"Delay": 1, "MaxAttempts": 60}
        self.ec2.get_waiter("instance_terminated").wait(InstanceIds=ids, WaiterConfig=settings)
