"""The resolver for who asks from a subnet with DNS64: what has an IPv4 address alone gets an IPv6
address that a NAT gateway translates to it.

Sources: RFC 6147; VPC User Guide, "DNS64 and NAT64".
"""

from __future__ import annotations

from ipaddress import IPv6Address

from gureum.explain.causes import interface_at
from gureum.model import View
from gureum.model.nat64 import embedded, is_translated, synthesized
from gureum.resources.subnet import Subnet
from gureum.services.callers import Source
from gureum.services.names import REVERSE, REVERSE6, Records, look_up

_DIGITS = 32


def look_up_for(view: View, source: Source, name: str) -> Records | None:
    """What a name stands for to who asks, as :func:`gureum.services.names.look_up` says it."""
    vpc, _ = source
    if not _synthesizes(view, source):
        return look_up(view, vpc, name)
    if name.endswith(f".{REVERSE6}"):
        return _reverse(view, vpc, name.removesuffix(f".{REVERSE6}"))
    found = look_up(view, vpc, name)
    if not found or found.get("AAAA"):
        return found
    made = [synthesized(ip) for ip in found.get("A", ()) if is_translated(ip)]
    return {**found, "AAAA": made} if made else found


def _synthesizes(view: View, source: Source) -> bool:
    eni = interface_at(view, *source)
    subnet = view.find(Subnet, eni.subnet) if eni else None
    return subnet is not None and subnet.enable_dns64


def _reverse(view: View, vpc: str, labels: str) -> Records | None:
    """The name of the IPv4 address that is meant (RFC 6147, section 5.3.1)."""
    digits = labels.split(".")[::-1]
    if len(digits) != _DIGITS or any(len(each) != 1 for each in digits):
        return None
    try:
        address = IPv6Address(int("".join(digits), 16))
    except ValueError:
        return None
    ip = embedded(str(address))
    return look_up(view, vpc, f"{'.'.join(ip.split('.')[::-1])}.{REVERSE}") if ip else None
