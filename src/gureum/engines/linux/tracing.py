"""Follows one real packet through the kernel: sends it, and gathers what rules and links saw of it.

In each namespace on the way that is ours the rules are heard (:mod:`.tracing_nft`), and in each,
also in those of hosts, the links (:mod:`.tracing_frames`).  All is set up for one exchange, within
bounds of time and number, and is gone when the exchange is over.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from gureum.engines import EngineError
from gureum.engines.linux.names import INTERNET, internet_host_namespace
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.nft import NftError
from gureum.engines.linux.tracing_flows import is_tracked
from gureum.engines.linux.tracing_frames import Capture, wait_for_stamps
from gureum.engines.linux.tracing_headers import Wanted
from gureum.engines.linux.tracing_nft import TRACE_TABLE, Tracer, mark, remove_leftovers
from gureum.engines.linux.tracing_send import Probe
from gureum.explain import Network, Packet
from gureum.explain.overlay import Sighting

__all__ = [
    "TRACE_TABLE",
    "Probe",
    "Station",
    "Wanted",
    "follow",
    "is_new",
    "remove_leftovers",
    "stations",
]

QUIET = 0.1
"""Seconds without news after which an exchange that got its answer is over."""
LIMIT = 2000
"""Sightings of one exchange; one over six boxes has some two hundred."""
_AT_ONCE = 64
"""Messages that are read from one socket before the others have their turn."""

Kind = Literal["router", "box", "host"]


@dataclass(frozen=True, slots=True)
class Station:
    """A place that a packet may pass.  ``ns`` is its namespace; the rules of a router and of a box
    are heard, the router's bridges too, of a host only what is on its links."""

    place: str
    ns: str
    kind: Kind


class Sends(Protocol):
    """What sends a packet, or several that differ in their headers; ``packet`` is the first."""

    @property
    def packet(self) -> Packet: ...

    def send(self) -> None: ...


def stations(network: Network, places: Iterable[str]) -> Iterator[Station]:
    """Places by their ids, of internet hosts by their names, with their namespaces."""
    for place in sorted(places):
        host = network.hosts.get(place)
        if network.named(place):
            yield Station(place, internet_host_namespace(place), "host")
        elif host is not None:
            yield Station(place, place, "box" if host.kind == "nat-gateway" else "host")
        else:
            boxes = place in network.uplinks or place in network.transits
            is_box = place == INTERNET or boxes
            yield Station(place, place, "box" if is_box else "router")


def is_new(
    spaces: Namespaces, way: Iterable[Station], packets: Collection[Packet], ident: int | None
) -> bool:
    """Whether a packet begins a flow wherever it comes, with the headers ``packets`` that it may
    have there; ``ident`` is the identifier of an echo.

    Raises:
        EngineError: a namespace is not there.
    """
    try:
        return not any(
            is_tracked(spaces, each.ns, packets, ident) for each in way if each.kind != "host"
        )
    except OSError as error:
        raise EngineError([f"look for tracked flows: {error}"]) from error


def follow(
    spaces: Namespaces,
    way: Collection[Station],
    probe: Sends,
    wanted: Wanted,
    enough: Callable[[Sighting], bool],
    patience: float,
    limit: int = LIMIT,
) -> list[Sighting]:
    """Send a packet and gather what is seen of it and of the answer, at most ``limit`` sightings.

    Ends :data:`QUIET` seconds after a sighting that is ``enough``, or when ``patience``, in
    seconds, is over.  ``spaces`` are to be closed afterwards, which ends the tracing; they must be
    the caller's own.  Times are counted from when the packet left its sender.

    Raises:
        EngineError: a namespace is not there, somebody else traces in one, or more was seen than
            one exchange can be.
    """
    with contextlib.ExitStack() as stack:
        try:
            readers = _listening(stack, spaces, way, wanted)
            for each in way:
                if each.kind != "host":
                    mark(spaces, each.ns, wanted, bridged=each.kind == "router")
            wait_for_stamps()
            found = _gather(readers, probe, enough, patience, limit)
        except (OSError, NftError) as error:
            raise EngineError([f"follow {probe.packet}: {error}"]) from error
    return _timed(found, probe.packet)


def _listening(
    stack: contextlib.ExitStack, spaces: Namespaces, way: Collection[Station], wanted: Wanted
) -> list[Tracer | Capture]:
    found: list[Tracer | Capture] = []
    for each in way:
        found.append(Capture(spaces, each.ns, each.place, wanted))
        stack.callback(found[-1].socket.close)
        if each.kind != "host":
            found.append(Tracer(spaces, each.ns, each.place, wanted))
            stack.callback(found[-1].socket.close)
    return found


def _gather(
    readers: Collection[Tracer | Capture],
    probe: Sends,
    enough: Callable[[Sighting], bool],
    patience: float,
    limit: int,
) -> list[Sighting]:
    found: list[Sighting] = []
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader.socket, selectors.EVENT_READ, reader)
        until = time.monotonic() + patience
        probe.send()
        over = False
        while (left := until - time.monotonic()) > 0:
            ready = selector.select(min(left, QUIET) if over else left)
            if over and not ready:
                break
            read = [each for key, _ in ready for each in key.data.read(_AT_ONCE)]
            found += read
            over = over or any(enough(each) for each in read)
            if len(found) > limit:
                raise EngineError([f"follow {probe.packet}: more than {limit} packets like it"])
    return found


def _timed(found: Iterable[Sighting], first: Packet) -> list[Sighting]:
    """Count times from when the packet was first sent; what has no time keeps its order."""
    found = list(found)
    sent = (each.at for each in found if each.stage == "sent" and each.packet == first)
    begin = min((at for at in sent if at is not None), default=0.0)
    return [each if each.at is None else replace(each, at=each.at - begin) for each in found]
