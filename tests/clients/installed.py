"""Clients that the project installs for tests, each from a lock file of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.daemon import REGION, Daemon

ROOT = Path(__file__).parent.parent.parent


def installed(name: str) -> Path:
    """The folder of a client.  A client that cannot be installed fails the test."""
    argv = ["bash", "scripts/client", name]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return ROOT / ".clients" / name


def environment(daemon: Daemon, home: Path) -> dict[str, str]:
    """The variables of a client that is at home in ``home``: EC2, STS, IAM and RAM are a
    daemon's."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "AWS_ENDPOINT_URL_EC2": daemon.endpoint,
        "AWS_ENDPOINT_URL_STS": daemon.endpoint,
        "AWS_ENDPOINT_URL_IAM": daemon.endpoint,
        "AWS_ENDPOINT_URL_RAM": daemon.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
