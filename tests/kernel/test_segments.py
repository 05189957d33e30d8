"""How a segment carries frames: as a fabric, a switch or a hub, seen by a third station."""

from __future__ import annotations

import pytest

from gureum.program import SegmentMode
from gureum.program.statements import Mode
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow

pytestmark = pytest.mark.kernel

UNKNOWN = "02:00:00:00:99:99"
IPV4 = 0x0800


def _build(lab: Lab, mode: Mode) -> Net:
    net = Net()
    a = net.segment("a", "10.0.1.0/24", mode)
    b = net.segment("b", "10.0.2.0/24", mode)
    net.group("sg-open", [allow()])
    net.group("sg-closed")
    for name, ip in (("one", "10.0.1.10"), ("two", "10.0.1.20"), ("third", "10.0.1.30")):
        net.instance(name, a, ip, "sg-open")
    net.instance("shut", a, "10.0.1.40", "sg-closed")
    net.instance("far", b, "10.0.2.10", "sg-open")
    lab.build(net.statements)
    return net


def _third_hears(lab: Lab, to: str, marker: bytes, patience: float = packets.LONG) -> bool:
    """Whether a frame from one to a link address comes to the third station's link."""
    frame = packets.ethernet(
        to, "02:01:0a:00:01:0a", IPV4, packets.ipv4("10.0.1.10", "10.0.1.20", marker)
    )
    with packets.sniffing(lab.ns("i-third"), "eth0") as saw:
        packets.send_frame(lab.ns("i-one"), "eth0", frame)
        return saw(marker, patience)


@pytest.mark.parametrize("mode", ["fabric", "switch", "hub"])
def test_the_filters_hold_in_every_mode(lab: Lab, mode: Mode) -> None:
    _build(lab, mode)
    lab.check("""
        one two   icmp   pass
        two third tcp/80 pass
        one shut  icmp   drop
        one far   icmp   pass
        far one   tcp/80 pass
        far shut  icmp   drop
    """)
    assert packets.hops(lab.ns("i-one"), "10.0.1.20") == ["10.0.1.20"]


def test_a_fabric_floods_nothing(lab: Lab) -> None:
    _build(lab, "fabric")
    assert not _third_hears(lab, "02:01:0a:00:01:14", b"to-two", packets.SHORT)
    assert not _third_hears(lab, UNKNOWN, b"to-nobody", packets.SHORT)
    assert not _third_hears(lab, "ff:ff:ff:ff:ff:ff", b"to-all", packets.SHORT)
    packets.sh(lab.ns("i-one"), "ip", "neigh", "flush", "all")
    with packets.sniffing(lab.ns("i-third"), "eth0") as saw:
        lab.check("one two icmp pass")
        assert not saw(packets.address("10.0.1.20"), packets.SHORT)  # nor the question who has it


def test_a_switch_floods_until_it_has_learned(one_lab: Lab) -> None:
    lab = one_lab
    _build(lab, "switch")
    assert _third_hears(lab, "02:01:0a:00:01:14", b"before")
    lab.check("two one icmp pass")  # now the switch knows where two is
    assert not _third_hears(lab, "02:01:0a:00:01:14", b"after", packets.SHORT)
    assert _third_hears(lab, UNKNOWN, b"to-nobody")


def test_a_hub_repeats_everything(one_lab: Lab) -> None:
    lab = one_lab
    _build(lab, "hub")
    lab.check("""
        two one icmp pass
        one two icmp pass
    """)
    assert _third_hears(lab, "02:01:0a:00:01:14", b"to-two")
    with packets.sniffing(lab.ns("i-third"), "eth0") as saw:
        lab.check("far two icmp pass")  # also what the router sends
        assert saw(packets.address("10.0.2.10"))


def test_the_mode_changes_under_traffic(one_lab: Lab) -> None:
    lab = one_lab
    net = _build(lab, "hub")
    modes = [s for s in net.statements if isinstance(s, SegmentMode)]
    assert _third_hears(lab, "02:01:0a:00:01:14", b"as-a-hub")
    with packets.connection(lab.ns("i-one"), "10.0.1.20", lab.ns("i-two"), 80) as (one, two, _):
        for mode in ("switch", "fabric"):
            lab.change([SegmentMode(m.segment, mode) for m in modes], modes)
            modes = [SegmentMode(m.segment, mode) for m in modes]
            assert packets.alive(one, two)
            assert packets.alive(two, one)
    assert not _third_hears(lab, "02:01:0a:00:01:14", b"as-a-fabric", packets.SHORT)
    assert not lab.engine.drift(lab.statements)
