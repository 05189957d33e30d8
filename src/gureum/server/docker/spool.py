"""Bodies that are too large for memory, in files without a name."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import IO

from gureum.containers import DockerError
from gureum.images.unpack import LEAST_FREE
from gureum.server.docker.http import Request

PIECE = 1 << 20


async def spooled(request: Request, folder: Path, most: int) -> IO[bytes]:
    """A request's body, of ``most`` bytes at most, in a file below ``folder``.

    Raises:
        DockerError: 413, it is larger, or the disk would get full.
    """
    file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - whoever asked closes it
    size, waiting = 0, bytearray()
    async for piece in request.body:
        size += len(piece)
        waiting += piece
        if size > most or is_full(file.fileno()):
            file.close()
            raise DockerError(413, f"there is no room for a body of more than {size >> 20} MiB")
        if len(waiting) >= PIECE:
            await asyncio.to_thread(file.write, bytes(waiting))  # a disk may take its time
            waiting.clear()
    file.write(waiting)
    file.flush()
    return file


def is_full(fd: int, more: int = 0) -> bool:
    """Whether the disk of a file would be full with so many bytes more."""
    disk = os.fstatvfs(fd)
    return disk.f_bavail * disk.f_frsize - more < LEAST_FREE
