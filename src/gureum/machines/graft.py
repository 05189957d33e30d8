"""Puts a folder of the host into a running instance, or takes one out: run as a program, for it
leaves its own mount namespace for the instance's and cannot come back.

``graft.py PIDFD put SOURCE TARGET`` or ``graft.py PIDFD take TARGET``, where ``PIDFD`` is an open
file descriptor of the instance's first process.  All names are resolved inside the instance, so
that links which it made lead nowhere else.

Sources: open_tree(2), move_mount(2), mount_setattr(2), setns(2), umount2(2).
"""

import ctypes
import os
import sys
from pathlib import Path

# System calls have the same numbers on all architectures since Linux 5.1.
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOUNT_ATTR_NODEV = 0x04
MS_PRIVATE = 1 << 18
CLONE_NEWNS = 0x00020000
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8

_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    """``struct mount_attr``."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _enter(pidfd: int) -> None:
    _checked(_libc.setns(pidfd, CLONE_NEWNS), "setns")


def put(pidfd: int, source: str, target: str) -> None:
    """Mount the host's folder ``source`` at ``target`` of the instance; device files open nothing.

    Raises:
        OSError: the kernel refused.
    """
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
    tree = _checked(_libc.syscall(OPEN_TREE, AT_FDCWD, source.encode(), flags), "open_tree")
    wanted = _Attributes(attr_set=MOUNT_ATTR_NODEV, propagation=MS_PRIVATE)
    _checked(
        _libc.syscall(
            MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, ctypes.byref(wanted), ctypes.sizeof(wanted)
        ),
        "mount_setattr",
    )
    _enter(pidfd)
    Path(target).mkdir(mode=0o755, parents=True, exist_ok=True)
    _checked(
        _libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH),
        "move_mount",
    )


def take(pidfd: int, target: str) -> None:
    """Unmount ``target`` of the instance, however busy it is.

    Raises:
        OSError: the kernel refused.
    """
    _enter(pidfd)
    _checked(_libc.umount2(target.encode(), MNT_DETACH | UMOUNT_NOFOLLOW), "umount2")
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
