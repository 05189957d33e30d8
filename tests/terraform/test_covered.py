"""Every resource that the AWS provider has for what is built here is in a folder of
``examples/terraform``, or is an exception with a reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from gureum.iam.registry import ACTIONS as IAM_ACTIONS
from gureum.ram.registry import ACTIONS as RAM_ACTIONS
from gureum.resources import REGISTRY
from tests.terraform.program import EXAMPLES, clean, mirror
from tests.wiring import service_model

pytestmark = pytest.mark.terraform

FAMILIES = re.compile(
    r"""aws_(?:
        ami | customer_gateway | ebs | ec2 | egress_only_internet_gateway | eip | flow_log | iam |
        default_(?:network_acl|route_table|security_group|subnet|vpc) | instance |
        internet_gateway | key_pair | launch_template | main_route_table_association |
        nat_gateway | network_acl | network_interface | placement_group | ram | route(?:_table)? |
        security_group | snapshot_create_volume_permission | spot | subnet | volume_attachment |
        vpc | vpn
    )(?:_\w+)?""",
    re.VERBOSE,
)
"""The provider's names of the families that Gureum is about."""


def used() -> set[str]:
    """The resources in the folders."""
    texts = [path.read_text() for path in EXAMPLES.glob("*/*.tf")]
    return {name for text in texts for name in re.findall(r'^resource "(\w+)"', text, re.MULTILINE)}


def exceptions() -> dict[str, str]:
    """Patterns of names of resources, with what each waits for or the reason."""
    lines = (Path(__file__).parent / "uncovered.txt").read_text().splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if not line.startswith("#"))
    return {item[0]: item[1] for item in pairs}


def offered(folder: Path) -> set[str]:
    """The provider's resources of the families, as Terraform lists them once it is initialised."""
    shutil.copy(EXAMPLES / "network" / "main.tf", folder)

    def terraform(*args: str) -> str:
        return subprocess.run(
            ["terraform", *args],
            cwd=folder,
            env=clean(),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout

    terraform("init", "-input=false", f"-plugin-dir={mirror()}")
    (provider,) = json.loads(terraform("providers", "schema", "-json"))["provider_schemas"].values()
    return {name for name in provider["resource_schemas"] if FAMILIES.fullmatch(name)}


@pytest.mark.timeout(240)
def test_what_the_provider_offers_is_in_an_example(tmp_path: Path) -> None:
    names, known = offered(tmp_path), exceptions()
    assert len(names) > 150
    assert used() <= names
    excepted = {each for each in names if any(fnmatchcase(each, pattern) for pattern in known)}
    assert names - used() - excepted == set(), "built, and in no example"
    assert used() & excepted == set(), "in an example, and an exception"
    idle = {pattern for pattern in known if not any(fnmatchcase(n, pattern) for n in names)}
    assert idle == set()


def test_what_an_exception_waits_for_is_not_built() -> None:
    waits = {reason for reason in exceptions().values() if not reason.startswith("because ")}
    services = ("ec2", "iam", "ram")
    there = {name for each in services for name in service_model(each).operation_names}
    assert waits <= there
    built = {*REGISTRY.actions, *REGISTRY.listings, *IAM_ACTIONS, *RAM_ACTIONS}
    assert waits & built == set()
