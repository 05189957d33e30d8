"""The addresses that requests ask for, and taking them: what is named before anything is drawn.

Otherwise an address that is drawn might be one that is named in the same call, which would then be
refused as in use.

Source: EC2 API Reference, CreateNetworkInterface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call
from gureum.resources.subnet import Subnet, lease, lease_ipv6
from gureum.resources.subnet_prefix import lease_prefix, lease_prefix6

MAX_ADDRESSES = 100
"""Addresses of a family per interface that can be asked for by number: no instance type has more
(EC2 User Guide, "IP addresses per network interface per instance type")."""

Wishes: TypeAlias = Sequence[str | None]
"""Addresses or prefixes that are named, None for any free one."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a new interface is to have.  ``ips`` begins with the primary private address; ``ips6``
    None stands for what the subnet gives unasked."""

    ips: Wishes = (None,)
    ips6: Wishes | None = None
    prefixes: Wishes = ()
    prefixes6: Wishes = ()

    @property
    def named(self) -> bool:
        """Whether it names what can be had only once."""
        return any((*self.ips, *(self.ips6 or ()), *self.prefixes, *self.prefixes6))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the interface ``holder`` is to have of its subnet."""

    subnet: Subnet
    holder: str
    asked: Asked

    def wishes(self, field: str) -> Wishes:
        """What it wishes of a field of :class:`Given`.  In an IPv6-only subnet it has no address of
        IPv4 unless one is asked for, and always one of IPv6."""
        found: Wishes | None = getattr(self.asked, field)
        if self.subnet.native and field == "ips" and found is not None and list(found) == [None]:
            return ()
        if field == "ips6" and (found is None or (self.subnet.native and not found)):
            return (None,) * self.subnet.assign_ipv6
        return found or ()


@dataclass(frozen=True, kw_only=True)
class Given:
    """What an interface was given."""

    ips: tuple[str, ...]
    ips6: tuple[str, ...]
    prefixes: tuple[str, ...]
    prefixes6: tuple[str, ...]


_TAKES: Mapping[str, Callable[[Call, Subnet, str, str | None], str]] = {
    "prefixes": lease_prefix,
    "prefixes6": lease_prefix6,
    "ips": lease,
    "ips6": lease_ipv6,
}
"""How each is taken.  Prefixes come first: a single address may break the last free one."""


def take_all(call: Call, wanted: Sequence[Wanted]) -> list[Given]:
    """Take what some interfaces are to have.

    Raises:
        ApiError: the codes of :func:`gureum.resources.subnet.lease`,
            :func:`gureum.resources.subnet.lease_ipv6`,
            :func:`gureum.resources.subnet_prefix.lease_prefix` and its twin for IPv6.
    """
    taken: dict[tuple[str, int, int], str] = {}
    for drawn in (False, True):
        for field, take in _TAKES.items():
            for number, each in enumerate(wanted):
                for place, name in enumerate(each.wishes(field)):
                    if drawn == (not name):
                        key = field, number, place
                        taken[key] = take(call, each.subnet, each.holder, name or None)

    def given(number: int, field: str) -> tuple[str, ...]:
        count = len(wanted[number].wishes(field))
        return tuple(taken[field, number, place] for place in range(count))

    return [
        Given(**{field: given(number, field) for field in _TAKES}) for number in range(len(wanted))
    ]


def counted(count: int) -> list[None]:
    """So many addresses that are asked for by number only, which may be any free ones.

    Raises:
        ApiError: ``PrivateIpAddressLimitExceeded``, ``InvalidParameterValue``.
    """
    if count < 0:
        raise invalid_value("addressCount", count, "It must not be negative")
    if count > MAX_ADDRESSES:
        raise ApiError(
            "PrivateIpAddressLimitExceeded",
            f"The number of addresses asked for ({count}) exceeds the limit of {MAX_ADDRESSES} "
            "addresses per network interface.",
        )
    return [None] * count
