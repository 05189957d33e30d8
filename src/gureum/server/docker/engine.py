"""The container engine of a cloud, put together: keeper, API, and a socket in each instance."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from gureum.engines.linux.inner import InnerEngine
from gureum.images import Store
from gureum.machines import Machines
from gureum.reconcile import Clock, MachineTasks
from gureum.resources.instance import Instance
from gureum.server.ami_images import AmiImages
from gureum.server.docker.archives import Archives
from gureum.server.docker.build import Builds
from gureum.server.docker.commit import Commits
from gureum.server.docker.containers import Containers
from gureum.server.docker.core import Core
from gureum.server.docker.exec import Execs
from gureum.server.docker.files import Files
from gureum.server.docker.health import Healths
from gureum.server.docker.images import Images
from gureum.server.docker.keeper import Keeper
from gureum.server.docker.networks import Networks
from gureum.server.docker.output import Output
from gureum.server.docker.router import Route, Router
from gureum.server.docker.sockets import Sockets
from gureum.server.docker.system import System
from gureum.server.docker.work import Works
from gureum.store import Commit
from gureum.store import Store as Rows

log = logging.getLogger(__name__)


class Part(Protocol):
    """A part of the API."""

    @property
    def routes(self) -> tuple[Route, ...]: ...


class DockerEngine:
    """What gives every instance its ``/run/docker.sock``."""

    def __init__(
        self,
        tag: str,
        rows: Rows,
        machines: Machines,
        images: Store,
        clock: Clock,
        netns_of: Callable[[str], Path],
        registries: Collection[str] = (),
    ) -> None:
        self.keeper = Keeper(rows, machines, InnerEngine(tag), images, clock, netns_of, tag)
        self._rows = rows
        self._machines = machines
        self._core = Core(self.keeper)
        core = self._core
        self._healths = Healths(core)
        self._works = Works()
        images_of_instances = Images(core, self._works, frozenset(registries))
        parts = (
            Containers(core, self._healths),
            Output(core),
            Execs(core),
            Files(core),
            Networks(core),
            System(core),
            images_of_instances,
            Archives(core, self._works, images_of_instances),
            Commits(core, self._works, images_of_instances),
            Builds(core, self._works, images_of_instances, lambda request: router(request)),
        )
        router = Router(route for part in parts for route in part.routes)
        self._sockets = Sockets(router)
        self._core.on(self._sockets.loop)
        self._amis = AmiImages(rows, machines, images, tag)
        self._listening = MachineTasks(self._listen, 1)
        self._started = False

    def start(self) -> None:
        """Serve; the cloud's network is in force and its instances are known."""
        self._sockets.start()
        self._started = True
        self.keeper.start()
        self._amis.start()
        self._sockets.loop.call_soon_threadsafe(self._healths.begin)
        self._rows.subscribe(self._follow)
        for row in self._rows.view.all(Instance):
            self._listening.wake(row.id)

    def stop(self) -> None:
        """Serve no more; containers keep running."""
        if not self._started:
            return
        self._started = False
        self._listening.close()
        self._amis.stop()
        with contextlib.suppress(TimeoutError):
            self._sockets.stop()
        self._works.close()
        self._core.close()
        self.keeper.stop()

    def _follow(self, commit: Commit) -> None:
        for key, (old, new) in commit.changes.rows.items():
            if isinstance(new or old, Instance):
                self._listening.wake(key)

    def _listen(self, instance: str) -> None:
        row = self._rows.view.find(Instance, instance)
        folder = self._machines.folder(instance) / "docker"
        if row is not None and row.state == "running" and folder.is_dir():
            self._sockets.open(instance, folder)
        else:
            self._sockets.close(instance)
