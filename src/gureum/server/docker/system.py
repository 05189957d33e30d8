"""``/_ping``, ``/version``, ``/info``, ``/events``: about the engine and what it has.

Source: Docker Engine API 1.43, "System".
"""

from __future__ import annotations

import asyncio
import json
import platform
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from gureum.containers import find as found
from gureum.resources.instance import Instance
from gureum.resources.instance_types import TYPES
from gureum.server.docker import image_shapes as shapes_of_images
from gureum.server.docker.core import Core
from gureum.server.docker.http import Reply, Request
from gureum.server.docker.router import ENGINE, LEAST, VERSION, Route

QUEUE = 1000
"""Events that wait for a client who is slow; what is more is lost for it."""


class System:
    """The engine itself."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.routes: tuple[Route, ...] = (
            ("GET", "/_ping", self.ping),
            ("HEAD", "/_ping", self.ping),
            ("GET", "/version", self.version),
            ("GET", "/info", self.info),
            ("GET", "/events", self.events),
            ("GET", "/system/df", self.usage),
        )

    async def ping(self, request: Request) -> Reply:
        """Whether somebody is there, and which version is spoken."""
        del request
        headers = {
            "Api-Version": VERSION,
            "Docker-Experimental": "false",
            "Ostype": "linux",
            "Cache-Control": "no-cache, no-store, must-revalidate",
        }
        return Reply(content=b"OK", headers=headers, kind="text/plain; charset=utf-8")

    async def version(self, request: Request) -> Reply:
        """``docker version``."""
        del request
        about = {
            "ApiVersion": VERSION,
            "MinAPIVersion": LEAST,
            "Os": "linux",
            "Arch": _architecture(),
            "KernelVersion": platform.release(),
            "BuildTime": "",
            "GitCommit": "",
            "GoVersion": "",
        }
        engine = {"Name": "Engine", "Version": ENGINE, "Details": about}
        return Reply(content={"Platform": {"Name": "Gureum"}, "Components": [engine],
                              "Version": ENGINE, **about})  # fmt: skip

    async def info(self, request: Request) -> Reply:
        """``docker info``."""
        view = self._core.view
        rows = found.containers_of(view, request.instance)
        running = sum(row.state == "running" for row in rows)
        instance = view.find(Instance, request.instance)
        cores, threads = instance.processors if instance else (1, 1)
        memory = TYPES[instance.type].memory << 20 if instance else 0
        images = await self._core.run(lambda: self._core.keeper.shelf.list(request.instance))
        return Reply(content={
            "ID": request.instance,
            "Name": request.instance,
            "Containers": len(rows),
            "ContainersRunning": running,
            "ContainersPaused": sum(row.paused for row in rows),
            "ContainersStopped": len(rows) - running,
            "Images": len(images),
            "Driver": "overlay2",
            "DriverStatus": [["Backing Filesystem", "the machine's"]],
            "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "null"],
                        "Authorization": None, "Log": ["json-file"]},
            "MemoryLimit": True, "SwapLimit": False, "CpuCfsPeriod": True, "CpuCfsQuota": True,
            "CPUShares": True, "CPUSet": False, "PidsLimit": True, "IPv4Forwarding": True,
            "OomKillDisable": False, "Debug": False,
            "LoggingDriver": "json-file", "CgroupDriver": "cgroupfs",
            "KernelVersion": platform.release(), "OperatingSystem": "Gureum instance",
            "OSType": "linux", "Architecture": platform.machine(),
            "NCPU": cores * threads, "MemTotal": memory,
            "DockerRootDir": "/var/lib/docker", "ServerVersion": ENGINE,
            "IndexServerAddress": "", "RegistryConfig": {"IndexConfigs": {}, "Mirrors": []},
            "Runtimes": {"runc": {"path": "runc"}}, "DefaultRuntime": "runc",
            "Swarm": {"LocalNodeState": "inactive"}, "LiveRestoreEnabled": True,
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"],
            "SystemTime": self._core.now(), "Warnings": None,
        })  # fmt: skip

    async def usage(self, request: Request) -> Reply:
        """``docker system df``, without sizes of layers that containers wrote."""
        volumes = found.volumes_of(self._core.view, request.instance)
        images = await self._core.run(lambda: self._core.keeper.shelf.list(request.instance))
        return Reply(content={
            "LayersSize": sum(seen.image.size for seen in images),
            "Images": [shapes_of_images.summary(seen) for seen in images],
            "Containers": [], "BuildCache": [],
            "Volumes": [{"Name": v.name, "Driver": "local", "Mountpoint": "", "Scope": "local",
                         "Labels": None, "Options": None,
                         "UsageData": {"Size": 0, "RefCount": -1}} for v in volumes],
        })  # fmt: skip

    async def events(self, request: Request) -> Reply:
        """What becomes of containers, as it happens."""
        return Reply(stream=self._events(request.instance, request.filters()))

    async def _events(self, instance: str, filters: dict[str, list[str]]) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(QUEUE)
        self._core.events.add(queue)
        try:
            yield b""
            while True:
                event = await queue.get()
                if event["instance"] == instance and _wanted(event, filters):
                    at = datetime.fromisoformat(self._core.now()).timestamp()
                    shown = {name: value for name, value in event.items() if name != "instance"}
                    shown |= {"time": int(at), "timeNano": int(at * 1_000_000_000)}
                    yield json.dumps(shown).encode() + b"\n"
        finally:
            self._core.events.discard(queue)


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _wanted(event: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    attributes = event["Actor"]["Attributes"]
    checks = {
        "type": event["Type"],
        "event": event["Action"],
        "container": (event["id"], attributes["name"]),
        "image": event["from"],
    }
    for name, values in filters.items():
        if name == "label":
            pairs = [each.partition("=") for each in values]
            if not all(k in attributes and (not e or attributes[k] == v) for k, e, v in pairs):
                return False
        elif name in checks:
            has = checks[name]
            if not any(each in has if isinstance(has, tuple) else each == has for each in values):
                return False
    return True
