"""Keeps the containers of every instance as their rows want them.

It follows the commits as the cloud's own reconciler does, one task an instance at a time, and finds
everything again after ``kill -9``: rows say what is wanted, the folders and the kernel what is.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gureum.containers import (
    Container,
    ContainerImage,
    ContainerNetwork,
    ContainerVolume,
    DockerError,
)
from gureum.containers import changes as change
from gureum.containers.find import container, containers_of, images_of, volumes_of
from gureum.containers.lower import inside
from gureum.containers.names import named_networks
from gureum.containers.networks import networks_of
from gureum.engines import EngineError
from gureum.engines.linux.inner import InnerEngine
from gureum.images import Store
from gureum.machines import MachineError, Machines
from gureum.machines.nested import NestedRoom, StartError
from gureum.model import Txn, View
from gureum.model.timestamps import age
from gureum.reconcile import Clock, MachineTasks
from gureum.resources.instance import Instance
from gureum.server.docker.failures import exit_code, explained
from gureum.server.docker.holds import Holds
from gureum.server.docker.names import Names
from gureum.server.docker.shelf import Shelf
from gureum.server.docker.spec import Specs, hosts, resolver, servers
from gureum.store import Commit
from gureum.store import Store as Rows

log = logging.getLogger(__name__)

WORKERS = 4
FIRST_PAUSE, LONGEST_PAUSE, LONG_RUN = 0.1, 60.0, 10.0
"""Seconds between an end and the next start by policy: doubled each time, and the first again after
a run that was long (moby, ``restartmanager``)."""

EXITS = 1000
"""Exit codes that are kept for those who wait."""
OURS = (Container, ContainerNetwork, ContainerVolume, ContainerImage)
Ours = Container | ContainerNetwork | ContainerVolume | ContainerImage
Ready = Callable[[Path], None]


class Keeper:
    """The container engine of a cloud, without its API."""

    def __init__(
        self,
        rows: Rows,
        machines: Machines,
        inner: InnerEngine,
        images: Store,
        clock: Clock,
        netns_of: Callable[[str], Path],
        tag: str,
    ) -> None:
        self.rows = rows
        self.images = images
        self.holds = Holds(images, tag)
        self.shelf = Shelf(images, lambda: rows.view)
        self.clock = clock
        self.machines = machines
        self._inner = inner
        self._names = Names(tag, rows)
        self._netns_of = netns_of
        self._tasks = MachineTasks(self._converge, WORKERS)
        self.room = NestedRoom(machines, self._tasks.wake)
        self.specs = Specs(images, self.room)
        self.told: list[Callable[[Commit], None]] = []
        self._broken: dict[str, str] = {}
        self.exits: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._boots: dict[str, int] = {}
        self._told: dict[str, tuple[int, dict[str, str]]] = {}
        self._cleared: dict[str, int] = {}
        """Of containers that do not run, the run of which nothing is left; most are so."""
        self._pauses: dict[str, tuple[float, float]] = {}
        self._ready: dict[str, list[Ready]] = {}
        self._lock = threading.Lock()
        self._timers: set[threading.Timer] = set()

    # --- life ------------------------------------------------------------------------------------
    def start(self) -> None:
        """Take up what there is, then follow the commits.  The cloud's network is in force."""
        self._names.start()
        self.rows.subscribe(self._follow)
        view = self.rows.view
        self._inner.keep_only({row.id for row in view.all(Container) if row.wanted})
        ours: list[Ours] = [*view.all(Container), *view.all(ContainerImage)]
        ours += [*view.all(ContainerNetwork), *view.all(ContainerVolume)]
        self.holds.tidy({row.id for row in ours})
        instances = {row.instance for row in ours}
        for row in view.all(Container):
            if row.state == "running":  # its policy asked for nothing: the instance was not started
                self._boots[row.instance] = row.boot
        self.machines.on_exit(self._tasks.wake)
        for instance in instances:
            self._tasks.wake(instance)

    def stop(self) -> None:
        """Follow no more; containers keep running."""
        self._tasks.close()
        with self._lock:
            for timer in self._timers:
                timer.cancel()
        self.room.close()
        self._names.stop()
        self._inner.close()

    def tear_down(self) -> None:
        """Remove the namespaces of all containers; their instances have been stopped."""
        self._inner.keep_only(())

    def _follow(self, commit: Commit) -> None:
        woken: set[str] = set()
        for old, new in commit.changes.rows.values():
            row = new or old
            if isinstance(row, OURS):
                woken.add(row.instance)
                if isinstance(row, Container | ContainerImage) and new is None:
                    self._told.pop(row.id, None)
                    self._cleared.pop(row.id, None)
                    self.holds.forget(row)
            elif isinstance(row, Instance) and self._concerns(row.id):
                woken.add(row.id)
        for key in woken:
            self._tasks.wake(key)
        for each in self.told:
            each(commit)

    def _concerns(self, instance: str) -> bool:
        view = self.rows.view
        return any(next(view.referrers(instance, cls), None) is not None for cls in OURS)

    def wake(self, instance: str) -> None:
        """See to an instance soon."""
        self._tasks.wake(instance)

    def when_made(self, key: str, ready: Ready) -> None:
        """Call ``ready(folder)`` when the container is made and before its program begins."""
        with self._lock:
            self._ready.setdefault(key, []).append(ready)

    def never_mind(self, key: str, ready: Ready) -> None:
        """Do not call it any more."""
        with self._lock, contextlib.suppress(ValueError, KeyError):
            self._ready[key].remove(ready)

    # --- one instance ----------------------------------------------------------------------------
    def _converge(self, instance: str) -> None:
        self.holds.settle()
        row = self.rows.view.find(Instance, instance)
        status = self.machines.observe_one(instance)
        runs = status is not None and status.state == "running"
        if row is None or row.wanted == "terminated":
            self._forget(instance)
        elif not runs or row.wanted != "running":
            if not runs:
                self._powered_off(instance)
        elif status is not None and status.boot == row.boot:
            self._keep(row)

    def _forget(self, instance: str) -> None:
        self._powered_off(instance)
        row = next(iter(_all(self.rows, instance)), None)
        if row is None:
            return
        with self.rows.transaction(row.account, row.region) as txn:
            for each in _all(self.rows, instance):
                txn.delete(each)

    def _powered_off(self, instance: str) -> None:
        """What ran in an instance ended with it."""
        self._names.keep(instance, ())
        self._inner.forget(instance)
        self._boots.pop(instance, None)
        for row in containers_of(self.rows.view, instance):
            if row.wanted:
                over = self.room.ended(instance, row.id)
                code = over.code if over is not None and over.run == row.run else 137
                self.room.end(instance, row.id)
                self._ended(row, code=code)

    def _keep(self, row: Instance) -> None:
        instance = row.id
        begun = self._boots.get(instance) != row.boot
        for each in containers_of(self.rows.view, instance):
            if each.wanted and each.boot != row.boot:
                self._lost(each)
        if begun:
            self._boots[instance] = row.boot
            for each in containers_of(self.rows.view, instance):
                if change.starts_with_instance(each):
                    self._run_again(each, by_policy=False)
        # One revision for all that follows: who is started has its network.  What changes meanwhile
        # wakes us once more.
        view = self.rows.view
        self._arrange(instance, view)
        for each in sorted(containers_of(view, instance), key=lambda c: c.created):
            try:
                self._keep_one(each, view)
            except Exception:
                log.exception("container %s of %s could not be seen to", each.id[:12], instance)
        self._serve_only(instance)
        self._sweep(instance)

    def _serve_only(self, instance: str) -> None:
        view = self.rows.view
        runs = [row for row in containers_of(view, instance) if row.wanted]
        self._names.keep(instance, {row.id for row in runs if any(named_networks(row, view))})

    def _arrange(self, instance: str, view: View, but: str = "") -> None:
        try:
            self._inner.arrange(instance, set(inside(view, instance, but)))
        except EngineError as error:
            log.warning("the network inside %s is not as wanted: %s", instance, error)
            self._broken[instance] = str(error)
        else:
            self._broken.pop(instance, None)

    def _keep_one(self, row: Container, view: View) -> None:
        if not row.wanted:
            self._told.pop(row.id, None)
            if self._cleared.get(row.id) != row.run:
                if self.room.record(row.instance, row.id) is not None:
                    self.room.end(row.instance, row.id)
                self._cleared[row.id] = row.run
            self._maybe_again(row)
            return
        if row.state != "running":
            self._begin(row, view)
            return
        if self.room.watches(row.id, row.run):  # nothing has happened to it; most are so
            self._name(row, view)
            return
        over = self.room.ended(row.instance, row.id)
        if over is not None:
            self._over(row, over.code, by_memory=over.by_memory)
        elif self.room.record(row.instance, row.id) is None:
            self._lost(row)
        else:
            self.room.watch(row.instance, row.id)
            self._name(row, view)

    def _name(self, row: Container, view: View) -> None:
        """Tell a container its own names and its name server, which a change of its networks
        changes."""
        if row.mode != "network":
            return
        resolv = self._resolv(row)
        self._serve(row, view, resolv)
        texts = {"hosts": hosts(row, view), "resolv.conf": resolver(row, view, resolv)}
        if self._told.get(row.id) != (row.run, texts):
            for name, text in texts.items():
                self.room.tell(row.instance, row.id, name, text)
            self._told[row.id] = row.run, texts

    def _serve(self, row: Container, view: View, resolv: str) -> None:
        """Have names answered on user-defined networks."""
        if any(named_networks(row, view)):
            self._names.serve(row, servers(row, resolv))

    def _begin(self, row: Container, view: View) -> None:
        """Start what is to run; a start that a killed daemon had begun is begun anew."""
        instance = row.instance
        try:
            netns = self._netns(row)
            if instance in self._broken:
                raise StartError(f"failed to set up container networking: {self._broken[instance]}")
            resolv = self._resolv(row)
            if row.mode == "network":
                self._serve(row, view, resolv)
            self.room.create(instance, self.specs.of(row, view, netns, resolv))
            with self._lock:
                waiting = self._ready.pop(row.id, [])
            for ready in waiting:
                ready(self.room.folder(instance, row.id))
            self.room.start(instance, row.id)
        except (StartError, MachineError, DockerError, EngineError) as error:
            self.room.end(instance, row.id)
            words, code = explained(str(error), row.process.argv), exit_code(str(error))
            self._ended(row, code=code, error=words)
            return
        self._change(row, partial(change.began, run=row.run))
        self.room.watch(instance, row.id)

    def _netns(self, row: Container) -> Path:
        if row.mode == "host":
            return self._netns_of(row.instance)
        if row.mode.startswith("container:"):
            other = container(self.rows.view, row.instance, row.mode.partition(":")[2])
            return self._netns(other)
        return self._inner.netns(row.id)

    def _resolv(self, row: Container) -> str:
        path = self.machines.folder(row.instance) / "seed" / "resolv.conf"
        return path.read_text() if path.exists() else ""

    def _over(self, row: Container, code: int, *, by_memory: bool) -> None:
        self.room.end(row.instance, row.id)
        # first its ports are closed, then it is told to have ended
        self._arrange(row.instance, self.rows.view, row.id)
        pause, _ = self._pauses.get(row.id, (0.0, 0.0))
        ran = _seconds(row.started, self.clock())
        pause = FIRST_PAUSE if ran > LONG_RUN or not pause else min(2 * pause, LONGEST_PAUSE)
        self._pauses[row.id] = (pause, time.monotonic() + pause)
        self._ended(row, code=code, by_memory=by_memory)

    def _lost(self, row: Container) -> None:
        self.room.end(row.instance, row.id)
        self._ended(row, code=137)

    def _maybe_again(self, row: Container) -> None:
        if row.state != "exited" or not change.starts_again(row):
            self._pauses.pop(row.id, None)
            return
        _, due = self._pauses.get(row.id, (0.0, 0.0))
        left = due - time.monotonic()
        if left <= 0:
            self._run_again(row, by_policy=True)
            return
        timer = threading.Timer(left, self._tasks.wake, (row.instance,))
        timer.daemon = True
        with self._lock:
            self._timers = {each for each in self._timers if each.is_alive()} | {timer}
        timer.start()

    def _run_again(self, row: Container, *, by_policy: bool) -> None:
        try:
            self._change(row, partial(change.run_again, by_policy=by_policy))
        except DockerError as error:
            log.info("container %s is not started again: %s", row.id[:12], error)

    def _sweep(self, instance: str) -> None:
        """Remove the files of what is no row any more."""
        view = self.rows.view
        for key in self.room.containers(instance) - {r.id for r in containers_of(view, instance)}:
            self.room.remove(instance, key)
        for name in self.room.volumes(instance) - {r.name for r in volumes_of(view, instance)}:
            self.room.remove_volume(instance, name)

    def _ended(
        self, row: Container, *, code: int, by_memory: bool = False, error: str = ""
    ) -> None:
        """Tell the row; also who asks after a container that goes as it ends."""
        self.exits[row.id] = code, error
        while len(self.exits) > EXITS:
            self.exits.popitem(last=False)
        act = partial(change.ended, run=row.run, code=code, by_memory=by_memory, error=error)
        self._change(row, act)

    def _change(self, row: Container, act: Callable[[Txn, Container, str], object]) -> None:
        """Do something to the row as it is by now, unless it is gone."""
        with self.rows.transaction(row.account, row.region) as txn:
            current = txn.view.find(Container, row.id)
            if current is None:
                return
            act(txn, current, self.clock())


def _all(rows: Rows, instance: str) -> list[Ours]:
    view = rows.view
    found: list[Ours] = [*containers_of(view, instance), *images_of(view, instance)]
    return [*found, *networks_of(view, instance), *volumes_of(view, instance)]


def _seconds(then: str, now: str) -> float:
    return age(then, now).total_seconds() if then else 0.0
