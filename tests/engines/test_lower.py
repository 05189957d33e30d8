"""Which kernel items each statement asks for."""

from __future__ import annotations

import dataclasses

import pytest

from gureum import program
from gureum.engines.linux.items import (
    Element,
    Fdb,
    IpAddress,
    IpRule,
    Item,
    KernelRoute,
    Namespace,
    Neighbour,
    PortFlags,
    Proxy,
    Settings,
    Veth,
    rank,
)
from gureum.engines.linux.lower import Plan, lower
from gureum.program import (
    Address,
    Beyond,
    Blackhole,
    GlobalAddress,
    GlobalPrefix,
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
        (Beyond("vgw-1"), KernelRoute("vpc-1", 1003, "0.0.0.0/0", "blackhole")),
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


# --- IPv6 ---------------------------------------------------------------------------------------
DUAL = dataclasses.replace(SEGMENT, cidr6="3fff:0:0:1::/64")
PORT6 = dataclasses.replace(PORT, segment=DUAL)
IP6, HOP6 = "3fff:0:0:1::5", "fe80::ff:fe00:a"


def test_an_ipv6_address() -> None:
    assert items(Address(PORT6, IP6, True)) == {
        IpAddress("i-1", "eth0", IP6, 128),
        IpAddress("i-1", "eth0", HOP6, 64),
        KernelRoute("i-1", 254, "3fff:0:0:1::/64", "unicast", "", "eth0", 256, IP6),
        KernelRoute("i-1", 254, "::/0", "unicast", "fe80::1", "eth0", 0, IP6),
        Neighbour("vpc-1", "s-1", IP6, MAC),
        Element("vpc-1", "bridge", "solicited", "0x3fff0000000000010000000000000005", MAC),
    }
    flooded = items(Address(PORT6, IP6, False), "switch")
    assert not any(isinstance(item, Element) for item in flooded)
    isolated = items(Address(PORT6, IP6, False), plan=Plan("isolated"))
    assert Proxy("vpc-1", "s-1", IP6) in isolated
    assert not any(isinstance(item, KernelRoute) for item in items(Address(PORT6, IP6, False)))
    second = items(Address(dataclasses.replace(PORT6, index=1), IP6, True))
    routes = {each for each in second if isinstance(each, KernelRoute)}
    assert routes == {
        KernelRoute("i-1", 254, "3fff:0:0:1::/64", "unicast", "", "eth1", 257, IP6),
    }


def test_a_guard_with_an_ipv6_address() -> None:
    guard = Guard(PORT6, ("10.0.1.4", IP6), False, "sg/in", "sg/out")
    number, hop = "0x3fff0000000000010000000000000005", "0xfe80000000000000000000fffe00000a"
    plain = values(Guard(PORT6, ("10.0.1.4",), False, "sg/in", "sg/out"))
    assert values(guard) == plain | {
        ("owns6", f'"e-1" . {MAC} . {IP6}'): "",
        ("owns6", f'"e-1" . {MAC} . {HOP6}'): "",
        ("targets6", f'"e-1" . {MAC} . {number}'): "",
        ("targets6", f'"e-1" . {MAC} . {hop}'): "",
        ("owners6", f"{MAC} . {IP6}"): "",
        ("last_hops6", f"{IP6} . {IP6}"): "",
        ("last_hops6", f"{HOP6} . {IP6}"): "",
        ("sg_in_by_ip6", IP6): "goto f-sg/in",
    }


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Local(), KernelRoute("vpc-1", 1003, "::/0", "throw")),
        (
            ViaPort("eni-1", SEGMENT, "10.0.1.4", MAC),
            KernelRoute("vpc-1", 1003, "::/0", "unicast", HOP6, "s-1"),
        ),
        (ViaUplink("eigw-1"), KernelRoute("vpc-1", 1003, "::/0", "unicast", "fe80::2", "u-1")),
    ],
)
def test_ipv6_routes(target: program.Target, expected: KernelRoute) -> None:
    made = items(Route(TABLE, "::/0", target))
    assert {expected, IpRule("vpc-1", 1003, 1003, 6)} <= made
    assert {item for item in made if isinstance(item, KernelRoute)} == {expected}


def test_what_the_internet_reaches() -> None:
    assert values(GlobalAddress("igw-1", "vpc-1", IP6)) == {("assigned", IP6): ""}
    assert items(GlobalPrefix("igw-1", DUAL)) == {
        KernelRoute("igw-1", 254, DUAL.cidr6, "unicast", "fe80::1", "r-1"),
        KernelRoute("internet", 254, DUAL.cidr6, "unicast", "fe80::1", "g-1"),
    }


def test_a_kernel_without_ipv6() -> None:
    plan = Plan(ipv6=False)
    kept = items(Address(PORT6, IP6, False), plan=plan)
    assert {type(item) for item in kept} == {Element}
    route = items(Route(TABLE, "::/0", ViaUplink("eigw-1")), plan=plan)
    assert route == set()
    me = items(InternetHost("me", "198.19.0.10", "3fff:800::10"), plan=plan)
    assert IpAddress("host-me", "eth0", "198.19.0.10", 32) in me
    assert not [i for i in me if isinstance(i, IpAddress) and ":" in i.ip]


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
