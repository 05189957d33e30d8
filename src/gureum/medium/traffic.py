"""What stations have to send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
from numpy.random import Generator

from gureum.medium.engine import Frame
from gureum.medium.standard import GRAIN, SMALLEST_FRAME, Rules

_BLOCK = 4096


@dataclass(frozen=True)
class Load:
    """What is offered.

    ``offered`` is what all stations together want to send, as a share of one wire's time, frames
    with their preambles counted: frames come as a Poisson process, each to any other station of the
    broadcast domain.  None: every station always has a frame.  ``sizes`` are bytes of frames (from
    destination address to check sequence) with the share of each.
    """

    offered: float | None
    sizes: tuple[tuple[int, float], ...] = ((SMALLEST_FRAME, 1.0),)


class Source:
    """Draws frames of a load for stations in groups; ``groups`` have senders, two at least each."""

    def __init__(
        self, load: Load, rules: Rules, groups: Sequence[Sequence[int]], draw: Generator
    ) -> None:
        self._draw = draw
        bits = np.array([rules.wire(size) for size, _ in load.sizes])
        shares = np.array([share for _, share in load.sizes], dtype=float)
        self._bits, self._shares = bits, shares / shares.sum()
        self._offered = load.offered
        self._senders = np.array([each for group in groups for each in group], dtype=int)
        self._size = np.array([len(group) for group in groups for _ in group], dtype=int)
        self._place = np.array(
            [place for group in groups for place in range(len(group))], dtype=int
        )
        self._first = np.arange(len(self._senders)) - self._place

    def arrivals(self) -> Iterator[Frame]:
        """Frames in the order of the times at which they come; none where stations always have
        one."""
        if not self._offered or not len(self._senders):
            return iter(())
        return chain.from_iterable(self._blocks(self._offered))

    def _blocks(self, offered: float) -> Iterator[Iterator[Frame]]:
        """Blocks of frames that come at random."""
        pause = float(self._bits @ self._shares) / offered
        now = 0.0
        while True:
            times = now + np.cumsum(self._draw.exponential(pause, _BLOCK))
            now = float(times[-1])
            times = np.round(times / GRAIN) * GRAIN
            who = self._draw.integers(0, len(self._senders), _BLOCK)
            yield zip(
                times.tolist(),
                self._senders[who].tolist(),
                self._targets(who),
                self._lengths(),
                strict=True,
            )

    def endless(self) -> dict[int, Iterator[Frame]]:
        """For each station the frames that it always has; empty where they come at random."""
        if self._offered is not None:
            return {}
        return {
            int(sender): chain.from_iterable(self._always(number, int(sender)))
            for number, sender in enumerate(self._senders)
        }

    def _always(self, number: int, sender: int) -> Iterator[Iterator[Frame]]:
        """Blocks of frames of a station."""
        who = np.full(_BLOCK, number)
        while True:
            yield zip(
                repeat(0.0), repeat(sender), self._targets(who), self._lengths(), strict=False
            )

    def _targets(self, who: np.ndarray[tuple[int], np.dtype[np.int_]]) -> list[int]:
        """For each of some stations any other of its group."""
        size = self._size[who]
        step = 1 + (self._draw.random(len(who)) * (size - 1)).astype(int)
        found: list[int] = self._senders[
            self._first[who] + (self._place[who] + step) % size
        ].tolist()
        return found

    def _lengths(self) -> list[float]:
        if len(self._bits) == 1:
            return [float(self._bits[0])] * _BLOCK
        found: list[float] = self._draw.choice(self._bits, _BLOCK, p=self._shares).tolist()
        return found
