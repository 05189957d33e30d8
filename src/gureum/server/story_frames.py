"""What was seen of an exchange in many places, put together: which unit crossed which link when,
and what each place made of it.

One end of a link sends and the other receives the same bytes, and both are called after the same
ids.  From link to link a unit is known by what no router and no translator changes: sequence
numbers and options of TCP, identifications of IPv4, payloads.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from gureum.explain.packet import end
from gureum.frames import Frame, Layer

Flow = tuple[str, str, int, str, int]
"""Protocol, source and its port, destination and its port."""


_ETHERNET, _TCP_HEADER = 14, 20
"""Bytes of a header (of TCP's without options)."""
_ICMP = ("ICMP", "ICMPv6")
_SOLICITATION = "135"


@dataclass(frozen=True)
class Question:
    """A message about neighbours: the sender's address, the one that it is about, and those whose
    link-layer address it tells its receiver."""

    sender: str
    about: str
    tells: Collection[str]


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


def packet_of(frame: Frame) -> Layer | None:
    """The packet in a frame; not one that an ICMP error quotes."""
    return next((each for each in frame.layers if each.protocol in ("IPv4", "IPv6")), None)


def hops_left(packet: Layer) -> str:
    """How many routers a packet may still pass: IPv4's time to live, IPv6's hop limit."""
    return packet["time to live"] or packet["hop limit"]


def unit_of(frame: Frame) -> Hashable:
    """What a unit is known by on every link; ARP and neighbour discovery do not leave theirs."""
    ip = packet_of(frame)
    if ip is None or question_of(frame) is not None:
        return ("link", frame.data[_ETHERNET:])
    for layer in frame.layers:
        if layer.protocol in ("TCP", "UDP", *_ICMP):
            return (layer.protocol, ip["identification"], *_own(frame, layer))
    return (ip.protocol, frame.data[ip.end :])


def _own(frame: Frame, layer: Layer) -> Iterator[Hashable]:
    """What is a unit's own beside ports and checksums, which translators change.  Where packets
    have no identification (IPv6), TCP's timestamps tell a second attempt from the first."""
    if layer.protocol == "TCP":
        yield from (layer["sequence number"], layer["acknowledgement number"], layer["flags"])
        yield frame.data[layer.start + _TCP_HEADER : layer.end]
    elif layer.protocol in _ICMP:
        yield from (layer["type"], layer["code"])
        if len(frame.layers) > frame.layers.index(layer) + 1:
            quoted = frame.layers[frame.layers.index(layer) + 1]
            yield quoted["identification"] or frame.data[quoted.end :]
            return
    yield frame.data[layer.end :]


def question_of(frame: Frame) -> Question | None:
    """Who asks for or tells a neighbour's link-layer address, where a frame does that: ARP
    (RFC 826) or a neighbour solicitation or advertisement (RFC 4861)."""
    arp, icmp, ip = frame["ARP"], frame["ICMPv6"], packet_of(frame)
    if arp is not None:
        return Question(arp["sender IP"], arp["target IP"], {arp["sender IP"]})
    if icmp is None or ip is None or not icmp["target"]:
        return None
    asks = icmp["type"] == _SOLICITATION
    return Question(ip["source"], icmp["target"], {ip["source"] if asks else icmp["target"]})


def flow_of(frame: Frame) -> Flow | None:
    """The flow that a packet belongs to, as it is on this link; of an ICMP error the one of the
    packet that it quotes, turned round."""
    found = _flow(frame.layers)
    error = frame["ICMP"] or frame["ICMPv6"]
    if found is not None or error is None:
        return found
    behind = frame.layers[frame.layers.index(error) + 1 :]
    quoted = _flow(behind)
    return turned(quoted) if quoted else None


def _flow(layers: Collection[Layer]) -> Flow | None:
    ip: Layer | None = None
    for layer in layers:
        if layer.protocol in ("IPv4", "IPv6"):
            ip = layer
        elif ip is not None and layer.protocol in ("TCP", "UDP"):
            ports = int(layer["source port"]), int(layer["destination port"])
            return layer.protocol, ip["source"], ports[0], ip["destination"], ports[1]
        elif ip is not None and layer.protocol in _ICMP:
            if not layer["identifier"]:
                return None
            ident = int(layer["identifier"])
            return layer.protocol, ip["source"], ident, ip["destination"], ident
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
    asked = question_of(frame)
    return asked is not None and {asked.sender, asked.about} <= set(addresses)


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
    old, new = packet_of(before), packet_of(after)
    if old is None or new is None or hops_left(old) == hops_left(new):
        yield f"layer 2: switches it, {_switched(before, after)}"
    else:
        word = "time to live" if old.protocol == "IPv4" else "hop limit"
        yield (
            f"layer 3: routes it: {word} {hops_left(old)} -> {hops_left(new)}, "
            f"MAC {before.source} > {before.target} -> {after.source} > {after.target}"
        )
    one, other = flow_of(before), flow_of(after)
    if one is None or other is None or one == other:
        return
    for name, was, is_ in (("source", one[1:3], other[1:3]), ("destination", one[3:], other[3:])):
        if was != is_:
            yield f"layer {_layer(was, is_)}: translates the {name}: {end(*was)} -> {end(*is_)}"


def _switched(before: Frame, after: Frame) -> str:
    if before.target == after.target:
        return f"unchanged, towards {after.target}"
    return f"to the one that is meant: MAC {before.target} -> {after.target}"


def _layer(was: tuple[str, int], is_: tuple[str, int]) -> int:
    """Who changes the port looks at layer 4."""
    return 3 if was[1] == is_[1] else 4
