"""Explains packets for the console: from places to ports and back to words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gureum.compile import compile_all
from gureum.errors import ApiError
from gureum.explain import Answer, Network, Packet, explain
from gureum.explain.packet import ECHO, ICMP, TCP, UDP
from gureum.explain.steps import Step, Trace
from gureum.kind import Shape
from gureum.program import InternetHost, Port
from gureum.resources import Registry
from gureum.server import places
from gureum.server.places import Place, Scope

PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}


class Explainer:
    """Keeps the network of the latest revision that was asked about."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: tuple[int, Network] | None = None

    def network(self, scope: Scope) -> Network:
        """The network at the scope's revision."""
        known = self._known
        if known is None or known[0] != scope.view.revision:
            program = compile_all(self._registry, scope.view)
            known = self._known = (scope.view.revision, Network(program.statements))
        return known[1]

    def __call__(
        self, scope: Scope, source: str, target: str, protocol: str, port: int | None
    ) -> Shape:
        """What becomes of a packet from one place to another, and of the answer.

        Raises:
            ApiError: the codes of :mod:`gureum.server.places`; ``BadRequest``.
        """
        if protocol not in PROTOCOLS or (port is None) != (protocol == "icmp"):
            raise ApiError("BadRequest", "TCP and UDP need a port, ICMP takes none.")
        start = places.in_use(places.resolve(scope, source, places.STATIONS))
        aim = places.target(scope, start, target)
        if not places.is_address(aim.address):
            raise ApiError("NoAddress", f"'{target}' is no place in the cloud.", 404)
        network = self.network(scope)
        begin, own = _begin(network, start)
        icmp = (ECHO, 0) if protocol == "icmp" else None
        packet = Packet(own, aim.address, PROTOCOLS[protocol], target_port=port, icmp=icmp)
        answer = explain(network, begin, packet)
        return {
            "source": start.shown(),
            "address": aim.address,
            "place": aim.place.shown() if aim.place else None,
            **_shown(answer),
        }


def _begin(network: Network, place: Place) -> tuple[Port | InternetHost, str]:
    if place.kind == places.INTERNET_HOST:
        host = network.named(place.host)
        if host is not None:
            return host, host.ip
    port = network.primary(place.host)
    if port is None or place.private is None:
        raise ApiError("NotRunning", f"The {place} has no network interface.", 409)
    return port, place.private


def _shown(answer: Answer) -> dict[str, Any]:
    return {
        "works": answer.works,
        "reach": answer.reach,
        "client_ports": [list(each) for each in answer.ports],
        "forth": _trace(answer.forth),
        "back": _trace(answer.back) if answer.back else None,
    }


def _trace(trace: Trace) -> dict[str, Any]:
    return {
        "passed": trace.passed,
        "arrived": trace.arrived,
        "steps": [_step(step) for step in trace.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "layer": step.layer,
        "place": step.place,
        "passed": step.passed,
        "said": step.said,
        "code": step.code.value if step.code else None,
        "by": list(step.by),
        "considered": list(step.considered),
        "packet": asdict(step.packet),
        "after": asdict(step.after),
    }
