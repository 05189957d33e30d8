"""IPv4 addresses and prefixes as numbers, and look-up by longest prefix.

The standard library's address objects cost some microseconds a look, this some hundred
nanoseconds, and a question about one pair looks a dozen times.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Generic, TypeVar

_ALL_ONES = 0xFFFFFFFF
V = TypeVar("V")


@lru_cache(maxsize=1 << 16)
def number(ip: str) -> int:
    """An IPv4 address as a number."""
    a, b, c, d = ip.split(".")
    return int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)


def dotted(ip: int) -> str:
    """A number as an IPv4 address."""
    return f"{ip >> 24}.{ip >> 16 & 255}.{ip >> 8 & 255}.{ip & 255}"


@lru_cache(maxsize=1 << 16)
def prefix(cidr: str) -> tuple[int, int]:
    """The mask and the base of a prefix: it contains what masked is the base.

    An IPv6 prefix contains no IPv4 address: no masked address is −1.
    """
    if ":" in cidr:
        return 0, -1
    base, _, length = cidr.partition("/")
    mask = _ALL_ONES << (32 - int(length)) & _ALL_ONES
    return mask, number(base) & mask


class Longest(Generic[V]):
    """Values by prefix; an address finds that of the longest prefix it is in."""

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels: dict[int, dict[int, V]] = {}

    def add(self, cidr: str, value: V) -> None:
        """Give a prefix a value."""
        mask, base = prefix(cidr)
        if mask not in self._levels:
            self._levels[mask] = {}
            # A longer prefix has a greater mask.
            self._levels = dict(sorted(self._levels.items(), reverse=True))
        self._levels[mask][base] = value

    def remove(self, cidr: str) -> None:
        """Forget a prefix.  Raises ``KeyError`` where it has no value."""
        mask, base = prefix(cidr)
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
