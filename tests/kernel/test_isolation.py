"""Nobody reaches what is not theirs: other VPCs, other identities, the machine, other hosts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from gureum.engines.linux.userns import is_owned_apart
from gureum.program import Segment
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow

pytestmark = pytest.mark.kernel

STRANGER = "02:66:66:66:66:66"
IPV4, ARP, IPV6, VLAN = 0x0800, 0x0806, 0x86DD, 0x8100


def _net(name: str, ips: tuple[str, ...]) -> Net:
    net = Net(name)
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-open", [allow()])
    for ip in ips:
        net.instance(f"n{ip.rpartition('.')[2]}", a, ip, "sg-open")
    return net


def test_two_routers_with_the_same_range(lab: Lab) -> None:
    one = _net("vpc-1", ("10.0.1.10", "10.0.1.20"))
    two = _net("vpc-2", ("10.0.1.10", "10.0.1.20", "10.0.1.30"))
    lab.build(one.statements, two.statements)
    lab.check("""
        n10  10.0.1.20 tcp/80 pass
        n102 10.0.1.20 tcp/80 pass
        n102 10.0.1.30 icmp   pass
        n10  10.0.1.30 icmp   drop   # only the other one has it
    """)
    assert packets.udp(lab.ns("i-n10"), lab.ns("i-n20"), "10.0.1.20", 7000)
    assert not packets.udp(
        lab.ns("i-n10"), lab.ns("i-n202"), "10.0.1.20", 7000, patience=packets.SHORT
    )


@pytest.fixture
def pair(lab: Lab) -> tuple[Lab, str, str, str]:
    """A lab with a sender and a receiver that hears everything; their link addresses and the one
    that the sender's frames must be addressed to."""
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-open", [allow()])
    sender = net.instance("sender", a, "10.0.1.10", "sg-open")
    receiver = net.instance("receiver", a, "10.0.1.20", "sg-open", forwarding=True)
    lab.build(net.statements)
    router = next(s for s in net.statements if isinstance(s, Segment)).mac
    return lab, sender.mac, receiver.mac, receiver.mac if lab.way == "netfilter" else router


def _arrives(lab: Lab, frame: bytes, patience: float = packets.LONG) -> bool:
    with packets.sniffing(lab.ns("i-receiver"), "eth0") as saw:
        packets.send_frame(lab.ns("i-sender"), "eth0", frame)
        return saw(b"marker", patience)


def test_only_own_frames_leave(pair: tuple[Lab, str, str, str]) -> None:
    lab, own, _, to = pair
    good = packets.ipv4("10.0.1.10", "10.0.1.20", b"marker")
    bad = packets.ipv4("10.0.1.30", "10.0.1.20", b"marker")
    assert _arrives(lab, packets.ethernet(to, own, IPV4, good))
    assert not _arrives(lab, packets.ethernet(to, own, IPV4, bad), packets.SHORT)
    assert not _arrives(lab, packets.ethernet(to, STRANGER, IPV4, good), packets.SHORT)
    assert not _arrives(lab, packets.ethernet(to, own, IPV6, good), packets.SHORT)
    assert not _arrives(lab, packets.ethernet(to, own, VLAN, b"\0\1\x08\0" + good), packets.SHORT)
    assert not _arrives(lab, packets.ethernet(to, own, 0x88B5, b"marker"), packets.SHORT)
    assert not _arrives(lab, packets.ethernet("01:80:c2:00:00:00", own, IPV4, good), packets.SHORT)
    assert not _arrives(lab, packets.ethernet("ff:ff:ff:ff:ff:ff", own, IPV4, good), packets.SHORT)


def test_nobody_answers_for_another(pair: tuple[Lab, str, str, str]) -> None:
    lab, own, receiver, _ = pair
    for claim in (
        packets.arp(2, own, "10.0.1.1", "10.0.1.20"),
        packets.arp(1, own, "10.0.1.30", "10.0.1.20"),
        packets.arp(2, STRANGER, "10.0.1.10", "10.0.1.20"),
    ):
        assert not _arrives(
            lab, packets.ethernet(receiver, own, ARP, claim + b"marker"), packets.SHORT
        )
    table = packets.sh(lab.ns("i-receiver"), "ip", "neigh")
    assert own not in table
    assert STRANGER not in table


def test_a_frame_past_the_router_meets_the_groups(lab: Lab) -> None:
    """The neighbour's link address is no secret; a frame straight to it is judged all the same."""
    net = Net()
    a = net.segment("a", "10.0.1.0/24")
    net.group("sg-open", [allow()])
    net.group("sg-closed")
    sender = net.instance("sender", a, "10.0.1.10", "sg-open")
    receiver = net.instance("receiver", a, "10.0.1.20", "sg-closed")
    lab.build(net.statements)
    packet = packets.ipv4("10.0.1.10", "10.0.1.20", b"marker")
    for to in (receiver.mac, "ff:ff:ff:ff:ff:ff"):
        assert not _arrives(lab, packets.ethernet(to, sender.mac, IPV4, packet), packets.SHORT)


def test_instances_own_their_namespaces_and_no_other(one_lab: Lab) -> None:
    lab = one_lab
    net = _net("vpc-1", ("10.0.1.10", "10.0.1.20"))
    lab.build(net.statements)
    for name, apart in (("i-n10", True), ("i-n20", True), ("vpc-1", False)):
        fd = os.open(lab.ns(name), os.O_RDONLY)
        assert is_owned_apart(fd) == apart
        os.close(fd)


REMOVE_EVERY_LINK_OUTSIDE = """
import socket, struct, errno, sys
from gureum.engines.linux.netlink import Netlink, NetlinkError, attr, text, u32, parse, number
from gureum.engines.linux.links import DELLINK, GETLINK, LINK, link_body
netlink = Netlink()
outside = {number(parse(m.body[16:]).get(37), 99) for m in netlink.dump(GETLINK, link_body())}
for nsid in outside - {99}:
    for index in range(2, 60):
        try:
            netlink.request(DELLINK, link_body(index) + u32(46, nsid))
        except NetlinkError as error:
            if error.errno not in (errno.ENODEV, errno.EOPNOTSUPP):
                sys.exit(error.errno)
"""


def test_an_instance_cannot_remove_links_of_its_router(one_lab: Lab) -> None:
    lab = one_lab
    lab.build(_net("vpc-1", ("10.0.1.10", "10.0.1.20")).statements)
    ns = str(lab.ns("i-n10"))
    attack = [sys.executable, "-c", REMOVE_EVERY_LINK_OUTSIDE]
    env = {**os.environ, "PYTHONPATH": "src"}
    # first what would happen if its namespace were ours: this is no test of a harmless script
    subprocess.run(["nsenter", f"--net={ns}", *attack], env=env, check=False)
    assert lab.engine.drift(lab.statements).put
    lab.engine.sync(lab.statements)
    with packets.owner(lab.ns("i-n10")) as userns:
        confined = ["nsenter", f"--user={userns}", f"--net={ns}", *attack]
        done = subprocess.run(confined, env=env, check=False)
    assert done.returncode == errno.EACCES
    assert not lab.engine.drift(lab.statements)
    lab.check("n10 n20 icmp pass")
