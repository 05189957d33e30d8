"""A real daemon for tests: its own state folder, its own port, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

REGION = "ap-northeast-2"
START = 30.0
"""Seconds a daemon may take to serve; probing the kernel and the runtime takes about one."""


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Daemon:
    """``gureum serve`` as a child process.  ``options`` go on its command line."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.port = free_port()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tag(self) -> str:
        """Marks what this cloud makes in the kernel."""
        return (self.state / "tag").read_text().strip()

    def gureum(self, *args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """A command of Gureum's for this daemon."""
        return subprocess.run(
            [sys.executable, "-m", "gureum", "--state", str(self.state), *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.state.mkdir(parents=True, exist_ok=True)
        call = [sys.executable, "-m", "gureum", "--state", str(self.state), "serve"]
        with (self.state / "test.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*call, "--port", str(self.port), *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START
        while not self._answers():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.state / "gureum.sock"))
            except OSError:
                return False
        with self.console() as client:
            return client.get("/status").status_code == 200

    def console(self) -> httpx.Client:
        """A client of the daemon's unix socket."""
        transport = httpx.HTTPTransport(uds=str(self.state / "gureum.sock"))
        return httpx.Client(transport=transport, base_url="http://gureum", timeout=30)

    def log(self) -> str:
        """What the daemon said."""
        return (self.state / "test.log").read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """``kill -9``."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Tear everything down, whatever state the daemon is in."""
        if self.process is None:
            return
        if self.process.poll() is not None:
            self.start()
        with self.console() as client:
            client.post("/down").raise_for_status()
        self.process.wait(timeout=60)
        assert self.left() == [], self.left()

    def left(self) -> list[str]:
        """What the machine still has of this cloud."""
        mark = f"gu{self.tag}"
        cgroup = f"gureum-{self.tag}-"
        found = [str(path) for path in Path("/run/netns").glob(f"{mark}*-*")]
        found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{cgroup}*")]
        found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"{cgroup}*")]
        found += [f"mount {row}" for row in _rows("/proc/mounts") if str(self.state) in row]
        links = json.loads(subprocess.check_output(["ip", "-j", "link"]))
        found += [f"link {link['ifname']}" for link in links if link["ifname"].startswith(mark)]
        for process in Path("/proc").glob("[0-9]*"):
            if process.name == str(os.getpid()):
                continue
            try:
                command = (process / "cmdline").read_text(errors="replace")
            except OSError:
                continue
            if str(self.state) in command:
                found.append(f"process {process.name}: {command[:200]}")
        return found

    # --- the API -------------------------------------------------------------------------------
    def ec2(self, service: str = "ec2", account: str = "test") -> Any:
        """An unmodified client of AWS's, of an account or of the usual one."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=account,
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}),
        )

    def netns(self, place: str) -> Path:
        """The namespace file of a part of this cloud."""
        return Path("/run/netns") / f"gu{self.tag}-{place}"


def _rows(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
