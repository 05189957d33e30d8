"""The live kernel tables of a place, with the cloud's own names instead of the kernel's.

Links carry their whole id as ``ifalias``; addresses, table numbers and next hops are named by the
statements that asked for them.  Nothing here changes anything.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from gureum.engines import Row, TableKind
from gureum.engines.linux import conntrack, links, listing, sockets
from gureum.engines.linux.items import Element
from gureum.engines.linux.names import (
    MAIN,
    TABLE,
    TABLE_BASE,
    internet_host_namespace,
    link_local,
    segment_link,
)
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import NETFILTER, SOCK_DIAG, number, parse, string
from gureum.program import (
    Address,
    Gateway,
    Host,
    InternetHost,
    Port,
    Router,
    Segment,
    SegmentTable,
    Statement,
    Table,
    Uplink,
)

_NEIGHBOUR_STATES = {
    0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe",
    0x20: "failed", 0x40: "noarp", 0x80: "permanent",
}  # fmt: skip
_ROUTE_KINDS = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
_LOCAL_TABLE = 255
_IP: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 16}
"""The address families that are shown, with the size of their addresses."""
_TICKS = 100
"""USER_HZ: the kernel tells ages in hundredths of a second on every architecture that we run on."""
_CACHE_INFO, _NDA_MASTER = 3, 9
_NUD_STATIC = links.NUD_NOARP | links.NUD_PERMANENT


@dataclass(frozen=True)
class _Place:
    """Where to look: a namespace, and what of it belongs to the place."""

    ns: str
    router: str = ""
    segment: Segment | None = None
    ips: frozenset[str] = frozenset()
    translates: bool = False


class Tables:
    """Reads the tables of the places that some statements make.  To be used on the thread of the
    namespaces."""

    def __init__(self, namespaces: Namespaces, statements: Collection[Statement]) -> None:
        self._spaces = namespaces
        self._statements = statements

    def read(self, kind: TableKind, place_id: str) -> list[Row]:
        """The rows of one table, in the kernel's order.

        Raises:
            LookupError: there is no such place.
            OSError: the kernel refused.
        """
        readers: dict[TableKind, Callable[[_Place], Iterator[Row]]] = {
            "arp": self._arp,
            "mac": self._mac,
            "route": self._route,
            "conntrack": self._conntrack,
            "nat": self._nat,
            "socket": self._socket,
        }
        return list(readers[kind](self._place(place_id)))

    # --- places and names -----------------------------------------------------------------------
    def _place(self, id_: str) -> _Place:
        for each in self._statements:
            match each:
                case Router(id=id) if id == id_:
                    return _Place(id, router=id)
                case Segment(id=id) if id == id_:
                    return _Place(each.router, router=each.router, segment=each)
                case Host(id=id) if id == id_:
                    nat = each.kind == "nat-gateway"
                    return _Place(id, each.router, None, self._ips(id), translates=nat)
                case Gateway(id=id) if id == id_:
                    return _Place(id)
                case InternetHost(name=name) if name == id_:
                    return _Place(internet_host_namespace(name), ips=frozenset({each.ip, each.ip6}))
        raise LookupError(f"there is no place {id_!r} on the network")

    def _ips(self, host: str) -> frozenset[str]:
        found = (each for each in self._statements if isinstance(each, Address))
        return frozenset(each.ip for each in found if each.port.host == host)

    def _owners(self, router: str) -> dict[str, str]:
        """The interface of each private address of a router, and of each link-local one."""
        found = [each for each in self._statements if isinstance(each, Address)]
        own = {each.ip: each.port for each in found if each.port.segment.router == router}
        hops = {link_local(port.mac): port for port in own.values()}
        return {ip: port.id for ip, port in (hops | own).items()}

    def _stations(self, router: str) -> dict[str, str]:
        """The interface of each link-layer address of a router."""
        ports = (each for each in self._statements if isinstance(each, Port))
        return {each.mac: each.id for each in ports if each.segment.router == router}

    def _links(self, place: _Place) -> dict[int, tuple[str, str]]:
        """Name and id of each link by index; of a link between two boxes the other box's id."""
        found: dict[int, tuple[str, str]] = {}
        for message in self._spaces.netlink(place.ns).dump(links.GETLINK, links.link_body()):
            index = links.LINK.unpack_from(message.body)[2]
            at = parse(message.body[links.LINK.size :])
            name, alias = string(at.get(links.IFLA_IFNAME)), string(at.get(links.IFLA_IFALIAS))
            others = [word for word in alias.split() if word != place.ns]
            found[index] = (name, " ".join(others) or name)
        return found

    def _is_outside(self, place: _Place, link: str) -> bool:
        return place.segment is not None and link != segment_link(place.segment.id)

    # --- arp, mac -------------------------------------------------------------------------------
    def _arp(self, place: _Place) -> Iterator[Row]:
        names, owners = self._links(place), self._owners(place.router)
        request = links.NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        for message in self._spaces.netlink(place.ns).dump(links.GETNEIGH, request):
            family, index, state, _, _ = links.NEIGHBOUR.unpack_from(message.body)
            at = parse(message.body[links.NEIGHBOUR.size :])
            link, name = names.get(index, ("", ""))
            address = _ip(at.get(links.NDA_DST))
            useless = link == "lo" or state == links.NUD_NOARP
            if family not in _IP or useless or self._is_outside(place, link):
                continue
            yield {
                "address": address,
                "mac": at.get(links.NDA_LLADDR, b"").hex(":"),
                "link": name,
                "state": _NEIGHBOUR_STATES.get(state, str(state)),
                "interface": owners.get(address, ""),
            }

    def _mac(self, place: _Place) -> Iterator[Row]:
        names, stations = self._links(place), self._stations(place.router)
        request = links.LINK.pack(socket.AF_BRIDGE, 0, 0, 0, 0)
        for message in self._spaces.netlink(place.ns).dump(links.GETNEIGH, request):
            family, index, state, _, _ = links.NEIGHBOUR.unpack_from(message.body)
            at = parse(message.body[links.NEIGHBOUR.size :])
            mac = at.get(links.NDA_LLADDR, b"").hex(":")
            bridge = names.get(number(at.get(_NDA_MASTER)), ("", ""))
            if family != socket.AF_BRIDGE or not bridge[0] or self._is_outside(place, bridge[0]):
                continue
            kind = "static" if state & links.NUD_NOARP else "learned"
            yield {
                "segment": bridge[1],
                "mac": mac,
                "link": names.get(index, ("", ""))[1],
                "kind": "own" if state & links.NUD_PERMANENT else kind,
                "age": _age(at.get(_CACHE_INFO)) if not state & _NUD_STATIC else 0,
                "interface": stations.get(mac, ""),
            }

    # --- route ----------------------------------------------------------------------------------
    def _route(self, place: _Place) -> Iterator[Row]:
        names, owners = self._links(place), self._owners(place.router)
        tables = self._table_names(place)
        only = self._table_of(place.segment) if place.segment else None
        request = links.ROUTE.pack(socket.AF_UNSPEC, *(0,) * 8)
        for message in self._spaces.netlink(place.ns).dump(links.GETROUTE, request):
            head = links.ROUTE.unpack_from(message.body)
            at = parse(message.body[links.ROUTE.size :])
            table = number(at.get(links.RTA_TABLE), head[4])
            elsewhere = only is not None and table != only
            if head[0] not in _IP or table == _LOCAL_TABLE or elsewhere:
                continue
            gateway = _ip(at[links.RTA_GATEWAY]) if links.RTA_GATEWAY in at else ""
            link = names.get(number(at.get(links.RTA_OIF)), ("", ""))[1]
            kind = _ROUTE_KINDS.get(head[7], str(head[7]))
            yield {
                "table": tables.get(table, str(table)),
                "destination": f"{_ip(at.get(links.RTA_DST) or bytes(_IP[head[0]]))}/{head[1]}",
                "target": _target(kind, owners.get(gateway) or link),
                "via": gateway,
                "metric": number(at.get(links.RTA_PRIORITY)),
            }

    def _table_names(self, place: _Place) -> dict[int, str]:
        found = (each for each in self._statements if isinstance(each, Table))
        own = {TABLE_BASE + each.number: each.id for each in found if each.router == place.ns}
        return {MAIN: "main", **own}

    def _table_of(self, segment: Segment) -> int:
        for each in self._statements:
            if isinstance(each, SegmentTable) and each.segment == segment:
                return TABLE_BASE + each.table.number
        return MAIN

    # --- conntrack, nat -------------------------------------------------------------------------
    def _flows(self, place: _Place) -> Iterator[conntrack.Flow]:
        cidrs = place.segment.cidrs if place.segment else None
        for flow in conntrack.flows(self._spaces.netlink(place.ns, NETFILTER)):
            ends = (flow.original.source, flow.original.target)
            if cidrs is None or any(_within(ip, cidr) for ip in ends for cidr in cidrs):
                yield flow

    def _conntrack(self, place: _Place) -> Iterator[Row]:
        owners = self._owners(place.router)
        for flow in self._flows(place):
            yield {
                "protocol": flow.protocol,
                "source": flow.original.source,
                "sport": flow.original.sport,
                "destination": flow.original.target,
                "dport": flow.original.dport,
                "answer_from": flow.reply.source,
                "answer_to": flow.reply.target,
                "state": flow.state,
                "expires": flow.expires,
                "source_interface": owners.get(flow.original.source, ""),
                "destination_interface": owners.get(flow.original.target, ""),
            }

    def _nat(self, place: _Place) -> Iterator[Row]:
        if place.translates:
            yield from self._translations(place)
        owners = self._owners(place.router)
        for gateway in self._gateways(place):
            for public, private in self._pairs(gateway):
                mine = private in place.ips or public in place.ips or not place.ips
                cidrs = place.segment.cidrs if place.segment else ("0.0.0.0/0",)
                inside = any(_within(private, cidr) for cidr in cidrs)
                if mine and inside:
                    yield {
                        "gateway": gateway,
                        "public": public,
                        "private": private,
                        "interface": owners.get(private, ""),
                    }

    def _gateways(self, place: _Place) -> list[str]:
        found = (each for each in self._statements if isinstance(each, Uplink))
        attached = {each.gateway for each in found if each.router == place.router}
        return sorted(attached) if place.router else [place.ns]

    def _pairs(self, gateway: str) -> Iterator[tuple[str, str]]:
        name = "public_to_private"
        nft = self._spaces.nft(gateway)
        with self._spaces.inside(gateway):
            if f"table inet {TABLE}" not in nft.run("list tables").splitlines():
                return
            maps = nft.run("list maps")
        for item in listing.parse(gateway, "inet", maps):
            if isinstance(item, Element) and item.name == name:
                yield item.element, item.value

    def _translations(self, place: _Place) -> Iterator[Row]:
        owners = self._owners(place.router)
        for flow in self._flows(place):
            if flow.reply.target != flow.original.source:
                yield {
                    "protocol": flow.protocol,
                    "private": flow.original.source,
                    "sport": flow.original.sport,
                    "translated": flow.reply.target,
                    "translated_port": flow.reply.dport or flow.reply.sport,
                    "destination": flow.original.target,
                    "dport": flow.original.dport,
                    "state": flow.state,
                    "expires": flow.expires,
                    "interface": owners.get(flow.original.source, ""),
                }

    # --- socket ---------------------------------------------------------------------------------
    def _socket(self, place: _Place) -> Iterator[Row]:
        with self._spaces.inside(place.ns):
            found = list(sockets.sockets())
        most = sockets.backlogs(self._spaces.netlink(place.ns, SOCK_DIAG))
        for each in found:
            waits = each.state == "listening" and each.protocol == "tcp"
            yield {
                "protocol": each.protocol,
                "address": each.address,
                "port": each.port,
                "peer": each.peer,
                "peer_port": each.peer_port,
                "state": each.state,
                "waiting": each.unread if waits else "",
                "backlog": most.get((each.address, each.port), "") if waits else "",
                "unread": "" if waits else each.unread,
                "unsent": "" if waits else each.unsent,
            }


def _target(kind: str, to: str) -> str:
    return {"throw": "local", "unicast": to}.get(kind, kind)


def _ip(packed: bytes | None) -> str:
    return str(ipaddress.ip_address(packed or bytes(4)))


def _within(ip: str, cidr: str) -> bool:
    return ipaddress.ip_address(ip) in ipaddress.ip_network(cidr)


def _age(info: bytes | None) -> int:
    """Seconds since a learned entry was last refreshed (``struct nda_cacheinfo``)."""
    return number(info[8:12]) // _TICKS if info and len(info) >= 12 else 0
