"""The model beside published results.

Every check runs the engine of all other commands.  The intervals of one table hold together: with
:data:`CONFIDENCE` none of them is off by chance, so each is wider than one that stands alone
(Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

from numpy.random import Generator

from gureum.medium.engine import Engine, Frame, Tracer
from gureum.medium.measure import Estimate, counted, estimate
from gureum.medium.plan import Plan, coax, plan
from gureum.medium.standard import ETHERNET, EXPERIMENTAL, SLOTTED, SMALLEST_FRAME, Rules
from gureum.medium.topology import star

CONFIDENCE = 0.95

SIZES = (4096, 1024, 512, 48)
"""Bits of packets."""
STATIONS = (2, 5, 10, 32, 64, 128, 256)
"""Numbers of stations that always have a packet."""
EFFICIENCY = {(2, 4096): 0.9884, (2, 48): 0.5000, (256, 4096): 0.9803, (256, 48): 0.3686}
"""Figures of the efficiency table by stations and bits (Metcalfe and Boggs, "Ethernet: Distributed
Packet Switching for Local Computer Networks", CACM 19(7), 1976).  The others here are those of its
formula: :func:`efficiency`."""
ROUNDING = 0.00005
"""Half a unit of the last digit that is printed there."""

OVERLOAD = 0.98
"""What utilisation approaches under extremely heavy load (Shoch and Hupp, "Measured Performance
of an Ethernet Local Network", CACM 23(12), 1980), to the whole percent."""
OVERLOAD_ROUNDING = 0.005
_PARC = (64, 550.0, 512)
"""Stations, metres of cable and bytes of a frame.  The cable is theirs; assumed are 64 of the
more than 120 hosts, and 512 bytes as large frames (their largest had 554)."""

HOSTS = (2, 5, 10, 20, 50, 100)
"""Numbers of stations for the fall of utilisation."""
RACE = {"first": 5 / 8, "second": 1 / 8, "both": 2 / 8}
"""Two stations collide, one for the first time with its frame, the other for the second: who
gets the wire next, or whether they collide again.  A known exercise about the capture effect: 0
or 1 slots against 0 to 3 (Peterson and Davie, "Computer Networks", chapter on Ethernet)."""
_TRIED = (1, 2, 3, 5, 8, 10, 12, 15)


@dataclass(frozen=True)
class Check:
    """A published figure and ours.  ``slack`` is what the figure was rounded by."""

    what: str
    source: str
    paper: float
    ours: Estimate
    slack: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the published figure is within our interval."""
        return self.ours.covers(self.paper, self.slack)


def efficiency(stations: int, bits: int) -> float:
    """Metcalfe and Boggs's formula: the share of time that good packets take."""
    acquired = (1 - 1 / stations) ** (stations - 1)
    waiting = (1 - acquired) / acquired
    return bits / (bits + waiting * SLOTTED.slot)


def _each(confidence: float, figures: int) -> float:
    """The confidence of each interval so that all hold together."""
    return 1 - (1 - confidence) / figures


class _Fair:
    """The idealised policy: in a slot every station tries with probability one in the number of
    stations; whoever does not draw the least number of slots hears the first and draws anew."""

    def __init__(self, draw: Generator) -> None:
        self._draw = draw

    def __call__(self, waiting: list[int]) -> tuple[list[int], int]:
        slots = self._draw.geometric(1 / len(waiting), len(waiting)) - 1
        least = int(slots.min())
        return [waiting[each] for each in (slots == least).nonzero()[0]], least


def _always(stations: int, bits: float) -> dict[int, Iterator[Frame]]:
    return {each: repeat((0.0, each, -1, bits)) for each in range(stations)}


def metcalfe_boggs(
    draw: Generator,
    *,
    stations: Sequence[int] = STATIONS,
    runs: int = 20,
    frames: int = 1000,
    rules: Rules = SLOTTED,
) -> list[Check]:
    """Their table, each figure from some runs of about so many frames."""
    confidence = _each(CONFIDENCE, len(stations) * len(SIZES))
    found = []
    for count in stations:
        for size in SIZES:
            expected = efficiency(count, size)
            length = frames * size / expected
            paper = EFFICIENCY.get((count, size))
            values = [_slotted(rules, count, size, length, each) for each in draw.spawn(runs)]
            found.append(
                Check(
                    f"efficiency, {count} stations, {size} bits",
                    "Metcalfe and Boggs 1976" + ("" if paper else ", formula"),
                    paper or expected,
                    estimate(values, confidence),
                    ROUNDING if paper else 0.0,
                )
            )
    return found


def _slotted(rules: Rules, stations: int, size: int, length: float, draw: Generator) -> float:
    """The share of time of good packets, between the first and the last that ended."""
    layout = coax(rules, stations, 0.0)
    engine = Engine(
        rules,
        layout.wires,
        draw.integers,
        endless=_always(stations, float(size)),
        slotted=_Fair(draw),
    )
    engine.run(length / 10)
    engine.reset()
    engine.run(length * 1.1)
    return counted(layout, engine, length).domains[0].utilisation


def shoch_hupp(draw: Generator, *, runs: int = 10, frames: int = 500) -> Check:
    """Overload with large frames on the experimental Ethernet."""
    stations, metres, size = _PARC
    bits = EXPERIMENTAL.wire(size)
    values = [
        _saturated(coax(EXPERIMENTAL, stations, metres), bits, frames * bits, each)
        for each in draw.spawn(runs)
    ]
    return Check(
        f"utilisation in overload, {stations} stations, {size} bytes",
        "Shoch and Hupp 1980",
        OVERLOAD,
        estimate(values, CONFIDENCE),
        OVERLOAD_ROUNDING,
    )


def _saturated(layout: Plan, bits: float, length: float, draw: Generator) -> float:
    """Utilisation where all stations always have a frame of some bits on the wire."""
    engine = Engine(
        layout.rules, layout.wires, draw.integers, endless=_always(len(layout.names), bits)
    )
    engine.run(length / 10)
    engine.reset()
    engine.run(length * 1.1)
    return counted(layout, engine, length).domains[0].utilisation


def backoff(draw: Generator, *, bits: float = 4e6, stations: int = 100) -> list[Check]:
    """The mean of the slots that stations wait after their n-th collision: of 0 to 2^min(n, 10)
    - 1, each as likely."""
    found: dict[int, list[float]] = {tried: [] for tried in range(1, ETHERNET.attempts)}

    def trace(now: float, what: str, sender: int, *numbers: float) -> None:
        if what == "backoff":
            found[int(numbers[1])].append(numbers[0])

    _traced(ETHERNET, stations, draw, trace).run(bits)
    confidence = _each(CONFIDENCE, len(_TRIED))
    return [
        Check(
            f"slots waited after collision {tried}, mean",
            "IEEE 802.3, 4.2.3.2.5",
            (2 ** min(tried, ETHERNET.doublings) - 1) / 2,
            estimate(found[tried], confidence),
        )
        for tried in _TRIED
    ]


def _traced(rules: Rules, stations: int, draw: Generator, trace: Tracer) -> Engine:
    """Stations around a hub that always have a smallest frame."""
    layout = plan(star("hub", stations, rules=rules))
    frames = _always(stations, rules.wire(SMALLEST_FRAME))
    return Engine(rules, layout.wires, draw.integers, endless=frames, trace=trace)


class _Races:
    """Who got the wire after collisions of a first and a second try.

    Two that back off at the same time have just collided with each other; what comes first after
    one of them begins again, a frame sent whole or a collision, decides.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, float] = {}
        self._race: dict[int, float] = {}
        self.won: dict[str, list[float]] = {name: [] for name in RACE}

    def __call__(self, now: float, what: str, sender: int, *numbers: float) -> None:
        if what == "backoff":
            self._waiting[sender] = numbers[1]
        elif what == "start":
            if sorted(self._waiting.values()) == [1, 2]:
                self._race = dict(self._waiting)
            self._waiting.pop(sender, None)
        elif what in ("end", "cut") and self._race:
            first = self._race[sender] == 1
            winner = "both" if what == "cut" else "first" if first else "second"
            for name, races in self.won.items():
                races.append(float(name == winner))
            self._race = {}


def capture(draw: Generator, *, bits: float = 1e7) -> list[Check]:
    """The capture effect: who has just sent wins more often than who waits.  Frames are given up
    after four collisions here, so that there are more first races; they do not depend on it."""
    races = _Races()
    _traced(replace(ETHERNET, attempts=4), 2, draw, races).run(bits)
    confidence = _each(CONFIDENCE, len(RACE))
    return [
        Check(
            f"race of a first against a second collision: {name}",
            "Peterson and Davie",
            expected,
            estimate(races.won[name], confidence),
        )
        for name, expected in RACE.items()
    ]


@dataclass(frozen=True)
class Hosts:
    """Utilisation with a number of hosts, and how much less it is than with fewer."""

    hosts: int
    utilisation: Estimate
    fall: Estimate | None


def hosts(
    draw: Generator, *, numbers: Sequence[int] = HOSTS, runs: int = 20, bits: float = 2e6
) -> list[Hosts]:
    """Utilisation at 64 bytes where all hosts always have a frame: it falls with their number
    (Boggs, Mogul and Kent, "Measured Capacity of an Ethernet: Myths and Reality", 1988, measured
    the same fall)."""
    found: list[Hosts] = []
    before: list[float] = []
    wire = ETHERNET.wire(SMALLEST_FRAME)
    confidence = _each(CONFIDENCE, len(numbers) - 1)
    for number in numbers:
        layout = plan(star("hub", number))
        values = [_saturated(layout, wire, bits, each) for each in draw.spawn(runs)]
        falls = [fewer - more for fewer, more in zip(before, values, strict=False)]
        fall = estimate(falls, confidence) if falls else None
        found.append(Hosts(number, estimate(values), fall))
        before = values
    return found
