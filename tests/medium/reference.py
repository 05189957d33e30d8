"""A second model of shared Ethernet, written to be compared with: slow, with an event for every
signal at every station, and the Deference process of IEEE Std 802.3 clause 4.2.8 word for word.

It draws nothing: how many slots a station waits is read from a record of the engine, station by
station, and so are the frames.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush

from gureum.medium.standard import Rules

OFF, TIMER, READY, ON = range(4)
"""At the same moment silence comes first, then timers, and a signal is heard last."""


@dataclass
class Station:
    """A station's MAC.  ``gap`` is the running timer of the gap (0 none, 1 or 2 its part),
    ``token`` tells it from those that were started anew."""

    frames: deque[tuple[float, float]]
    slots: deque[int]
    carriers: int = 0
    transmitting: bool = False
    deferring: bool = False
    was_transmitting: bool = False
    gap: int = 0
    token: int = 0
    waiting: bool = False
    queued: int = 0
    tried: int = 0
    began: float = 0.0
    ends: float = 0.0
    collided: bool = False


@dataclass
class Reference:
    """Runs stations on one wire; ``sent`` are sender, begin, end and whether it collided."""

    rules: Rules
    delays: tuple[tuple[float, ...], ...]
    stations: list[Station]
    heap: list[tuple[float, int, int, str, int]] = field(default_factory=list)
    number: int = 0
    sent: list[tuple[int, float, float, bool]] = field(default_factory=list)

    def push(self, when: float, order: int, what: str, station: int, detail: int = 0) -> None:
        heappush(self.heap, (when, order, station, what, detail))

    def run(self, until: float) -> None:
        for number, station in enumerate(self.stations):
            for when, _ in station.frames:
                self.push(when, READY, "frame", number)
        while self.heap and self.heap[0][0] <= until:
            now, _, number, what, detail = heappop(self.heap)
            getattr(self, f"on_{what}")(now, number, self.stations[number], detail)

    def on_frame(self, now: float, number: int, station: Station, detail: int) -> None:
        station.queued += 1
        if station.queued == 1:
            self.on_ready(now, number, station, 0)

    def on_ready(self, now: float, number: int, station: Station, detail: int) -> None:
        """TransmitLinkMgmt after its BackOff."""
        station.waiting = True
        self.go(now, number, station)

    def go(self, now: float, number: int, station: Station) -> None:
        if station.waiting and not station.deferring and not station.transmitting:
            station.waiting = False
            station.transmitting, station.collided = True, False
            station.began = now
            station.ends = now + station.frames[0][1]
            self.push(station.ends, OFF, "end", number)
            for other, delay in enumerate(self.delays[number]):
                if other != number:
                    self.push(now + delay, ON, "carrier", other)
            self.sense(now, number, station)
            if station.carriers:
                self.collide(now, number, station)

    def on_carrier(self, now: float, number: int, station: Station, detail: int) -> None:
        station.carriers += 1
        if station.transmitting:
            self.collide(now, number, station)
        self.sense(now, number, station)

    def collide(self, now: float, number: int, station: Station) -> None:
        if not station.collided and now < station.ends:
            station.collided = True
            rules = self.rules
            station.ends = max(now, station.began + rules.preamble) + rules.jam
            self.push(station.ends, OFF, "end", number)

    def on_end(self, now: float, number: int, station: Station, detail: int) -> None:
        if not station.transmitting or now != station.ends:
            return
        station.transmitting = False
        self.sent.append((number, station.began, now, station.collided))
        for other, delay in enumerate(self.delays[number]):
            if other != number:
                self.push(now + delay, OFF, "silence", other)
        self.sense(now, number, station)
        if station.collided:
            station.tried += 1
        if station.collided and station.tried < self.rules.attempts:
            slots = station.slots.popleft() if station.slots else 10**9
            self.push(now + slots * self.rules.slot, READY, "ready", number)
            return
        station.tried = 0
        station.frames.popleft()
        station.queued -= 1
        if station.queued:
            self.push(now, READY, "ready", number)

    def on_silence(self, now: float, number: int, station: Station, detail: int) -> None:
        station.carriers -= 1
        self.sense(now, number, station)

    def sense(self, now: float, number: int, station: Station) -> None:
        """What the Deference process does when the wire changes."""
        busy = station.carriers > 0 or station.transmitting
        if not station.deferring:
            if busy:
                station.deferring, station.gap = True, 0
                station.was_transmitting = station.transmitting
        elif station.gap == 0:
            station.was_transmitting = station.was_transmitting or station.transmitting
            if not busy:
                self.start(now, number, station, 1)
        elif station.gap == 1 and not station.was_transmitting and busy:
            station.gap = 0

    def start(self, now: float, number: int, station: Station, part: int) -> None:
        station.gap, station.token = part, station.token + 1
        rules = self.rules
        wait = rules.sensed if part == 1 else rules.gap - rules.sensed
        self.push(now + wait, TIMER, "timer", number, station.token)

    def on_timer(self, now: float, number: int, station: Station, token: int) -> None:
        if token != station.token or station.gap == 0:
            return
        if station.gap == 1:
            self.start(now, number, station, 2)
            return
        station.gap, station.deferring = 0, False
        self.go(now, number, station)
        self.sense(now, number, station)
