"""Link items and the netlink messages that put and drop them (rtnetlink(7)).

Every function acts in the namespace of the calling thread, with a socket of that namespace.
Putting what is there changes nothing, dropping what is gone is no error.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import ipaddress
import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from gureum.engines.linux import copying
from gureum.engines.linux.items import (
    Bridge,
    Copier,
    Fdb,
    IpAddress,
    IpRule,
    KernelRoute,
    LinkItem,
    Neighbour,
    PortFlags,
    Proxy,
    Settings,
    Siit,
    Veth,
)
from gureum.engines.linux.names import ROUTE_PROTOCOL, RULE_BASE, TABLE_BASE
from gureum.engines.linux.netlink import (
    CREATE,
    EXCLUSIVE,
    REPLACE,
    Netlink,
    NetlinkError,
    attr,
    nested,
    text,
    u8,
    u32,
)

# linux/rtnetlink.h
NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30
NEWRULE, DELRULE, GETRULE = 32, 33, 34
# linux/if_link.h
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER = 1, 3, 4, 5, 10
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_GROUP, IFLA_NET_NS_FD = 18, 20, 27, 28
INFO_KIND, INFO_DATA, INFO_SLAVE_KIND, INFO_SLAVE_DATA = 1, 2, 4, 5
VETH_PEER = 1
BRIDGE_SNOOPING = 23
PORT_LEARNING, PORT_FLOOD, PORT_PROXY_ARP, PORT_FLUSH = 8, 9, 10, 24
PORT_MULTICAST, PORT_BROADCAST, PORT_ISOLATED = 27, 30, 33
IFF_UP = 1
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS, IFA_RT_PRIORITY = 1, 2, 8, 9
IFA_F_NODAD = 0x02
# linux/neighbour.h
NDA_DST, NDA_LLADDR = 1, 2
NUD_NOARP, NUD_PERMANENT, NTF_MASTER, NTF_PROXY = 0x40, 0x80, 0x04, 0x08
# linux/rtnetlink.h
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE = 1, 4, 5, 6, 7, 15
KINDS = {"unicast": 1, "blackhole": 6, "throw": 9}
RTN_LOCAL, RTNH_ONLINK = 2, 4
UNIVERSE, ANY_SCOPE = 0, 255
# linux/fib_rules.h
FRA_PRIORITY, FRA_MARK, FRA_TABLE, FRA_PROTOCOL = 6, 10, 15, 21
FRA_TO_TABLE = 1

# linux/sockios.h, linux/ethtool.h, linux/if.h
SIOCETHTOOL, ETHTOOL_GLINK = 0x8946, 0x0A
ETHTOOL_VALUE, IFREQ = struct.Struct("=II"), struct.Struct("@16sP16x")

LINK = struct.Struct("=BxHiII")
ADDRESS = struct.Struct("=BBBBI")
ROUTE = struct.Struct("=BBBBBBBBI")
NEIGHBOUR = struct.Struct("=BxxxiHBB")
RULE = struct.Struct("=BBBBBBBBI")

SETTLING = 1.0
"""Seconds that addresses may take to be routed."""
_GONE = {errno.ENOENT, errno.ENODEV, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENXIO}
FdOf = Callable[[str], int]


def link_body(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """The fixed part of a link message."""
    return LINK.pack(0, 0, index, flags, change)


def raise_loopback(netlink: Netlink) -> None:
    """Set the loopback link up; it has index 1 in every namespace."""
    netlink.request(SETLINK, link_body(1, IFF_UP, IFF_UP))


def put(netlink: Netlink, item: LinkItem, fd_of: FdOf) -> None:
    """Put an item in force.

    Raises:
        OSError: the kernel refused.
    """
    if isinstance(item, Veth):
        _put_veth(netlink, item, fd_of)
    else:
        _PUT[type(item)](netlink, item)


def drop(netlink: Netlink, item: LinkItem) -> None:
    """Remove an item; settings go with their links.

    Raises:
        OSError: the kernel refused.
    """
    _unless_gone(lambda: _DROP[type(item)](netlink, item))


def drop_links(netlink: Netlink, names: Sequence[str]) -> None:
    """Remove links by name; the other end of a pair goes with it.

    The kernel waits some 20 ms for each removal, and once for a group (``ip link set group``), so
    links go as a group.  Its number is drawn, lest what a crash left in a group went with
    a later one.

    Raises:
        OSError: the kernel refused.
    """
    group = u32(IFLA_GROUP, 1 + secrets.randbelow(1 << 31))
    for name in names:
        _unless_gone(partial(_put_in_group, netlink, name, group))
    _unless_gone(partial(netlink.request, DELLINK, link_body() + group))


def _put_in_group(netlink: Netlink, link: str, group: bytes) -> None:
    netlink.request(SETLINK, link_body(_index(link)) + group)


def settle(names: Iterable[str]) -> None:
    """Have links that were set up carry packets now.

    The kernel gives a link its queue some time after its carrier, and drops packets until then; to
    be asked whether there is a link makes it do so at once (``ethtool_op_get_link``).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for name in names:
            question = ctypes.create_string_buffer(ETHTOOL_VALUE.pack(ETHTOOL_GLINK, 0))
            request = IFREQ.pack(name.encode(), ctypes.addressof(question))
            with contextlib.suppress(OSError):  # what is gone, or not ours to ask, needs nothing
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)


def settle_addresses(netlink: Netlink, ips: Iterable[str]) -> None:
    """Have IPv6 addresses that were put take packets now.

    The kernel makes an address known at once and routes packets to it some milliseconds later
    (``addrconf_dad_work``), whether or not it looks for duplicates.
    """
    until = time.monotonic() + SETTLING
    for ip in ips:
        while not _is_local(netlink, ip) and time.monotonic() < until:
            time.sleep(0.0005)


def _is_local(netlink: Netlink, ip: str) -> bool:
    body = ROUTE.pack(socket.AF_INET6, 128, *(0,) * 7) + attr(RTA_DST, _ip(ip))
    try:
        answer = netlink.get(GETROUTE, body)
    except NetlinkError:
        return False
    return bool(ROUTE.unpack_from(answer.body)[7] == RTN_LOCAL)


def _unless_gone(act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as error:
        if error.errno not in _GONE:
            raise


def _index(link: str) -> int:
    try:
        return socket.if_nametoindex(link)
    except OSError as error:  # it comes without a number
        raise NetlinkError(errno.ENODEV, f"no link {link}") from error


def _mac(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _ip(ip: str) -> bytes:
    return ipaddress.ip_address(ip).packed


def _family(ip: str) -> int:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


# --- links --------------------------------------------------------------------------------------
def _put_veth(netlink: Netlink, item: Veth, fd_of: FdOf) -> None:
    peer = (link_body(), text(IFLA_IFNAME, item.peer), u32(IFLA_NET_NS_FD, fd_of(item.peer_ns)))
    kind = (text(INFO_KIND, "veth"), nested(INFO_DATA, attr(VETH_PEER, b"".join(peer))))
    body = link_body() + text(IFLA_IFNAME, item.link) + nested(IFLA_LINKINFO, *kind)
    netlink.request(NEWLINK, body, CREATE | EXCLUSIVE)


def _put_bridge(netlink: Netlink, item: Bridge) -> None:
    kind = (text(INFO_KIND, "bridge"), nested(INFO_DATA, u8(BRIDGE_SNOOPING, 0)))
    body = link_body() + text(IFLA_IFNAME, item.link) + nested(IFLA_LINKINFO, *kind)
    netlink.request(NEWLINK, body, CREATE | EXCLUSIVE)


def _put_settings(netlink: Netlink, item: Settings) -> None:
    body = (
        link_body(_index(item.link), IFF_UP, IFF_UP),
        attr(IFLA_ADDRESS, _mac(item.mac)),
        u32(IFLA_MTU, item.mtu),
        attr(IFLA_IFALIAS, item.alias.encode()),
        *([u32(IFLA_MASTER, _index(item.master))] if item.master else ()),
    )
    netlink.request(SETLINK, b"".join(body))


def _put_flags(netlink: Netlink, item: PortFlags) -> None:
    flags = (
        u8(PORT_LEARNING, item.learning),
        u8(PORT_FLOOD, item.flood),
        u8(PORT_MULTICAST, item.flood),
        u8(PORT_BROADCAST, item.flood),
        u8(PORT_PROXY_ARP, item.proxy_arp),
        u8(PORT_ISOLATED, item.isolated),
        attr(PORT_FLUSH, b""),  # forget what was learned in another mode
    )
    info = (text(INFO_SLAVE_KIND, "bridge"), nested(INFO_SLAVE_DATA, *flags))
    netlink.request(NEWLINK, link_body(_index(item.link)) + nested(IFLA_LINKINFO, *info))


def _drop_link_item(netlink: Netlink, item: Bridge | Veth) -> None:
    netlink.request(DELLINK, link_body(_index(item.link)))


def _goes_with_its_link(_netlink: Netlink, _item: Settings | PortFlags | Copier | Siit) -> None:
    return


# --- addresses, neighbours ----------------------------------------------------------------------
def _address(item: IpAddress) -> bytes:
    head = ADDRESS.pack(_family(item.ip), item.length, 0, 0, _index(item.link))
    body = head + attr(IFA_LOCAL, _ip(item.ip)) + attr(IFA_ADDRESS, _ip(item.ip))
    if ":" in item.ip:
        body += u32(IFA_FLAGS, IFA_F_NODAD)
    return body + attr(IFA_RT_PRIORITY, struct.pack("=I", item.metric)) if item.metric else body


def _put_address(netlink: Netlink, item: IpAddress) -> None:
    netlink.request(NEWADDR, _address(item), CREATE | REPLACE)


def _drop_address(netlink: Netlink, item: IpAddress) -> None:
    netlink.request(DELADDR, _address(item))


def _neighbour(item: Neighbour) -> bytes:
    head = NEIGHBOUR.pack(_family(item.ip), _index(item.link), NUD_PERMANENT, 0, 0)
    return head + attr(NDA_DST, _ip(item.ip)) + attr(NDA_LLADDR, _mac(item.mac))


def _put_neighbour(netlink: Netlink, item: Neighbour) -> None:
    netlink.request(NEWNEIGH, _neighbour(item), CREATE | REPLACE)


def _drop_neighbour(netlink: Netlink, item: Neighbour) -> None:
    netlink.request(DELNEIGH, _neighbour(item))


def _proxy(item: Proxy) -> bytes:
    head = NEIGHBOUR.pack(_family(item.ip), _index(item.link), NUD_PERMANENT, NTF_PROXY, 0)
    return head + attr(NDA_DST, _ip(item.ip))


def _put_proxy(netlink: Netlink, item: Proxy) -> None:
    netlink.request(NEWNEIGH, _proxy(item), CREATE | REPLACE)


def _drop_proxy(netlink: Netlink, item: Proxy) -> None:
    netlink.request(DELNEIGH, _proxy(item))


def _fdb(item: Fdb) -> bytes:
    head = NEIGHBOUR.pack(socket.AF_BRIDGE, _index(item.link), NUD_NOARP, NTF_MASTER, 0)
    return head + attr(NDA_LLADDR, _mac(item.mac))


def _put_fdb(netlink: Netlink, item: Fdb) -> None:
    netlink.request(NEWNEIGH, _fdb(item), CREATE | REPLACE)


def _drop_fdb(netlink: Netlink, item: Fdb) -> None:
    netlink.request(DELNEIGH, _fdb(item))


# --- routes, rules ------------------------------------------------------------------------------
def _route(item: KernelRoute, scope: int = UNIVERSE) -> bytes:
    net = ipaddress.ip_network(item.destination)
    head = ROUTE.pack(
        socket.AF_INET6 if net.version == 6 else socket.AF_INET,
        net.prefixlen,
        0,
        0,
        0,  # the table's number may not fit here; it is an attribute
        ROUTE_PROTOCOL,
        scope,
        KINDS[item.kind],
        RTNH_ONLINK if item.via and net.version == 4 else 0,  # link-local is on-link anyway
    )
    parts = [head, attr(RTA_DST, net.network_address.packed), u32(RTA_TABLE, item.table)]
    if item.metric:
        parts.append(u32(RTA_PRIORITY, item.metric))
    if item.via:
        parts.append(attr(RTA_GATEWAY, _ip(item.via)))
    if item.link:
        parts.append(u32(RTA_OIF, _index(item.link)))
    if item.source:
        parts.append(attr(RTA_PREFSRC, _ip(item.source)))
    return b"".join(parts)


def _put_route(netlink: Netlink, item: KernelRoute) -> None:
    netlink.request(NEWROUTE, _route(item), CREATE | REPLACE)


def _drop_route(netlink: Netlink, item: KernelRoute) -> None:
    netlink.request(DELROUTE, _route(item, ANY_SCOPE))


def _rule(item: IpRule) -> bytes:
    family = socket.AF_INET6 if item.version == 6 else socket.AF_INET
    head = RULE.pack(family, 0, 0, 0, 0, 0, 0, FRA_TO_TABLE, 0)
    return b"".join(
        (
            head,
            u32(FRA_PRIORITY, RULE_BASE + item.table - TABLE_BASE),
            u32(FRA_MARK, item.mark),
            u32(FRA_TABLE, item.table),
            u8(FRA_PROTOCOL, ROUTE_PROTOCOL),
        )
    )


def _put_rule(netlink: Netlink, item: IpRule) -> None:
    try:
        netlink.request(NEWRULE, _rule(item), CREATE | EXCLUSIVE)
    except NetlinkError as error:
        if error.errno != errno.EEXIST:
            raise


def _drop_rule(netlink: Netlink, item: IpRule) -> None:
    netlink.request(DELRULE, _rule(item))


_PUT: dict[type, Callable[[Netlink, Any], None]] = {
    Bridge: _put_bridge,
    Settings: _put_settings,
    PortFlags: _put_flags,
    Copier: copying.put,
    Siit: copying.put,
    IpAddress: _put_address,
    Neighbour: _put_neighbour,
    Proxy: _put_proxy,
    Fdb: _put_fdb,
    KernelRoute: _put_route,
    IpRule: _put_rule,
}
_DROP: dict[type, Callable[[Netlink, Any], None]] = {
    Bridge: _drop_link_item,
    Veth: _drop_link_item,
    Settings: _goes_with_its_link,
    PortFlags: _goes_with_its_link,
    Copier: _goes_with_its_link,
    Siit: _goes_with_its_link,
    IpAddress: _drop_address,
    Neighbour: _drop_neighbour,
    Proxy: _drop_proxy,
    Fdb: _drop_fdb,
    KernelRoute: _drop_route,
    IpRule: _drop_rule,
}
