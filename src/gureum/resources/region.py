"""Regions and Availability Zones: every region of AWS, with its real zone names.

Sources: AWS General Reference, "Regional endpoints"; EC2 User Guide, "Regions and Zones".
"""

from __future__ import annotations

from functools import lru_cache

DEFAULT_REGION = "ap-northeast-2"

_LETTERS = {
    "us-east-1": "abcdef",
    "us-east-2": "abc",
    "us-west-1": "ac",
    "us-west-2": "abcd",
    "ap-northeast-1": "acd",
    "ap-northeast-2": "abcd",
    "ca-central-1": "abd",
}
_USUAL = "abc"

_SHORT = {
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "northeast": "ne",
    "southeast": "se",
    "northwest": "nw",
    "southwest": "sw",
    "central": "c",
}


def zones(region: str) -> tuple[str, ...]:
    """The names of the region's Availability Zones, sorted."""
    return tuple(f"{region}{letter}" for letter in _LETTERS.get(region, _USUAL))


@lru_cache(256)
def zone_id(zone: str) -> str:
    """The zone's id (``apne2-az1`` for ``ap-northeast-2a``), the same for every account here."""
    region, letter = zone[:-1], zone[-1]
    area, direction, number = region.rsplit("-", 2)
    index = zones(region).index(zone) + 1 if zone in zones(region) else ord(letter) - 96
    return f"{area.replace('-', '')}{_SHORT.get(direction, direction)}{number}-az{index}"
