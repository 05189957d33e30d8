"""The AWS SDK for JavaScript v3: makes, pages through, waits for and deletes a network."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.installed import environment, installed
from tests.daemon import Daemon

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(900)]

SCRIPT = Path(__file__).parent / "javascript" / "network.mjs"


def test_a_network_is_made_paged_through_waited_for_and_deleted(
    daemon: Daemon, tmp_path: Path
) -> None:
    # Node looks for packages beside the script, so the script goes where they are linked.
    (tmp_path / "node_modules").symlink_to(installed("javascript") / "node_modules")
    shutil.copy(SCRIPT, tmp_path)
    done = subprocess.run(
        ["node", "--preserve-symlinks", "--preserve-symlinks-main", SCRIPT.name],
        cwd=tmp_path,
        env=environment(daemon, tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "name": True,
        "pages": [5, 5, 2],
        "all": True,
        "routes": [["10.40.0.0/16", "active"], ["0.0.0.0/0", "active"]],
        "rule": {"CidrIp": "0.0.0.0/0", "Description": "anybody"},
        "refused": {
            "twice": {"name": "InvalidPermission.Duplicate", "status": 400},
            "full": {"name": "DependencyViolation", "status": 400},
            "unknown": {"name": "InvalidSubnetID.NotFound", "status": 400},
        },
    }
    vpcs = daemon.ec2().describe_vpcs()["Vpcs"]
    assert [vpc["CidrBlock"] for vpc in vpcs] == ["172.31.0.0/16"], "only the default VPC is left"
    assert daemon.ec2().describe_addresses()["Addresses"] == []
