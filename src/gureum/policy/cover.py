"""Whether one rule is about everything that another is about."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from gureum.resources.network_acl import Entry
from gureum.resources.permissions import Permission

Span = tuple[int, int] | None


def covers_entry(wide: Entry, narrow: Entry) -> bool:
    """Whether an ACL's entry decides every packet that another one would decide."""
    return (
        wide.protocol in (None, narrow.protocol)
        and _prefix(wide.cidr, wide.cidr6, narrow.cidr, narrow.cidr6)
        and _ports(wide.ports, narrow.ports)
        and _icmp(wide.icmp, narrow.icmp)
    )


def covers_permission(wide: Permission, narrow: Permission) -> bool:
    """Whether a security group's rule admits everything that another one admits."""
    if wide.protocol not in (None, narrow.protocol):
        return False
    if wide.group is not None or narrow.group is not None:
        peers = wide.group == narrow.group
    else:
        peers = _prefix(wide.cidr, wide.cidr6, narrow.cidr, narrow.cidr6)
    if wide.protocol is None or wide.first is None:
        return peers
    if narrow.first is None or narrow.last is None or wide.last is None:
        return False
    if wide.protocol == 1:
        return peers and _icmp((wide.first, wide.last), (narrow.first, narrow.last))
    return peers and wide.first <= narrow.first and narrow.last <= wide.last


def _prefix(wide: str | None, wide6: str | None, narrow: str | None, narrow6: str | None) -> bool:
    if wide and narrow:
        return IPv4Network(narrow).subnet_of(IPv4Network(wide))
    if wide6 and narrow6:
        return IPv6Network(narrow6).subnet_of(IPv6Network(wide6))
    return False


def _ports(wide: Span, narrow: Span) -> bool:
    if wide is None:
        return True
    return narrow is not None and wide[0] <= narrow[0] and narrow[1] <= wide[1]


def _icmp(wide: Span, narrow: Span) -> bool:
    if wide is None or wide[0] == -1:
        return True
    return narrow is not None and wide[0] == narrow[0] and wide[1] in (-1, narrow[1])
