"""A real packet followed through the kernel, and what is left behind."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from gureum.engines import EngineError
from gureum.engines.linux import tracing
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.tracing import (
    LIMIT,
    TRACE_TABLE,
    Probe,
    Station,
    Wanted,
    follow,
    is_new,
    stations,
)
from gureum.engines.linux.tracing_bpf import attach
from gureum.engines.linux.tracing_headers import ETHERNET, in_frame, ip_header
from gureum.engines.linux.tracing_nft import mark
from gureum.explain import Network, Packet, explain
from gureum.explain.overlay import Overlay, Sighting, headers, on_the_way, overlay
from gureum.explain.packet import ECHO, ECHO_V6, ICMP, ICMPV6, TCP, UDP
from gureum.program import InternetHost, Port, ViaUplink
from gureum.program.statements import Mode
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, Net, allow, internet, via

pytestmark = pytest.mark.kernel

T = TypeVar("T")

WEB, TWIN, DB, BARE, APPLIANCE = "10.0.1.10", "10.0.1.20", "10.0.2.20", "10.0.1.30", "10.0.1.40"
PUBLIC, ME, OTHER = "198.18.0.1", "198.19.0.10", "198.19.0.20"
EXPECTED, UNEXPECTED = 5.0, 0.35
"""Seconds to wait for an answer."""
BY_HAND = "by-hand"
"""The comment of a drop that a test puts in: nothing is to be seen behind it."""


def cloud(mode: Mode = "fabric") -> Net:
    """Two subnets with ACLs of their own; a public server, its neighbours, and a database behind a
    NAT gateway."""
    net = Net()
    net.acl("acl-a", [allow(why="acl-a/100")], [allow(why="acl-a/100")])
    net.acl("acl-b", [allow(why="acl-b/100")], [allow(protocol=TCP, why="acl-b/90")])
    a = net.segment("a", "10.0.1.0/24", mode, acl="acl-a")
    b = net.segment("b", "10.0.2.0/24", mode, acl="acl-b")
    rules = [allow(protocol=TCP, ports=80, why="sgr-web"), allow(protocol=ICMP, why="sgr-ping")]
    net.group("sg-web", [*rules, allow(protocol=UDP, ports=53, why="sgr-dns")])
    for name, segment, ip in (("web", a, WEB), ("twin", a, TWIN), ("bare", a, BARE), ("db", b, DB)):
        net.instance(name, segment, ip, "sg-web")
    gateway = net.gateway("1")
    net.public(gateway, WEB, PUBLIC)
    net.public(gateway, "10.0.1.5", "198.18.0.5")
    net.route("a", ANY, ViaUplink(gateway))
    net.route("b", ANY, net.nat("1", a, "10.0.1.5"))
    return net


def in_a_thread(act: Callable[[], T]) -> T:
    """Namespaces are entered by threads that do nothing else."""
    with ThreadPoolExecutor(1) as own:
        return own.submit(act).result()


def proved(
    lab: Lab,
    host: str,
    target: str,
    protocol: int,
    port: int | None = None,
    patience: float | None = None,
) -> Overlay:
    """Send a packet, and lay what was seen over the prediction, which tells how long to look if
    nobody says so."""
    network = Network(lab.statements, lab.engine.forwards)

    def act() -> Overlay:
        spaces = Namespaces(lab.tag)
        try:
            return _proved(spaces, network, host, target, protocol, port, patience)
        finally:
            spaces.close()

    return in_a_thread(act)


def _proved(
    spaces: Namespaces,
    network: Network,
    host: str,
    target: str,
    protocol: int,
    port: int | None,
    patience: float | None,
) -> Overlay:
    start = network.named(host) or network.primary(host)
    assert start is not None
    if isinstance(start, InternetHost):
        own = start.ip6 if ":" in target else start.ip
    else:
        own = network.own_address(start, target) or ""
    icmp = {ICMP: (ECHO, 0), ICMPV6: (ECHO_V6, 0)}.get(protocol)
    (sender,) = stations(network, [host])
    probe = Probe(spaces, sender.ns, Packet(own, target, protocol, None, port, icmp), [])
    try:
        answer = explain(network, start, probe.packet)
        wanted = Wanted(headers(answer.forth), headers(answer.back), probe.ident)

        def enough(each: Sighting) -> bool:
            answered = (each.stage, each.packet) == ("received", probe.packet.reply())
            return answered or BY_HAND in each.why

        way = list(stations(network, on_the_way(network, host, answer)))
        if patience is None:
            patience = EXPECTED if answer.works else UNEXPECTED
        seen = follow(spaces, way, probe, wanted, enough, patience)
    finally:
        probe.close()
    return overlay(network, host, None, answer, seen)


def all_seen(lab: Lab, ways: Iterable[tuple[str, str]]) -> None:
    """Every step of a connection that is refused by nobody but the target is seen."""
    for host, target in ways:
        found = proved(lab, host, target, TCP, 80)
        assert (found.reasons, found.outcome) == ((), "refused (reset)"), (host, target)
        assert statuses(found) == ({"seen"}, {"seen"}), (host, target)


def seen_dropped(lab: Lab, packet: tuple[str, str, int, int | None], dropped: str) -> None:
    """A packet (sender, target, protocol, port) is seen to end where it is predicted to."""
    found = proved(lab, *packet)
    assert found.reasons == (), packet
    seen = [each.said for each in found.forth if each.status == "seen"]
    assert dropped in seen, (packet, seen)
    assert found.outcome == "not delivered"
    assert statuses(found)[1] <= {"not expected"}


def statuses(found: Overlay) -> tuple[set[str], set[str]]:
    return {each.status for each in found.forth}, {each.status for each in found.back}


def armed(lab: Lab) -> list[str]:
    """The tracing tables in the lab's namespaces."""
    return [
        ns.name
        for ns in sorted(Path("/run/netns").glob(f"gu{lab.tag}-*"))
        if TRACE_TABLE in packets.sh(ns, "nft", "list", "tables")
    ]


WAYS = [("i-web", TWIN), ("i-web", DB), ("me", PUBLIC), ("i-web", OTHER), ("i-db", OTHER)]


@pytest.mark.parametrize("mode", ["fabric", "switch", "hub"])
def test_what_passes_is_seen_at_every_step(lab: Lab, mode: Mode) -> None:
    lab.build(cloud(mode).statements, internet())
    all_seen(lab, WAYS)
    found = proved(lab, "me", OTHER, ICMP)
    assert (found.reasons, found.outcome) == ((), "answered"), "no router in between"
    assert armed(lab) == []


def test_what_is_blocked_is_seen_where_it_is_blocked(lab: Lab) -> None:
    lab.build(cloud().statements, internet())
    for host, target, protocol, port, dropped in (
        ("i-web", TWIN, TCP, 81, "drop default-sg"),
        ("i-web", DB, TCP, 81, "drop default-sg"),
        ("i-db", TWIN, UDP, 53, "drop acl-b/*"),
        ("i-bare", OTHER, TCP, 80, "drop from-router > no-public-address"),
        ("me", "198.18.0.5", TCP, 80, "drop nat-gateway-answers-nothing"),
        ("i-web", "172.16.0.1", TCP, 80, "it went in and did not come out"),
        ("i-web", "10.0.2.99", TCP, 80, "drop dest-check"),
        ("i-web", "10.0.2.1", TCP, 80, "drop router-answers-nothing"),
        ("me", "10.0.1.10", TCP, 80, "it went in and did not come out"),
    ):
        seen_dropped(lab, (host, target, protocol, port), dropped)


def test_an_answer_that_is_blocked(lab: Lab) -> None:
    lab.build(cloud().statements, internet())
    found = proved(lab, "i-web", DB, ICMP)
    assert (found.reasons, found.outcome) == ((), "delivered, no answer came")
    assert "drop acl-b/*" in [each.said for each in found.back if each.status == "seen"]


def test_an_appliance_hands_the_packet_back(lab: Lab) -> None:
    """The router sees the same addresses twice."""
    net = cloud()
    web = next(each for each in net.statements if isinstance(each, Port) and each.id == "eni-web")
    box = net.instance("box", web.segment, APPLIANCE, "sg-web", forwarding=True)
    net.route("b", "10.0.1.0/24", via(box, APPLIANCE))
    lab.build(net.statements, internet())
    packets.sh(lab.ns("i-box"), "sysctl", "-qw", "net.ipv4.ip_forward=1")
    found = proved(lab, "i-db", WEB, TCP, 80)
    assert found.reasons == ()
    assert statuses(found)[0] == {"seen"}
    hook = "{ type filter hook forward priority 0; policy drop; }"
    packets.sh(lab.ns("i-box"), "nft", "add table ip own; add chain ip own forward " + hook)
    found = proved(lab, "i-db", WEB, TCP, 80)
    assert (found.reasons, found.outcome) == ((), "not delivered"), "what it drops is its affair"


def test_a_rule_changed_by_hand_contradicts(lab: Lab) -> None:
    lab.build(cloud().statements, internet())
    router = lab.ns("vpc-1")
    packets.sh(router, "nft", "insert", "rule", "inet", "gureum", "acl_in", "drop",
               "comment", f'"{BY_HAND}"')  # fmt: skip
    found = proved(lab, "i-web", DB, TCP, 80)
    (reason,) = found.reasons
    assert "acl-b/100" in reason
    assert BY_HAND in reason
    assert found.verdict == "contradicted"


def test_a_table_of_somebody_else_is_in_the_way(one_lab: Lab) -> None:
    one_lab.build(cloud().statements, internet())
    packets.sh(one_lab.ns("vpc-1"), "nft", "add", "table", "bridge", TRACE_TABLE)
    with pytest.raises(EngineError, match="follow tcp"):
        proved(one_lab, "i-web", DB, TCP, 80)
    assert armed(one_lab) == [one_lab.ns("vpc-1").name], "what it made itself is gone"
    one_lab.engine.sync(one_lab.statements)
    assert armed(one_lab) == []
    assert proved(one_lab, "i-web", DB, TCP, 80).reasons == ()


def test_a_sync_removes_leftovers_but_no_table_in_use_and_none_of_a_guest(
    one_lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    one_lab.build(cloud().statements, internet())
    guest = one_lab.ns("i-web")
    for ns in (one_lab.ns("vpc-1"), one_lab.ns("internet"), guest):
        packets.sh(ns, "nft", "add", "table", "inet", TRACE_TABLE)
    packet = Packet(WEB, DB, TCP, 40000, 80)
    wanted = Wanted(frozenset({packet}), frozenset({packet.reply()}))

    def act() -> list[str]:
        spaces = Namespaces(one_lab.tag)
        try:
            mark(spaces, "igw-1", wanted, bridged=False)
            one_lab.engine.sync(one_lab.statements)
            return armed(one_lab)
        finally:
            spaces.close()

    with ThreadPoolExecutor(1) as own:
        meanwhile = own.submit(act).result()
    assert meanwhile == [guest.name, one_lab.ns("igw-1").name]
    assert armed(one_lab) == [guest.name]
    assert caplog.records == []
    assert one_lab.engine.drift(one_lab.statements).put == set()


def test_a_flood_of_answers_ends_the_exchange(
    one_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is asked can send what looks like the answer, as often as it likes."""
    ages = 60.0  # nothing but the number of answers ends it, however busy the machine is
    monkeypatch.setattr(tracing, "QUIET", ages)
    one_lab.build(cloud().statements, internet())
    done = threading.Event()
    with packets.make(one_lab.ns("i-db"), socket.SOCK_DGRAM) as hostile:
        hostile.bind(("0.0.0.0", 53))

        def flood() -> None:
            _, asker = hostile.recvfrom(64)
            hostile.settimeout(None)
            while not done.is_set():
                hostile.sendto(b"x", asker)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            with pytest.raises(EngineError, match=f"more than {LIMIT}"):
                proved(one_lab, "i-web", DB, UDP, 53, ages)
        finally:
            done.set()
            thread.join()
    assert armed(one_lab) == []


def test_the_kernel_keeps_other_frames_away() -> None:
    """The filter works where it is attached, and not only in what is read afterwards."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        for each in (receiver, sender, stranger):
            each.bind(("127.0.0.1", 0))
        target, mine = receiver.getsockname(), sender.getsockname()
        unheard = ("127.0.0.1", 9)
        wanted = frozenset(
            Packet("127.0.0.1", "127.0.0.1", UDP, mine[1], port) for port in (target[1], 9)
        )
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
            attach(raw, Wanted(wanted, frozenset()))
            raw.bind(("lo", 3))
            drained(raw)
            stranger.sendto(b"other", target)
            sender.sendto(b"mine", target)
            sender.sendto(b"refused", unheard)
            frames = [frame for frame in heard(raw) if frame]
    told = [in_frame(each) for each in frames]
    assert b"other" not in b"".join(frames)
    assert {each.packet.target_port for each in told if each and each.quoted is None} == {
        target[1],
        9,
    }
    quoted = {each.quoted.packet.target_port for each in told if each and each.quoted}
    assert quoted == {9}, "an error about the packet is let through too"


def drained(raw: socket.socket) -> None:
    raw.setblocking(False)
    while True:
        try:
            raw.recv(2048)
        except BlockingIOError:
            return


def heard(raw: socket.socket) -> Iterator[bytes]:
    raw.settimeout(0.3)
    while True:
        try:
            yield raw.recv(2048)
        except TimeoutError:
            return


def test_a_flow_that_is_there_is_known_before_and_behind_translation(one_lab: Lab) -> None:
    one_lab.build(cloud().statements, internet())
    router, nat = Station("vpc-1", "vpc-1", "router"), Station("nat-1", "nat-1", "box")

    def is_known(place: Station, packet: Packet, ident: int | None = None) -> bool:
        spaces = Namespaces(one_lab.tag)
        try:
            return not is_new(spaces, [place], [packet], ident)
        finally:
            spaces.close()

    def pinged() -> int | None:
        spaces = Namespaces(one_lab.tag)
        probe = Probe(spaces, "i-web", Packet(WEB, OTHER, ICMP, icmp=(ECHO, 0)), [])
        probe.send()
        probe.close()
        spaces.close()
        return probe.ident

    outside = packets.connection(one_lab.ns("i-db"), OTHER, one_lab.ns("other"), 80)
    with ThreadPoolExecutor(1) as own, outside as (client, _, _):
        port = client.getsockname()[1]
        begun = Packet(DB, OTHER, TCP, port, 80)
        mapped, other = replace(begun, source="10.0.1.5"), replace(begun, source_port=port ^ 1)
        asked = [(router, begun), (router, mapped), (nat, begun), (nat, mapped), (router, other)]
        known = [own.submit(is_known, *each).result() for each in asked]
        assert known == [True, True, True, True, False]
        ident = own.submit(pinged).result()
        assert ident is not None
        echo = Packet(WEB, OTHER, ICMP, icmp=(ECHO, 0))
        known = [own.submit(is_known, router, echo, each).result() for each in (ident, ident ^ 1)]
        assert known == [True, False]


def test_a_probe_takes_a_free_port_of_those_it_may(one_lab: Lab) -> None:
    one_lab.build(cloud().statements, internet())
    packet = Packet(WEB, DB, TCP, None, 80)

    def bound(ports: list[tuple[int, int]]) -> int | None:
        spaces = Namespaces(one_lab.tag)
        try:
            probe = Probe(spaces, "i-web", packet, ports)
            probe.close()
            return probe.packet.source_port
        finally:
            spaces.close()

    with ThreadPoolExecutor(1) as own, packets.make(one_lab.ns("i-web")) as taken:
        taken.bind((WEB, 50000))
        assert own.submit(bound, [(50001, 50001)]).result() == 50001
        assert own.submit(bound, [(50000, 50001)]).result() == 50001
        with pytest.raises(OSError, match="in use"):
            own.submit(bound, [(50000, 50000)]).result()


def test_no_bytes_are_too_odd_to_be_read() -> None:
    whole = packets.ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800,
                             packets.ipv4(WEB, DB, b"x" * 8))  # fmt: skip
    header = in_frame(whole)
    assert header is not None
    assert header.packet == Packet(WEB, DB, UDP, 9, 9)
    for size in range(len(whole)):
        short = in_frame(whole[:size])
        assert short is None or short == header
    later = bytearray(whole)
    later[ETHERNET + 7] = 1
    assert in_frame(bytes(later)) is None, "a later fragment has no ports"
    for _ in range(2000):
        data = secrets.token_bytes(secrets.randbelow(80))
        ip_header(b"\x45" + data)
        in_frame(os.urandom(12) + b"\x08\x00" + b"\x4f" + data)
