"""The pytest plugin: it costs nothing unused, and its claims fail with the explanation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.cli.clouds import Served

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]

CLAIMS = """
def test_it_does(reaches):
    reaches("internet", "web", "8080")

def test_it_cannot(cannot_reach):
    cannot_reach("internet", "web", "22")
    cannot_reach("internet", "db", "3306")
    cannot_reach("web", "db")
"""


@pytest.fixture
def shop() -> Iterator[Served]:
    """The small workshop, served on a unix socket."""
    made = Served()
    try:
        made.build()
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def _only_our_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs in the tests have this checkout's plugin, whatever is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "GUREUM_STATE"):
        monkeypatch.delenv(name, raising=False)


def run(pytester: pytest.Pytester, text: str, *args: str) -> pytest.RunResult:
    """A run of pytest on a file of tests, in a process of its own, strict as our own runs are."""
    pytester.makepyfile(text)
    strict = ("-p", "gureum.pytest_plugin", "--strict-markers", "-W", "error")
    return pytester.runpytest_subprocess(*strict, *args, timeout=100)


def test_the_entry_point_names_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"gureum": "gureum.pytest_plugin"}
    assert hasattr(import_module("gureum.pytest_plugin"), "pytest_addoption")


def test_unused_it_imports_nothing_of_weight() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import gureum.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert found.stdout.split() == ["gureum", "gureum.pytest_plugin"]


def test_unused_it_starts_no_cloud(pytester: pytest.Pytester) -> None:
    """Nor does it touch the state folder that is asked for."""
    state = pytester.path / "state"
    text = "import sys\ndef test_a(): assert 'gureum.cli' not in sys.modules"
    run(pytester, text, "--gureum-state", str(state)).assert_outcomes(passed=1)
    assert not state.exists()


def test_claims_that_hold(pytester: pytest.Pytester, shop: Served) -> None:
    run(pytester, CLAIMS, "--gureum-state", str(shop.state)).assert_outcomes(passed=2)


def test_a_claim_that_does_not_hold_explains_why(pytester: pytest.Pytester, shop: Served) -> None:
    text = "def test_a(reaches): reaches('web', 'db', '3306')"
    found = run(pytester, text, "--gureum-state", str(shop.state))
    found.assert_outcomes(failed=1)
    said = found.stdout.str()
    assert "web does not reach db by 3306:" in said
    assert "ENI_SG_RULES_MISMATCH" in said
    assert "aws ec2 authorize-security-group-ingress" in said
    assert ">   def test_a(reaches): reaches('web', 'db', '3306')" in said
    assert "claims.py" not in said  # our own lines are of no help to whoever reads it


def test_what_should_not_get_through_is_told_with_its_way(
    pytester: pytest.Pytester, shop: Served
) -> None:
    text = "def test_a(cannot_reach): cannot_reach('internet', 'web', '8080')"
    found = run(pytester, text, "--gureum-state", str(shop.state))
    found.assert_outcomes(failed=1)
    said = found.stdout.str()
    assert "internet reaches web by 8080:" in said
    assert re.search(r"let in by sgr-", said)


def test_some_client_ports_are_neither_yes_nor_no(pytester: pytest.Pytester, shop: Served) -> None:
    """The answers to half of the client ports are denied."""
    acls = shop.api.call("DescribeNetworkAcls")["NetworkAcls"]
    acl = next(
        each
        for each in acls
        if shop.ids["outside"] in {a["SubnetId"] for a in each["Associations"]}
    )
    shop.api.call(
        "CreateNetworkAclEntry",
        NetworkAclId=acl["NetworkAclId"],
        RuleNumber=1,
        Protocol="6",
        RuleAction="deny",
        Egress=True,
        CidrBlock="0.0.0.0/0",
        PortRange={"From": 40000, "To": 65535},
    )
    text = (
        "def test_a(reaches): reaches('internet', 'web', '8080')\n"
        "def test_b(cannot_reach): cannot_reach('internet', 'web', '8080')"
    )
    found = run(pytester, text, "--gureum-state", str(shop.state))
    found.assert_outcomes(failed=2)
    said = found.stdout.str()
    assert "internet does not reach web by 8080 from every client port:" in said
    assert "works from some client ports only: 32768-39999" in said


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("cannot_reach('internet', 'dbb', '3306')", "dbb"),
        ("cannot_reach('internet', 'db', '3306x')", "'3306x' is none of"),
        ("cannot_reach('web', 'db', '3306')", "says nothing"),
    ],
)
def test_a_claim_about_nobody_does_not_hold(
    pytester: pytest.Pytester, shop: Served, call: str, said: str
) -> None:
    """A misspelt name, a service that is none, and an instance that is stopped."""
    shop.api.call("StopInstances", InstanceIds=[shop.ids["db"]])
    shop.until("db", "stopped")
    found = run(pytester, f"def test_a(cannot_reach): {call}", "--gureum-state", str(shop.state))
    found.assert_outcomes(failed=1)
    assert said in found.stdout.str()
    assert "client.py" not in found.stdout.str()  # a sentence, not our own traceback


def test_the_api_may_be_elsewhere(pytester: pytest.Pytester, shop: Served) -> None:
    text = (
        "def test_a(ec2, gureum_cloud, gureum):\n"
        "    assert ec2.meta.endpoint_url == gureum_cloud.endpoint == 'http://127.0.0.1:9'\n"
        "    assert ec2.meta.region_name == gureum_cloud.env['AWS_REGION'] == 'us-east-1'\n"
        "    assert gureum_cloud.env['AWS_ENDPOINT_URL'] == gureum_cloud.endpoint\n"
        "    assert 'us-east-1' in gureum('map').stdout"
    )
    options = ("--gureum-state", str(shop.state), "--gureum-endpoint", "http://127.0.0.1:9")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_REGION", "us-east-1")
        run(pytester, text, *options).assert_outcomes(passed=1)


def test_no_cloud_is_an_error(pytester: pytest.Pytester) -> None:
    options = ("--gureum-state", str(pytester.path / "none"))
    found = run(pytester, "def test_a(gureum): pass", *options)
    found.assert_outcomes(errors=1)
    assert "no cloud is running in" in found.stdout.str()


def test_without_boto3_the_client_says_what_is_missing(
    pytester: pytest.Pytester, shop: Served
) -> None:
    text = "import sys\nsys.modules['boto3'] = None\ndef test_a(ec2): pass"
    found = run(pytester, text, "--gureum-state", str(shop.state))
    found.assert_outcomes(errors=1)
    assert "pip install boto3" in found.stdout.str()


def test_a_claim_is_about_both_ip_versions(pytester: pytest.Pytester, shop: Served) -> None:
    """The port is open to IPv4 only."""
    shop.build6()
    eni = shop.shown("web")["NetworkInterfaces"][0]["NetworkInterfaceId"]
    text = (
        "def test_a(reaches): reaches('internet', 'web', '8080')\n"
        "def test_b(reaches): reaches('internet', 'web', '8080', ipv6=False)\n"
        "def test_c(cannot_reach): cannot_reach('internet', 'web', '8080', ipv6=True)\n"
        f"def test_d(reaches): reaches('db', '{eni}', '8080')\n"
        "def test_e(reaches): reaches('db', 'internet', '443', ipv6=True)\n"
        f"def test_f(cannot_reach): cannot_reach('internet', '{shop.ids['web6']}', '8080')\n"
    )
    found = run(pytester, text, "--gureum-state", str(shop.state))
    found.assert_outcomes(failed=2, passed=4)
    said = found.stdout.str()
    assert "internet does not reach web by 8080 over IPv6:" in said
    assert f"db does not reach {eni} by 8080 over IPv6:" in said


def test_a_door_over_ipv6_is_one(pytester: pytest.Pytester, shop: Served) -> None:
    shop.build6()
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    rule["Ipv6Ranges"] = [{"CidrIpv6": "::/0"}]
    shop.api.call("AuthorizeSecurityGroupIngress", GroupId=shop.ids["www"], IpPermissions=[rule])
    text = "def test_a(cannot_reach): cannot_reach('internet', 'web', '22')"
    found = run(pytester, text, "--gureum-state", str(shop.state))
    found.assert_outcomes(failed=1)
    assert "internet reaches web by 22 over IPv6:" in found.stdout.str()


def test_who_has_no_ipv6_is_asked_over_ipv4(pytester: pytest.Pytester, shop: Served) -> None:
    text = (
        "def test_a(reaches): reaches('internet', 'web', '8080')\n"
        "def test_b(reaches): reaches('internet', 'web', '8080', ipv6=True)\n"
    )
    found = run(pytester, text, "--gureum-state", str(shop.state))
    found.assert_outcomes(failed=1, passed=1)
    assert "no IPv6 address" in found.stdout.str()
