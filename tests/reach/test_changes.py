"""What is kept up to date equals what is built anew; differences are exactly the differences."""

from __future__ import annotations

from collections.abc import Container
from random import Random

import pytest

from gureum.program import Local, Member, Route, Segment, ViaUplink
from gureum.reach import Change, Node, Reach, difference
from gureum.reach.prefixes import number
from tests.reach.drift import Drift
from tests.reach.numbering import FOUR, SIX, Numbering
from tests.reach.parts import holds, probes
from tests.reach.small import ANY, ME, Small, tcp

HEADERS: tuple[tuple[int, int | tuple[int, int] | None], ...] = (
    (6, 80),
    (6, 32768),
    (17, 443),
    (1, (8, 0)),
    (47, None),
)

HEADERS6: tuple[tuple[int, int | tuple[int, int] | None], ...] = (
    *HEADERS[:3],
    (58, (128, 0)),
    (47, None),
)

BOTH = pytest.mark.parametrize("numbering", [FOUR, SIX], ids=["IPv4", "IPv6"])

HOSTS_OF_TWO_PORTS = (1057, 1179)
"""Seeds in which answers leave by another port, the facts of which change."""


def pairs(*states: Reach) -> list[tuple[Node, Node]]:
    """Every pair of nodes of any of some states but those on the internet alone."""
    every = (node for reach in states for node in reach.nodes() if node.part is None)
    nodes = list(dict.fromkeys(every))
    return [
        (source, target)
        for source in nodes
        for target in nodes
        if not source.kind == target.kind == "internet"
    ]


@BOTH
def test_an_updated_state_equals_one_built_anew(numbering: Numbering) -> None:
    version = numbering.version
    for seed in range(40 if version == 4 else 12):
        drift, draw = Drift(seed, numbering), Random(seed)
        reach = Reach(drift.statements, version)
        for _ in range(12):
            reach.update(*drift.step())
            anew = Reach(drift.statements, version)
            nodes = sorted(anew.nodes())
            assert sorted(reach.nodes()) == nodes
            for source, target in draw.sample(pairs(anew), min(15, len(pairs(anew)))):
                assert reach.spans(source, target) == anew.spans(source, target), seed
            one, header = draw.choice(nodes), draw.choice(HEADERS if version == 4 else HEADERS6)
            assert sorted(reach.sources(one, *header)) == sorted(anew.sources(one, *header))
            assert sorted(reach.targets(one, *header)) == sorted(anew.targets(one, *header))


def by_hand(older: Reach, newer: Reach) -> dict[tuple[Node, Node], Change]:
    """All pairs, asked in both states."""
    found = {}
    there = [set(reach.nodes()) for reach in (older, newer)]
    for source, target in pairs(older, newer):
        before, after = (
            reach.spans(source, target) if source in nodes and target in nodes else ()
            for reach, nodes in zip((older, newer), there, strict=True)
        )
        if before != after:
            found[source, target] = Change(source, target, before, after)
    return found


def told_of_the_rest(older: Reach, newer: Reach, told: list[Change], addresses: list[str]) -> int:
    """Hold what is told of the rest of the internet against each of its addresses; how many
    changes that were."""
    count = 0
    by_pair: dict[tuple[str, bool], list[Change]] = {}
    for each in told:
        out = each.target.part is not None
        by_pair.setdefault(((each.source if out else each.target).id, out), []).append(each)
    states = (older, newer)
    there = [{node for node in reach.nodes() if node.kind == "port"} for reach in states]
    for port in set.union(*there):
        for ip in addresses:
            if any(number(ip) in index for reach in states for index in taken(reach)):
                continue
            for out in (False, True):
                stranger = newer.outside(ip)
                pair = (port, stranger) if out else (stranger, port)
                before, after = (
                    reach.spans(*pair) if port in nodes else ()
                    for reach, nodes in zip(states, there, strict=True)
                )
                changes = by_pair.get((port.id, out), [])
                parts = [(each.target if out else each.source).part for each in changes]
                found = [
                    (each.before, each.after)
                    for each, part in zip(changes, parts, strict=True)
                    if part is not None and holds(part, ip)
                ]
                assert found == ([(before, after)] if before != after else []), (pair, found)
                count += before != after
    return count


def taken(reach: Reach) -> tuple[Container[int], ...]:
    return reach.state.public, reach.state.internet


@BOTH
def test_differences_are_exactly_the_pairs_that_differ(numbering: Numbering) -> None:
    changed = parted = 0
    for seed in (*range(100, 130 if numbering is FOUR else 115), *HOSTS_OF_TWO_PORTS):
        drift = Drift(seed, numbering)
        reach = Reach(drift.statements, numbering.version)
        for steps in (1, 1, 1, 2, 3):
            older, addresses = reach.snapshot(), probes(drift.statements, numbering.version)
            for _ in range(steps):
                reach.update(*drift.step())
            addresses |= probes(drift.statements, numbering.version)
            expected = by_hand(older, reach)
            every = list(difference(older, reach))
            found = [each for each in every if each.source.part is each.target.part is None]
            assert {(each.source, each.target): each for each in found} == expected, seed
            assert len(found) == len(expected)
            changed += len(expected)
            rest = [each for each in every if each not in found]
            some = Random(seed).sample(sorted(addresses), min(10, len(addresses)))
            parted += told_of_the_rest(older, reach, rest, some)
    assert changed > (300 if numbering is FOUR else 120)
    assert parted > (100 if numbering is FOUR else 50)


@BOTH
def test_a_snapshot_stays_as_it_was(numbering: Numbering) -> None:
    for seed in range(200, 220 if numbering is FOUR else 206):
        drift = Drift(seed, numbering)
        reach = Reach(drift.statements, numbering.version)
        old = Reach(drift.statements, numbering.version)
        kept = reach.snapshot()
        for _ in range(10):
            reach.update(*drift.step())
        assert by_hand(old, kept) == {}
        assert list(difference(old, kept)) == []


def test_a_new_member_is_let_in_by_rules_that_name_its_group() -> None:
    small = Small()
    small.port(small.a, "app", 4)
    small.port(small.b, "db", 4, enter=(tcp("sgr-ref", 3306, "sg-app"),))
    reach = small.reach()
    app, db = reach.node("eni-app"), reach.node("eni-db")
    assert reach.sources(db, 6, 3306) == []
    older, joined = reach.snapshot(), Member("vpc-1", "sg-app", app.ip)
    reach.update(added=[joined])
    assert reach.sources(db, 6, 3306) == [app]
    assert [(each.source, each.target) for each in difference(older, reach)] == [(app, db)]
    reach.update(removed=[joined])
    assert reach.sources(db, 6, 3306) == []


def test_a_route_of_a_nat_gateway_concerns_who_hides_behind_two() -> None:
    small = Small()
    small.port(small.b, "app", 4)
    outer = small.nat(small.a, "outer", 9, "198.18.0.9")
    middle = Segment("c", "vpc-1", "10.0.3.0/24", "", "")
    small.statements.append(middle)
    small.route(middle, small.cidr, Local())
    small.route(middle, ANY, outer)
    small.route(small.b, ANY, small.nat(middle, "inner", 9, "198.18.0.8"))
    reach = small.reach()
    app, me = reach.node("eni-app"), reach.outside(ME.ip)
    assert reach.spans(app, me) == ()
    older = reach.snapshot()
    reach.update(added=[Route(small.table(small.a), ANY, ViaUplink(small.gateway))])
    assert {span.protocol for span in reach.spans(app, me)} == {1, 6, 17}
    found = {(each.source, each.target) for each in difference(older, reach)}
    assert found == {(app, me), (app, reach.outside())}
