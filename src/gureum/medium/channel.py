"""Wires, what is on them, and what was counted there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

CLEAN, COLLIDED, GARBLED = range(3)
"""How a transmission fares; garbled is hit by another without its sender hearing that, on wires
that are too long."""

Signal: TypeAlias = list[Any]
"""A transmission as a list, the cheapest thing to make: place of its sender on the wire, start,
end, how it fares, sender, and when the sender heard that it collided."""
PLACE, START, END, STATE, SENDER, HEARD = range(6)


@dataclass(frozen=True)
class Wire:
    """Who hears whom: senders, and the bits a signal takes from each to each."""

    senders: tuple[int, ...]
    delays: tuple[tuple[float, ...], ...]


@dataclass(slots=True)
class Channel:
    """A wire in use, and what was counted on it.

    ``air`` has what may still be heard somewhere, ``live`` counts those that are being sent,
    ``waiting`` are the stations that heard something and wait for its end, ``carried`` the bits of
    frames that were sent whole, ``runs`` how often the sender of a good frame was another than that
    of the one before.
    """

    stations: int
    reach: float
    gap: float
    air: list[Signal] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    live: int = 0
    quiet: float = field(init=False)
    clear: float = 0.0
    past: float = 0.0
    before: float = 0.0
    burst: float = 0.0
    winner: int = -1
    carried: float = 0.0
    frames: int = 0
    runs: int = 0
    collisions: int = 0
    cut: int = 0
    late: int = 0
    lost: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        self.quiet = self.reach + self.gap

    def reset(self) -> None:
        """Count from zero."""
        self.carried = 0.0
        self.frames = self.runs = self.collisions = self.cut = 0
        self.late = self.lost = self.dropped = 0
