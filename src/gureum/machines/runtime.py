"""The OCI runtime: which one works here, and its command lines.

Every call goes through a small shell script in a mount namespace of its own.  There the instance's
overlay is mounted: only the container inherits it, so when the container ends, by whatever cause,
the mount is gone, and the host never sees it.

crun 1.8 refuses hosts that have both cgroup versions mounted ("hybrid"), although the controllers
are all version 1.  It decides by ``/sys/fs/cgroup/unified/cgroup.controllers``; in the private
mount namespace an empty file lies over that, and crun works with version 1.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gureum.inside import terminal
from gureum.machines import oci
from gureum.machines.room import MachineError

RUNTIMES = ("crun", "runc")

HYBRID = Path("/sys/fs/cgroup/unified/cgroup.controllers")

# unshare(1) gives private copies of all mounts that still follow the host's unmounts, so that a
# namespace or volume removed on the host is not kept alive by us.
PRIVATE = ("unshare", "--mount", "--propagation", "slave")

# $1 an empty file, or nothing.
_ENTER = f'[ -z "$1" ] || mount --bind "$1" {HYBRID}; shift; exec "$@"'

# $1 an empty file or nothing, $2 overlay options, $3 the bundle, $4 the file of the instance's
# user namespace or nothing.  1 and 2 are the console, 8 is the caller's error stream,
# which is also the instance's lock: the runtime keeps it open, so a new daemon waits for a start
# that a killed one had begun; runtimes do not pass it on.
_RUN = f"""
[ -z "$1" ] || mount --bind "$1" {HYBRID} 2>&8 || exit 125
mount -t overlay -o "$2" gureum "$3/rootfs" 2>&8 || exit 125
[ -z "$4" ] || mount --bind "$4" "$3/userns" 2>&8 || exit 125
shift 4
exec "$@"
"""

# Seconds that a runtime may take for one step; it takes some 0.03.
PATIENCE = 60.0

# No id of an instance has a full stop; a keyring of crun's may not begin with one.
PROBE = "probe."

_probe_lock = threading.Lock()
_probed: dict[str | None, tuple[str, bool]] = {}


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that was seen to work: its program, whether it can limit swap, the folder with its
    own state, and an empty file where the hybrid trick is needed."""

    program: str
    swap: bool
    state: Path
    empty: Path | None

    def run_argv(
        self,
        id: str,  # noqa: A002
        bundle: Path,
        overlay: str | None,
        userns: Path | None = None,
    ) -> list[str]:
        """Start the container of ``bundle`` (an absolute folder with ``config.json``) and leave it;
        its PID goes to ``bundle/pid``, the runtime's complaints to ``bundle/runtime.log``.
        ``overlay`` are the mount options for ``bundle/rootfs``; None if that is filled already.
        ``userns`` is the file of a user namespace to appear as ``bundle/userns``."""
        call = [
            *self._base(bundle / "runtime.log"),
            "run", "--detach", "--bundle", str(bundle), "--pid-file", str(bundle / "pid"), id,
        ]  # fmt: skip
        if overlay is None:
            return self._private(call)
        head = [*PRIVATE, "sh", "-c", _RUN, "gureum", str(self.empty or "")]
        return [*head, overlay, str(bundle), str(userns or ""), *call]

    def exec_argv(
        self,
        id: str,  # noqa: A002
        argv: Sequence[str],
        env: Mapping[str, str],
        bundle: Path | None = None,
    ) -> list[str]:
        """Run ``argv`` in a running container, in the foreground, with our streams as its own; on a
        terminal of its own if the container's ``bundle`` is given."""
        if bundle is not None:
            return self._terminal_argv(id, argv, env, bundle)
        # Told some, crun forgets the container's own.
        given = oci.ENVIRONMENT | dict(env)
        options = [f"--env={name}={value}" for name, value in given.items()]
        # crun's exec does not know the container's limits.  Cores would be written by the host.
        head = ["prlimit", "--core=0"]
        return [*head, *self._private([*self._base(None), "exec", *options, id, *argv])]

    def _terminal_argv(
        self, key: str, argv: Sequence[str], env: Mapping[str, str], bundle: Path
    ) -> list[str]:
        given = oci.ENVIRONMENT | dict(env)
        process = json.loads((bundle / "config.json").read_text())["process"] | {
            "terminal": True,
            "args": list(argv),
            "env": [f"{name}={value}" for name, value in given.items()],
        }
        words = on_terminal(json.dumps(process, ensure_ascii=False), key)
        return [*words, *self._private([*self._base(None), "exec"])]

    def remove(self, id: str) -> None:  # noqa: A002
        """End what is left of a container and remove its cgroups and the runtime's state.

        Raises:
            MachineError: the runtime could not.
        """
        if not (self.state / id).exists():
            return
        done = run(self._private([*self._base(None), "delete", "--force", id]))
        if done.returncode != 0 and (self.state / id).exists():
            raise MachineError(f"{id}: {self.program} delete: {done.stderr.strip()}")

    def _base(self, log: Path | None) -> list[str]:
        call = [self.program, "--root", str(self.state)]
        if Path(self.program).name == "crun":
            call.append("--cgroup-manager=cgroupfs")  # we name cgroups, systemd need not run
        return call if log is None else [*call, "--log", str(log)]

    def _private(self, call: list[str]) -> list[str]:
        if self.empty is None:
            return call
        return [*PRIVATE, "sh", "-euc", _ENTER, "gureum", str(self.empty), *call]


def on_terminal(process: str, container: str) -> list[str]:
    """What stands before a runtime's ``exec`` to run a program on a terminal of its own; see
    :mod:`gureum.inside.terminal`."""
    return [sys.executable, "-I", "-S", terminal.__file__, process, container]


def run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a short program of the runtime's kind and keep what it says."""
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def choose(root: Path, rootfs: Path, only: str | None = None) -> Runtime:
    """The first runtime that really runs a container with limits here; the answer is remembered
    for the life of the process.

    ``rootfs`` is any image with a shell, ``only`` the name of the one runtime to be considered.

    Raises:
        MachineError: none does; the text says what each of them answered.
    """
    with _probe_lock:
        if only not in _probed:
            _probed[only] = _probe(root, rootfs, [only] if only else RUNTIMES)
        program, swap = _probed[only]
    return _runtime(root, program, swap)


def _runtime(root: Path, program: str, swap: bool) -> Runtime:
    state = root / "runtime"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    empty = None
    if HYBRID.exists() and Path(program).name == "crun":
        empty = root / "empty"
        empty.touch()
    return Runtime(program, swap, state, empty)


def _probe(root: Path, rootfs: Path, names: Iterable[str]) -> tuple[str, bool]:
    complaints = []
    for name in names:
        program = shutil.which(name)
        if program is None:
            complaints.append(f"{name}: not installed")
            continue
        _forget_probes(_runtime(root, program, swap=True), root)
        for swap in (True, False):
            complaint = _try(_runtime(root, program, swap), root, rootfs)
            if complaint is None:
                return program, swap
            complaints.append(f"{name}: {complaint}")
    raise MachineError("no OCI runtime runs a container here: " + "; ".join(complaints))


def _forget_probes(runtime: Runtime, root: Path) -> None:
    """Remove what a daemon left that was killed while it probed."""
    for rest in runtime.state.glob(f"{PROBE}*"):
        runtime.remove(rest.name)
    for rest in root.glob(f"{PROBE}*"):
        shutil.rmtree(rest)


def _try(runtime: Runtime, root: Path, rootfs: Path) -> str | None:
    """Run a container with limits and look whether the kernel has them; what went wrong, if
    anything."""
    with tempfile.TemporaryDirectory(prefix=PROBE, dir=root) as folder:
        bundle = Path(folder)
        name = bundle.name
        limits = oci.Limits(cpus=1, memory=64, swap=runtime.swap)
        _write_probe(bundle, rootfs, name, limits)
        try:
            with (bundle / "errors").open("w+") as errors:  # a pipe would wait for the container
                done = subprocess.run(
                    runtime.run_argv(name, bundle, None),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    timeout=PATIENCE,
                    check=False,
                )
                errors.seek(0)
                said = errors.read()
            if done.returncode != 0:
                log = bundle / "runtime.log"
                said += log.read_text() if log.exists() else ""
                return said.strip() or f"exit status {done.returncode}"
            return _unlimited(int((bundle / "pid").read_text()), limits)
        except subprocess.TimeoutExpired:
            return "did not answer"
        finally:
            runtime.remove(name)


def _write_probe(bundle: Path, rootfs: Path, name: str, limits: oci.Limits) -> None:
    for folder in ("lib", "seed"):
        (bundle / folder).mkdir()
    parts = oci.Bundle(
        rootfs, bundle / "lib", bundle / "seed", f"/gureum-{name}", None, None, "probe"
    )
    wanted = oci.config(parts, limits, ["sleep", "60"])
    wanted["root"]["readonly"] = True
    (bundle / "config.json").write_text(json.dumps(wanted))


def _unlimited(pid: int, limits: oci.Limits) -> str | None:
    """What of the limits is not in force for a process, read from its cgroups."""
    want = {"memory": limits.memory * 1024 * 1024, "pids": limits.pids}
    for controller, value in want.items():
        files = (
            Path("/sys/fs/cgroup", controller),  # version 1
            Path("/sys/fs/cgroup"),  # version 2
        )
        path = cgroup_of(pid, controller).lstrip("/")
        names = ("memory.limit_in_bytes", "memory.max", "pids.max")
        found = [
            file.read_text().strip()
            for file in (base / path / name for base in files for name in names)
            if name_of(file) == controller and file.exists()
        ]
        if str(value) not in found:
            return f"the {controller} limit is not in force: wanted {value}, found {found}"
    return None


def name_of(file: Path) -> str:
    """The controller that a cgroup file belongs to."""
    return file.name.partition(".")[0]


def cgroup_of(pid: int, controller: str) -> str:
    """The cgroup of a process: of ``controller`` under version 1, else of version 2; "" if the
    process is gone.  Source: cgroups(7), /proc/pid/cgroup."""
    try:
        rows = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    parts = [row.split(":", 2) for row in rows]
    for _, controllers, path in parts:
        if controller in controllers.split(","):
            return path
    return next((path for _, controllers, path in parts if not controllers), "")
