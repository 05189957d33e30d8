"""What the flow meter tells of packets through a transit gateway, compared with what was sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gureum.engines.flows import Flow
from gureum.engines.linux.flow_meter import FlowMeter
from gureum.program import Blackhole, RecordedLink, Route
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.mirrors import send
from tests.kernel.test_transit_gateway import CIDRS, HUB, MAIN, known, link, net

pytestmark = pytest.mark.kernel

UDP = 17


@pytest.fixture
def meter(one_lab: Lab) -> Iterator[FlowMeter]:
    nets = [net(number)[0].statements for number in CIDRS]
    hole = Route(MAIN, "10.7.0.0/16", Blackhole(""))
    one_lab.build(*nets, known(1, 2, 3), {hole})
    made = FlowMeter(one_lab.tag)
    made.watch(HUB, [RecordedLink(link(number).id, HUB) for number in (1, 2)])
    yield made
    made.close()


def told(flow: Flow) -> str:
    side = "in" if flow.inward else "out"
    verdict = "passed" if flow.accepted else "expired" if flow.expired else "lost"
    ends = f"{flow.source} {flow.target} {flow.sport} {flow.dport}"
    return f"{flow.interface[-1]} {side} {ends} {flow.packets} {flow.octets} {verdict}"


def test_what_passes_is_told_of_both_its_attachments(one_lab: Lab, meter: FlowMeter) -> None:
    send(one_lab.ns("i-host1"), "10.1.1.10", 53, 53, 54)
    send(one_lab.ns("i-host22"), "10.2.1.10", 53)
    assert sorted(told(flow) for flow in meter.read(HUB).flows) == [
        "1 in 10.0.1.10 10.1.1.10 4000 53 2 76 passed",
        "1 in 10.0.1.10 10.1.1.10 4000 54 1 38 passed",
        "2 in 10.1.1.10 10.2.1.10 4000 53 1 38 passed",
        "2 out 10.0.1.10 10.1.1.10 4000 53 2 76 passed",
        "2 out 10.0.1.10 10.1.1.10 4000 54 1 38 passed",
    ]
    assert meter.read(HUB).flows == ()


def test_what_has_no_way_or_no_time_is_told_as_lost(one_lab: Lab, meter: FlowMeter) -> None:
    source = one_lab.ns("i-host1")
    send(source, "10.9.0.1", 53)
    send(source, "10.7.0.1", 53, 53)
    with packets.make(source, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 2)
        sock.bind(("0.0.0.0", 4000))
        sock.sendto(b"x" * 10, ("10.1.1.10", 53))
    send(source, "10.1.1.10", 53)
    assert sorted(told(flow) for flow in meter.read(HUB).flows) == [
        "1 in 10.0.1.10 10.1.1.10 4000 53 1 38 expired",
        "1 in 10.0.1.10 10.1.1.10 4000 53 1 38 passed",
        "1 in 10.0.1.10 10.7.0.1 4000 53 2 76 lost",
        "1 in 10.0.1.10 10.9.0.1 4000 53 1 38 lost",
        "2 out 10.0.1.10 10.1.1.10 4000 53 1 38 passed",
    ]


def test_counting_changes_no_route(one_lab: Lab, meter: FlowMeter) -> None:
    one_lab.check("""
        host1  host22 icmp   pass
        host1  host33 tcp/80 pass
        host33 host22 tcp/81 drop
    """)
    assert one_lab.engine.drift(one_lab.statements).put == set()


def test_another_process_goes_on_where_one_was_killed(one_lab: Lab, meter: FlowMeter) -> None:
    send(one_lab.ns("i-host1"), "10.1.1.10", 53)
    later = FlowMeter(one_lab.tag)
    assert later.leftovers() == [HUB]
    later.watch(HUB, [RecordedLink(link(1).id, HUB)])
    send(one_lab.ns("i-host1"), "10.1.1.10", 53)
    assert [told(flow) for flow in later.read(HUB).flows] == [
        "1 in 10.0.1.10 10.1.1.10 4000 53 2 76 passed"
    ]
    later.change(HUB, (), [RecordedLink(link(1).id, HUB)])
    assert later.leftovers() == []
    later.close()
