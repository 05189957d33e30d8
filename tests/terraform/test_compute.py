"""Terraform's volumes, snapshots, images, launch templates and placement groups: apply, no drift,
change, destroy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.daemon import Daemon
from tests.terraform.test_terraform import Terraform, daemon, terraform

__all__ = ["daemon", "terraform"]

pytestmark = [pytest.mark.terraform, pytest.mark.kernel, pytest.mark.timeout(600)]


def own(ec2: Any) -> dict[str, int]:
    """How many of each the account has."""
    me = {"OwnerIds": ["self"]}
    return {
        "volumes": len(ec2.describe_volumes()["Volumes"]),
        "snapshots": len(ec2.describe_snapshots(**me)["Snapshots"]),
        "images": len(ec2.describe_images(Owners=["self"])["Images"]),
        "templates": len(ec2.describe_launch_templates()["LaunchTemplates"]),
        "groups": len(ec2.describe_placement_groups()["PlacementGroups"]),
    }


@pytest.mark.parametrize("terraform", ["compute.tf"], indirect=True)
def test_apply_shows_no_drift_changes_and_destroys(terraform: Terraform, daemon: Daemon) -> None:
    terraform.must("apply", "-auto-approve", "-input=false", "-parallelism=20")
    plan = terraform("plan", "-detailed-exitcode", "-input=false")
    assert plan.returncode == 0, plan.stdout[-4000:]
    made = terraform.outputs()
    assert made["amazon"].startswith("al2023-ami-2023.")
    assert made["ubuntu"].startswith("ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-")
    assert made["debian"].startswith("debian-12-amd64-")
    assert made["root_size"] == 12
    ec2 = daemon.ec2()
    (templated,) = ec2.describe_instances(InstanceIds=[made["templated"]])["Reservations"]
    shown = templated["Instances"][0]
    assert shown["InstanceType"] == "t3.micro"
    assert shown["Placement"]["GroupName"] == "spread"
    devices = {item["DeviceName"] for item in shown["BlockDeviceMappings"]}
    assert devices == {"/dev/xvda", "/dev/sdb", "/dev/sdf"}
    (data,) = ec2.describe_volumes(VolumeIds=[made["data"]])["Volumes"]
    assert (data["State"], data["Encrypted"], data["Size"]) == ("in-use", False, 10)
    larger = ("-var", "size=20")
    terraform.must("apply", "-auto-approve", "-input=false", "-parallelism=20", *larger)
    plan = terraform("plan", "-detailed-exitcode", "-input=false", *larger)
    assert plan.returncode == 0, plan.stdout[-4000:]
    (data,) = ec2.describe_volumes(VolumeIds=[made["data"]])["Volumes"]
    assert data["Size"] == 20
    terraform.must("destroy", "-auto-approve", "-input=false", "-parallelism=20", *larger)
    assert set(own(ec2).values()) == {0}
