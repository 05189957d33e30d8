"""Reads the kernel back into items: what is ours, recognised by exact names.

The book of wanted items helps only to name what is seen (which two link ends make a pair) and to
leave alone what a guest has added to its own namespace.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from gureum.engines.linux import copying, links, listing
from gureum.engines.linux.book import Book
from gureum.engines.linux.items import (
    Bridge,
    Chain,
    Copier,
    Family,
    Fdb,
    IpAddress,
    IpRule,
    Item,
    KernelRoute,
    Key,
    Namespace,
    Neighbour,
    PortFlags,
    Proxy,
    Settings,
    Siit,
    Sysctl,
    Veth,
)
from gureum.engines.linux.names import MACHINE, ROUTE_PROTOCOL, TABLE
from gureum.engines.linux.namespaces import Namespaces, ipv6_is_there
from gureum.engines.linux.netlink import NETFILTER, number, parse, string
from gureum.engines.linux.nft_tables import tables

_KINDS = {value: name for name, value in links.KINDS.items()}
_FAMILIES: tuple[Family, ...] = ("inet", "bridge", "netdev", "ip", "ip6")
UNKNOWN = "?"
_APART = ("instance", "container")
"""Kinds of namespaces that belong to a user namespace other than ours."""
_IPV6_METRIC = 1024
"""What the kernel gives an IPv6 route that asks for none (linux/ipv6_route.h)."""


@dataclass(frozen=True)
class _Link:
    index: int
    peer: int
    name: str
    up: bool
    kind: str
    mac: str
    mtu: int
    alias: str
    master: int
    port: dict[int, bytes]


class Observer:
    """Reads all namespaces once."""

    def __init__(self, namespaces: Namespaces, book: Book) -> None:
        self._spaces = namespaces
        self._book = book
        self._links: dict[str, dict[str, _Link]] = {}

    def observe(self) -> dict[Key, Item]:
        """Every item of ours that is in the kernel."""
        names = self._spaces.names()
        wanted = {}
        for key in self._book.wanted_keys():
            item = self._book.wanted(key)
            if isinstance(item, Namespace):
                wanted[item.ns] = item
        found: list[Item] = []
        for ns in sorted(names):
            if ns not in wanted:
                found.append(Namespace(ns, "instance"))  # a leftover: goes as a whole
            elif self._spaces.is_there(ns, apart=wanted[ns].kind in _APART):
                found.append(wanted[ns])
                self._links[ns] = dict(self._read_links(ns))
        self._links[MACHINE] = self._machine_links()
        for ns, seen in self._links.items():
            found += self._inside(ns, wanted.get(ns), seen)
        found += self._sysctls()
        return {item.key: item for item in found}

    def _machine_links(self) -> dict[str, _Link]:
        name = self._book.plan.machine_link
        if not name:
            return {}
        return {link: seen for link, seen in self._read_links(MACHINE) if link == name}

    def _inside(self, ns: str, space: Namespace | None, seen: dict[str, _Link]) -> Iterator[Item]:
        # of the machine's own namespace only our one link is looked at, and all of that is ours
        guest = space is not None and space.kind in ("internet-host", *_APART)
        by_index = {link.index: link.name for link in seen.values()}
        yield from self._link_items(ns, guest, seen, by_index)
        if not seen:
            return
        for item in self._layer_three(ns, by_index):
            if not guest or self._book.wanted(item.key) is not None:
                yield item
        if space is not None and space.kind not in _APART:
            yield from self._nft(ns)

    def _layer_three(self, ns: str, by_index: dict[int, str]) -> Iterator[Item]:
        yield from self._addresses(ns, by_index)
        yield from self._neighbours(ns, by_index)
        yield from self._routes(ns, by_index)
        if ns != MACHINE:
            yield from self._rules(ns)

    # --- links ----------------------------------------------------------------------------------
    def _read_links(self, ns: str) -> Iterator[tuple[str, _Link]]:
        for message in self._spaces.netlink(ns).dump(links.GETLINK, links.link_body()):
            _, _, index, flags, _ = links.LINK.unpack_from(message.body)
            at = parse(message.body[links.LINK.size :])
            info = parse(at.get(links.IFLA_LINKINFO, b""))
            link = _Link(
                index,
                number(at.get(links.IFLA_LINK)),
                string(at.get(links.IFLA_IFNAME)),
                bool(flags & links.IFF_UP),
                string(info.get(links.INFO_KIND)),
                at.get(links.IFLA_ADDRESS, b"").hex(":"),
                number(at.get(links.IFLA_MTU)),
                string(at.get(links.IFLA_IFALIAS)),
                number(at.get(links.IFLA_MASTER)),
                parse(info.get(links.INFO_SLAVE_DATA, b"")),
            )
            yield link.name, link

    def _link_items(
        self, ns: str, guest: bool, seen: dict[str, _Link], by_index: dict[int, str]
    ) -> Iterator[Item]:
        for name, link in seen.items():
            known = self._book.wanted(("settings", ns, name)) is not None
            if name == "lo" or (guest and not known):
                continue
            if link.kind == "bridge":
                yield Bridge(ns, name)
            elif link.kind == "veth":
                yield from self._pair(ns, link, known)
            alias = link.alias if link.up else f"(down) {link.alias}"
            master = by_index.get(link.master, "")
            if known:
                yield Settings(ns, name, link.mac, link.mtu, alias, master)
            if link.port and self._book.wanted(("flags", ns, name)) is not None:
                yield _flags(ns, link)
            for kind in ("copier", "siit"):
                wanted = self._book.wanted((kind, ns, name))
                if isinstance(wanted, Copier | Siit) and (at := self._program(wanted, link.index)):
                    yield at

    def _program(self, wanted: Copier | Siit, index: int) -> Copier | Siit | None:
        netlink = self._spaces.netlink(wanted.ns)
        with self._spaces.inside(wanted.ns):
            return copying.observe(netlink, wanted, index)

    def _pair(self, ns: str, link: _Link, known: bool) -> Iterator[Item]:
        wanted = self._book.wanted(("link", ns, link.name))
        if isinstance(wanted, Veth):
            other = self._links.get(wanted.peer_ns, {}).get(wanted.peer)
            if other is not None and (other.index, other.peer) == (link.peer, link.index):
                yield wanted
            else:
                yield Veth(ns, link.name, UNKNOWN, UNKNOWN)
        elif not known:
            yield Veth(ns, link.name, UNKNOWN, UNKNOWN)

    # --- addresses, neighbours, routes ----------------------------------------------------------
    def _addresses(self, ns: str, by_index: dict[int, str]) -> Iterator[Item]:
        request = links.ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        for message in self._spaces.netlink(ns).dump(links.GETADDR, request):
            _, length, _, _, index = links.ADDRESS.unpack_from(message.body)
            at = parse(message.body[links.ADDRESS.size :])
            ip = _ip(at.get(links.IFA_LOCAL) or at.get(links.IFA_ADDRESS))
            if index in by_index and not ipaddress.ip_address(ip).is_loopback:
                metric = number(at.get(links.IFA_RT_PRIORITY))
                yield IpAddress(ns, by_index[index], ip, length, metric)

    def _neighbours(self, ns: str, by_index: dict[int, str]) -> Iterator[Item]:
        requests = [
            links.NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0),
            # the bridge dump wants a link message's head
            links.LINK.pack(socket.AF_BRIDGE, 0, 0, 0, 0),
        ]
        if self._book.plan.way == "isolated":
            requests.append(links.NEIGHBOUR.pack(socket.AF_INET6, 0, 0, links.NTF_PROXY, 0))
        for request in requests:
            for message in self._spaces.netlink(ns).dump(links.GETNEIGH, request):
                family, index, state, flags, _ = links.NEIGHBOUR.unpack_from(message.body)
                at = parse(message.body[links.NEIGHBOUR.size :])
                mac = at.get(links.NDA_LLADDR, b"").hex(":")
                if index not in by_index:
                    continue
                if family == socket.AF_BRIDGE:
                    if state & links.NUD_NOARP and not _group(mac):
                        yield Fdb(ns, by_index[index], mac)
                elif flags & links.NTF_PROXY:
                    yield Proxy(ns, by_index[index], _ip(at.get(links.NDA_DST)))
                elif state & links.NUD_PERMANENT:
                    yield Neighbour(ns, by_index[index], _ip(at.get(links.NDA_DST)), mac)

    def _routes(self, ns: str, by_index: dict[int, str]) -> Iterator[Item]:
        request = links.ROUTE.pack(socket.AF_UNSPEC, *(0,) * 8)
        for message in self._spaces.netlink(ns).dump(links.GETROUTE, request):
            head = links.ROUTE.unpack_from(message.body)
            v6, length, protocol = head[0] == socket.AF_INET6, head[1], head[5]
            kind = _KINDS.get(head[7])
            at = parse(message.body[links.ROUTE.size :])
            out = number(at.get(links.RTA_OIF))
            foreign = out not in by_index and (out != 0 or ns == MACHINE)
            if protocol != ROUTE_PROTOCOL or kind is None or foreign:
                continue
            metric = number(at.get(links.RTA_PRIORITY))
            yield KernelRoute(
                ns,
                number(at.get(links.RTA_TABLE), head[4]),
                f"{_ip(at.get(links.RTA_DST) or bytes(16 if v6 else 4))}/{length}",
                "unicast" if kind == "unicast" else "throw" if kind == "throw" else "blackhole",
                _ip(at[links.RTA_GATEWAY]) if links.RTA_GATEWAY in at else "",
                # of IPv6 also what leads nowhere has a link (lo), and what has no metric has one
                by_index.get(out, "") if kind == "unicast" else "",
                0 if v6 and metric == _IPV6_METRIC else metric,
                _ip(at[links.RTA_PREFSRC]) if links.RTA_PREFSRC in at else "",
            )

    def _rules(self, ns: str) -> Iterator[Item]:
        request = links.RULE.pack(socket.AF_UNSPEC, *(0,) * 8)
        for message in self._spaces.netlink(ns).dump(links.GETRULE, request):
            at = parse(message.body[links.RULE.size :])
            if number(at.get(links.FRA_PROTOCOL)) == ROUTE_PROTOCOL:
                version = 6 if message.body[0] == socket.AF_INET6 else 4
                mark, table = number(at.get(links.FRA_MARK)), number(at.get(links.FRA_TABLE))
                yield IpRule(ns, mark, table, version)

    # --- nft, sysctls ---------------------------------------------------------------------------
    def _nft(self, ns: str) -> Iterator[Item]:
        there = tables(self._spaces.netlink(ns, NETFILTER))
        nft = self._spaces.nft(ns)
        with self._spaces.inside(ns):
            texts = [
                (family, nft.run(f"list table {family} {TABLE}"))
                for family in _FAMILIES
                if (family, TABLE) in there
            ]
        for family, text in texts:
            for item in listing.parse(ns, family, text):
                yield self._respelled(item) if isinstance(item, Chain) else item

    def _respelled(self, seen: Chain) -> Chain:
        wanted = self._book.wanted(seen.key)
        if not isinstance(wanted, Chain) or wanted.hook != seen.hook:
            return seen
        spelled = tuple(listing.spelled(rule) for rule in wanted.rules)
        return wanted if spelled == seen.rules else seen

    def _sysctls(self) -> Iterator[Item]:
        for key in self._book.wanted_keys():
            item = self._book.wanted(key)
            if isinstance(item, Sysctl) and item.ns in self._links:
                value = self._spaces.read_sysctl(item.ns, item.name)
                if value is not None:
                    yield Sysctl(item.ns, item.name, value, item.link)
                elif item.name.startswith("ipv6/") and not ipv6_is_there():
                    yield item  # off is off


def _flags(ns: str, link: _Link) -> PortFlags:
    def on(flag: int) -> bool:
        return number(link.port.get(flag)) != 0

    floods = {on(links.PORT_FLOOD), on(links.PORT_MULTICAST), on(links.PORT_BROADCAST)}
    return PortFlags(
        ns,
        link.name,
        learning=on(links.PORT_LEARNING),
        flood=True in floods,
        proxy_arp=on(links.PORT_PROXY_ARP),
        isolated=on(links.PORT_ISOLATED),
    )


def _ip(packed: bytes | None) -> str:
    return str(ipaddress.ip_address(packed or bytes(4)))


def _group(mac: str) -> bool:
    return int(mac[:2] or "1", 16) & 1 == 1
