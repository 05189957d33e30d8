"""The ports of one router as the bits of numbers, for questions about all of them at once.

A set of ports is a Python integer, bit *i* for the *i*-th port: sets are merged at memory speed,
are immutable, and cost nothing to share.  NumPy finds the ports whose addresses are in a prefix.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gureum.program import Local
from gureum.reach.line import Ranges, holds
from gureum.reach.places import Place, Station
from gureum.reach.prefixes import Version, number, spelled
from gureum.reach.screens import Line, Screen, atoms
from gureum.reach.state import State
from gureum.reach.way import Node


class Columns:
    """The ports of a router, and which of them a filter or a route is about."""

    def __init__(self, state: State, router: str, stations: Iterable[Station]) -> None:
        self.router = router
        self.nodes: list[Node] = []
        self.index: dict[str, int] = {}
        self.by_ip: dict[int, int] = {}
        self.places: dict[Place, int] = defaultdict(int)
        self.guarded_in: dict[str | None, int] = defaultdict(int)
        self.guarded_out: dict[str | None, int] = defaultdict(int)
        self.irregular = 0
        for station in stations:
            self._add(state, station)
        self.everyone = (1 << len(self.nodes)) - 1
        self._addresses = _Addresses(state.version, [number(node.ip) for node in self.nodes])
        self._prefixes: dict[tuple[int, int], int] = {}
        self._groups: dict[str, int] = {}
        self._local: dict[str, int] = {}

    def _add(self, state: State, station: Station) -> None:
        ip = state.primary[station.id]
        bit = 1 << len(self.nodes)
        self.index[station.id] = self.by_ip[ip] = len(self.nodes)
        self.nodes.append(Node("port", station.id, spelled(ip, state.version)))
        self.places[station.place] |= bit
        limits = state.limits.get(station.id)
        self.guarded_in[limits.filter_in if limits else None] |= bit
        self.guarded_out[limits.filter_out if limits else None] |= bit
        # Answers pass by what was let through the other way, so both ways must be guarded.
        strange = limits is not None and (
            ip not in limits.addresses or (limits.filter_in is None) != (limits.filter_out is None)
        )
        strange |= len(state.of_host.get(station.host, ())) > 1  # answers may take another port
        if strange or state.station_at(self.router, ip) != station:
            self.irregular |= bit

    def members_of(self, bits: int) -> list[Node]:
        """The ports of a set."""
        raw = np.frombuffer(bits.to_bytes(len(self.nodes) // 8 + 1, "little"), dtype=np.uint8)
        return [self.nodes[i] for i in np.flatnonzero(np.unpackbits(raw, bitorder="little"))]

    def inside(self, mask: int, base: int) -> int:
        """The ports whose address is in a prefix."""
        if (mask, base) not in self._prefixes:
            self._prefixes[mask, base] = 0 if base < 0 else self._addresses.inside(mask, base)
        return self._prefixes[mask, base]

    def group(self, state: State, name: str) -> int:
        """The ports that a reference to a group stands for."""
        if name not in self._groups:
            bits = 0
            for ip in state.members.get((self.router, name), ()):
                if ip in self.by_ip:
                    bits |= 1 << self.by_ip[ip]
            self._groups[name] = bits
        return self._groups[name]

    def forget_group(self, name: str) -> None:
        """A group has other members now."""
        self._groups.pop(name, None)

    def forget_table(self, table: str) -> None:
        """A table has other routes now."""
        self._local.pop(table, None)

    def about(self, state: State, line: Line) -> int:
        """The ports that a rule is about."""
        return (
            self.inside(line.mask, line.base)
            if line.group is None
            else self.group(state, line.group)
        )

    def row(self, state: State, screen: Screen, where: int) -> int:
        """The ports that a filter lets a header pass from or to."""
        left, found = self.everyone, 0
        for line in screen.lines:
            if left and holds(line.ranges, where):
                hit = left & self.about(state, line)
                if line.allow:
                    found |= hit
                left &= ~hit
        return found

    def answered(self, state: State, screen: Screen, within: Ranges) -> int:
        """The ports for which a filter lets any header of a set pass."""
        found = 0
        for where in atoms(within, [screen]):
            found |= self.row(state, screen, where)
            if found == self.everyone:
                break
        return found

    def local(self, state: State, place: Place) -> int:
        """The ports to which a segment's table has the local route."""
        table = state.tables.get(place.id)
        if table is None or table not in state.routes:
            return 0
        if table not in self._local:
            left, found = self.everyone, 0
            for mask, base, target in state.routes[table].prefixes():
                hit = left & self.inside(mask, base)
                found |= hit if isinstance(target, Local) else 0
                left &= ~hit
            self._local[table] = found
        return self._local[table]


class _Addresses:
    """Addresses as words of NumPy: one each, or of IPv6 two."""

    def __init__(self, version: Version, ips: list[int]) -> None:
        self._shifts = (0,) if version == 4 else (64, 0)
        self._type: type[np.uint32 | np.uint64] = np.uint32 if version == 4 else np.uint64
        self._words: list[npt.NDArray[np.uint32 | np.uint64]] = [
            np.array([ip >> shift & _WORD for ip in ips], dtype=self._type)
            for shift in self._shifts
        ]

    def inside(self, mask: int, base: int) -> int:
        """Which of them are in a prefix."""
        found = np.ones(len(self._words[0]), dtype=np.bool_)
        for shift, words in zip(self._shifts, self._words, strict=True):
            if part := mask >> shift & _WORD:
                found &= (words & self._type(part)) == self._type(base >> shift & _WORD)
        return _packed(found)


_WORD = (1 << 64) - 1


def _packed(wanted: npt.NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(wanted, bitorder="little").tobytes(), "little")
