"""Prefix delegation: an interface with whole blocks, whose addresses the host uses as it likes.

An IPv4 prefix is a /28, an IPv6 prefix a /80.

Source: EC2 User Guide, "Prefix delegation for Amazon EC2 network interfaces".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call
from gureum.model.cidr import ipv6_network, is_ipv6
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.subnet import Subnet, release
from gureum.resources.subnet_prefix import (
    MAX_PREFIXES,
    lease_prefix,
    lease_prefix6,
    no_free_prefixes,
)

Version = Literal[4, 6]


def asked_prefixes(params: Mapping[str, Any], version: Version = 4) -> Sequence[str | None]:
    """The prefixes that a request names, or None for each that it only counts.  Instances name
    them in structures.

    Raises:
        ApiError: ``InvalidParameterCombination``; ``InsufficientCidrBlocks`` where no subnet has so
            many.
    """
    name = f"Ipv{version}Prefix"
    named, count = params.get(f"{name}es") or [], params.get(f"{name}Count") or 0
    if named and count:
        raise invalid_combination(
            f"The parameters ipv{version}Prefixes and ipv{version}PrefixCount may not be used "
            "together."
        )
    if version == 4 and (named or count) and params.get("SecondaryPrivateIpAddressCount"):
        raise invalid_combination(
            "The parameter secondaryPrivateIpAddressCount may not be used together with IPv4 "
            "prefixes."
        )
    texts = [each.get(name) if isinstance(each, Mapping) else each for each in named]
    if count < 0:
        raise invalid_value(f"ipv{version}PrefixCount", count, "It must not be negative")
    if count > MAX_PREFIXES:
        raise no_free_prefixes()
    return texts or [None] * count


def give_prefixes(
    call: Call, eni: NetworkInterface, asked: Sequence[str | None], version: Version
) -> tuple[str, ...]:
    """Give the interface further prefixes of an IP version: those that are named, any free one for
    None.  What it was given.

    Raises:
        ApiError: the codes of :func:`gureum.resources.subnet_prefix.lease_prefix`.
    """
    subnet = call.txn.target(Subnet, eni.subnet)
    lease = lease_prefix if version == 4 else lease_prefix6
    added = tuple(lease(call, subnet, eni.id, text) for text in asked)
    if version == 4:
        call.txn.put(replace(eni, prefixes=(*eni.prefixes, *added)))
    else:
        call.txn.put(replace(eni, prefixes6=(*eni.prefixes6, *added)))
    return added


def take_prefix(call: Call, eni: NetworkInterface, prefix: str) -> NetworkInterface:
    """The interface without one of its prefixes, of either IP version.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    key = str(ipv6_network(prefix, "ipv6Prefix")) if is_ipv6(prefix) else prefix
    if key not in (*eni.prefixes, *eni.prefixes6):
        raise ApiError(
            "InvalidParameterValue",
            f"Some of the specified prefixes cannot be unassigned: {prefix} is not assigned to "
            f"interface {eni.id}",
        )
    release(call, eni.subnet, key)
    rest, rest6 = (
        tuple(each for each in prefixes if each != key)
        for prefixes in (eni.prefixes, eni.prefixes6)
    )
    return call.txn.put(replace(eni, prefixes=rest, prefixes6=rest6))
