"""Unpacks one layer into a directory for overlayfs: run as a program, away from the daemon.

:mod:`gureum.images.layers` starts it.  It reads a :class:`Job` as JSON from its command line,
writes what it made to its output, and ends with status 1 and a sentence if the layer is refused.
It opens every folder below the target by openat2(2) with ``RESOLVE_BENEATH``, so the kernel itself
sees to it that nothing is written anywhere else, whatever links the layer has made before; and its
root is the target.

The layer's digests are taken in a second thread as it is read: one pass is enough, and what was
written before a digest turned out wrong is thrown away by the caller.

Sources: OCI Image Format Specification, ``layer.md``; Linux, ``overlayfs.rst``, "whiteouts and
opaque directories"; openat2(2).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import queue
import stat
import subprocess
import sys
import threading
import traceback
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from gureum.images import tarstream
from gureum.images.tarstream import Entry, Source, TarError, show
from gureum.inside import syscalls

PIECE = 1 << 20

WHITEOUT, OPAQUE = b".wh.", b".wh..wh..opq"
OPAQUE_ATTRIBUTE = "trusted.overlay.opaque"
"""Instances mount their disks from the host's own user namespace, so overlayfs reads ``trusted.``
attributes, not ``user.`` ones, which an instance could write itself."""

MOST_ID = (1 << 32) - 2
LEAST_FREE = 256 << 20
"""Bytes that stay free on the disk: a full one would harm all that run here."""
LOOK_EVERY = 32 << 20
"""Bytes between two looks at the disk."""

OPEN_FOLDERS = 128


class Refused(Exception):  # noqa: N818 - a verdict on the layer, not a fault of ours
    """The layer is not unpacked; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to unpack: the file ``blob``, ``compression`` ``""``, ``gzip`` or ``zstd``, of
    ``size`` bytes with the digest ``digest`` (empty: not looked at) whose tar file has the digest
    ``diff_id``; into the empty folder ``target``.  ``most_bytes`` bounds the tar file and
    ``most_entries`` its entries."""

    blob: str
    compression: str
    size: int
    digest: str
    diff_id: str
    target: str
    most_bytes: int
    most_entries: int


@dataclass(slots=True)
class Made:
    """What was unpacked: bytes of files, entries, and the device files that were left out."""

    size: int = 0
    entries: int = 0
    devices: int = 0


# --- the bytes ----------------------------------------------------------------------------------
class Feed:
    """A layer's tar file, read, decompressed and digested by threads of its own."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._blob = Path(job.blob).open("rb")  # noqa: SIM115 - as long as the process
        self._pieces: queue.Queue[bytes | BaseException] = queue.Queue(8)
        self._packed = hashlib.sha256()
        # What is not compressed has one digest, which is most of the work.
        self._unpacked = hashlib.sha256() if job.compression else self._packed
        self._read = self._given = 0
        self._zstd = _zstd(job.blob) if job.compression == "zstd" else None
        self._failed: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def more(self) -> bytes:
        """The next piece; empty at the end."""
        piece = self._pieces.get()
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def check(self) -> None:
        """After the last piece: the sizes and digests are what was promised.

        Raises:
            Refused: they are not.
        """
        job = self._job
        if self._read != job.size:
            raise Refused(f"it has {self._read} bytes, not {job.size}")
        digest = f"sha256:{self._packed.hexdigest()}"
        if job.digest and digest != job.digest:
            raise Refused(f"its digest is {digest}, not {job.digest}")
        diff_id = f"sha256:{self._unpacked.hexdigest()}"
        if diff_id != job.diff_id:
            raise Refused(f"unpacked, its digest is {diff_id}, not {job.diff_id}")

    def _run(self) -> None:
        try:
            for piece in self._decompressed():
                self._given += len(piece)
                if self._given > self._job.most_bytes:
                    raise Refused(f"unpacked, it has more than {self._job.most_bytes} bytes")
                if self._unpacked is not self._packed:
                    self._unpacked.update(piece)
                self._pieces.put(piece)
            self._pieces.put(b"")
        except BaseException as error:
            self._pieces.put(error)

    def _decompressed(self) -> Iterator[bytes]:
        if self._zstd is not None:
            return self._through(self._zstd)
        return self._inflated() if self._job.compression == "gzip" else self._raw()

    def _raw(self) -> Iterator[bytes]:
        while piece := self._blob.read(PIECE):
            self._read += len(piece)
            self._packed.update(piece)
            yield piece

    def _inflated(self) -> Iterator[bytes]:
        """Of all members: some builders make a gzip member of each file."""
        stream: zlib._Decompress | None = None
        for piece in self._raw():
            rest = piece
            while rest:
                if stream is None:
                    if not rest.strip(b"\0"):
                        break  # padding
                    stream = zlib.decompressobj(wbits=31)
                try:
                    yield stream.decompress(rest, PIECE)
                except zlib.error as error:
                    raise Refused(f"it is no gzip file, or a broken one: {error}") from None
                rest = stream.unconsumed_tail
                if stream.eof:
                    rest, stream = stream.unused_data, None
        if stream is not None:
            raise Refused("it is cut off: the gzip file does not end")

    def _through(self, program: subprocess.Popen[bytes]) -> Iterator[bytes]:
        """What a program makes of the blob, which it reads itself."""
        assert program.stdout is not None
        reading = threading.Thread(target=self._digest, daemon=True)
        reading.start()
        while piece := program.stdout.read(PIECE):
            yield piece
        if program.wait() != 0:
            raise Refused("it is no zstd file, or a broken one")
        reading.join()
        if self._failed is not None:
            raise self._failed

    def _digest(self) -> None:
        try:
            for _ in self._raw():
                pass
        except OSError as error:
            self._failed = error


def _zstd(blob: str) -> subprocess.Popen[bytes]:
    """Begun before our root is the target, where there are no programs."""
    program = subprocess.Popen(
        ["zstd", "--decompress", "--stdout", "--quiet", blob],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert program.stdout is not None
    # As much as an unprivileged process may have; the usual 64 KiB cost a switch each.
    fcntl.fcntl(program.stdout, fcntl.F_SETPIPE_SZ, PIECE)
    return program


# --- the files ----------------------------------------------------------------------------------
def _open_beneath(root: int, path: bytes) -> int:
    how = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_MAGICLINKS
    return syscalls.openat2(root, path, os.O_RDONLY | os.O_DIRECTORY, how)


Parts = tuple[bytes, ...]


class Tree:
    """The target directory."""

    def __init__(self, target: str, most_entries: int) -> None:
        self.root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.made = Made()
        self._most = most_entries
        self._folders: OrderedDict[Parts, int] = OrderedDict()
        self._times: dict[Parts, int] = {}
        self._hidden: list[Parts] = []
        self._opaque: list[Parts] = []
        self._unlooked = 0

    def add(self, entry: Entry, source: Source) -> None:
        """Make what one entry says.

        Raises:
            Refused: it may not be made.
        """
        self.made.entries += 1
        if self.made.entries > self._most:
            raise Refused(f"it has more than {self._most} entries")
        if max(entry.uid, entry.gid) > MOST_ID or min(entry.uid, entry.gid) < 0:
            raise Refused(f"{show(entry.name)} belongs to {entry.uid}:{entry.gid}")
        parts = _parts(entry.name)
        if parts and parts[-1].startswith(WHITEOUT):
            self._whiteout(parts)
            _skip(entry, source)
        elif entry.kind == tarstream.FOLDER:
            self._folder(parts, entry)
        elif not parts:
            raise Refused("its root is no folder")
        elif entry.kind == tarstream.REGULAR:
            self._file(parts, entry, source)
        else:
            self._other(parts, entry)

    def finish(self) -> None:
        """Make what can only be made when all else is there."""
        for parts in self._hidden:
            self._hide(parts)
        for parts in self._opaque:
            os.setxattr(self._open(parts), OPAQUE_ATTRIBUTE, b"y")
        for parts, mtime in self._times.items():
            _touch(self._open(parts), mtime)

    # --- folders ---
    def _open(self, parts: Parts) -> int:
        """A folder, made if it is not there; the descriptor stays ours."""
        fd = self._folders.get(parts)
        if fd is not None:
            self._folders.move_to_end(parts)
            return fd
        if not parts:
            return self.root
        try:
            fd = _open_beneath(self.root, b"/".join(parts))
        except FileNotFoundError:
            try:
                os.mkdir(parts[-1], 0o755, dir_fd=self._open(parts[:-1]))
            except FileExistsError:
                raise Refused(f"{_text(parts)} is a link that leads nowhere") from None
            fd = _open_beneath(self.root, b"/".join(parts))
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise Refused(f"{_text(parts)} leads out of the image") from None
            raise
        self._folders[parts] = fd
        if len(self._folders) > OPEN_FOLDERS:
            os.close(self._folders.popitem(last=False)[1])
        return fd

    def _folder(self, parts: Parts, entry: Entry) -> None:
        if parts:
            parent = self._open(parts[:-1])
            try:
                os.mkdir(parts[-1], 0o700, dir_fd=parent)
            except FileExistsError:
                there = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
                if not stat.S_ISDIR(there.st_mode):
                    raise Refused(f"{show(entry.name)} is there twice") from None
        fd = self._open(parts)
        _dress(fd, entry)
        self._times[parts] = entry.mtime

    # --- files ---
    def _file(self, parts: Parts, entry: Entry, source: Source) -> None:
        self._look(entry.size)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(parts[-1], flags, 0o600, dir_fd=self._open(parts[:-1]))
        except FileExistsError:
            raise Refused(f"{show(entry.name)} is there twice") from None
        try:
            for piece in source.pieces(entry.size):
                rest = piece
                while rest:
                    rest = rest[os.write(fd, rest) :]
            _dress(fd, entry)
            _touch(fd, entry.mtime)
        finally:
            os.close(fd)
        source.take(tarstream.padding(entry.size))
        self.made.size += entry.size

    def _look(self, size: int) -> None:
        """See from time to time that the disk does not get full."""
        self._unlooked += size
        if self._unlooked >= LOOK_EVERY or self.made.entries % 4096 == 1:
            disk = os.fstatvfs(self.root)
            if disk.f_bavail * disk.f_frsize - size < LEAST_FREE:
                raise Refused("the disk is full")
            self._unlooked = 0

    def _other(self, parts: Parts, entry: Entry) -> None:
        base, parent = parts[-1], self._open(parts[:-1])
        try:
            if entry.kind == tarstream.LINK:
                self._link(base, parent, entry)
                return
            if entry.kind == tarstream.SYMLINK:
                if not entry.target:
                    raise Refused(f"{show(entry.name)} is a link to nothing")
                os.symlink(entry.target, base, dir_fd=parent)
            elif entry.kind == tarstream.FIFO:
                os.mkfifo(base, 0o600, dir_fd=parent)
            else:
                self.made.devices += 1
                return
        except FileExistsError:
            raise Refused(f"{show(entry.name)} is there twice") from None
        os.chown(base, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        if entry.kind == tarstream.FIFO:
            os.chmod(base, entry.mode, dir_fd=parent)
        times = (entry.mtime, entry.mtime)
        os.utime(base, ns=times, dir_fd=parent, follow_symlinks=False)

    def _link(self, base: bytes, parent: int, entry: Entry) -> None:
        target = _parts(entry.target)
        try:
            os.link(
                target[-1] if target else b".",
                base,
                src_dir_fd=self._open(target[:-1]),
                dst_dir_fd=parent,
                follow_symlinks=False,
            )
        except (FileNotFoundError, PermissionError):
            raise Refused(
                f"{show(entry.name)} is a link to {show(entry.target)}, which is no file before it"
            ) from None

    # --- whiteouts ---
    def _whiteout(self, parts: Parts) -> None:
        """Remember what to hide of the layers below.  The layer's own files of that name stay, so
        it is done last; other ``.wh..wh.`` names are notes that aufs made for itself."""
        base = parts[-1]
        if base == OPAQUE:
            self._open(parts[:-1])
            self._opaque.append(parts[:-1])
        elif not base.startswith(WHITEOUT + WHITEOUT):
            hidden = base.removeprefix(WHITEOUT)
            if hidden in (b"", b".", b".."):
                raise Refused(f"{_text(parts)} would hide what is not below it")
            self._hidden.append((*parts[:-1], hidden))

    def _hide(self, parts: Parts) -> None:
        parent = self._open(parts[:-1])
        try:
            os.mknod(parts[-1], stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
        except FileExistsError:
            there = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(there.st_mode):
                self._opaque.append(parts)


def _parts(name: bytes) -> Parts:
    if b"\0" in name:
        raise Refused(f"{show(name)} has a NUL in its name")
    parts = tuple(part for part in name.split(b"/") if part not in (b"", b"."))
    if parts and name.startswith(b"/"):
        raise Refused(f"{show(name)} has an absolute name")
    if b".." in parts:
        raise Refused(f"{show(name)} leads out of the image")
    return parts


def _text(parts: Parts) -> str:
    return show(b"/".join(parts))


def _skip(entry: Entry, source: Source) -> None:
    for _ in source.pieces(entry.size + tarstream.padding(entry.size)):
        pass


def _dress(fd: int, entry: Entry) -> None:
    """Owner, then mode, for a new owner takes setuid away; then capabilities, for the same
    reason."""
    os.fchown(fd, entry.uid, entry.gid)
    os.fchmod(fd, entry.mode)
    for key, value in entry.xattrs.items():
        if kept(key):
            os.setxattr(fd, key, value)


def kept(key: str) -> bool:
    """Whether an extended attribute is kept: capabilities, and what users note for themselves.
    Labels of security modules mean nothing here, and overlayfs's own would tell it lies."""
    if key.startswith("user."):
        return not key.startswith("user.overlay.")
    return key == "security.capability"


def _touch(fd: int, mtime: int) -> None:
    os.utime(fd, ns=(mtime, mtime))


def unpack(job: Job) -> Made:
    """Unpack a layer; what was made is only good if nothing was raised.

    Raises:
        Refused: the layer is broken, is not the promised one, or has what it may not have.
        OSError: the disk, or the kernel refuses a name or an attribute.
    """
    tree, feed = Tree(job.target, job.most_entries), Feed(job)
    os.chroot(job.target)
    source = Source(feed.more)
    try:
        for entry in tarstream.entries(source):
            tree.add(entry, source)
        source.drain()
    except TarError as error:
        raise Refused(str(error)) from None
    tree.finish()
    feed.check()
    return tree.made


def main(words: list[str]) -> NoReturn:
    """Do what the command line says; complaints go to stderr.

    It ends at once: to end a thread in good order the C library loads one more library, and where
    our root is now there is none.
    """
    os.umask(0)
    status = 0
    try:
        print(json.dumps(asdict(unpack(Job(**json.loads(words[0]))))), flush=True)
    except (Refused, OSError) as error:
        print(error, file=sys.stderr, flush=True)
        status = 1
    except BaseException:
        traceback.print_exc()
        status = 2
    os._exit(status)
