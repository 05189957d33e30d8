"""A real packet of IPv6 followed through the kernel."""

from __future__ import annotations

import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.tracing import Probe, Station, Wanted, is_new
from gureum.engines.linux.tracing_bpf import attach
from gureum.engines.linux.tracing_headers import ETHERNET, in_frame
from gureum.explain import Packet
from gureum.explain.packet import ECHO_V6, ICMPV6, TCP, UDP
from gureum.program import Peering, Port, Rule, Statement, ViaPeering, ViaUplink
from gureum.program.statements import Mode
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY6, Net, allow, internet, via
from tests.kernel.test_tracing import (
    BY_HAND,
    all_seen,
    armed,
    drained,
    heard,
    proved,
    seen_dropped,
    statuses,
)

pytestmark = pytest.mark.kernel

VPC, FAR_VPC = "3fff:1:2:300::/56", "3fff:1:2:400::/56"
A, B, FAR_A = "3fff:1:2:301::/64", "3fff:1:2:302::/64", "3fff:1:2:401::/64"
WEB, TWIN, BARE, BOX = (A.replace("/64", tail) for tail in ("a", "b", "c", "d"))
DB, FAR = B.replace("/64", "a"), FAR_A.replace("/64", "a")
ME, OTHER = "3fff:800::10", "3fff:800::20"
LINK = Peering(
    "pcx-00000000000000012",
    ("vpc-1", "vpc-2"),
    (("10.0.0.0/16", VPC), ("10.1.0.0/16", FAR_VPC)),
)


def cloud(mode: Mode = "fabric") -> Net:
    """Two subnets with ACLs of their own: from the first one an internet gateway leads out, from
    the second one an egress-only one; and a peering to another network."""
    net = Net(cidr6=VPC)
    net.acl("acl-a", [allow(ANY6, why="acl-a/100")], [allow(ANY6, why="acl-a/100")])
    few = [allow(ANY6, protocol=TCP, why="acl-b/90")]
    net.acl("acl-b", [allow(ANY6, why="acl-b/100")], few)
    a = net.segment("a", "10.0.1.0/24", mode, acl="acl-a", cidr6=A)
    b = net.segment("b", "10.0.2.0/24", mode, acl="acl-b", cidr6=B)
    net.group("sg", rules())
    for number, (name, ip6) in enumerate((("web", WEB), ("twin", TWIN), ("bare", BARE)), 10):
        net.instance(name, a, f"10.0.1.{number}", "sg", ip6=ip6)
    net.instance("db", b, "10.0.2.10", "sg", ip6=DB)
    gateway, only_out = net.gateway("1"), net.egress_only("2")
    net.global_(gateway, a, WEB, TWIN)
    net.global_(only_out, b, DB)
    net.route("a", ANY6, ViaUplink(gateway))
    net.route("b", ANY6, ViaUplink(only_out))
    net.route("a", FAR_VPC, ViaPeering(LINK.id, "vpc-2"))
    net.add(LINK)
    return net


def peer() -> set[Statement]:
    """The other network, with one host."""
    net = Net("vpc-2", "10.1.0.0/16", FAR_VPC)
    segment = net.segment("in", "10.1.1.0/24", cidr6=FAR_A)
    net.group("sg-far", rules())
    net.instance("far", segment, "10.1.1.10", "sg-far", ip6=FAR)
    net.route("in", VPC, ViaPeering(LINK.id, "vpc-1"))
    return net.statements


def rules() -> list[Rule]:
    """TCP 80, UDP 53 and pings, from everywhere."""
    return [
        allow(ANY6, protocol=TCP, ports=80, why="sgr-web"),
        allow(ANY6, protocol=UDP, ports=53, why="sgr-dns"),
        allow(ANY6, protocol=ICMPV6, why="sgr-ping"),
    ]


WAYS = [
    ("i-web", TWIN),
    ("i-web", DB),
    ("me", WEB),
    ("i-web", OTHER),
    ("i-db", OTHER),
    ("i-web", FAR),
    ("i-far2", WEB),
]


@pytest.mark.parametrize("mode", ["fabric", "hub"])
def test_what_passes_is_seen_at_every_step(lab: Lab, mode: Mode) -> None:
    lab.build(cloud(mode).statements, peer(), internet())
    all_seen(lab, WAYS)
    found = proved(lab, "i-web", TWIN, ICMPV6)
    assert (found.reasons, found.outcome) == ((), "answered")
    assert statuses(found) == ({"seen"}, {"seen"}), "neighbour messages are not taken for it"
    found = proved(lab, "i-web", FAR, UDP, 53)
    assert (found.reasons, found.outcome) == ((), "refused (icmpv6 1/4)")
    assert armed(lab) == []


def test_what_is_blocked_is_seen_where_it_is_blocked(lab: Lab) -> None:
    lab.build(cloud().statements, peer(), internet())
    nobody = "no frame was sent: nobody answers a neighbour solicitation"
    for host, target, protocol, port, dropped in (
        ("i-web", TWIN, TCP, 81, "drop default-sg"),
        ("i-web", DB, TCP, 81, "drop default-sg"),
        ("i-db", TWIN, UDP, 53, "drop acl-b/*"),
        ("me", DB, TCP, 80, "drop egress-only"),
        ("i-bare", OTHER, TCP, 80, "drop from-router > no-public-address"),
        ("i-web", FAR.replace("::a", "::99"), TCP, 80, "drop dest-check"),
        ("i-web", DB.replace("::a", "::99"), TCP, 80, "drop dest-check"),
        ("i-web", DB.replace("::a", "::1"), TCP, 80, "drop router-answers-nothing"),
        ("i-web", TWIN.replace("::b", "::99"), TCP, 80, nobody),
        ("me", DB.replace("::a", "::99"), ICMPV6, None, "drop not-assigned"),
    ):
        seen_dropped(lab, (host, target, protocol, port), dropped)


def test_an_answer_that_is_blocked(lab: Lab) -> None:
    lab.build(cloud().statements, peer(), internet())
    found = proved(lab, "i-web", DB, ICMPV6)
    assert (found.reasons, found.outcome) == ((), "delivered, no answer came")
    assert "drop acl-b/*" in [each.said for each in found.back if each.status == "seen"]


def test_an_appliance_hands_the_packet_back(lab: Lab) -> None:
    net = cloud()
    web = next(each for each in net.statements if isinstance(each, Port) and each.id == "eni-web")
    box = net.instance("box", web.segment, "10.0.1.40", "sg", forwarding=True, ip6=BOX)
    net.route("b", A, via(box, BOX))
    lab.build(net.statements, peer(), internet())
    packets.sh(lab.ns("i-box"), "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    found = proved(lab, "i-db", WEB, TCP, 80)
    assert found.reasons == ()
    assert statuses(found)[0] == {"seen"}


@pytest.mark.parametrize(
    ("ns", "chain", "host", "target"),
    [
        ("vpc-1", "acl_in", "i-web", DB),
        ("igw-1", "passage", "me", WEB),
        ("eigw-2", "forward", "i-db", OTHER),
        ("vpc-2", "sg_in", "i-web", FAR),
    ],
)
def test_a_rule_changed_by_hand_contradicts(
    one_lab: Lab, ns: str, chain: str, host: str, target: str
) -> None:
    one_lab.build(cloud().statements, peer(), internet())
    words = ("ip6", "daddr", target, "tcp", "dport", "80", "drop", "comment", f'"{BY_HAND}"')
    packets.sh(one_lab.ns(ns), "nft", "insert", "rule", "inet", "gureum", chain, *words)
    found = proved(one_lab, host, target, TCP, 80)
    assert found.verdict == "contradicted"
    assert any(BY_HAND in reason for reason in found.reasons), found.reasons
    assert found.outcome == "not delivered"


def test_a_flow_that_is_there_is_known(one_lab: Lab) -> None:
    one_lab.build(cloud().statements, peer(), internet())
    router = Station("vpc-1", "vpc-1", "router")

    def is_known(packet: Packet, ident: int | None = None) -> bool:
        spaces = Namespaces(one_lab.tag)
        try:
            return not is_new(spaces, [router], [packet], ident)
        finally:
            spaces.close()

    def pinged() -> int | None:
        spaces = Namespaces(one_lab.tag)
        probe = Probe(spaces, "i-web", echo, [])
        probe.send()
        probe.close()
        spaces.close()
        return probe.ident

    echo = Packet(WEB, OTHER, ICMPV6, icmp=(ECHO_V6, 0))
    outside = packets.connection(one_lab.ns("i-web"), OTHER, one_lab.ns("other"), 80)
    with ThreadPoolExecutor(1) as own, outside as (client, _, _):
        port = client.getsockname()[1]
        begun, other = (Packet(WEB, OTHER, TCP, each, 80) for each in (port, port ^ 1))
        known = [own.submit(is_known, each).result() for each in (begun, begun.reply(), other)]
        assert known == [True, True, False]
        ident = own.submit(pinged).result()
        assert ident is not None
        known = [own.submit(is_known, echo, each).result() for each in (ident, ident ^ 1)]
        assert known == [True, False]


def test_the_kernel_keeps_other_frames_away() -> None:
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as stranger,
    ):
        for each in (receiver, sender, stranger):
            each.bind(("::1", 0))
        target, mine = receiver.getsockname(), sender.getsockname()
        wanted = frozenset(Packet("::1", "::1", UDP, mine[1], port) for port in (target[1], 9))
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
            attach(raw, Wanted(wanted, frozenset()))
            raw.bind(("lo", 3))
            drained(raw)
            stranger.sendto(b"other", target)
            sender.sendto(b"mine", target)
            sender.sendto(b"refused", ("::1", 9))
            frames = [frame for frame in heard(raw) if frame]
    told = [in_frame(each) for each in frames]
    assert b"other" not in b"".join(frames)
    ports = {each.packet.target_port for each in told if each and each.quoted is None}
    assert ports == {target[1], 9}
    quoted = {each.quoted.packet.target_port for each in told if each and each.quoted}
    assert quoted == {9}, "an error about the packet is let through too"


def test_no_bytes_are_too_odd_to_be_read() -> None:
    body = (40000).to_bytes(2, "big") + (53).to_bytes(2, "big") + bytes(4)
    ends = b"".join(socket.inet_pton(socket.AF_INET6, ip) for ip in (WEB, DB))
    head = b"\x60" + bytes(3) + len(body).to_bytes(2, "big") + bytes((UDP, 63)) + ends
    whole = bytes(12) + b"\x86\xdd" + head + body
    header = in_frame(whole)
    assert header is not None
    assert (header.packet, header.ttl) == (Packet(WEB, DB, UDP, 40000, 53), 63)
    assert all(in_frame(whole[:size]) is None for size in range(len(whole)))
    behind = bytearray(whole)
    behind[ETHERNET + 6] = 44
    assert in_frame(bytes(behind)) is None, "what has extension headers is none of ours"
    for _ in range(2000):
        in_frame(os.urandom(12) + b"\x86\xdd\x60" + secrets.token_bytes(secrets.randbelow(120)))
