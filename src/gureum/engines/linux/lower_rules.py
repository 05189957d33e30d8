"""From a filter of the program to the rules of an nft chain."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from gureum.engines.linux.guards import BLOCK6
from gureum.engines.linux.names import comment, filter_chain, member_set
from gureum.program import Filter, Rule

_ICMP = {1: "icmp", 58: "icmpv6"}
_ICMP_VERSIONS: dict[int | None, int] = {1: 4, 58: 6}
_FAMILY = {4: "ip", 6: "ip6"}
_PORTS = {6: "tcp", 17: "udp", 132: "sctp", 33: "dccp"}


def rules(filter_: Filter) -> tuple[str, ...]:
    """The rules of a filter, in order, and the drop that ends it."""
    ends = f'drop comment "{comment(filter_.default)}"'
    lines = (
        line
        for each in filter_.rules
        for version in versions(each, filter_)
        for line in _of_version(each, filter_, version)
    )
    return (*lines, ends)


def _of_version(line: Rule, filter_: Filter, version: int) -> Iterator[str]:
    yield rule(line, filter_, version)
    if version == 6 and "/" not in line.peer:  # a group has blocks beside addresses
        yield rule(line, filter_, version, blocks=True)


def versions(line: Rule, filter_: Filter) -> tuple[int, ...]:
    """The IP versions that a rule is about: that of its prefix, or those in which a group has
    members."""
    try:
        return (ipaddress.ip_network(line.peer).version,)
    except ValueError:  # the id of a group
        both = (4, 6) if filter_.ipv6 else (4,)
        only = _ICMP_VERSIONS.get(line.protocol)
        return tuple(version for version in both if only in (None, version))


def rule(line: Rule, filter_: Filter, version: int = 4, *, blocks: bool = False) -> str:
    """One rule in the spelling in which nft prints it; ``version`` is the IP version of the members
    where its peer is a group, and ``blocks`` says that their blocks are meant."""
    peer = _peer(line, filter_, version, blocks=blocks)
    words = (peer, _protocol(line), _verdict(line, filter_))
    text = " ".join(word for word in words if word)
    return f'{text} comment "{comment(line.why)}"'


def to_filter(filter_id: str | None) -> str:
    """The verdict that leads to a filter, or that lets everything pass where there is none."""
    return "accept" if filter_id is None else f"goto {filter_chain(filter_id)}"


def listed(cidrs: Iterable[str], version: int) -> str:
    """The blocks of an IP version as nft prints a set of them, which may be one alone."""
    first, *more = (cidr for cidr in cidrs if (":" in cidr) == (version == 6))
    return f"{{ {', '.join((first, *more))} }}" if more else first


def _verdict(line: Rule, filter_: Filter) -> str:
    if not line.allow:
        return "drop"
    if filter_.stateful and not line.untracked:
        return f"goto admit_{filter_.direction}"
    return "accept"


def _peer(line: Rule, filter_: Filter, version: int, *, blocks: bool) -> str:
    side = "saddr" if filter_.direction == "in" else "daddr"
    try:
        network = ipaddress.ip_network(line.peer)
    except ValueError:  # the id of a group
        masked = f"& {BLOCK6} == " if blocks else ""
        name = member_set(line.peer, version, blocks=blocks)
        return f"{_FAMILY[version]} {side} {masked}@{name}"
    if network.prefixlen == 0:
        # nft leaves the family out where the protocol implies it, and so do we
        implied = line.protocol == (1 if network.version == 4 else 58)
        return "" if implied else f"meta nfproto ipv{network.version}"
    alone = network.prefixlen == network.max_prefixlen
    return f"{_FAMILY[network.version]} {side} {network.network_address if alone else network}"


def _protocol(line: Rule) -> str:
    if line.protocol is None:
        return ""
    if line.protocol in _ICMP and line.icmp is not None and line.icmp[0] >= 0:
        name = _ICMP[line.protocol]
        code = f" {name} code {line.icmp[1]}" if line.icmp[1] >= 0 else ""
        return f"{name} type {line.icmp[0]}{code}"
    if line.protocol in _PORTS and line.ports is not None and line.ports != (0, 65535):
        low, high = line.ports
        span = str(low) if low == high else f"{low}-{high}"
        return f"{_PORTS[line.protocol]} dport {span}"
    return f"meta l4proto {line.protocol}"
