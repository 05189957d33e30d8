"""The constants of shared Ethernet, in bit times of the rate in question.

IEEE Std 802.3 clause 4.4.2 (the table of MAC parameters for 10 and 100 Mb/s) gives the slot, the
gap, the jam, the two limits and the frame sizes; clause 4.2.3.2.1 the parts of the gap; clause
4.2.3.2.5 the backoff; clause 3.1.1 the preamble with its start delimiter.
"""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST_FRAME = 64
"""Bytes from destination address to check sequence (minFrameSize)."""
LARGEST_FRAME = 1518
"""Bytes of the largest untagged frame (maxBasicFrameSize)."""
CABLE = 0.00556
"""Microseconds that a metre of cable takes: category 5 is 1.112 bit times a metre there and back at
100 Mb/s (IEEE 802.3u-1995, clause 29)."""
REPEATER = 8.0
"""Bit times from a hub's port to its others.  Assumed: what clause 9.5.5.1 allows at most for
the start of a packet at 10 Mb/s."""
SWITCH = 0.0
"""Bit times that a switch thinks between having the last bit and wanting to send the first.
Assumed; it stores and forwards, which costs a frame's length anyhow."""
GRAIN = 2.0**-10
"""All times are multiples of this part of a bit.  Sums of them are exact in binary floating
point, so what is simultaneous is so however it was reckoned."""


@dataclass(frozen=True)
class Rules:
    """How stations share a wire.  Times are in bits at ``rate`` (Mb/s, which is bits a
    microsecond).

    ``sensed`` is the part of ``gap`` in which a signal makes a station wait anew; in the rest it
    sends whatever it hears.  ``preamble`` goes before every frame and is sent whole even where a
    collision is heard in it; ``jam`` follows what a collision cut.  After the n-th collision of a
    frame the station waits 0 to 2^min(n, ``doublings``) - 1 slots; with ``attempts`` collisions the
    frame is given up.
    """

    rate: float = 10.0
    slot: float = 512.0
    gap: float = 96.0
    sensed: float = 64.0
    preamble: float = 64.0
    jam: float = 32.0
    attempts: int = 16
    doublings: int = 10

    def wire(self, size: float) -> float:
        """Bits on the wire of a frame of ``size`` bytes."""
        return size * 8 + self.preamble

    def metres(self, length: float) -> float:
        """Bits that a cable of ``length`` metres holds, in whole grains."""
        return round(length * CABLE * self.rate / GRAIN) * GRAIN

    def milliseconds(self, bits: float) -> float:
        """How long some bits take."""
        return bits / self.rate / 1000


ETHERNET = Rules()
"""10 Mb/s."""
FAST = Rules(rate=100.0)
"""100 Mb/s, half duplex: the same in bit times."""
EXPERIMENTAL = Rules(rate=2.94, slot=48.0, gap=0.0, sensed=0.0, preamble=1.0, jam=8.0, doublings=8)
"""The experimental Ethernet of Xerox PARC, 2.94 Mb/s, a bit of synchronisation before a frame
(Metcalfe and Boggs 1976; Shoch and Hupp 1980).  Assumed, as the papers do not fix them: a slot
of 16 µs (theirs of the efficiency model), no gap, a jam of a byte, doubling up to 256 slots (the
most stations that its one-byte addresses told apart)."""
SLOTTED = Rules(rate=3.0, slot=48.0, gap=0.0, sensed=0.0, preamble=0.0, jam=48.0)
"""What Metcalfe and Boggs reckoned their table with: 3 Mb/s, a slot of 16 µs, and a collision costs
one; no gap and no preamble."""
