"""Compiling: whatever happens, the incremental program is the full one, at the cost of a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gureum.compile import Compiler, Unit, compile_all
from gureum.errors import ApiError
from gureum.kind import Kind, Lowering
from gureum.model import Changes, View
from gureum.program import Gateway, InternetHost, Program, Router, diff, render
from gureum.resources import REGISTRY, Registry, nat_gateway, network_interface
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.network_interface import NetworkInterface
from gureum.store import Commit
from tests.conftest import Cloud
from tests.model.rows import House, row
from tests.resources.building import (
    make_address,
    make_gateway,
    make_group,
    make_interface,
    make_subnet,
    make_vpc,
    plug_in,
)


class Town:
    """A cloud whose ids are known in the order in which they were made."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.ids: dict[str, list[str]] = {}
        self.differences: list[tuple[Any, Any]] = []
        self.cloud.store.subscribe(self._note)
        self.random = Random(0)

    def _note(self, commit: Commit) -> None:
        for key, (old, new) in commit.changes.rows.items():
            row = new or old
            assert row is not None
            known = self.ids.setdefault(row.kind, [])
            if new is None:
                known.remove(key)
            elif old is None:
                known.append(key)

    def pick(self, kind: str) -> str:
        """The id of one of the newest rows of the kind, or one of nothing."""
        known = self.ids.get(kind, [])
        return self.random.choice(known[-4:]) if known else f"none-{kind}"

    def number(self, limit: int) -> int:
        return self.random.randrange(limit)

    def call(self, action: str, **params: Any) -> None:
        self.cloud.call(action, **params)


def _interfaces(town: Town) -> None:
    groups = [town.pick("security-group") for _ in range(1 + town.number(2))]
    town.call(
        "CreateNetworkInterface",
        SubnetId=town.pick("subnet"),
        SecondaryPrivateIpAddressCount=town.number(2),
        **({"Groups": groups} if town.number(2) else {}),
    )


def _plug(town: Town) -> None:
    plug_in(town.cloud, town.pick("network-interface"), f"i-{town.number(6):017x}", town.number(2))


def _unplug(town: Town) -> None:
    key = town.pick("network-interface")
    town.cloud.system(lambda txn: network_interface.detach(txn, txn.get(NetworkInterface, key)))


def _settle(town: Town) -> None:
    key, function = town.pick("natgateway"), (nat_gateway.settled, nat_gateway.expired)
    town.cloud.system(
        lambda txn: function[town.number(2)](
            txn, txn.get(NatGateway, key), "2026-11-24T10:00:00.000Z"
        )
    )


def _authorize(town: Town) -> None:
    action = ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")[town.number(2)]
    peer: dict[str, Any] = (
        {"UserIdGroupPairs": [{"GroupId": town.pick("security-group")}]}
        if town.number(2)
        else {"IpRanges": [{"CidrIp": ("0.0.0.0/0", "10.0.0.0/8")[town.number(2)]}]}
    )
    kind = (
        {"IpProtocol": "-1"},
        {"IpProtocol": "tcp", "FromPort": 0, "ToPort": (80, 65535)[town.number(2)]},
    )[town.number(2)]
    town.call(action, GroupId=town.pick("security-group"), IpPermissions=[{**kind, **peer}])


def _revoke(town: Town) -> None:
    action = ("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")[town.number(2)]
    town.call(
        action,
        GroupId=town.pick("security-group"),
        SecurityGroupRuleIds=[town.pick("security-group-rule")],
    )


def _entry(town: Town) -> None:
    town.call(
        "CreateNetworkAclEntry",
        NetworkAclId=town.pick("network-acl"),
        RuleNumber=1 + town.number(5),
        Egress=bool(town.number(2)),
        RuleAction="deny",
        Protocol="-1",
        CidrBlock="10.0.0.0/8",
    )


def _route(town: Town) -> None:
    target: dict[str, str] = (
        {"GatewayId": town.pick("internet-gateway")},
        {"NatGatewayId": town.pick("natgateway")},
        {"NetworkInterfaceId": town.pick("network-interface")},
    )[town.number(3)]
    town.call(
        ("CreateRoute", "ReplaceRoute")[town.number(2)],
        RouteTableId=town.pick("route-table"),
        DestinationCidrBlock=("0.0.0.0/0", "198.51.100.0/24")[town.number(2)],
        **target,
    )


def _rename_mode(town: Town) -> None:
    tag = {"Key": "gureum:segment-mode", "Value": ("hub", "switch")[town.number(2)]}
    town.call("CreateTags", Resources=[town.pick("subnet")], Tags=[tag])


def _create_subnet(town: Town) -> None:
    town.call("CreateSubnet", VpcId=town.pick("vpc"), CidrBlock=f"10.0.{town.number(9)}.0/24")


def _members(town: Town) -> None:
    town.call(
        "ModifyNetworkInterfaceAttribute",
        NetworkInterfaceId=town.pick("network-interface"),
        Groups=[town.pick("security-group")],
    )


def _flip_check(town: Town) -> None:
    town.call(
        "ModifyNetworkInterfaceAttribute",
        NetworkInterfaceId=town.pick("network-interface"),
        SourceDestCheck={"Value": bool(town.number(2))},
    )


def on(action: str, **kinds: str) -> Callable[[Town], None]:
    """A call whose parameters are ids of rows of those kinds."""

    def step(town: Town) -> None:
        town.call(action, **{name: town.pick(kind) for name, kind in kinds.items()})

    step.__name__ = action
    return step


def _create_group(town: Town) -> None:
    make_group(town.cloud, town.pick("vpc"), f"group {town.number(4)}")


STEPS: tuple[Callable[[Town], None], ...] = (
    lambda town: town.call("CreateVpc", CidrBlock="10.0.0.0/16"),
    _create_subnet,
    _create_subnet,
    lambda town: town.call("CreateInternetGateway"),
    on("AttachInternetGateway", InternetGatewayId="internet-gateway", VpcId="vpc"),
    on("DetachInternetGateway", InternetGatewayId="internet-gateway", VpcId="vpc"),
    on("DeleteInternetGateway", InternetGatewayId="internet-gateway"),
    on("DeleteSubnet", SubnetId="subnet"),
    on("DeleteVpc", VpcId="vpc"),
    _create_group,
    _authorize,
    _authorize,
    _revoke,
    on("DeleteSecurityGroup", GroupId="security-group"),
    _interfaces,
    _interfaces,
    _plug,
    _plug,
    _unplug,
    _members,
    _flip_check,
    on("DeleteNetworkInterface", NetworkInterfaceId="network-interface"),
    lambda town: town.call("AllocateAddress"),
    on("AssociateAddress", AllocationId="elastic-ip", NetworkInterfaceId="network-interface"),
    on("DisassociateAddress", AssociationId="elastic-ip-association"),
    on("ReleaseAddress", AllocationId="elastic-ip"),
    on("CreateNatGateway", SubnetId="subnet", AllocationId="elastic-ip"),
    on("DeleteNatGateway", NatGatewayId="natgateway"),
    _settle,
    on("CreateNetworkAcl", VpcId="vpc"),
    _entry,
    on(
        "ReplaceNetworkAclAssociation",
        AssociationId="network-acl-association",
        NetworkAclId="network-acl",
    ),
    on("DeleteNetworkAcl", NetworkAclId="network-acl"),
    on("CreateRouteTable", VpcId="vpc"),
    _route,
    _route,
    on("AssociateRouteTable", RouteTableId="route-table", SubnetId="subnet"),
    on("DisassociateRouteTable", AssociationId="route-table-association"),
    on("DeleteRouteTable", RouteTableId="route-table"),
    _rename_mode,
)

steps = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 1 << 16)), min_size=5, max_size=80
)


def start(town: Town) -> None:
    """A little of everything, so that later steps find what they ask for."""
    vpc = make_vpc(town.cloud)
    make_gateway(town.cloud, vpc)
    subnet = make_subnet(town.cloud, vpc)
    group = make_group(town.cloud, vpc)
    make_address(town.cloud)
    eni = make_interface(town.cloud, subnet, Groups=[group])["NetworkInterfaceId"]
    plug_in(town.cloud, eni)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_the_incremental_program_is_the_full_one(choices: list[tuple[int, int]]) -> None:
    town = Town()
    compiler = town.cloud.compiler
    start(town)

    def check(commit: Commit) -> None:
        full = compile_all(REGISTRY, commit.view)
        now = compiler.program()
        assert render(now) == render(full)
        assert now.revision == full.revision

    town.cloud.store.subscribe(check)
    for index, seed in choices:
        town.random = Random(seed)
        try:
            STEPS[index](town)
        except ApiError:
            continue  # a refusal is a fine thing too


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_what_an_update_returns_is_the_difference(choices: list[tuple[int, int]]) -> None:
    town = Town()
    second = Compiler(REGISTRY)
    state: dict[str, Any] = {"program": Program()}

    def check(commit: Commit) -> None:
        added, removed = second.update(commit.view, commit.changes)
        now = second.program()
        assert (added, removed) == diff(state["program"], now)
        state["program"] = now

    town.cloud.store.subscribe(check)
    start(town)
    for index, seed in choices:
        town.random = Random(seed)
        try:
            STEPS[index](town)
        except ApiError:
            continue


def test_every_step_can_succeed() -> None:
    """The random walks above are worth nothing if what they try is always refused."""
    town = Town()
    start(town)
    succeeded: set[int] = set()
    random = Random(7)
    for _ in range(3000):
        index = random.randrange(len(STEPS))
        town.random = Random(random.random())
        try:
            STEPS[index](town)
        except ApiError:
            continue
        succeeded.add(index)
    missing = set(range(len(STEPS))) - succeeded
    assert not missing


# --- the cost of a change -----------------------------------------------------------------------
class Counting(Compiler):
    """A compiler that notes what it lowers."""

    def __init__(self) -> None:
        super().__init__(REGISTRY)
        self.lowered: list[Unit] = []

    def _lowered(self, unit: Unit, view: View) -> Any:
        self.lowered.append(unit)
        return super()._lowered(unit, view)


def street(houses: int) -> tuple[Cloud, dict[str, str], Counting]:
    """A VPC with so many plugged interfaces in one subnet and of one group."""
    cloud = Cloud()
    vpc = make_vpc(cloud)
    ids = {
        "vpc": vpc,
        "gateway": make_gateway(cloud, vpc),
        "subnet": make_subnet(cloud, vpc),
        "group": make_group(cloud, vpc),
    }
    for number in range(houses):
        eni = make_interface(cloud, ids["subnet"], Groups=[ids["group"]])["NetworkInterfaceId"]
        plug_in(cloud, eni, f"i-{number:017x}")
        ids["eni"] = eni
    ids["eip"] = make_address(cloud)["AllocationId"]
    compiler = Counting()
    compiler.load(cloud.store.view)

    def update(commit: Commit) -> None:
        compiler.update(commit.view, commit.changes)

    cloud.store.subscribe(update)
    compiler.lowered.clear()
    return cloud, ids, compiler


def permit(cloud: Cloud, ids: dict[str, str]) -> None:
    cloud.call(
        "AuthorizeSecurityGroupIngress",
        GroupId=ids["group"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 80,
                "ToPort": 80,
                "IpRanges": [{"CidrIp": "10.9.0.0/16"}],
            }
        ],
    )


def map_address(cloud: Cloud, ids: dict[str, str]) -> None:
    cloud.call("AssociateAddress", AllocationId=ids["eip"], NetworkInterfaceId=ids["eni"])


def add_interface(cloud: Cloud, ids: dict[str, str]) -> None:
    eni = make_interface(cloud, ids["subnet"], Groups=[ids["group"]])["NetworkInterfaceId"]
    plug_in(cloud, eni, "i-fffffffffffffffff")


def tag_nothing_that_matters(cloud: Cloud, ids: dict[str, str]) -> None:
    cloud.call("CreateTags", Resources=[ids["eip"]], Tags=[{"Key": "Name", "Value": "x"}])


def build_elsewhere(cloud: Cloud, ids: dict[str, str]) -> None:
    other = make_vpc(cloud, "10.1.0.0/16")
    make_subnet(cloud, other, "10.1.1.0/24")
    make_gateway(cloud, other)


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (permit, 3),  # the rule, and the two filters of its group
        (map_address, 1),  # the interface
        (add_interface, 6),
        (tag_nothing_that_matters, 0),
        (build_elsewhere, 20),
    ],
    ids=lambda item: getattr(item, "__name__", None),
)
def test_the_cost_follows_the_change(
    change: Callable[[Cloud, dict[str, str]], None], most: int
) -> None:
    costs = []
    for houses in (3, 30):
        cloud, ids, compiler = street(houses)
        change(cloud, ids)
        costs.append(len(compiler.lowered))
        assert render(compiler.program()) == render(compile_all(REGISTRY, cloud.store.view))
    assert costs[0] == costs[1]
    assert costs[0] <= most


# --- statements and units that are shared ---------------------------------------------------------
def _say_street(lowering: Lowering, name: str) -> None:
    for house in lowering.view.all(House):
        if house.name == name:
            lowering.say(InternetHost(name, "198.19.0.1"), house.id)


def _lower_house(house: House, lowering: Lowering) -> None:
    lowering.say(Gateway("village"))
    lowering.need(_say_street, house.name)


VILLAGE = Registry((Kind(row=House, lower=_lower_house),))


def test_a_statement_stays_while_anybody_says_it() -> None:
    one, two = row(House, 1, name="north"), row(House, 2, name="north")
    view = View().put(one)
    compiler = Compiler(VILLAGE)
    north = InternetHost("north", "198.19.0.1")
    added, removed = compiler.update(view, Changes({one.id: (None, one)}))
    assert (added, removed) == (frozenset({Gateway("village"), north}), frozenset())
    # The second says nothing new, and the first may go.
    view = view.put(two)
    assert compiler.update(view, Changes({two.id: (None, two)})) == (frozenset(), frozenset())
    assert compiler.whys(Gateway("village")) == compiler.whys(north) == {one.id, two.id}
    view = view.drop(one.id)
    assert compiler.update(view, Changes({one.id: (one, None)})) == (frozenset(), frozenset())
    assert compiler.whys(Gateway("village")) == {two.id}
    # Whoever changes its mind takes what nobody needs any more along.
    moved = replace(two, name="south")
    added, removed = compiler.update(view.put(moved), Changes({two.id: (two, moved)}))
    assert added == frozenset({InternetHost("south", "198.19.0.1")})
    assert removed == frozenset({north})
    assert compiler.program() == compile_all(VILLAGE, view.put(moved))


# --- small things -------------------------------------------------------------------------------
def test_whys_name_everybody_who_asked() -> None:
    cloud = Cloud()
    vpc = make_vpc(cloud)
    assert cloud.compiler.whys(Router(vpc)) == {vpc}
    assert cloud.compiler.whys(Router("vpc-none")) == frozenset()
    assert Router(vpc) in cloud.compiler.statements()


def test_loading_again_is_starting_again() -> None:
    cloud = Cloud()
    make_vpc(cloud)
    compiler = Compiler(REGISTRY)
    compiler.load(cloud.store.view)
    first = compiler.program()
    compiler.load(cloud.store.view)
    assert compiler.program() == first == compile_all(REGISTRY, cloud.store.view)
    compiler.load(View())
    assert compiler.program() == Program()
    assert compiler.update(View(), Changes()) == (frozenset(), frozenset())


def test_nothing_is_kept_of_what_is_gone() -> None:
    cloud = Cloud()
    cloud.call("DescribeVpcs")
    compiler = cloud.compiler
    before = {
        name: len(getattr(compiler, name)) for name in ("_units", "_readers", "_needers", "_sayers")
    }
    vpc = make_vpc(cloud)
    gateway = make_gateway(cloud, vpc)
    subnet = make_subnet(cloud, vpc)
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    plug_in(cloud, eni)
    cloud.system(lambda txn: network_interface.detach(txn, txn.get(NetworkInterface, eni)))
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=eni)
    cloud.call("DeleteSubnet", SubnetId=subnet)
    cloud.call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    cloud.call("DeleteInternetGateway", InternetGatewayId=gateway)
    cloud.call("DeleteVpc", VpcId=vpc)
    assert {name: len(getattr(compiler, name)) for name in before} == before
