"""Prefix lists, delegated prefixes, shared groups and several addresses in whatever order: compiled
step by step is compiled at once, no block has two routes, no address two ports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from gureum.compile import compile_all
from gureum.program import Address, Filter, Guard, Member, Route
from gureum.resources import REGISTRY
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.prefix_list import PrefixList
from gureum.resources.route_table import RouteTable
from gureum.resources.security_group import GroupVpcAssociation, SecurityGroup
from gureum.resources.subnet import CidrReservation, Subnet
from gureum.resources.vpc import Vpc
from tests.conftest import Cloud
from tests.resources.test_random_actions import MOVES as USUAL
from tests.resources.test_random_actions import Moves, Player

SEEDS, STEPS = range(8), 250
BLOCKS = (
    "10.0.0.0/16",
    "10.0.1.0/24",
    "10.0.0.0/8",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "0.0.0.0/0",
)
PARTS = ("10.0.1.16/28", "10.0.1.32/28", "10.0.1.64/27")


def _list(it: Player) -> str:
    """A list, now and then one of AWS's."""
    return it.id(PrefixList)


def _make_list(it: Player) -> None:
    entries = [{"Cidr": cidr} for cidr in BLOCKS if it.draw(3) == 0]
    family = {"PrefixListName": "x", "AddressFamily": "IPv4", "MaxEntries": 4 + it.draw(8)}
    it.call("CreateManagedPrefixList", **family, Entries=entries)


def _change_list(it: Player) -> None:
    way, key = it.one(("AddEntries", "RemoveEntries")), _list(it)
    it.call("ModifyManagedPrefixList", PrefixListId=key, **{way: [{"Cidr": it.one(BLOCKS)}]})


def _rule(action: str) -> Callable[[Player], None]:
    def move(it: Player) -> None:
        group = it.id(SecurityGroup)
        by_list = {"PrefixListIds": [{"PrefixListId": _list(it)}]}
        by_group = {"UserIdGroupPairs": [{"GroupId": it.id(SecurityGroup)}]}
        item: dict[str, Any] = {"IpProtocol": "-1", **it.one((by_list, by_list, by_group))}
        it.call(action, GroupId=group, IpPermissions=[item])

    return move


def _route(action: str) -> Callable[[Player], None]:
    def move(it: Player) -> None:
        target = {} if action == "DeleteRoute" else it.target()
        it.call(action, RouteTableId=it.id(RouteTable), DestinationPrefixListId=_list(it), **target)

    return move


def _wear(it: Player) -> None:
    groups = [it.id(SecurityGroup), it.id(SecurityGroup)]
    key = it.id(NetworkInterface)
    it.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=key, Groups=groups)


def _group(it: Player) -> None:
    name = f"g{it.time}"
    it.call("CreateSecurityGroup", GroupName=name, Description=name, VpcId=it.id(Vpc))


def _prefix(action: str) -> Callable[[Player], None]:
    def move(it: Player) -> None:
        it.call(
            action, NetworkInterfaceId=it.id(NetworkInterface), Ipv4Prefixes=[it.one(PARTS[:2])]
        )

    return move


def _associate(it: Player) -> None:
    """A group of somebody's own with another VPC, which may have no room for either."""
    view = it.cloud.store.view
    groups = [row for row in view.all(SecurityGroup) if not row.default]
    if groups:
        group = it.one(sorted(groups, key=lambda row: row.name))
        vpcs = [row for row in view.all(Vpc) if row.id != group.vpc]
        vpc = it.one(sorted(vpcs, key=lambda row: row.created))
        it.call("AssociateSecurityGroupVpc", GroupId=group.id, VpcId=vpc.id)


def _disassociate(it: Player) -> None:
    row = it.cloud.store.view.find(GroupVpcAssociation, it.id(GroupVpcAssociation))
    if row:
        it.call("DisassociateSecurityGroupVpc", GroupId=row.group, VpcId=row.vpc)


def _address(it: Player) -> None:
    row = it.cloud.store.view.find(NatGateway, it.id(NatGateway))
    key = row.id if row else "nat-00000000000000001"
    if row and row.secondary and it.draw(2):
        ips = [row.secondary[0].ip]
        it.call("UnassignPrivateNatGatewayAddress", NatGatewayId=key, PrivateIpAddresses=ips)
    else:
        it.call("AssignPrivateNatGatewayAddress", NatGatewayId=key, PrivateIpAddressCount=1)


def _reserve(it: Player) -> None:
    kind = it.one(("prefix", "explicit"))
    it.call(
        "CreateSubnetCidrReservation",
        SubnetId=it.id(Subnet),
        Cidr=it.one(PARTS),
        ReservationType=kind,
    )


MOVES: dict[str, Callable[[Player], None]] = {
    **{
        name: USUAL[name]
        for name in ("create vpc", "create subnet", "create interface", "delete interface",
                     "create table", "delete table", "plug", "unplug", "create nat", "settle",
                     "delete nat", "create route", "secondary cidr")
    },
    "make list": _make_list,
    "change list": _change_list,
    "delete list": lambda it: it.call("DeleteManagedPrefixList", PrefixListId=_list(it)),
    "list route": _route("CreateRoute"),
    "turn list route": _route("ReplaceRoute"),
    "delete list route": _route("DeleteRoute"),
    "allow": _rule("AuthorizeSecurityGroupIngress"),
    "forbid": _rule("RevokeSecurityGroupIngress"),
    "group": _group,
    "wear": _wear,
    "associate group": _associate,
    "disassociate group": _disassociate,
    "give prefix": _prefix("AssignPrivateIpAddresses"),
    "take prefix": _prefix("UnassignPrivateIpAddresses"),
    "nat address": _address,
    "reserve": _reserve,
    "free": lambda it: it.call(
        "DeleteSubnetCidrReservation", SubnetCidrReservationId=it.id(CidrReservation)
    ),
}  # fmt: skip

_OFTEN = {
    "make list": 3,
    "change list": 8,
    "list route": 6,
    "turn list route": 6,
    "delete list route": 3,
    "allow": 8,
    "forbid": 8,
    "wear": 8,
    "plug": 4,
    "create interface": 3,
    "associate group": 6,
    "disassociate group": 4,
    "give prefix": 8,
    "take prefix": 8,
    "settle": 3,
    "nat address": 6,
    "delete list": 4,
    "reserve": 3,
    "free": 5,
    "create nat": 2,
    "delete nat": 4,
    "create subnet": 8,
    "create route": 4,
    "secondary cidr": 3,
    "delete table": 4,
}
_BAG: Moves = tuple(pair for pair in MOVES.items() for _ in range(_OFTEN.get(pair[0], 1)))


def check(cloud: Cloud) -> None:
    """What holds whatever was done."""
    program = cloud.program()
    assert program == compile_all(REGISTRY, cloud.store.view)
    routes = [(s.table.id, s.destination) for s in program.statements if isinstance(s, Route)]
    assert len(routes) == len(set(routes))
    addresses = [s for s in program.statements if isinstance(s, Address)]
    assert len(addresses) == len({(s.port.segment.id, s.ip) for s in addresses})
    own: dict[str, set[str]] = {}
    for each in addresses:
        own.setdefault(each.port.id, set()).add(each.ip)
    guards = [s for s in program.statements if isinstance(s, Guard)]
    assert {s.port.id: set(s.addresses) for s in guards} == own
    filters = {(s.router, s.id) for s in program.statements if isinstance(s, Filter)}
    worn = {(s.port.segment.router, s.filter_in) for s in guards if s.filter_in}
    assert worn <= filters
    routed = {s.port.segment.router for s in guards}
    assert {s.router for s in program.statements if isinstance(s, Member)} <= routed


@pytest.mark.parametrize("seed", SEEDS)
def test_random_actions(seed: int) -> None:
    player = Player(seed, _BAG)
    for _ in range(STEPS):
        player.step()
        check(player.cloud)


def test_random_actions_reach_every_move() -> None:
    done: Counter[str] = Counter()
    for seed in SEEDS:
        player = Player(seed, _BAG)
        for _ in range(STEPS):
            player.step()
        done += player.done
    assert set(MOVES) - set(done) == set()
