"""Puts a folder of the host into a running instance, or takes one out: run as a program, for it
leaves its own mount namespace for the instance's and cannot come back.

``graft.py PIDFD put SOURCE TARGET`` or ``graft.py PIDFD take TARGET``, where ``PIDFD`` is an open
file descriptor of the instance's first process.  All names are resolved inside the instance, so
that links which it made lead nowhere else.
"""

import os
import sys
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).parents[2]))
from gureum.inside import syscalls


def put(pidfd: int, source: str, target: str) -> None:
    """Mount the host's folder ``source`` at ``target`` of the instance; device files open nothing.

    Raises:
        OSError: the kernel refused.
    """
    tree = syscalls.clone_mount(os.open(source, os.O_PATH | os.O_CLOEXEC))
    syscalls.setns(pidfd, syscalls.CLONE_NEWNS)
    Path(target).mkdir(mode=0o755, parents=True, exist_ok=True)
    syscalls.move_mount(tree, target)


def take(pidfd: int, target: str) -> None:
    """Unmount ``target`` of the instance, however busy it is.

    Raises:
        OSError: the kernel refused.
    """
    syscalls.setns(pidfd, syscalls.CLONE_NEWNS)
    syscalls.unmount(target)
    Path(target).rmdir()


def main(words: list[str]) -> None:
    """Do what the command line says; errors go to stderr."""
    pidfd, verb, *names = words
    try:
        (put if verb == "put" else take)(int(pidfd), *names)
    except OSError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
