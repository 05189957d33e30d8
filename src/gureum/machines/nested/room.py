"""Containers of the instances of one cloud: made, started, ended, found again.

::

    <root>/instances/<id>/containers/<container>/   upper/ and work/ (its layer), rootfs/ (where it
                                is mounted, seen by the container only), files/ (hosts and so on),
                                log, run.json, and what conmon and the runtime keep
    <root>/instances/<id>/container-volumes/<name>/ the content of a named volume

A container's process is known by PID, start time and the host's boot id, as an instance's is.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gureum.images import overlay
from gureum.inside import archive, within
from gureum.machines import cgroups, record, runtime
from gureum.machines.containers import Interior, Machines
from gureum.machines.nested.bundle import config, process
from gureum.machines.nested.shim import Shim
from gureum.machines.nested.spec import Spec
from gureum.machines.room import MachineError
from gureum.machines.watch import Watch

FOLDER, VOLUMES = "containers", "container-volumes"
RECORD = "run.json"
ROOT = ("", "0", "root")
"""Users who need not be looked up, which takes a program of ours to be started."""
PATIENCE = 30.0
"""Seconds that making or starting a container may take."""


class StartError(Exception):
    """A container did not start; the text is what the runtime said."""


@dataclass(frozen=True, slots=True)
class Running:
    """A start: the first process and conmon, by the host's numbers, with their start times."""

    run: int
    pid: int
    started: int
    conmon: int
    conmon_started: int
    host_boot: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a start ended: the exit code, and whether for want of memory."""

    run: int
    code: int
    by_memory: bool


class NestedRoom:
    """Containers inside the instances of ``machines``.  ``ended(instance)`` is called, from a
    thread of the room's own, when one of an instance's containers may have ended."""

    def __init__(self, machines: Machines, ended: Callable[[str], None]) -> None:
        self._machines = machines
        self._shim = Shim(machines.tools)
        self._ended = ended
        self._watched: dict[str, tuple[str, int]] = {}
        self._watch = Watch(lambda key: ended(self._watched.pop(key, ("", 0))[0]))

    def close(self) -> None:
        """Watch no more; containers keep running."""
        self._watch.close()

    # --- files -----------------------------------------------------------------------------------
    def folder(self, instance: str, container: str) -> Path:
        """Where a container's files are."""
        return self._machines.folder(instance) / FOLDER / container

    def volume(self, instance: str, name: str) -> Path:
        """The folder of a named volume, made if it is not there."""
        root = self._machines.folder(instance) / VOLUMES
        root.mkdir(mode=0o700, exist_ok=True)
        path = root / name
        path.mkdir(mode=0o755, exist_ok=True)
        return path

    def remove_volume(self, instance: str, name: str) -> None:
        """Remove what a volume has."""
        _remove(self._machines.folder(instance) / VOLUMES / name)

    def volumes(self, instance: str) -> set[str]:
        """The volumes that have a folder."""
        return _names(self._machines.folder(instance) / VOLUMES)

    def containers(self, instance: str) -> set[str]:
        """The containers that have a folder."""
        return _names(self._machines.folder(instance) / FOLDER)

    def remove(self, instance: str, container: str) -> None:
        """End what is left of a container, and remove its files."""
        self.end(instance, container)
        _remove(self.folder(instance, container))

    # --- start -----------------------------------------------------------------------------------
    def create(self, instance: str, spec: Spec) -> Running:
        """Make a container whose program waits to be started.

        Raises:
            StartError: the runtime could not; nothing is left of it but its layer.
            MachineError: the instance does not run.
        """
        with self._machines.inside(instance) as inside:
            bundle = self.folder(instance, spec.id)
            self.end(instance, spec.id)
            self._write(bundle, inside, spec)
            try:
                self._create(inside, bundle, spec)
                running = _found(spec.run, self._cgroup(instance, spec.id))
            except StartError:
                self._clear(instance, spec.id)
                raise
            _save(bundle, running)
        return running

    def _write(self, bundle: Path, inside: Interior, spec: Spec) -> None:
        for name in ("upper", "work", "rootfs", "files", "exit", "binds"):
            (bundle / name).mkdir(parents=True, exist_ok=True)
        (bundle / "upper").chmod(0o755)
        (bundle / "userns").touch()
        for name, text in spec.files:
            (bundle / "files" / name).write_text(text, encoding="utf-8")
            (bundle / f"{name}.told").write_text(text, encoding="utf-8")
        tools = self._machines.tools
        wanted = config(
            spec, bundle, self._cgroup(inside.id, spec.id), tools.swap, self._machines.lib
        )
        (bundle / "config.json").write_text(json.dumps(wanted))
        order = {
            "rootfs": str(bundle / "rootfs"),
            "config": str(bundle / "config.json"),
            "user": "" if spec.user in ROOT else spec.user,
            "mntns": str(inside.mntns),
            "binds": [
                (bind.inside, str(bundle / "binds" / str(number)))
                for number, bind in enumerate(spec.binds)
                if bind.path is None
            ],
            "fills": [(bind.target, str(bind.path)) for bind in spec.binds if bind.filled],
        }
        (bundle / "prepare.json").write_text(json.dumps(order))

    def _create(self, inside: Interior, bundle: Path, spec: Spec) -> None:
        options = overlay.options(spec.layers, bundle / "upper", bundle / "work")
        prepared = bool(spec.user not in ROOT or spec.binds)
        call = self._shim.create(
            inside,
            spec.id,
            bundle,
            options,
            tty=spec.tty,
            stdin=spec.stdin,
            once=spec.once,
            prepared=prepared,
        )
        read, write = os.pipe()
        try:
            with (bundle / "runtime.log").open("wb") as errors:
                child = subprocess.Popen(
                    call,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    pass_fds=[write],
                    env=os.environ | {"_OCI_SYNCPIPE": str(write)},
                    cwd=bundle,
                    start_new_session=True,
                )
            os.close(write)
            write = -1
            said = _line(read, PATIENCE)
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise StartError("the runtime did not answer") from None
        finally:
            os.close(read)
            if write >= 0:
                os.close(write)
        answer = json.loads(said) if said else {}
        if int(answer.get("data", answer.get("pid", -1))) <= 0:
            words = str(answer.get("message", "")).strip()
            text = (bundle / "runtime.log").read_text(errors="replace").strip()
            raise StartError(words or text or "conmon said nothing")

    def start(self, instance: str, container: str) -> None:
        """Have the program of a container that was made begin.

        Raises:
            StartError: the runtime could not.
        """
        bundle = self.folder(instance, container)
        with self._machines.inside(instance) as inside:
            done = runtime.run(self._shim.call(inside, bundle, "start", container))
        if done.returncode != 0:
            raise StartError(done.stderr.strip())

    # --- end -------------------------------------------------------------------------------------
    def kill(self, instance: str, container: str, number: int) -> bool:
        """Send a signal to the first process; whether there is one."""
        running = self.running(instance, container)
        if running is None:
            return False
        with _pidfd(running.pid, running.started) as pidfd:
            return pidfd is not None and _sent(pidfd, number)

    def pause(self, instance: str, container: str) -> bool:
        """Stop all processes of a container where they are; whether they have."""
        cgroup = self._cgroup(instance, container)
        if cgroups.freeze(cgroup):
            return True
        cgroups.thaw(cgroup)
        return False

    def unpause(self, instance: str, container: str) -> None:
        """Let them go on."""
        cgroups.thaw(self._cgroup(instance, container))

    def end(self, instance: str, container: str) -> None:
        """End whatever of a container runs, and remove the runtime's state of it."""
        running = self.running(instance, container)
        cgroup = self._cgroup(instance, container)
        for pid in {*cgroups.processes(cgroup), *([running.pid] if running else ())}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        cgroups.thaw(cgroup)
        if running is not None:
            with _pidfd(running.conmon, running.conmon_started) as pidfd:
                if pidfd is not None and not _ends(pidfd, 5.0):
                    _sent(pidfd, signal.SIGKILL)
        self._clear(instance, container)

    def _clear(self, instance: str, container: str) -> None:
        bundle = self.folder(instance, container)
        self._watch.drop(container)
        self._watched.pop(container, None)
        for pid in cgroups.processes(self._cgroup(instance, container)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        cgroups.remove(self._cgroup(instance, container))
        for name in (RECORD, "pid", "conmon.pid", "oom", "attach", "ctl", "winsz"):
            (bundle / name).unlink(missing_ok=True)
        for name in ("runtime", "exit"):
            _remove(bundle / name)

    def tell(self, instance: str, container: str, name: str, text: str) -> None:
        """Change a file that is put over one of the container's ``/etc``, if it was told something
        else before; what its owner wrote into it meanwhile is lost then."""
        bundle = self.folder(instance, container)
        told, path = bundle / f"{name}.told", bundle / "files" / name
        if path.exists() and told.exists() and told.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")  # in place: it is mounted
            told.write_text(text, encoding="utf-8")

    # --- what is there ---------------------------------------------------------------------------
    def record(self, instance: str, container: str) -> Running | None:
        """What was written down of the last start."""
        path = self.folder(instance, container) / RECORD
        try:
            found = Running(**json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None
        return found if found.host_boot == record.host_boot() else None

    def running(self, instance: str, container: str) -> Running | None:
        """The start that runs, if one does."""
        found = self.record(instance, container)
        if found is None or record.start_time(found.pid) != found.started:
            return None
        return found

    def ended(self, instance: str, container: str) -> Ended | None:
        """How the last start ended; None while it runs, or if there was none."""
        found = self.record(instance, container)
        if found is None or record.start_time(found.conmon) == found.conmon_started:
            return None  # conmon goes last, when the log and the exit code are written
        bundle = self.folder(instance, container)
        try:
            code = int((bundle / "exit" / container).read_text())
        except (OSError, ValueError):
            # conmon went first: somebody killed it, and nobody keeps the container any more
            code = 128 + signal.SIGKILL
        return Ended(found.run, code, (bundle / "oom").exists())

    def watch(self, instance: str, container: str) -> None:
        """Call ``ended`` when the container has ended and all of its log is written."""
        found = self.record(instance, container)
        if found is None:
            return
        pidfd = _open_pidfd(found.conmon, found.conmon_started)
        if pidfd is None:  # conmon may have been killed from inside, and what it minded goes on
            pidfd = _open_pidfd(found.pid, found.started)
        if pidfd is None:  # it went before it could be watched: nobody else would tell
            self._ended(instance)
            return
        self._watched[container] = instance, found.run
        self._watch.add(container, pidfd)

    def watches(self, container: str, run: int) -> bool:
        """Whether a start is watched and has not ended since."""
        known = self._watched.get(container)
        return known is not None and known[1] == run

    # --- inside ----------------------------------------------------------------------------------
    @contextlib.contextmanager
    def exec_argv(
        self, instance: str, container: str, spec: Spec, argv: Sequence[str]
    ) -> Iterator[tuple[list[str], Path]]:
        """A command line that runs one more program in a container, as ``spec`` says, and the file
        with the runtime's complaints; both are good until the end of the block.

        Raises:
            MachineError: the container does not run.
        """
        running = self.running(instance, container)
        if running is None:
            raise MachineError(f"{container} does not run")
        bundle = self.folder(instance, container)
        path = bundle / f"exec-{os.urandom(8).hex()}.json"
        try:
            root = os.open(f"/proc/{running.pid}/root", os.O_PATH | os.O_CLOEXEC)
            try:
                who = within.user(root, spec.user)
            finally:
                os.close(root)
            wanted = process(spec, list(argv))
            home = who.pop("home")
            wanted["user"] = who
            if not any(each.startswith("HOME=") for each in wanted["env"]):
                wanted["env"].append(f"HOME={home}")
            path.write_text(json.dumps(wanted))
            with self._machines.inside(instance) as inside:
                log = path.with_suffix(".log")
                if spec.tty:
                    yield self._shim.terminal(inside, bundle, path, container, log), log
                else:
                    words = ["exec", "--process", str(path), container]
                    yield self._shim.call(inside, bundle, *words, log=log), log
        finally:
            path.unlink(missing_ok=True)
            path.with_suffix(".log").unlink(missing_ok=True)

    @contextlib.contextmanager
    def files_argv(
        self, instance: str, container: str, layers: Sequence[Path], verb: str, path: str
    ) -> Iterator[list[str]]:
        """A command line that copies files of a container (see :mod:`.archive`), whether it runs
        or not; it is good until the end of the block.

        Raises:
            MachineError: the instance does not run.
        """
        program = [sys.executable, "-I", "-S", archive.__file__, verb, path]
        with self._machines.inside(instance) as inside:
            running = self.running(instance, container)
            if running is not None:
                yield [*program, str(inside.userns), f"/proc/{running.pid}/root"]
                return
            bundle = self.folder(instance, container)
            for name in ("upper", "work", "rootfs"):
                (bundle / name).mkdir(parents=True, exist_ok=True)
            options = overlay.options(layers, bundle / "upper", bundle / "work")
            at = bundle / "rootfs"
            yield self._shim.mounted(options, at, *program, str(inside.userns), str(at))

    def cgroup(self, instance: str, container: str) -> str:
        """The container's cgroup."""
        return self._cgroup(instance, container)

    def _cgroup(self, instance: str, container: str) -> str:
        return f"{self._machines.cgroup(instance)}/docker/{container}"


def _found(run: int, cgroup: str) -> Running:
    """The processes of a container that was just made: the one in its cgroup, and its parent.

    Raises:
        StartError: it has ended already, or its parent is none of ours.
    """
    for pid in sorted(cgroups.processes(cgroup)):
        started = record.start_time(pid)
        status = _status(pid)
        if started is None or status.get("NSpid", "").split()[-1:] != ["1"]:
            continue
        parent = int(status.get("PPid", "0"))
        ours = Path("/proc/self/ns/user").stat()
        with contextlib.suppress(OSError):
            begun = record.start_time(parent)
            apart = not os.path.samestat(Path(f"/proc/{parent}/ns/user").stat(), ours)
            if parent and begun is not None and not apart:
                return Running(run, pid, started, parent, begun, record.host_boot())
    raise StartError("the container ended before it was started")


def _status(pid: int) -> dict[str, str]:
    try:
        rows = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (row.partition(":") for row in rows)}


def _save(bundle: Path, running: Running) -> None:
    new = bundle / f".{RECORD}"
    new.write_text(json.dumps(asdict(running)), encoding="utf-8")
    new.rename(bundle / RECORD)


def _line(fd: int, patience: float) -> str:
    """The first line that comes, or what came of it before the other end was closed."""
    data = b""
    while b"\n" not in data and len(data) < 1 << 16:
        if not select.select([fd], [], [], patience)[0]:
            break
        more = os.read(fd, 4096)
        if not more:
            break
        data += more
    return data.partition(b"\n")[0].decode(errors="replace")


def _open_pidfd(pid: int, started: int) -> int | None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if record.start_time(pid) != started:
        os.close(pidfd)
        return None
    return pidfd


@contextlib.contextmanager
def _pidfd(pid: int, started: int) -> Iterator[int | None]:
    pidfd = _open_pidfd(pid, started)
    try:
        yield pidfd
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _sent(pidfd: int, number: int) -> bool:
    """Send a signal; whether the process was still there."""
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    return True


def _ends(pidfd: int, patience: float) -> bool:
    return bool(select.select([pidfd], [], [], patience)[0])


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _remove(folder: Path) -> None:
    """Remove a tree of any shape."""
    if folder.exists():
        runtime.run(["rm", "-rf", "--one-file-system", "--", str(folder)])
