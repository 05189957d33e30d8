"""The command lines by which a container is made and run: conmon, and below it the OCI runtime.

conmon is the container's parent: it keeps the log, the streams and the exit code, and outlives the
daemon.  All of them run in the instance's PID namespace, so that the container's is a child of it
and the instance's ``ps`` shows it, and in the instance's cgroup, so that they count against its
limits.  They belong to our user namespace and see a private copy of our mounts: the instance, which
is below, may kill them (its own loss) and can neither trace them nor look into them (ptrace(2),
"Ptrace access mode checking").

Source: conmon(8).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from gureum.inside import prepare
from gureum.machines import runtime
from gureum.machines.cgroups import ROOT
from gureum.machines.containers import Interior

CONMON = "conmon"
LOG_SIZE = 10 << 20
"""Bytes of a container's log; conmon begins a new one then."""

# $1 an empty file or nothing, $2 the PID namespace.
_ENTER = f"""
[ -z "$1" ] || mount --bind "$1" {runtime.HYBRID}
pidns=$2
shift 2
exec nsenter --pid="$pidns" sh -euc 'mount -t proc proc /proc; exec "$@"' gureum "$@"
"""

# $1 the instance's cgroup, $2 overlay options, $3 the bundle, $4 the user namespace, $5 Python if
# there is something to prepare, then what _ENTER takes.
_CREATE = f"""
for file in {ROOT}/*"$1"/cgroup.procs {ROOT}"$1"/cgroup.procs; do
    [ ! -e "$file" ] || echo $$ >"$file"
done
mount -t overlay -o "$2" gureum "$3/rootfs"
mount --bind "$4" "$3/userns"
[ -z "$5" ] || "$5" -I -S {prepare.__file__} "$3/prepare.json"
shift 5
{_ENTER}
"""

# $1 overlay options or nothing, $2 where.
_MOUNTED = """
[ -z "$1" ] || mount -t overlay -o "$1" gureum "$2"
shift 2
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Shim:
    """Command lines for containers, with the runtime that the machine's instances have."""

    runtime: runtime.Runtime

    def create(
        self, inside: Interior, name: str, bundle: Path, overlay: str, *,
        tty: bool, stdin: bool, once: bool, prepared: bool,
    ) -> list[str]:  # fmt: skip
        """Make the container of ``bundle`` without starting its program."""
        options = ["--terminal"] if tty else []
        if stdin:
            options += ["--stdin", *([] if once else ["--leave-stdin-open"])]
        conmon = [
            CONMON, "--api-version", "1", "--cid", name, "--cuuid", name, "--name", name,
            "--runtime", self.runtime.program,
            *(f"--runtime-arg={word}" for word in self._flags(bundle)),
            "--bundle", str(bundle), "--container-pidfile", str(bundle / "pid"),
            "--conmon-pidfile", str(bundle / "conmon.pid"), "--exit-dir", str(bundle / "exit"),
            "--log-path", f"k8s-file:{bundle / 'log'}", "--log-size-max", str(LOG_SIZE),
            "--full-attach", "--socket-dir-path", str(bundle), "--no-sync-log",
            "--log-level", "error", *options,
        ]  # fmt: skip
        python = sys.executable if prepared else ""
        head = [inside.cgroup, overlay, str(bundle), str(inside.userns), python]
        return [*runtime.PRIVATE, "sh", "-euc", _CREATE, "gureum", *head, *self._way(inside),
                *conmon]  # fmt: skip

    def call(
        self, inside: Interior, bundle: Path, *words: str, log: Path | None = None
    ) -> list[str]:
        """Run the runtime for a container that is there; its complaints go to ``log``, if one is
        given, else to its error stream."""
        where = ["--log", str(log)] if log else []
        call = [self.runtime.program, *self._flags(bundle), *where, *words]
        return [*runtime.PRIVATE, "sh", "-euc", _ENTER, "gureum", *self._way(inside), *call]

    def terminal(
        self, inside: Interior, bundle: Path, process: Path, container: str, log: Path
    ) -> list[str]:
        """Run one more program in a container that is there, on a terminal of its own that our
        streams are the way to; ``process`` is a file with the OCI process."""
        words = runtime.on_terminal(str(process), container)
        call = [self.runtime.program, *self._flags(bundle), "--log", str(log), "exec"]
        return [*runtime.PRIVATE, "sh", "-euc", _ENTER, "gureum", *self._way(inside), *words, *call]

    def mounted(self, overlay: str, at: Path, *words: str) -> list[str]:
        """Run a program of ours where a container's root is mounted."""
        return [*runtime.PRIVATE, "sh", "-euc", _MOUNTED, "gureum", overlay, str(at), *words]

    def _way(self, inside: Interior) -> list[str]:
        return [str(self.runtime.empty or ""), str(inside.pidns)]

    def _flags(self, bundle: Path) -> list[str]:
        words = ["--root", str(bundle / "runtime")]
        if Path(self.runtime.program).name == "crun":
            words.append("--cgroup-manager=cgroupfs")
        return words
