"""The engine beside a second model, and on wires that can be reckoned by hand."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from gureum.medium.engine import Engine, Frame, Wire
from gureum.medium.standard import ETHERNET, GRAIN
from tests.medium.reference import Reference, Station

BITS = ETHERNET.wire(64)


class Record:
    """What an engine told."""

    def __init__(self) -> None:
        self.begun: dict[int, float] = {}
        self.sent: list[tuple[int, float, float, bool]] = []
        self.slots: dict[int, deque[int]] = {}
        self.backoffs: list[tuple[float, int, int]] = []
        self.drops: list[tuple[float, int]] = []

    def __call__(self, now: float, what: str, sender: int, *numbers: float) -> None:
        if what == "start":
            self.begun[sender] = now
        elif what in ("end", "cut"):
            self.sent.append((sender, self.begun[sender], now, what == "cut"))
        elif what == "backoff":
            self.slots.setdefault(sender, deque()).append(int(numbers[0]))
            self.backoffs.append((now, sender, int(numbers[1])))
        elif what == "drop":
            self.drops.append((now, sender))


def tree(draw: np.random.Generator, stations: int, longest: float) -> tuple[tuple[float, ...], ...]:
    """Delays of stations that hang at random places off a trunk."""
    trunk = draw.integers(0, int(longest / 2 / GRAIN), stations)
    drop = draw.integers(1, int(longest / 4 / GRAIN), stations)
    return tuple(
        tuple(
            0.0 if i == j else float(abs(int(trunk[i]) - int(trunk[j])) + drop[i] + drop[j]) * GRAIN
            for j in range(stations)
        )
        for i in range(stations)
    )


def even(stations: int, delay: float) -> Wire:
    """Stations that are all as far from each other."""
    every = range(stations)
    return Wire(tuple(every), tuple(tuple(0.0 if i == j else delay for j in every) for i in every))


def poisson(draw: np.random.Generator, stations: int, load: float, until: float) -> list[Frame]:
    found: list[Frame] = []
    now = 0.0
    while True:
        now += float(draw.exponential(BITS / load))
        if now > until:
            return found
        bits = float(draw.choice([576, 1000, 4000]))
        found.append((round(now / GRAIN) * GRAIN, int(draw.integers(0, stations)), -1, bits))


@pytest.mark.parametrize("longest", [8.0, 100.0, 250.0, 1500.0])
@pytest.mark.parametrize("stations", [2, 3, 6, 15])
@pytest.mark.parametrize("load", [0.3, 1.5])
def test_every_transmission_is_that_of_the_second_model(
    longest: float, stations: int, load: float
) -> None:
    draw = np.random.default_rng([int(longest), stations, int(load * 10)])
    until = 1_000_000.0
    wire = Wire(tuple(range(stations)), tree(draw, stations, longest))
    frames = poisson(draw, stations, load, until)
    record = Record()
    engine = Engine(
        ETHERNET, [wire], draw.integers, arrivals=iter(frames), room=10**6, trace=record
    )
    engine.run(until)
    own = [deque((f[0], f[3]) for f in frames if f[1] == each) for each in range(stations)]
    slots = [record.slots.get(each, deque()) for each in range(stations)]
    second = Reference(
        ETHERNET, wire.delays, [Station(*each) for each in zip(own, slots, strict=True)]
    )
    second.run(until)
    assert sorted(record.sent) == sorted(second.sent)
    assert sum(cut for *_, cut in second.sent) > 20
