"""Packets to the resolver and to instance metadata, walked and shown."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.explain import Answer, Network, Packet, explain, told_anew
from gureum.explain.codes import Code
from gureum.explain.osi import devices
from gureum.explain.packet import ECHO, ICMP, TCP, UDP
from tests.conftest import Cloud
from tests.explain.test_walk import Shop

METADATA, RESOLVER, NEAR = "169.254.169.254", "169.254.169.253", "10.0.0.2"


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    return Shop(cloud)


def _asked(shop: Shop, target: str, protocol: int, port: int | None, **more: Any) -> Answer:
    network = Network(shop.cloud.program().statements)
    start = network.primary(shop.db)
    assert start is not None
    own = network.own_address(start)
    assert own is not None
    icmp = (ECHO, 0) if protocol == ICMP else None
    packet = Packet(more.get("source", own), target, protocol, target_port=port, icmp=icmp)
    return told_anew(shop.cloud.store.view, explain(network, start, packet))


@pytest.mark.parametrize(
    ("target", "protocol", "port"),
    [(METADATA, TCP, 80), (RESOLVER, UDP, 53), (RESOLVER, TCP, 53), (NEAR, UDP, 53)],
)
def test_services_are_reached_past_groups_and_acls(
    shop: Shop, target: str, protocol: int, port: int
) -> None:
    acl = shop.cloud.call("CreateNetworkAcl", VpcId=shop.vpc)["NetworkAcl"]["NetworkAclId"]
    shop.cloud.join_acl(acl, shop.private)
    answer = _asked(shop, target, protocol, port)
    assert answer.works
    assert answer.forth.arrived == shop.vpc
    assert [step.kind for step in answer.forth.steps] == ["arp", "service"]
    assert answer.back is not None
    assert [step.kind for step in answer.back.steps] == ["service", "arp", "deliver"]
    assert answer.back.arrived == shop.db


@pytest.mark.parametrize(
    ("target", "protocol", "port"),
    [(METADATA, TCP, 443), (METADATA, UDP, 80), (METADATA, ICMP, None), (NEAR, UDP, 123)],
)
def test_the_router_answers_nothing_else(
    shop: Shop, target: str, protocol: int, port: int | None
) -> None:
    (block,) = _asked(shop, target, protocol, port).blocks()
    assert (block.kind, block.place) == ("service", shop.vpc)
    assert "and nothing else" in block.said


def test_nobody_asks_in_anothers_name(shop: Shop) -> None:
    blocks = _asked(shop, METADATA, TCP, 80, source="10.0.1.99").blocks()
    assert blocks[0].code is Code.ENI_ADDRESS_RESTRICTION
    shop.cloud.call("ModifyInstanceAttribute", InstanceId=shop.db, SourceDestCheck={"Value": False})
    (block,) = _asked(shop, METADATA, TCP, 80, source="10.0.1.99").blocks()
    assert (block.kind, block.code) == ("service", Code.ENI_ADDRESS_RESTRICTION)


@pytest.mark.parametrize("target", [NEAR, RESOLVER])
def test_a_resolver_that_is_off_is_told_so(shop: Shop, target: str) -> None:
    shop.cloud.call("ModifyVpcAttribute", VpcId=shop.vpc, EnableDnsSupport={"Value": False})
    (block,) = _asked(shop, target, UDP, 53).blocks()
    assert f"enableDnsSupport of {shop.vpc} is off" in block.said
    assert _asked(shop, METADATA, TCP, 80).works


def test_devices_on_the_way(shop: Shop) -> None:
    network = Network(shop.cloud.program().statements)
    answer = _asked(shop, METADATA, TCP, 80)
    packet = answer.forth.steps[0].packet
    way = devices(network, shop.db, packet, answer.forth)
    kinds = [(each.id, each.kind) for each in way]
    assert kinds == [(shop.db, "host"), (shop.private, "switch"), (shop.vpc, "host")]
    assert way[-1].arriving is not None
    assert way[-1].arriving.ttl == 64, "no router took one"
    assert answer.back is not None
    back = devices(network, shop.vpc, packet.reply(), answer.back)
    assert [each.id for each in back] == [shop.vpc, shop.private, shop.db]
