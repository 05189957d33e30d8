"""What a container inside an instance is, seen from the machine: layers, namespaces, network."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gureum.containers import Container, ContainerNetwork, DockerError
from gureum.containers.find import container
from gureum.engines.linux.lower_inner import container_link
from gureum.errors import ApiError
from gureum.kind import Shape
from gureum.machines import cgroups
from gureum.model import View
from gureum.server import places
from gureum.server.cloud import Cloud
from gureum.server.docker.files import changed
from gureum.server.docker.keeper import Keeper
from gureum.server.places import Scope

KINDS = ("pid", "mnt", "net", "user", "ipc", "uts", "cgroup")
LIMITS = (
    ("memory", "memory.limit_in_bytes", "memory.max"),
    ("cpu", "cpu.cfs_quota_us", "cpu.max"),
    ("pids", "pids.max", "pids.max"),
)
PATIENCE = 5.0
_MOST_MOUNTS = 100


def container_net(cloud: Cloud) -> Callable[[Container], Path | None]:
    """Where the kernel tells of the network of a container of a cloud."""

    def net(row: Container) -> Path | None:
        docker = cloud.docker
        running = docker.keeper.room.running(row.instance, row.id) if docker else None
        return Path(f"/proc/{running.pid}/net") if running else None

    return net


class ContainersSeen:
    """Looks at containers."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def show(self, scope: Scope, place: str, name: str) -> Shape:
        """All that can be seen of one.

        Raises:
            ApiError: the codes of :func:`places.resolve`; ``NoSuchContainer``.
        """
        docker = self._cloud.docker
        found = places.resolve(scope, place, ("instance",))
        view = self._cloud.store.view
        if docker is None:
            raise ApiError("NotRunning", "Instances are records here, without machines.", 409)
        try:
            row = container(view, found.id, name)
        except DockerError as error:
            raise ApiError("NoSuchContainer", f"{error}.", 404) from None
        running = docker.keeper.room.running(row.instance, row.id)
        pid = running.pid if running else None
        return {
            "place": found.shown(),
            "container": {"id": row.id, "name": row.name, "image": row.image, "state": row.state,
                          "pid": pid},
            "layers": _layers(docker.keeper, row, pid),
            "namespaces": self._namespaces(row, pid),
            "cgroup": _cgroup(docker.keeper, row),
            "network": list(self._network(row, view)),
        }  # fmt: skip

    def _namespaces(self, row: Container, pid: int | None) -> list[Shape]:
        """The inode of each of its namespaces beside the instance's and this machine's."""
        if pid is None:
            return []
        status = self._cloud.machines.observe_one(row.instance)
        owners = {"container": pid, "instance": status.pid if status else None, "machine": "self"}
        return [
            {"kind": kind, **{who: _inode(of, kind) for who, of in owners.items() if of}}
            for kind in KINDS
        ]

    def _network(self, row: Container, view: View) -> Iterator[Shape]:
        netns = self._cloud.engine.netns(row.instance)
        for index, end in enumerate(row.endpoints):
            network = view.find(ContainerNetwork, end.network)
            if network is None or not end.ip:
                continue
            yield {
                "network": network.name,
                "bridge": network.link,
                "gateway": network.gateway,
                "inside": f"eth{index}",
                "ip": end.ip,
                "mac": end.mac,
                "outside": container_link(row.id, index),
                "macs": _macs(netns, network.link),
                "published": [
                    f"{port.address or '0.0.0.0'}:{port.given}->{port.container}/{port.protocol}"  # noqa: S104
                    for port in row.ports
                    if port.given
                ],
            }


def _layers(keeper: Keeper, row: Container, pid: int | None) -> Shape:
    folder = keeper.room.folder(row.instance, row.id)
    try:
        layers = keeper.specs.layers(row)
    except DockerError as error:
        raise ApiError("NoSuchImage", f"{error}.", 404) from None
    words = ("added", "changed", "deleted")
    order = {1: words[0], 0: words[1], 2: words[2]}
    return {
        "image": [str(path) for path in layers],
        "upper": str(folder / "upper"),
        "changes": [
            {"path": each["Path"], "what": order[int(str(each["Kind"]))]}
            for each in changed(folder / "upper", layers)
        ],
        "mounts": list(_mounts(pid)),
    }


def _mounts(pid: int | None) -> Iterator[Shape]:
    """Its mounts, as the kernel lists them (proc(5), ``mountinfo``)."""
    if pid is None:
        return
    rows = Path(f"/proc/{pid}/mountinfo").read_text(errors="replace").splitlines()
    for row in rows[:_MOST_MOUNTS]:
        left, _, right = row.partition(" - ")
        fields = left.split()
        yield {"target": fields[4], "options": fields[5], "kind": right.split()[0]}


def _cgroup(keeper: Keeper, row: Container) -> Shape:
    path = keeper.room.cgroup(row.instance, row.id)
    names = {one: two if cgroups.is_unified() else first for one, first, two in LIMITS}
    limits = {each: cgroups.read(path, each, name).strip() for each, name in names.items()}
    return {"path": path, "limits": limits, "processes": sorted(cgroups.processes(path))}


def _inode(pid: int | str, kind: str) -> int | None:
    try:
        return Path(f"/proc/{pid}/ns/{kind}").stat().st_ino
    except OSError:
        return None


def _macs(netns: Path, link: str) -> list[Shape]:
    """The MAC table of a bridge in an instance."""
    argv = ["nsenter", f"--net={netns}", "bridge", "-j", "fdb", "show", "br", link]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env={"PATH": os.environ.get("PATH", "")},
        )
        rows: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
    except (subprocess.TimeoutExpired, ValueError):
        return []
    return [
        {"mac": row["mac"], "link": row["ifname"], "kind": row.get("state") or "learned"}
        for row in rows
        if row.get("master") == link and not row["mac"].startswith(("33:33", "01:00"))
    ]
