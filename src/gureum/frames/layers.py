"""What a frame is taken apart into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LAYER_NAMES = {
    1: "physical", 2: "data link", 3: "network", 4: "transport", 6: "presentation",
    7: "application",
}  # fmt: skip
"""The layers of the OSI model that the Internet's protocols are said to be on (ISO/IEC 7498-1).
RFC 1122 knows four only: ARP serves layer 3 and is carried by layer 2, TLS is between 4 and 7."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name, its value in words, and where its bytes are, counted from the beginning of
    the frame (``end`` is the first byte behind it)."""

    name: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layer:
    """The part of a frame that one protocol is responsible for.

    ``layer`` is its number in the OSI model, ``pdu`` what the protocol calls its unit ("frame",
    "packet", "segment", "datagram", "message"), ``said`` the unit in a few words; its header is the
    frame's bytes from ``start`` to ``end``.
    """

    layer: int
    protocol: str
    pdu: str
    said: str
    fields: tuple[Field, ...]
    start: int
    end: int

    def __getitem__(self, name: str) -> str:
        """The value of a field; empty where there is none of that name."""
        return next((field.value for field in self.fields if field.name == name), "")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: its bytes, its layers from the second up, and what of its bytes no layer knows
    (from ``rest`` on)."""

    data: bytes
    layers: tuple[Layer, ...]
    rest: int

    def __getitem__(self, protocol: str) -> Layer | None:
        """The layer of a protocol, the outermost one of that name."""
        return next((each for each in self.layers if each.protocol == protocol), None)

    @property
    def source(self) -> str:
        """The link-layer address of who put the frame on this link."""
        return self.data[6:12].hex(":")

    @property
    def target(self) -> str:
        """The link-layer address that the frame goes to."""
        return self.data[0:6].hex(":")

    @property
    def said(self) -> str:
        """What is in the frame in one line, the innermost layer last."""
        inner = self.layers[1:] or self.layers
        return " | ".join(each.said for each in inner)


class Fields:
    """Fields of one header in the making; ``base`` is where the header begins in the frame."""

    def __init__(self, base: int) -> None:
        self._base = base
        self._found: list[Field] = []

    def add(self, name: str, value: object, start: int, end: int) -> None:
        """A field by its place in the header."""
        self._found.append(Field(name, str(value), self._base + start, self._base + end))

    def add_row(self, start: int, row: Iterable[tuple[str, object, int]]) -> None:
        """Fields that follow each other: name, value, bytes."""
        for name, value, size in row:
            self.add(name, value, start, start + size)
            start += size

    def __iter__(self) -> Iterator[Field]:
        return iter(self._found)


def text(data: bytes, most: int = 120) -> str:
    """Bytes that should be text, cut where it is long; control characters are shown as dots."""
    found = data[:most].decode("utf-8", errors="replace")
    shown = "".join(char if char.isprintable() else "." for char in found)
    return shown + ("…" if len(data) > most else "")
