"""The engine by hand: a case for everything that a way can meet."""

from __future__ import annotations

import pytest

from gureum.program import Address, Blackhole, Guard, InternetHost, Member, Port, Rule, ViaPort
from gureum.reach import Node, Reach, Span, Verdict
from tests.reach.small import ANY, ME, OPEN, Small, tcp

CLIENTS = ((32768, 60999),)
EVERY = Verdict("all", CLIENTS)
PLAIN = Verdict("all")
NONE = Verdict("none")
ECHO = (8, 0)
DENY = Rule("acl/1", False, None, None, None, ANY)
WHOLE = (
    Span(6, 0, 65535, EVERY),
    Span(17, 0, 65535, EVERY),
    Span(1, 0, 65535, PLAIN),
    Span(None, 0, 0, PLAIN),
    Span(None, 2, 5, PLAIN),
    Span(None, 7, 16, PLAIN),
    Span(None, 18, 255, PLAIN),
)


def ids(nodes: list[Node]) -> list[str]:
    return sorted(node.id for node in nodes)


def ends(reach: Reach, *names: str) -> tuple[Node, ...]:
    return tuple(reach.node(f"eni-{name}") for name in names)


# --- inside a router ----------------------------------------------------------------------------
def test_within_a_subnet_neither_acl_nor_route_applies() -> None:
    small = Small()
    small.port(small.a, "one", 4)
    small.port(small.a, "two", 5)
    small.port(small.b, "far", 4)
    small.acl(small.a, (DENY,), (DENY,))
    reach = small.reach()
    one, two, far = ends(reach, "one", "two", "far")
    assert reach.spans(one, two) == WHOLE
    assert reach.spans(one, far) == reach.spans(far, one) == ()


def test_groups_admit_ports_and_answers_pass() -> None:
    small = Small()
    small.port(small.a, "web", 4, leave=(tcp("sgr-out", 3306),))
    small.port(small.b, "db", 4, enter=(tcp("sgr-in", 3000, last=4000),), leave=())
    reach = small.reach()
    web, db = ends(reach, "web", "db")
    assert reach.spans(web, db) == (Span(6, 3306, 3306, EVERY),)
    assert reach.spans(db, web) == ()
    assert reach.why(web, db, 6, 3306) == ("sgr-out", "sgr-in")
    assert reach.why(web, db, 6, 3307) == ()


def test_a_group_as_peer_is_its_members_private_addresses() -> None:
    small = Small()
    small.port(small.a, "app", 4, groups=("sg-app",), public="198.18.0.1")
    small.port(small.a, "other", 5)
    small.port(small.b, "db", 4, enter=(tcp("sgr-ref", 3306, "sg-app"),), public="198.18.0.2")
    small.statements.append(Member("vpc-1", "sg-app", "10.0.1.99"))  # stale
    small.uplink(small.a)
    small.uplink(small.b)
    reach = small.reach()
    app, other, db = ends(reach, "app", "other", "db")
    assert reach.point(app, db, 6, 3306) == EVERY
    assert reach.point(other, db, 6, 3306) == NONE
    assert reach.point(app, db, 6, 3306, address="198.18.0.2") == NONE
    assert ids(reach.sources(db, 6, 3306)) == ["eni-app"]


def test_routes_are_by_longest_prefix() -> None:
    small = Small()
    small.port(small.a, "one", 4)
    small.port(small.b, "two", 4)
    small.port(small.b, "three", 5)
    small.route(small.a, "10.0.2.4/32", Blackhole("eni-gone"))
    reach = small.reach()
    one, two, three = ends(reach, "one", "two", "three")
    assert reach.point(one, two, 6, 80) == NONE
    assert reach.point(two, one, 6, 80) == NONE  # its answer does not come back
    assert reach.point(one, three, 6, 80) == EVERY
    assert ids(reach.targets(one, 6, 80)) == ["eni-three"]
    assert ids(reach.sources(one, 6, 80)) == ["eni-three"]


@pytest.mark.parametrize("forwarding", [False, True])
def test_a_way_through_a_middlebox_ends_there(forwarding: bool) -> None:
    small = Small()
    small.port(small.a, "one", 4)
    small.port(small.b, "two", 4)
    box = small.port(small.b, "box", 9, forwarding=forwarding)
    small.route(small.a, small.b.cidr, ViaPort(box.id, small.b, "10.0.2.9", ""))
    reach = small.reach()
    one, two, there = ends(reach, "one", "two", "box")
    assert reach.point(one, two, 6, 80) == NONE
    assert reach.point(one, there, 6, 80) == EVERY
    assert ids(reach.targets(one, 6, 80)) == ["eni-box"]


def test_a_host_reaches_its_own_addresses_without_a_filter() -> None:
    small = Small()
    small.port(small.a, "one", 4, enter=(), leave=())
    second = Port("eni-second", small.b, "i-one", 1, "")
    small.statements += [
        second,
        Address(second, "10.0.2.4", primary=True),
        Guard(second, ("10.0.2.4",), False, "one/in", "one/out"),
    ]
    reach = small.reach()
    one, own = ends(reach, "one", "second")
    assert reach.spans(one, one) == reach.spans(one, own) == WHOLE
    assert ids(reach.sources(own, 6, 22)) == ["eni-one"]


def test_an_address_that_its_guard_does_not_have_sends_and_takes_nothing() -> None:
    small = Small()
    small.port(small.a, "one", 4)
    odd = small.port(small.b, "odd", 4)
    (guard,) = [x for x in small.statements if isinstance(x, Guard) and x.port == odd]
    small.statements.remove(guard)
    small.statements.append(Guard(odd, ("10.0.2.77",), False, None, None))
    reach = small.reach()
    one, other = ends(reach, "one", "odd")
    assert reach.spans(one, other) == reach.spans(other, one) == ()
    assert reach.sources(one, 6, 80) == reach.targets(one, 6, 80) == []


# --- ACLs ---------------------------------------------------------------------------------------
def test_an_acl_that_lets_some_client_ports_back_makes_it_some() -> None:
    small = Small()
    small.port(small.a, "one", 4)
    small.port(small.b, "two", 4)
    back = (tcp("acl/200", 1024, last=40000), tcp("acl/210", 50000, last=50000))
    small.acl(small.b, (OPEN,), back)
    reach = small.reach()
    one, two = ends(reach, "one", "two")
    clients = ((32768, 40000), (50000, 50000))
    assert reach.point(one, two, 6, 80) == Verdict("some", clients)
    assert reach.point(one, two, 17, 53) == NONE
    assert reach.spans(one, two) == (Span(6, 0, 65535, Verdict("some", clients)),)
    assert reach.why(one, two, 6, 80) == ("sgr-open", "acl/200", "acl/210")
    assert ids(reach.sources(two, 6, 80)) == ["eni-one"]


def test_the_first_rule_of_an_acl_decides() -> None:
    small = Small()
    small.port(small.a, "one", 4)
    small.port(small.b, "two", 4)
    hole = Rule("acl/90", False, 6, (80, 90), None, "10.0.1.4/32")
    small.acl(small.b, (hole, OPEN), (OPEN,))
    reach = small.reach()
    one, two = ends(reach, "one", "two")
    assert [x for x in reach.spans(one, two) if x.protocol == 6] == [
        Span(6, 0, 79, EVERY),
        Span(6, 91, 65535, EVERY),
    ]


def test_an_echo_comes_back_as_a_reply() -> None:
    small = Small()
    small.port(small.a, "one", 4)
    small.port(small.b, "two", 4)
    asked = Rule("acl/1", True, 1, None, ECHO, ANY)
    replied = Rule("acl/2", True, 1, None, (0, -1), ANY)
    small.acl(small.b, (asked,), (replied,))
    reach = small.reach()
    one, two = ends(reach, "one", "two")
    assert reach.spans(one, two) == (Span(1, 2048, 2048, PLAIN),)
    assert reach.point(one, two, 1, ECHO) == PLAIN
    assert reach.why(one, two, 1, ECHO) == ("sgr-open", "acl/1", "acl/2")
    assert reach.point(two, one, 1, ECHO) == NONE


# --- gateways -----------------------------------------------------------------------------------
def public_private() -> Small:
    """A web server with a public address in one subnet, an application behind NAT in the other."""
    small = Small()
    small.port(small.a, "web", 4, enter=(tcp("sgr-web", 443),), public="198.18.0.1")
    small.port(small.a, "bare", 5)
    small.port(small.b, "app", 4, leave=(tcp("sgr-out", 443),))
    small.uplink(small.a)
    small.route(small.b, ANY, small.nat(small.a, "n", 9, "198.18.0.9"))
    return small


def test_the_internet_reaches_public_addresses_only() -> None:
    reach = public_private().reach()
    internet, me = reach.outside(), reach.outside(ME.ip)
    web, bare, app = ends(reach, "web", "bare", "app")
    assert me == Node("internet", "me", ME.ip)
    assert reach.spans(internet, web) == (Span(6, 443, 443, EVERY),)
    assert reach.spans(internet, bare) == reach.spans(internet, app) == ()
    assert ids(reach.targets(internet, 6, 443)) == ["eni-web"]
    assert reach.targets(internet, 6, 22) == []
    assert ids(reach.sources(web, 6, 443)) == ["eni-app", "eni-bare", "internet", "me"]


def test_a_nat_gateway_lets_out_and_nothing_new_in() -> None:
    reach = public_private().reach()
    internet = reach.outside()
    web, bare, app = ends(reach, "web", "bare", "app")
    assert reach.spans(app, internet) == (Span(6, 443, 443, EVERY),)
    assert reach.spans(web, internet) == WHOLE
    assert reach.spans(bare, internet) == ()
    assert reach.point(internet, app, 6, 443, address="198.18.0.9") == NONE
    assert ids(reach.sources(internet, 6, 443)) == ["eni-app", "eni-web"]
    assert ids(reach.sources(internet, 6, 80)) == ["eni-web"]
    assert "eni-n" not in {node.id for node in reach.nodes()}


def test_a_nat_gateway_carries_three_protocols() -> None:
    small = public_private()
    small.port(small.b, "free", 5)
    reach = small.reach()
    (free,) = ends(reach, "free")
    internet = reach.outside()
    assert reach.point(free, internet, 1, ECHO) == PLAIN
    assert reach.point(free, internet, 47) == NONE
    assert reach.point(free, internet, 1, (0, 0)) == NONE  # an answer without its query
    icmp = [span for span in reach.spans(free, internet) if span.protocol == 1]
    missing = {0, 14, 16, 18}
    assert sum(span.last - span.first + 1 for span in icmp) == (256 - len(missing)) * 256
    assert {span.protocol for span in reach.spans(free, internet)} == {1, 6, 17}


def test_the_acl_of_a_nat_gateways_subnet_tells_apart_whom_it_hides() -> None:
    small = public_private()
    small.port(small.b, "shut", 5)
    small.port(small.b, "free", 6)
    shut = Rule("acl/90", False, None, None, None, "10.0.2.5/32")
    small.acl(small.a, (shut, OPEN), (OPEN,))
    reach = small.reach()
    assert ids(reach.sources(reach.outside(), 6, 443)) == ["eni-app", "eni-free", "eni-web"]


def test_the_answer_must_come_from_the_address_that_was_called() -> None:
    """The web server's answers leave through the NAT gateway, as somebody else's."""
    small = public_private()
    small.route(small.a, f"{ME.ip}/32", small.nat(small.b, "m", 9, "198.18.0.10"))
    small.uplink(small.b, f"{ME.ip}/32")
    reach = small.reach()
    (web,) = ends(reach, "web")
    assert reach.point(reach.outside(ME.ip), web, 6, 443) == NONE
    assert reach.point(reach.outside(), web, 6, 443) == EVERY


def test_by_its_public_address_a_neighbour_is_called_through_the_gateway() -> None:
    small = public_private()
    small.port(small.a, "peer", 6, public="198.18.0.3", leave=(tcp("sgr-p", 443, "198.18.0.1/32"),))
    reach = small.reach()
    peer, web, bare = ends(reach, "peer", "web", "bare")
    assert reach.point(peer, web, 6, 443) == NONE
    assert reach.point(peer, web, 6, 443, address="198.18.0.1") == EVERY
    assert reach.point(bare, web, 6, 443, address="198.18.0.1") == NONE


def test_two_routers_meet_on_the_internet_only() -> None:
    one, two = Small(), Small("vpc-2", "10.0.0.0/16")  # the same addresses
    one.port(one.a, "one", 4, public="198.18.0.1")
    one.uplink(one.a)
    two.port(two.a, "two", 4, enter=(tcp("sgr-2", 22, "198.18.0.1/32"),), public="198.18.0.2")
    two.port(two.b, "private", 4)
    two.uplink(two.a)
    reach = Reach([*one.statements, *two.statements[1:]])
    here, there, private = ends(reach, "one", "two", "private")
    assert reach.spans(here, there) == (Span(6, 22, 22, EVERY),)
    assert reach.spans(here, private) == ()
    assert ids(reach.sources(there, 6, 22)) == ["eni-one"]
    assert ids(reach.targets(here, 6, 22)) == ["eni-two", "internet", "me"]


# --- the API ------------------------------------------------------------------------------------
def test_the_rest_of_the_internet_is_an_address_that_nobody_has() -> None:
    taken = InternetHost("last", "198.19.255.254")
    assert Reach([]).outside().ip == "198.19.255.254"
    assert Reach([taken]).outside().ip == "198.19.255.253"


@pytest.mark.parametrize(
    ("protocol", "detail"),
    [(6, None), (6, 65536), (17, (8, 0)), (1, 8), (1, (8, 256)), (47, 80), (256, None), (6, -1)],
)
def test_headers_that_do_not_exist_are_refused(
    protocol: int, detail: int | tuple[int, int] | None
) -> None:
    reach = Reach([ME])
    with pytest.raises(ValueError, match="protocol"):
        reach.point(reach.outside(), reach.outside(ME.ip), protocol, detail)


def test_a_port_that_is_not_up_is_no_node() -> None:
    with pytest.raises(KeyError, match="eni-gone"):
        Reach([ME]).node("eni-gone")
