"""Intervals, fairness, and a queue whose delay is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gureum.medium.measure import estimate, experiment, fairness, run, student
from gureum.medium.plan import plan
from gureum.medium.standard import ETHERNET
from gureum.medium.topology import Link, Topology, star
from gureum.medium.traffic import Load

PAIR = Topology({"a": "station", "b": "station"}, (Link(("a", "b")),))


@pytest.mark.parametrize(
    ("degrees", "confidence", "value"),
    [
        (1, 0.95, 12.706),
        (2, 0.95, 4.303),
        (9, 0.95, 2.262),
        (10, 0.99, 3.169),
        (29, 0.95, 2.045),
        (120, 0.95, 1.980),
    ],
)
def test_students_quantiles_are_those_of_the_tables(
    degrees: int, confidence: float, value: float
) -> None:
    assert round(student(degrees, confidence), 3) == value


def test_intervals_cover_the_true_mean_as_often_as_they_say() -> None:
    draw = np.random.default_rng(2026)
    tries = 2000
    covered = sum(
        estimate(list(map(float, draw.normal(5.0, 3.0, 6)))).covers(5.0) for _ in range(tries)
    )
    spread = math.sqrt(tries * 0.95 * 0.05)
    assert abs(covered - tries * 0.95) < 3.3 * spread  # 99.9 %


def test_fairness_is_one_for_equals_and_one_in_n_where_one_has_all() -> None:
    assert fairness([7, 7, 7]) == 1.0
    assert fairness([9, 0, 0]) == pytest.approx(1 / 3)
    assert fairness([0, 0]) == 1.0


@pytest.mark.parametrize("busy", [0.3, 0.7])
def test_the_delay_of_a_full_duplex_link_is_that_of_a_queue_with_equal_services(
    busy: float,
) -> None:
    """Pollaczek and Khinchine: a frame waits busy * service / (2 (1 - busy)) where services,
    frame and gap, are all as long."""
    service = ETHERNET.wire(64) + ETHERNET.gap
    offered = 2 * busy * ETHERNET.wire(64) / service
    found = experiment(
        plan(PAIR), Load(offered), np.random.default_rng(1930), runs=20, bits=4e6, warm=4e5
    )
    waits = busy * service / (2 * (1 - busy))
    assert found.delay is not None
    assert found.delay.covers(ETHERNET.milliseconds(waits + ETHERNET.wire(64)))
    assert found.delay.half < found.delay.mean / 20
    assert found.collisions.mean == 0


def test_what_is_offered_is_carried_while_there_is_room() -> None:
    found = experiment(
        plan(star("hub", 10)), Load(0.2), np.random.default_rng(5), bits=2e6, warm=2e5
    )
    assert found.utilisation[0].covers(0.2)
    assert found.goodput.covers(0.2 * 10 * 512 / 576)


def test_frames_of_several_sizes_come_with_their_shares() -> None:
    found = experiment(
        plan(star("switch", 4)),
        Load(0.5, ((64, 3.0), (1518, 1.0))),
        np.random.default_rng(5),
        bits=4e6,
        warm=4e5,
    )
    bits = (3 * 512 + 12144) / (3 * 576 + 12208)
    assert found.goodput.covers(0.5 * 10 * bits)


def test_the_same_seed_gives_the_same_run_and_another_another() -> None:
    ready, load = plan(star("hub", 5)), Load(0.6)
    runs = [run(ready, load, np.random.default_rng(seed), 1e6, 1e5) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_switch_stores_a_frame_and_sends_it_on() -> None:
    """One frame in ten frame times: nobody waits, and the delay is that of two links."""
    ready = plan(star("switch", 2, metres=100))
    found = run(ready, Load(0.001), np.random.default_rng(1), 3e7, 0.0)
    hop = 2 * ETHERNET.wire(64) + ETHERNET.metres(100)
    assert min(found.delays) == pytest.approx(hop, abs=0.01)
    assert sorted(found.delays)[len(found.delays) // 2] == pytest.approx(hop, abs=0.01)
