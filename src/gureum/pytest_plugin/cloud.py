"""The cloud that tests use: one of their own, or one that is up."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from gureum.cli.client import Daemon
from gureum.cli.env import variables
from gureum.cli.options import Where
from gureum.resources.region import DEFAULT_REGION
from gureum.server.settings import default_state

PATIENCE = 600.0
"""Seconds that a command may take: 'gureum up' may have to build an image first."""


class CloudError(Exception):
    """The cloud for the tests could not be started, found or taken down."""


class Command(Protocol):
    """Runs a command of Gureum's, and gives its exit status and what it printed."""

    def __call__(
        self, *args: str, timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]: ...


@dataclass(frozen=True)
class Cloud:
    """A cloud that is up: its state folder, the address of its API, and the region in which the
    tests' names count."""

    state: Path
    endpoint: str
    region: str

    @property
    def env(self) -> dict[str, str]:
        """The environment in which AWS's clients, Terraform and Gureum's commands mean this cloud
        and the same account and region of it."""
        return os.environ | variables(self.endpoint, self.region, None)

    @property
    def console(self) -> Daemon:
        """The daemon's own API, which Gureum's commands use."""
        return Daemon(self.state, Where(None, self.region))

    def run(self, *args: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """See :class:`Command`.

        Raises:
            subprocess.TimeoutExpired: it took longer than ``timeout`` seconds.
        """
        return _run(self.state, args, self.env, timeout)

    def client(self, service: str) -> Any:
        """A boto3 client of the cloud's.  It fails the test where boto3 is not installed."""
        try:
            # By name: boto3 is the tests' own, and no dependency of Gureum's.
            boto3 = importlib.import_module("boto3")
        except ModuleNotFoundError:
            pytest.fail(f"a client of {service} needs boto3: pip install boto3", pytrace=False)
        given = variables(self.endpoint, self.region, None)
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        )


def running(state: Path | None, endpoint: str | None) -> Cloud:
    """The cloud of a state folder (the default one's for None), which is up.

    Raises:
        gureum.cli.failure.Failure: none is.
    """
    folder = state or default_state()
    status = Daemon(folder).get("/status")
    return Cloud(folder, endpoint or str(status["endpoint"]), _region())


@contextmanager
def ephemeral() -> Iterator[Cloud]:
    """A cloud of its own: state folder, free port, real packets; nothing remains of it.

    The host is not linked to its public addresses: another cloud may be, and one can be at a time.

    Raises:
        CloudError: it does not start, or not all of it could be taken down; the folder is kept
            then, and 'gureum --state FOLDER down' tries again.
    """
    # Unix sockets have short paths (unix(7)), shorter than many of pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="gureum-"))
    state = folder / "state"
    try:
        up = _checked(state, "up", "--port", "0", "--no-host-link", "--json")
        yield Cloud(state, str(json.loads(up)["endpoint"]), _region())
    finally:
        _checked(state, "down", "--wipe", "--yes")
        _remove(folder, state)


def _remove(folder: Path, state: Path) -> None:
    """Remove what 'down --wipe' leaves: the log and other single files.  Never a tree, which could
    have something mounted in it."""
    if state.exists():
        for path in state.iterdir():
            path.unlink()
        state.rmdir()
    folder.rmdir()


def _region() -> str:
    """The region that AWS's clients would take from the environment, else the cloud's default."""
    given = (os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
    return next((each for each in given if each), DEFAULT_REGION)


def _checked(state: Path, *args: str) -> str:
    found = _run(state, args, dict(os.environ), PATIENCE)
    if found.returncode:
        command = " ".join(("gureum", "--state", str(state), *args))
        said = found.stderr.strip()
        raise CloudError(f"'{command}' ended with {found.returncode}: {said}")
    return found.stdout


def _run(
    state: Path, args: tuple[str, ...], env: dict[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gureum", "--state", str(state), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=env,
    )
