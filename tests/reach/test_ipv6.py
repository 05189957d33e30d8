"""What is special to IPv6, by hand: gateways that translate nothing, and one that lets only out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gureum.program import (
    Address,
    Filter,
    Gateway,
    GlobalAddress,
    GlobalPrefix,
    Guard,
    Local,
    Member,
    Port,
    Range,
    Route,
    Rule,
    Segment,
    SegmentTable,
    Statement,
    Table,
    Target,
    ViaUplink,
)
from gureum.reach import Reach, Span, Verdict, difference
from tests.reach.numbering import ME

EVERY = Verdict("all", ((32768, 60999),))
PLAIN = Verdict("all")
NONE = Verdict("none")
ECHO = (128, 0)
ANYWHERE = "::/0"
BLOCK = "3fff:0:0:1000::/56"
A = Segment("a", "vpc-1", "10.0.1.0/24", "", "", "3fff:0:0:1001::/64")
B = Segment("b", "vpc-1", "10.0.2.0/24", "", "", "3fff:0:0:1002::/64")
WEB, APP = "3fff:0:0:1001::4", "3fff:0:0:1002::4"
OUT = Rule("sgr-out", True, None, None, None, ANYWHERE)
HTTPS = Rule("sgr-web", True, 6, (443, 443), None, ANYWHERE)
PING = Rule("sgr-ping", True, 58, None, ECHO, ANYWHERE)


def station(name: str, segment: Segment, ip: str, *enter: Rule) -> list[Statement]:
    """An instance's port with an address of either version."""
    port = Port(f"eni-{name}", segment, f"i-{name}", 0, "")
    old = segment.cidr.replace(".0/24", ".4")
    return [
        port,
        Address(port, old, primary=True),
        Address(port, ip, primary=True),
        Guard(port, (old, ip), False, f"{name}/in", f"{name}/out"),
        Filter(f"{name}/in", "vpc-1", "in", True, enter, "sg", ipv6=True),
        Filter(f"{name}/out", "vpc-1", "out", True, (OUT,), "sg", ipv6=True),
        *(GlobalAddress(gateway, "vpc-1", ip) for gateway in ("igw", "eigw")),
    ]


def routes(segment: Segment, **more: Target) -> list[Statement]:
    table = Table(f"rtb-{segment.id}", "vpc-1", 1)
    found = {BLOCK: Local(), ANYWHERE: more["out"]}
    return [SegmentTable(segment, table), *(Route(table, *item) for item in found.items())]


def shop() -> list[Statement]:
    """``web`` is on the internet, ``app`` behind an egress-only gateway."""
    found: list[Statement] = [ME, A, B, Gateway("igw"), Gateway("eigw", egress_only=True)]
    found.append(Range("vpc-1", "3fff:0:0:1000::/56"))
    found += routes(A, out=ViaUplink("igw")) + routes(B, out=ViaUplink("eigw"))
    found += [GlobalPrefix("igw", A), GlobalPrefix("eigw", B)]
    found += station("web", A, WEB, HTTPS, PING)
    old = Rule("sgr-old", True, None, None, None, "0.0.0.0/0")
    return found + station("app", B, APP, old, Rule("sgr-ref", True, 6, (22, 22), None, "sg-w"))


def test_nothing_is_translated_on_the_way_from_the_internet() -> None:
    reach = Reach(shop(), 6)
    web, me = reach.node("eni-web"), reach.outside(ME.ip6)
    assert (web.ip, me.id, reach.called(me, web)) == (WEB, "me", WEB)
    echo = 128 * 256
    assert reach.spans(me, web) == (Span(6, 443, 443, EVERY), Span(58, echo, echo, PLAIN))
    assert reach.why(me, web, 58, ECHO) == ("sgr-ping",)
    assert [node.id for node in reach.targets(me, 6, 443)] == ["eni-web"]
    assert reach.point(me, web, 1) == NONE, "ICMP of IPv4 is a protocol like others"


def test_a_delegated_block_is_known_by_its_first_address() -> None:
    """It comes and goes without a trace for others."""
    before = shop()
    guard = next(each for each in before if isinstance(each, Guard) and each.port.id == "eni-web")
    block = "3fff:0:0:1001:b::/80"
    after = [each for each in before if each != guard]
    after += [
        replace(guard, addresses=(*guard.addresses, block)),
        Address(guard.port, block, primary=False, delegated=True),
        Member("vpc-1", "sg-w", block),
        GlobalAddress("igw", "vpc-1", block),
    ]
    old, new = Reach(before, 6), Reach(after, 6)
    me = new.outside(ME.ip6)
    web, first = new.node("eni-web"), "3fff:0:0:1001:b::"
    assert new.point(me, web, 6, 443, address=first) == EVERY
    assert new.point(me, web, 6, 444, address=first) == NONE
    assert old.point(me, old.node("eni-web"), 6, 443, address=first) == NONE
    for port in ("eni-web", "eni-app"):
        assert new.spans(me, new.node(port)) == old.spans(me, old.node(port))
    assert list(difference(old, new)) == []


def test_an_egress_only_gateway_lets_out_what_begins_and_its_answers_in() -> None:
    reach = Reach(shop(), 6)
    app, web, me = reach.node("eni-app"), reach.node("eni-web"), reach.outside(ME.ip6)
    assert reach.point(app, me, 6, 443) == EVERY
    assert reach.point(app, me, 58, ECHO) == PLAIN
    assert reach.point(app, me, 58, (129, 0)) == NONE, "a reply that nobody asked for"
    assert reach.point(web, me, 58, (129, 0)) == PLAIN
    assert reach.spans(me, app) == ()
    opened = Filter("app/in", "vpc-1", "in", True, (OUT,), "sg", ipv6=True)
    closed = next(each for each in shop() if isinstance(each, Filter) and each.id == opened.id)
    reach.update([opened], [closed])
    assert reach.spans(me, app) == (), "whatever the groups say"
    assert reach.point(web, app, 6, 443) == EVERY


@pytest.mark.parametrize("way_in", ["igw", "eigw", None])
def test_answers_may_leave_by_the_egress_only_gateway_but_those_of_tcp(way_in: str | None) -> None:
    """What comes in by the internet gateway begins at the other none of TCP's connections."""
    statements: list[Statement] = [each for each in shop() if not isinstance(each, GlobalPrefix)]
    statements += [GlobalPrefix(way_in, B)] if way_in else []
    reach = Reach(statements, 6)
    me, app = reach.outside(ME.ip6), reach.node("eni-app")
    (closed,) = (each for each in statements if isinstance(each, Filter) and each.id == "app/in")
    opened = Filter("app/in", "vpc-1", "in", True, (OUT,), "sg", ipv6=True)
    reach.update([opened], [closed])
    found = {span.protocol for span in reach.spans(me, app)}
    assert found == ({17, 58, None} if way_in == "igw" else set())
    assert reach.point(app, me, 6, 443) == (EVERY if way_in else NONE), "answers come by either"


def test_a_group_stands_for_its_members_of_the_version() -> None:
    reach = Reach([*shop(), Member("vpc-1", "sg-w", WEB)], 6)
    web, app = reach.node("eni-web"), reach.node("eni-app")
    assert reach.spans(web, app) == (Span(6, 22, 22, EVERY),)
    old = Reach([*shop(), Member("vpc-1", "sg-w", WEB)])
    assert old.point(old.node("eni-app"), old.node("eni-web"), 6, 443) == NONE
    reach.update(removed=[Member("vpc-1", "sg-w", WEB)])
    assert reach.spans(web, app) == ()


def test_an_interface_without_an_address_of_the_version_is_none_of_its_nodes() -> None:
    statements = [each for each in shop() if not (isinstance(each, Address) and each.ip == APP)]
    reach = Reach(statements, 6)
    assert {node.id for node in reach.nodes()} == {"eni-web", "me", "internet"}
    assert {node.id for node in Reach(statements).nodes()} == {
        *("eni-app", "eni-web", "me", "internet"),
    }
    with pytest.raises(KeyError, match="eni-app"):
        reach.node("eni-app")


def test_who_has_only_the_second_interface_in_the_version_has_no_default_route() -> None:
    """Its answers to the internet go nowhere (ip-route(8))."""
    second = Port("eni-second", A, "i-app", 1, "")
    ip = "3fff:0:0:1001::9"
    statements = [each for each in shop() if not (isinstance(each, Address) and each.ip == APP)]
    statements += [second, Address(second, ip, primary=True), GlobalAddress("igw", "vpc-1", ip)]
    reach = Reach(statements, 6)
    assert reach.spans(reach.outside(ME.ip6), reach.node("eni-second")) == ()
    assert reach.point(reach.node("eni-web"), reach.node("eni-second"), 6, 443) == EVERY


def test_a_gateway_that_lets_an_address_pass_no_more_is_a_difference() -> None:
    """Though the other one still does."""
    reach = Reach(shop(), 6)
    web, me, internet = reach.node("eni-web"), reach.outside(ME.ip6), reach.outside()
    before = reach.snapshot()
    reach.update(removed=[GlobalAddress("igw", "vpc-1", WEB)])
    assert reach.spans(me, web) == reach.spans(web, me) == ()
    found = {(each.source, each.target) for each in difference(before, reach)}
    assert found == {(me, web), (web, me), (internet, web), (web, internet)}


def test_the_rest_of_the_internet_is_an_address_that_nobody_has() -> None:
    assert Reach(version=6).outside().ip == "3fff:fff:ffff:ffff:ffff:ffff:ffff:fffe"


@pytest.mark.parametrize(
    ("protocol", "detail"), [(58, None), (58, 8), (1, (8, 0)), (58, (256, 0)), (6, None)]
)
def test_headers_that_do_not_exist_are_refused(
    protocol: int, detail: int | tuple[int, int] | None
) -> None:
    reach = Reach([ME], 6)
    with pytest.raises(ValueError, match="protocol"):
        reach.point(reach.outside(), reach.outside(ME.ip6), protocol, detail)
