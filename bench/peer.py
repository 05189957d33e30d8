"""``python -m bench.peer``: the API's calls beside those of moto's server, in turns.

moto (https://github.com/getmoto/moto) answers the API out of memory.  Ours stores each change on
disk before it answers, and has it in force in the kernel; in the last rows it keeps records only
(``--no-machines``), which is nearest to what the peer does.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from tests.clients.installed import installed
from tests.daemon import REGION, Daemon, free_port
from tests.kernel.packets import eventually

ROUNDS = 9
INSTANCES = 300
PATIENCE = 30.0


class Region:
    """A region that is furnished alike whoever plays it, and what is asked of it."""

    def __init__(self, endpoint: str) -> None:
        self.ec2: Any = boto3.client(
            "ec2",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    def answers(self) -> bool:
        """Whether anybody is there yet."""
        try:
            self.ec2.describe_vpcs()
        except BotoCoreError:
            return False
        return True

    def furnish(self) -> None:
        """A VPC with a group, and instances in it."""
        self.vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.9.0.0/20")["Subnet"]
        self.subnet = subnet["SubnetId"]
        self.group = self.ec2.create_security_group(
            GroupName="web", Description="web", VpcId=self.vpc
        )["GroupId"]
        images = self.ec2.describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]}])
        self.image = images["Images"][0]["ImageId"]
        for begin in range(0, INSTANCES, 50):
            self._run(min(50, INSTANCES - begin))

    def _run(self, count: int) -> list[str]:
        made = self.ec2.run_instances(
            ImageId=self.image,
            InstanceType="t3.nano",
            MinCount=count,
            MaxCount=count,
            SubnetId=self.subnet,
            SecurityGroupIds=[self.group],
        )
        return [each["InstanceId"] for each in made["Instances"]]

    def network(self) -> None:
        """A VPC with a subnet is made and deleted: four calls."""
        vpc = self.ec2.create_vpc(CidrBlock="10.10.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.10.0.0/24")["Subnet"]["SubnetId"]
        self.ec2.delete_subnet(SubnetId=subnet)
        self.ec2.delete_vpc(VpcId=vpc)

    def rule(self) -> None:
        """A rule of a group that all instances have comes and goes: two calls."""
        rule = {
            "GroupId": self.group,
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 80,
                    "ToPort": 80,
                    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                }
            ],
        }
        self.ec2.authorize_security_group_ingress(**rule)
        self.ec2.revoke_security_group_ingress(**rule)

    def one(self) -> None:
        """One VPC is described by its id."""
        self.ec2.describe_vpcs(VpcIds=[self.vpc])

    def all(self) -> None:
        """All instances are described in one answer."""
        shown = self.ec2.describe_instances()
        found = sum(len(each["Instances"]) for each in shown["Reservations"])
        if found < INSTANCES:
            raise RuntimeError(f"{found} instances are shown")

    def none(self) -> None:
        """A filter is held against all instances, and none has what it asks for."""
        self.ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["nobody*"]}])


CALLS: dict[str, Callable[[Region], None]] = {
    "a VPC and a subnet, made and deleted": Region.network,
    "a rule, authorized and revoked": Region.rule,
    "one VPC described": Region.one,
    f"{INSTANCES} instances described": Region.all,
    f"a tag looked for in {INSTANCES} instances": Region.none,
}


@contextmanager
def moto() -> Iterator[str]:
    """The peer's server; its endpoint."""
    program = installed("moto") / "bin" / "moto_server"
    port = free_port()
    argv = [str(program), "--host", "127.0.0.1", "--port", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet) as server:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@contextmanager
def gureum(*options: str) -> Iterator[str]:
    """Ours; its endpoint."""
    with TemporaryDirectory(prefix="gureum-bench-") as folder:
        made = Daemon(Path(folder) / "state", "--no-host-link", *options)
        made.start()
        try:
            yield made.endpoint
        finally:
            made.close()


def answering(endpoint: str) -> Region:
    """The region, as soon as it answers."""
    region = Region(endpoint)
    if not eventually(region.answers, PATIENCE):
        raise TimeoutError(f"{endpoint} does not answer")
    region.furnish()
    return region


def measured(regions: dict[str, Region], call: Callable[[Region], None]) -> dict[str, float]:
    """The median of each region's seconds, taken in turns; the first round does not count."""
    taken: dict[str, list[float]] = {name: [] for name in regions}
    for turn in range(ROUNDS + 1):
        for name, region in regions.items():
            begun = time.perf_counter()
            call(region)
            if turn:
                taken[name].append(time.perf_counter() - begun)
    return {name: statistics.median(each) for name, each in taken.items()}


def main() -> None:
    """Measure and print."""
    with moto() as theirs, gureum("--no-machines") as ours:
        regions = {"moto": answering(theirs), "gureum": answering(ours)}
        for what, call in CALLS.items():
            medians = measured(regions, call)
            least = medians["moto"]
            for name, median in medians.items():
                print(f"{what}, {name}: {median * 1000:.1f} ms, ratio {median / least:.2f}")


if __name__ == "__main__":
    main()
