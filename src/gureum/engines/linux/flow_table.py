"""The nft table that counts the packets of recorded interfaces, flow by flow, in the kernel.

A table of its own beside the filters, in routers that have such interfaces and in no others: it
looks at a packet before the filters do, between leaving and entering, and behind them, and decides
nothing.  What a filter refused is what was seen before it and not behind it.

The packet mark is free at these hooks (it has chosen the route table by then), and says which
interface a packet is counted for, in which direction, and in which half of the sets: one packet is
counted in one half.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from gureum.engines.linux.names import MIRROR_MAC

FLOW_TABLE = "gureum-flows"
"""The table; nothing but this exact name is ever removed."""

Half = Literal["a", "b"]
"""Two of each set: one is written while the other one is read."""

HALVES: tuple[Half, Half] = ("a", "b")

# --- the packet mark ----------------------------------------------------------------------------
COUNTED = 0x80000000
"""Set from the first look at a packet on; no route table has such a mark."""
NUMBER_SHIFT, NUMBERS = 12, 0x7FFFF
"""Where the interface's number in its router is, and the largest one."""
FLAGS = {"fin": 0x100, "syn": 0x200, "rst": 0x400, "syn,ack": 0x800}
"""Set where a TCP packet has the flags.  They are here because sets of TCP flags crash nft 1.0.6,
and with it whoever lists anything in the namespace."""
PROTOCOLS = {6: 0x00, 17: 0x20, 33: 0x40, 132: 0x60}
"""Of what has ports (TCP, UDP, DCCP, SCTP) which it is: nft 1.0.6 knows keys of five parts."""
PROTOCOL = 0x60
INWARD = 0x80
"""Set where the packet goes to the interface, not from it."""
HALF_B = 0x10
"""Set where the packet is counted in half ``b``."""
EXPIRED = 0x04
"""Of a transit: set where the packet has no time to live left.  There are no gateways."""
BY_GATEWAY, BY_PEERING = 0x04, 0x08
"""By which kind of link a packet leaves; neither is a subnet or a transit gateway."""
WAYS = 0x0C

# --- the sets -----------------------------------------------------------------------------------
KEPT = 3600
"""Seconds after which counters that nobody reads are forgotten: as long as a daemon may be away."""
FLOWS, STATIONS = 1 << 15, 1 << 12
"""Most elements of a set, some 200 bytes each: one for each header (of TCP, and set of flags).  The
kernel's time to list a set grows with the square of its size: this one takes half a second."""

Stage = Literal["first", "tried", "passed"]
STAGES: tuple[Stage, Stage, Stage] = ("first", "tried", "passed")
"""What an element counts: packets since the first, whose timeout begins with that and is not
renewed; all packets that came to the filters; all that came through.  Timeouts of these begin with
the last."""
_WITH_PORTS = f"{{ {', '.join(map(str, PROTOCOLS))} }}"
_CONTENT: dict[str, tuple[str, str, str]] = {
    "ports": (
        f"meta l4proto {_WITH_PORTS}",
        "th sport . th dport",
        "inet_service . inet_service",
    ),
    "plain": (f"meta l4proto != {_WITH_PORTS}", "meta l4proto", "inet_proto"),
}
"""What a set is about, and the end of its key."""
_FAMILIES = {4: ("ipv4", "ip"), 6: ("ipv6", "ip6")}

SETS: dict[str, tuple[Stage, str, int]] = {
    f"{stage}-{kind}{version}": (stage, kind, version)
    for stage in STAGES
    for version in _FAMILIES
    for kind in _CONTENT
}
"""The sets of flows, without their half: what they count, what they hold, of which IP version."""

MAPS = {
    "senders": "ether_addr",
    "receivers": "ether_addr",
    "hops": "ipv4_addr",
    "hops6": "ipv6_addr",
}
"""Whose packets are counted, with the mark: by who sends them, and by whom they come to, which is
the station that they are bridged to, or the next hop that they are routed to."""

TRANSIT_MAPS = dict.fromkeys(("entering", "expiring", "leaving"), "ifname")
"""The same of a transit: by the link of an attachment by which they come in, do so with their last
time to live, or leave."""


def is_transit(place: str) -> bool:
    """Whether a place is a transit, not a router."""
    return place.startswith("tgw-")


def maps(place: str) -> dict[str, str]:
    """The maps of a place's table, and what their keys are."""
    return TRANSIT_MAPS if is_transit(place) else MAPS


def definition(place: str) -> Iterator[str]:
    """The commands that make the table, with nobody recorded yet; half ``a`` is written."""
    yield f"add table inet {FLOW_TABLE}"
    for name, key in maps(place).items():
        yield f"add map inet {FLOW_TABLE} {name} {{ type {key} : mark; }}"
    yield from _chain("tcp_flags", _flags())
    for half in HALVES:
        yield from _half(half)
    yield from _chain("begin", ("goto begin_a",))
    yield from _chain("passed", _passed())
    if is_transit(place):
        yield from _transit_hooks()
        return
    yield from _chain("left", _left())
    yield from _hooks()


def _chain(name: str, rules: Iterable[str], hook: str = "") -> Iterator[str]:
    yield f"add chain inet {FLOW_TABLE} {name}{hook}"
    for rule in rules:
        yield f"add rule inet {FLOW_TABLE} {name} {rule}"


def _flags() -> Iterator[str]:
    for flags, mark in FLAGS.items():
        all_of = f"({flags.replace(',', ' | ')})"
        yield f"tcp flags & {all_of} == {all_of} meta mark set meta mark | 0x{mark:08x}"


def _passed() -> Iterator[str]:
    yield f"meta mark & 0x{HALF_B:08x} == 0x{HALF_B:08x} goto passed_b"
    yield "goto passed_a"


def _left() -> Iterator[str]:
    for links, way in (("u-*", BY_GATEWAY), ("p-*", BY_PEERING)):
        yield f'oifname "{links}" meta mark set meta mark | 0x{way:08x}'
    yield "goto passed"


def _hooks() -> Iterator[str]:
    """Before ``sg_out`` (0), between ``acl_out`` (10) and ``acl_in`` (20), and behind ``sg_in``
    (30) of the filters."""
    counted = f"meta mark & 0x{COUNTED:08x} == 0x{COUNTED:08x}"
    to_it = f"meta mark & 0x{COUNTED | INWARD:08x} == 0x{COUNTED | INWARD:08x}"
    come = (
        "meta mark set ether daddr map @receivers goto begin",
        "meta nfproto ipv4 meta mark set rt ip nexthop map @hops goto begin",
        "meta nfproto ipv6 meta mark set rt ip6 nexthop map @hops6 goto begin",
    )
    for chain, priority, rules in (
        ("before", -10, ("meta mark set ether saddr map @senders goto begin",)),
        # AWS's flow logs leave mirrored traffic out
        ("between", 15, (f"{counted} jump left", f"{MIRROR_MAC} return", *come)),
        ("behind", 35, (f"{to_it} goto passed",)),
    ):
        hook = f" {{ type filter hook forward priority {priority}; }}"
        yield from _chain(chain, rules, hook)


def _transit_hooks() -> Iterator[str]:
    """Where the route table is known already (-150), what it has no way for, and what would not
    outlive the hop; and what is on its way out, of both its links.  The mark of a packet that goes
    nowhere is free, too."""
    yield from _chain("counted", ("jump begin", "goto passed"))
    lost = "meta mark set iifname map @entering goto begin"
    expired = "meta mark set iifname map @expiring goto begin"
    yield from _chain("lost", (lost,))
    yield from _chain("expired", (expired,))
    arriving = (
        # what the ends of a link tell each other is nobody's packet
        "meta pkttype != unicast return",
        "ip6 saddr fe80::/10 return",
        "fib daddr . mark oif 0 goto lost",
        "ip ttl < 2 goto expired",
        "ip6 hoplimit < 2 goto expired",
    )
    hook = " {{ type filter hook {} priority {}; }}"
    yield from _chain("arriving", arriving, hook.format("prerouting", -140))
    yield from _chain("came", ("meta mark set iifname map @entering jump counted",))
    crossing = ("jump came", "meta mark set oifname map @leaving jump counted")
    yield from _chain("crossing", crossing, hook.format("forward", 10))


def _half(half: Half) -> Iterator[str]:
    flags = f"flags dynamic,timeout; timeout {KEPT}s;"
    for name, (_, kind, version) in SETS.items():
        form = f"{_type(kind, version)}; size {FLOWS}; {flags}"
        yield f"add set inet {FLOW_TABLE} {name}-{half} {{ {form} }}"
    yield f"add set inet {FLOW_TABLE} skipped-{half} {{ type mark; size {STATIONS}; {flags} }}"
    # where none of the sets took it, it was full, or the packet too odd to have ports
    last = f"update @skipped-{half} {{ meta mark counter }}"
    yield from _chain(f"first_{half}", _rules("first", half, "add"))
    for stage in STAGES[1:]:
        yield from _chain(f"{stage}_{half}", (*_rules(stage, half, "update"), last))
    yield from _chain(f"begin_{half}", _begin(half))


def _begin(half: Half) -> Iterator[str]:
    yield "meta l4proto 6 jump tcp_flags"
    for protocol, mark in PROTOCOLS.items():
        if mark:
            yield f"meta l4proto {protocol} meta mark set meta mark | 0x{mark:08x}"
    if half == "b":
        yield f"meta mark set meta mark | 0x{HALF_B:08x}"
    yield f"jump first_{half}"
    yield f"goto tried_{half}"


def _rules(stage: Stage, half: Half, verb: str) -> Iterator[str]:
    for name, (of, kind, version) in SETS.items():
        if of == stage:
            yield _rule(kind, version, f"{name}-{half}", verb)


def _type(kind: str, version: int) -> str:
    address = f"ipv{version}_addr"
    return f"type mark . {address} . {address} . {_CONTENT[kind][2]}"


def _rule(kind: str, version: int, name: str, verb: str) -> str:
    protocol, family = _FAMILIES[version]
    matches, rest, _ = _CONTENT[kind]
    key = f"meta mark . {family} saddr . {family} daddr . {rest}"
    return f"meta nfproto {protocol} {matches} {verb} @{name} {{ {key} counter }} return"


def turn(half: Half) -> str:
    """The commands by which new packets are counted in a half from now on."""
    name = f"inet {FLOW_TABLE} begin"
    return f"flush chain {name}\nadd rule {name} goto begin_{half}"


def emptied(half: Half) -> str:
    """The commands that empty a half."""
    names = (*SETS, "skipped")
    return "\n".join(f"flush set inet {FLOW_TABLE} {name}-{half}" for name in names)
