"""Frames as they come, one JSON value a line, for as long as somebody reads them.

::

    {"place": {...}, "links": {...}}                                      first
    {"link": "3", "way": "sent", "at": 1.., "size": 98, "data": "base64"}  each frame
    {"links": {...}}                                                      when others are there
    {"lost": 0}                                                           each second
    {"over": "", "lost": 0}                                               last

``at`` is in nanoseconds since 1970; ``lost`` is how many came and were not told, ``over`` why it
ends if that was no bound.  Whoever hangs up ends it; what is not read is not kept.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from gureum.engines import EngineError
from gureum.engines.linux.names import (
    INTERNET,
    attachment_link,
    internet_host_namespace,
    peering_link,
    port_link,
    segment_link,
    transit_link,
)
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.taps import Seen, Spot, Tap
from gureum.errors import ApiError
from gureum.kind import Shape
from gureum.model import Resource
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.transit_gateway import TransitGatewayAttachment
from gureum.resources.vpc_peering import VpcPeeringConnection
from gureum.server import places
from gureum.server.cloud import Cloud
from gureum.server.places import Scope

MOST = 8
"""Watches at the same time."""
BEAT = 1.0
"""Seconds between signs of life, by which it is found out that nobody reads any more."""
BATCH = 64
"""Frames that are read before others have their turn."""
SLICE = 0.1
"""Seconds over which the rate is counted."""
RATE, RATE_MOST = 1000, 100_000
"""Frames a second: as many as people can make use of, and as many as may be asked for."""
SNAP, SNAP_LEAST = 65_549, 14
"""Bytes that are kept of a frame: all of it, as offloads join segments to 64 KiB behind an Ethernet
header; and its Ethernet header at least."""
BYTES = 1 << 40
SECONDS = 86_400.0

_FILTERS: Mapping[str, str] = {
    "arp": "arp", "ip": "ip", "ip6": "ip6", "icmp": "(icmp or icmp6)", "tcp": "tcp", "udp": "udp",
    "dns": "port 53", "dhcp": "(udp port 67 or udp port 68)", "http": "tcp", "tls": "tcp",
}  # fmt: skip
"""What is let through for a protocol; what HTTP and TLS are is seen in the bytes, by the reader."""
PROTOCOLS = tuple(_FILTERS)


@dataclass(frozen=True)
class Bounds:
    """How much is told: frames a second, bytes of a frame, bytes in all, seconds."""

    rate: int
    snap: int
    size: int
    seconds: float


class Watches:
    """Opens watches, a bounded number at a time."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._room = threading.BoundedSemaphore(MOST)

    def open(self, scope: Scope, body: Mapping[str, Any]) -> Watch:
        """A watch that listens from now on; to be closed.

        Raises:
            ApiError: the codes of :func:`places.resolve`; ``BadRequest``; ``NotRunning``;
                ``Busy`` where there are :data:`MOST` already.
            EngineError: the kernel refused.
        """
        name = body.get("place")
        if not isinstance(name, str) or not name:
            raise ApiError("BadRequest", "The parameter place is missing.")
        bounds = _bounds(body)
        shown, spot = _spot(scope, name)
        expression = _expression(scope, body)
        if not self._room.acquire(blocking=False):
            raise ApiError("Busy", f"{MOST} watches are going on: end one.", 409)
        try:
            # entering a namespace concerns one thread, and this one is used for nothing else
            with ThreadPoolExecutor(1, thread_name_prefix="watch") as own:
                tap = own.submit(self._tap, spot, expression, bounds.snap).result()
        except BaseException:
            self._room.release()
            raise
        return Watch(self._cloud, tap, shown, bounds, self._room.release)

    def _tap(self, spot: Spot, expression: str, snap: int) -> Tap:
        spaces = Namespaces(self._cloud.tag)
        try:
            return Tap(spaces, spot, expression, snap)
        except FileNotFoundError as error:
            raise ApiError("NotRunning", f"It is not there yet: {error.filename}.", 409) from None
        except OSError as error:
            raise EngineError([f"watch {spot.ns}: {error}"]) from error
        except ValueError as error:
            raise ApiError("BadRequest", f"{error}.") from None
        finally:
            spaces.close()


# --- where and what -----------------------------------------------------------------------------
def _spot(scope: Scope, name: str) -> tuple[Shape, Spot]:
    """Where to listen: at a place, or on one link of a router by the id of what it is."""
    row = scope.view.rows.get(name)
    if name == INTERNET:
        return {"kind": "internet", "id": name, "name": None}, Spot(INTERNET)
    if isinstance(row, NetworkInterface):
        return _of_link(row, Spot(row.vpc, only=port_link(row.id)))
    if isinstance(row, VpcPeeringConnection):
        return _of_link(row, Spot(row.requester.vpc, only=peering_link(row.id)))
    if isinstance(row, TransitGatewayAttachment):
        link = attachment_link(row.id) if row.peer else transit_link(row.id)
        return _of_link(row, Spot(row.vpc or row.gateway, only=link))
    place = places.in_use(places.resolve(scope, name))
    if place.kind == places.INTERNET_HOST:
        return place.shown(), Spot(internet_host_namespace(place.host))
    if place.kind == places.SUBNET and place.vpc is not None:
        return place.shown(), Spot(place.vpc, bridge=segment_link(place.id))
    return place.shown(), Spot(place.id)


def _of_link(row: Resource, spot: Spot) -> tuple[Shape, Spot]:
    return {"kind": "link", "id": row.id, "name": row.tag("Name")}, spot


def _expression(scope: Scope, body: Mapping[str, Any]) -> str:
    """The filter as pcap-filter(7) has it, with numbers only: names would be looked up elsewhere.
    Frames with a tag are none of the cloud's."""
    found = []
    if (protocol := body.get("protocol")) is not None:
        if protocol not in PROTOCOLS:
            raise ApiError("BadRequest", f"There are these protocols: {', '.join(PROTOCOLS)}.")
        found.append(_FILTERS[protocol])
    if host := body.get("host"):
        listed = " or ".join(f"host {ip}" for ip in _addresses(scope, str(host)))
        found.append(f"({listed})")
    if (port := body.get("port")) is not None:
        found.append(f"port {_number(port, 'port', 1, 65535)}")
    return " and ".join(found)


def _addresses(scope: Scope, text: str) -> tuple[str, ...]:
    if places.is_address(text):
        if "%" in text:  # a zone may be any text, and would be part of the filter
            raise ApiError("BadRequest", "Give the address without a zone.")
        return (str(ip_address(text)),)
    place = places.resolve(scope, text, places.STATIONS)
    if not place.addresses:
        raise ApiError("NoAddress", f"The {place} has no address.", 409)
    return place.addresses


def _bounds(body: Mapping[str, Any]) -> Bounds:
    seconds = body.get("seconds", SECONDS)
    if not isinstance(seconds, int | float) or not 0 < seconds <= SECONDS:
        raise ApiError("BadRequest", f"seconds must be a number up to {SECONDS:g}.")
    return Bounds(
        rate=_number(body.get("rate", RATE), "rate", 1, RATE_MOST),
        snap=_number(body.get("snap", SNAP), "snap", SNAP_LEAST, SNAP),
        size=_number(body.get("bytes", BYTES), "bytes", 1, BYTES),
        seconds=float(seconds),
    )


def _number(value: Any, name: str, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise ApiError("BadRequest", f"{name} must be a whole number from {least} to {most}.")
    return value


# --- as it comes --------------------------------------------------------------------------------
class Watch:
    """Frames at a spot.  ``end`` is called when it is closed."""

    def __init__(
        self,
        cloud: Cloud,
        tap: Tap,
        place: Shape,
        bounds: Bounds,
        end: Callable[[], None],
    ) -> None:
        self._cloud = cloud
        self._tap = tap
        self._place = place
        self._bounds = bounds
        self._end = end
        self._came = 0
        self._frames = 0
        self._told = 0
        self._over = ""

    def close(self) -> None:
        """Stop listening; once is enough."""
        end, self._end = self._end, lambda: None
        self._tap.close()
        end()

    async def lines(self) -> AsyncIterator[bytes]:
        """What is told, a line each, until a bound is reached or nobody reads any more."""
        yield _line({"place": self._place, **self._links()})
        until = time.monotonic() + self._bounds.seconds
        beat, budget = time.monotonic() + BEAT, _Budget(self._bounds.rate)
        while (now := time.monotonic()) < until:
            if now >= beat:
                beat = now + BEAT
                async for line in self._sign_of_life():
                    yield line
                if self._over:
                    return
            found = list(self._tap.read(min(BATCH, budget.left(now))))
            if not found:
                await self._wait(min(until, beat) - now, budget.until(now) - now)
                continue
            budget.spend(len(found))
            yield b"".join(map(_told, found))
            self._frames += len(found)
            self._told += sum(len(each.data) for each in found)
            if self._told >= self._bounds.size:
                break
        yield _line({"over": "", "lost": self._lost()})

    def _links(self) -> Shape:
        links = self._tap.links.items()
        return {
            "links": {
                str(index): {
                    "name": link.name,
                    "to": self._leads_to(link.alias, self._place["id"]),
                    "mac": link.mac,
                }
                for index, link in links
            }
        }

    def _leads_to(self, alias: str, here: str) -> str:
        """Who a link leads to that is called after some ids: the holder of an interface, or what
        it is; empty for the links of a holder itself."""
        words = [word for word in alias.split() if word != here] or [here]
        rows = self._cloud.store.view.rows
        row = next((rows[word] for word in words if word in rows), None)
        if isinstance(row, NetworkInterface):
            row = rows.get(row.host or "", row)
        if row is not None and row.id == here:
            return ""
        if row is not None:
            return row.tag("Name") or row.id
        return words[0] if words else ""

    async def _sign_of_life(self) -> AsyncIterator[bytes]:
        """What differs, that nothing does, or why there is nothing more to come."""
        try:
            # of a router with a thousand links it takes some milliseconds
            if await asyncio.to_thread(self._tap.look):
                yield _line(self._links())
        except (OSError, ValueError) as error:
            self._over = str(error)
        if not self._tap.is_there():
            self._over = "it is gone"
        elif self._cloud.ending.is_set():
            self._over = "the daemon ends"
        lost = {"lost": self._lost()}
        yield _line(lost | {"over": self._over} if self._over else lost)

    def _lost(self) -> int:
        """How many frames came and were not told: for want of room, or not yet."""
        self._came += self._tap.came()
        return max(0, self._came - self._frames)

    async def _wait(self, patience: float, pause: float) -> None:
        """Wait for a frame, at most so long; first a pause, where the rate is used up."""
        if pause > 0:
            await asyncio.sleep(min(patience, pause))
            return
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._tap.socket, came.set)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(came.wait(), max(patience, 0))
        finally:
            loop.remove_reader(self._tap.socket)


class _Budget:
    """How many frames may still be told in this slice of time."""

    def __init__(self, rate: int) -> None:
        self._most = max(1, round(rate * SLICE))
        self._slice = max(SLICE, 1 / rate)
        self._begun = 0.0
        self._spent = 0

    def left(self, now: float) -> int:
        if now - self._begun >= self._slice:
            self._begun, self._spent = now, 0
        return self._most - self._spent

    def until(self, now: float) -> float:
        """When more may be told: now, unless all is spent."""
        return self._begun + self._slice if self._spent >= self._most else now

    def spend(self, count: int) -> None:
        self._spent += count


def _told(seen: Seen) -> bytes:
    data = base64.b64encode(seen.data).decode("ascii")
    return _line(
        {"link": str(seen.link), "way": seen.way, "at": seen.at, "size": seen.size, "data": data}
    )


def _line(value: Shape) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


class Told(StreamingResponse):
    """Tells a watch to whoever asked, and closes it however that ends."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(watch.lines(), media_type="application/x-ndjson")
        self._watch = watch

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """See :class:`starlette.responses.Response`."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._watch.close()
