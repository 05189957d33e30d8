"""Shows frames: one line each, layer by layer, as JSON, or written down for Wireshark."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeAlias

import click

from gureum.cli.output import clean
from gureum.frames import Frame, Layer, PcapWriter
from gureum.frames.layers import LAYER_NAMES

Show: TypeAlias = Callable[[Frame, dict[str, Any]], None]
"""Does something with a frame and what is known of it: its link, way, time and size."""

_WHERE = 14
"""Columns for where a frame was seen; longer ones stick out."""
_ROW = 16
"""Bytes in a line."""


class Lines:
    """One line a frame; times count from the first one."""

    def __init__(self) -> None:
        self._begin: int | None = None

    def __call__(self, frame: Frame, facts: dict[str, Any]) -> None:
        """Print a frame."""
        if self._begin is None:
            self._begin = facts["at"]
        seconds = (facts["at"] - self._begin) / 1_000_000_000
        click.echo(f"{seconds:11.6f}  {where(facts):<{_WHERE}}  {line(frame, facts['size'])}")


def where(facts: dict[str, Any]) -> str:
    """From or to whom a link led the frame; of a place's own link its name and the direction."""
    link, sent = facts["link"], facts["way"] == "sent"
    if link["to"]:
        return clean(f"{'to' if sent else 'from'} {link['to']}")
    return clean(f"{link['name']} {'out' if sent else 'in'}")


def line(frame: Frame, size: int) -> str:
    """A frame in one line: link addresses, what the layers say, its bytes on the link."""
    return clean(f"{frame.source} > {frame.target}  {frame.said}  {size} bytes")


def layers(frame: Frame, facts: dict[str, Any]) -> None:
    """Print every layer of a frame, from the cable up."""
    at = datetime.fromtimestamp(facts["at"] // 1_000_000_000, UTC)
    seconds = f"{at:%H:%M:%S}.{facts['at'] % 1_000_000_000:09d}"
    click.echo(f"{seconds}  {where(facts)}  {facts['size']} bytes")
    for text in osi(frame, facts["size"]):
        click.echo(clean(text))
    click.echo()


def osi(frame: Frame, size: int) -> Iterator[str]:
    """The lines of a frame's layers; ``size`` is its length on the link."""
    yield f"  1 {LAYER_NAMES[1]}: {size * 8} bits, without preamble and checksum"
    for each in frame.layers:
        header = f"{each.protocol} {each.pdu}, header {each.end - each.start} bytes"
        yield f"  {each.layer} {LAYER_NAMES[each.layer]}: {header}: {each.said}"
        for field in each.fields:
            raw = frame.data[field.start : field.end]
            yield f"      {field.name:<24} {field.value:<40} {_hex(raw)}".rstrip()
    rest = frame.data[frame.rest :]
    if rest:
        yield f"    payload: {len(rest)} bytes"
        yield from _dump(rest[: 4 * _ROW], frame.rest)
    if len(frame.data) < size:
        yield f"    {size - len(frame.data)} bytes were not kept"


def _hex(raw: bytes) -> str:
    return raw[:_ROW].hex(" ") + (" …" if len(raw) > _ROW else "")


def _dump(raw: bytes, base: int) -> Iterator[str]:
    for at in range(0, len(raw), _ROW):
        row = raw[at : at + _ROW]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"      {base + at:04x}  {row.hex(' '):<{3 * _ROW}} {shown}"


def as_json(frame: Frame, facts: dict[str, Any]) -> None:
    """Print a frame as one line of JSON."""
    value = {
        "at": facts["at"],
        "link": facts["link"],
        "way": facts["way"],
        "size": facts["size"],
        "source": frame.source,
        "target": frame.target,
        "said": frame.said,
        "layers": [layer_shown(each) for each in frame.layers],
        "data": frame.data.hex(),
    }
    click.echo(json.dumps(value, ensure_ascii=False))


def layer_shown(layer: Layer) -> dict[str, Any]:
    """A layer as JSON; ``bytes`` are the first one and the one behind the last."""
    return {
        "layer": layer.layer,
        "protocol": layer.protocol,
        "pdu": layer.pdu,
        "said": layer.said,
        "bytes": [layer.start, layer.end],
        "fields": [
            {"name": each.name, "value": each.value, "bytes": [each.start, each.end]}
            for each in layer.fields
        ],
    }


def keep(file: BinaryIO, snap: int) -> Show:
    """Write frames down; each at once, for whoever reads along."""
    writer = PcapWriter(file, snap)
    writer.flush()

    def write(frame: Frame, facts: dict[str, Any]) -> None:
        writer.write(facts["link"]["name"], facts["way"], facts["at"], facts["size"], frame.data)
        writer.flush()

    return write
