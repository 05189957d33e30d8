"""Tunnel of a VPN connection: its addresses, its key, its options, its part of the configuration.

Sources: Site-to-Site VPN Guide, "Tunnel options" (names, ranges, defaults); EC2 API Reference,
VpnTunnelOptionsSpecification.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any

from gureum.errors import ApiError
from gureum.kind import Shape

RESERVED = frozenset(
    {
        *(f"169.254.{third}.0/30" for third in range(6)),
        "169.254.169.252/30",
    }
)
"""Inside blocks that AWS keeps."""

_LINK_LOCAL = IPv4Network("169.254.0.0/16")
_KEY = string.ascii_letters + string.digits + "._"

_NUMBERS = {
    "Phase1LifetimeSeconds": (900, 28800),
    "Phase2LifetimeSeconds": (900, 3600),
    "RekeyMarginTimeSeconds": (60, 1800),
    "RekeyFuzzPercentage": (0, 100),
    "ReplayWindowSize": (64, 2048),
    "DPDTimeoutSeconds": (30, 2**31 - 1),
}
_WORDS = {
    "DPDTimeoutAction": ("clear", "none", "restart"),
    "StartupAction": ("add", "start"),
}
_GROUPS = (2, 5, *range(14, 25))
_CHOICES: dict[str, Collection[str]] = {
    "Phase1EncryptionAlgorithms": ("AES128", "AES256", "AES128-GCM-16", "AES256-GCM-16"),
    "Phase2EncryptionAlgorithms": ("AES128", "AES256", "AES128-GCM-16", "AES256-GCM-16"),
    "Phase1IntegrityAlgorithms": ("SHA1", "SHA2-256", "SHA2-384", "SHA2-512"),
    "Phase2IntegrityAlgorithms": ("SHA1", "SHA2-256", "SHA2-384", "SHA2-512"),
    "Phase1DHGroupNumbers": tuple(str(each) for each in (2, *range(14, 25))),
    "Phase2DHGroupNumbers": tuple(str(each) for each in _GROUPS),
    "IKEVersions": ("ikev1", "ikev2"),
}
_SHOWN = {
    "DPDTimeoutSeconds": "DpdTimeoutSeconds",
    "DPDTimeoutAction": "DpdTimeoutAction",
    "IKEVersions": "IkeVersions",
}
"""Members that the answer calls otherwise than the request."""


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """A tunnel; ``outside`` is its public address at AWS's end, ``inside`` the /30 in it, of which
    the first address is AWS's and the second the customer's.

    Options are those that somebody gave, by the request's names.  ``certificate`` is the ARN of
    the latest one of AWS's end, ``replaced`` when that end was.
    """

    outside: str
    inside: str
    key: str
    numbers: tuple[tuple[str, int], ...] = ()
    words: tuple[tuple[str, str], ...] = ()
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()
    certificate: str | None = None
    replaced: str | None = None


def make(given: Mapping[str, Any], outside: str, taken: Collection[str]) -> Tunnel:
    """A tunnel as asked for; a block or a key that nobody asks for is drawn.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    block = given.get("TunnelInsideCidr")
    inside = _inside(block, taken) if block else _free(taken)
    key = given.get("PreSharedKey") or new_key()
    return changed(Tunnel(outside=outside, inside=inside, key=_checked_key(key)), given)


def changed(tunnel: Tunnel, given: Mapping[str, Any]) -> Tunnel:
    """The tunnel with the options of a request over those that it has.

    Raises:
        ApiError: ``InvalidParameterValue``, ``UnsupportedOperation``.
    """
    for name in ("TunnelInsideIpv6Cidr", "Phase1AdditionalKeyExchanges",
                 "Phase2AdditionalKeyExchanges"):  # fmt: skip
        if given.get(name):
            raise ApiError("UnsupportedOperation", f"{name} is not available in this cloud yet.")
    numbers = {name: int(given[name]) for name in _NUMBERS if given.get(name) is not None}
    for name, number in numbers.items():
        low, high = _NUMBERS[name]
        _check(low <= number <= high, name, number)
    words = {name: str(given[name]) for name in _WORDS if given.get(name)}
    for name, word in words.items():
        _check(word in _WORDS[name], name, word)
    choices = {
        name: tuple(str(item.get("Value")) for item in given[name])
        for name in _CHOICES
        if given.get(name)
    }
    for name, values in choices.items():
        for value in values:
            _check(value in _CHOICES[name], name, value)
    return replace(
        tunnel,
        numbers=tuple({**dict(tunnel.numbers), **numbers}.items()),
        words=tuple({**dict(tunnel.words), **words}.items()),
        choices=tuple({**dict(tunnel.choices), **choices}.items()),
    )


def _check(good: bool, name: str, value: object) -> None:
    if not good:
        raise ApiError("InvalidParameterValue", f"Invalid value '{value}' for {name}.")


def _checked_key(key: str) -> str:
    good = 8 <= len(key) <= 64 and key[0] != "0" and all(each in _KEY for each in key)
    if not good:  # the key itself is a secret
        raise ApiError(
            "InvalidParameterValue",
            "Invalid value for PreSharedKey: it has 8 to 64 letters, digits, periods and "
            "underscores and does not begin with 0.",
        )
    return key


def new_key() -> str:
    """A pre-shared key as AWS draws them."""
    first = secrets.choice(string.ascii_letters)
    return first + "".join(secrets.choice(_KEY) for _ in range(31))


def _inside(text: str, taken: Collection[str]) -> str:
    try:
        block = IPv4Network(text)
    except ValueError:
        block = None
    good = block is not None and block.prefixlen == 30 and block.subnet_of(_LINK_LOCAL)
    _check(good and text not in RESERVED and text not in taken, "TunnelInsideCidr", text)
    return text


def _free(taken: Collection[str]) -> str:
    base = int(_LINK_LOCAL.network_address)
    while True:
        block = f"{IPv4Network((base + 4 * secrets.randbelow(2**14), 30))}"
        if block not in RESERVED and block not in taken:
            return block


# --- answers ------------------------------------------------------------------------------------
def show(tunnel: Tunnel) -> Shape:
    """The API's ``TunnelOption`` structure."""
    shape: Shape = {
        "OutsideIpAddress": tunnel.outside,
        "TunnelInsideCidr": tunnel.inside,
        "PreSharedKey": tunnel.key,
    }
    for name, value in (*tunnel.numbers, *tunnel.words):
        shape[_SHOWN.get(name, name)] = value
    for name, values in tunnel.choices:
        form: Callable[[str], object] = int if "DHGroup" in name else str
        shape[_SHOWN.get(name, name)] = [{"Value": form(value)} for value in values]
    return shape


def configuration(tunnel: Tunnel, customer: str, asns: tuple[int, int] | None) -> Iterator[str]:
    """The lines of an ``ipsec_tunnel`` in the configuration for a customer's device at an address;
    ``asns`` are the customer's and Amazon's BGP numbers, None without BGP."""
    ours, theirs = (str(IPv4Network(tunnel.inside)[number]) for number in (1, 2))
    yield "  <ipsec_tunnel>"
    ends = (("customer_gateway", customer, theirs), ("vpn_gateway", tunnel.outside, ours))
    for number, (name, outside, inside) in enumerate(ends):
        yield f"    <{name}>"
        yield "      <tunnel_outside_address>"
        yield f"        <ip_address>{outside}</ip_address>"
        yield "      </tunnel_outside_address>"
        yield "      <tunnel_inside_address>"
        yield f"        <ip_address>{inside}</ip_address>"
        yield "        <network_mask>255.255.255.252</network_mask>"
        yield "        <network_cidr>30</network_cidr>"
        yield "      </tunnel_inside_address>"
        if asns is not None:
            yield "      <bgp>"
            yield f"        <asn>{asns[number]}</asn>"
            yield "        <hold_time>30</hold_time>"
            yield "      </bgp>"
        yield f"    </{name}>"
    lifetimes = dict(tunnel.numbers)
    yield "    <ike>"
    yield "      <authentication_protocol>sha1</authentication_protocol>"
    yield "      <encryption_protocol>aes-128-cbc</encryption_protocol>"
    yield f"      <lifetime>{lifetimes.get('Phase1LifetimeSeconds', 28800)}</lifetime>"
    yield "      <perfect_forward_secrecy>group2</perfect_forward_secrecy>"
    yield "      <mode>main</mode>"
    yield f"      <pre_shared_key>{tunnel.key}</pre_shared_key>"
    yield "    </ike>"
    yield "    <ipsec>"
    yield "      <protocol>esp</protocol>"
    yield "      <authentication_protocol>hmac-sha1-96</authentication_protocol>"
    yield "      <encryption_protocol>aes-128-cbc</encryption_protocol>"
    yield f"      <lifetime>{lifetimes.get('Phase2LifetimeSeconds', 3600)}</lifetime>"
    yield "      <perfect_forward_secrecy>group2</perfect_forward_secrecy>"
    yield "      <mode>tunnel</mode>"
    yield "      <clear_df_bit>true</clear_df_bit>"
    yield "      <fragmentation_before_encryption>true</fragmentation_before_encryption>"
    yield "      <tcp_mss_adjustment>1379</tcp_mss_adjustment>"
    yield "      <dead_peer_detection>"
    yield "        <interval>10</interval>"
    yield "        <retries>3</retries>"
    yield "      </dead_peer_detection>"
    yield "    </ipsec>"
    yield "  </ipsec_tunnel>"
