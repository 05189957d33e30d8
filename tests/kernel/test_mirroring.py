"""Copies of packets that reach a mirror's target, compared with what a port sent and received."""

from __future__ import annotations

import itertools
import socket
from dataclasses import dataclass, replace

import dpkt
import pytest

from gureum.engines.linux.flow_meter import FlowMeter
from gureum.program import (
    AttachmentTable,
    Choice,
    Filter,
    Guard,
    Mirror,
    Mirrored,
    Peering,
    Port,
    Recorded,
    Rule,
    Segment,
    Served,
    Service,
    ViaPeering,
    ViaTransit,
)
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.mirrors import END, deaf, send, tap
from tests.kernel.networks import ANY, ANY6, Net, allow
from tests.kernel.test_transit_gateway import HUB, MAIN, ZONE, foot, known, link, net

pytestmark = pytest.mark.kernel

TCP, UDP = 6, 17
SOURCE, TARGET = "10.0.1.10", "10.0.2.50"
EVERYTHING = (
    Choice("tmfr-1", True, None, ANY, ANY),
    Choice("tmfr-2", True, None, ANY6, ANY6),
)
MIRROR = Mirror("tms-0123456789abcdef0", 0xABCDEF, TARGET, 777, None, EVERYTHING, EVERYTHING)


@dataclass
class World:
    """A source with neighbours near and far, and a target in another segment."""

    net: Net
    source: Port
    near: Port
    target: Port
    segment: Segment

    def mirrored(self, *mirrors: Mirror, ip6: str = "") -> Mirrored:
        return Mirrored(self.source, (SOURCE, *([ip6] if ip6 else [])), SOURCE, mirrors)


def world(ipv6: bool = False, leaving: list[Rule] | None = None, acl: str = "acl-open") -> World:
    """All groups are open but for what the source's lets out."""
    net = Net(cidr6="3fff:1::/56" if ipv6 else "")
    six = [f"3fff:1:0:{n}::" if ipv6 else "" for n in (1, 2)]
    a, b = (net.segment(name, f"10.0.{n}.0/24", cidr6=six[n - 1] and f"{six[n - 1]}/64", acl=of)
            for n, name, of in ((1, "a", acl), (2, "b", "acl-open")))  # fmt: skip
    open_ = [allow(), allow(ANY6)]
    net.group("sg-source", open_, leaving)
    net.group("sg-all", open_)
    net.group("sg-target", open_)
    six = [each and f"{each}10" for each in six]
    source = net.instance("source", a, SOURCE, "sg-source", ip6=six[0])
    near = net.instance("near", a, "10.0.1.20", "sg-all")
    net.instance("far", b, "10.0.2.10", "sg-all", ip6=six[1])
    return World(net, source, near, net.instance("target", b, TARGET, "sg-target"), a)


def test_what_is_sent_and_received_is_copied_as_it_was(lab: Lab) -> None:
    all_ = world()
    lab.build(all_.net.statements, {all_.mirrored(MIRROR)})
    router = all_.segment.mac
    with (
        tap(lab.ns("i-target")) as copies,
        deaf(lab.ns("i-far"), 53),
        deaf(lab.ns("i-near"), 53),
        deaf(lab.ns("i-source"), 54, END),
    ):
        send(lab.ns("i-source"), "10.0.2.10", 53)
        send(lab.ns("i-source"), "10.0.1.20", 53)
        send(lab.ns("i-far"), SOURCE, 54)
        send(lab.ns("i-near"), SOURCE, 54, END)
        seen = copies.until_end()
    assert [each.said for each in seen] == [
        f"{SOURCE} 10.0.2.10 4000 53",
        f"{SOURCE} 10.0.1.20 4000 53",
        f"10.0.2.10 {SOURCE} 4000 54",
        f"10.0.1.20 {SOURCE} 4000 54",
    ]
    assert {(each.vni, each.sender) for each in seen} == {(777, SOURCE)}
    # as the station sent it, and as it comes to the station
    assert [each.packet.ttl for each in seen] == [64, 64, 63, 64]
    assert [each.ends for each in seen] == [(all_.source.mac, router)] * 2 + [
        (router, all_.source.mac)
    ] * 2
    assert all(each.frame.endswith(b"x" * 10) for each in seen)
    for each in seen:
        whole = dpkt.ip.IP(each.frame[14:])
        sums = whole.sum, whole.data.sum
        whole.sum = whole.data.sum = 0
        assert dpkt.ip.IP(bytes(whole)).sum == sums[0]
        assert dpkt.ip.IP(bytes(whole)).data.sum == sums[1]


def test_rules_choose_by_number_in_each_direction(one_lab: Lab) -> None:
    all_ = world()
    end = Choice("tmfr-9", True, UDP, ANY, ANY, target_ports=(END, END))
    mirror = replace(
        MIRROR,
        leaving=(
            Choice("tmfr-1", False, UDP, ANY, "10.0.2.10/32", target_ports=(50, 59)),
            Choice("tmfr-2", True, UDP, "10.0.0.0/16", ANY, target_ports=(50, 69)),
            end,
        ),
        entering=(Choice("tmfr-3", True, UDP, ANY, ANY, source_ports=(4001, 4001)), end),
    )
    one_lab.build(all_.net.statements, {all_.mirrored(mirror)})
    source, far, near = (one_lab.ns(f"i-{name}") for name in ("source", "far", "near"))
    ports = (53, 63, 73)
    with (
        tap(one_lab.ns("i-target")) as copies,
        deaf(far, *ports),
        deaf(near, *ports, END),
        deaf(source, 53),
    ):
        send(source, "10.0.2.10", *ports)
        send(far, SOURCE, 53, sport=4001)
        send(far, SOURCE, 53, sport=4002)
        send(source, "10.0.1.20", *ports, END)
        seen = [each.said for each in copies.until_end()]
    assert seen == [
        f"{SOURCE} 10.0.2.10 4000 63",
        f"10.0.2.10 {SOURCE} 4001 53",
        f"{SOURCE} 10.0.1.20 4000 53",
        f"{SOURCE} 10.0.1.20 4000 63",
    ]


def test_a_packet_is_copied_once_by_the_first_mirror_that_chooses_it(one_lab: Lab) -> None:
    all_ = world()
    narrow = (
        Choice("tmfr-1", False, UDP, ANY, ANY, target_ports=(55, 55)),
        Choice("tmfr-2", True, UDP, ANY, ANY, target_ports=(50, 59)),
    )
    first = Mirror("tms-0123456789abcdef1", 1, TARGET, 1, None, (), narrow)
    one_lab.build(all_.net.statements, {all_.mirrored(first, replace(MIRROR, vni=2))})
    with tap(one_lab.ns("i-target")) as copies, deaf(one_lab.ns("i-far"), 53, 55, 63, END):
        send(one_lab.ns("i-source"), "10.0.2.10", 53, 55, 63, END)
        seen = [(each.vni, each.packet.data.dport) for each in copies.until_end()]
    assert seen == [(1, 53), (2, 55), (2, 63)]


def test_long_packets_are_cut(one_lab: Lab) -> None:
    all_ = world()
    one_lab.build(all_.net.statements, {all_.mirrored(replace(MIRROR, length=100))})
    source, far = one_lab.ns("i-source"), one_lab.ns("i-far")
    with tap(one_lab.ns("i-target")) as copies, deaf(far, 53, END):
        send(source, "10.0.2.10", 53, size=40)
        send(source, "10.0.2.10", 53, size=3000)
        send(source, "10.0.2.10", END)
        assert [len(each.frame) for each in copies.until_end()] == [82, 100]
        # without a length, what the router's largest packet has room for (its MTU is 9001)
        one_lab.replace(all_.mirrored(replace(MIRROR, length=100)), all_.mirrored(MIRROR))
        send(source, "10.0.2.10", 53, size=3000)
        send(source, "10.0.2.10", 53, size=8973)
        send(source, "10.0.2.10", END)
        assert [len(each.frame) for each in copies.until_end()] == [3042, 8965]


def test_segments_of_tcp_are_copied_one_by_one(one_lab: Lab) -> None:
    """The kernel carries up to 64 KiB of a connection as one packet."""
    all_ = world()
    one_lab.build(all_.net.statements, {all_.mirrored(replace(MIRROR, length=200))})
    source, far = one_lab.ns("i-source"), one_lab.ns("i-far")
    sent = bytes(range(256)) * 1000
    with tap(one_lab.ns("i-target")) as copies, deaf(far, END):
        with packets.connection(source, "10.0.2.10", far, 80) as (near, other, _):
            near.sendall(sent)
            got = 0
            while got < len(sent):
                got += len(other.recv(1 << 20))
        send(source, "10.0.2.10", END)
        seen = [each for each in copies.until_end() if each.packet.data.dport == 80]
    assert max(len(each.frame) for each in seen) == 200
    numbers = sorted({each.packet.data.seq for each in seen if len(each.frame) == 200})
    steps = {b - a for a, b in itertools.pairwise(numbers)}
    assert len(numbers) >= len(sent) // 9001
    assert max(steps) <= 9001 - 40


def test_the_target_may_be_in_a_peered_router(lab: Lab) -> None:
    all_ = world()
    link = Peering(
        "pcx-00000000000000012", ("vpc-1", "vpc-2"), (("10.0.0.0/16",), ("10.1.0.0/16",))
    )
    other = Net("vpc-2", "10.1.0.0/16")
    other.group("sg", [allow(SOURCE + "/32", protocol=UDP, ports=4789)])
    other.instance("far", other.segment("in", "10.1.1.0/24"), "10.1.1.10", "sg")
    all_.net.add(link)
    all_.net.route("a", "10.1.0.0/16", ViaPeering(link.id, "vpc-2"))
    mirrored = all_.mirrored(replace(MIRROR, target="10.1.1.10"))
    lab.build(all_.net.statements, other.statements, {mirrored})
    with tap(lab.ns("i-far2")) as copies, deaf(lab.ns("i-far"), 53, END):
        send(lab.ns("i-source"), "10.0.2.10", 53, END)
        assert [each.said for each in copies.until_end()] == [f"{SOURCE} 10.0.2.10 4000 53"]


def test_the_target_may_be_behind_a_transit_gateway(one_lab: Lab) -> None:
    all_ = world()
    other, _ = net(2)
    far = _filter(other, "sg/in")
    other.statements.remove(far)
    other.add(replace(far, rules=(allow(SOURCE + "/32", protocol=UDP, ports=4789),)))
    served = Served(link(1).id, all_.segment, ZONE)
    all_.net.add(link(1), AttachmentTable(link(1).id, MAIN), foot(all_.net, "a"), served)
    all_.net.route("a", "10.1.0.0/16", ViaTransit(HUB, link(1).id))
    mirrored = all_.mirrored(replace(MIRROR, target="10.1.1.10"))
    one_lab.build(all_.net.statements, other.statements, known(1, 2), {mirrored})
    with tap(one_lab.ns("i-host22")) as copies, deaf(one_lab.ns("i-far"), 53, END):
        send(one_lab.ns("i-source"), "10.0.2.10", 53, END)
        assert [each.said for each in copies.until_end()] == [f"{SOURCE} 10.0.2.10 4000 53"]


def _filter(net: Net, id_: str) -> Filter:
    found = (each for each in net.statements if isinstance(each, Filter))
    return next(each for each in found if each.id == id_)


def test_the_targets_group_lets_copies_in_and_the_sources_need_not_let_them_out(lab: Lab) -> None:
    all_ = world(leaving=[allow("10.0.2.10/32", protocol=UDP)])
    lab.build(all_.net.statements, {all_.mirrored(MIRROR)})
    entry = _filter(all_.net, "sg-target/in")
    shut = replace(entry, rules=(allow(protocol=UDP, ports=4788),))
    with tap(lab.ns("i-target")) as copies, deaf(lab.ns("i-far"), 53, END):
        send(lab.ns("i-source"), "10.0.2.10", 53, END)
        assert len(copies.until_end()) == 1
        lab.replace(entry, shut)
        send(lab.ns("i-source"), "10.0.2.10", 53)
        assert copies.next(packets.SHORT) is None
        lab.replace(shut, replace(entry, rules=(allow(SOURCE + "/32", protocol=UDP, ports=4789),)))
        send(lab.ns("i-source"), "10.0.2.10", 53, END)
        assert len(copies.until_end()) == 1


def test_what_the_sources_filters_refuse_is_not_copied(lab: Lab) -> None:
    all_ = world(leaving=[allow(protocol=UDP, ports=(53, 54)), allow(protocol=UDP, ports=END)])
    entering = _filter(all_.net, "sg-source/in")
    all_.net.statements.remove(entering)
    all_.net.add(replace(entering, rules=(allow(protocol=UDP, ports=56),)))
    leaving = _filter(all_.net, "acl-open/out")
    denied = allow(protocol=UDP, ports=54, deny=True, why="acl-open/90")
    all_.net.statements.remove(leaving)
    all_.net.add(replace(leaving, rules=(denied, *leaving.rules)))
    lab.build(all_.net.statements, {all_.mirrored(MIRROR)})
    source, far = lab.ns("i-source"), lab.ns("i-far")
    with tap(lab.ns("i-target")) as copies, deaf(far, 53, END), deaf(source, 56, 57):
        send(source, "10.0.2.10", 52, 53, 54)
        send(far, SOURCE, 56, 57)
        send(source, "10.0.2.10", END)
        seen = [each.said for each in copies.until_end()]
    assert seen == [f"{SOURCE} 10.0.2.10 4000 53", f"10.0.2.10 {SOURCE} 4000 56"]


def test_a_source_does_not_hear_of_a_target_that_refuses(lab: Lab) -> None:
    """An ICMP error about a copy is no answer to anything that the source has sent."""
    all_ = world()
    entering = _filter(all_.net, "sg-source/in")
    all_.net.statements.remove(entering)
    all_.net.add(replace(entering, rules=()))
    lab.build(all_.net.statements, {all_.mirrored(MIRROR)})
    with (
        packets.sniffing(lab.ns("i-target"), "eth0") as at_target,
        packets.sniffing(lab.ns("i-source"), "eth0") as at_source,
        deaf(lab.ns("i-far"), 53),
    ):
        send(lab.ns("i-source"), "10.0.2.10", 53)
        assert at_target(b"x" * 10)
        assert not at_source(b"x" * 10, packets.SHORT)


def test_what_others_filters_refuse_was_sent(one_lab: Lab) -> None:
    all_ = world()
    far = _filter(all_.net, "sg-all/in")
    all_.net.statements.remove(far)
    all_.net.add(replace(far, rules=()))
    one_lab.build(all_.net.statements, {all_.mirrored(MIRROR)})
    with tap(one_lab.ns("i-target")) as copies:
        send(one_lab.ns("i-source"), "10.0.2.10", 53, END)
        assert [each.said for each in copies.until_end()] == [f"{SOURCE} 10.0.2.10 4000 53"]


def test_ipv6_is_copied_over_ipv4(lab: Lab) -> None:
    all_ = world(ipv6=True)
    near, far = "3fff:1:0:1::10", "3fff:1:0:2::10"
    lab.build(all_.net.statements, {all_.mirrored(MIRROR, ip6=near)})
    with (
        tap(lab.ns("i-target")) as copies,
        deaf(lab.ns("i-far"), 53, END, ip="::"),
        deaf(lab.ns("i-source"), 54, ip="::"),
    ):
        send(lab.ns("i-source"), far, 53)
        send(lab.ns("i-far"), near, 54)
        send(lab.ns("i-source"), far, END)
        seen = copies.until_end()
    assert [each.said for each in seen] == [f"{near} {far} 4000 53", f"{far} {near} 4000 54"]
    assert [each.packet.hlim for each in seen] == [64, 63]
    assert [each.ends[0] for each in seen] == [all_.source.mac, all_.segment.mac]


def test_conversations_with_the_resolver_are_copied_where_that_is_asked_for(lab: Lab) -> None:
    all_ = world()
    service = Service("vpc-1", "dns", "10.0.1.2", UDP, 53)
    mirror = replace(MIRROR, names=True, leaving=EVERYTHING[:0], entering=EVERYTHING[:0])
    plain, named = all_.mirrored(MIRROR), all_.mirrored(mirror)
    lab.build(all_.net.statements, {service, plain})
    client = packets.make(lab.ns("i-source"), socket.SOCK_DGRAM)
    with lab.engine.listen(service) as server, tap(lab.ns("i-target")) as copies, client:
        client.bind((SOURCE, 4000))
        server.settimeout(packets.LONG)

        def ask() -> None:
            client.sendto(b"question", ("10.0.1.2", 53))
            assert server.recvfrom(100)[0] == b"question"
            server.sendto(b"answer", (SOURCE, 4000))
            assert client.recv(100) == b"answer"

        ask()
        assert copies.next(packets.SHORT) is None
        lab.replace(plain, named)
        ask()
        seen = [copies.next(), copies.next()]
    assert [each and each.said for each in seen] == [
        f"{SOURCE} 10.0.1.2 4000 53",
        f"10.0.1.2 {SOURCE} 53 4000",
    ]
    assert [each and each.packet.ttl for each in seen] == [64, 64]


def test_copying_outlives_the_daemon_and_ends_at_once(lab: Lab) -> None:
    all_ = world()
    mirrored = all_.mirrored(MIRROR)
    lab.build(all_.net.statements, {mirrored})
    lab.adopt()
    drift = lab.engine.drift(lab.statements)
    assert (drift.put, drift.drop) == (set(), set())
    with tap(lab.ns("i-target")) as copies, deaf(lab.ns("i-far"), 53, END):
        send(lab.ns("i-source"), "10.0.2.10", 53, END)
        assert len(copies.until_end()) == 1
        lab.change(remove=[mirrored])
        send(lab.ns("i-source"), "10.0.2.10", 53)
        assert copies.next(packets.SHORT) is None
    router = lab.ns("vpc-1")
    links = packets.sh(router, "ip", "-o", "link")
    assert "tms-" not in links
    tables = packets.sh(router, "nft", "list", "tables").splitlines()
    assert sorted(tables) == ["table bridge gureum", "table inet gureum"]


def test_a_program_that_somebody_took_away_is_put_back(one_lab: Lab) -> None:
    all_ = world()
    one_lab.build(all_.net.statements, {all_.mirrored(MIRROR)})
    router, link = one_lab.ns("vpc-1"), "n-456789abcdef0"
    packets.sh(router, "tc", "qdisc", "del", "dev", link, "clsact")
    assert {item.key[0] for item in one_lab.engine.drift(one_lab.statements).put} == {"copier"}
    one_lab.engine.sync(one_lab.statements)
    with tap(one_lab.ns("i-target")) as copies, deaf(one_lab.ns("i-far"), 53, END):
        send(one_lab.ns("i-source"), "10.0.2.10", 53, END)
        assert len(copies.until_end()) == 1


def test_nobody_puts_packets_into_a_mirror_or_speaks_for_it(lab: Lab) -> None:
    all_ = world()
    lab.build(all_.net.statements, {all_.mirrored(MIRROR)})
    near, router = lab.ns("i-near"), all_.segment.mac
    hop = f"24{(MIRROR.slot << 2 | 1) >> 24}." + ".".join(
        str((MIRROR.slot << 2 | 1) >> shift & 255) for shift in (16, 8, 0)
    )
    mac = packets.sh(lab.ns("vpc-1"), "nft", "list", "set", "bridge", "gureum", "stations")
    sender = next(word for word in mac.replace(",", " ").split() if word.startswith("0e:"))
    forged = packets.ipv4(SOURCE, TARGET, b"forged", port=4789)
    own = packets.ipv4("10.0.1.20", hop, b"to the hop", port=53)
    with tap(lab.ns("i-target")) as copies, deaf(lab.ns("i-far"), END):
        packets.send_frame(near, "eth0", packets.ethernet(router, sender, 0x0800, forged))
        packets.send_frame(near, "eth0", packets.ethernet(router, all_.near.mac, 0x0800, forged))
        packets.send_frame(near, "eth0", packets.ethernet(router, all_.near.mac, 0x0800, own))
        for how in (1, 2, 3):
            frame = packets.ethernet(f"0e:00:00:00:00:0{how}", all_.near.mac, 0x0800, own)
            packets.send_frame(near, "eth0", frame)
        send(lab.ns("i-source"), "10.0.2.10", END)
        assert copies.until_end() == []


def test_flow_logs_leave_copies_out(one_lab: Lab) -> None:
    all_ = world()
    one_lab.build(all_.net.statements, {all_.mirrored(MIRROR)})
    meter = FlowMeter(one_lab.tag)
    guards = [each for each in all_.net.statements if isinstance(each, Guard)]
    meter.watch("vpc-1", [Recorded(each.port, each.addresses) for each in guards])
    with tap(one_lab.ns("i-target")) as copies, deaf(one_lab.ns("i-far"), 53, END):
        send(one_lab.ns("i-source"), "10.0.2.10", 53, END)
        assert len(copies.until_end()) == 1
    flows = meter.read("vpc-1").flows
    meter.close()
    assert sorted((flow.interface, flow.dport, flow.packets) for flow in flows) == [
        ("eni-far", 53, 1),
        ("eni-far", END, 1),
        ("eni-source", 53, 1),
        ("eni-source", END, 1),
    ]
