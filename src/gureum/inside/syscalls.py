"""Kernel calls that Python has no name for, as functions that raise ``OSError``.

Sources: openat2(2), open_tree(2), mount_setattr(2), move_mount(2), umount2(2), setns(2), prctl(2).
"""

import ctypes
import os

# System calls have the same numbers on all architectures since Linux 5.1.
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442

RESOLVE_NO_MAGICLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT = 0x02, 0x08, 0x10
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000

_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 0x04
_MOUNT_ATTR_NODEV = 0x04
_MS_PRIVATE = 1 << 18
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    """``struct open_how``."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


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


def openat2(root: int, path: bytes, flags: int, resolve: int) -> int:
    """A descriptor of ``path``, resolved from the directory ``root`` as ``resolve`` says."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    found = _libc.syscall(_OPENAT2, root, path, ctypes.byref(how), ctypes.sizeof(how))
    return _checked(found, os.fsdecode(path))


def clone_mount(place: int, *, recursive: bool = False) -> int:
    """A copy of the mount of what a descriptor is of, with those below it if asked: apart from the
    original, and device files in it open nothing."""
    deep = _AT_RECURSIVE if recursive else 0
    flags = _OPEN_TREE_CLONE | _AT_EMPTY_PATH | os.O_CLOEXEC | deep
    tree = _checked(_libc.syscall(_OPEN_TREE, place, b"", flags), "open_tree")
    wanted = _Attributes(attr_set=_MOUNT_ATTR_NODEV, propagation=_MS_PRIVATE)
    size = ctypes.sizeof(wanted)
    flags = _AT_EMPTY_PATH | deep
    done = _libc.syscall(_MOUNT_SETATTR, tree, b"", flags, ctypes.byref(wanted), size)
    _checked(done, "mount_setattr")
    return tree


def move_mount(tree: int, target: str) -> None:
    """Mount a copy at a path of the mount namespace that we are in."""
    where = os.fsencode(target)
    done = _libc.syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, where, _MOVE_MOUNT_F_EMPTY_PATH)
    _checked(done, "move_mount")


def unmount(target: str) -> None:
    """Unmount a path, however busy it is; a link is not followed."""
    _checked(_libc.umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW), "umount2")


def setns(space: int, kind: int) -> None:
    """Enter a namespace, by a descriptor of it or of a process that is in it (``os.setns`` from
    Python 3.12 on)."""
    _checked(_libc.setns(space, kind), "setns")


def adopt_orphans() -> None:
    """Be the parent of all descendants in our PID namespace whose own parent ends."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
