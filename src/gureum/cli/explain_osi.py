"""Shows a packet's way as the OSI model sees it: the devices, and each layer's data unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gureum.cli.explain_show import header, show_verdict, ways
from gureum.cli.output import clean, grid, show

_APPLICATION = 7
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp"}
_SEGMENTS = {6: "segment", 17: "datagram"}


def show_devices(found: dict[str, Any]) -> None:
    """Print the devices on the way forth and back; a column for what each gets and sends."""
    for title, trace in ways(found):
        _show_way(title, trace["devices"], found["names"])
    show_verdict(found)


def _show_way(title: str, devices: list[dict[str, Any]], names: dict[str, str]) -> None:
    table = grid(title, "layer", "unit", "gets", "sends")
    for device in devices:
        name = names.get(device["id"])
        own = "" if device["id"] == device["kind"] else f" {device['id']}"
        where = f"{device['kind']}{own}" + (f" ({name})" if name else "")
        for index, (layer, unit, gets, sends) in enumerate(_layers(device)):
            table.add_row(
                clean(where) if index == 0 else "", layer, unit, clean(gets), clean(sends)
            )
        if device["stopped"]:
            table.add_row("", "", "", "", clean(f"dropped: {device['stopped']}"))
    show(table)


def _layers(device: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """The layers that a device looks at, the highest first."""
    gets, sends = device["arriving"], device["leaving"]
    protocol = (gets or sends)["packet"]["protocol"]
    if device["layer"] >= _APPLICATION:
        yield "5-7", "data", _said(_data, gets), _said(_data, sends)
    if device["layer"] >= 4 and protocol in _SEGMENTS:
        yield "4", _SEGMENTS[protocol], _said(_segment, gets), _said(_segment, sends)
    if device["layer"] >= 3:
        yield "3", "packet", _said(_packet, gets), _said(_packet, sends)
    yield "2", "frame", _said(_frame, gets), _said(_frame, sends)


def _said(tell: Callable[[dict[str, Any]], str], unit: dict[str, Any] | None) -> str:
    return tell(unit) if unit else ""


def _data(unit: dict[str, Any]) -> str:
    return "the application's data"


def _segment(unit: dict[str, Any]) -> str:
    packet = unit["packet"]
    return f"port {packet['source_port']} > {packet['target_port']}"


def _packet(unit: dict[str, Any]) -> str:
    packet = unit["packet"]
    protocol = _PROTOCOLS.get(packet["protocol"], str(packet["protocol"]))
    bare = packet | {"source_port": None, "target_port": None}
    return f"{header(bare)} ttl {unit['ttl']} {protocol}"


def _frame(unit: dict[str, Any]) -> str:
    return " > ".join(unit["frame"]) if unit["frame"] else "a link between two boxes"
