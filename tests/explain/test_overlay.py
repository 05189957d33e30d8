"""What was seen, laid over what was predicted: by hand, one sighting at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gureum.explain import Answer, Listener, Network, Packet, explain, heard
from gureum.explain.overlay import (
    RESET,
    Laid,
    Overlay,
    Sighting,
    Stage,
    headers,
    on_the_way,
    overlay,
)
from gureum.explain.packet import TCP, UDP
from gureum.program import ViaUplink
from tests.kernel.networks import Net, allow, internet, via

WEB, DB, BOX = "10.0.1.10", "10.0.2.20", "10.0.2.30"
ASK = Packet(WEB, DB, TCP, 40000, 80)
REPLY = ASK.reply()
OUT = Packet(WEB, "198.19.0.20", TCP, 40000, 80)
MAPPED = replace(OUT, source="198.18.0.1")
A, B = "02:01:00:00:01:01", "02:01:00:00:02:01"
"""The router's link addresses in the two subnets."""
WEB_MAC, DB_MAC = "02:01:0a:00:01:0a", "02:01:0a:00:02:14"
VPC = "vpc-1"


def cloud(protocol: int = TCP) -> Net:
    """A server with a public address in one subnet, in another one a database that may be asked
    by a protocol."""
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-web", [allow(why="sgr-web")])
    net.group("sg-db", [allow(protocol=protocol, ports=80, why="sgr-db")])
    net.instance("web", a, WEB, "sg-web")
    net.instance("db", b, DB, "sg-db")
    net.public(net.gateway("1"), WEB, "198.18.0.1")
    net.route("a", "198.19.0.0/16", ViaUplink("igw-1"))
    return net


def network(*more: Net) -> Network:
    return Network([*(more[0] if more else cloud()).statements, *internet()])


def predicted(packet: Packet, found: Network, *, listens: bool | None = True) -> Answer:
    start = found.primary("i-web")
    assert start is not None
    answer = explain(found, start, packet)
    if listens is None:
        return answer
    listener = Listener("tcp", "0.0.0.0", packet.target_port or 0)
    return heard(answer, [listener] if listens else [])


def frame(
    place: str, stage: Stage, packet: Packet, source: str, target: str, ttl: int, refusal: str = ""
) -> Sighting:
    return Sighting(
        place, stage, packet, ttl, frame=(source, target), at=float(ttl), refusal=refusal
    )


def rule(
    stage: Stage, packet: Packet, *why: str, onto: str = "", dropped: bool = False
) -> Sighting:
    return Sighting(VPC, stage, packet, 63, dropped, why, onto=onto)


FORTH = (
    frame("i-web", "sent", ASK, WEB_MAC, A, 64),
    Sighting(VPC, "entered", ASK, 64),
    rule("group-out", ASK, "group", "sgr-out", "owner", onto="subnet-b"),
    rule("acl-out", ASK, "acl", "acl-open/100", onto="subnet-b"),
    rule("acl-in", ASK, "acl", "acl-open/100", onto="subnet-b"),
    rule("group-in", ASK, "group", "sgr-db", "owner", onto="subnet-b"),
    frame(VPC, "sent", ASK, B, DB_MAC, 63),
    frame("i-db", "received", ASK, B, DB_MAC, 63),
)
BACK = (
    frame("i-db", "sent", REPLY, DB_MAC, B, 64),
    Sighting(VPC, "entered", REPLY, 64),
    rule("group-out", REPLY, "flow", "established", onto="subnet-a"),
    rule("acl-out", REPLY, "acl", "acl-open/100", onto="subnet-a"),
    rule("acl-in", REPLY, "acl", "acl-open/100", onto="subnet-a"),
    rule("group-in", REPLY, "flow", "established", onto="subnet-a"),
    frame(VPC, "sent", REPLY, A, WEB_MAC, 63),
    frame("i-web", "received", REPLY, A, WEB_MAC, 63),
)
SEEN = (*FORTH, *BACK)


def laid(*sightings: Sighting, port: int = 80, listens: bool | None = True) -> Overlay:
    found = network()
    answer = predicted(replace(ASK, target_port=port), found, listens=listens)
    return overlay(found, "i-web", "i-db", answer, sightings)


def status(found: Overlay, way: str = "forth") -> list[str]:
    return [each.status for each in getattr(found, way)]


def test_what_is_seen_everywhere_is_confirmed() -> None:
    found = laid(*SEEN)
    assert (found.verdict, found.reasons, found.outcome) == ("confirmed", (), "answered")
    assert set(status(found)) == set(status(found, "back")) == {"seen"}
    assert [each.index for each in found.forth] == list(range(len(found.forth)))
    said = [each.said for each in found.forth]
    assert said[1:4] == ["accept sgr-out", "accept acl-open/100", "out to subnet-b"]


@pytest.mark.parametrize("missing", [each for each in SEEN if each.stage != "entered"])
def test_each_sighting_is_needed(missing: Sighting) -> None:
    assert laid(*(each for each in SEEN if each != missing)).verdict == "contradicted"


def test_without_an_answer_no_way_back_is_expected() -> None:
    found = laid(*FORTH)
    assert (found.reasons, found.outcome) == ((), "delivered, no answer came")
    assert set(status(found, "back")) == {"not expected"}


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (FORTH[2], replace(FORTH[2], why=("group", "sgr-other")), "group"),
        (FORTH[3], replace(FORTH[3], dropped=True), "acl"),
        (FORTH[4], replace(FORTH[4], why=("acl", "acl-open/90")), "acl"),
        (FORTH[2], replace(FORTH[2], onto="igw-1"), "route"),
        (FORTH[0], replace(FORTH[0], frame=(WEB_MAC, B)), "arp"),
        (FORTH[6], replace(FORTH[6], frame=(B, WEB_MAC)), "arp"),
        (BACK[0], replace(BACK[0], refusal=RESET), "listen"),
    ],
)
def test_what_is_seen_otherwise_contradicts(old: Sighting, new: Sighting, kind: str) -> None:
    found = laid(*(new if each == old else each for each in SEEN))
    assert found.verdict == "contradicted"
    assert "contradicted" in status(found)
    assert any(reason.startswith(f"{kind} at ") for reason in found.reasons)


def test_a_drop_that_nobody_predicted_contradicts() -> None:
    surprise = Sighting(VPC, "other", ASK, 63, dropped=True, why=("by-hand",))
    found = laid(*FORTH[:6], surprise)
    assert found.forth[-1] == Laid(None, "seen only", "drop by-hand at vpc-1", (surprise,))
    assert "not predicted: drop by-hand at vpc-1" in found.reasons
    assert found.outcome == "not delivered"


BLOCKED = replace(ASK, target_port=81)


def blocked(*more: Sighting) -> Overlay:
    """A packet that the group does not let in."""
    way = (replace(each, packet=BLOCKED) for each in FORTH[:5])
    return laid(*way, *more, port=81, listens=None)


DROP = rule("group-in", BLOCKED, "group", "default-sg", dropped=True)


def test_behind_a_block_nothing_is_expected() -> None:
    found = blocked(DROP)
    assert (found.reasons, found.outcome) == ((), "not delivered")
    # the next hop is looked up behind the filters
    assert status(found) == ["seen"] * 5 + ["not expected", "seen", "not expected"]
    assert set(status(found, "back")) == {"not expected"}


def test_what_passes_a_predicted_block_contradicts() -> None:
    passing = replace(DROP, dropped=False, why=("group", "sgr-db"))
    found = blocked(passing, *(replace(each, packet=BLOCKED) for each in FORTH[6:]))
    assert status(found)[6] == "contradicted"
    assert status(found)[-1] == "seen only"
    assert len(found.reasons) == 2
    assert found.outcome == "delivered, no answer came"


def test_a_drop_by_another_rule_contradicts() -> None:
    assert blocked(replace(DROP, why=("group", "sgr-deny"))).verdict == "contradicted"


def test_a_repeated_drop_is_one() -> None:
    assert blocked(DROP, replace(DROP)).reasons == ()


def test_routes_are_looked_up_before_filters() -> None:
    found = network()
    far = replace(ASK, target="192.0.2.1")
    answer = predicted(far, found, listens=None)
    entered = (frame("i-web", "sent", far, WEB_MAC, A, 64), Sighting(VPC, "entered", far, 64))
    lost = overlay(found, "i-web", None, answer, entered)
    assert status(lost) == ["seen", "not expected", "not expected", "seen"]
    assert lost.forth[-1].said == "it went in and did not come out"
    out = frame(VPC, "sent", far, B, DB_MAC, 63)
    assert overlay(found, "i-web", None, answer, [*entered, out]).verdict == "contradicted"
    assert overlay(found, "i-web", None, answer, entered[:1]).verdict == "contradicted"


def test_an_address_is_translated_in_a_box() -> None:
    found = network()
    answer = predicted(OUT, found)
    before = (
        frame("i-web", "sent", OUT, WEB_MAC, A, 64),
        rule("group-out", OUT, "group", "sgr-out", onto="igw-1"),
        rule("acl-out", OUT, "acl", "acl-open/100", onto="igw-1"),
        Sighting("igw-1", "entered", OUT, 63),
    )
    left = frame("igw-1", "sent", MAPPED, A, B, 62)
    at_end = frame("other", "received", MAPPED, A, B, 61)
    good = overlay(found, "i-web", None, answer, [*before, left, at_end])
    assert status(good)[:-1] == ["seen"] * (len(good.forth) - 1)
    bad = overlay(found, "i-web", None, answer, [*before, replace(left, packet=OUT)])
    assert [each.said for each in bad.forth if each.status == "contradicted"] == [
        f"it left as {OUT}"
    ]


@pytest.mark.parametrize(
    ("listens", "refusal", "verdict"),
    [(True, "", "confirmed"), (False, RESET, "confirmed"), (False, "", "contradicted")],
)
def test_who_listens_shows_in_the_answer(listens: bool, refusal: str, verdict: str) -> None:
    back = [replace(each, refusal=refusal) for each in BACK]
    found = laid(*FORTH, *back, listens=listens)
    assert found.verdict == verdict
    assert found.outcome == (f"refused ({RESET})" if refusal else "answered")


def test_nobody_need_answer_a_datagram() -> None:
    found = network(cloud(UDP))
    start = found.primary("i-web")
    assert start is not None
    answer = explain(found, start, replace(ASK, protocol=UDP))
    answer = heard(answer, [Listener("udp", "0.0.0.0", 80)])
    forth = [replace(each, packet=replace(ASK, protocol=UDP)) for each in FORTH]
    silent = overlay(found, "i-web", "i-db", answer, forth)
    assert (silent.reasons, status(silent)[-1]) == ((), "predicted only")
    assert set(status(silent, "back")) == {"not expected"}
    error = frame("i-db", "sent", replace(REPLY, protocol=UDP), DB_MAC, B, 64, "icmp 3/3")
    refused = overlay(found, "i-web", "i-db", answer, [*forth, error])
    assert status(refused)[-1] == "contradicted", "somebody listens, it was said"
    assert set(status(refused, "back")) == {"not expected"}, "errors take their own way"


def test_the_router_meets_a_packet_twice_behind_an_appliance() -> None:
    net = cloud()
    db = network(net).primary("i-db")
    assert db is not None
    box = net.instance("box", db.segment, BOX, "sg-web", forwarding=True)
    net.route("a", "10.0.2.0/24", via(box, BOX))
    found = Network(net.statements, lambda host, version: host == "i-box")
    start = found.primary("i-web")
    assert start is not None
    answer = explain(found, start, ASK)
    kinds = [step.kind for step in answer.forth.steps]
    to_the_box = [*FORTH[:5], rule("group-in", ASK, "sgr-web", onto="subnet-b")]
    by_the_box = [
        frame(VPC, "sent", ASK, B, box.mac, 63),
        frame("i-box", "received", ASK, B, box.mac, 63),
        frame("i-box", "sent", ASK, box.mac, DB_MAC, 62),
        rule("group-out", ASK, "sgr-out"),
        rule("group-in", ASK, "default-sg", dropped=True),
    ]
    sightings = [*to_the_box, *by_the_box]
    told = overlay(found, "i-web", "i-db", answer, sightings)
    groups = [each.status for each, kind in zip(told.forth, kinds, strict=True) if kind == "group"]
    assert groups == ["seen", "seen", "seen", "contradicted"]
    kept = overlay(found, "i-web", "i-db", answer, [*to_the_box, *by_the_box[:2]])
    assert (kept.verdict, kept.outcome) == ("confirmed", "not delivered"), (
        "what it drops is its own"
    )
    assert status(kept)[kinds.index("forward")] == "predicted only"


def test_of_a_packet_that_goes_round_one_round_is_expected() -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-web", [])
    net.instance("web", a, WEB, "sg-web")
    hop = net.nat("1", a, "10.0.1.5")
    net.route("a", "198.19.0.0/16", hop)
    found = network(net)
    answer = predicted(OUT, found, listens=None)
    assert len(answer.forth.steps) > 60
    again = replace(OUT, source="10.0.1.5")
    sightings = [
        frame("i-web", "sent", OUT, WEB_MAC, A, 64),
        rule("group-out", OUT, "sgr-out", onto="subnet-a"),
        rule("acl-out", OUT, "acl-open/100", onto="subnet-a"),
        frame(VPC, "sent", OUT, A, hop.mac, 63),
        Sighting("nat-1", "entered", OUT, 63),
        frame("nat-1", "sent", again, hop.mac, A, 62),
        rule("acl-out", again, "acl-open/100", onto="subnet-a"),
        frame(VPC, "sent", again, A, hop.mac, 61),
        Sighting("nat-1", "entered", again, 61),
    ]
    told = overlay(found, "i-web", None, answer, sightings)
    assert told.reasons == ()
    statuses = status(told)
    first = statuses.index("not expected")
    assert set(statuses[:first]) == {"seen"}
    assert set(statuses[first:]) == {"not expected"}
    assert overlay(found, "i-web", None, answer, sightings[:-3]).verdict == "contradicted"


def test_the_places_and_headers_of_a_way() -> None:
    found = network()
    answer = predicted(OUT, found)
    assert on_the_way(found, "i-web", answer) == {"i-web", VPC, "igw-1", "internet", "other"}
    assert headers(answer.forth) == {OUT, MAPPED}
    assert headers(None) == frozenset()
    assert on_the_way(found, "i-web", predicted(ASK, found)) == {"i-web", VPC, "i-db"}
