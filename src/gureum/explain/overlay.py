"""Lays what was seen of a real packet over what was predicted of it, step by step.

A router looks up the route of a packet before it filters it, and the link address of the next hop
last (RFC 1812 section 5.2.1.2), so steps are judged in that order; behind the first predicted block
nothing is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from gureum.explain.network import Network
from gureum.explain.order import decided
from gureum.explain.packet import Packet
from gureum.explain.steps import Kind, Step, Trace
from gureum.explain.verdict import Answer

INTERNET = "internet"
"""The place between gateways and the hosts of the internet."""

RESET = "reset"
"""How TCP refuses (RFC 9293 section 3.5.2)."""

Stage = Literal[
    "sent", "received", "entered", "source-check", "group-out", "acl-out", "acl-in", "group-in",
    "dest-check", "other",
]  # fmt: skip
"""Where in a place a packet was seen: a frame on a link (``sent``, ``received``), the place's door
before any rule (``entered``), a filter, or another decision."""

Status = Literal["seen", "predicted only", "seen only", "contradicted", "not expected"]
Verdict = Literal["confirmed", "contradicted"]

_FILTERED: tuple[Stage, ...] = ("group-out", "acl-out", "acl-in", "group-in", "dest-check")
"""What a router does with a packet only once a route was found."""

_DECIDED: tuple[Stage, ...] = ("source-check", *_FILTERED, "other")


@dataclass(frozen=True)
class Sighting:
    """One observation of the packet or of its answer.

    ``place`` is a router, a gateway, a host, or the internet; ``packet`` the header and ``ttl`` the
    time to live there.  ``dropped`` and ``why`` are the verdict of a filter and the comments of
    the rules that led to it.  ``frame`` are the link addresses, source and destination, ``link``
    is the link's name and ``onto`` the id of what it leads to.  ``at`` are microseconds after the
    packet left its sender, by the kernel's clock; None for verdicts, which carry no time.
    ``refusal`` says how an answer refuses: :data:`RESET`, or the type and code of an ICMP error, of
    which ``packet`` is the answer that it stands for.
    """

    place: str
    stage: Stage
    packet: Packet
    ttl: int
    dropped: bool = False
    why: tuple[str, ...] = ()
    frame: tuple[str, str] | None = None
    link: str = ""
    onto: str = ""
    at: float | None = None
    refusal: str = ""

    @property
    def said(self) -> str:
        """The observation in a few words."""
        if self.stage in ("sent", "received"):
            frame = f" {self.frame[0]} > {self.frame[1]}" if self.frame else ""
            time = f" +{self.at:.0f} µs" if self.at is not None else ""
            return f"{self.stage}{frame} ttl {self.ttl}{time}"
        verdict = "drop" if self.dropped else "accept"
        return f"{verdict} {' > '.join(self.why)}".rstrip()


@dataclass(frozen=True)
class Laid:
    """A predicted step with what was seen of it; ``index`` is its place among the steps of its
    trace, None for what was seen and not predicted."""

    index: int | None
    status: Status
    said: str
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True)
class Overlay:
    """A prediction with the packet laid over it.  ``outcome`` is what the sender got, ``reasons``
    are the sentences that make the verdict ``contradicted``."""

    forth: tuple[Laid, ...]
    back: tuple[Laid, ...]
    outcome: str
    reasons: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether the packet did what was predicted, as far as it can be seen."""
        return "contradicted" if self.reasons else "confirmed"


def headers(trace: Trace | None) -> frozenset[Packet]:
    """Every header that a packet has on its way."""
    steps = trace.steps if trace else ()
    return frozenset(packet for step in steps for packet in (step.packet, step.after))


def on_the_way(network: Network, start: str, answer: Answer) -> frozenset[str]:
    """The places that an exchange, begun by the host ``start``, passes: routers, gateways, hosts,
    the internet."""
    found = {start}
    for trace in (answer.forth, answer.back or Trace()):
        found |= {trace.arrived} if trace.arrived else set()
        for step in trace.steps:
            port = network.ports.get(step.place)
            found |= {port.host, port.segment.router} if port else {network.router_of(step.place)}
            if step.kind == "peering":
                found = (found - {step.place}) | {*network.peerings[step.place].routers}
            elif step.kind == "transit":
                found = (found - {step.place}) | {network.attachments[step.place].router}
    borders = {*network.uplinks, *(host.name for host in network.internet.values())}
    return frozenset(found | {INTERNET} if found & borders else found)


def overlay(
    network: Network, start: str, aim: str | None, answer: Answer, sightings: Collection[Sighting]
) -> Overlay:
    """Lay sightings over the prediction for one packet that the host ``start`` sent to the host
    ``aim`` (None where that is nobody known)."""
    far = answer.forth.arrived or aim or ""
    passed_on = answer.forth.arrived is not None and answer.back is None
    forth = _Way(network, start, far, answer.forth, sightings, passed_on=passed_on)
    begun = answer.back.steps[0].packet if answer.back and answer.back.steps else None
    sent = [
        each
        for each in sightings
        if (each.stage, each.place, each.packet) == ("sent", answer.forth.arrived, begun)
    ]
    answered = any(not _is_error(each) for each in sent)
    back = _Way(network, far, start, answer.back or Trace(), sightings, answers=True)
    laid = forth.laid(expected=True), back.laid(expected=answered)
    reasons = (*forth.reasons(laid[0]), *back.reasons(laid[1]))
    own = answer.forth.steps[0].packet
    return Overlay(*laid, _outcome(start, own, answer, sightings), reasons)


def _outcome(start: str, own: Packet, answer: Answer, sightings: Collection[Sighting]) -> str:
    for each in sightings:
        if (each.place, each.stage, each.packet) == (start, "received", own.reply()):
            return f"refused ({each.refusal})" if each.refusal else "answered"
    arrived, packet = answer.forth.arrived, answer.forth.packet
    for each in sightings:
        if (each.place, each.stage, each.packet) == (arrived, "received", packet):
            return "delivered, no answer came"
    return "not delivered"


def _is_error(each: Sighting) -> bool:
    """Whether an ICMP error stands for the answer: it takes the way of errors (``related``), not
    the predicted one."""
    return each.refusal not in ("", RESET)


_Judged = tuple[Status, str, list[Sighting]]
_UNSEEN = "nothing"


@dataclass
class _Way:
    """One direction, from the host ``start`` to the host ``end``; ``answers`` that of the answer.
    ``passed_on`` says that an appliance gets the packet: what it does then is not predicted.  The
    judgements are one a kind of step: its status, in words, and the sightings that say so."""

    network: Network
    start: str
    end: str
    trace: Trace
    sightings: Collection[Sighting]
    answers: bool = False
    passed_on: bool = False
    used: set[Sighting] = field(default_factory=set)

    def laid(self, *, expected: bool) -> tuple[Laid, ...]:
        """The steps with what was seen of them, in the trace's order, and what else was seen."""
        found: dict[int, Laid] = {}
        over = not expected
        for index in decided(self.network, self.trace.steps):
            step = self.trace.steps[index]
            over = over or self._comes_round(index)
            if over:
                found[index] = Laid(index, "not expected", "")
                continue
            status, said, seen = self._judge(index, step)
            self.used |= set(seen)
            found[index] = Laid(index, status, said, tuple(seen))
            # whether an appliance passes on what it may is its own affair
            over = not step.passed or (step.kind == "forward" and status != "seen")
        return (*(found[index] for index in sorted(found)), *self._more())

    def reasons(self, laid: Iterable[Laid]) -> Iterator[str]:
        """Why the prediction does not hold.  Behind the first place where it does not, nothing is
        to be seen; what hosts do with a packet that they got is not the network's."""
        rank: dict[int | None, int] = {
            index: at for at, index in enumerate(decided(self.network, self.trace.steps))
        }
        lost = False
        for each in sorted(laid, key=lambda each: rank.get(each.index, len(rank))):
            step = self.trace.steps[each.index] if each.index is not None else None
            if step is None:
                yield f"not predicted: {each.said}"
                continue
            missed = each.status == "predicted only" and step.kind not in ("listen", "forward")
            if each.status == "contradicted" or (missed and not lost):
                lost = True
                yield f"{step.kind} at {step.place}: predicted: {step.said}; seen: {each.said}"

    # --- what was seen -------------------------------------------------------------------------
    def _at(self, place: str, packet: Packet, *stages: Stage) -> list[Sighting]:
        return [
            each
            for each in self.sightings
            if each.place == place and each.packet == packet and each.stage in stages
        ]

    def _more(self) -> Iterator[Laid]:
        """Drops and deliveries that no expected step accounts for."""
        mine = headers(self.trace)
        arrivals = {each for each in self.used if self._arrives(each)}
        for each in self.sightings:
            if each.packet not in mine or each in self.used or _is_error(each):
                continue
            surplus = self._arrives(each) and not arrivals
            if surplus or (each.dropped and not self.passed_on):
                yield Laid(None, "seen only", f"{each.said} at {each.place}", (each,))

    def _arrives(self, each: Sighting) -> bool:
        return each.place == self.end and each.stage == "received"

    def _host(self, place: str) -> str:
        port = self.network.ports.get(place)
        return port.host if port else place

    def _router(self, place: str) -> str:
        port = self.network.ports.get(place)
        return port.segment.router if port else self.network.router_of(place)

    # --- judgements ----------------------------------------------------------------------------
    def _judge(self, index: int, step: Step) -> _Judged:
        judge = _JUDGES.get(step.kind)
        return judge(self, index, step) if judge else ("predicted only", _UNSEEN, [])

    def filter(self, index: int, step: Step) -> _Judged:
        found = self._at(self._router(step.place), step.packet, _STAGES[step.kind, step.direction])
        found = found[self._visits(index) :][:1]
        if not found:
            return "predicted only", _UNSEEN, []
        # what a stateful filter lets pass as an answer names no rule of its own
        agrees = found[0].dropped != step.passed and set(step.by) <= set(found[0].why)
        if agrees and step.by:
            return "seen", f"{'drop' if found[0].dropped else 'accept'} {step.by[0]}", found
        return ("seen" if agrees else "contradicted"), found[0].said, found

    def _comes_round(self, index: int) -> bool:
        """Whether a step repeats an earlier one of a packet that nothing stops on its round; boxes
        may refuse it from then on, as its own source."""
        before = self.trace.steps[:index]
        repeated = self.trace.steps[index] in before
        return self.trace.circles and repeated and all(step.passed for step in before)

    def _visits(self, index: int) -> int:
        """How often the packet was in the same situation before: an appliance hands it back to
        the router that it came from, with the same addresses."""
        step = self.trace.steps[index]
        mine = (step.kind, step.direction, self._router(step.place), step.packet)
        before = self.trace.steps[:index]
        alike = ((each.kind, each.direction, self._router(each.place), each.packet)
                 for each in before)  # fmt: skip
        return sum(each == mine for each in alike)

    def port_check(self, _index: int, step: Step) -> _Judged:
        """A drop by the source or destination check of a port."""
        stage: Stage = "source-check" if step.kind == "source-check" else "dest-check"
        found = self._at(self._router(step.place), step.packet, stage)
        drops = [each for each in found if each.dropped]
        if drops:
            return "seen", drops[0].said, drops
        if found:
            return "contradicted", found[0].said, found
        return "predicted only", _UNSEEN, []

    def frame(self, _index: int, step: Step) -> _Judged:
        """A packet put into a frame: by a host for its router, or by a router for a host."""
        port = self.network.ports.get(step.place)
        sender = port.host if port else self._router(step.place)
        found = self._at(sender, step.packet, "sent")
        fitting = [each for each in found if each.frame == step.frame]
        if fitting:
            return "seen", fitting[0].said, fitting
        return ("contradicted", found[0].said, found) if found else ("predicted only", _UNSEEN, [])

    def switch(self, index: int, step: Step) -> _Judged:
        """From neighbour to neighbour; where ports are isolated, by way of the router's own
        link address (docs/dataplane.md)."""
        found = self._at(self._sender(index), step.packet, "sent")
        if not step.passed:
            if not found:
                asked = "a neighbour solicitation" if ":" in step.packet.target else "ARP"
                return "seen", f"no frame was sent: nobody answers {asked}", []
            return self.stop(index, step)
        if not found or step.frame is None:
            return "predicted only", _UNSEEN, []
        sender, target = step.frame
        routers = {each.mac for each in self.network.segments[self._router(step.place)]}
        for each in found:
            if each.frame and each.frame[0] == sender and each.frame[1] in {target, *routers}:
                return "seen", each.said, found
        return "contradicted", found[0].said, found

    def _sender(self, index: int) -> str:
        """The host that a packet comes from at some step: a NAT gateway, an appliance, or the
        first sender."""
        for step in reversed(self.trace.steps[:index]):
            if step.kind == "forward":
                return self._host(step.place)
            if step.kind == "translate" and step.place not in self.network.uplinks:
                return step.place
        return self.start

    def route(self, index: int, step: Step) -> _Judged:
        rest = self.trace.steps[index + 1 :]
        if not step.passed:
            return self.stop(index, step)
        if rest and (rest[0].kind, rest[0].passed, rest[0].place) == ("route", False, step.place):
            return self.stop(index, rest[0])  # one look-up, told in two steps
        found = self._at(step.place, step.packet, *_FILTERED)
        routed = [each for each in found if each.onto and each.stage == found[0].stage]
        routed = routed[self._visits(index) :][:1]
        if not routed:
            return "predicted only", _UNSEEN, []
        towards = self._towards(rest[0]) if rest else ""
        agrees = routed[0].onto == towards
        before = [each for each in self._at(step.place, step.packet, "entered")
                  if each.ttl >= routed[0].ttl]  # fmt: skip
        seen = [*sorted(before, key=lambda each: each.ttl)[:1], *routed]
        return ("seen" if agrees else "contradicted"), f"out to {routed[0].onto}", seen

    def _towards(self, step: Step) -> str:
        port = self.network.ports.get(step.place)
        return port.segment.id if port else step.place

    def transit_route(self, index: int, step: Step) -> _Judged:
        """A transit gateway only routes: what went in comes out, or does not."""
        if not step.passed:
            return self.stop(index, step)
        left = self._at(step.place, step.packet, "sent")
        return ("seen", left[0].said, left) if left else ("predicted only", _UNSEEN, [])

    def gateway(self, index: int, step: Step) -> _Judged:
        """What a gateway does not translate passes as it is, or does not."""
        if not step.passed:
            return self.stop(index, step)
        left = sorted(self._at(step.place, step.packet, "sent"), key=lambda each: -each.ttl)
        left = left[self._visits(index) :][:1]  # out to the internet, and in again
        return ("seen", left[0].said, left) if left else ("predicted only", _UNSEEN, [])

    def peering(self, index: int, step: Step) -> _Judged:
        """A peering or an attachment is asked where it begins, in the place of an ACL or before
        that of the attachment's subnet, which may be what drops."""
        near = self.trace.steps[index - 1].place
        found = [each for each in self._at(near, step.packet, "acl-in") if step.place in each.why]
        if not found:
            return "predicted only", _UNSEEN, []
        refused = found[0].dropped and found[0].why[-1] == step.place
        return ("seen" if refused != step.passed else "contradicted"), found[0].said, found[:1]

    def stop(self, _index: int, step: Step) -> _Judged:
        """A packet that goes into a place and does not come out."""
        place = self._router(step.place)
        entered = self._at(place, step.packet, "entered", "received")
        if not entered:
            return "predicted only", _UNSEEN, []
        last = min(each.ttl for each in entered)  # it may have been here, and left, before
        mine = [each for packet in dict.fromkeys((step.packet, step.after))
                for each in self._at(place, packet, "sent", *_DECIDED)
                if each.ttl <= last]  # fmt: skip
        out = [each for each in mine if each.stage == "sent"]
        if out:
            return "contradicted", f"it came out: {out[0].said}", out
        drops = [each for each in mine if each.dropped]
        if drops:
            return "seen", drops[0].said, drops
        return "seen", "it went in and did not come out", entered

    def forward(self, _index: int, step: Step) -> _Judged:
        """An appliance passes a packet on."""
        host = self._host(step.place)
        entered = self._at(host, step.packet, "received")
        left = self._at(host, step.packet, "sent")
        if entered and left:
            return "seen", left[0].said, [*entered, *left]
        return "predicted only", "it went in and did not come out" if entered else _UNSEEN, entered

    def translate(self, index: int, step: Step) -> _Judged:
        if not step.passed:
            return self.stop(index, step)
        before, after = self._translated(index)
        entered = self._at(step.place, before, "entered", "received")
        left = self._at(step.place, after, "sent")
        if entered and left:
            return "seen", f"{before} became {after}", [*entered, *left]
        ruled = [each for each in self._at(step.place, before, "other") if step.place in each.why]
        if ruled and self._unresolved(index):
            return "seen", ruled[0].said, ruled
        same = self._at(step.place, before, "sent")
        if same:
            return "contradicted", f"it left as {before}", same
        return "predicted only", _UNSEEN, []

    def _unresolved(self, index: int) -> bool:
        """Whether a box that translates a packet finds no neighbour to send it to."""
        after = self.trace.steps[index + 1 :]
        return bool(after) and (after[0].kind, after[0].passed) == ("switch", False)

    def _translated(self, index: int) -> tuple[Packet, Packet]:
        """The headers before and behind a box; one that turns a packet round translates both of
        its addresses at once."""
        steps, mine = self.trace.steps, self.trace.steps[index]

        def goes_on(at: int) -> bool:
            there = 0 <= at < len(steps)
            return there and steps[at].passed and (steps[at].kind, steps[at].place) == (
                mine.kind, mine.place
            )  # fmt: skip

        first = last = index
        while goes_on(first - 1):
            first -= 1
        while goes_on(last + 1):
            last += 1
        return steps[first].packet, steps[last].after

    def deliver(self, _index: int, step: Step) -> _Judged:
        found = self._at(self._host(step.place), step.packet, "received")
        return ("seen", found[0].said, found) if found else ("predicted only", _UNSEEN, [])

    def service(self, index: int, step: Step) -> _Judged:
        """A router is asked itself, or answers."""
        found = self._at(step.place, step.packet, "sent" if self.answers else "received")
        if found and step.passed:
            return "seen", found[0].said, found
        return ("predicted only", _UNSEEN, []) if step.passed else self.stop(index, step)

    def listen(self, _index: int, step: Step) -> _Judged:
        if self.answers:  # it arrives at who asked, and is not what that waits for
            return self.deliver(_index, step)
        answers = self._at(step.place, step.packet.reply(), "sent")
        if not answers:
            return "predicted only", "no answer and no refusal", []
        refused = answers[0].refusal
        said = f"refused: {refused}" if refused else "answered"
        return ("seen" if bool(refused) != step.passed else "contradicted"), said, answers


_STAGES: dict[tuple[Kind, str | None], Stage] = {
    ("group", "out"): "group-out",
    ("group", "in"): "group-in",
    ("acl", "out"): "acl-out",
    ("acl", "in"): "acl-in",
}

_JUDGES: dict[Kind, Callable[[_Way, int, Step], _Judged]] = {
    "arp": _Way.frame,
    "switch": _Way.switch,
    "source-check": _Way.port_check,
    "dest-check": _Way.port_check,
    "group": _Way.filter,
    "acl": _Way.filter,
    "route": _Way.route,
    "forward": _Way.forward,
    "translate": _Way.translate,
    "gateway": _Way.gateway,
    "peering": _Way.peering,
    "transit": _Way.peering,
    "transit-route": _Way.transit_route,
    "internet": _Way.stop,
    "service": _Way.service,
    "deliver": _Way.deliver,
    "listen": _Way.listen,
}
