"""The baseline: one container on a bridge, made with iproute2 and the OCI runtime's own command.

It is the least that any container with an interface costs: no API, no database, no filters, no
address translation, and nothing is read back.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.kernel.packets import ping

from gureum.images import ImageStore

NAME = "gubench"
ROUTER, HOST = f"{NAME}-r", f"{NAME}-i"


def _ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True)


@contextmanager
def router() -> Iterator[Path]:
    """A namespace with a bridge that has an address."""
    _forget(ROUTER)  # of a run that was killed
    _ip("netns", "add", ROUTER)
    try:
        _ip("-n", ROUTER, "link", "add", "br0", "type", "bridge")
        _ip("-n", ROUTER, "addr", "add", "10.0.0.1/24", "dev", "br0")
        _ip("-n", ROUTER, "link", "set", "br0", "up")
        yield Path("/run/netns") / ROUTER
    finally:
        _ip("netns", "del", ROUTER)


@contextmanager
def between() -> Iterator[tuple[Path, Path, str]]:
    """Two namespaces joined by a router that filters nothing: both, and the second's address."""
    left, right = f"{NAME}-left", f"{NAME}-right"
    for name in (ROUTER, left, right):
        _forget(name)  # of a run that was killed
        _ip("netns", "add", name)
    try:
        for number, name in enumerate((left, right)):
            _ip(
                "link",
                "add",
                f"e{number}",
                "netns",
                ROUTER,
                "type",
                "veth",
                "peer",
                "eth0",
                "netns",
                name,
            )
            _ip("-n", ROUTER, "addr", "add", f"10.0.{number}.1/24", "dev", f"e{number}")
            _ip("-n", ROUTER, "link", "set", f"e{number}", "mtu", "9001", "up")
            _ip("-n", name, "addr", "add", f"10.0.{number}.2/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "mtu", "9001", "up")
            _ip("-n", name, "route", "add", "default", "via", f"10.0.{number}.1")
        _ip("netns", "exec", ROUTER, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        yield Path("/run/netns") / left, Path("/run/netns") / right, "10.0.1.2"
    finally:
        for name in (ROUTER, left, right):
            _forget(name)


@contextmanager
def bundled(image: Path, netns: Path | None = None) -> Iterator[Path]:
    """A bundle of a container that sleeps, in a network namespace of its own or in one that is
    there; its root is read-only."""
    with TemporaryDirectory(prefix="gureum-bench-") as folder:
        bundle = Path(folder)
        subprocess.run(["runc", "spec"], cwd=bundle, check=True)
        config = json.loads((bundle / "config.json").read_text())
        config["process"] |= {"terminal": False, "args": ["sleep", "60"]}
        config["root"] = {"path": str(image), "readonly": True}
        for space in config["linux"]["namespaces"]:
            if netns and space["type"] == "network":
                space["path"] = str(netns)
        (bundle / "config.json").write_text(json.dumps(config))
        yield bundle


def once(place: Path) -> float:
    """Seconds from nothing to the first ping answered, for one container."""
    runtime = shutil.which("crun") or "runc"
    image = ImageStore().ensure("gureum-base")
    with bundled(image, Path("/run/netns") / HOST) as bundle:
        _forget(HOST)
        try:
            return _boot(runtime, bundle, place)
        finally:
            remove()


def _boot(runtime: str, bundle: Path, place: Path) -> float:
    begun = time.monotonic()
    _ip("netns", "add", HOST)
    _ip("link", "add", "e0", "netns", ROUTER, "type", "veth", "peer", "eth0", "netns", HOST)
    _ip("-n", ROUTER, "link", "set", "e0", "master", "br0", "up")
    _ip("-n", HOST, "addr", "add", "10.0.0.2/24", "dev", "eth0")
    _ip("-n", HOST, "link", "set", "eth0", "up")
    start(runtime, bundle)
    while ping(place, "10.0.0.2", patience=0.02) != "reply":
        pass
    return time.monotonic() - begun


def remove() -> None:
    """Remove the container, whichever runtime started it, and its namespace."""
    for program in ("crun", "runc"):
        with contextlib.suppress(FileNotFoundError):
            subprocess.run(
                [program, "delete", "--force", NAME], check=False, capture_output=True, timeout=30
            )
    _forget(HOST)


def _forget(name: str) -> None:
    """Remove a namespace, if it is there; only ones that this file names."""
    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def start(runtime: str, bundle: Path) -> None:
    """Start the container with crun, or with runc where crun refuses this host."""
    for program in (runtime, "runc"):
        done = subprocess.run(
            [program, "run", "--detach", "--bundle", str(bundle), NAME],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode == 0:
            return
    raise RuntimeError("no OCI runtime starts a bare container here")
