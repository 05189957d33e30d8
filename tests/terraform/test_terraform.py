"""Terraform and its AWS provider against a real daemon: apply, no drift, packets, destroy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon
from tests.kernel.packets import eventually, run, tcp

pytestmark = [pytest.mark.terraform, pytest.mark.kernel, pytest.mark.timeout(600)]

CONFIGURATIONS = Path(__file__).parent
PROVIDER = "registry.terraform.io/hashicorp/aws"


def mirrors() -> list[Path]:
    """Folders that hold the AWS provider for use without a network."""
    given = os.environ.get("GUREUM_TERRAFORM_PLUGINS")
    roots = [Path(given)] if given else [*Path("/opt").glob("*"), Path("/usr/share/terraform")]
    return [root for root in roots if (root / PROVIDER).is_dir()]


class Terraform:
    """Terraform in a folder of its own."""

    def __init__(self, folder: Path, endpoint: str, configuration: str) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "TF_VAR_endpoint": endpoint,
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        shutil.copy(CONFIGURATIONS / configuration, folder)

    def __call__(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *args],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def must(self, *args: str) -> str:
        done = self(*args)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def outputs(self) -> dict[str, Any]:
        return {k: v["value"] for k, v in json.loads(self.must("output", "-json")).items()}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path / "state", "--no-host-link")
    made.start()
    yield made
    made.close()


@pytest.fixture
def terraform(request: Any, tmp_path: Path, daemon: Daemon) -> Terraform:
    """Terraform for the configuration that a test names, ``main.tf`` unless it does."""
    found = mirrors()
    if shutil.which("terraform") is None or not found:
        pytest.skip("NOT TESTED: terraform or a mirror of its AWS provider is not on this machine")
    folder = tmp_path / "configuration"
    folder.mkdir()
    made = Terraform(folder, daemon.endpoint, getattr(request, "param", "main.tf"))
    made.must("init", "-input=false", f"-plugin-dir={found[0]}")
    return made


def test_apply_shows_no_drift_carries_packets_and_destroys(
    terraform: Terraform, daemon: Daemon
) -> None:
    terraform.must("apply", "-auto-approve", "-input=false", "-parallelism=20")
    plan = terraform("plan", "-detailed-exitcode", "-input=false")
    assert plan.returncode == 0, plan.stdout[-4000:]
    made = terraform.outputs()
    assert made["path_found"] is True
    me = daemon.netns("host-me")
    assert eventually(lambda: tcp(me, made["web"], 80) == "open", 10)
    assert "hello" in run(me, "curl", "-s", f"http://{made['web']}/").stdout
    assert tcp(daemon.netns(made["db"]), "198.19.0.20", 9) == "refused", "out by the NAT gateway"
    assert tcp(me, made["web6"], 22) == "timeout"
    assert tcp(me, made["web6"], 80) == "open"
    assert tcp(daemon.netns(made["db"]), "3fff:800::20", 9) == "refused", "out by egress-only"
    terraform.must("destroy", "-auto-approve", "-input=false", "-parallelism=20")
    ec2 = daemon.ec2()
    assert [vpc["CidrBlock"] for vpc in ec2.describe_vpcs()["Vpcs"]] == ["172.31.0.0/16"]
    assert ec2.describe_addresses()["Addresses"] == []


@pytest.mark.parametrize("terraform", ["network.tf"], indirect=True)
def test_the_lesser_resources_of_networks(terraform: Terraform, daemon: Daemon) -> None:
    once = ("-auto-approve", "-input=false", "-parallelism=20")

    def same() -> None:
        plan = terraform("plan", "-detailed-exitcode", "-input=false", *changes)
        assert plan.returncode == 0, plan.stdout[-4000:]

    changes: tuple[str, ...] = ()
    terraform.must("apply", *once)
    same()
    made = terraform.outputs()
    prefix = IPv4Network(made["prefix"])
    assert prefix.prefixlen == 28
    # Not always its first: an address that was given out before the reservation may lie in it.
    assert prefix.subnet_of(IPv4Network("10.0.1.64/26")), "delegated from the reservation"
    assert len(set(made["s3"])) == 1
    ec2 = daemon.ec2()
    changes = ("-var", 'offices=["198.51.100.0/24", "192.0.2.128/25"]')
    terraform.must("apply", *once, *changes)
    same()
    found = ec2.get_managed_prefix_list_entries(PrefixListId=made["offices"])["Entries"]
    assert [entry["Cidr"] for entry in found] == ["198.51.100.0/24", "192.0.2.128/25"]
    terraform.must("destroy", *once, *changes)
    assert [vpc["CidrBlock"] for vpc in ec2.describe_vpcs()["Vpcs"]] == ["172.31.0.0/16"]
    lists = ec2.describe_managed_prefix_lists()["PrefixLists"]
    assert {each["OwnerId"] for each in lists} == {"AWS"}
    assert ec2.describe_flow_logs()["FlowLogs"] == []


@pytest.mark.parametrize("terraform", ["peering.tf"], indirect=True)
def test_two_vpcs_are_peered(terraform: Terraform, daemon: Daemon) -> None:
    once = ("-auto-approve", "-input=false", "-parallelism=20")
    terraform.must("apply", *once)
    plan = terraform("plan", "-detailed-exitcode", "-input=false")
    assert plan.returncode == 0, plan.stdout[-4000:]
    made = terraform.outputs()
    assert _resolves(daemon, made["connection"]) == (True, True)
    for one, other in (("shop", "store"), ("store", "shop")):
        seen = tcp(daemon.netns(made["instances"][one]["id"]), made["instances"][other]["ip"], 80)
        assert seen == "refused", f"{one} reaches {other}, where nobody listens"
    changes = ("-var", "resolve=false")
    terraform.must("apply", *once, *changes)
    assert _resolves(daemon, made["connection"]) == (False, True)
    terraform.must("destroy", *once, *changes)
    ec2 = daemon.ec2()
    assert [vpc["CidrBlock"] for vpc in ec2.describe_vpcs()["Vpcs"]] == ["172.31.0.0/16"]
    (row,) = ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
    assert row["Status"]["Code"] == "deleted"


def _resolves(daemon: Daemon, key: str) -> tuple[bool, bool]:
    """The DNS option of the requester's and of the accepter's side."""
    answer = daemon.ec2().describe_vpc_peering_connections(VpcPeeringConnectionIds=[key])
    (row,) = answer["VpcPeeringConnections"]
    one, other = (
        row[side]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"]
        for side in ("RequesterVpcInfo", "AccepterVpcInfo")
    )
    return one, other
