"""Packets followed through the kernel: every step of a prediction, with the rule that it names, and
so every code, against what the kernel decided there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.tracing import LIMIT, Probe, Wanted, follow, stations
from gureum.explain import Answer, Network, Packet, explain
from gureum.explain.overlay import Sighting, headers, on_the_way, overlay
from gureum.program import InternetHost, Port
from tests.agreement.answerers import CLIENT_PATIENCE
from tests.kernel import packets

AT_ONCE = 16
"""Packets that are followed at once: a capture's filter holds 4096 instructions (linux/filter.h),
some 15 for each header, 25 of IPv6."""
MOST_HEADERS = 64
"""Of a volley: sockets have room for so long a filter (net.core.optmem_max), and little more."""


@dataclass(frozen=True)
class Asked:
    """A packet to follow: where it begins, and what is predicted of it."""

    start: Port | InternetHost
    packet: Packet
    answer: Answer

    @property
    def host(self) -> str:
        """Who sends it."""
        return self.start.host if isinstance(self.start, Port) else self.start.name

    @property
    def codes(self) -> list[str]:
        """Why it does not pass, by the first block of each way: what is behind it is not seen."""
        ways = (self.answer.forth, self.answer.back)
        first = (next(iter(way.blocks()), None) for way in ways if way)
        return [step.code.name for step in first if step is not None and step.code is not None]

    def places(self, network: Network) -> frozenset[str]:
        """Where it is predicted to come."""
        return on_the_way(network, self.host, self.answer)

    @property
    def circles(self) -> bool:
        """Whether it, or its answer, goes round until its time to live is over."""
        return any(way.circles for way in (self.answer.forth, self.answer.back) if way)

    @property
    def is_exact(self) -> bool:
        """Whether every header of it is known beforehand: a NAT gateway keeps a port from 1024 on,
        and draws another one for those below."""
        return not any(
            step.kind == "translate"
            and step.packet.source != step.after.source
            and 0 < (step.packet.source_port or 0) < 1024
            for way in (self.answer.forth, self.answer.back)
            for step in (way.steps if way else ())
        )

    @property
    def headers(self) -> frozenset[Packet]:
        """What it and its answer look like anywhere."""
        return headers(self.answer.forth) | headers(self.answer.back)


def asked(network: Network, start: Port | InternetHost, packet: Packet) -> Asked:
    """A packet with its prediction."""
    return Asked(start, packet, explain(network, start, packet))


def followed(tag: str, network: Network, all_asked: Sequence[Asked]) -> list[tuple[str, ...]]:
    """Why the prediction does not hold, for each packet; empty where it does."""
    reasons: dict[int, tuple[str, ...]] = {}
    for volley in _volleys(all_asked):
        with ThreadPoolExecutor(1) as own:  # a thread that enters namespaces does nothing else
            sightings = own.submit(_sent, tag, network, [each for _, each in volley]).result()
        for at, each in volley:
            # elsewhere the header may be that of another packet, translated
            mine = [one for one in sightings if one.place in each.places(network)]
            laid = overlay(network, each.host, None, each.answer, mine)
            reasons[at] = laid.reasons
    return [reasons[at] for at in range(len(all_asked))]


Volley = list[tuple[int, Asked]]


def _volleys(all_asked: Iterable[Asked]) -> Iterator[Volley]:
    """Packets that can be told apart, pings apart from others: all pings of a volley have one
    identifier.  One that goes round in circles is seen so often that it is sent alone."""
    open_: list[tuple[bool, set[Packet], Volley]] = []
    for at, each in enumerate(all_asked):
        if each.circles:
            yield [(at, each)]
            continue
        ping, mine = each.packet.icmp is not None, each.headers
        for pings, taken, volley in open_:
            fits = len(volley) < AT_ONCE and len(taken) + len(mine) <= MOST_HEADERS
            if pings == ping and fits and not taken & mine:
                taken |= mine
                volley.append((at, each))
                break
        else:
            open_.append((ping, set(mine), [(at, each)]))
    for _, _, volley in open_:
        yield volley


@dataclass
class _Shots:
    """Probes that are sent as one."""

    packet: Packet
    probes: list[Probe] = field(default_factory=list)

    def send(self) -> None:
        for each in self.probes:
            each.send()


def _sent(tag: str, network: Network, volley: Sequence[Asked]) -> list[Sighting]:
    spaces = Namespaces(tag)
    with ExitStack() as stack:
        stack.callback(spaces.close)
        shots = _Shots(volley[0].packet)
        for each in volley:
            (sender,) = stations(network, [each.host])
            port = each.packet.source_port
            ports = [] if port is None else [(port, port)]
            shots.probes.append(Probe(spaces, sender.ns, each.packet, ports))
            stack.callback(shots.probes[-1].close)
            shots.probes[-1].ident = shots.probes[0].ident
        forth = frozenset[Packet]().union(*(headers(each.answer.forth) for each in volley))
        back = frozenset[Packet]().union(*(headers(each.answer.back) for each in volley))
        wanted = Wanted(forth, back, shots.probes[0].ident)
        places = frozenset[str]().union(*(each.places(network) for each in volley))
        open_ = {(each.host, each.packet.reply()) for each in volley if each.answer.works}

        def enough(seen: Sighting) -> bool:
            if seen.stage == "received":
                open_.discard((seen.place, seen.packet))
            return not open_

        patience = CLIENT_PATIENCE if open_ else packets.SHORT
        way = list(stations(network, places))
        return follow(spaces, way, shots, wanted, enough, patience, LIMIT * len(volley))
