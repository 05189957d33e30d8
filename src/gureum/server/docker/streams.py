"""Output as Docker sends it, and the way to a container's own streams.

Sources: Docker Engine API 1.43, "ContainerAttach", "Stream format"; conmon, ``conn_sock.c``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
_HEADER = struct.Struct(">BxxxI")
_PACKET = 32 * 1024
"""More than conmon puts into one packet."""


def frame(stream: int, data: bytes) -> bytes:
    """A piece of output of stream 1 or 2, where there is no terminal."""
    return _HEADER.pack(stream, len(data)) + data


class Attachment:
    """A connection to conmon's socket of a container: its output from now on, and its input."""

    def __init__(self, folder: Path) -> None:
        """Raises:
        OSError: the container does not run.
        """
        fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.connect(f"/proc/self/fd/{fd}/attach")
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise
        finally:
            os.close(fd)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Pieces with the number of their stream, until the container ends."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                packet = await loop.sock_recv(self._socket, _PACKET)
            except OSError:
                return
            if not packet:
                return
            yield (2 if packet[0] == 3 else 1), packet[1:]

    async def say(self, data: bytes) -> None:
        """Give it input."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(data), 4096):
            await loop.sock_sendall(self._socket, data[start : start + 4096])

    def end_input(self) -> None:
        """It gets no more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go."""
        self._socket.close()


def resize(folder: Path, height: int, width: int) -> None:
    """Tell a container's terminal its size (conmon, ``ctrl.c``: command 1).

    Raises:
        OSError: it does not run.
    """
    fd = os.open(folder / "ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(fd, f"1 {height} {width}\n".encode())
    finally:
        os.close(fd)


async def end_tree(child: asyncio.subprocess.Process) -> None:
    """End a program of ours that still runs, with all that it has begun: a runtime that is killed
    leaves the program that it runs in a container."""
    if child.returncode is None:
        for pid in reversed(list(_descendants(child.pid))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    await end_child(child)


def _descendants(pid: int) -> Iterator[int]:
    """The children of a process, and theirs (proc(5), ``/proc/pid/task/tid/children``)."""
    for path in Path("/proc", str(pid), "task").glob("*/children"):
        with contextlib.suppress(OSError):
            for each in path.read_text().split():
                yield int(each)
                yield from _descendants(int(each))


async def end_child(child: asyncio.subprocess.Process) -> None:
    """End a program of ours, if it still runs, and take note of it."""
    if child.returncode is None:
        # not child.kill(): that may reap it, and asyncio would not know what became of it
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
    await child.wait()
