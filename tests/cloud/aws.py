"""The AWS CLI of the tests' own virtual environment, against a daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.daemon import REGION, Daemon


def aws(daemon: Daemon, *words: str) -> dict[str, Any]:
    """The answer of ``aws ec2``, which must succeed; nothing where it prints nothing."""
    answer: dict[str, Any] = json.loads(_run(daemon, *words, "--output", "json") or "{}")
    return answer


def wait(daemon: Daemon, *words: str) -> None:
    """``aws ec2 wait``: it must come to its end well.  It looks every fifteen seconds; so that it
    finds what it wants at once, the same waiter of boto3 looks more often before it."""
    name, option, *ids = words
    key = "".join(word.capitalize() for word in option.strip("-").split("-"))
    waiter = daemon.ec2().get_waiter(name.replace("-", "_"))
    waiter.wait(**{key: ids}, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300})
    _run(daemon, "wait", *words)


def _run(daemon: Daemon, *words: str) -> str:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(daemon.state),
        "AWS_ENDPOINT_URL": daemon.endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_PAGER": "",
    }
    argv = [str(Path(sys.executable).with_name("aws")), "ec2", *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
