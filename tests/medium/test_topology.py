"""Topologies from YAML, their domains, and what the engine is given of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gureum
from gureum.medium.domains import broadcast_domains, collision_domains
from gureum.medium.plan import coax, plan
from gureum.medium.standard import ETHERNET, REPEATER
from gureum.medium.topology import Topology, TopologyError, read, star

OFFICE = Path(gureum.__file__).parents[2] / "examples" / "medium" / "office.yaml"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not YAML"),
        ("- a", "a topology is a mapping"),
        ("nodes: [a]", "unknown: nodes"),
        ("rate: fast", "no number of Mb/s"),
        ("rate: true", "no number of Mb/s"),
        ("rate: 0", "no number of Mb/s"),
        ("stations: a", "a list is needed"),
        ("stations: -1", "0 to 1024 are possible"),
        ("stations: [1]", "is no name"),
        ("stations: [a]\nhubs: [a]", "'a' is there twice"),
        ("stations: [a]\nlinks: [[a, b]]", "names 'b', which is not there"),
        ("stations: [a]\nlinks: [[a, a]]", "to itself"),
        ("stations: [a]\nlinks: [a]", "names of two nodes"),
        ("stations: [a, b]\nlinks: [[a, b, 1, 2]]", "two names and metres"),
        ("stations: [a, b]\nlinks: [[a, b, -1]]", "no length in metres"),
        ("stations: [a, b]\nlinks: [{between: [a, b], duplex: both}]", "full or half"),
        ("stations: [a, b]\nlinks: [{between: [a, b], speed: 3}]", "it has 'between'"),
        ("stations: [a]\nhubs: [h, i]\nlinks: [[a, h], [a, i]]", "has 2 links"),
        ("hubs: [h, i]\nlinks: [[h, i], [i, h]]", "closes a loop"),
        ("hubs: [h]\nswitches: [s, t]\nlinks: [[h, s], [s, t], [t, h]]", "closes a loop"),
    ],
)
def test_what_is_no_topology_is_refused(text: str, says: str) -> None:
    with pytest.raises(TopologyError, match=re.escape(says)) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def _domains(topology: Topology) -> list[tuple[set[str], bool]]:
    return [
        ({port.node for port in each.ports}, each.full_duplex)
        for each in collision_domains(topology)
    ]


def test_hubs_join_a_collision_domain_and_switches_part_it() -> None:
    office = read(OFFICE.read_text(encoding="utf-8"))
    assert _domains(office) == [
        ({"ann", "bob", "cho", "core"}, False),
        ({"dan", "eve", "core"}, False),
        ({"fay", "core"}, True),
        ({"gil", "core"}, False),
        ({"core", "gate"}, True),
        ({"gate", "far"}, True),
        ({"hal", "far"}, True),
    ]


def test_switches_join_a_broadcast_domain_and_routers_part_it() -> None:
    office = read(OFFICE.read_text(encoding="utf-8"))
    found = broadcast_domains(office, collision_domains(office))
    assert [set(each.nodes) for each in found] == [
        {*["ann", "bob", "cho", "dan", "eve", "fay", "gil", "hub-a", "hub-b", "core", "gate"]},
        {"hal", "far", "gate"},
    ]
    assert [each.collision for each in found] == [(0, 1, 2, 3, 4), (5, 6)]


@pytest.mark.parametrize("stations", [2, 5])
def test_a_hub_is_one_collision_domain_and_a_switch_one_a_port(stations: int) -> None:
    assert len(collision_domains(star("hub", stations))) == 1
    switched = star("switch", stations)
    found = collision_domains(switched)
    assert len(found) == stations
    assert all(each.full_duplex for each in found)
    assert len(broadcast_domains(switched, found)) == 1


def test_a_router_with_two_links_to_a_switch_is_in_one_broadcast_domain_twice() -> None:
    topology = read("switches: [s]\nrouters: [r]\nlinks: [[s, r], [r, s, 20]]")
    assert len(broadcast_domains(topology, collision_domains(topology))) == 1


def test_nodes_without_links_are_alone() -> None:
    topology = read("stations: [a, b]\nrouters: [r]")
    found = broadcast_domains(topology, collision_domains(topology))
    assert [each.nodes for each in found] == [("a",), ("b",)]
    assert plan(topology).stations == ()


def test_delays_are_those_of_cables_and_hubs() -> None:
    chain = read("stations: [a, b]\nhubs: [h, i]\nlinks: [[a, h, 50], [h, i, 100], [i, b, 30]]")
    (domain,) = collision_domains(chain)
    bits = sum(ETHERNET.metres(metres) for metres in (50, 100, 30)) + 2 * REPEATER
    assert domain.delays == ((0.0, bits), (bits, 0.0))
    assert domain.round_trip == 2 * bits
    assert domain.fits


def test_a_domain_of_more_than_a_slot_does_not_fit() -> None:
    (domain,) = collision_domains(star("hub", 2, metres=2500))
    assert not domain.fits
    assert collision_domains(star("switch", 2, metres=9000))[0].fits


def test_frames_go_through_switches_by_the_way_that_leads_there() -> None:
    office = read(OFFICE.read_text(encoding="utf-8"))
    ready = plan(office)
    number = {name: each for each, name in enumerate(ready.names)}

    def way(source: str, target: str) -> list[str]:
        at, found = number[source], [source]
        while number[target] in ready.hops[at]:
            _, at = ready.hops[at][number[target]]
            found.append(ready.names[at])
        return found

    assert way("ann", "bob") == ["ann"]
    assert way("ann", "eve") == ["ann", "core:hub-b"]
    assert way("fay", "gil") == ["fay", "core:gil"]
    assert way("gil", "cho") == ["gil", "core:hub-a"]
    assert [[ready.names[each] for each in group] for group in ready.groups] == [
        ["ann", "bob", "cho", "dan", "eve", "fay", "gil"]
    ]


def test_frames_cross_several_switches() -> None:
    row = read("stations: [a, b]\nswitches: [s, t, u]\nlinks: [[a, s], [s, t], [t, u], [u, b]]")
    ready = plan(row)
    number = {name: each for each, name in enumerate(ready.names)}
    at, found = number["a"], []
    while number["b"] in ready.hops[at]:
        _, at = ready.hops[at][number["b"]]
        found.append(ready.names[at])
    assert found == ["s:t", "t:u", "u:b"]


def test_stations_along_a_cable_are_as_far_apart_as_their_places() -> None:
    wire = coax(ETHERNET, 3, 200).wires[0]
    step = ETHERNET.metres(100)
    assert wire.delays == ((0, step, 2 * step), (step, 0, step), (2 * step, step, 0))
