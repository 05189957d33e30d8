"""The whole answer to "can this packet get there, and the answer back?"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from gureum.explain.flows import Flows
from gureum.explain.network import Network
from gureum.explain.packet import TCP, UDP, Packet, ephemeral, nat_ports
from gureum.explain.steps import Step, Trace
from gureum.explain.walk import Walk
from gureum.program import Filter, InternetHost, Port

Reach = Literal["all", "some", "none"]
Both = tuple[Trace, Trace | None]


@dataclass(frozen=True)
class Answer:
    """Both ways of an exchange.

    ``back`` is None where there is nobody to answer.  ``reach`` says for how many of the ports a
    client may call from the exchange works (stateless ACLs look at them), ``ports`` for which; for
    protocols without ports it is all or none.  Where it works from some ports, ``others`` are both
    ways of a packet from one of the others.  Where a NAT gateway draws a port in the place of the
    client's own, ``drawn`` are those with which it works, and ``reach`` and ``others`` are about
    the ports that may be drawn.  ``heard`` says whether somebody listens where the
    packet arrives, None where that was not looked at.
    """

    forth: Trace
    back: Trace | None
    reach: Reach
    ports: tuple[tuple[int, int], ...]
    others: tuple[Trace, Trace | None] | None = None
    heard: bool | None = None
    drawn: tuple[tuple[int, int], ...] = ()

    @property
    def works(self) -> bool:
        """Whether the exchange works, for some client port at least."""
        return self.reach != "none" and self.heard is not False

    def blocks(self) -> list[Step]:
        """Every step that blocks, forth and back."""
        return _blocks(self.forth, self.back)

    def failing(self) -> list[Step]:
        """Every step that blocks a packet from any client port."""
        return _blocks(*self.others) if self.others else self.blocks()


def explain(network: Network, start: Port | InternetHost, packet: Packet) -> Answer:
    """Walk a packet from ``start``, and the answer to it.

    A TCP or UDP packet without a source port stands for one from any port of a Linux client; the
    traces are then those of one that works, if any does.
    """
    flows = Flows()
    if packet.protocol in (TCP, UDP) and packet.source_port is None:
        best = _both(network, start, replace(packet, source_port=ephemeral.start), flows)

        def called(port: int) -> Both:
            return _both(network, start, replace(packet, source_port=port), Flows())

        return _from_all(ephemeral, flows, best, called)
    forth, back = _both(network, start, packet, flows)
    own = ((packet.source_port, packet.source_port),) if packet.source_port is not None else ()
    if flows.draws:

        def translated(port: int) -> Both:
            return _both(network, start, packet, Flows(drawn=port))

        found = _from_all(nat_ports, flows, (forth, back), translated)
        return replace(found, ports=own if found.ports else (), drawn=found.ports)
    works = _works(forth, back)
    return Answer(forth, back, "all" if works else "none", own if works else ())


def _from_all(span: range, flows: Flows, best: Both, walked: Callable[[int], Both]) -> Answer:
    """The answer for all ports of a span.  ``best`` is the exchange from one of them: the way, and
    so the filters on it (``flows``), is the same from every one."""
    good: list[tuple[int, int]] = []
    bad: Both | None = None
    for first, last in _intervals(span, flows.stateless):
        both = walked(first)
        if _works(*both):
            best = best if good else both
            good.append((first, last))
        else:
            bad = bad or both
    merged = tuple(_merged(good))
    whole = ((span.start, span.stop - 1),)
    reach: Reach = "none" if not merged else "all" if merged == whole else "some"
    return Answer(*best, reach, merged, bad if reach == "some" else None)


def _blocks(forth: Trace, back: Trace | None) -> list[Step]:
    return [*forth.blocks(), *(back.blocks() if back else ())]


def _both(
    network: Network, start: Port | InternetHost, packet: Packet, flows: Flows
) -> tuple[Trace, Trace | None]:
    forth = _walked(network, start, packet, flows, answers=False)
    if forth.arrived is None or forth.packet is None:
        return forth, None
    if forth.steps[-1].kind == "service":
        answer = Walk(network, forth.packet.reply(), flows, answers=True)
        answer.from_service(forth.arrived)
        return forth, answer.trace
    end: Port | InternetHost | None = network.named(forth.arrived)
    if end is None and network.port_with(forth.arrived, forth.packet.target):
        end = network.egress(forth.arrived, forth.packet.source)
    if end is None:
        return forth, None  # a host that passes packets on
    back = _walked(network, end, forth.packet.reply(), flows, answers=True)
    home = start.host if isinstance(start, Port) else start.name
    return forth, _recognised(back, packet.reply(), home)


def _recognised(back: Trace, expected: Packet, home: str) -> Trace:
    """The way back, with a last step where the answer comes to somebody who did not ask, or does
    not look like one to who asked."""
    got = back.packet
    if back.arrived is None or got is None or (got, back.arrived) == (expected, home):
        return back
    said = f"no answer to {back.arrived}, which waits for {expected}, not for {got}"
    if back.arrived != home:
        said = f"{back.arrived} did not ask, and passes nothing on to {home}"
    step = Step("listen", back.arrived, False, said, got, got)
    return replace(back, steps=[*back.steps, step])


def _walked(
    network: Network, start: Port | InternetHost, packet: Packet, flows: Flows, *, answers: bool
) -> Trace:
    walk = Walk(network, packet, flows, answers=answers)
    if isinstance(start, InternetHost):
        walk.from_internet()
    else:
        walk.from_port(start)
    return walk.trace


def _works(forth: Trace, back: Trace | None) -> bool:
    return forth.passed and back is not None and back.passed


def _intervals(span: range, filters: Iterable[Filter]) -> Iterator[tuple[int, int]]:
    """The ports of a span, cut wherever a rule of the filters may tell two of them apart."""
    cuts = {span.start, span.stop}
    for rule in (rule for filter_ in filters for rule in filter_.rules if rule.ports):
        low, high = rule.ports or (0, 0)
        cuts |= {cut for cut in (low, high + 1) if cut in span}
    return ((low, high - 1) for low, high in pairwise(sorted(cuts)))


def _merged(intervals: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    begin = end = None
    for low, high in intervals:
        if end is not None and low == end + 1:
            end = high
            continue
        if begin is not None and end is not None:
            yield begin, end
        begin, end = low, high
    if begin is not None and end is not None:
        yield begin, end
