"""Proves an explanation: sends the real packet, follows it through the kernel and lays what was
seen over the prediction."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from gureum.engines import EngineError
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.tracing import Probe, Station, Wanted, follow, is_new, stations
from gureum.errors import ApiError
from gureum.explain import Answer, Packet, explain, told_anew
from gureum.explain.overlay import Laid, Overlay, Sighting, headers, on_the_way, overlay
from gureum.explain.packet import UDP
from gureum.explain.steps import Trace
from gureum.kind import Shape
from gureum.program import InternetHost, Port
from gureum.server.cloud import Cloud
from gureum.server.console_explain import Explained, Explainer, Question, shown, start_of
from gureum.server.places import Scope

PATIENCE, SHORT = 3.0, 0.8
"""Seconds to wait for a packet that should come, and for one that should not; it takes some 100 µs
on an idle machine."""
IN_FORCE = 10.0
"""Seconds that a question waits for the kernel to be at its revision."""
TRIES = 8
"""Client ports (or echo identifiers) that are tried until one has no flow yet."""
TURN = 10.0
"""Seconds that a question waits for another to be over."""


class Live:
    """Answers one question at a time: all use the same tracing table."""

    def __init__(self, cloud: Cloud, explainer: Explainer) -> None:
        self._cloud = cloud
        self._explain = explainer
        self._turn = threading.Lock()

    def __call__(self, scope: Scope, question: Question) -> Shape:
        """The explanation, and as ``evidence`` what became of the real packet.

        Raises:
            ApiError: the codes of an explanation; ``BadRequest`` for a packet that is not sent,
                ``NotRunning`` where the sender is not up, ``Busy``, ``NotInForce`` where the kernel
                is behind the revision that is asked about, ``Changed`` where that was another one
                before the packet was through.
            EngineError: it could not be followed.
        """
        if question.spoofed is not None:
            raise ApiError("BadRequest", "A packet with a forged source is predicted, not sent.")
        found = self._explain(scope, question)
        start = start_of(found)
        if found.answer.drawn:
            said = "A NAT gateway draws a port in the place of one below 1024, and which one cannot"
            raise ApiError("BadRequest", f"{said} be foretold: call from a higher one.")
        if not self._cloud.reconciler.wait(scope.view.revision, IN_FORCE):
            raise ApiError("NotInForce", "The latest changes are not in force: see status.", 409)
        if not self._turn.acquire(timeout=TURN):
            raise ApiError("Busy", "Another packet is being followed: try again.", 409)
        try:
            # entering a namespace concerns one thread, and this one is used for nothing else
            with ThreadPoolExecutor(1, thread_name_prefix="live") as own:
                exact, laid = own.submit(self._proved, scope, found, start).result()
        finally:
            self._turn.release()
        moved = self._cloud.store.view.revision != scope.view.revision
        if laid.verdict == "contradicted" and moved:
            raise ApiError("Changed", "The cloud was changed meanwhile: ask again.", 409)
        return shown(scope, exact) | {"evidence": _evidence(exact.answer, laid)}

    def _proved(
        self, scope: Scope, found: Explained, start: Port | InternetHost
    ) -> tuple[Explained, Overlay]:
        spaces, own = Namespaces(self._cloud.tag), found.source_port
        try:
            for _ in range(TRIES if own is None else 1):
                ports = found.answer.ports if own is None else ((own, own),)
                proof = _attempt(spaces, scope, found, start, ports)
                if proof is not None:
                    return proof
        finally:
            spaces.close()
        tried = "All client ports that were tried have" if own is None else f"Port {own} has"
        raise ApiError("Busy", f"{tried} flows: ask again, or from another port.", 409)


def _attempt(
    spaces: Namespaces,
    scope: Scope,
    found: Explained,
    start: Port | InternetHost,
    ports: Sequence[tuple[int, int]],
) -> tuple[Explained, Overlay] | None:
    """Send one packet, from a client port of some ranges; None where it would belong to a flow that
    is there already."""
    host = start.host if isinstance(start, Port) else start.name
    (sender,) = stations(found.network, [host])
    predicted = found.answer.forth.steps[0].packet
    probe = _probe(spaces, sender.ns, predicted, ports)
    try:
        exact = _exact(scope, found, start, probe.packet)
        wanted = Wanted(headers(exact.answer.forth), headers(exact.answer.back), probe.ident)
        way = list(_way(exact, host))
        if not is_new(spaces, way, wanted.forth, probe.ident):
            return None
        return exact, _followed(spaces, host, exact, probe, wanted, way)
    finally:
        probe.close()


def _way(exact: Explained, host: str) -> Iterator[Station]:
    """The places of the prediction, and the one that is meant, though no way may lead there."""
    network = exact.network
    places = on_the_way(network, host, exact.answer)
    aim = exact.place.host if exact.place else None
    if aim is not None and (aim in network.hosts or network.named(aim)):
        places |= {aim}
    return stations(network, places)


def _followed(
    spaces: Namespaces,
    host: str,
    exact: Explained,
    probe: Probe,
    wanted: Wanted,
    way: Collection[Station],
) -> Overlay:
    answer = exact.answer
    works = answer.forth.passed and answer.back is not None and answer.back.passed
    seen = follow(
        spaces,
        way,
        probe,
        wanted,
        lambda each: _is_enough(each, host, probe.packet, answer),
        PATIENCE if works else SHORT,
    )
    aim = exact.place.host if exact.place else None
    return overlay(exact.network, host, aim, answer, seen)


def _probe(spaces: Namespaces, ns: str, packet: Packet, ports: Sequence[tuple[int, int]]) -> Probe:
    try:
        return Probe(spaces, ns, packet, ports)
    except ValueError as error:
        raise ApiError("BadRequest", f"{error}.".capitalize()) from None
    except OSError as error:
        raise EngineError([f"send {packet}: {error}"]) from error


def _is_enough(each: Sighting, host: str, packet: Packet, answer: Answer) -> bool:
    """Whether the exchange is over: an answer came; nobody need answer a datagram."""
    if each.stage != "received":
        return False
    if (each.place, each.packet) == (host, packet.reply()):
        return True
    at_end = each.place == answer.forth.arrived and each.packet == answer.forth.packet
    return at_end and packet.protocol == UDP


def _exact(scope: Scope, found: Explained, start: Port | InternetHost, packet: Packet) -> Explained:
    """The prediction for the very packet that will be sent.  A prediction for any client port is
    told of one, and filters may tell it from the one that is free."""
    old = found.answer
    if packet == old.forth.steps[0].packet:
        return found
    new = told_anew(scope.view, explain(found.network, start, packet))
    forth = _told_alike(old.forth, new.forth)
    return replace(found, answer=replace(old, forth=forth, back=new.back))


def _told_alike(old: Trace, new: Trace) -> Trace:
    """What the console knows beyond the walk, told of the exact packet: to whom an address belongs
    that the internet does not know, and who listens."""
    told = {(step.kind, step.place): step for step in old.steps if not step.passed}
    steps = []
    for step in new.steps:
        was = told.get((step.kind, step.place))
        known = was is not None and was.code != step.code
        steps.append(
            replace(step, said=was.said, code=was.code, by=was.by) if was and known else step
        )
    last = old.steps[-1]
    if last.kind == "listen" and new.packet is not None:
        steps.append(replace(last, packet=new.packet, after=new.packet))
    return replace(new, steps=steps)


# --- words --------------------------------------------------------------------------------------
def _evidence(answer: Answer, laid: Overlay) -> dict[str, Any]:
    return {
        "verdict": laid.verdict,
        "outcome": laid.outcome,
        "reasons": list(laid.reasons),
        "packet": asdict(answer.forth.steps[0].packet),
        "forth": [_laid(each) for each in laid.forth],
        "back": [_laid(each) for each in laid.back],
    }


def _laid(each: Laid) -> dict[str, Any]:
    return {
        "step": each.index,
        "status": each.status,
        "said": each.said,
        "sightings": [asdict(sighting) for sighting in each.sightings],
    }
