"""Addresses and prefixes of both IP versions as numbers, and look-up by longest prefix.

The standard library's address objects cost some microseconds a look, this some hundred
nanoseconds, and a question about one pair looks a dozen times.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address
from typing import Generic, Literal, TypeAlias, TypeVar

Version: TypeAlias = Literal[4, 6]
Prefix: TypeAlias = tuple[int, int]
"""A mask and a base: what masked is the base is in it."""

VERSIONS: tuple[Version, ...] = (4, 6)
NOWHERE: Prefix = (0, -1)
"""A prefix that no address is in: no masked address is −1."""

_WIDTH = {4: 32, 6: 128}
V = TypeVar("V")


@lru_cache(maxsize=1 << 16)
def number(ip: str) -> int:
    """An address as a number; a block that is delegated to a port is known by its first one."""
    if ":" in ip:
        return int(IPv6Address(ip.partition("/")[0]))
    a, b, c, d = ip.split(".")
    return int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)


def spelled(ip: int, version: Version) -> str:
    """A number as an address of an IP version."""
    if version == 6:
        return str(IPv6Address(ip))
    return f"{ip >> 24}.{ip >> 16 & 255}.{ip >> 8 & 255}.{ip & 255}"


def spell(where: Prefix, version: Version) -> str:
    """A prefix of an IP version as text."""
    mask, base = where
    return f"{spelled(base, version)}/{mask.bit_count()}"


def version_of(text: str) -> Version:
    """The IP version of an address or a prefix."""
    return 6 if ":" in text else 4


@lru_cache(maxsize=1 << 16)
def prefix(cidr: str, version: Version) -> Prefix:
    """A prefix among the addresses of an IP version, of which one of the other contains none."""
    if version_of(cidr) != version:
        return NOWHERE
    base, _, length = cidr.partition("/")
    width = _WIDTH[version]
    mask = (1 << width) - (1 << (width - int(length)))
    return mask, number(base) & mask


class Longest(Generic[V]):
    """Values by prefix of one IP version; an address finds that of the longest it is in."""

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels: dict[int, dict[int, V]] = {}

    def add(self, where: Prefix, value: V) -> None:
        """Give a prefix a value."""
        mask, base = where
        if mask not in self._levels:
            self._levels[mask] = {}
            # A longer prefix has a greater mask.
            self._levels = dict(sorted(self._levels.items(), reverse=True))
        self._levels[mask][base] = value

    def remove(self, where: Prefix) -> None:
        """Forget a prefix.  Raises ``KeyError`` where it has no value."""
        mask, base = where
        del self._levels[mask][base]
        if not self._levels[mask]:
            del self._levels[mask]

    def find(self, ip: int) -> V | None:
        """The value for an address, None where no prefix contains it."""
        for mask, values in self._levels.items():
            value = values.get(ip & mask)
            if value is not None:
                return value
        return None

    def prefixes(self) -> list[tuple[int, int, V]]:
        """Every mask, base and value, the longest prefixes first."""
        return [(mask, *item) for mask, values in self._levels.items() for item in values.items()]

    def copy(self) -> Longest[V]:
        """One of its own with the same content."""
        made: Longest[V] = Longest()
        made._levels = {mask: dict(values) for mask, values in self._levels.items()}
        return made
