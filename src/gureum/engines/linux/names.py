"""Names, numbers and addresses that the Linux engine uses, each with its reason."""

from __future__ import annotations

import hashlib
import ipaddress
import re

# --- namespaces ---------------------------------------------------------------------------------
INTERNET = "internet"
"""The namespace that plays the internet's router."""
MACHINE = ""
"""The namespace the engine itself runs in (not necessarily the machine's first)."""
ME = "me"
"""The internet host that is the user's own: the machine reaches the cloud through it."""

# --- addresses ----------------------------------------------------------------------------------
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918: destinations that a gateway never forwards unless translated."""
NEAR, FAR = "169.254.0.1", "169.254.0.2"
"""The two ends of every point-to-point link, never seen in a packet: only next hops.  ``NEAR`` is
the end towards the instances."""
NEAR6, FAR6 = "fe80::1", "fe80::2"
"""The same for IPv6."""
ROUTER6 = "fe80::1"
"""The router's address on every subnet's link, the next hop of instances (AWS announces a
link-local one, too)."""
MACHINE_END, ME_END = "169.254.77.1", "169.254.77.2"
"""The machine's and me's end of the link that joins them."""

# --- sizes --------------------------------------------------------------------------------------
MTU_INSIDE = 9001
"""Inside a VPC (EC2 User Guide, "Network MTU": jumbo frames)."""
MTU_OUTSIDE = 1500
"""Through an internet gateway."""

# --- routing ------------------------------------------------------------------------------------
ROUTE_PROTOCOL = 103
"""Marks routes and rules as ours (rtnetlink(7): above 4 is free; 103 is no daemon's)."""
MAIN = 254
TABLE_BASE = 1000
"""Route table number n is kernel table 1000+n, chosen by firewall mark 1000+n."""
RULE_BASE = 1000
"""``ip rule`` priority of route table n is 1000+n: before main, after local."""
PREFIX_METRIC = 256
"""Of the IPv6 route of an instance's n-th interface to its subnet, plus n: as the kernel's own."""
FALLBACK_METRIC = 4000
"""Of blackholes in main, so that a connected route to the same prefix wins."""

# --- nftables -----------------------------------------------------------------------------------
TABLE = "gureum"
FROM_OWNER, TO_OWNER, FROM_TRANSIT, TO_TRANSIT = 0x1, 0x2, 0x4, 0x8
"""Conntrack mark bits: a rule that tracks has let the flow leave the interface that owns its source
address, enter the one that owns its destination, leave or enter one that forwards for others.  One
entry stands for a flow however often it crosses the router, and whoever forged its beginning."""
COMMENT_MAX = 127
"""nft refuses comments of 128 bytes and more."""

_HEX = re.compile(r"[0-9a-f]+")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TAIL = 13
"""IFNAMSIZ is 16 with the final zero; two characters are the prefix."""


def tail(identifier: str) -> str:
    """At most 13 characters that stand for an id within its kind in one namespace.

    The last digits of an AWS id are random; two ids of one VPC agree in 52 bits practically never.
    """
    rest = identifier.partition("-")[2] or identifier
    if len(rest) <= _TAIL and _SAFE.fullmatch(rest):
        return rest
    if _HEX.fullmatch(rest):
        return rest[-_TAIL:]
    return digest(identifier)[:_TAIL]


def digest(text: str) -> str:
    """Hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def port_link(port: str) -> str:
    """The router's end of a network interface."""
    return f"e-{tail(port)}"


def segment_link(segment: str) -> str:
    """The bridge of a subnet."""
    return f"s-{tail(segment)}"


def uplink_link(gateway: str) -> str:
    """The router's end of the link to a gateway."""
    return f"u-{tail(gateway)}"


def peering_link(peering: str) -> str:
    """A router's end of the link to the router that it is peered with."""
    return f"p-{tail(peering)}"


def peering_chain(peering: str) -> str:
    """The chain that says what a peering carries."""
    return f"p-{peering}"


def transit_link(attachment: str) -> str:
    """A router's end of the link to a transit gateway."""
    return f"t-{tail(attachment)}"


def transit_chain(attachment: str) -> str:
    """The chain that says what an attachment carries out of its router."""
    return f"t-{attachment}"


def landing_chain(attachment: str) -> str:
    """The chain that says what an attachment brings into its router."""
    return f"l-{attachment}"


def foot_chain(attachment: str, zone: str) -> str:
    """The chain of what leaves a router by an attachment's foot in a zone."""
    return f"t-{attachment}-{re.sub(r'[^A-Za-z0-9-]', '_', zone)}"


def zone_mark(zone: str) -> str:
    """The mark of packets that are under way in an Availability Zone; 0 is none."""
    return f"0x{int(digest(zone)[:8], 16) | 1:08x}"


def attachment_link(attachment: str) -> str:
    """The transit gateway's end of the link to a router."""
    return f"a-{tail(attachment)}"


def router_link(router: str) -> str:
    """The gateway's end of the link to a router."""
    return f"r-{tail(router)}"


def gateway_link(gateway: str) -> str:
    """The internet's end of the link to a gateway."""
    return f"g-{tail(gateway)}"


def internet_host_link(name: str) -> str:
    """The internet's end of the link to an internet host."""
    return f"h-{name}" if len(name) <= _TAIL and _SAFE.fullmatch(name) else f"h-{digest(name)[:13]}"


def internet_host_namespace(name: str) -> str:
    """The namespace of an internet host; the prefix keeps it apart from ids."""
    return f"host-{name}" if _SAFE.fullmatch(name) else f"host-{digest(name)[:16]}"


def mirror_link(session: str) -> str:
    """The port of a segment where a mirror's packets come into their router."""
    return f"n-{tail(session)}"


def copies_link(session: str) -> str:
    """Its other end, to which copies are sent."""
    return f"m-{tail(session)}"


SIIT4, SIIT6 = "siit4", "siit6"
"""The two ends of the pair of links in a NAT gateway at which IPv6 becomes IPv4, and back."""

MIRROR_MAC = "ether saddr & ff:00:00:00:00:00 == 0e:00:00:00:00:00"
"""The senders of a mirror's packets, which no station is: AWS's begin with other octets."""


def mirror_mac(session: str) -> str:
    """The sender of a mirror's packets."""
    digits = digest(session)
    return ":".join(("0e", *(digits[i : i + 2] for i in range(0, 10, 2))))


def link_mac(namespace: str, link: str) -> str:
    """A locally administered address for a link that has none in the program."""
    digits = digest(f"{namespace}/{link}")
    return ":".join(("02", *(digits[i : i + 2] for i in range(0, 10, 2))))


def link_local(mac: str) -> str:
    """The link-local IPv6 address that a station makes of its link-layer address (RFC 4291,
    appendix A: modified EUI-64)."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 2
    host = bytes((*octets[:3], 0xFF, 0xFE, *octets[3:]))
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + host))


def filter_chain(identifier: str) -> str:
    """The chain of a filter.  nft identifiers allow letters, digits, ``/ _ . -``."""
    safe = re.sub(r"[^A-Za-z0-9/_.-]", "_", identifier)
    if safe != identifier or len(safe) > 100:
        safe = f"{safe[:80]}.{digest(identifier)[:12]}"
    return f"f-{safe}"


def member_set(group: str, version: int = 4, *, blocks: bool = False) -> str:
    """The set of a group's member addresses of an IP version, or of its IPv6 blocks."""
    prefix = ("m" if version == 4 else "m6") + ("b" if blocks else "")
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", group)
    return f"{prefix}-{safe if safe == group and len(safe) <= 100 else digest(group)[:16]}"


def comment(text: str) -> str:
    """A rule's comment as nft takes it: no quotes, no line ends, within its limit of bytes."""
    clean = re.sub(r'["\\\n\r\t]', "'", text).encode()[:COMMENT_MAX]
    return clean.decode(errors="ignore")
