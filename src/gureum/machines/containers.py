"""The machine room of one Linux host: instances as OCI containers under one state folder.

::

    <root>/instances/<id>/   instance.json, config.json, upper/ and work/ (the disk), rootfs/ (where
                             it is mounted, seen by the instance only), seed/, console, pid
    <root>/volumes/<id>/     what volumes and snapshots hold, see :mod:`gureum.machines.volumes`
    <root>/lib/              boot script and init, lent to all instances
    <root>/runtime/          the runtime's own state
    <root>/locks/<id>        held by whoever changes the instance

Everything is found again by reading this folder, so a killed daemon leaves its instances running
and the next one takes them up.  Outside it an instance has its cgroups, ``gureum-<tag>-<id>``, and
nothing else.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from gureum.images import ImageError, ImageStore, Store, overlay
from gureum.machines import cgroups, console, netns, oci, record, runtime, seed
from gureum.machines.record import Record
from gureum.machines.room import MachineError, MachineStatus, check_id
from gureum.machines.runtime import Runtime
from gureum.machines.volumes import Volumes
from gureum.machines.watch import Watch, wait
from gureum.program import Machine

log = logging.getLogger(__name__)

PROBE_IMAGE = "gureum-base"

# How long an instance may take to die of SIGKILL; one that is stuck in the kernel takes longer.
KILL_PATIENCE = 10.0

# Time to end kindly for an instance that is asked to start with another boot.
RESTART_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Interior:
    """An instance that runs: its counter of starts, its folder, the cgroup that processes of its
    own are in, and files of its namespaces."""

    id: str
    boot: int
    folder: Path
    cgroup: str
    pidns: Path
    mntns: Path
    userns: Path


class Machines:
    """Instances of one cloud; see :class:`~gureum.machines.room.MachineRoom`.

    ``root`` is the state folder, ``tag`` marks this cloud's cgroups on the host, ``only`` limits
    the choice of runtime (``crun`` or ``runc``).

    Raises:
        MachineError: no runtime works here, or init is missing.
    """

    def __init__(
        self, root: Path, tag: str, images: ImageStore, *, only: str | None = None
    ) -> None:
        self._root = root.absolute()
        self._tag = check_id(tag)
        self._images = images
        self._store = Store(images)
        for name in ("instances", "locks"):
            (self._root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        seed.install_lib(self._root / "lib")
        for rest in self._root.glob("instances/.removed-*"):
            _remove(rest)
        self._runtime = runtime.choose(self._root, self._layers(PROBE_IMAGE, "a probe")[0], only)
        self._volumes = Volumes(self._root / "volumes")
        self._callbacks: list[Callable[[str], None]] = []
        self._watch = Watch(self._ended)
        for key in self._ids():
            try:
                self._adopt(key)
            except Exception:
                log.exception("%s could not be taken up", key)

    @property
    def runtime(self) -> str:
        """The program of the runtime in use."""
        return self._runtime.program

    # --- what is there ---------------------------------------------------------------------------
    def observe(self) -> dict[str, MachineStatus]:
        """Every instance that has a disk, by id."""
        found = ((key, self.observe_one(key)) for key in self._ids())
        return {key: status for key, status in found if status is not None}

    def observe_one(self, id: str) -> MachineStatus | None:  # noqa: A002
        """One instance, or None if it has no disk."""
        folder = self._folder(id)
        known = record.load(folder)
        if known is None:
            return None
        alive = record.living(known, folder, self._cgroup(id))
        if alive is not None:
            return MachineStatus("running", known.boot, alive.pid, known.image)
        by_itself = not known.stopped and known.host_boot == record.host_boot()
        return MachineStatus("exited", known.boot if by_itself else 0, None, known.image)

    def _ids(self) -> list[str]:
        folder = self._root / "instances"
        return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))

    def _folder(self, key: str) -> Path:
        return self._root / "instances" / check_id(key)

    def _cgroup(self, key: str) -> str:
        return f"/gureum-{self._tag}-{key}"

    # --- start -----------------------------------------------------------------------------------
    def start(self, machine: Machine, netns: Path) -> None:
        """Make the instance run with ``machine.boot`` in the network namespace ``netns``."""
        with self._lock(machine.id) as lock:
            folder = self._folder(machine.id)
            known = record.load(folder)
            if known is not None and record.living(known, folder, self._cgroup(machine.id)):
                if known.boot == machine.boot and not known.stopped:
                    return
                self._end(machine.id, known, RESTART_GRACE)
            self._clear(machine.id)
            begun = self._disk(machine, known)
            layers = begun.layers
            with _owner(netns) as userns:
                self._prepare(folder, machine, netns, userns is not None)
                record.save(folder, begun)
                try:
                    self._launch(machine.id, folder, layers, userns, lock)
                    self._began(machine.id, folder, begun)
                except BaseException:
                    record.save(folder, replace(begun, stopped=True))
                    self._runtime.remove(machine.id)
                    raise

    def _disk(self, machine: Machine, known: Record | None) -> Record:
        """See to the disk that an instance is to start with; the record of the start.

        A disk is kept, with the image it was made from, however old, until the instance has another
        root volume: then it becomes the content of the old one, and what the new one holds the
        disk.  Killed at any point, the next start goes on from there.
        """
        folder = self._folder(machine.id)
        other = known is not None and machine.root != "" and known.root not in ("", machine.root)
        kept = None if other else known
        image = kept.image if kept else machine.image
        layers = kept.layers if kept else self._layers(machine.image, machine.id)
        lower, *above = map(str, layers)
        begun = Record(
            image, lower, machine.boot, record.host_boot(), above=tuple(above), root=machine.root
        )
        if known is not None and other:
            self._volumes.take(folder / "upper", known.root)
            _remove(folder / "work")
            if known.image != image and known.image.startswith("sha256:"):
                self._store.release(known.image, self._holder(machine.id))
        self._volumes.give(machine.root, folder / "upper")
        self._volumes.copy_out(machine.disk, folder / "upper")
        return begun

    def _layers(self, image: str, key: str) -> tuple[Path, ...]:
        """The layers of an image, the lowest first: of one that instances are made from, which is
        built first if need be, or of the store by its digest, which is then held for the
        instance."""
        try:
            if not image.startswith("sha256:"):
                return (self._images.ensure(image),)
            self._store.hold(image, self._holder(key))
            return self._store.find(image).layers
        except ImageError as error:
            raise MachineError(f"{key}: {error}") from error

    def _holder(self, key: str) -> str:
        return f"{key} of cloud {self._tag}"

    def _prepare(self, folder: Path, machine: Machine, netns: Path, confined: bool) -> None:
        for name in ("upper", "work", "rootfs", "docker"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name).chmod(0o755)  # upper's mode is that of / inside
        for name in ("pid", "runtime.log"):
            (folder / name).unlink(missing_ok=True)
        (folder / "userns").touch()
        seed.write(folder / "seed", machine)
        bundle = oci.Bundle(
            rootfs=folder / "rootfs",
            lib=self._root / "lib",
            seed=folder / "seed",
            cgroup=self._cgroup(machine.id),
            netns=netns,
            userns=folder / "userns" if confined else None,
            hostname=seed.short_name(machine),
            volumes=tuple((name, self._volumes.folder(key)) for name, key in machine.volumes),
            docker=folder / "docker",
        )
        limits = oci.Limits(machine.cpus, machine.memory, swap=self._runtime.swap)
        argv = [f"{oci.LIB}/tini", "--", f"{oci.LIB}/boot"]
        (folder / "config.json").write_text(json.dumps(oci.config(bundle, limits, argv)))

    def _launch(
        self,
        key: str,
        folder: Path,
        layers: Sequence[Path],
        userns: Path | None,
        lock: IO[bytes],
    ) -> None:
        options = overlay.options(layers, folder / "upper", folder / "work")
        call = console.wrap(folder, self._runtime.run_argv(key, folder, options, userns))
        lock.truncate(0)
        lock.seek(0)
        read, write = os.pipe()
        try:
            done = subprocess.run(
                call,
                stdin=read,
                stdout=write,
                stderr=lock,
                timeout=runtime.PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"{key}: the runtime did not answer") from error
        finally:
            os.close(read)
            os.close(write)
        if done.returncode != 0:
            lock.seek(0)
            said = lock.read().decode(errors="replace") + _text(folder / "runtime.log")
            raise MachineError(f"{key} could not be started: {said.strip() or done.returncode}")

    def _began(self, key: str, folder: Path, begun: Record) -> None:
        alive = record.living(begun, folder, self._cgroup(key))
        pidfd = record.open_pidfd(alive) if alive else None
        if alive is None or pidfd is None:
            said = console.tail(folder)[-500:].decode(errors="replace")
            raise MachineError(f"{key} ended as soon as it was started; its console: {said!r}")
        record.save(folder, alive)
        self._watch.add(key, pidfd)

    def _adopt(self, key: str) -> None:
        """Watch an instance that an earlier daemon started."""
        with self._lock(key):
            folder = self._folder(key)
            known = record.load(folder)
            if known is None:
                return
            alive = record.living(known, folder, self._cgroup(key))
            pidfd = record.open_pidfd(alive) if alive else None
            if alive and pidfd is not None:
                record.save(folder, alive)
                self._watch.add(key, pidfd)
            else:
                self._clear(key)

    def _clear(self, key: str) -> None:
        """Remove what the runtime keeps of an instance that ended.  Its containers ended with it,
        as their PID namespaces are below its own."""
        cgroups.remove(f"{self._cgroup(key)}/docker")
        self._runtime.remove(key)

    # --- stop ------------------------------------------------------------------------------------
    def stop(self, id: str, grace: float) -> None:  # noqa: A002
        """End the instance, by SIGTERM and after ``grace`` seconds by SIGKILL; keep its disk."""
        with self._lock(id):
            known = record.load(self._folder(id))
            if known is not None:
                self._end(id, known, grace)

    def delete(self, id: str) -> None:  # noqa: A002
        """End the instance at once and remove its disk and console."""
        with self._lock(id):
            folder = self._folder(id)
            known = record.load(folder)
            if known is not None:
                self._end(id, known, 0)
            if folder.exists():
                gone = folder.with_name(f".removed-{id}-{os.getpid()}")
                folder.rename(gone)
                _remove(gone)
            if known is not None and known.image.startswith("sha256:"):
                self._store.release(known.image, self._holder(id))

    def _end(self, key: str, known: Record, grace: float) -> None:
        """End the process, if there is one, and what the runtime made.  The lock is held."""
        folder = self._folder(key)
        self._watch.drop(key)
        alive = record.living(known, folder, self._cgroup(key))
        record.save(folder, replace(alive or known, stopped=True))
        pidfd = record.open_pidfd(alive) if alive else None
        cgroups.thaw(f"{self._cgroup(key)}/docker")  # who is stopped does not end
        if pidfd is not None:
            try:
                _kill(key, pidfd, grace)
            finally:
                os.close(pidfd)
        self._clear(key)
        record.save(folder, replace(known, stopped=True, pid=None, started=None))
        (folder / "pid").unlink(missing_ok=True)

    # --- volumes ---------------------------------------------------------------------------------
    def equip(self, machine: Machine) -> None:
        """Make the volumes of a running instance those of ``machine``."""
        with self._lock(machine.id):
            folder = self._folder(machine.id)
            known = record.load(folder)
            alive = record.living(known, folder, self._cgroup(machine.id)) if known else None
            pidfd = record.open_pidfd(alive) if alive else None
            if alive is None or pidfd is None or alive.pid is None:
                return
            try:
                self._volumes.equip(alive.pid, pidfd, dict(machine.volumes))
            finally:
                os.close(pidfd)

    def contents(self) -> set[str]:
        """The ids of the volumes and snapshots that have content."""
        return self._volumes.there()

    def content(self, id: str) -> Path | None:  # noqa: A002
        """Where a volume or snapshot has its content, if it has any."""
        return self._volumes.content(id)

    def copy_content(self, source: str, target: str) -> None:
        """Give ``target`` a copy of what ``source`` has."""
        self._volumes.copy(source, target)

    def copy_disk(self, id: str, target: str) -> None:  # noqa: A002
        """Give a snapshot a copy of an instance's disk, as it is at this moment."""
        self._volumes.copy_in(self._folder(id) / "upper", target)

    def remove_content(self, id: str) -> None:  # noqa: A002
        """Remove the content of a volume or snapshot, if there is any."""
        self._volumes.remove(id)

    # --- ends by itself --------------------------------------------------------------------------
    def on_exit(self, callback: Callable[[str], None]) -> None:
        """Call ``callback(id)`` when an instance ends by itself."""
        self._callbacks.append(callback)

    def _ended(self, key: str) -> None:
        with self._lock(key):
            folder = self._folder(key)
            known = record.load(folder)
            if known is None or known.stopped or record.living(known, folder, self._cgroup(key)):
                return
            self._clear(key)
        for callback in list(self._callbacks):
            callback(key)

    # --- containers inside -----------------------------------------------------------------------
    @property
    def tools(self) -> Runtime:
        """The runtime, for containers inside instances."""
        return self._runtime

    @property
    def lib(self) -> Path:
        """What is lent to instances and containers."""
        return self._root / "lib"

    def folder(self, id: str) -> Path:  # noqa: A002
        """An instance's files."""
        return self._folder(id)

    def cgroup(self, id: str) -> str:  # noqa: A002
        """An instance's cgroup."""
        return self._cgroup(id)

    @contextmanager
    def inside(self, id: str) -> Iterator[Interior]:  # noqa: A002
        """An instance that runs; what is told of it is good until the end of the block.

        Raises:
            MachineError: it does not run.
        """
        folder = self._folder(id)
        known = record.load(folder)
        alive = record.living(known, folder, self._cgroup(id)) if known else None
        pidfd = record.open_pidfd(alive) if alive else None
        if alive is None or pidfd is None:
            raise MachineError(f"{id} does not run")
        with ExitStack() as stack:
            stack.callback(os.close, pidfd)
            held = {}
            for name in ("pid", "mnt", "user"):
                held[name] = os.open(f"/proc/{alive.pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, held[name])
            if wait(pidfd, 0):
                raise MachineError(f"{id} does not run")  # they may have been another's
            mine = Path(f"/proc/{os.getpid()}/fd")
            own = cgroups.make_room(self._cgroup(id))
            spaces = (mine / str(held[name]) for name in ("pid", "mnt", "user"))
            yield Interior(id, alive.boot, folder, own, *spaces)

    # --- inside ----------------------------------------------------------------------------------
    def console(self, id: str) -> bytes:  # noqa: A002
        """The last 64 KiB of the console, over all boots."""
        return console.tail(self._folder(id))

    def exec_argv(
        self,
        id: str,  # noqa: A002
        argv: Sequence[str],
        *,
        tty: bool,
        env: Mapping[str, str] = {},
    ) -> list[str]:
        """The command line of a host process that runs ``argv`` as root inside the instance."""
        status = self.observe_one(id)
        if status is None or status.state != "running":
            raise MachineError(f"{id} does not run")
        return self._runtime.exec_argv(id, argv, env, self._folder(id) if tty else None)

    def close(self) -> None:
        """Watch no more; instances keep running."""
        self._watch.close()

    # --- locks -----------------------------------------------------------------------------------
    @contextmanager
    def _lock(self, key: str) -> Iterator[IO[bytes]]:
        """Hold an instance's lock, between threads and processes.  It goes with the instance."""
        path = self._root / "locks" / check_id(key)
        while True:
            with path.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not _same(file, path):
                    continue  # it was deleted while we waited
                try:
                    yield file
                finally:
                    if not self._folder(key).exists():
                        path.unlink()
                return


@contextmanager
def _owner(path: Path) -> Iterator[Path | None]:
    """The user namespace that a container in this network namespace has to join, as a file for
    our children; None if that is ours, with all that this forbids (see
    :mod:`gureum.machines.netns`).
    """
    fd = netns.owner(path)
    if fd is None:
        log.warning("%s belongs to the host: its instance gets no CAP_NET_ADMIN", path)
        yield None
        return
    try:
        yield Path(f"/proc/{os.getpid()}/fd/{fd}")
    finally:
        os.close(fd)


def _same(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _kill(key: str, pidfd: int, grace: float) -> None:
    try:
        if grace > 0:
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
            if wait(pidfd, grace):
                return
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has just gone
    if not wait(pidfd, KILL_PATIENCE):
        raise MachineError(f"{key} does not end, not even by SIGKILL")


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _remove(folder: Path) -> None:
    """Remove a tree of any shape: rm(1) neither follows links nor runs out of stack."""
    done = runtime.run(["rm", "-rf", "--one-file-system", str(folder)])
    if done.returncode != 0:
        raise MachineError(f"{folder} could not be removed: {done.stderr.strip()}")
