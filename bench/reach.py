"""``python -m bench.reach``: reachability of all pairs, beside the walk of single packets.

CPU time of one core, medians of many questions; the walk's figures are of the same questions in the
same run, so the ratios hold on any machine.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random

from bench.estate import COMPANY, HOSTILE, SERVICES, Estate, Size
from gureum.explain import Network, Packet, explain
from gureum.program import Filter
from gureum.reach import Node, Reach, difference

POINTS = 3000
SETS = 300
UPDATES = 500
WALKS = 300
TCP = 6


def resident() -> float:
    """Resident memory in MiB (proc(5), VmRSS)."""
    gc.collect()
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmRSS:")) / 1024


def seconds(ask: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begun = time.process_time()
    ask()
    return time.process_time() - begun


def spread(ask: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median and 99th percentile of CPU seconds."""
    taken = sorted(seconds(ask) for _ in range(repeats))
    return statistics.median(taken), taken[len(taken) * 99 // 100]


class Bench:
    """One estate, measured."""

    def __init__(self, name: str, size: Size) -> None:
        self._name, self._draw = name, Random(2)
        self._estate = Estate(size)
        before = resident()
        begun = time.process_time()
        self._reach = Reach(self._estate.statements)
        self._nodes = [node for node in self._reach.nodes() if node.kind == "port"]
        self._build = time.process_time() - begun
        self._memory = resident() - before
        self._by_router: dict[str, list[Node]] = {}
        routers = {port.id: port.segment.router for port in self._estate.ports}
        for node in self._nodes:
            self._by_router.setdefault(routers[node.id], []).append(node)
        self._ports = {port.id: port for port in self._estate.ports}

    def run(self) -> None:
        """Measure and print."""
        filters = [each for each in self._estate.statements if isinstance(each, Filter)]
        counted = f"{len(self._nodes)} interfaces, {len(filters)} filters"
        self._say("estate", f"{counted}, {len(self._estate.statements)} statements")
        self._say("build", f"{self._build * 1000:.0f} ms, {self._memory:.0f} MiB")
        walk_build = seconds(lambda: Network(self._estate.statements))
        self._say("build / the walk's", f"{self._build / walk_build:.1f}")
        self._points()
        self._sets()
        self._updates([each for each in filters if each.stateful])

    def _say(self, what: str, figure: str) -> None:
        print(f"{self._name}: {what}: {figure}", flush=True)

    def _pair(self) -> tuple[Node, Node]:
        """Two interfaces of a router, where most pairs that work are."""
        nodes = self._by_router[self._draw.choice(list(self._by_router))]
        return self._draw.choice(nodes), self._draw.choice(nodes)

    def _time(self, what: str, ask: Callable[[], object], repeats: int) -> float:
        middle, slow = spread(ask, repeats)
        self._say(what, f"{middle * 1e6:.0f} µs (99 %: {slow * 1e6:.0f} µs)")
        return middle

    def _points(self) -> None:
        reach, draw = self._reach, self._draw
        point = self._time(
            "one pair, one header",
            lambda: reach.point(*self._pair(), TCP, draw.choice(SERVICES)),
            POINTS,
        )
        self._time("one pair, all headers", lambda: reach.spans(*self._pair()), POINTS)
        network = Network(self._estate.statements)

        def walk() -> None:
            source, target = self._pair()
            packet = Packet(source.ip, target.ip, TCP, None, draw.choice(SERVICES))
            explain(network, self._ports[source.id], packet)

        walked, _ = spread(walk, WALKS)
        self._say("the walk of one pair, one header", f"{walked * 1e6:.0f} µs")
        self._say("ratio walk / point", f"{walked / point:.0f}")

    def _sets(self) -> None:
        reach, draw = self._reach, self._draw
        self._time(
            "who reaches an interface with a header",
            lambda: reach.sources(draw.choice(self._nodes), TCP, draw.choice(SERVICES)),
            SETS,
        )
        self._time(
            "whom an interface reaches with a header",
            lambda: reach.targets(draw.choice(self._nodes), TCP, draw.choice(SERVICES)),
            SETS,
        )
        internet = reach.outside()
        self._time("what one address reaches", lambda: reach.targets(internet, TCP, 443), 10)
        self._time("what the internet reaches", lambda: list(reach.exposed(TCP, 443)), 10)
        self._time("who reaches the internet", lambda: reach.sources(internet, TCP, 443), 10)
        self._say("memory", f"{resident():.0f} MiB, statements and the walk's network included")

    def _updates(self, filters: list[Filter]) -> None:
        """A rule more in a set of groups, and what it changes."""
        reach, draw = self._reach, self._draw
        taken = []
        for _ in range(UPDATES):
            old = draw.choice(filters)
            new = replace(old, rules=(*old.rules, self._estate.rule(0, "sgr-new")))
            filters[filters.index(old)] = new
            begun = time.process_time()
            reach.update([new], [old])
            taken.append(time.process_time() - begun)
        self._say("a rule changed", f"{statistics.median(taken) * 1e6:.0f} µs")
        self._say("snapshot", f"{seconds(reach.snapshot) * 1e6:.0f} µs")
        before = reach.snapshot()
        old = next(each for each in filters if each.direction == "in")
        extra = replace(old.rules[0], why="sgr-wide", protocol=TCP, ports=(5000, 5001), icmp=None)
        reach.update([replace(old, rules=(*old.rules, replace(extra, peer="10.0.0.0/16")))], [old])
        begun = time.process_time()
        found = sum(1 for _ in islice(difference(before, reach), 10_000))
        spent = time.process_time() - begun
        self._say("difference of one rule", f"{found} pairs in {spent * 1000:.0f} ms")


def main() -> None:
    """Measure both estates."""
    for name, size in (("company", COMPANY), ("hostile", HOSTILE)):
        Bench(name, size).run()


if __name__ == "__main__":
    main()
