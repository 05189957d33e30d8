"""What the models say of actions and paths; reading them costs nothing until it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gureum.wire import actions, input_members, known_action, output_path_exists
from gureum.wire.models import api_versions, limits
from tests.wiring import SERVICES, service_model


@pytest.mark.parametrize("service", SERVICES)
def test_actions_are_botocores(service: str) -> None:
    assert actions(service) == set(service_model(service).operation_names)


def test_known_action() -> None:
    assert known_action("ec2", "DescribeVpcs")
    assert not known_action("ec2", "GetCallerIdentity")
    assert not known_action("nonsense", "DescribeVpcs")


def test_input_members() -> None:
    assert input_members("ec2", "DescribeVpcs") == {
        "Filters",
        "VpcIds",
        "NextToken",
        "MaxResults",
        "DryRun",
    }
    assert input_members("sts", "GetCallerIdentity") == frozenset()
    assert limits("ec2", "DescribeVpcs", "MaxResults") == (5, 1000)
    assert limits("ec2", "DescribeInstances", "MaxResults") == (None, None)


@pytest.mark.parametrize(
    ("action", "path", "exists"),
    [
        ("DescribeRouteTables", "Associations[].Main", True),
        ("DescribeRouteTables", "Associations[].AssociationState.State", True),
        ("DescribeRouteTables", "Associations.Main", False),
        ("DescribeRouteTables", "Associations[]", True),
        ("DescribeRouteTables", "VpcId", True),
        ("DescribeRouteTables", "VpcId[]", False),
        ("DescribeRouteTables", "VpcId.Foo", False),
        ("DescribeRouteTables", "NextToken", True),
        ("DescribeRouteTables", "RouteTables[].VpcId", True),
        ("DescribeRouteTables", "Nonsense", False),
        ("DescribeRouteTables", "", False),
        ("CreateVpc", "Vpc.VpcId", True),
        ("DeleteVpc", "Return", False),
    ],
)
def test_output_path_exists(action: str, path: str, exists: bool) -> None:
    assert output_path_exists("ec2", action, path) is exists


def test_old_versions_are_versions() -> None:
    assert {"2014-10-01", "2016-11-15"} <= api_versions("ec2")


def test_importing_reads_no_model() -> None:
    check = (
        "import sys, gureum.wire.listing, gureum.wire.models as models;"
        "assert not [name for name in sys.modules if name.startswith('botocore')];"
        "assert models.service.cache_info().currsize == 0;"
        "assert models.known_action('sts', 'GetCallerIdentity');"
        "assert models.service.cache_info().currsize == 1;"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
