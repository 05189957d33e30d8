"""Who owns an instance's network namespace.

The engine makes it below a user namespace of its own, so that capabilities of the instance count
inside only; the container joins both, and so do the programs that we start in it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gureum.machines.room import MachineError

# linux/nsfs.h: _IO(0xb7, 0x1), the user namespace that owns another namespace.
NS_GET_USERNS = 0xB701


def owner(path: Path) -> int | None:
    """A file descriptor of the user namespace that owns a network namespace; None if that is the
    one we are in.

    Raises:
        MachineError: ``path`` is no namespace.
    """
    try:
        with path.open("rb") as file:
            fd: int = fcntl.ioctl(file.fileno(), NS_GET_USERNS)
    except OSError as error:
        raise MachineError(f"{path} is no network namespace: {error}") from error
    os.set_inheritable(fd, False)
    if os.path.samestat(os.fstat(fd), Path("/proc/self/ns/user").stat()):
        os.close(fd)
        return None
    return fd
