"""``python -m tests.reach.soak N``: N random packets of each IP version, the engine against the
plain reading.

A packet is one client port of one header of one pair in one random cloud; half of all packets lie
on the edges of what the cloud's rules name.  Disagreements are printed with their seed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from gureum.program import Filter, GlobalAddress, Port, PublicAddress
from gureum.reach import Node, Reach
from gureum.reach.prefixes import number
from tests.reach.clouds import EDGES, Cloud
from tests.reach.numbering import FOUR, SIX, Numbering
from tests.reach.oracle import Wire, World
from tests.reach.parts import holds, probes

PER_CLOUD = 250
ICMP_POOL = {
    4: ((8, 0), (8, 0), (8, 3), (0, 0), (13, 0), (14, 0), (3, 4), (3, 1), (255, 255)),
    6: ((128, 0), (128, 0), (128, 3), (129, 0), (139, 0), (140, 0), (1, 4), (3, 0), (255, 255)),
}


@dataclass(frozen=True)
class Question:
    """One packet: ends, the address that is called, None for the pair's own, and the header."""

    source: Node
    target: Node
    address: str | None
    protocol: int
    detail: int | tuple[int, int] | None
    client: int


@dataclass(frozen=True)
class Disagreement:
    """A packet about which engine and oracle differ."""

    seed: int
    question: Question
    engine: bool
    oracle: bool


class Trial:
    """A random cloud and questions about it."""

    def __init__(self, seed: int, numbering: Numbering = FOUR) -> None:
        self.seed = seed
        self.icmp, self._version = numbering.icmp, numbering.version
        self.cloud = Cloud(seed, numbering)
        self.reach = Reach(self.cloud.statements, numbering.version)
        self.anybody = self.reach.outside()
        self.world = World(self.cloud.statements, [self.anybody.ip])
        self.nodes = list(self.reach.nodes())
        state = self.reach.state
        self.strangers = sorted(
            ip
            for ip in probes(self.cloud.statements, numbering.version)
            if number(ip) not in state.public and number(ip) not in state.internet
        )
        self._pieces: dict[str, list[Node]] = {}
        self._ports = {port.id: port for port in self.cloud.ports}
        self._public = {
            (each.router, each.private): each.public for each in self.world.all(PublicAddress)
        } | {(each.router, each.ip): each.ip for each in self.world.all(GlobalAddress)}
        self._edges = sorted(self._rule_edges())

    def questions(self, count: int) -> Iterator[Question]:
        """Questions, biased towards the edges of rules."""
        draw = Random(self.seed + 1)
        for _ in range(count):
            source, target = self._somebody(draw), self._somebody(draw)
            protocol = draw.choice((6, 6, 6, 17, 17, self.icmp, self.icmp, 47))
            detail: int | tuple[int, int] | None = None
            if protocol == self.icmp:
                detail = draw.choice(ICMP_POOL[self._version])
            elif protocol != 47:
                detail = draw.choice((draw.choice(self._edges), draw.randrange(65536)))
            client = draw.choice((draw.randrange(32768, 61000), draw.choice(self._edges)))
            client = min(max(client, 32768), 60999)
            address = self._address(draw, target)
            if source == target and client == detail:
                # Who calls itself by its public address from the very port that it calls meets
                # its own flow as that flow's answer.  The engine leaves this one port out.
                continue
            yield Question(source, target, address, protocol, detail, client)

    def engine(self, it: Question) -> bool:
        """What the engine says."""
        source, target = (self._piece(it, node) for node in (it.source, it.target))
        known = self.reach.point(source, target, it.protocol, it.detail, address=it.address)
        if it.protocol not in (6, 17):
            return known.works
        return any(first <= it.client <= last for first, last in known.clients)

    def oracle(self, it: Question) -> bool:
        """What the oracle says."""
        address = it.address or self.pair_address(it.source, it.target)
        if address is None:
            return False
        ports, kind = (0, 0), None
        if isinstance(it.detail, tuple):
            kind = it.detail
        elif it.detail is not None:
            ports = (it.client, it.detail)
        for node in (it.source, it.target):
            if node.kind == "internet":
                self.world.somebody(node.ip)
        wire = Wire(it.source.ip, address, it.protocol, *ports, kind)
        answered = self.world.exchange(self._ports.get(it.source.id), wire)
        return answered == (self._ports[it.target.id].host if it.target.id in self._ports else "")

    def port(self, node: Node) -> Port | None:
        """The port of a node, None on the internet."""
        return self._ports.get(node.id)

    def pair_address(self, source: Node, target: Node) -> str | None:
        """The address that a source calls a target by."""
        begin, end = self._ports.get(source.id), self._ports.get(target.id)
        if end is None or (begin and begin.segment.router == end.segment.router):
            return target.ip
        if begin and self.world.beyond(begin.segment, target.ip) == end.segment.router:
            return target.ip
        return self._public.get((end.segment.router, target.ip))

    def _somebody(self, draw: Random) -> Node:
        """A node; of the rest of the internet an address on the edge of what rules and routes
        name."""
        node = draw.choice(self.nodes)
        if node.part is None or not self.strangers or draw.random() < 0.2:
            return node
        return self.reach.outside(draw.choice(self.strangers))

    def _piece(self, it: Question, node: Node) -> Node:
        """What the engine is asked about: of a stranger's address the piece that it is in."""
        other = it.target if node is it.source else it.source
        if node.id != "internet" or other.kind != "port":
            return node
        if other.id not in self._pieces:
            self._pieces[other.id] = self.reach.internet(other.id).nodes()
        (found,) = (
            each for each in self._pieces[other.id] if each.part and holds(each.part, node.ip)
        )
        return found

    def _address(self, draw: Random, target: Node) -> str | None:
        """Mostly the pair's own; else another of the target's: ways turn at a gateway."""
        end = self._ports.get(target.id)
        if end is None or draw.random() < 0.6:
            return None
        public = self._public.get((end.segment.router, target.ip))
        second = f"{end.segment.cidr.rsplit('.', 1)[0]}.10"
        if self._version == 6:
            second = end.segment.cidr6.partition("/")[0] + "a"
        return draw.choice((target.ip, public, second))

    def _rule_edges(self) -> set[int]:
        filters = self.world.all(Filter)
        ports = {port for each in filters for rule in each.rules for port in rule.ports or ()}
        near = {port + step for port in (*ports, *EDGES) for step in (-1, 0, 1)}
        return {port for port in near if 0 <= port <= 65535}


def disagreements(
    seeds: range, per_cloud: int = PER_CLOUD, numbering: Numbering = FOUR
) -> Iterator[Disagreement | None]:
    """Per packet: the disagreement, None where there is none."""
    for seed in seeds:
        trial = Trial(seed, numbering)
        for each in trial.questions(per_cloud):
            engine, oracle = trial.engine(each), trial.oracle(each)
            yield Disagreement(seed, each, engine, oracle) if engine != oracle else None


def main() -> None:
    """Ask, print what disagrees, and fail if anything does."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10**6
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failed = False
    for numbering in (FOUR, SIX):
        asked = wrong = 0
        seeds = range(first, first + -(-count // PER_CLOUD))
        for each in disagreements(seeds, numbering=numbering):
            asked += 1
            if each is not None:
                wrong += 1
                print(each)
        print(f"IPv{numbering.version}: {asked} packets, {wrong} disagreements")
        failed |= wrong > 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
