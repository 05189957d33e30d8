"""What happens on shared wires, one event after the other, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from numpy.random import Generator

from gureum.medium.measure import loaded
from gureum.medium.plan import Plan
from gureum.medium.traffic import Load

State: TypeAlias = Literal["idle", "sends", "jams", "waits", "backs off"]
SYMBOLS: dict[State, str] = {
    "idle": "·",
    "sends": "S",
    "jams": "J",
    "waits": "w",
    "backs off": "b",
}
"""A letter for each state of a sender."""


@dataclass(frozen=True)
class Moment:
    """Something that happens: when in bits, to which sender, what, in words, and what all
    senders are doing after it."""

    bits: float
    sender: int
    what: str
    said: str
    states: tuple[State, ...]


@dataclass(frozen=True)
class Span:
    """What a sender does from one time to another, in bits."""

    sender: int
    state: State
    begins: float
    ends: float


@dataclass(frozen=True)
class _Told:
    bits: float
    order: int
    sender: int
    what: str
    numbers: tuple[float, ...]


class Timeline:
    """Collects what an engine tells between two times."""

    def __init__(self, plan: Plan, begins: float, most: int) -> None:
        self._plan, self._begins, self._most = plan, begins, most
        self._told: list[_Told] = []

    @property
    def full(self) -> bool:
        """Whether there is as much as was asked for."""
        return sum(each.bits >= self._begins for each in self._told) >= self._most

    def __call__(self, now: float, what: str, sender: int, *numbers: float) -> None:
        if what == "cut":
            self._told.append(_Told(numbers[0], len(self._told), sender, "collision", ()))
        self._told.append(_Told(now, len(self._told), sender, what, numbers))

    def moments(self) -> list[Moment]:
        """What happened, in order; what is told twice in a row of a sender is left out."""
        states: list[State] = ["idle"] * len(self._plan.names)
        found: list[Moment] = []
        for each in sorted(self._told, key=lambda told: (told.bits, told.order)):
            if each.what == "defer" and states[each.sender] == "waits":
                continue
            states[each.sender] = _STATE_AFTER.get(each.what, states[each.sender])
            if each.bits >= self._begins and each.what != "cut":
                said = self._said(each)
                found.append(Moment(each.bits, each.sender, each.what, said, tuple(states)))
        return found[: self._most]

    def _said(self, told: _Told) -> str:
        number = told.numbers[0] if told.numbers else 0
        rate = self._plan.rules.rate
        match told.what:
            case "frame":
                ahead = f", {number:.0f} more ahead of it" if number else ""
                return f"has a frame to send{ahead}"
            case "defer":
                return "hears a signal and waits for its end"
            case "gap":
                left = (number - told.bits) / rate
                return f"waits for the gap between frames: may send in {left:.1f} µs"
            case "start":
                return f"begins to send, try {number:.0f}"
            case "collision":
                return "hears another while it sends: a collision; it jams and stops"
            case "backoff":
                tried = int(told.numbers[1])
                top = 2 ** min(tried, self._plan.rules.doublings) - 1
                slots = number * self._plan.rules.slot / rate
                return (
                    f"backs off after collision {tried} of this frame: {number:.0f} of 0..{top} "
                    f"slots, {slots:.1f} µs"
                )
            case "drop":
                return f"gives the frame up after {self._plan.rules.attempts} collisions"
            case _:
                return "has sent its frame whole"


_STATE_AFTER: dict[str, State] = {
    "defer": "waits",
    "gap": "waits",
    "start": "sends",
    "collision": "jams",
    "backoff": "backs off",
    "drop": "idle",
    "end": "idle",
}


def record(plan: Plan, load: Load, draw: Generator, *, begins: float, most: int) -> list[Moment]:
    """The first moments (so many at most) from a time on, in bits."""
    timeline = Timeline(plan, begins, most)
    engine = loaded(plan, load, draw, timeline)
    until = begins
    silent = 0
    while not timeline.full and silent < _SILENT:
        until += _STRIDE
        silent += 1
        engine.run(until)
    return timeline.moments()


_STRIDE = 5000.0
_SILENT = 10_000
"""Strides (in bits) after which nothing more is expected."""


def spans(moments: Sequence[Moment]) -> list[Span]:
    """What each sender did between moments, idleness left out; from the first to the last."""
    if not moments:
        return []
    last = moments[-1].bits
    found: list[Span] = []
    since: list[tuple[State, float]] = [("idle", moments[0].bits)] * len(moments[0].states)
    for moment in moments:
        for sender, state in enumerate(moment.states):
            before, begun = since[sender]
            if state != before:
                if before != "idle" and moment.bits > begun:
                    found.append(Span(sender, before, begun, moment.bits))
                since[sender] = (state, moment.bits)
    found.extend(
        Span(sender, state, begun, last)
        for sender, (state, begun) in enumerate(since)
        if state != "idle" and last > begun
    )
    return sorted(found, key=lambda span: (span.sender, span.begins))
