"""What the statements about addresses and guards need of IPv6."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gureum.engines.linux.items import (
    Element,
    IpAddress,
    IpRule,
    Item,
    KernelRoute,
    Neighbour,
    Proxy,
    Siit,
    Sysctl,
)
from gureum.engines.linux.names import (
    MAIN,
    PREFIX_METRIC,
    ROUTER6,
    link_local,
    port_link,
    segment_link,
)
from gureum.program import Address, Guard, Segment
from gureum.program.statements import Mode

ANY6 = "::/0"


def speaks_ipv6(ns: str, link: str) -> Item:
    """Links of routers speak no IPv6 until they are told to."""
    return Sysctl(ns, f"ipv6/conf/{link}/disable_ipv6", "0", link)


def segment6(it: Segment) -> Iterator[Item]:
    """The router's addresses in a segment with an IPv6 prefix."""
    ns, link, network = it.router, segment_link(it.id), ipaddress.ip_network(it.cidr6)
    yield speaks_ipv6(ns, link)
    yield IpAddress(ns, link, ROUTER6, 64)
    yield IpAddress(ns, link, str(network[1]), network.prefixlen)


def needs_ipv6(item: Item) -> bool:
    """Whether a kernel without IPv6 refuses the item."""
    if isinstance(item, KernelRoute):
        return ":" in item.destination
    if isinstance(item, (IpAddress, Neighbour, Proxy)):
        return ":" in item.ip
    return isinstance(item, Siit) or (isinstance(item, IpRule) and item.version == 6)


def address6(it: Address, mode: Mode, *, isolated: bool) -> Iterator[Item]:
    """An instance has its addresses alone (/128), what AWS's router announces (the prefix is on the
    link, the router at its link-local address) and a link-local address."""
    host, link, mac = it.port.host, f"eth{it.port.index}", it.port.mac
    router, bridge = it.port.segment.router, segment_link(it.port.segment.id)
    if it.delegated:
        yield from _block(it, mode, isolated=isolated)
        return
    yield IpAddress(host, link, it.ip, 128)
    yield IpAddress(host, link, link_local(mac), 64)
    if it.primary:
        prefix, metric = it.port.segment.cidr6, PREFIX_METRIC + it.port.index
        yield KernelRoute(host, MAIN, prefix, "unicast", "", link, metric, it.ip)
    if it.primary and it.port.index == 0:
        yield KernelRoute(host, MAIN, ANY6, "unicast", ROUTER6, link, source=it.ip)
    yield Neighbour(router, bridge, it.ip, mac)
    if isolated:
        yield Proxy(router, bridge, it.ip)
    elif mode == "fabric":
        yield Element(router, "bridge", "solicited", _number(it.ip), mac)


def _block(it: Address, mode: Mode, *, isolated: bool) -> Iterator[Item]:
    """The router sends a block to its port, by the link-local address that routes lead to.  In the
    segment neighbours ask for each of its addresses, and the host answers for those that it has;
    with isolated ports they cannot."""
    router, bridge, mac = it.port.segment.router, segment_link(it.port.segment.id), it.port.mac
    hop = link_local(mac)
    yield IpAddress(it.port.host, f"eth{it.port.index}", hop, 64)
    yield Neighbour(router, bridge, hop, mac)
    yield KernelRoute(router, MAIN, it.ip, "unicast", hop, bridge)
    if mode == "fabric" and not isolated:
        yield Element(router, "bridge", "solicited_blocks", _number(base(it.ip)), mac)


def base(block: str) -> str:
    """The first address of a block, by which the kernel's sets know it."""
    return block.partition("/")[0]


def guard6(it: Guard, receives: str) -> Iterator[Item]:
    """What a guard says of IPv6; ``receives`` is the verdict on what comes in.  Routes lead to a
    port by its link-local address, which serves neighbour discovery and nothing else."""
    ns, link, mac = it.port.segment.router, f'"{port_link(it.port.id)}"', it.port.mac
    hop = link_local(mac)
    own = [ip for ip in it.addresses if ":" in ip and "/" not in ip]
    blocks = [base(ip) for ip in it.addresses if "/" in ip]
    for ip in blocks:
        yield Element(ns, "bridge", "own_blocks6", f"{link} . {mac} . {ip}")
        yield Element(ns, "bridge", "target_blocks6", f"{link} . {mac} . {_number(ip)}")
        yield Element(ns, "inet", "owner_blocks6", f"{mac} . {ip}")
        for last in (ip, hop):
            yield Element(ns, "inet", "last_hop_blocks6", f"{last} . {ip}")
        yield Element(ns, "inet", "sg_in_by_block6", ip, receives)
    for ip in (*own, hop) if own or blocks else ():
        yield Element(ns, "bridge", "owns6", f"{link} . {mac} . {ip}")
        yield Element(ns, "bridge", "targets6", f"{link} . {mac} . {_number(ip)}")
    for ip in own:
        yield Element(ns, "inet", "owners6", f"{mac} . {ip}")
        for last in (ip, hop):
            yield Element(ns, "inet", "last_hops6", f"{last} . {ip}")
        key = "sg_in_by_hop6" if it.forwarding else "sg_in_by_ip6"
        yield Element(ns, "inet", key, ip, receives)
    if it.forwarding and it.port.segment.cidr6:
        yield Element(ns, "inet", "sg_in_by_hop6", hop, receives)


def _number(ip: str) -> str:
    """An IPv6 address as nft writes it where it does not know that it is one."""
    return hex(int(ipaddress.IPv6Address(ip)))
