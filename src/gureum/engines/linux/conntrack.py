"""Forget tracked flows of an address, which would otherwise keep a translation alive for as long
as packets of the flow arrive (ctnetlink, linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct

from gureum.engines.linux.netlink import Netlink, NetlinkError, attr, parse

_CTNETLINK = 1 << 8
_GET, _DELETE = _CTNETLINK | 1, _CTNETLINK | 2
_HEAD = struct.pack("=BBH", socket.AF_INET, 0, 0)
_TUPLE_ORIG, _TUPLE_REPLY, _ID = 1, 2, 12
_TUPLE_IP = 1
_IP_SRC, _IP_DST = 1, 2
_NESTED = 0x8000


def forget(netlink: Netlink, ip: str) -> None:
    """End all tracked flows in which an address takes part; ``netlink`` is a netfilter socket.

    The cost is that of reading the namespace's tracking table.
    """
    packed = ipaddress.ip_address(ip).packed
    for message in netlink.dump(_GET, _HEAD):
        flow = parse(message.body[len(_HEAD) :])
        original, reply = flow.get(_TUPLE_ORIG, b""), flow.get(_TUPLE_REPLY, b"")
        if packed not in (*_addresses(original), *_addresses(reply)):
            continue
        body = _HEAD + attr(_TUPLE_ORIG | _NESTED, original) + attr(_ID, flow.get(_ID, b""))
        with contextlib.suppress(FileNotFoundError):
            try:
                netlink.request(_DELETE, body)
            except NetlinkError as error:
                if error.errno != errno.ENOENT:
                    raise


def _addresses(flow: bytes) -> tuple[bytes, ...]:
    ends = parse(parse(flow).get(_TUPLE_IP, b""))
    return ends.get(_IP_SRC, b""), ends.get(_IP_DST, b"")
