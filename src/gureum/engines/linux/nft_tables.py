"""Which nft tables there are (linux/netfilter/nf_tables.h): libnftables, asked the same, reads the
elements of all sets of all tables first."""

from __future__ import annotations

from gureum.engines.linux.netlink import Netlink, parse, string

_GET_TABLE = 10 << 8 | 1
_HEAD = 4
_NAME = 1
_FAMILIES = {1: "inet", 2: "ip", 5: "netdev", 7: "bridge", 10: "ip6"}


def tables(netlink: Netlink) -> set[tuple[str, str]]:
    """Families and names of the tables in the namespace of a netfilter socket."""
    found = set()
    for message in netlink.dump(_GET_TABLE, bytes(_HEAD)):
        family = _FAMILIES.get(message.body[0])
        if family is not None:
            found.add((family, string(parse(message.body[_HEAD:]).get(_NAME))))
    return found
