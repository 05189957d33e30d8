"""Volumes of instances: folders of the host that appear under ``/run/volumes`` of who has them.

``<root>/<id>`` is the content of a volume or of a snapshot; it outlives every instance.  A copy
becomes visible as a whole: it is made in ``.copy-<id>`` and ends in a rename.  Inside, ``/run`` is
a tmpfs, so that no mount point has to be made in a tree that a hostile instance prepared.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gureum.inside import copying, graft
from gureum.machines import runtime
from gureum.machines.oci import VOLUMES as INSIDE
from gureum.machines.room import MachineError, check_id

Mounted = dict[str, str]
"""Volume ids by the name that each has in the instance's folder of volumes."""


class Volumes:
    """The folders of one cloud's volumes and snapshots, under ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def there(self) -> set[str]:
        """The ids that have a folder."""
        return {path.name for path in self._root.glob("[!.]*")} if self._root.is_dir() else set()

    def copy(self, source: str, target: str) -> None:
        """Make ``target`` a copy of ``source`` as it is now; nothing if that has no folder, or if
        ``target`` has one.

        Raises:
            MachineError: it could not be copied.
        """
        self.copy_in(self._root / check_id(source), target)

    def copy_in(self, source: Path, target: str) -> None:
        """The same, from any folder.

        Raises:
            MachineError: it could not be copied.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _copy(source, self._root / check_id(target))

    def copy_out(self, source: str, target: Path) -> None:
        """The same, to any folder; nothing where ``source`` is empty.

        Raises:
            MachineError: it could not be copied.
        """
        if not source:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(self._root / check_id(source), target)

    def take(self, source: Path, target: str) -> None:
        """Let a folder of the same file system be the content of ``target`` from now on; nothing if
        it is not there, or if ``target`` has content."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _move(source, self._root / check_id(target))

    def give(self, source: str, target: Path) -> None:
        """The other way round: what a volume holds becomes a folder, if neither is missing nor
        there already.  Nothing where ``source`` is empty."""
        if source:
            target.parent.mkdir(parents=True, exist_ok=True)
            _move(self._root / check_id(source), target)

    def folder(self, key: str) -> Path:
        """The folder of a volume, made if it is not there."""
        path = self._root / check_id(key)
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o755, exist_ok=True)
        return path

    def content(self, key: str) -> Path | None:
        """Where a volume or snapshot has its content, if it has any."""
        path = self._root / check_id(key)
        return path if path.exists() else None

    def remove(self, key: str) -> None:
        """Remove what an id has, if anything.

        Raises:
            MachineError: it could not be removed.
        """
        _remove(self._root / check_id(key))

    def equip(self, pid: int, pidfd: int, wanted: Mounted) -> None:
        """Make the volumes of a running instance, whose first process is ``pid``, the wanted ones.

        Raises:
            MachineError: the kernel refused one.
        """
        has = self.mounted(pid)
        for name in has.keys() - {name for name in has if wanted.get(name) == has[name]}:
            self._graft(pidfd, "take", f"{INSIDE}/{name}")
        for name, key in wanted.items():
            if has.get(name) != key:
                self._graft(pidfd, "put", str(self.folder(key)), f"{INSIDE}/{name}")

    def mounted(self, pid: int) -> Mounted:
        """What a running instance has, as its kernel says (proc(5), mountinfo)."""
        found = {}
        for line in Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines():
            root, target = line.split()[3:5]
            name = target.removeprefix(f"{INSIDE}/")
            if name != target and "/" not in name and Path(root).parent.name == self._root.name:
                found[name] = Path(root).name
        return found

    def _graft(self, pidfd: int, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(graft.__file__), str(pidfd), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=runtime.PATIENCE,
            pass_fds=[pidfd],
            check=False,
        )
        if done.returncode != 0:
            raise MachineError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")


def _copy(source: Path, target: Path) -> None:
    """Copy a tree that its instance may be changing; nothing if ``source`` is not there or
    ``target`` is."""
    if target.exists() or not source.exists():
        return
    part = target.with_name(f".copy-{target.name}")
    _remove(part)
    try:
        copying.copy(str(source), ".", str(part.parent), part.name)
    except copying.CopyError as error:
        raise MachineError(f"{source.name} could not be copied: {error}") from None
    part.rename(target)


def _remove(tree: Path) -> None:
    """Remove a tree, if it is there.  ``rm`` holds on to the folders in which it is, so links lead
    it nowhere."""
    done = subprocess.run(
        ("rm", "-rf", "--one-file-system", "--", str(tree)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise MachineError(f"{tree.name} could not be removed: {done.stderr.strip()[-500:]}")


def _move(source: Path, target: Path) -> None:
    if source.exists() and not target.exists():
        source.rename(target)
