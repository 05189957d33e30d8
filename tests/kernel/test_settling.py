"""What is made carries packets when the call returns."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gureum.engines.linux import links, netlink
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow
from tests.kernel.test_lifecycle import whole_cloud

pytestmark = pytest.mark.kernel

IFLA_OPERSTATE, IF_OPER_UP = 16, 6


def test_links_carry_packets_when_the_call_returns(lab: Lab) -> None:
    """A link is given its queue some time after it is up, and drops what comes before."""
    for _ in range(5):
        lab.build(())
        lab.build(whole_cloud())
        assert _not_up(lab.ns("vpc-1")) == {"lo"}


def test_a_subnet_carries_packets_with_its_first_station(lab: Lab) -> None:
    """A bridge has no carrier until one of its ports has, and is given its queue after that."""
    net = Net()
    net.group("sg", [allow()])
    net.instance("near", net.segment("a", "10.0.1.0/24"), "10.0.1.10", "sg")
    far = net.segment("b", "10.0.2.0/24")
    lab.build(net.statements)
    known = set(net.statements)
    net.instance("far", far, "10.0.2.20", "sg")
    for _ in range(40):
        with packets.make(lab.ns("i-near"), socket.SOCK_DGRAM) as asker:
            asker.connect(("10.0.2.20", 9))
            lab.change(add=net.statements - known)
            asker.send(b"?")
            with pytest.raises(ConnectionRefusedError):
                asker.recv(1)
        lab.change(remove=net.statements - known)


def _not_up(ns: Path) -> set[str]:
    """The links of a namespace that carry nothing (RFC 2863 operational status)."""
    with packets.inside(ns):
        asked = netlink.Netlink()
    states = {
        netlink.string(at[links.IFLA_IFNAME]): netlink.number(at[IFLA_OPERSTATE])
        for message in asked.dump(links.GETLINK, links.link_body())
        for at in [netlink.parse(message.body[links.LINK.size :])]
    }
    asked.close()
    return {name for name, state in states.items() if state != IF_OPER_UP}
