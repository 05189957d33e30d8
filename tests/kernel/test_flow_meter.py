"""What the flow meter tells of real packets, compared with what was sent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gureum.engines.flows import Flow
from gureum.engines.linux.flow_meter import FlowMeter
from gureum.program import Filter, Guard, Recorded, ViaUplink
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, Net, allow, internet

pytestmark = pytest.mark.kernel

TCP, UDP, ICMP = 6, 17, 1


@pytest.fixture
def meter(lab: Lab) -> Iterator[FlowMeter]:
    made = FlowMeter(lab.tag)
    yield made
    made.close()


def recorded(net: Net, *names: str) -> list[Recorded]:
    """All ports of a network, or those of some instances."""
    guards = [each for each in net.statements if isinstance(each, Guard)]
    return [
        Recorded(each.port, each.addresses)
        for each in guards
        if not names or each.port.id.removeprefix("eni-") in names
    ]


def _told(flow: Flow) -> str:
    side = "in" if flow.inward else "out"
    verdict = "ACCEPT" if flow.accepted else "REJECT"
    ends = f"{flow.source} {flow.target} {flow.sport} {flow.dport} {flow.protocol}"
    return f"{flow.interface} {side} {ends} {flow.packets} {flow.octets} {verdict}"


def _send_udp(lab: Lab, sender: str, ip: str, sport: int, dport: int, *sizes: int) -> None:
    with packets.make(lab.ns(sender), socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", sport))
        for size in sizes:
            sock.sendto(b"x" * size, (ip, dport))


def test_each_interface_has_its_own_record_of_each_direction(lab: Lab, meter: FlowMeter) -> None:
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-all", [allow(protocol=UDP, ports=53)])
    net.instance("one", a, "10.0.1.10", "sg-all")
    net.instance("two", a, "10.0.1.20", "sg-all")
    net.instance("far", b, "10.0.2.10", "sg-all")
    lab.build(net.statements)
    meter.watch("vpc-1", recorded(net))
    begun = time.time()
    _send_udp(lab, "i-one", "10.0.1.20", 4000, 53, 10, 100)
    _send_udp(lab, "i-one", "10.0.2.10", 4001, 53, 7)
    _send_udp(lab, "i-one", "10.0.2.10", 4002, 54, 30, 30, 30)
    flows = meter.read("vpc-1").flows
    assert sorted(_told(flow) for flow in flows if flow.protocol == UDP) == [
        "eni-far in 10.0.1.10 10.0.2.10 4001 53 17 1 35 ACCEPT",
        "eni-far in 10.0.1.10 10.0.2.10 4002 54 17 3 174 REJECT",
        "eni-one out 10.0.1.10 10.0.1.20 4000 53 17 2 166 ACCEPT",
        "eni-one out 10.0.1.10 10.0.2.10 4001 53 17 1 35 ACCEPT",
        "eni-one out 10.0.1.10 10.0.2.10 4002 54 17 3 174 ACCEPT",
        "eni-two in 10.0.1.10 10.0.1.20 4000 53 17 2 166 ACCEPT",
    ]
    assert all(begun - 0.1 <= flow.begin <= flow.end <= time.time() + 0.1 for flow in flows)
    assert meter.read("vpc-1").flows == ()


def test_tcp_flags_are_told_and_a_refused_opening_is_refused_where_it_was(
    lab: Lab, meter: FlowMeter
) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-web", [allow(protocol=TCP, ports=80)])
    net.instance("client", a, "10.0.1.10", "sg-web")
    net.instance("server", a, "10.0.1.20", "sg-web")
    lab.build(net.statements)
    meter.watch("vpc-1", recorded(net))
    client, server = lab.ns("i-client"), lab.ns("i-server")
    with packets.connection(client, "10.0.1.20", server, 80) as (near, far, _):
        assert packets.alive(near, far)
        port = near.getsockname()[1]
        near.shutdown(socket.SHUT_RDWR)
        assert far.recv(10) == b""
    assert packets.tcp(client, "10.0.1.20", 81, patience=packets.SHORT) == packets.TIMEOUT
    packets.sh(lab.ns("vpc-1"), "nft", "list", "ruleset")  # nft 1.0.6 can read what is counted
    lab.engine.sync(lab.statements)
    flows = [flow for flow in meter.read("vpc-1").flows if flow.protocol == TCP]
    known = {
        (flow.interface, flow.inward, flow.accepted, flow.sport): flow
        for flow in flows
        if port in (flow.sport, flow.dport)
    }
    assert {key: flow.tcp_flags for key, flow in known.items()} == {
        ("eni-client", False, True, port): 3,  # SYN, FIN
        ("eni-server", True, True, port): 3,
        ("eni-server", False, True, 80): 19,  # SYN+ACK, FIN
        ("eni-client", True, True, 80): 19,
    }
    for first, second in (("client", "server"), ("server", "client")):
        sent = next(f for (eni, inward, *_), f in known.items()
                    if eni == f"eni-{first}" and not inward)  # fmt: skip
        came = next(f for (eni, inward, *_), f in known.items()
                    if eni == f"eni-{second}" and inward)  # fmt: skip
        assert (sent.packets, sent.octets) == (came.packets, came.octets)
        assert sent.packets >= 3
    refused = [flow for flow in flows if 81 in (flow.sport, flow.dport)]
    verdicts = [(flow.interface, flow.accepted, flow.tcp_flags) for flow in refused]
    assert sorted(verdicts) == [("eni-client", True, 2), ("eni-server", False, 2)]


def test_an_acl_refuses_answers_that_a_group_lets_pass(lab: Lab, meter: FlowMeter) -> None:
    """Flow log record examples of the VPC User Guide: "Security group and network ACL rules"."""
    net = Net()
    open_ = [allow(why="acl-x/100")]
    net.acl("acl-x", open_, [allow(protocol=ICMP, deny=True, why="acl-x/90"), *open_])
    net.acl("acl-y", [allow(protocol=UDP, deny=True, why="acl-y/90"), *open_], open_)
    a = net.segment("a", "10.0.1.0/24")
    b = net.segment("b", "10.0.2.0/24", acl="acl-x")
    c = net.segment("c", "10.0.3.0/24", acl="acl-y")
    net.group("sg-all", [allow()])
    net.instance("one", a, "10.0.1.10", "sg-all")
    net.instance("quiet", b, "10.0.2.10", "sg-all")
    net.instance("shut", c, "10.0.3.10", "sg-all")
    lab.build(net.statements)
    meter.watch("vpc-1", recorded(net))
    assert packets.ping(lab.ns("i-one"), "10.0.2.10", size=56, patience=packets.SHORT) == "timeout"
    _send_udp(lab, "i-one", "10.0.3.10", 4000, 53, 100)
    assert sorted(_told(flow) for flow in meter.read("vpc-1").flows) == [
        "eni-one out 10.0.1.10 10.0.2.10 0 0 1 1 84 ACCEPT",
        "eni-one out 10.0.1.10 10.0.3.10 4000 53 17 1 128 ACCEPT",
        "eni-quiet in 10.0.1.10 10.0.2.10 0 0 1 1 84 ACCEPT",
        "eni-quiet out 10.0.2.10 10.0.1.10 0 0 1 1 84 REJECT",
        "eni-shut in 10.0.1.10 10.0.3.10 4000 53 17 1 128 REJECT",
    ]


def test_a_nat_gateway_has_records_of_both_its_sides(one_lab: Lab) -> None:
    net = Net()
    inside, outside = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-all", [])
    net.instance("one", inside, "10.0.1.10", "sg-all")
    door = net.gateway("1")
    net.route("a", ANY, net.nat("1", outside, "10.0.2.5"))
    net.route("b", ANY, ViaUplink(door))
    net.public(door, "10.0.2.5", "198.18.0.1")
    one_lab.build(net.statements, internet())
    meter = FlowMeter(one_lab.tag)
    meter.watch("vpc-1", recorded(net))
    with (
        packets.make(one_lab.ns("me"), socket.SOCK_DGRAM) as far,
        packets.make(one_lab.ns("i-one"), socket.SOCK_DGRAM) as near,
    ):
        far.bind(("198.19.0.10", 53))
        near.bind(("10.0.1.10", 4000))
        near.sendto(b"question", ("198.19.0.10", 53))
        question, sender = far.recvfrom(100)
        assert (question, sender) == (b"question", ("198.18.0.1", 4000))
        far.sendto(b"an answer", sender)
        assert near.recv(100) == b"an answer"
    flows = meter.read("vpc-1").flows
    meter.close()
    assert sorted(_told(flow) for flow in flows) == [
        "eni-1 in 10.0.1.10 198.19.0.10 4000 53 17 1 36 ACCEPT",
        "eni-1 in 198.19.0.10 10.0.2.5 53 4000 17 1 37 ACCEPT",
        "eni-1 out 10.0.2.5 198.19.0.10 4000 53 17 1 36 ACCEPT",
        "eni-1 out 198.19.0.10 10.0.1.10 53 4000 17 1 37 ACCEPT",
        "eni-one in 198.19.0.10 10.0.1.10 53 4000 17 1 37 ACCEPT",
        "eni-one out 10.0.1.10 198.19.0.10 4000 53 17 1 36 ACCEPT",
    ]
    ways = {(flow.interface, flow.source): flow.way for flow in flows if not flow.inward}
    assert ways == {
        ("eni-one", "10.0.1.10"): "local",
        ("eni-1", "10.0.2.5"): "gateway",
        ("eni-1", "198.19.0.10"): "local",
    }


def test_ipv6(lab: Lab, meter: FlowMeter) -> None:
    net = Net(cidr6="3fff:1::/56")
    a = net.segment("a", "10.0.1.0/24", cidr6="3fff:1:0:1::/64")
    b = net.segment("b", "10.0.2.0/24", cidr6="3fff:1:0:2::/64")
    net.group("sg-all", [allow("::/0", protocol=58)])
    net.instance("one", a, "10.0.1.10", "sg-all", ip6="3fff:1:0:1::10")
    net.instance("two", b, "10.0.2.10", "sg-all", ip6="3fff:1:0:2::10")
    lab.build(net.statements)
    meter.watch("vpc-1", recorded(net))
    assert packets.ping(lab.ns("i-one"), "3fff:1:0:2::10", patience=packets.LONG) == "reply"
    assert sorted(_told(flow) for flow in meter.read("vpc-1").flows) == [
        "eni-one in 3fff:1:0:2::10 3fff:1:0:1::10 0 0 58 1 56 ACCEPT",
        "eni-one out 3fff:1:0:1::10 3fff:1:0:2::10 0 0 58 1 56 ACCEPT",
        "eni-two in 3fff:1:0:1::10 3fff:1:0:2::10 0 0 58 1 56 ACCEPT",
        "eni-two out 3fff:1:0:2::10 3fff:1:0:1::10 0 0 58 1 56 ACCEPT",
    ]


def test_readings_lose_nothing_count_nothing_twice_and_refuse_nothing(lab: Lab) -> None:
    """Also where one process stops reading and another one goes on."""
    net = Net()
    a, b = net.segment("a", "10.0.1.0/24"), net.segment("b", "10.0.2.0/24")
    net.group("sg-all", [allow(protocol=UDP)])
    net.instance("one", a, "10.0.1.10", "sg-all")
    net.instance("two", b, "10.0.2.10", "sg-all")
    lab.build(net.statements)
    sent, counted, refused, readers = 0, {"eni-one": 0, "eni-two": 0}, 0, 4
    with packets.make(lab.ns("i-two"), socket.SOCK_DGRAM) as receiver:
        receiver.bind(("10.0.2.10", 53))
        with packets.make(lab.ns("i-one"), socket.SOCK_DGRAM) as sender:
            sender.bind(("10.0.1.10", 4000))
            done = threading.Event()

            def send() -> None:
                nonlocal sent
                while not done.is_set():
                    sender.sendto(b"x", ("10.0.2.10", 53))
                    sent += 1

            thread: threading.Thread | None = None
            for reader in range(readers):
                meter = FlowMeter(lab.tag)
                meter.watch("vpc-1", recorded(net))
                if thread is None:
                    thread = threading.Thread(target=send)
                    thread.start()
                for _ in range(5):
                    if reader == readers - 1 and not done.is_set():
                        done.set()
                        thread.join()
                    for flow in meter.read("vpc-1").flows:
                        counted[flow.interface] += flow.packets
                        refused += not flow.accepted
                meter.close()
    assert sent > 100
    assert counted == {"eni-one": sent, "eni-two": sent}
    assert refused == 0


def test_where_nothing_is_recorded_there_is_nothing(one_lab: Lab) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-all", [allow(protocol=UDP)])
    net.instance("one", a, "10.0.1.10", "sg-all")
    net.instance("two", a, "10.0.1.20", "sg-all")
    one_lab.build(net.statements)
    meter = FlowMeter(one_lab.tag)
    router = one_lab.ns("vpc-1")

    def tables() -> str:
        return packets.sh(router, "nft", "list", "tables")

    meter.watch("vpc-1", ())
    assert "flows" not in tables()
    meter.watch("vpc-1", recorded(net, "two"))
    one_lab.engine.sync(one_lab.statements)  # a pass of the engine leaves it alone
    assert "table inet gureum-flows" in tables()
    _send_udp(one_lab, "i-one", "10.0.1.20", 4000, 53, 1)
    told = [_told(flow) for flow in meter.read("vpc-1").flows if flow.protocol == UDP]
    assert told == ["eni-two in 10.0.1.10 10.0.1.20 4000 53 17 1 29 ACCEPT"]
    meter.watch("vpc-1", recorded(net, "one"))
    _send_udp(one_lab, "i-one", "10.0.1.20", 4000, 53, 1)
    told = [_told(flow) for flow in meter.read("vpc-1").flows if flow.protocol == UDP]
    assert told == ["eni-one out 10.0.1.10 10.0.1.20 4000 53 17 1 29 ACCEPT"]
    assert meter.leftovers() == ["vpc-1"]
    meter.watch("vpc-1", ())
    assert "flows" not in tables()
    assert meter.leftovers() == []
    meter.close()


def test_a_flow_that_is_refused_half_way_has_two_records(lab: Lab, meter: FlowMeter) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-all", [allow(protocol=UDP, untracked=True)], [allow(untracked=True)])
    net.instance("one", a, "10.0.1.10", "sg-all")
    net.instance("two", a, "10.0.1.20", "sg-all")
    lab.build(net.statements)
    meter.watch("vpc-1", recorded(net, "two"))
    (rules,) = (each for each in net.statements if getattr(each, "id", "") == "sg-all/in")
    assert isinstance(rules, Filter)
    _send_udp(lab, "i-one", "10.0.1.20", 4000, 53, 10)
    lab.replace(rules, replace(rules, rules=()))
    _send_udp(lab, "i-one", "10.0.1.20", 4000, 53, 100, 100)
    told = sorted(_told(flow) for flow in meter.read("vpc-1").flows if flow.protocol == UDP)
    assert told == [
        "eni-two in 10.0.1.10 10.0.1.20 4000 53 17 1 38 ACCEPT",
        "eni-two in 10.0.1.10 10.0.1.20 4000 53 17 2 256 REJECT",
    ]


def test_interfaces_come_and_go_and_another_process_goes_on(one_lab: Lab) -> None:
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-all", [allow(protocol=UDP)])
    for number in (1, 2, 3):
        net.instance(f"n{number}", a, f"10.0.1.{number}0", "sg-all")
    one_lab.build(net.statements)
    one, two, three = (recorded(net, f"n{number}")[0] for number in (1, 2, 3))

    meter = FlowMeter(one_lab.tag)

    def told() -> list[tuple[str, int]]:
        _send_udp(one_lab, "i-n1", "10.0.1.20", 4000, 53, 1)
        _send_udp(one_lab, "i-n1", "10.0.1.30", 4000, 53, 1, 1)
        flows = [flow for flow in meter.read("vpc-1").flows if flow.protocol == UDP]
        return sorted((flow.interface, flow.packets) for flow in flows)

    meter.change("vpc-1", [three, one], [])
    assert told() == [("eni-n1", 1), ("eni-n1", 2), ("eni-n3", 2)]
    meter.change("vpc-1", [two], [one])
    assert told() == [("eni-n2", 1), ("eni-n3", 2)]
    meter.change("vpc-1", [], [two])
    assert told() == [("eni-n3", 2)]
    meter.close()
    meter = FlowMeter(one_lab.tag)  # in the half that the first one has left
    meter.watch("vpc-1", [two, three])
    assert told() == [("eni-n2", 1), ("eni-n3", 2)]
    moved = replace(two, addresses=("10.0.1.20", "10.0.1.25"))
    meter.change("vpc-1", [moved], [two])
    assert told() == [("eni-n2", 1), ("eni-n3", 2)]
    meter.change("vpc-1", [], [moved, three])
    assert meter.leftovers() == []
    meter.close()
