"""Reads tar archives as they come, entry by entry, and believes nothing in them.

``tarfile`` of the standard library takes five times as long for archives of many small files, and
forgives much.  Formats: POSIX.1-2017 ustar and pax, GNU's long names.  Global pax headers are
passed over, as container engines do; sparse files and what else is not in images are refused.

Sources: POSIX.1-2017, pax; tar(5) of libarchive; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

BLOCK = 512
MOST_HEADER = 1 << 20
"""Bytes of one extended header.  The kernel's longest path has 4096, an attribute 64 KiB."""

REGULAR, LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, FOLDER, FIFO = b"0123456"
_EXTENDED, _GLOBAL, _LONG_NAME, _LONG_LINK = b"xgLK"
_ZEROS = bytes(BLOCK)
_PAX = {"path", "linkpath", "size", "uid", "gid", "mtime"}
_XATTR = "SCHILY.xattr."


class TarError(Exception):
    """The archive is broken, or has what images do not have."""


@dataclass(slots=True)
class Entry:
    """One entry.  ``kind`` is a type flag as :data:`REGULAR`, ``mtime`` are nanoseconds since 1970,
    ``size`` are the bytes of data that follow."""

    name: bytes
    kind: int
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    target: bytes
    xattrs: dict[str, bytes] = field(default_factory=dict)


class Source:
    """Bytes from a function that answers the next piece, and an empty one at the end."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._rest = memoryview(b"")
        self._ended = False

    def pieces(self, size: int) -> Iterator[memoryview]:
        """The next ``size`` bytes, in pieces as they came.

        Raises:
            TarError: the source has fewer.
        """
        while size:
            if self.ends():
                raise TarError("the archive ends in the middle of an entry")
            piece = self._rest[:size]
            self._rest = self._rest[size:]
            size -= len(piece)
            yield piece

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, in one."""
        if len(self._rest) >= size:
            piece = bytes(self._rest[:size])
            self._rest = self._rest[size:]
            return piece
        return b"".join(self.pieces(size))

    def ends(self) -> bool:
        """Whether nothing follows."""
        if not self._rest and not self._ended:
            self._rest = memoryview(self._more())
            self._ended = not self._rest
        return self._ended

    def drain(self) -> None:
        """Read all that follows."""
        while not self.ends():
            self._rest = memoryview(b"")


def entries(source: Source) -> Iterator[Entry]:
    """The entries of an archive.  Who asks for the next has read the data of the one before, with
    its padding (:func:`padding`).

    Raises:
        TarError: the archive is broken.
    """
    pax: dict[str, bytes] = {}
    while not source.ends():
        block = source.take(BLOCK)
        if block == _ZEROS:
            return
        kind = _checked(block)
        if kind in (_EXTENDED, _GLOBAL, _LONG_NAME, _LONG_LINK):
            size = _number(block[124:136], "size")
            if not 0 <= size <= MOST_HEADER:
                raise TarError(f"an extended header has {size} bytes")
            data = source.take(size)
            source.take(padding(size))
            if kind == _EXTENDED:
                pax |= _records(data)
            elif kind != _GLOBAL:
                pax["path" if kind == _LONG_NAME else "linkpath"] = data.partition(b"\0")[0]
            continue
        yield _entry(block, kind, pax)
        pax = {}
    if pax:
        raise TarError("the archive ends after an extended header")


def padding(size: int) -> int:
    """Bytes that fill the last block of an entry's data."""
    return -size % BLOCK


def _checked(block: bytes) -> int:
    """The type flag of a header whose checksum is right."""
    if sum(block) - sum(block[148:156]) + 8 * 32 != _number(block[148:156], "checksum"):
        raise TarError("a header's checksum is wrong: this is no tar archive, or a broken one")
    return block[156] or REGULAR


def _entry(block: bytes, kind: int, pax: dict[str, bytes]) -> Entry:
    if kind == ord("7"):  # contiguous files are files
        kind = REGULAR
    if not REGULAR <= kind <= FIFO:
        raise TarError(f"an entry is of type {chr(kind)!r}, which images do not have")
    name = pax.get("path") or _name(block)
    if kind == REGULAR and block[156] == 0 and name.endswith(b"/"):
        kind = FOLDER  # as before POSIX
    size = _decimal(pax, "size") if "size" in pax else _number(block[124:136], "size")
    if size < 0:
        raise TarError(f"{show(name)} has a size of {size} bytes")
    return Entry(
        name,
        kind,
        _number(block[100:108], "mode") & 0o7777,
        _decimal(pax, "uid") if "uid" in pax else _number(block[108:116], "uid"),
        _decimal(pax, "gid") if "gid" in pax else _number(block[116:124], "gid"),
        size if kind == REGULAR else 0,
        _time(pax["mtime"]) if "mtime" in pax else _number(block[136:148], "mtime") * 10**9,
        pax.get("linkpath") or block[157:257].partition(b"\0")[0],
        {
            key.removeprefix(_XATTR): value
            for key, value in pax.items()
            if key.startswith(_XATTR)
        },
    )  # fmt: skip


def _name(block: bytes) -> bytes:
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == b"ustar\0" and block[345]:  # GNU's magic has a space there
        return block[345:500].partition(b"\0")[0] + b"/" + name
    return name


def _number(data: bytes, what: str) -> int:
    """A number of a header: octal digits, or GNU's binary form for what is too large for them."""
    if data[0] & 0x80:
        value = int.from_bytes(data, "big", signed=True)
        return value if data[0] == 0xFF else value & ~(-1 << (8 * len(data) - 1))
    digits = data.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise TarError(f"a header's {what} is {show(data)}") from None


def _records(data: bytes) -> dict[str, bytes]:
    """The records of a pax header: ``length key=value`` and a line feed, the length counts all."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        digits = data[at : max(space, at)]
        end = at + int(digits) if digits.isdigit() else 0
        key, sign, value = data[space + 1 : max(end - 1, 0)].partition(b"=")
        if not space < end <= len(data) or data[end - 1 : end] != b"\n" or not sign or not key:
            raise TarError("an extended header is broken")
        name = key.decode(errors="surrogateescape")
        if name.startswith("GNU.sparse."):
            raise TarError("a file is stored sparse, which images do not have")
        if name in _PAX or name.startswith(_XATTR):
            found[name] = value
        at = end
    return found


def _decimal(pax: dict[str, bytes], key: str) -> int:
    value = pax[key]
    if not value.isdigit() or len(value) > 20:
        raise TarError(f"an extended header's {key} is {show(value)}")
    return int(value)


def _time(value: bytes) -> int:
    """Nanoseconds of a decimal number of seconds, rounded down."""
    whole, _, part = value.lstrip(b"-").partition(b".")
    if not whole.isdigit() or len(whole) > 12 or (part and not part.isdigit()):
        raise TarError(f"an extended header's mtime is {show(value)}")
    total = int(whole) * 10**9 + int(part[:9].ljust(9, b"0") or b"0")
    return -total if value.startswith(b"-") else total


def show(name: bytes) -> str:
    """A name as part of a message: short, on one line."""
    text = name.decode(errors="backslashreplace")
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= 200 else f"{text[:200]}…"
