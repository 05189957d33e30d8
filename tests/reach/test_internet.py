"""The internet in pieces: what rules and routes about an interface tell apart, and nothing else."""

from __future__ import annotations

from gureum.program import Blackhole, InternetHost, Range, Rule
from gureum.reach import Node, Part, Reach, difference
from tests.reach.parts import holds
from tests.reach.small import ANY, OPEN, Small, tcp

OFFICE = "203.0.113.0/24"
PRINTER = "203.0.113.7/32"


def web(*enter: Rule) -> Small:
    """A web server with a public address, let in by some rules."""
    small = Small()
    small.port(small.a, "web", 4, enter, public="198.18.0.1")
    small.uplink(small.a)
    return small


def who(reach: Reach, port: int, name: str = "web") -> list[str]:
    """Who of the internet reaches a port of a server, piece by piece."""
    nodes = reach.sources(reach.node(f"eni-{name}"), 6, port)
    return [node.id for node in nodes if node.part is not None]


def test_a_rule_about_a_part_of_the_internet_is_seen() -> None:
    reach = web(tcp("sgr-ssh", 22, OFFICE), tcp("sgr-web", 443)).reach()
    assert who(reach, 22) == [OFFICE]
    assert who(reach, 443) == [f"internet except {OFFICE}", OFFICE]
    assert who(reach, 80) == []


def test_pieces_that_are_alike_are_told_as_one() -> None:
    reach = web(tcp("sgr-ssh", 22, OFFICE), tcp("sgr-web", 443), tcp("sgr-p", 22, PRINTER)).reach()
    (found,) = reach.exposed(6, 443)
    assert (found.who.id, found.who.part, found.target.id) == ("internet", Part(), "eni-web")
    (few,) = reach.exposed(6, 22)
    assert (few.who.id, few.addresses) == (OFFICE, 256)
    assert found.addresses > 2**31, "all but what nobody is called"
    assert list(reach.exposed(6, 80)) == []


def test_of_nested_blocks_the_longest_says_who_is_meant() -> None:
    deny = Rule("acl/90", False, 6, (443, 443), None, OFFICE)
    let = Rule("acl/80", True, 6, (443, 443), None, PRINTER)
    small = web(tcp("sgr-web", 443))
    small.acl(small.a, (let, deny, OPEN), (OPEN,))
    (exposure,) = small.reach().exposed(6, 443)
    found = exposure.who
    assert found.part == Part(("0.0.0.0/0", PRINTER), (OFFICE,))
    assert [holds(found.part, ip) for ip in ("8.8.8.8", "203.0.113.9", "203.0.113.7")] == [
        True, False, True,
    ]  # fmt: skip


def test_a_route_to_a_part_of_the_internet_is_seen_in_both_directions() -> None:
    small = web(OPEN)
    small.route(small.a, OFFICE, Blackhole("nat-gone"))
    reach = small.reach()
    assert who(reach, 443) == [f"internet except {OFFICE}"], "no answer comes back"
    targets = reach.targets(reach.node("eni-web"), 6, 443)
    assert f"internet except {OFFICE}" in [node.id for node in targets]
    assert OFFICE not in [node.id for node in targets]


def test_the_rules_and_routes_of_a_nat_gateways_subnet_count() -> None:
    small = Small()
    small.uplink(small.a)
    small.port(small.b, "app", 4)
    small.route(small.b, ANY, small.nat(small.a, "n", 9, "198.18.0.9"))
    shut = Rule("acl/90", False, None, None, None, OFFICE)
    small.acl(small.a, (OPEN,), (shut, OPEN))
    reach = small.reach()
    found = [node.id for node in reach.targets(reach.node("eni-app"), 6, 443)]
    assert found == ["me", f"internet except {OFFICE}"]


def test_what_nobody_of_the_internet_is_called_is_no_piece() -> None:
    rules = ("10.1.0.0/16", "127.0.0.1/32", "224.0.0.1/32", "198.18.0.1/32", "10.0.0.0/16")
    small = web(*(tcp(f"sgr-{each}", 22, each) for each in rules))
    reach = small.reach()
    assert who(reach, 22) == []
    assert [str(node.part) for node in reach.internet("eni-web").nodes()] == ["internet"]


def test_a_routers_own_addresses_are_not_the_internets() -> None:
    small = Small(cidr="54.1.0.0/16")
    small.port(small.a, "web", 4, (tcp("sgr-own", 22, "54.1.0.0/16"),), public="198.18.0.1")
    small.uplink(small.a)
    small.statements.append(Range("vpc-1", "54.1.0.0/16"))
    assert who(small.reach(), 22) == []


def test_hosts_that_the_cloud_knows_are_ends_of_their_own() -> None:
    small = web(tcp("sgr-partner", 22, "198.19.0.20/32"))
    small.statements.append(InternetHost("partner", "198.19.0.20"))
    reach = small.reach()
    assert [node.id for node in reach.sources(reach.node("eni-web"), 6, 22)] == ["partner"]


def test_a_part_is_asked_about_alone() -> None:
    reach = web(tcp("sgr-ssh", 22, OFFICE), tcp("sgr-web", 443)).reach()

    def among(*blocks: str, but: tuple[str, ...] = ()) -> list[str]:
        found = reach.exposed(6, 22, Part(blocks, but))
        return [each.who.id for each in found]

    assert among(but=(OFFICE,)) == []
    assert among("203.0.113.128/25") == ["203.0.113.128/25"]
    assert among("203.0.113.128/25", but=("203.0.113.200/32",)) == [
        "203.0.113.128/25 except 203.0.113.200/32"
    ]
    assert among("192.0.2.0/24") == among("2001:db8::/32") == []


def test_a_new_rule_about_a_part_is_a_difference_of_that_part_alone() -> None:
    older = web(tcp("sgr-web", 443)).reach()
    newer = web(tcp("sgr-web", 443), tcp("sgr-ssh", 22, OFFICE)).reach()
    found = [(each.source.id, each.target.id) for each in difference(older, newer)]
    assert found == [(OFFICE, "eni-web")]


def test_an_address_that_stands_for_a_piece_is_nobodys() -> None:
    small = web(tcp("sgr-ssh", 22, "198.18.0.0/30"))
    reach = small.reach()
    (node,) = (each for each in reach.sources(reach.node("eni-web"), 6, 22) if each.part)
    assert node == Node("internet", "198.18.0.0/30", "198.18.0.2", Part(("198.18.0.0/30",)))
