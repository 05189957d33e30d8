"""Runs of a model, and what they say with which confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from gureum.medium.engine import Engine, Tracer
from gureum.medium.plan import Plan
from gureum.medium.traffic import Load, Source

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean and how far from it the true one may be, with :data:`CONFIDENCE` unless said
    otherwise."""

    mean: float
    half: float

    def covers(self, value: float, slack: float = 0.0) -> bool:
        """Whether a value is within the interval (and what it was rounded by)."""
        return abs(self.mean - value) <= self.half + slack


def student(degrees: int, confidence: float = CONFIDENCE) -> float:
    """The two-sided quantile of Student's t: |t| stays below it with the given probability.

    The distribution for whole degrees of freedom is a finite sum (Abramowitz and Stegun 26.7.3 and
    26.7.4); it is inverted by halving.
    """
    low, high = 0.0, 1.0
    while _within(high, degrees) < confidence:
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if _within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return high


def _within(t: float, degrees: int) -> float:
    """The probability that Student's t is between -t and t."""
    angle = math.atan(t / math.sqrt(degrees))
    square = math.cos(angle) ** 2
    if degrees % 2:
        total, term = 0.0, math.cos(angle)
        for k in range(1, (degrees - 1) // 2 + 1):
            total += term
            term *= square * 2 * k / (2 * k + 1)
        return 2 / math.pi * (angle + math.sin(angle) * total)
    total, term = 0.0, 1.0
    for k in range(1, degrees // 2 + 1):
        total += term
        term *= square * (2 * k - 1) / (2 * k)
    return math.sin(angle) * total


def estimate(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The mean of independent values of one distribution, two at least, with its interval."""
    count = len(values)
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((each - mean) ** 2 for each in values) / (count - 1))
    return Estimate(mean, student(count - 1, confidence) * spread / math.sqrt(count))


@dataclass(frozen=True)
class Domain:
    """One collision domain in one run.  ``utilisation`` is the share of its time in which frames
    that arrive whole are on the wire with their preambles (of a full-duplex link, of both
    directions)."""

    utilisation: float
    frames: int
    collisions: int
    cut: int
    late: int
    lost: int
    dropped: int


@dataclass(frozen=True)
class Run:
    """What was counted in one run; ``bits`` is its length.

    ``delays`` are the bits from the making of a frame to the sending of its last bit to its
    target's wire, ``sent`` the frames of each station, ``overflow`` those that found a full queue,
    ``runs`` how often another station than before had the word on a shared wire, for ``shared``
    frames.
    """

    bits: float
    domains: tuple[Domain, ...]
    delays: tuple[float, ...]
    sent: tuple[int, ...]
    overflow: int
    runs: int
    shared: int
    events: int
    payload: float

    @property
    def frames(self) -> int:
        """Frames that stations sent and that arrived."""
        return sum(self.sent)


def fairness(shares: Sequence[float]) -> float:
    """Jain's index: 1 where all have the same, 1/n where one has all (Jain, Chiu and Hawe 1984)."""
    total, squares = math.fsum(shares), math.fsum(each * each for each in shares)
    return total * total / (len(shares) * squares) if squares else 1.0


def loaded(plan: Plan, load: Load, draw: Generator, trace: Tracer | None = None) -> Engine:
    """An engine whose stations have a load of frames to send."""
    source = Source(load, plan.rules, plan.groups, draw)
    return Engine(
        plan.rules,
        plan.wires,
        draw.integers,
        hops=plan.hops,
        endless=source.endless(),
        arrivals=source.arrivals(),
        trace=trace,
    )


def run(plan: Plan, load: Load, draw: Generator, bits: float, warm: float) -> Run:
    """One run of some bits' time, after a time to warm up that is not counted."""
    engine = loaded(plan, load, draw)
    engine.run(warm)
    engine.reset()
    engine.run(warm + bits)
    return counted(plan, engine, bits)


def counted(plan: Plan, engine: Engine, bits: float) -> Run:
    """What an engine counted in a time."""
    domains = []
    for number in range(max(plan.domain_of, default=-1) + 1):
        wires = [
            channel
            for channel, domain in zip(engine.channels, plan.domain_of, strict=True)
            if domain == number
        ]
        domains.append(
            Domain(
                sum(engine.carried(each) for each in wires) / bits / max(1, len(wires)),
                sum(each.frames for each in wires),
                sum(each.collisions for each in wires),
                sum(each.cut for each in wires),
                sum(each.late for each in wires),
                sum(each.lost for each in wires),
                sum(each.dropped for each in wires),
            )
        )
    return Run(
        bits,
        tuple(domains),
        tuple(engine.delays),
        tuple(engine.sent[each] for each in plan.stations),
        engine.overflow,
        sum(each.runs for each in engine.channels if each.stations > 1),
        sum(each.frames for each in engine.channels if each.stations > 1),
        engine.events,
        engine.payload,
    )


@dataclass(frozen=True)
class Report:
    """What several independent runs say.  ``utilisation`` has a value a collision domain.

    Delays are in milliseconds, ``goodput`` in Mb/s of frames without preambles that have
    arrived, ``collisions``, ``dropped``, ``overflow``, ``lost`` and ``late`` for each 1000
    frames that arrived, ``attempts`` are transmissions begun for each frame sent whole,
    ``streak`` the frames in a row of one station."""

    runs: int
    events: int
    utilisation: tuple[Estimate, ...]
    goodput: Estimate
    collisions: Estimate
    domain_collisions: tuple[Estimate, ...]
    attempts: Estimate
    delay: Estimate | None
    slow: Estimate | None
    fairness: Estimate
    streak: Estimate
    dropped: Estimate
    overflow: Estimate
    late: Estimate
    lost: Estimate


def experiment(
    plan: Plan, load: Load, draw: Generator, *, runs: int = 10, bits: float, warm: float
) -> Report:
    """Independent runs (two at least), each with a generator of its own, and what they say."""
    return report(plan, [run(plan, load, each, bits, warm) for each in draw.spawn(runs)])


def report(plan: Plan, found: Sequence[Run]) -> Report:
    """What runs say together."""
    rate = plan.rules.rate
    domains = range(len(found[0].domains))

    def per_thousand(name: str) -> Estimate:
        return estimate(
            [
                1000 * sum(getattr(each, name) for each in run.domains) / max(1, run.frames)
                for run in found
            ]
        )

    delays = [run.delays for run in found]
    ms = plan.rules.milliseconds
    return Report(
        len(found),
        sum(run.events for run in found),
        tuple(estimate([run.domains[each].utilisation for run in found]) for each in domains),
        estimate([run.payload / run.bits * rate for run in found]),
        per_thousand("collisions"),
        tuple(
            estimate(
                [
                    1000 * run.domains[each].collisions / max(1, run.domains[each].frames)
                    for run in found
                ]
            )
            for each in domains
        ),
        estimate([_attempts(run) for run in found]),
        estimate([ms(float(np.mean(each))) for each in delays]) if all(delays) else None,
        estimate([ms(float(np.percentile(each, 95))) for each in delays]) if all(delays) else None,
        estimate([fairness(run.sent) for run in found]),
        estimate([run.shared / max(1, run.runs) for run in found]),
        per_thousand("dropped"),
        estimate([1000 * run.overflow / max(1, run.frames) for run in found]),
        per_thousand("late"),
        per_thousand("lost"),
    )


def _attempts(run: Run) -> float:
    whole = sum(each.frames for each in run.domains)
    return (whole + sum(each.cut for each in run.domains)) / max(1, whole)
