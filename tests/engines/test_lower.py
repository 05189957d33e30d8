"""Which kernel items each statement asks for."""

from __future__ import annotations

import dataclasses

import pytest

from gureum import program
from gureum.engines.linux.items import (
    Element,
    Fdb,
    IpAddress,
    Item,
    KernelRoute,
    Namespace,
    PortFlags,
    Settings,
    Veth,
    rank,
)
from gureum.engines.linux.lower import Plan, lower
from gureum.program import (
    Address,
    Blackhole,
    Guard,
    Host,
    InternetHost,
    Local,
    Machine,
    Port,
    PublicAddress,
    Route,
    Segment,
    Statement,
    Table,
    ViaPort,
    ViaUplink,
)
from gureum.program.statements import Mode

SEGMENT = Segment("subnet-1", "vpc-1", "10.0.1.0/24", "10.0.1.1", "02:00:00:00:00:01")
PORT = Port("eni-1", SEGMENT, "i-1", 0, "02:00:00:00:00:0a")
TABLE = Table("rtb-1", "vpc-1", 3)
MAC = PORT.mac


def items(statement: Statement, mode: Mode = "fabric", plan: Plan | None = None) -> set[Item]:
    return set(lower(statement, mode, plan or Plan()))


def values(statement: Statement, plan: Plan | None = None) -> dict[tuple[str, str], str]:
    """The nft elements that a statement asks for: set or map and element, to value."""
    found = (i for i in items(statement, plan=plan) if isinstance(i, Element))
    return {(each.name, each.element): each.value for each in found}


def test_every_statement_type_is_known() -> None:
    types = {getattr(program, name) for name in program.__all__}
    statements = {each for each in types if each in Statement.__args__}
    assert statements == set(Statement.__args__)
    assert (
        items(Machine("i-1", "ami-1", "h", "10.0.1.4", ("10.0.0.2",), (), 1, 64, 1, (), ""))
        == set()
    )


@pytest.mark.parametrize(
    ("mode", "way", "flags"),
    [
        ("fabric", "netfilter", (False, False, True, False)),
        ("fabric", "isolated", (False, False, False, True)),
        ("switch", "netfilter", (True, True, False, False)),
        ("hub", "netfilter", (False, True, False, False)),
    ],
)
def test_a_port(mode: Mode, way: str, flags: tuple[bool, bool, bool, bool]) -> None:
    plan = Plan("isolated" if way == "isolated" else "netfilter")
    made = items(PORT, mode, plan)
    assert Veth("vpc-1", "e-1", "i-1", "eth0") in made
    assert Settings("i-1", "eth0", MAC, 9001, "eni-1") in made
    assert PortFlags("vpc-1", "e-1", *flags) in made
    assert (Fdb("vpc-1", "e-1", MAC) in made) == (mode == "fabric")
    default = KernelRoute("i-1", 254, "0.0.0.0/0", "unicast", "10.0.1.1", "eth0")
    assert default in made
    second = items(dataclasses.replace(PORT, index=1), mode, plan)
    assert not any(isinstance(item, KernelRoute) for item in second)


def test_only_instances_live_apart() -> None:
    instance = items(Host("i-1", "instance", "vpc-1", "x"))
    assert Namespace("i-1", "instance") in instance
    nat = items(Host("nat-1", "nat-gateway", "vpc-1", "x"))
    assert Namespace("nat-1", "translator") in nat


def test_addresses() -> None:
    assert IpAddress("i-1", "eth0", "10.0.1.4", 24) in items(Address(PORT, "10.0.1.4", True))
    assert IpAddress("i-1", "eth0", "10.0.1.5", 32) in items(Address(PORT, "10.0.1.5", False))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Local(), KernelRoute("vpc-1", 1003, "0.0.0.0/0", "throw")),
        (Blackhole("x"), KernelRoute("vpc-1", 1003, "0.0.0.0/0", "blackhole")),
        (
            ViaPort("eni-1", SEGMENT, "10.0.1.4", MAC),
            KernelRoute("vpc-1", 1003, "0.0.0.0/0", "unicast", "10.0.1.4", "s-1"),
        ),
        (
            ViaUplink("igw-1"),
            KernelRoute("vpc-1", 1003, "0.0.0.0/0", "unicast", "169.254.0.2", "u-1"),
        ),
    ],
)
def test_routes(target: program.Target, expected: KernelRoute) -> None:
    assert items(Route(TABLE, "0.0.0.0/0", target)) == {expected}


def test_a_guard_of_an_ordinary_port() -> None:
    guard = Guard(PORT, ("10.0.1.4", "10.0.1.5"), False, "sg/in", "sg/out")
    assert values(guard) == {
        ("stations", f'"e-1" . {MAC}'): "",
        ("owns", f'"e-1" . {MAC} . 10.0.1.4'): "",
        ("owns", f'"e-1" . {MAC} . 10.0.1.5'): "",
        ("owners", f"{MAC} . 10.0.1.4"): "",
        ("owners", f"{MAC} . 10.0.1.5"): "",
        ("last_hops", "10.0.1.4 . 10.0.1.4"): "",
        ("last_hops", "10.0.1.5 . 10.0.1.5"): "",
        ("last_hops", "10.0.1.4 . 10.0.1.5"): "",
        ("sg_out_by_mac", MAC): "goto f-sg/out",
        ("sg_in_by_ip", "10.0.1.4"): "goto f-sg/in",
        ("sg_in_by_ip", "10.0.1.5"): "goto f-sg/in",
    }


def test_a_guard_of_a_forwarding_port_without_groups() -> None:
    guard = Guard(PORT, ("10.0.1.4",), True, None, None)
    assert values(guard) == {
        ("stations", f'"e-1" . {MAC}'): "",
        ("owns", f'"e-1" . {MAC} . 10.0.1.4'): "",
        ("owners", f"{MAC} . 10.0.1.4"): "",
        ("last_hops", "10.0.1.4 . 10.0.1.4"): "",
        ("forwarding", '"e-1"'): "",
        ("forwarders", MAC): "",
        ("sg_out_by_mac", MAC): "accept",
        ("sg_in_by_mac", MAC): "accept",
        ("sg_in_by_hop", "10.0.1.4"): "accept",
    }


def test_a_public_address() -> None:
    made = PublicAddress("igw-1", "vpc-1", "10.0.1.4", "198.18.0.1")
    assert values(made) == {
        ("public_to_private", "198.18.0.1"): "10.0.1.4",
        ("private_to_public", "10.0.1.4"): "198.18.0.1",
        ("pairs", "10.0.1.4 . 198.18.0.1"): "",
    }


def test_only_me_is_joined_to_the_machine() -> None:
    plan = Plan(machine_link="gu0000")
    on_machine = [i for i in items(InternetHost("me", "198.19.0.1"), plan=plan) if i.ns == ""]
    assert Veth("", "gu0000", "host-me", "machine") in on_machine
    assert not [i for i in items(InternetHost("me", "198.19.0.1")) if i.ns == ""]
    assert not [i for i in items(InternetHost("you", "198.19.0.2"), plan=plan) if i.ns == ""]


def test_parts_come_after_the_parts_they_need() -> None:
    made = sorted(items(PORT) | items(SEGMENT) | items(Host("i-1", "instance", "v", "x")), key=rank)
    order = [type(item).__name__ for item in made]
    for first, later in (
        ("Namespace", "Bridge"), ("Bridge", "Veth"), ("Veth", "Settings"),
        ("Settings", "PortFlags"), ("IpAddress", "KernelRoute"), ("Settings", "Fdb"),
    ):  # fmt: skip
        last = len(order) - 1 - order[::-1].index(first)
        assert last < order.index(later), (first, later)
