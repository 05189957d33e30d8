"""The engine and the walk of a single packet say the same, client port by client port."""

from __future__ import annotations

import pytest

from gureum.explain import Network, Packet, explain
from gureum.program import InternetHost, Port
from gureum.reach import Node, Verdict
from tests.reach.numbering import FOUR, SIX, Numbering
from tests.reach.soak import Question, Trial

CLOUDS = {FOUR: range(900_000, 900_300), SIX: range(950_000, 950_120)}
PER_CLOUD = 20
FIRST, LAST = 32768, 60999


def walked(trial: Trial, network: Network, it: Question, client: int | None) -> bool:
    """What the walk says of a packet from a client port."""
    address = it.address or trial.pair_address(it.source, it.target)
    if address is None:
        return False
    end = trial.port(it.target)
    start: Port | InternetHost = trial.port(it.source) or outside(it.source)
    icmp = it.detail if isinstance(it.detail, tuple) else None
    port = it.detail if isinstance(it.detail, int) else None
    packet = Packet(it.source.ip, address, it.protocol, client, port, icmp)
    answer = explain(network, start, packet)
    return answer.works and answer.forth.arrived == (end.host if end else it.target.id)


def outside(node: Node) -> InternetHost:
    """A node of the internet as a host of it."""
    v6 = ":" in node.ip
    return InternetHost(node.id, "" if v6 else node.ip, node.ip if v6 else "")


def clients(it: Question, known: Verdict) -> set[int]:
    """Client ports to ask about: one at random, and those around which the engine changes."""
    edges = {port for first, last in known.clients for port in (first - 1, first, last, last + 1)}
    return {port for port in {*edges, it.client, FIRST, LAST} if FIRST <= port <= LAST}


@pytest.mark.parametrize("numbering", [FOUR, SIX], ids=["IPv4", "IPv6"])
def test_the_engine_agrees_with_the_walk(numbering: Numbering) -> None:
    wrong: list[tuple[int, Question, Verdict, int | None]] = []
    extents = {"all": 0, "some": 0, "none": 0}
    for seed in CLOUDS[numbering]:
        trial = Trial(seed, numbering)
        somebody = [outside(trial.reach.outside(ip)) for ip in trial.strangers]
        hosts = [outside(trial.anybody), *somebody]
        network = Network([*trial.cloud.statements, *hosts])
        for it in trial.questions(PER_CLOUD):
            known = trial.reach.point(
                it.source, it.target, it.protocol, it.detail, address=it.address
            )
            extents[known.extent] += 1
            if it.protocol not in (6, 17):
                if known.works != walked(trial, network, it, None):
                    wrong.append((seed, it, known, None))
                continue
            for client in clients(it, known):
                admitted = any(first <= client <= last for first, last in known.clients)
                # Who calls itself from the port that it calls meets its own flow (soak.py).
                itself = it.source == it.target and client == it.detail
                if not itself and admitted != walked(trial, network, it, client):
                    wrong.append((seed, it, known, client))
    assert wrong == []
    asked = sum(extents.values())
    assert extents["all"] > asked * 0.06
    assert extents["some"] > 4
