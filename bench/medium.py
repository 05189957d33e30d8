"""``python -m bench.medium``: events a second of the model of shared Ethernet, beside a bare heap
loop.

The bare loop takes the least of as many entries as there are stations off a heap and puts it back
later: what any event-driven simulation in Python does at least.  Both are timed in turns, CPU time
of one core, so the ratio holds on any machine.

"""

from __future__ import annotations

import statistics
import time
from heapq import heapify, heappop, heappush

import numpy as np

from gureum.medium.measure import loaded
from gureum.medium.plan import plan
from gureum.medium.topology import star
from gureum.medium.traffic import Load

ROUNDS = 9
BARE = 200_000
ROUND = 0.25
"""Seconds that a round of the model takes, about."""
CASES = (
    ("2 stations on a hub, always a frame", "hub", 2, None),
    ("10 stations on a hub, always a frame", "hub", 10, None),
    ("100 stations on a hub, always a frame", "hub", 100, None),
    ("10 stations on a hub, load 0.3", "hub", 10, 0.3),
    ("100 stations on a hub, load 0.8", "hub", 100, 0.8),
    ("20 stations on a switch, load 8", "switch", 20, 8.0),
)


def bare(stations: int) -> float:
    """Events a second of the bare loop."""
    draw = np.random.default_rng(1)
    pauses = draw.exponential(1000.0, 4096).tolist() * (BARE // 4096 + 1)
    heap = [(float(pause), number) for number, pause in enumerate(pauses[:stations])]
    heapify(heap)
    begun = time.process_time()
    for pause in pauses[:BARE]:
        now, number = heappop(heap)
        heappush(heap, (now + pause, number))
    return BARE / (time.process_time() - begun)


class Model:
    """The engine on one case, run piece by piece."""

    def __init__(self, kind: str, stations: int, load: float | None) -> None:
        layout = plan(star("hub" if kind == "hub" else "switch", stations))
        self._engine = loaded(layout, Load(load), np.random.default_rng(1))
        self._piece = 1e5
        self.frames = 0.0
        begun = time.process_time()
        self._engine.run(1e6)
        self._piece = 1e6 / max(1e-3, time.process_time() - begun) * ROUND

    def rate(self) -> float:
        """Events a second over a piece."""
        self._engine.reset()
        begun = time.process_time()
        self._engine.run(self._engine.now + self._piece)
        spent = time.process_time() - begun
        self.frames = sum(self._engine.sent) / spent
        return self._engine.events / spent


def main() -> None:
    """Measure and print."""
    for name, kind, stations, load in CASES:
        model = Model(kind, stations, load)
        rates, ratios, frames = [], [], []
        for _ in range(ROUNDS):
            loop, rate = bare(stations), model.rate()
            rates.append(rate)
            ratios.append(rate / loop)
            frames.append(model.frames)
        print(
            f"medium: {name}: {statistics.median(rates) / 1e6:.2f} million events/s, "
            f"{statistics.median(ratios):.2f} of the bare heap loop, "
            f"{statistics.median(frames) / 1e3:.0f} thousand frames/s",
            flush=True,
        )


if __name__ == "__main__":
    main()
