"""What the addresses of random clouds look like, in either IP version."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from gureum.program import InternetHost
from gureum.reach.prefixes import Version

ME = InternetHost("me", "198.19.0.10", "3fff:800::10")
MIRROR = InternetHost("mirror", "198.19.0.20", "3fff:800::20")


@dataclass(frozen=True)
class Numbering:
    """The blocks of one IP version: ``nets`` may be a site's, ``shapes`` are how a site, a
    segment of it and an address in that are written."""

    version: Version
    anywhere: str
    wide: str
    icmp: int
    icmp_kinds: tuple[tuple[int, int], ...]
    shapes: tuple[str, str, str]
    lengths: tuple[int, int]
    outside: tuple[str, ...]
    near_me: tuple[str, str]
    foreign: str

    def site(self, net: int) -> str:
        """A site's block."""
        return str(ip_network(self.shapes[0].format(net)))

    def segment(self, net: int, place: int, length: int) -> str:
        """A segment's block."""
        return str(ip_network(f"{self.shapes[1].format(net, place)}/{length}"))

    def host(self, net: int, place: int, number: int) -> str:
        """An address in a segment."""
        return str(ip_address(self.shapes[2].format(net, place, number)))

    def alone(self, ip: str) -> str:
        """The prefix of one address."""
        return str(ip_network(ip))

    def parts(self, net: int) -> tuple[str, str]:
        """Blocks that cut across a site's segments."""
        if self.version == 4:
            return f"10.{net}.0.0/23", f"10.{net}.1.4/31"
        return f"3fff:0:0:{net:x}000::/59", f"{self.host(net, 1, 4)}/127"


FOUR = Numbering(
    4,
    "0.0.0.0/0",
    "10.0.0.0/8",
    1,
    ((-1, -1), (8, -1), (8, 0), (0, 0), (0, -1), (3, 4), (3, -1), (13, -1), (14, 0)),
    ("10.{}.0.0/16", "10.{}.{}.0", "10.{}.{}.{}"),
    (24, 28),
    ("198.18.0.0/15", "198.19.0.0/16", "198.18.0.0/24", f"{ME.ip}/32", "128.0.0.0/1"),
    ("198.19.0.0/24", f"{MIRROR.ip}/32"),
    "::/0",
)
SIX = Numbering(
    6,
    "::/0",
    "3fff::/32",
    58,
    ((-1, -1), (128, -1), (128, 0), (129, 0), (129, -1), (1, 4), (3, -1), (139, -1), (140, 0)),
    ("3fff:0:0:{:x}000::/52", "3fff:0:0:{:x}0{:x}0::", "3fff:0:0:{:x}0{:x}0::{:x}"),
    (64, 60),
    ("3fff::/20", "3fff:800::/21", "3fff::/21", f"{ME.ip6}/128", "3000::/4"),
    ("3fff:800::/64", f"{MIRROR.ip6}/128"),
    "0.0.0.0/0",
)
