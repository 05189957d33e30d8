"""The engine beside a second model, and on wires that can be reckoned by hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import repeat

import numpy as np
import pytest

from gureum.medium.channel import Wire
from gureum.medium.engine import Engine, Frame
from gureum.medium.standard import ETHERNET, GRAIN, Rules
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


def always(stations: int, bits: float = BITS) -> dict[int, Iterator[Frame]]:
    return {each: repeat((0.0, each, -1, bits)) for each in range(stations)}


def scripted(wire: Wire, frames: list[Frame], slots: list[int], until: float) -> Record:
    """What becomes of frames where the slots of backoffs are given, in the order of the draws."""
    record = Record()

    def integers(low: int, high: int, size: int) -> np.ndarray[tuple[int], np.dtype[np.int_]]:
        return np.array(slots[::-1])

    engine = Engine(ETHERNET, [wire], integers, arrivals=frames, trace=record)
    engine.run(until)
    return record


def test_a_station_alone_sends_all_the_time_but_for_the_gap() -> None:
    engine = Engine(ETHERNET, [even(1, 0.0)], np.random.default_rng(1).integers, endless=always(1))
    engine.run(672.0 * 1000 + 576)
    assert (engine.channels[0].frames, engine.channels[0].cut) == (1001, 0)


def test_a_collision_costs_the_preamble_and_the_jam_and_the_gap_comes_after_silence() -> None:
    frames = [(1000.0, 0, -1, BITS), (1010.0, 1, -1, BITS)]
    record = scripted(even(2, 20.0), frames, [0, 1], 10_000)
    assert record.sent == [
        (0, 1000.0, 1096.0, True),  # hears the other at 1030, within its preamble
        (1, 1010.0, 1106.0, True),
        (0, 1222.0, 1798.0, False),  # the other is heard until 1126; 96 bits of gap
        (1, 1914.0, 2490.0, False),  # backed off until 1618; hears the first until 1818
    ]


def test_a_collision_that_is_heard_after_the_preamble_is_jammed_at_once() -> None:
    frames = [(1000.0, 0, -1, BITS), (1150.0, 1, -1, BITS)]
    record = scripted(even(2, 200.0), frames, [0, 1], 5_000)
    assert record.sent[:2] == [(1, 1150.0, 1246.0, True), (0, 1000.0, 1382.0, True)]


def in_the_gap(far: float, *frames: Frame) -> float:
    """When station 0 first begins to send.  Stations 2 and 3 beside it collide from 0 to 96, so
    it hears them until 97 and its gap is over at 193; station 1, so far away, begins just before
    it hears them, and what it sends reaches station 0 within the gap."""
    delays = (
        (0.0, far, 1.0, 1.0),
        (far, 0.0, far, far),
        (1.0, far, 0.0, 1.0),
        (1.0, far, 1.0, 0.0),
    )
    others = [(0.0, 2, -1, BITS), (0.0, 3, -1, BITS), (far - 1, 1, -1, BITS)]
    given = sorted([*others, *frames])
    record = scripted(Wire((0, 1, 2, 3), delays), given, [9] * 20, 1000)
    return next(begins for who, begins, *_ in record.sent if who == 0)


def test_a_signal_in_the_first_part_of_the_gap_is_waited_for() -> None:
    assert in_the_gap(60.0, (50.0, 0, -1, BITS)) == 59 + 96 + 60 + 96


def test_a_signal_in_the_second_part_of_the_gap_is_not_waited_for() -> None:
    assert in_the_gap(82.0, (50.0, 0, -1, BITS)) == 193


def test_a_frame_that_comes_in_such_a_gap_is_sent_after_it_too() -> None:
    """Though the station hears the far one, from 163 on, when it gets the frame."""
    assert in_the_gap(82.0, (170.0, 0, -1, BITS)) == 193
    assert in_the_gap(60.0, (170.0, 0, -1, BITS)) == 59 + 96 + 60 + 96


def test_a_backoff_that_is_over_in_such_a_gap_is_followed_by_a_try_after_it_too() -> None:
    """Station 0 collides with 4 and backs off a slot, until 608.  It hears 2 and 3 collide until
    541, so its gap is over at 637; the far one is heard from 607 on."""
    near = (1.0, 82.0, 1.0, 1.0, 1.0)
    far = (82.0, 0.0, 82.0, 82.0, 82.0)
    delays = tuple(
        far if i == 1 else tuple(0.0 if i == j else near[j] for j in range(5)) for i in range(5)
    )
    frames = [(0.0, 0, -1, BITS), (0.0, 4, -1, BITS), (444.0, 2, -1, BITS), (444.0, 3, -1, BITS)]
    frames.append((525.0, 1, -1, BITS))
    record = scripted(Wire((0, 1, 2, 3, 4), delays), frames, [9, 1, *[9] * 20], 1000)
    assert [begins for who, begins, *_ in record.sent if who == 0][:2] == [0, 637]


def test_after_its_own_transmission_a_station_does_not_listen_in_the_gap() -> None:
    """It collides with its neighbour from 0 to 96; the far one reaches it at 159."""
    delays = ((0.0, 80.0, 1.0), (80.0, 0.0, 80.0), (1.0, 80.0, 0.0))
    frames = [(0.0, 0, -1, BITS), (0.0, 2, -1, BITS), (79.0, 1, -1, BITS)]
    record = scripted(Wire((0, 1, 2), delays), frames, [5, 0, 9, 9, 9, 9], 600)
    assert record.sent[3] == (0, 193.0, 289.0, True)


def test_frames_are_given_up_after_sixteen_collisions() -> None:
    frames = [(0.0, 0, -1, BITS), (0.0, 1, -1, BITS)]
    record = scripted(even(2, 5.0), frames, [3] * 30, 1e6)
    assert [tried for _, who, tried in record.backoffs if who == 0] == list(range(1, 16))
    assert [who for _, who in record.drops] == [1, 0]
    assert sum(cut for *_, cut in record.sent) == 32


def test_on_a_wire_within_a_slot_no_collision_is_late_and_no_frame_is_lost() -> None:
    engine = Engine(
        ETHERNET, [even(20, 255.0)], np.random.default_rng(3).integers, endless=always(20)
    )
    engine.run(2e6)
    channel = engine.channels[0]
    assert channel.cut > 500
    assert (channel.late, channel.lost) == (0, 0)


@pytest.mark.parametrize(("size", "lost"), [(1518, False), (64, True)])
def test_on_a_wire_that_is_too_long_collisions_are_late_or_not_heard_at_all(
    size: int, lost: bool
) -> None:
    """Large frames are long enough to hear it, after the slot; small ones are over by then."""
    frames = always(30, ETHERNET.wire(size))
    engine = Engine(ETHERNET, [even(30, 700.0)], np.random.default_rng(3).integers, endless=frames)
    engine.run(1e7)
    channel = engine.channels[0]
    assert channel.late > 0 or lost
    assert (channel.lost > 0) == lost


def test_a_queue_that_is_full_takes_no_more() -> None:
    frames: list[Frame] = [(float(number), 0, -1, BITS) for number in range(10)]
    engine = Engine(
        ETHERNET, [even(1, 0.0)], np.random.default_rng(1).integers, arrivals=frames, room=4
    )
    engine.run(1e5)
    assert (engine.overflow, engine.sent) == (5, [5])


def test_rules_of_another_rate_are_the_same_in_bits() -> None:
    found = []
    for rate in (10.0, 100.0):
        engine = Engine(
            Rules(rate=rate), [even(9, 9.0)], np.random.default_rng(1).integers, endless=always(9)
        )
        engine.run(1e6)
        found.append((engine.channels[0].frames, engine.channels[0].cut, engine.events))
    assert found[0] == found[1]


def test_going_on_in_pieces_is_going_on() -> None:
    found = []
    for ends in ([500_000.0], [1.0, 777.0, 1e5, 1e5 + 1, 500_000.0]):
        record = Record()
        draw = np.random.default_rng(8)
        engine = Engine(ETHERNET, [even(7, 12.0)], draw.integers, endless=always(7), trace=record)
        for end in ends:
            engine.run(end)
        found.append((record.sent, engine.events))
    assert found[0] == found[1]
