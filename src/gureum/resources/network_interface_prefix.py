"""Prefix delegation: an interface with whole /28 blocks, whose addresses the host uses as it likes.

Source: EC2 User Guide, "Prefix delegation for Amazon EC2 network interfaces".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.subnet import Subnet, release
from gureum.resources.subnet_prefix import MAX_PREFIXES, lease_prefix, no_free_prefixes


def asked_prefixes(params: Mapping[str, Any]) -> Sequence[str | None]:
    """The prefixes that a request names, or None for each that it only counts.  Instances name
    them in structures.

    Raises:
        ApiError: ``InvalidParameterCombination``; ``InsufficientCidrBlocks`` where no subnet has so
            many.
    """
    named, count = params.get("Ipv4Prefixes") or [], params.get("Ipv4PrefixCount") or 0
    if named and count:
        raise invalid_combination(
            "The parameters ipv4Prefixes and ipv4PrefixCount may not be used together."
        )
    if (named or count) and params.get("SecondaryPrivateIpAddressCount"):
        raise invalid_combination(
            "The parameter secondaryPrivateIpAddressCount may not be used together with IPv4 "
            "prefixes."
        )
    texts = [each["Ipv4Prefix"] if isinstance(each, Mapping) else each for each in named]
    if count < 0:
        raise invalid_value("ipv4PrefixCount", count, "It must not be negative")
    if count > MAX_PREFIXES:
        raise no_free_prefixes()
    return texts or [None] * count


def give_prefixes(
    call: Call, eni: NetworkInterface, asked: Sequence[str | None]
) -> NetworkInterface:
    """The interface with further prefixes: those that are named, any free one for None.

    Raises:
        ApiError: the codes of :func:`gureum.resources.subnet_prefix.lease_prefix`.
    """
    if not asked:
        return eni
    subnet = call.txn.target(Subnet, eni.subnet)
    added = tuple(lease_prefix(call, subnet, eni.id, text) for text in asked)
    return call.txn.put(replace(eni, prefixes=(*eni.prefixes, *added)))


def take_prefix(call: Call, eni: NetworkInterface, prefix: str) -> NetworkInterface:
    """The interface without one of its prefixes.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    if prefix not in eni.prefixes:
        raise ApiError(
            "InvalidParameterValue",
            f"Some of the specified prefixes cannot be unassigned: {prefix} is not assigned to "
            f"interface {eni.id}",
        )
    release(call, eni.subnet, prefix)
    return call.txn.put(replace(eni, prefixes=tuple(p for p in eni.prefixes if p != prefix)))
