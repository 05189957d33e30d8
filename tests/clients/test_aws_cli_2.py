"""The AWS CLI version 2: makes, pages through, waits for, asks about and deletes a network."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installed import environment, installed
from tests.daemon import Daemon

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(900)]


class Aws:
    """``aws``, version 2, against a daemon."""

    def __init__(self, daemon: Daemon, home: Path) -> None:
        # Versions before 2.13 do not know AWS_ENDPOINT_URL.
        self.start = [str(installed("aws") / "aws"), "--endpoint-url", daemon.endpoint]
        self.environment = environment(daemon, home) | {"AWS_PAGER": ""}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it; it may fail."""
        return subprocess.run(
            [*self.start, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def __call__(self, *words: str) -> Any:
        """The answer, of JSON; nothing where it prints nothing.  It must succeed."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    def refused(self, *words: str) -> str:
        """What it says of a call that the cloud refuses."""
        done = self.run(*words)
        assert done.returncode == 254, done.stdout + done.stderr
        return done.stderr.strip()


@pytest.fixture
def aws(daemon: Daemon, tmp_path: Path) -> Aws:
    return Aws(daemon, tmp_path)


def test_it_is_version_2(aws: Aws) -> None:
    assert aws.run("--version").stdout.startswith("aws-cli/2.")


def test_a_network_is_made_paged_through_waited_for_and_deleted(aws: Aws, daemon: Daemon) -> None:
    vpc = aws(
        "ec2", "create-vpc", "--cidr-block", "10.50.0.0/16", "--query", "Vpc.VpcId",
        "--tag-specifications", "ResourceType=vpc,Tags=[{Key=Name,Value=two}]",
    )  # fmt: skip
    subnets = [
        aws(
            "ec2", "create-subnet", "--vpc-id", vpc, "--cidr-block", f"10.50.{number}.0/24",
            "--query", "Subnet.SubnetId",
        )
        for number in range(3)
    ]  # fmt: skip
    aws("ec2", "wait", "subnet-available", "--subnet-ids", *subnets)
    of_vpc = ("--filters", f"Name=vpc-id,Values={vpc}")
    shown = aws("ec2", "describe-subnets", *of_vpc, "--page-size", "5", "--max-items", "2")
    rest = aws("ec2", "describe-subnets", *of_vpc, "--starting-token", shown["NextToken"])
    listed = [each["SubnetId"] for page in (shown, rest) for each in page["Subnets"]]
    assert sorted(listed) == sorted(subnets)
    text = aws.run(
        "ec2", "describe-vpcs", "--vpc-ids", vpc, "--output", "text",
        "--query", "Vpcs[].Tags[].Value",
    )  # fmt: skip
    assert text.stdout == "two\n", text.stderr

    image = aws(
        "ec2", "describe-images", "--filters", "Name=name,Values=gureum-base-*",
        "--query", "Images[0].ImageId",
    )  # fmt: skip
    instance = aws(
        "ec2", "run-instances", "--image-id", image, "--instance-type", "t3.nano",
        "--subnet-id", subnets[0], "--user-data", "#!/bin/sh\necho \"구름\"\n",
        "--query", "Instances[0].InstanceId",
    )  # fmt: skip
    aws("ec2", "wait", "instance-running", "--instance-ids", instance)
    data = daemon.ec2().describe_instance_attribute(InstanceId=instance, Attribute="userData")
    assert data["UserData"]["Value"] == "IyEvYmluL3NoCmVjaG8gIuq1rOumhCIK"

    aws("ec2", "terminate-instances", "--instance-ids", instance)
    aws("ec2", "wait", "instance-terminated", "--instance-ids", instance)
    for subnet in subnets:
        aws("ec2", "delete-subnet", "--subnet-id", subnet)
    aws("ec2", "delete-vpc", "--vpc-id", vpc)
    vpcs = daemon.ec2().describe_vpcs()["Vpcs"]
    assert [each["CidrBlock"] for each in vpcs] == ["172.31.0.0/16"], "only the default VPC is left"


def test_refusals_are_told_as_aws_tells_them(aws: Aws) -> None:
    unknown = "vpc-00000000000000000"
    assert aws.refused("ec2", "delete-vpc", "--vpc-id", unknown) == (
        "An error occurred (InvalidVpcID.NotFound) when calling the DeleteVpc operation: "
        f"The vpc ID '{unknown}' does not exist"
    )
    assert "(DryRunOperation)" in aws.refused(
        "ec2", "create-vpc", "--cidr-block", "10.51.0.0/16", "--dry-run"
    )


def test_identities_and_events(aws: Aws) -> None:
    assert aws("sts", "get-caller-identity")["Account"] == "123456789012"
    user = aws("iam", "create-user", "--user-name", "zoe", "--query", "User.Arn")
    assert user == "arn:aws:iam::123456789012:user/zoe"
    aws("iam", "delete-user", "--user-name", "zoe")
    assert aws(
        "cloudtrail", "lookup-events", "--region", "us-east-1",  # where IAM's events are
        "--query", "Events[].EventName",
        "--lookup-attributes", "AttributeKey=ResourceName,AttributeValue=zoe",
    ) == ["DeleteUser", "CreateUser"]  # fmt: skip
