"""The devices on a packet's way and the data units of the layers."""

from __future__ import annotations

from gureum.explain import Network, Packet, explain
from gureum.explain.osi import Device, devices
from gureum.explain.packet import TCP
from gureum.explain.verdict import Answer
from gureum.program import InternetHost
from tests.explain.test_walk import ANY, ME, MIRROR, Shop, shop

__all__ = ["shop"]


def way(shop: Shop, source: str | InternetHost, answer: Answer) -> list[Device]:
    start = source.name if isinstance(source, InternetHost) else source
    return devices(shop.network(), start, answer.forth.steps[0].packet, answer.forth)


def ttls(found: list[Device]) -> list[tuple[str, int | None, int | None]]:
    return [
        (x.kind, x.arriving.ttl if x.arriving else None, x.leaving.ttl if x.leaving else None)
        for x in found
    ]


def test_between_subnets_the_router_makes_a_new_frame(shop: Shop) -> None:
    answer = shop.ask(shop.web, shop.ip(shop.db), 3306)
    found = way(shop, shop.web, answer)
    assert ttls(found) == [
        ("host", None, 64),
        ("switch", 64, 64),
        ("router", 64, 63),
        ("switch", 63, 63),
        ("host", 63, None),
    ]
    assert [each.id for each in found] == [shop.web, shop.public, shop.vpc, shop.private, shop.db]
    network = shop.network()
    web, db = network.primary(shop.web), network.primary(shop.db)
    assert web is not None
    assert db is not None
    router = found[2]
    assert router.arriving is not None
    assert router.leaving is not None
    assert router.arriving.frame == (web.mac, web.segment.mac)
    assert router.leaving.frame == (db.segment.mac, db.mac)
    assert router.arriving.packet == router.leaving.packet


def test_in_a_subnet_the_frame_stays_what_it_is(shop: Shop) -> None:
    other = shop.launch(shop.public, shop.web_group)
    found = way(shop, shop.web, shop.ask(shop.web, shop.ip(other), 80))
    assert ttls(found) == [("host", None, 64), ("switch", 64, 64), ("host", 64, None)]
    network = shop.network()
    ends = network.primary(shop.web), network.primary(other)
    assert ends[0] is not None
    assert ends[1] is not None
    assert found[-1].arriving is not None
    assert found[-1].arriving.frame == (ends[0].mac, ends[1].mac)


def test_through_gateways_the_addresses_change(shop: Shop) -> None:
    found = way(shop, ME, shop.ask(ME, shop.public_ip(shop.web), 80))
    assert ttls(found) == [
        ("host", None, 64),
        ("internet", 64, 63),
        ("internet gateway", 63, 62),
        ("router", 62, 61),
        ("switch", 61, 61),
        ("host", 61, None),
    ]
    gateway = found[2]
    assert gateway.arriving is not None
    assert gateway.leaving is not None
    assert gateway.arriving.packet.target == shop.public_ip(shop.web)
    assert gateway.leaving.packet.target == shop.ip(shop.web)


def test_a_nat_gateway_is_a_device_of_its_own(shop: Shop) -> None:
    call = shop.cloud.call
    address = call("AllocateAddress")["AllocationId"]
    made = call("CreateNatGateway", SubnetId=shop.public, AllocationId=address)["NatGateway"]
    shop.route(shop.routed(shop.private), ANY, NatGatewayId=made["NatGatewayId"])
    found = way(shop, shop.db, shop.ask(shop.db, MIRROR.ip, 80))
    kinds = [each.kind for each in found]
    assert kinds == [
        *("host", "switch", "router", "switch", "NAT gateway", "switch", "router"),
        *("internet gateway", "internet", "host"),
    ]
    assert found[-1].arriving is not None
    assert found[-1].arriving.ttl == 64 - 5


def test_the_way_ends_at_the_device_that_drops(shop: Shop) -> None:
    found = way(shop, shop.db, shop.ask(shop.db, MIRROR.ip, 80))
    assert [each.kind for each in found] == ["host", "switch", "router"]
    assert found[-1].leaving is None
    assert found[-1].stopped == f"no route leads to {MIRROR.ip}"


def test_a_gateway_turns_a_packet_round(shop: Shop) -> None:
    other = shop.launch(shop.public, shop.web_group, public=True)
    found = way(shop, shop.web, shop.ask(shop.web, shop.public_ip(other), 80))
    kinds = [each.kind for each in found]
    assert kinds == ["host", "switch", "router", "internet gateway", "router", "switch", "host"]
    gateway = found[3]
    assert gateway.leaving is not None
    assert gateway.leaving.packet.source == shop.public_ip(shop.web)
    assert gateway.leaving.packet.target == shop.ip(other)


def test_an_appliance_is_a_router_among_hosts(shop: Shop) -> None:
    off = {"Value": False}
    shop.cloud.call("ModifyInstanceAttribute", InstanceId=shop.web, SourceDestCheck=off)
    shop.route(shop.routed(shop.private), "198.19.0.0/24", InstanceId=shop.web)
    network = Network([*shop.cloud.program().statements, ME, MIRROR], lambda host, version: True)
    start = network.primary(shop.db)
    assert start is not None
    packet = Packet(shop.ip(shop.db), MIRROR.ip, TCP, target_port=80)
    trace = explain(network, start, packet).forth
    assert "forward" in [step.kind for step in trace.steps]
    found = devices(network, shop.db, packet, trace)
    assert [each.kind for each in found][:6] == [
        *("host", "switch", "router", "switch", "appliance", "switch"),
    ]
    assert found[4].arriving is not None
    assert found[4].leaving is not None
    assert (found[4].arriving.ttl, found[4].leaving.ttl) == (63, 62)
    unasked = explain(shop.network(), start, packet).forth
    assert unasked.arrived == shop.web, "nobody knows whether it passes packets on"
