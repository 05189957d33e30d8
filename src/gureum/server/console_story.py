"""Tells one exchange: has it, captures it on every link of the way, and says of each frame who sent
it, at which layer each place acted, and which tables were used and changed."""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from gureum.engines import EngineError, TableKind
from gureum.engines.linux import exchange
from gureum.engines.linux.exchange import Talk
from gureum.engines.linux.names import ROUTER6, link_local
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.taps import Spot, Tap
from gureum.engines.linux.tracing import Station, stations
from gureum.engines.linux.tracing_frames import wait_for_stamps
from gureum.errors import ApiError
from gureum.explain.overlay import headers, on_the_way
from gureum.explain.packet import ICMP, TCP, UDP
from gureum.frames import decode
from gureum.kind import Shape
from gureum.server.cloud import Cloud
from gureum.server.console_explain import Explained, Explainer, Question, header, start_of
from gureum.server.places import Scope
from gureum.server.story_frames import (
    Crossing,
    Flow,
    Sight,
    act,
    crossings,
    flow_of,
    hops_left,
    of_the_exchange,
    packet_of,
)
from gureum.server.story_tables import (
    attach_changes,
    attach_rules,
    say_what_went_no_further,
)
from gureum.server.table_changes import Change, changes
from gureum.services import names

PATIENCE = 2.0
"""Seconds to wait for an answer; it takes some 100 µs on an idle machine."""
QUIET = 0.1
"""Seconds without a frame after which an exchange is over."""
SETTLE = 1.0
"""Seconds that an exchange has to become quiet."""
TURN = 10.0
"""Seconds that a story waits for another to be over."""
LIMIT = 2000
"""Frames of one place; an exchange over six boxes has some fifty."""
HTTP_PORT, DNS_PORT = 80, 53
_NEIGHBOURS = "(icmp6 and ip6[40] >= 135 and ip6[40] <= 136)"
"""Solicitations and advertisements; no extension header comes before them."""
_IN_FORCE = 10.0
_SNAP = 65_549

_Read = tuple[str, TableKind]
_CHANGING: Mapping[str, tuple[TableKind, ...]] = {
    "host": ("arp",),
    "router": ("mac", "conntrack"),
    "box": ("arp", "conntrack"),
}
"""The tables of each kind of place that packets change."""


@dataclass(frozen=True)
class Wish:
    """What is to be told.  ``page`` means that the name of the target is looked up, where there is
    a resolver, and a page is asked for."""

    question: Question
    page: bool


def wish(body: Mapping[str, Any]) -> Wish:
    """The wish in a request's body.

    Raises:
        ApiError: ``BadRequest``.
    """
    source, target = body.get("source"), body.get("target")
    if not isinstance(source, str) or not isinstance(target, str):
        raise ApiError("BadRequest", "A story needs a source and a target.")
    page = body.get("protocol") == "http"
    asked = {**body, "protocol": "tcp", "port": body.get("port", HTTP_PORT)} if page else body
    protocol, port, icmp = header(asked)
    if protocol not in (ICMP, TCP, UDP) or icmp not in (None, (8, 0)):
        raise ApiError("BadRequest", "Pings, TCP, UDP and HTTP can be told.")
    ipv6 = bool(body.get("ipv6"))
    return Wish(Question(source, target, protocol, port, icmp, ipv6=ipv6), page)


class Stories:
    """Tells one story at a time: they read tables that others' exchanges change."""

    def __init__(self, cloud: Cloud, explainer: Explainer) -> None:
        self._cloud = cloud
        self._explain = explainer
        self._turn = threading.Lock()

    def __call__(self, scope: Scope, wanted: Wish) -> Shape:
        """The story of a real exchange.

        Raises:
            ApiError: the codes of an explanation; ``BadRequest`` where the sender is nobody here,
                ``NotRunning`` where it is not up, ``Busy``, ``NotInForce``.
            EngineError: it could not be captured.
        """
        found = self._explain(scope, wanted.question)
        start_of(found)
        if not self._cloud.reconciler.wait(scope.view.revision, _IN_FORCE):
            raise ApiError("NotInForce", "The latest changes are not in force: see status.", 409)
        if not self._turn.acquire(timeout=TURN):
            raise ApiError("Busy", "Another story is being told: try again.", 409)
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="story") as own:
                return own.submit(self._told, scope, found, wanted).result()
        finally:
            self._turn.release()

    def _told(self, scope: Scope, found: Explained, wanted: Wish) -> Shape:
        parts = list(self._parts(scope, found, wanted))
        places = frozenset[str]()
        for each in parts:
            places |= on_the_way(each.network, found.source.host, each.answer)
        aim = found.place.host if found.place else None
        if aim and (aim in found.network.hosts or found.network.named(aim)):
            places |= {aim}
        way = list(stations(found.network, places))
        story = _Story(self._cloud, scope, found, wanted, parts, way)
        try:
            return story.tell()
        except OSError as error:
            raise EngineError([f"tell of {found.source}: {error}"]) from error

    def _parts(self, scope: Scope, found: Explained, wanted: Wish) -> Iterator[Explained]:
        """The explanations of what will be said: of a name to the resolver first."""
        resolver = _resolver(found) if wanted.page else None
        if resolver and _name_of(scope, found):
            source = wanted.question.source
            yield self._explain(scope, Question(source, resolver, UDP, DNS_PORT))
        yield found


def _resolver(found: Explained) -> str | None:
    """The resolver that the sender's VPC has, at the address that it is told of: the VPC's + 2, or
    in an IPv6-only subnet that of IPv6."""
    router = found.source.vpc
    here = (each for (where, _), all_ in found.network.services.items() if where == router
            for each in all_ if each.name == "dns" and each.protocol == UDP
            and (":" in each.ip) == found.source.ipv6_only)  # fmt: skip
    listed = sorted(here, key=lambda each: each.ip.startswith("169.254."))
    return listed[0].ip if listed else None


def _name_of(scope: Scope, found: Explained) -> str | None:
    """The target's name, as the sender's resolver knows it."""
    return names.leading_to(scope.view, found.source.vpc or "", found.address)


class _Story:
    """One story in the making."""

    def __init__(
        self,
        cloud: Cloud,
        scope: Scope,
        found: Explained,
        wanted: Wish,
        parts: list[Explained],
        way: list[Station],
    ) -> None:
        self._cloud = cloud
        self._scope = scope
        self._found = found
        self._wanted = wanted
        self._parts = parts
        self._way = way
        self._spaces = Namespaces(cloud.tag)
        self._here = next(each.ns for each in way if each.place == found.source.host)

    def tell(self) -> Shape:
        """Have the exchange, and say what was seen of it."""
        try:
            with contextlib.ExitStack() as stack:
                taps = [(each, self._tap(stack, each)) for each in self._way]
                wait_for_stamps()
                for each in self._way:
                    if each.kind == "host":
                        exchange.forget_neighbours(self._spaces, each.ns)
                before = self._tables()
                talks = list(self._talks())
                sights = _gather(taps)
                after = self._tables()
        finally:
            self._spaces.close()
        return self._put_together(talks, sights, before, after)

    def _tap(self, stack: contextlib.ExitStack, each: Station) -> Tap:
        tap = Tap(self._spaces, Spot(each.ns), self._expression(), _SNAP)
        stack.callback(tap.close)
        return tap

    def _addresses(self) -> frozenset[str]:
        """All addresses that a packet of the exchange is predicted to have somewhere."""
        found = {
            ip
            for each in self._parts
            for trace in (each.answer.forth, each.answer.back)
            for packet in headers(trace)
            for ip in (packet.source, packet.target)
        }
        return frozenset(found | {self._found.address})

    def _expression(self) -> str:
        hosts = " or ".join(f"host {ip_address(ip)}" for ip in sorted(self._addresses()))
        port = self._wanted.question.port
        ports = f"port {port} or port {DNS_PORT}" if port else f"port {DNS_PORT}"
        return f"arp or {_NEIGHBOURS} or (({hosts}) and (icmp or icmp6 or {ports}))"

    def _tables(self) -> dict[_Read, list[dict[str, str | int]]]:
        found = {}
        for each in self._way:
            kinds = _CHANGING[each.kind]
            for kind in kinds:
                with contextlib.suppress(LookupError):
                    found[each.place, kind] = self._cloud.engine.tables(kind, each.place)
        return found

    def _talks(self) -> Iterator[Talk]:
        """What is said, one thing after the other."""
        spaces, here, question = self._spaces, self._here, self._wanted.question
        ends = self._ends(self._found)
        port = question.port or 0
        if question.protocol == ICMP:
            yield exchange.ping(spaces, here, ends, PATIENCE)
        elif question.protocol == UDP:
            yield exchange.send(spaces, here, ends, port, PATIENCE)
        elif not self._wanted.page:
            yield exchange.connect(spaces, here, ends, port, b"", PATIENCE)
        else:
            name = _name_of(self._scope, self._found) or self._found.address
            version = ip_address(self._found.address).version
            if len(self._parts) > 1:
                asks = self._ends(self._parts[0])
                yield exchange.look_up(spaces, here, asks, name, version, PATIENCE)
            host = f"[{name}]" if ":" in name else name  # RFC 3986, section 3.2.2
            request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            yield exchange.connect(spaces, here, ends, port, request, PATIENCE)

    @staticmethod
    def _ends(part: Explained) -> tuple[str, str]:
        return part.answer.forth.steps[0].packet.source, part.address

    def _put_together(
        self,
        talks: list[Talk],
        sights: Iterable[Sight],
        before: dict[_Read, list[dict[str, str | int]]],
        after: dict[_Read, list[dict[str, str | int]]],
    ) -> Shape:
        flows = [_flow(talk) for talk in talks]
        found = of_the_exchange(crossings(sights), flows, self._near())
        act(found)
        for talk, part in zip(talks, self._parts, strict=True):
            attach_rules(found, part, _flow(talk), self._found.source.host)
        hosts = [each.place for each in self._way if each.kind == "host"]
        say_what_went_no_further(found, hosts)
        known = {ip for each in found if (flow := flow_of(each.frame)) for ip in flow[1:4:2]}
        differ = {
            read: [
                each
                for each in changes(read[1], rows, after.get(read, []))
                if _is_ours(read, each, known)
            ]
            for read, rows in before.items()
        }
        attach_changes(found, differ)
        begin = found[0].at if found else 0
        return {
            "source": self._found.source.shown(),
            "address": self._found.address,
            "place": self._found.place.shown() if self._found.place else None,
            "talks": [{"what": talk.what, "to": talk.remote[0], "port": talk.remote[1] or None,
                       "said": talk.said} for talk in talks],
            "frames": [_shown(number, each, begin) for number, each in enumerate(found, 1)],
            "tables": [
                {"place": place, "table": kind, "change": each.change, "row": each.row,
                 "was": each.was}
                for (place, kind), all_ in differ.items() for each in all_
            ],
        }  # fmt: skip

    def _near(self) -> frozenset[str]:
        """Addresses that a question on a link of the way may be about: those of the exchange, of
        the routers of its subnets, and the link-local ones by which IPv6 asks, too."""
        network = self._found.network
        routers = {each.gateway for segments in network.segments.values() for each in segments}
        ports = (port for each in self._way for port in network.ports_of[each.place])
        hosts = {link_local(port.mac) for port in ports}
        return self._addresses() | routers | hosts | {ROUTER6}


def _flow(talk: Talk) -> Flow:
    ping = "ICMPv6" if ":" in talk.remote[0] else "ICMP"
    protocol = {"ping": ping, "connect": "TCP"}.get(talk.what, "UDP")
    port = talk.local[1] if talk.what == "ping" else talk.remote[1]
    return protocol, *talk.local, talk.remote[0], port


def _is_ours(read: _Read, change: Change, known: Collection[str]) -> bool:
    """Whether a change is of this exchange: others are going on in a cloud."""
    if read[1] != "conntrack":
        return True
    return {change.row["source"], change.row["destination"]} <= set(known)


def _gather(taps: Iterable[tuple[Station, Tap]]) -> list[Sight]:
    """What was seen, when nothing more comes."""
    by_socket = {tap.socket: (each.place, tap) for each, tap in taps}
    found: list[Sight] = []
    until = time.monotonic() + SETTLE
    while time.monotonic() < until:
        ready = select.select(list(by_socket), [], [], QUIET)[0]
        if not ready:
            break
        for each in ready:
            found += _sights(*by_socket[each])
    return found


def _sights(place: str, tap: Tap) -> Iterator[Sight]:
    for seen in tap.read(LIMIT):
        link = tap.links.get(seen.link)
        if link is not None:
            yield Sight(place, link.alias, seen.way, seen.at, decode(seen.data))


def _shown(number: int, each: Crossing, begin: int) -> Shape:
    frame = each.frame
    packet = packet_of(frame)
    return {
        "number": number,
        "at": round((each.at - begin) / 1000, 1),
        "from": each.sender,
        "to": each.receiver,
        "link": each.alias,
        "frame": [frame.source, frame.target],
        "ttl": int(hops_left(packet)) if packet else None,
        "said": frame.said,
        "layers": [
            {"layer": one.layer, "protocol": one.protocol, "pdu": one.pdu, "said": one.said}
            for one in frame.layers
        ],
        "acts": each.acts,
        "used": each.used,
        "changed": each.changed,
        "ends": each.ends,
        "data": frame.data.hex(),
    }  # fmt: skip
