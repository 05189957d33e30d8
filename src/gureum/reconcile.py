"""Make what runs equal to what is written, and write back what happened.

One thread takes commits in order, compiles them, and has the engine apply the difference; a small
pool starts and stops machines, one task an instance at a time.  Nobody passes hints about what
changed: the program says what is wanted, the engine and the machines say what is there, also after
``kill -9``.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from gureum.compile import Compiler
from gureum.engines import Engine
from gureum.engines.flows import Station
from gureum.machines import MachineRoom
from gureum.model import Changes, Resource, Txn
from gureum.model.timestamps import timestamp
from gureum.program import Machine, Recorded, RecordedLink, Service, Statement
from gureum.resources import Registry
from gureum.resources.image_object import StoredDisk
from gureum.resources.instance import Instance, observed, rooted
from gureum.resources.snapshot import Snapshot
from gureum.resources.volume import Volume, origin
from gureum.services import NoServices, ServiceRoom
from gureum.store import Commit, Store

log = logging.getLogger(__name__)

FULL_PASS = 60.0
"""Seconds between passes that compare everything with the kernel and forget what has expired."""

RETRY = 2.0
"""Seconds until a failed application is tried again, as a full pass."""

GRACE = 5.0
"""Seconds an instance has between SIGTERM and SIGKILL."""

TOKENS_KEPT = timedelta(days=1)
"""How long the answer to an idempotency token is kept (EC2 API Reference, "Ensuring idempotency":
tokens may be used again after a day)."""

START_TRIES = 3
"""How often a machine that does not start is tried before its instance is stopped."""


_HOLDING = (Volume, Snapshot, StoredDisk)
"""Rows that have content."""


class Clock(Protocol):
    """Gives the time as rows hold it."""

    def __call__(self) -> str: ...


@dataclass
class Health:
    """What the reconciler last saw: the revision wanted, the one last tried, the one in force, and
    what went wrong, for machines by id."""

    wanted: int = 0
    tried: int = 0
    in_force: int = 0
    error: str | None = None
    machines: dict[str, str] = field(default_factory=dict)


class Reconciler:
    """Drives an engine and the machines from a store's commits."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        engine: Engine,
        machines: MachineRoom,
        clock: Clock,
        workers: int = 4,
        services: ServiceRoom[Service | Station] | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._engine = engine
        self._machines = machines
        self._services: ServiceRoom[Service | Station] = services or NoServices()
        self._clock = clock
        self._compiler = Compiler(registry)
        self._commits: queue.SimpleQueue[Commit | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._wanted: dict[str, Machine] = {}
        self._tasks = MachineTasks(self._converge, workers)
        self._full_pass_due = False
        self._view = store.view
        self._afresh = False
        self.health = Health()
        self._thread = threading.Thread(target=self._run, name="reconcile", daemon=True)

    # --- life ----------------------------------------------------------------------------------
    def start(self) -> None:
        """Adopt what runs, make it equal to the store, then follow the commits.

        Raises:
            EngineError: the kernel refused; nothing is followed then.
        """
        self._store.subscribe(self._commits.put)
        view = self._view = self._store.view
        self._load()
        self._put_in_force()
        self._machines.on_exit(self._tasks.wake)
        self._reached(view.revision)
        self._settle(Changes({key: (row, row) for key, row in view.rows.items()}))
        machines = {*self._wanted, *self._machines.observe(), *self._machines.contents()}
        for key in {*machines, *self._unsettled()}:
            self._tasks.wake(key)
        self._thread.start()

    def stop(self) -> None:
        """Follow no more; everything that runs keeps running."""
        self._commits.put(None)
        self._thread.join()
        self._tasks.close()

    def tear_down(self) -> None:
        """Stop every machine and remove every part of the network; call after :meth:`stop`.

        The rows stay: the next start brings everything back.
        """
        tear_down(self._engine, self._machines)

    def wait(self, revision: int, timeout: float) -> bool:
        """Wait until the data plane has the revision or has failed at it; whether it has it."""
        with self._changed:
            self._changed.wait_for(lambda: self.health.tried >= revision, timeout)
            return self.health.in_force >= revision

    # --- the network ---------------------------------------------------------------------------
    def _run(self) -> None:
        next_pass = time.monotonic() + FULL_PASS
        while True:
            timeout = RETRY if self._full_pass_due else max(0.0, next_pass - time.monotonic())
            try:
                batch = self._take(timeout)
            except _StopFollowingError:
                return
            try:
                if batch:
                    self._follow(batch)
                if self._full_pass_due or time.monotonic() >= next_pass:
                    self._full_pass()
                    next_pass = time.monotonic() + FULL_PASS
            except Exception as error:  # a full disk, say: the next pass begins anew
                log.exception("the reconciler stumbled")
                self._afresh = True
                self._failed(error, self._view.revision)

    def _take(self, timeout: float) -> list[Commit]:
        """The commits that are waiting, at least one unless the timeout passes first."""
        batch = []
        try:
            item = self._commits.get(timeout=timeout)
            while True:
                if item is None:
                    raise _StopFollowingError
                batch.append(item)
                item = self._commits.get_nowait()
        except queue.Empty:
            return batch

    def _load(self) -> None:
        """Compile all that we have seen of the store."""
        self._compiler.load(self._view)
        self._wanted = {s.id: s for s in self._compiler.statements() if isinstance(s, Machine)}

    def _follow(self, batch: list[Commit]) -> None:
        merged = merge(batch)
        self._view = batch[-1].view
        self.health.wanted = self._view.revision
        if self._afresh:
            return  # the pass that comes next compiles everything
        added, removed = self._compiler.update(self._view, merged)
        machines = {s.id: s for s in added if isinstance(s, Machine)}
        touched = {*machines, *self._unwant(removed)}
        in_force = self._apply(added, removed)
        # Only now: a task that an earlier change woke would start them on a network that is not
        # there yet.
        self._wanted.update(machines)
        for key, (old, new) in merged.rows.items():
            if isinstance(old, Instance) or isinstance(new, Instance):
                touched.add(key)
            if new is None:
                self.health.machines.pop(key, None)
            if new is None and isinstance(old, _HOLDING):
                self._tasks.wake(key)
        for key in touched:
            self._tasks.wake(key)
        if in_force:
            self._settle(merged)

    def _unwant(self, removed: Collection[Statement]) -> set[str]:
        """Let go of the machines that are no more wanted, or not as they were; their ids."""
        old = {s.id for s in removed if isinstance(s, Machine)}
        for key in old:
            self._wanted.pop(key, None)
        return old

    def _apply(self, added: Collection[Statement], removed: Collection[Statement]) -> bool:
        """Bring the compiler's revision into force; whether it is."""
        revision = self._compiler.revision
        if self._full_pass_due:
            # An earlier revision is not in force, and a difference on top of it would say nothing
            # of that: one pass does both.
            return self._sync()
        try:
            self._services.close(_services(removed))  # an open socket would keep its router
            self._engine.apply(_without_machines(added), _without_machines(removed))
            self._services.change(_services(added), self._view)
        except Exception as error:
            log.exception("revision %d is not in force", revision)
            self._failed(error, revision)
            return False
        self._reached(revision)
        return True

    def _sync(self) -> bool:
        """Make the whole network equal to the compiler's revision; whether it is."""
        revision = self._compiler.revision
        try:
            self._put_in_force()
        except Exception as error:
            log.exception("revision %d is not in force, not even anew", revision)
            self._failed(error, revision)
            return False
        self._reached(revision)
        return True

    def _put_in_force(self) -> None:
        network = self._network()
        services = _services(network)
        self._engine.sync(network)
        self._services.sync(services, self._view)

    def _full_pass(self) -> None:
        """Compare everything with the kernel, see to what is stuck, and forget what has expired."""
        if self._afresh:
            self._load()
        if not self._sync():
            return
        self._full_pass_due = False
        woken = {*self._unsettled(), *(self._wanted if self._afresh else ())}
        self._afresh = False
        view = self._store.view
        self._settle(Changes({key: (row, row) for key, row in view.rows.items()}))
        for key in woken:
            self._tasks.wake(key)
        for row in list(view.rows.values()):
            expired = self._hook(row, "expired")
            if expired is not None:
                self._write(row, expired)
        now = datetime.fromisoformat(self._clock())
        self._store.forget(timestamp(now - TOKENS_KEPT))

    def _network(self) -> Collection[Statement]:
        return _without_machines(self._compiler.statements())

    def _failed(self, error: Exception, revision: int) -> None:
        self._full_pass_due = True
        with self._changed:
            self.health.error = str(error)
            self.health.tried = max(self.health.tried, revision)
            self._changed.notify_all()

    def _reached(self, revision: int) -> None:
        with self._changed:
            self.health.in_force = revision
            self.health.tried = max(self.health.tried, revision)
            self.health.wanted = max(self.health.wanted, revision)
            self.health.error = None
            self._changed.notify_all()

    # --- writing back --------------------------------------------------------------------------
    def _settle(self, changes: Changes) -> None:
        for _, row in changes.rows.values():
            settled = self._hook(row, "settled") if row is not None else None
            if row is None or settled is None:
                continue
            if self._copying(row) is not None:
                self._tasks.wake(row.id)  # it is there when its content is
            else:
                self._write(row, settled)

    def _hook(self, row: Resource, name: str) -> Callable[[Txn, Any, str], None] | None:
        kind = self._registry.by_row.get(type(row))
        return getattr(kind, name) if kind is not None else None

    def _write(self, row: Resource, function: Callable[[Txn, Any, str], None]) -> None:
        with self._store.transaction(row.account, row.region) as txn:
            current = txn.find(type(row), row.id)
            if current is not None:
                function(txn, current, self._clock())

    # --- machines ------------------------------------------------------------------------------
    def _unsettled(self) -> set[str]:
        """Instances whose row waits for its machine."""
        moving = {"pending", "stopping", "shutting-down"}
        return {row.id for row in self._store.view.all(Instance) if row.state in moving}

    def _converge(self, key: str) -> None:
        """Make one machine what is wanted of it now, and tell its row; remove what is left of a
        volume that is no more."""
        if key.startswith(tuple(f"{each.prefix}-" for each in _HOLDING)):
            self._converge_content(key)
            return
        row = self._store.view.find(Instance, key)
        if row is not None and row.wanted == "running":
            machine = self._wanted.get(key)
            if machine is not None and machine.boot == row.boot:  # else we are woken again soon
                self._raise(machine, row)
        else:
            self._end(key, row)

    def _converge_content(self, key: str) -> None:
        """Copy what a volume or snapshot is made from, then it is there; remove what is left of one
        that is no more, after those that are made from it just now."""
        view = self._store.view
        row = view.rows.get(key)
        if row is None:
            for other in view.rows.values():
                if origin(other) == key:
                    self._machines.copy_content(key, other.id)
            self._machines.remove_content(key)
            return
        copy, settled = self._copying(row), self._hook(row, "settled")
        if copy is not None and settled is not None:
            copy()
            self._write(row, settled)

    def _copying(self, row: Resource) -> Callable[[], None] | None:
        """What has to be copied before a volume or snapshot is there."""
        source = origin(row)
        if source is None:
            return None
        host = rooted(self._store.view, source)
        if host is not None and self._machines.observe_one(host) is not None:
            return lambda: self._machines.copy_disk(host, row.id)
        if source in self._machines.contents():
            return lambda: self._machines.copy_content(source, row.id)
        return None

    def _fill_volumes(self, machine: Machine) -> None:
        """Volumes that came with a launch have the content of their snapshots."""
        for _, key in machine.volumes:
            row = self._store.view.find(Volume, key)
            if row is not None and row.snapshot:
                self._machines.copy_content(row.snapshot, key)

    def _raise(self, machine: Machine, row: Instance) -> None:
        status = self._machines.observe_one(machine.id)
        running = status is not None and status.state == "running"
        booted = status is not None and status.boot == machine.boot
        if running and booted:
            self._machines.equip(machine)
            if row.state == "pending":
                self._tell(row, "running")
        elif booted and row.state == "running":
            self._tell(row, "stopped")  # it ended by itself
        else:
            if running:
                self._machines.stop(machine.id, GRACE)
            self._start(machine, row)

    def _end(self, key: str, row: Instance | None) -> None:
        status = self._machines.observe_one(key)
        if status is not None and status.state == "running":
            self._machines.stop(key, GRACE)
        if row is None or row.wanted == "terminated":
            self._machines.delete(key)
        if row is not None and row.state in {"stopping", "shutting-down"}:
            self._tell(row, "stopped")

    def _start(self, machine: Machine, row: Instance) -> None:
        self._fill_volumes(machine)
        for attempt in range(1, START_TRIES + 1):
            try:
                self._machines.start(machine, self._engine.netns(machine.id))
            except Exception as error:
                log.exception("%s does not start (try %d)", machine.id, attempt)
                self.health.machines[machine.id] = str(error)
            else:
                self.health.machines.pop(machine.id, None)
                self._tell(row, "running")
                return
        self._tell(row, "stopped")

    def _tell(self, row: Instance, state: str) -> None:
        with self._store.transaction(row.account, row.region) as txn:
            observed(txn, self._clock(), row.id, state, row.boot)


class _StopFollowingError(Exception):
    """The reconciler was asked to stop."""


class MachineTasks:
    """Runs ``converge(id)`` in a pool: never twice at once for one id, and once more if it was
    woken meanwhile, so that the last wish always wins."""

    def __init__(self, converge: Callable[[str], None], workers: int) -> None:
        self._converge = converge
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="machine")
        self._lock = threading.Lock()
        self._again: dict[str, bool] = {}
        self._closed = False

    def wake(self, key: str) -> None:
        """See to ``key`` soon."""
        with self._lock:
            if self._closed:
                return
            if key in self._again:
                self._again[key] = True
                return
            self._again[key] = False
            self._pool.submit(self._run, key)

    def busy(self) -> bool:
        """Whether anything is being seen to."""
        with self._lock:
            return bool(self._again)

    def _run(self, key: str) -> None:
        while True:
            try:
                self._converge(key)
            except Exception:
                log.exception("%s could not be brought to its wanted state", key)
            with self._lock:
                if not self._again[key] or self._closed:
                    del self._again[key]
                    return
                self._again[key] = False

    def close(self) -> None:
        """Finish what runs and take no more."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)


def tear_down(engine: Engine, machines: MachineRoom) -> None:
    """Stop every machine and remove every part of the network, as far as anything resists.

    Raises:
        EngineError, MachineError: what resisted first.
    """
    failed: list[Exception] = []

    def stop(key: str) -> None:
        try:
            machines.stop(key, GRACE)
        except Exception as error:
            log.exception("%s could not be stopped", key)
            failed.append(error)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(stop, machines.observe()))
    engine.sync(())
    if failed:
        raise failed[0]


def merge(batch: list[Commit]) -> Changes:
    """The net change of several commits."""
    rows: dict[str, tuple[Resource | None, Resource | None]] = {}
    for commit in batch:
        for key, (old, new) in commit.changes.rows.items():
            first = rows[key][0] if key in rows else old
            rows[key] = (first, new)
    return Changes({key: pair for key, pair in rows.items() if pair != (None, None)})


def _services(statements: Collection[Statement]) -> list[Service | Station]:
    return [each for each in statements if isinstance(each, (Service, Recorded, RecordedLink))]


def _without_machines(statements: Collection[Statement]) -> list[Statement]:
    return [statement for statement in statements if not isinstance(statement, Machine)]
