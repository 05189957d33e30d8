"""Readies a container's files before its runtime starts: run as a program in the mount namespace
in which the container's root is mounted.

``prepare.py FILE``, a JSON object: ``rootfs``; ``config`` to be completed; ``user`` as Docker
writes it; ``mntns`` the instance's mount namespace; ``binds``: pairs of a path inside the instance
and where it is to be seen; ``fills``: pairs of a path inside the root and an empty folder that gets
a copy of it; ``workdir`` to be made if it is not there.
"""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).parents[2]))
from gureum.inside import copying, syscalls, within


def _reach(path: str) -> int:
    """A descriptor of what is at ``path`` in the namespace that we are in; a folder is made where
    nothing is, as Docker does.

    Magic links are not followed: the instance's ``/proc`` shows conmon, whose root is the
    machine's, and we could go there where the instance cannot (proc(5), ``/proc/pid/root``).
    """
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    at = root
    parts = [part for part in path.split("/") if part]
    for number in range(1, len(parts) + 1):
        part = "/".join(parts[:number])
        try:
            at = within.open_in(root, part, os.O_PATH)
        except FileNotFoundError:
            parent = within.open_in(root, "/".join(parts[: number - 1]), os.O_PATH | os.O_DIRECTORY)
            os.mkdir(parts[number - 1], 0o755, dir_fd=parent)
            at = within.open_in(root, part, os.O_PATH)
    return at


def bind(mntns: str, pairs: list[tuple[str, str]]) -> None:
    """Bring paths of the instance here: each is looked up there, where links lead nowhere else."""
    home = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(mntns, os.O_RDONLY | os.O_CLOEXEC)
    syscalls.setns(there, syscalls.CLONE_NEWNS)
    trees = [syscalls.clone_mount(_reach(path), recursive=True) for path, _ in pairs]
    syscalls.setns(home, syscalls.CLONE_NEWNS)
    for tree, (_, target) in zip(trees, pairs, strict=True):
        if stat.S_ISDIR(os.fstat(tree).st_mode):
            Path(target).mkdir(parents=True, exist_ok=True)
        else:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            Path(target).touch()
        syscalls.move_mount(tree, target)


def fill(rootfs: str, root: int, path: str, folder: str) -> None:
    """Give an empty volume what the image has in its place."""
    if any(Path(folder).iterdir()):
        return
    try:
        source = within.open_in(root, path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    seen = os.fstat(source)
    os.chown(folder, seen.st_uid, seen.st_gid)
    Path(folder).chmod(stat.S_IMODE(seen.st_mode))
    there = Path(f"/proc/self/fd/{source}").readlink().relative_to(Path(rootfs).resolve())
    copying.copy(rootfs, str(there), folder, ".")


def settle_user(config: Path, root: int, text: str) -> None:
    """Write into the configuration who the first process is."""
    wanted = json.loads(config.read_text())
    found = within.user(root, text)
    home = found.pop("home")
    process = wanted["process"]
    process["user"] = found
    if not any(each.startswith("HOME=") for each in process["env"]):
        process["env"].append(f"HOME={home}")
    config.write_text(json.dumps(wanted))


def run(order: dict[str, Any]) -> None:
    """Do what the file says."""
    root = os.open(order["rootfs"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if order["user"]:
        settle_user(Path(order["config"]), root, order["user"])
    for path, folder in order["fills"]:
        fill(order["rootfs"], root, path, folder)
    if order["binds"]:
        bind(order["mntns"], order["binds"])


def main(words: list[str]) -> None:
    """Errors go to stderr, in one line."""
    try:
        run(json.loads(Path(words[0]).read_text()))
    except (OSError, within.UserError, copying.CopyError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
