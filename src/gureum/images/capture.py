"""Makes a layer of what somebody changed: the upper directory of an overlay, which may be that of a
running container, and is hostile.

A program away from the daemon, whose root is that directory, packs it as a layer's tar file; that
is then unpacked like any that was fetched.  So nothing but what is in the directory can get into
the layer, whatever links come and go meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO

from gureum.images import layers
from gureum.images.catalog import Catalog
from gureum.images.errors import ImageError
from gureum.images.unpack import LEAST_FREE

TAR = "application/vnd.oci.image.layer.v1.tar"
PIECE = 1 << 20
LOOK_EVERY = 32
"""Pieces between two looks at the disk."""
PATIENCE = 1800.0
"""Seconds that it may take; who is captured may write as fast as we read."""

# The same trick as of unpacking: without the package's own imports.
_LAUNCH = """
import os, sys, types
from pathlib import Path
folder = Path(sys.argv[1])
for name, path in (("gureum", folder.parent), ("gureum.images", folder)):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [str(path)]
from gureum.images.errors import ImageError
from gureum.images.pack import pack
os.chdir(sys.argv[2])
os.chroot(".")
try:
    pack(Path("/"), sys.stdout.buffer)
except (ImageError, OSError) as error:
    sys.exit(str(error))
"""


def capture(catalog: Catalog, upper: Path) -> str:
    """The diff id of the layer that a directory is, which is in the catalog by then.  Within
    :meth:`Catalog.adding`.

    Raises:
        ImageError: it changed meanwhile, is too large, or has what layers cannot have.
    """
    fd, name = tempfile.mkstemp(prefix=".new-", dir=catalog.root)
    try:
        with os.fdopen(fd, "wb") as file:
            diff_id, size = _pack(upper, file)
        layers.unpack(catalog, layers.Packed(diff_id, size, TAR, diff_id), Path(name))
    finally:
        Path(name).unlink(missing_ok=True)
    return diff_id


def _pack(upper: Path, file: IO[bytes]) -> tuple[str, int]:
    call = [sys.executable, "-I", "-S", "-c", _LAUNCH, str(Path(__file__).parent), str(upper)]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            call, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        end = threading.Timer(PATIENCE, process.kill)
        end.start()
        try:
            found = _keep(process.stdout, file)
        except BaseException:
            process.kill()
            raise
        finally:
            end.cancel()
        if process.wait() != 0:
            errors.seek(0)
            said = errors.read(4096).decode(errors="replace").strip()
            raise ImageError(f"the layer could not be made: {said or process.returncode}")
    return found


def _keep(source: IO[bytes], file: IO[bytes]) -> tuple[str, int]:
    """Copy all that comes, if it is not too much; its digest and size."""
    total, size, number = hashlib.sha256(), 0, 0
    while piece := source.read(PIECE):
        total.update(piece)
        size += file.write(piece)
        number += 1
        room = os.fstatvfs(file.fileno()) if number % LOOK_EVERY == 1 else None
        full = room is not None and room.f_bavail * room.f_frsize < LEAST_FREE
        if size > layers.MOST_BYTES or full:
            raise ImageError(f"the layer has more than {size >> 20} MiB, and there is no room")
    return f"sha256:{total.hexdigest()}", size
