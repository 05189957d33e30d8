"""Packs a layer's directory into a tar file, the same bytes each time.

Entries are sorted, times are whole seconds, owners are numbers; what overlayfs notes as device
files and attributes becomes the whiteouts of OCI layers again.  So a layer that was made here has a
diff id that holds for as long as its files do, and needs no second copy as a tar file.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from gureum.images.errors import ImageError
from gureum.images.unpack import OPAQUE, OPAQUE_ATTRIBUTE, WHITEOUT, kept

_ASIDE = ("trusted.overlay.redirect", "trusted.overlay.metacopy")
"""By these a directory or file has what lies elsewhere below (Linux, ``overlayfs.rst``); kernels
note them only if that was switched on."""

_FILES, _NAMES = "utf-8", "surrogateescape"


class _Sink:
    """Digests what is written to it, and passes it on."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self.sum = hashlib.sha256()
        self.size = 0
        self._file = file

    def write(self, data: bytes) -> int:
        self.sum.update(data)
        self.size += len(data)
        if self._file is not None:
            self._file.write(data)
        return len(data)


def pack(root: Path, file: IO[bytes] | None) -> tuple[str, int]:
    """Write the tree below ``root`` as a layer's tar file, if one is given; the digest and size of
    that.

    Raises:
        ImageError: a file changed meanwhile.
        OSError: one cannot be read or written.
    """
    sink = _Sink(file)
    stream: Any = sink  # tarfile's type asks for more than what a stream that is written needs
    links: dict[tuple[int, int], str] = {}
    with tarfile.open(
        fileobj=stream,
        mode="w|",
        format=tarfile.PAX_FORMAT,
        encoding=_FILES,
        errors=_NAMES,
    ) as archive:
        for path, name in _walk(root):
            _add(archive, path, name, links)
    return f"sha256:{sink.sum.hexdigest()}", sink.size


def size_of(root: Path) -> int:
    """Bytes of the files below ``root``, those with several names once."""
    seen = {}
    for path, _ in _walk(root):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            seen[(status.st_dev, status.st_ino)] = status.st_size
    return sum(seen.values())


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    """Every path with its name in the archive, folders before what is in them.  Without recursion:
    a layer may be as deep as it likes."""
    waiting: list[tuple[Path, str]] = [(root.resolve(), "./")]  # the store has links to layers
    while waiting:
        path, name = waiting.pop()
        yield path, name
        if stat.S_ISDIR(path.lstat().st_mode):
            inner = "" if name == "./" else f"{name}/"
            below = sorted(os.listdir(path), key=os.fsencode, reverse=True)  # noqa: PTH208 - str
            waiting += [(path / part, inner + part) for part in below]


def _add(
    archive: tarfile.TarFile, path: Path, name: str, links: dict[tuple[int, int], str]
) -> None:
    status = path.lstat()
    member = tarfile.TarInfo(name)
    member.mode = stat.S_IMODE(status.st_mode)
    member.uid, member.gid = status.st_uid, status.st_gid
    member.mtime = int(status.st_mtime)
    first = links.get((status.st_dev, status.st_ino))
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        archive.addfile(_whiteout(name))
        return
    if not _typed(member, path, status):
        return
    if first is not None:
        member.type, member.linkname, member.size = tarfile.LNKTYPE, first, 0
    elif status.st_nlink > 1 and not member.isdir():
        links[(status.st_dev, status.st_ino)] = name
    if member.isreg() or member.isdir():
        member.pax_headers = _attributes(path)
    if not member.isreg():
        archive.addfile(member)
    else:
        _add_file(archive, member, path)
    if member.isdir() and _opaque(path):
        archive.addfile(_whiteout(f"{name}/.wh..opq"))


def _typed(member: tarfile.TarInfo, path: Path, status: os.stat_result) -> bool:
    """Give a member its type; False for sockets, which archives have not."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        member.type, member.size = tarfile.REGTYPE, status.st_size
    elif stat.S_ISDIR(mode):
        member.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(mode):
        member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISFIFO(mode):
        member.type = tarfile.FIFOTYPE
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        member.type = tarfile.CHRTYPE if stat.S_ISCHR(mode) else tarfile.BLKTYPE
        member.devmajor, member.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    else:
        return False
    return True


def _add_file(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    # What was a file a moment ago may be a link or a pipe by now, if its owner means us harm.
    how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, how), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ImageError(f"{path} changed while it was packed: it is no file any more")
            archive.addfile(member, file)
    except OSError as error:
        raise ImageError(f"{path} changed while it was packed: {error}") from error


def _whiteout(name: str) -> tarfile.TarInfo:
    folder, _, base = name.rpartition("/")
    return tarfile.TarInfo(f"{folder}/{WHITEOUT.decode()}{base}".lstrip("/"))


def _opaque(path: Path) -> bool:
    try:
        return os.getxattr(path, OPAQUE_ATTRIBUTE) == b"y"
    except OSError:
        return False


def _attributes(path: Path) -> dict[str, str]:
    names = os.listxattr(path)
    for key in _ASIDE:
        if key in names:
            raise ImageError(f"{path}: overlayfs noted {key}, which a layer cannot say")
    return {
        f"SCHILY.xattr.{key}": os.getxattr(path, key).decode(_FILES, _NAMES)
        for key in sorted(names)
        if kept(key)
    }


assert OPAQUE == WHITEOUT + b".wh..opq"  # what _whiteout makes of ".wh..opq"
