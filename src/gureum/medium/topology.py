"""Stations, hubs, switches and routers and the cables between them, as a YAML file has them.

::

    rate: 10                      # Mb/s
    stations: [a, b, c]           # or a number: s1, s2, …
    hubs: [h1]
    switches: [sw]
    routers: [r1]
    links:
      - [a, h1]                   # 10 m of cable
      - [h1, sw, 100]             # metres
      - {between: [b, sw], metres: 50, duplex: half}
      - [c, sw]
      - [sw, r1]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, cast

import yaml

from gureum.medium.standard import ETHERNET, Rules

Kind: TypeAlias = Literal["station", "hub", "switch", "router"]

METRES = 10.0
"""A cable whose length is not said."""
_LISTS: dict[str, Kind] = {
    "stations": "station",
    "hubs": "hub",
    "switches": "switch",
    "routers": "router",
}
_RATES = (1.0, 1000.0)
_MOST = 1024
"""Stations of a file: what IEEE Std 802.3 allows in a collision domain at 10 Mb/s."""


class TopologyError(Exception):
    """A topology that cannot be."""


@dataclass(frozen=True)
class Link:
    """A cable: its ends, its length in metres, and whether only one end may send at a time."""

    ends: tuple[str, str]
    metres: float = METRES
    half: bool = False

    def other(self, node: str) -> str:
        """The end that is not this node."""
        return self.ends[1] if node == self.ends[0] else self.ends[0]


@dataclass(frozen=True)
class Topology:
    """What each node is, by its name, and the cables.  Without loops, and stations have one
    cable."""

    kinds: Mapping[str, Kind]
    links: tuple[Link, ...]
    rules: Rules = field(default=ETHERNET)

    def __post_init__(self) -> None:
        seen: dict[str, list[Link]] = {name: [] for name in self.kinds}
        for link in self.links:
            for end in link.ends:
                if end not in seen:
                    raise TopologyError(f"a link names {end!r}, which is not there")
                seen[end].append(link)
            if link.ends[0] == link.ends[1]:
                raise TopologyError(f"a link of {link.ends[0]!r} to itself")
        for name, links in seen.items():
            if self.kinds[name] == "station" and len(links) > 1:
                raise TopologyError(f"station {name!r} has {len(links)} links; it can have one")
        self._no_loops()

    def _no_loops(self) -> None:
        root = {name: name for name in self.kinds}

        def top(name: str) -> str:
            while root[name] != name:
                name = root[name]
            return name

        for link in self.links:
            if "router" in (self.kinds[link.ends[0]], self.kinds[link.ends[1]]):
                continue
            first, second = top(link.ends[0]), top(link.ends[1])
            if first == second:
                raise TopologyError(
                    f"the link {' - '.join(link.ends)} closes a loop: frames would never end"
                )
            root[first] = second

    def of(self, kind: Kind) -> list[str]:
        """The names of a kind, in order."""
        return [name for name, each in self.kinds.items() if each == kind]

    def shared(self, link: Link) -> bool:
        """Whether only one end of a link may send at a time: one is a hub, or it was said so."""
        return link.half or "hub" in (self.kinds[link.ends[0]], self.kinds[link.ends[1]])


def star(kind: Kind, stations: int, metres: float = METRES, rules: Rules = ETHERNET) -> Topology:
    """Stations around one hub or switch."""
    names = [f"s{number}" for number in range(1, stations + 1)]
    kinds: dict[str, Kind] = dict.fromkeys(names, "station")
    kinds[f"{kind}1"] = kind
    return Topology(kinds, tuple(Link((name, f"{kind}1"), metres) for name in names), rules)


def read(text: str) -> Topology:
    """A topology from YAML.

    Raises:
        TopologyError: it is none, or one that cannot be.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TopologyError(f"not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise TopologyError("a topology is a mapping with the lists of nodes and links")
    unknown = [str(key) for key in found if key not in (*_LISTS, "rate", "links")]
    if unknown:
        raise TopologyError(f"unknown: {', '.join(unknown)}")
    return Topology(
        _kinds(found), tuple(_link(each) for each in _list(found, "links")), _rules(found)
    )


def _rules(found: Mapping[str, Any]) -> Rules:
    rate = found.get("rate", ETHERNET.rate)
    low, high = _RATES
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not low <= rate <= high:
        raise TopologyError(f"rate: {rate!r} is no number of Mb/s from {low:g} to {high:g}")
    return replace(ETHERNET, rate=float(rate))


def _list(found: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = found.get(key, [])
    if not isinstance(value, list):
        raise TopologyError(f"{key}: a list is needed")
    return value


def _kinds(found: Mapping[str, Any]) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for key, kind in _LISTS.items():
        value = found.get(key)
        if key == "stations" and isinstance(value, int) and not isinstance(value, bool):
            if not 0 <= value <= _MOST:
                raise TopologyError(f"stations: 0 to {_MOST} are possible")
            names: Sequence[Any] = [f"s{number}" for number in range(1, value + 1)]
        else:
            names = _list(found, key)
        for name in names:
            if not isinstance(name, str) or not name:
                raise TopologyError(f"{key}: {name!r} is no name; a text is needed")
            if name in kinds:
                raise TopologyError(f"{name!r} is there twice")
            kinds[name] = kind
    if sum(kind == "station" for kind in kinds.values()) > _MOST:
        raise TopologyError(f"more than {_MOST} stations")
    return kinds


def _link(given: Any) -> Link:
    half = False
    if isinstance(given, dict):
        unknown = [str(key) for key in given if key not in ("between", "metres", "duplex")]
        duplex = given.get("duplex", "full")
        if unknown or duplex not in ("full", "half"):
            raise TopologyError(
                f"link {given!r}: it has 'between', 'metres' and 'duplex' (full or half)"
            )
        between, metres, half = given.get("between"), given.get("metres", METRES), duplex == "half"
    else:
        between = given[:2] if isinstance(given, list) else None
        metres = given[2] if isinstance(given, list) and len(given) == 3 else METRES
    ends = isinstance(between, list) and len(between) == 2
    if not ends or not all(isinstance(end, str) for end in cast(list[Any], between)):
        raise TopologyError(f"link {given!r}: the names of two nodes are needed")
    if isinstance(given, list) and len(given) > 3:
        raise TopologyError(f"link {given!r}: two names and metres are all it has")
    if isinstance(metres, bool) or not isinstance(metres, (int, float)) or not 0 <= metres <= 1e5:
        raise TopologyError(f"link {given!r}: {metres!r} is no length in metres")
    first, second = cast(list[str], between)
    return Link((first, second), float(metres), half)
