"""Frames in a switch and in a hub, captured at every port: who hears what, what is learned."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import replace

import pytest

from gureum.engines.linux.names import segment_link
from gureum.program import Address, Guard, Port, SegmentMode, Statement
from gureum.program.statements import Mode
from gureum.server.console_segment import AGEING
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow

pytestmark = pytest.mark.kernel

IPV4 = 0x0800
BRIDGE = segment_link("subnet-a")
IPS = {"one": "10.0.1.10", "two": "10.0.1.20", "third": "10.0.1.30", "shut": "10.0.1.40"}
UNKNOWN, EVERYBODY = "02:00:00:00:99:99", "ff:ff:ff:ff:ff:ff"


def mac(name: str) -> str:
    """The link-layer address of a station."""
    return "02:01:" + packets.address(IPS[name]).hex(":")


def build(lab: Lab, mode: Mode) -> Net:
    """Four stations in one segment; the group of the last admits nobody."""
    net = Net()
    segment = net.segment("a", "10.0.1.0/24", mode)
    net.group("sg-open", [allow()])
    net.group("sg-closed")
    for name, ip in IPS.items():
        net.instance(name, segment, ip, "sg-closed" if name == "shut" else "sg-open")
    lab.build(net.statements)
    return net


def change(lab: Lab, mode: Mode) -> None:
    """Carry frames in another way, as a changed tag does."""
    old = {each for each in lab.statements if isinstance(each, SegmentMode)}
    lab.change({replace(each, mode=mode) for each in old}, old)


class Frames:
    """Sends frames with running numbers, and tells at which ports each came out.  Nobody answers
    them: an answer would teach the bridge where its sender is."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.sent = lab, 0

    def heard(
        self, sender: str, to: str, expected: set[str], source: str = "", ip: str = ""
    ) -> set[str]:
        """Who hears a frame of a station to a station or link-layer address; ``expected`` decides
        how long each is waited for."""
        self.sent += 1
        marker = b"frame-%d." % self.sent
        target = ip or IPS.get(to, IPS["two"])
        body = packets.ipv4(IPS[sender], target, marker)
        address = mac(to) if to in IPS else to
        frame = packets.ethernet(address, mac(source or sender), IPV4, body)
        saws: dict[str, packets.Heard] = {}
        with ExitStack() as stack:
            for name in IPS:
                ns = self.lab.ns(f"i-{name}")
                deaf = stack.enter_context(packets.make(ns, socket.SOCK_DGRAM))
                deaf.bind(("0.0.0.0", 9))
                if name != sender:
                    saws[name] = stack.enter_context(packets.sniffing(ns, "eth0"))
            packets.send_frame(self.lab.ns(f"i-{sender}"), "eth0", frame)
            first = sorted(saws, key=lambda name: name not in expected)
            return {
                name
                for name in first
                if saws[name](marker, packets.LONG if name in expected else packets.SHORT)
            }


def learned(lab: Lab) -> dict[str, str]:
    """What the bridge has learned: station by link-layer address."""
    rows = lab.engine.tables("mac", "subnet-a")
    return {str(row["mac"]): str(row["link"]) for row in rows if row["kind"] == "learned"}


def test_the_first_frame_to_a_station_is_flooded_and_the_next_are_not(one_lab: Lab) -> None:
    build(one_lab, "switch")
    frames = Frames(one_lab)
    others = {"two", "third", "shut"}
    assert learned(one_lab) == {}
    assert frames.heard("one", "two", others) == others
    assert learned(one_lab) == {mac("one"): "eni-one"}, "the sender is known, the addressee is not"
    assert frames.heard("one", "two", others) == others
    assert frames.heard("two", "one", {"one"}) == {"one"}
    assert frames.heard("one", "two", {"two"}) == {"two"}
    assert learned(one_lab) == {mac("one"): "eni-one", mac("two"): "eni-two"}
    assert frames.heard("one", UNKNOWN, others) == others
    assert frames.heard("two", EVERYBODY, {"one", "third", "shut"}) == {"one", "third", "shut"}


def test_a_switch_forgets_who_is_silent(one_lab: Lab) -> None:
    build(one_lab, "switch")
    frames = Frames(one_lab)
    router = one_lab.ns("vpc-1")
    (shown,) = json.loads(packets.sh(router, "ip", "-j", "-d", "link", "show", BRIDGE))
    assert shown["linkinfo"]["info_data"]["ageing_time"] == AGEING * 100
    frames.heard("two", EVERYBODY, {"one", "third", "shut"})
    assert frames.heard("one", "two", {"two"}) == {"two"}
    packets.sh(router, "ip", "link", "set", BRIDGE, "type", "bridge", "ageing_time", "100")
    assert packets.eventually(lambda: learned(one_lab) == {}, 10)
    assert frames.heard("one", "two", {"two", "third", "shut"}) == {"two", "third", "shut"}


def test_a_station_that_sends_from_another_port_is_found_there(one_lab: Lab) -> None:
    """Two ports with one link-layer address stand for a station that was plugged over."""
    net = build(one_lab, "switch")
    moved = next(s for s in net.statements if isinstance(s, Port) and s.id == "eni-third")
    parts = {s for s in net.statements if isinstance(s, (Address, Guard)) and s.port == moved}
    twin = replace(moved, mac=mac("two"))
    new: set[Statement] = {twin, *(replace(each, port=twin) for each in parts)}
    one_lab.change(new, {moved, *parts})
    frames = Frames(one_lab)
    frames.heard("two", EVERYBODY, {"one", "third", "shut"})
    assert learned(one_lab)[mac("two")] == "eni-two"
    assert frames.heard("one", "two", {"two"}) == {"two"}
    everybody = {"one", "two", "shut"}
    frames.heard("third", EVERYBODY, everybody, source="two")
    assert learned(one_lab)[mac("two")] == "eni-third"
    assert frames.heard("one", "two", {"third"}, ip=IPS["third"]) == {"third"}


def test_an_interface_on_another_host_is_found_there(one_lab: Lab) -> None:
    net = build(one_lab, "switch")
    segment = next(s.segment for s in net.statements if isinstance(s, SegmentMode))
    before = set(net.statements)
    port = net.instance("extra", segment, "10.0.1.50", "sg-open", host="i-two", index=1)
    one_lab.change(net.statements - before)
    address = port.mac
    frame = packets.ethernet(EVERYBODY, address, IPV4, packets.ipv4("10.0.1.50", IPS["one"], b"x"))
    packets.send_frame(one_lab.ns("i-two"), "eth1", frame)
    assert packets.eventually(lambda: address in learned(one_lab))
    moved = replace(port, host="i-third")
    parts = {s for s in one_lab.statements if isinstance(s, (Address, Guard)) and s.port == port}
    one_lab.change({moved, *(replace(s, port=moved) for s in parts)}, {port, *parts})
    assert address not in learned(one_lab), "what was behind the old cable is forgotten"
    with packets.sniffing(one_lab.ns("i-third"), "eth1") as saw:
        body = packets.ipv4(IPS["one"], "10.0.1.50", b"found")
        frame = packets.ethernet(address, mac("one"), IPV4, body)
        packets.send_frame(one_lab.ns("i-one"), "eth0", frame)
        assert saw(b"found")


def test_nobody_teaches_a_switch_another_s_address(one_lab: Lab) -> None:
    build(one_lab, "switch")
    frames = Frames(one_lab)
    frames.heard("two", EVERYBODY, {"one", "third", "shut"})
    assert frames.heard("third", EVERYBODY, set(), source="two") == set()
    assert learned(one_lab)[mac("two")] == "eni-two"
    assert frames.heard("one", "two", {"two"}) == {"two"}


def test_a_hub_learns_nothing_and_repeats_all(one_lab: Lab) -> None:
    build(one_lab, "hub")
    frames = Frames(one_lab)
    for _ in range(2):
        for sender, to in (("one", "two"), ("two", "one"), ("shut", "third")):
            others = set(IPS) - {sender}
            assert frames.heard(sender, to, others) == others
    assert frames.heard("one", UNKNOWN, {"two", "third", "shut"}) == {"two", "third", "shut"}
    assert learned(one_lab) == {}


def test_what_a_station_sends_to_the_router_only_the_router_hears(one_lab: Lab) -> None:
    """Unlike at a real hub (docs/limits.md): the bridge takes in what is its own."""
    net = build(one_lab, "hub")
    segment = next(s.segment for s in net.statements if isinstance(s, SegmentMode))
    frames = Frames(one_lab)
    assert frames.heard("one", segment.mac, set(), ip="198.18.0.1") == set()


def test_a_third_station_at_a_hub_reads_a_conversation(one_lab: Lab) -> None:
    build(one_lab, "hub")
    one, two = one_lab.ns("i-one"), one_lab.ns("i-two")
    with (
        packets.sniffing(one_lab.ns("i-third"), "eth0") as saw,
        packets.connection(one, IPS["two"], two, 80) as (client, server, _),
    ):
        client.sendall(b"what is the password")
        assert server.recv(100) == b"what is the password"
        assert saw(b"what is the password")
        server.sendall(b"open sesame")
        assert client.recv(100) == b"open sesame"
        assert saw(b"open sesame")


def test_modes_follow_each_other_at_once(one_lab: Lab) -> None:
    build(one_lab, "switch")
    frames = Frames(one_lab)
    others = {"two", "third", "shut"}
    frames.heard("two", EVERYBODY, {"one", "third", "shut"})
    assert frames.heard("one", "two", {"two"}) == {"two"}
    change(one_lab, "hub")
    assert frames.heard("one", "two", others) == others, "what it had learned is forgotten"
    change(one_lab, "fabric")
    assert frames.heard("one", "two", {"two"}) == {"two"}
    assert frames.heard("one", UNKNOWN, set()) == set()
    change(one_lab, "switch")
    assert frames.heard("one", "two", others) == others
    assert not one_lab.engine.drift(one_lab.statements)


def test_groups_and_acls_are_asked_in_every_mode(lab: Lab) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24", acl="acl-narrow")
    net.acl("acl-narrow", [allow(protocol=6), allow(protocol=1)], [allow()])
    net.group("sg-open", [allow()])
    net.group("sg-web", [allow(protocol=6, ports=80)])
    net.instance("one", a, IPS["one"], "sg-open")
    net.instance("web", a, IPS["two"], "sg-web")
    net.instance("far", net.segment("b", "10.0.2.0/24"), "10.0.2.10", "sg-open")
    lab.build(net.statements)
    modes: tuple[Mode, ...] = ("switch", "hub", "fabric")
    for mode in modes:
        change(lab, mode)
        lab.check("""
            one web tcp/80 pass
            one web tcp/81 drop
            one web icmp   drop
            far web tcp/80 pass
            far web tcp/81 drop
            far one icmp   pass
            far one udp/53 drop  # the ACL
        """)


@pytest.mark.parametrize("mode", ["switch", "hub"])
def test_between_isolated_ports_nothing_is_flooded(mode: Mode) -> None:
    """No frame goes from port to port there: the router carries packets (docs/limits.md)."""
    lab = Lab("isolated")
    try:
        build(lab, mode)
        assert Frames(lab).heard("one", UNKNOWN, set()) == set()
        lab.check("one two icmp pass")
    finally:
        assert lab.close() == []
