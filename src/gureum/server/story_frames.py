"""What was seen of an exchange in many places, put together: which unit crossed which link when,
and what each place made of it.

One end of a link sends and the other receives the same bytes, and both are called after the same
ids.  From link to link a unit is known by what no router and no translator changes: sequence
numbers of TCP, identifications of IPv4, payloads.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from gureum.frames import Frame, Layer

Flow = tuple[str, str, int, str, int]
"""Protocol, source and its port, destination and its port."""


@dataclass(frozen=True)
class Sight:
    """A frame that was seen in a place, on the link called ``alias``, at a time in nanoseconds."""

    place: str
    alias: str
    way: Literal["received", "sent"]
    at: int
    frame: Frame


@dataclass
class Crossing:
    """A frame on one link: who put it there, and who took it off (None where nobody was watched, or
    it never came).  ``unit`` is what it is known by from link to link; ``acts`` is what its sender
    did to send it, ``ends`` what became of it where it went no further."""

    unit: Hashable
    alias: str
    at: int
    frame: Frame
    sender: str | None
    receiver: str | None = None
    acts: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    ends: str = ""


def unit_of(frame: Frame) -> Hashable:
    """What a unit is known by on every link; ARP does not leave its link."""
    ip = frame["IPv4"]
    if ip is None:
        return ("link", frame.data[14:])
    for layer in frame.layers:
        if layer.protocol in ("TCP", "UDP", "ICMP"):
            return (layer.protocol, ip["identification"], *_own(frame, layer))
    return ("IPv4", frame.data[ip.end :])


def _own(frame: Frame, layer: Layer) -> Iterator[Hashable]:
    """What is a unit's own beside ports and checksums, which translators change."""
    if layer.protocol == "TCP":
        yield from (layer["sequence number"], layer["acknowledgement number"], layer["flags"])
    elif layer.protocol == "ICMP":
        yield from (layer["type"], layer["code"])
        if len(frame.layers) > frame.layers.index(layer) + 1:
            quoted = frame.layers[frame.layers.index(layer) + 1]
            yield quoted["identification"]
            return
    yield frame.data[layer.end :]


def flow_of(frame: Frame) -> Flow | None:
    """The flow that a packet belongs to, as it is on this link; of an ICMP error the one of the
    packet that it quotes, turned round."""
    found = _flow(frame.layers)
    if found is not None or (error := frame["ICMP"]) is None:
        return found
    behind = frame.layers[frame.layers.index(error) + 1 :]
    quoted = _flow(behind)
    return turned(quoted) if quoted else None


def _flow(layers: Collection[Layer]) -> Flow | None:
    ip: Layer | None = None
    for layer in layers:
        if layer.protocol == "IPv4":
            ip = layer
        elif ip is not None and layer.protocol in ("TCP", "UDP"):
            ports = int(layer["source port"]), int(layer["destination port"])
            return layer.protocol, ip["source"], ports[0], ip["destination"], ports[1]
        elif ip is not None and layer.protocol == "ICMP":
            if not layer["identifier"]:
                return None
            ident = int(layer["identifier"])
            return "ICMP", ip["source"], ident, ip["destination"], ident
    return None


def turned(flow: Flow) -> Flow:
    """The flow of the answers."""
    protocol, source, sport, target, dport = flow
    return protocol, target, dport, source, sport


def crossings(sights: Iterable[Sight]) -> list[Crossing]:
    """The frames on links, in the order of time."""
    found: list[Crossing] = []
    open_: dict[Hashable, list[Crossing]] = {}
    for sight in sorted(sights, key=lambda each: (each.at, each.way == "received")):
        key = (sight.alias, sight.frame.data)
        if sight.way == "received":
            waiting = open_.get(key)
            if waiting:
                waiting.pop(0).receiver = sight.place
                continue
        made = Crossing(
            unit_of(sight.frame), sight.alias, sight.at, sight.frame,
            sight.place if sight.way == "sent" else None,
            sight.place if sight.way == "received" else None,
        )  # fmt: skip
        found.append(made)
        if sight.way == "sent":
            open_.setdefault(key, []).append(made)
    return found


def of_the_exchange(
    found: list[Crossing], flows: Iterable[Flow], addresses: Collection[str]
) -> list[Crossing]:
    """What belongs to some flows, whatever they are translated to on the way, and the questions who
    has one of the addresses."""
    known = {each for flow in flows for each in (flow, turned(flow))}
    units: set[Hashable] = set()
    grown = -1
    while grown != len(known) + len(units):
        grown = len(known) + len(units)
        for each in found:
            flow = flow_of(each.frame)
            if flow is not None and (flow in known or each.unit in units):
                units.add(each.unit)
                known |= {flow, turned(flow)}
    return [each for each in found if each.unit in units or _asks(each.frame, addresses)]


def _asks(frame: Frame, addresses: Collection[str]) -> bool:
    arp = frame["ARP"]
    return arp is not None and {arp["sender IP"], arp["target IP"]} <= set(addresses)


def act(found: list[Crossing]) -> None:
    """Say of each frame what its sender did: it made it, or passed on what had come."""
    came: dict[tuple[Hashable, str], Crossing] = {}
    for each in found:
        before = came.get((each.unit, each.sender or ""))
        if before is not None:
            each.acts += _passed_on(before.frame, each.frame)
        elif each.sender is not None:
            each.acts.append(_made(each.frame))
        if each.receiver is not None:
            came[each.unit, each.receiver] = each


def _made(frame: Frame) -> str:
    inner = frame.layers[-1]
    words = " in ".join(f"{each.protocol} {each.pdu}" for each in reversed(frame.layers))
    return f"layer {inner.layer}: makes it: {words}"


def _passed_on(before: Frame, after: Frame) -> Iterator[str]:
    """What differs between a frame that came and the one that went."""
    old, new = before["IPv4"], after["IPv4"]
    if old is None or new is None or old["time to live"] == new["time to live"]:
        yield f"layer 2: switches it, unchanged, towards {after.target}"
    else:
        yield (
            f"layer 3: routes it: time to live {old['time to live']} -> {new['time to live']}, "
            f"MAC {before.source} > {before.target} -> {after.source} > {after.target}"
        )
    one, other = flow_of(before), flow_of(after)
    if one is None or other is None or one == other:
        return
    for name, was, is_ in (("source", one[1:3], other[1:3]), ("destination", one[3:], other[3:])):
        if was != is_:
            yield f"layer {_layer(was, is_)}: translates the {name}: {_end(was)} -> {_end(is_)}"


def _layer(was: tuple[str | int, ...], is_: tuple[str | int, ...]) -> int:
    """Who changes the port looks at layer 4."""
    return 3 if was[1] == is_[1] else 4


def _end(end: tuple[str | int, ...]) -> str:
    return f"{end[0]}:{end[1]}"
