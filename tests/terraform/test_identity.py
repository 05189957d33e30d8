"""Terraform's users, groups, roles and policies: apply, no drift, change, destroy."""

from __future__ import annotations

import pytest

from tests.daemon import Daemon
from tests.terraform.test_terraform import Terraform, daemon, terraform

__all__ = ["daemon", "terraform"]

pytestmark = [pytest.mark.terraform, pytest.mark.kernel, pytest.mark.timeout(600)]

WIDE = ("-var", "wide=true")


@pytest.mark.parametrize("terraform", ["identity.tf"], indirect=True)
def test_identities(terraform: Terraform, daemon: Daemon) -> None:
    once = ("-auto-approve", "-input=false", "-parallelism=20")
    terraform.must("apply", *once)
    plan = terraform("plan", "-detailed-exitcode", "-input=false")
    assert plan.returncode == 0, plan.stdout[-4000:]
    iam = daemon.ec2("iam")
    profile = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    assert profile["Arn"] == terraform.outputs()["profile"]
    terraform.must("apply", *once, *WIDE)
    plan = terraform("plan", "-detailed-exitcode", "-input=false", *WIDE)
    assert plan.returncode == 0, plan.stdout[-4000:]
    versions = iam.list_policy_versions(PolicyArn="arn:aws:iam::123456789012:policy/team/reads")[
        "Versions"
    ]
    assert len(versions) == 2
    terraform.must("destroy", *once, *WIDE)
    details = (iam.list_users()["Users"], iam.list_roles()["Roles"], iam.list_groups()["Groups"])
    assert details == ([], [], [])
    assert iam.list_policies(Scope="Local")["Policies"] == []
