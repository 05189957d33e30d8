"""What happens one after the other, and drawings of it."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from gureum.medium.draw import Curve, plots, timeline
from gureum.medium.draw_domains import domains
from gureum.medium.measure import Estimate
from gureum.medium.plan import plan
from gureum.medium.svg import ticks
from gureum.medium.timeline import record, spans
from gureum.medium.topology import read, star
from gureum.medium.traffic import Load

SVG = "{http://www.w3.org/2000/svg}"
THREE = plan(star("hub", 3))


def test_a_first_collision_is_told_in_order() -> None:
    found = record(THREE, Load(None), np.random.default_rng(1), begins=0, most=12)
    assert [each.what for each in found[:9]] == [
        what for what in ("start", "collision", "backoff") for _ in range(3)
    ]
    assert [each.bits for each in found] == sorted(each.bits for each in found)
    assert found[2].states == ("sends", "sends", "sends")
    assert found[5].states == ("jams", "jams", "jams")
    assert "of 0..1 slots" in next(each.said for each in found if each.what == "backoff")


def test_moments_begin_where_they_are_asked_for_with_what_is_then_going_on() -> None:
    late = record(THREE, Load(None), np.random.default_rng(1), begins=5000, most=10)
    whole = record(THREE, Load(None), np.random.default_rng(1), begins=0, most=1000)
    assert late == [each for each in whole if each.bits >= 5000][:10]
    assert late[0].bits >= 5000


def test_a_quiet_wire_ends_the_search() -> None:
    alone = plan(read("stations: [a, b]\nhubs: [h]\nlinks: [[a, h]]"))
    assert record(alone, Load(0.5), np.random.default_rng(1), begins=0, most=5) == []


def test_what_stations_do_are_spans_without_overlap() -> None:
    found = spans(record(THREE, Load(None), np.random.default_rng(1), begins=0, most=60))
    for before, after in pairwise(found):
        if before.sender == after.sender:
            assert before.ends <= after.begins
    sent = [span for span in found if span.state == "sends" and span.ends - span.begins == 576]
    assert sent


def test_the_timeline_has_a_lane_for_each_station() -> None:
    moments = record(THREE, Load(None), np.random.default_rng(1), begins=0, most=60)
    root = ElementTree.fromstring(timeline(THREE, moments))
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert {"s1", "s2", "s3", "microseconds", "jams"} <= set(texts)
    assert ElementTree.fromstring(timeline(THREE, [])) is not None


def test_a_plot_has_a_point_with_its_interval_for_each_value() -> None:
    curve = Curve("delay, ms", ((0.1, Estimate(1, 0.1)), (0.5, Estimate(3, 0.5))))
    root = ElementTree.fromstring(plots("A & B", "load", [curve, curve]))
    assert len(list(root.iter(f"{SVG}circle"))) == 4
    assert "A & B" in [each.text for each in root.iter(f"{SVG}text")]
    assert ElementTree.fromstring(plots("", "load", [Curve("none", ())])) is not None


def test_a_drawing_of_domains_names_every_node_and_escapes_names() -> None:
    text = 'stations: ["<a>", b]\nhubs: [h]\nrouters: [r, q]\n'
    topology = read(text + 'links: [["<a>", h], [b, r], [r, q, 5], [q, r, 7]]')
    ready = plan(topology)
    root = ElementTree.fromstring(domains(topology, ready.collision, ready.broadcast))
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert {"<a>", "b", "h", "r", "q"} <= set(texts)
    assert "collision domain 1: <a>" in texts


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 45, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]),
        (3, 3, [3]),
    ],
)
def test_axes_have_round_numbers(low: float, high: float, marks: list[float]) -> None:
    assert ticks(low, high) == marks
