"""Whatever is done in whatever order: compiled step by step is compiled at once, every subnet has
one route table, what the API calls a blackhole is one, and a refused call changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Network
from random import Random
from typing import Any

import pytest

from gureum.compile import compile_all
from gureum.errors import ApiError
from gureum.model import Resource
from gureum.program import Blackhole, Route, SegmentTable, Table
from gureum.resources import REGISTRY, nat_gateway
from gureum.resources.egress_only_gateway import EgressOnlyGateway
from gureum.resources.elastic_ip import ElasticIp
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.ipv6 import Ipv6Block, blocks
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.network_acl import AclAssociation, NetworkAcl
from gureum.resources.network_interface import NetworkInterface, detach
from gureum.resources.route_table import RouteTable, RouteTableAssociation
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import Vpc
from tests.conftest import Cloud
from tests.resources.building import make_gateway, make_subnet, make_vpc, plug_in
from tests.resources.routing import make_table

SEEDS, STEPS = range(12), 150
CIDRS = ("10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/24")
SUBNETS = ("10.0.1.0/24", "10.0.2.0/24", "10.1.1.0/24", "10.2.0.0/25")
DESTINATIONS = ("0.0.0.0/0", "192.168.0.0/16", *CIDRS, *SUBNETS)
MODES = ("fabric", "switch", "hub")


Moves = tuple[tuple[str, Callable[["Player"], None]], ...]
"""Names with what is done; more often what stands there more often."""


class Player:
    """Does random things to a cloud, most of them to one VPC; ``moves`` are those it knows, the
    usual ones unless some are given."""

    def __init__(self, seed: int, moves: Moves | None = None) -> None:
        self.cloud = Cloud()
        self.moves = moves or _BAG
        self.draw = Random(seed).randrange
        self.done: Counter[str] = Counter()
        self.time = 0
        self.vpc = make_vpc(self.cloud, CIDRS[0])
        make_gateway(self.cloud, self.vpc)
        make_subnet(self.cloud, self.vpc, SUBNETS[0])
        make_table(self.cloud, self.vpc)

    def one(self, choices: Any) -> Any:
        found = tuple(choices)
        return found[self.draw(len(found))]

    def id(self, cls: type[Resource]) -> str:
        """The id of some row of the type, or one of none.  The order does not depend on ids, for
        these are different in every run."""
        rows = sorted(
            self.cloud.store.view.all(cls),
            key=lambda row: (row.created, getattr(row, "cidr", ""), row.id),
        )
        near = [row for row in rows if getattr(row, "vpc", self.vpc) == self.vpc]
        chosen = near if near and self.draw(8) else rows
        if not chosen or self.draw(16) == 0:
            return f"{cls.prefix}-00000000000000001"
        return str(self.one(chosen).id)

    def association(self) -> str:
        """An association with a route table, a subnet's or a main one."""
        table = self.cloud.store.view.find(RouteTable, self.id(RouteTable))
        if table and table.main:
            return table.main
        return self.id(RouteTableAssociation)

    def step(self) -> None:
        """One action or change by the system; a refused one must leave no trace."""
        self.time += 1
        self.cloud.now = f"2026-11-24T09:{self.time // 60:02}:{self.time % 60:02}.000Z"
        name, move = self.one(self.moves)
        before = self.cloud.store.view.revision
        try:
            move(self)
        except ApiError:
            assert self.cloud.store.view.revision == before
        else:
            self.done[name] += 1

    def call(self, action: str, **params: Any) -> None:
        self.cloud.call(action, **params)

    def target(self) -> dict[str, str]:
        kinds: dict[str, type[Resource]] = {
            "GatewayId": InternetGateway,
            "NatGatewayId": NatGateway,
            "NetworkInterfaceId": NetworkInterface,
            "EgressOnlyInternetGatewayId": EgressOnlyGateway,
        }
        name = self.one((*kinds, "InstanceId"))
        return {name: self.id(kinds[name]) if name in kinds else self.instance()}

    def instance(self) -> str:
        return f"i-0000000000000000{self.draw(3)}"

    def plug(self) -> None:
        eni = self.cloud.store.view.find(NetworkInterface, self.id(NetworkInterface))
        if eni and not eni.requester_managed:
            plug_in(self.cloud, eni.id, self.instance(), self.draw(2))

    def unplug(self) -> None:
        eni = self.cloud.store.view.find(NetworkInterface, self.id(NetworkInterface))
        if eni and not eni.requester_managed:
            self.cloud.system(detach, eni)

    def settle(self) -> None:
        for row in list(self.cloud.store.view.all(NatGateway)):
            self.cloud.system(nat_gateway.settled, row, self.cloud.now)


def _route(action: str) -> Callable[[Player], None]:
    def move(it: Player) -> None:
        table, destination = it.id(RouteTable), it.one(DESTINATIONS)
        target = {} if action == "DeleteRoute" else it.target()
        if action == "ReplaceRoute" and it.draw(4) == 0:
            target = {"GatewayId": "local"}
        where = {"DestinationCidrBlock": destination}
        if it.draw(4) == 0:
            where = {"DestinationIpv6CidrBlock": it.one(("::/0", "3fff:800::/21"))}
        it.call(action, RouteTableId=table, **where, **target)

    return move


def _tag(it: Player) -> None:
    tag = {"Key": "gureum:segment-mode", "Value": it.one(MODES)}
    it.call("CreateTags", Resources=[it.id(Subnet)], Tags=[tag])


def _secondary(it: Player) -> None:
    vpc = it.cloud.store.view.find(Vpc, it.id(Vpc))
    if vpc and it.draw(2):
        it.call("DisassociateVpcCidrBlock", AssociationId=vpc.cidrs[-1].id)
    elif vpc:
        it.call("AssociateVpcCidrBlock", VpcId=vpc.id, CidrBlock=it.one(CIDRS))


def _ipv6_block(it: Player) -> None:
    found = list(it.cloud.store.view.all(Ipv6Block))
    if found and it.draw(2):
        it.call("DisassociateVpcCidrBlock", AssociationId=it.one(found).id)
    else:
        it.call("AssociateVpcCidrBlock", VpcId=it.id(Vpc), AmazonProvidedIpv6CidrBlock=True)


def _ipv6_subnet(it: Player) -> None:
    row = it.cloud.store.view.find(Subnet, it.id(Subnet))
    if row and row.ipv6:
        it.call("DisassociateSubnetCidrBlock", AssociationId=row.ipv6.id)
    elif row:
        found = blocks(it.cloud.store.view, row.vpc)
        network = IPv6Network(it.one(found).cidr if found else "3fff:1::/56")
        part = next(network.subnets(new_prefix=it.one((60, 64))))
        it.call("AssociateSubnetCidrBlock", SubnetId=row.id, Ipv6CidrBlock=str(part))


def _ipv6_only_subnet(it: Player) -> None:
    found = list(it.cloud.store.view.all(Ipv6Block))
    block = it.one(found) if found else None
    if block:
        network = list(IPv6Network(block.cidr).subnets(new_prefix=64))[1 + it.draw(3)]
        asked = {"Ipv6Native": True, "Ipv6CidrBlock": str(network)}
        it.call("CreateSubnet", VpcId=block.vpc, **asked)


def _ipv6_address(it: Player) -> None:
    eni = it.cloud.store.view.find(NetworkInterface, it.id(NetworkInterface))
    if eni and eni.ips6:
        it.call("UnassignIpv6Addresses", NetworkInterfaceId=eni.id, Ipv6Addresses=eni.ips6[:1])
    elif eni:
        it.call("AssignIpv6Addresses", NetworkInterfaceId=eni.id, Ipv6AddressCount=1)


MOVES: dict[str, Callable[[Player], None]] = {
    "create vpc": lambda it: it.call("CreateVpc", CidrBlock=it.one(CIDRS)),
    "delete vpc": lambda it: it.call("DeleteVpc", VpcId=it.id(Vpc)),
    "secondary cidr": _secondary,
    "ipv6 block": _ipv6_block,
    "ipv6 subnet": _ipv6_subnet,
    "ipv6-only subnet": _ipv6_only_subnet,
    "ipv6 address": _ipv6_address,
    "create egress-only gateway": lambda it: it.call(
        "CreateEgressOnlyInternetGateway", VpcId=it.id(Vpc)
    ),
    "delete egress-only gateway": lambda it: it.call(
        "DeleteEgressOnlyInternetGateway", EgressOnlyInternetGatewayId=it.id(EgressOnlyGateway)
    ),
    "create subnet": lambda it: it.call(
        "CreateSubnet", VpcId=it.id(Vpc), CidrBlock=it.one(SUBNETS)
    ),
    "delete subnet": lambda it: it.call("DeleteSubnet", SubnetId=it.id(Subnet)),
    "tag subnet": _tag,
    "create gateway": lambda it: it.call("CreateInternetGateway"),
    "attach gateway": lambda it: it.call(
        "AttachInternetGateway", InternetGatewayId=it.id(InternetGateway), VpcId=it.id(Vpc)
    ),
    "detach gateway": lambda it: it.call(
        "DetachInternetGateway", InternetGatewayId=it.id(InternetGateway), VpcId=it.id(Vpc)
    ),
    "delete gateway": lambda it: it.call(
        "DeleteInternetGateway", InternetGatewayId=it.id(InternetGateway)
    ),
    "allocate": lambda it: it.call("AllocateAddress", Domain="vpc"),
    "associate address": lambda it: it.call(
        "AssociateAddress",
        AllocationId=it.id(ElasticIp),
        NetworkInterfaceId=it.id(NetworkInterface),
    ),
    "create nat": lambda it: it.call(
        "CreateNatGateway", SubnetId=it.id(Subnet), ConnectivityType="private"
    ),
    "create public nat": lambda it: it.call(
        "CreateNatGateway", SubnetId=it.id(Subnet), AllocationId=it.id(ElasticIp)
    ),
    "delete nat": lambda it: it.call("DeleteNatGateway", NatGatewayId=it.id(NatGateway)),
    "settle": Player.settle,
    "create interface": lambda it: it.call("CreateNetworkInterface", SubnetId=it.id(Subnet)),
    "delete interface": lambda it: it.call(
        "DeleteNetworkInterface", NetworkInterfaceId=it.id(NetworkInterface)
    ),
    "plug": Player.plug,
    "unplug": Player.unplug,
    "create table": lambda it: it.call("CreateRouteTable", VpcId=it.id(Vpc)),
    "delete table": lambda it: it.call("DeleteRouteTable", RouteTableId=it.id(RouteTable)),
    "associate table": lambda it: it.call(
        "AssociateRouteTable", RouteTableId=it.id(RouteTable), SubnetId=it.id(Subnet)
    ),
    "disassociate table": lambda it: it.call(
        "DisassociateRouteTable", AssociationId=it.association()
    ),
    "replace association": lambda it: it.call(
        "ReplaceRouteTableAssociation",
        AssociationId=it.association(),
        RouteTableId=it.id(RouteTable),
    ),
    "create route": _route("CreateRoute"),
    "replace route": _route("ReplaceRoute"),
    "delete route": _route("DeleteRoute"),
    "create acl": lambda it: it.call("CreateNetworkAcl", VpcId=it.id(Vpc)),
    "replace acl": lambda it: it.call(
        "ReplaceNetworkAclAssociation",
        AssociationId=it.id(AclAssociation),
        NetworkAclId=it.id(NetworkAcl),
    ),
}


_OFTEN = {
    "create vpc": 2,
    "delete vpc": 4,
    "create route": 8,
    "replace route": 6,
    "delete route": 4,
    "create subnet": 4,
    "attach gateway": 3,
    "associate address": 3,
    "associate table": 3,
    "disassociate table": 3,
    "ipv6 subnet": 4,
    "ipv6 address": 4,
}
"""Moves that are often refused, or that matter more."""

_BAG: Moves = tuple(pair for pair in MOVES.items() for _ in range(_OFTEN.get(pair[0], 1)))


def destination_of(route: dict[str, str]) -> str:
    return route.get("DestinationCidrBlock") or route["DestinationIpv6CidrBlock"]


def check(cloud: Cloud) -> None:
    """What holds whatever was done."""
    view, program = cloud.store.view, cloud.program()
    assert program == compile_all(REGISTRY, view)
    statements = program.statements
    having = [item.segment.id for item in statements if isinstance(item, SegmentTable)]
    assert sorted(having) == sorted(row.id for row in view.all(Subnet))
    numbers = [(item.router, item.number) for item in statements if isinstance(item, Table)]
    assert len(numbers) == len(set(numbers))
    told = {
        (item.table.id, item.destination): isinstance(item.target, Blackhole)
        for item in statements
        if isinstance(item, Route)
    }
    shown = {
        (table["RouteTableId"], destination_of(route)): route["State"] == "blackhole"
        for table in cloud.call("DescribeRouteTables")["RouteTables"]
        for route in table["Routes"]
    }
    assert told == shown


@pytest.mark.parametrize("seed", SEEDS)
def test_random_actions(seed: int) -> None:
    player = Player(seed)
    for _ in range(STEPS):
        player.step()
        check(player.cloud)


def test_random_actions_reach_every_move() -> None:
    done: Counter[str] = Counter()
    for seed in SEEDS:
        player = Player(seed)
        for _ in range(STEPS):
            player.step()
        done += player.done
    assert set(MOVES) - set(done) == set()
