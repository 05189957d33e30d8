"""The plugin's own cloud: started for the run, real packets in it, and nothing left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.daemon import Daemon

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

TESTS = """
import pathlib
import subprocess

def test_where_it_is(gureum_cloud):
    pathlib.Path("where").write_text(str(gureum_cloud.state))
    pathlib.Path("tag").write_text((gureum_cloud.state / "tag").read_text().strip())

def test_the_web_server(ec2, gureum, reaches, cannot_reach):
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["gureum-base*"]}])["Images"][0]
    run = ec2.run_instances(
        ImageId=image["ImageId"], InstanceType="t3.nano", MinCount=1, MaxCount=1,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}
        ],
    )
    web = run["Instances"][0]
    ec2.get_waiter("instance_running").wait(
        InstanceIds=[web["InstanceId"]], WaiterConfig={"Delay": 1}
    )
    cannot_reach("me", "web")
    assert gureum("ping", "me", "web").returncode != 0
    group = web["SecurityGroups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1,
             "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ],
    )
    reaches("me", "web")
    found = gureum("ping", "me", "web")
    assert found.returncode == 0, found.stdout + found.stderr

def test_one_that_fails(reaches):
    reaches("me", "web", "22")
"""


def test_a_cloud_for_the_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim, the packet and the change agree; afterwards the machine is as it was, though a
    test has failed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GUREUM_STATE", str(pytester.path / "not-this-one"))
    pytester.makepyfile(TESTS)
    found = pytester.runpytest_subprocess("-p", "gureum.pytest_plugin", "-W", "error", timeout=150)
    found.assert_outcomes(passed=2, failed=1)
    assert "me does not reach web by 22:" in found.stdout.str()
    state = Path((pytester.path / "where").read_text())
    tag = (pytester.path / "tag").read_text()
    assert tag
    assert not state.parent.exists()
    assert not (pytester.path / "not-this-one").exists()
    assert left(pytester.path, state, tag) == []


def left(folder: Path, state: Path, tag: str) -> list[str]:
    """What the machine still has of a cloud whose state folder is gone."""
    marked = folder / "gone"
    marked.mkdir()
    (marked / "tag").write_text(tag)
    return [*Daemon(marked).left(), *processes(state)]


def processes(state: Path) -> list[str]:
    """The processes that have the state folder on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_text(errors="replace")
        except OSError:  # it has just ended
            continue
        if str(state) in command:
            found.append(command)
    return found
