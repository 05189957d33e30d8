"""What happens to a packet on its way, one value a decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from gureum.explain.codes import Code
from gureum.explain.packet import Packet
from gureum.program.statements import Direction

Kind = Literal[
    "send", "arp", "source-check", "switch", "group", "acl", "route", "dest-check", "forward",
    "translate", "gateway", "peering", "transit", "transit-route", "internet", "service",
    "deliver", "listen",
]  # fmt: skip

LAYERS: dict[Kind, int] = {
    "send": 4, "arp": 2, "source-check": 3, "switch": 2, "group": 4, "acl": 4, "route": 3,
    "dest-check": 3, "forward": 3, "translate": 3, "gateway": 3, "peering": 3, "transit": 3,
    "transit-route": 3, "internet": 3, "service": 4, "deliver": 4, "listen": 4,
}  # fmt: skip
"""The layer of the OSI model at which each is decided (ISO/IEC 7498-1)."""

Field = Literal[
    "protocol", "destination-port", "icmp-type", "source-address", "destination-address"
]
"""A field of a header, by AWS's name where AWS has one."""


@dataclass(frozen=True)
class Tried:
    """What was looked at and did not decide: a rule or a route, and why not.

    ``field`` is the field of the packet that a rule does not fit, ``code`` AWS's explanation of why
    a route is not taken.
    """

    by: str
    said: str
    field: Field | None = None
    code: Code | None = None

    def __str__(self) -> str:
        return self.said


@dataclass(frozen=True)
class Step:
    """One decision about a packet.

    ``place`` is the id of where it is taken, ``said`` a sentence, ``by`` the ids that decided (a
    rule, a route table), ``tried`` what else was looked at and lost.  ``code`` is AWS's explanation
    of a block, or of something to know where the packet passes.  ``direction`` is that of a
    filter.  ``packet`` is the header before, ``after`` that behind the step, and ``frame`` the
    link-layer addresses, source and destination, with which it goes on.
    """

    kind: Kind
    place: str
    passed: bool
    said: str
    packet: Packet
    after: Packet
    by: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    code: Code | None = None
    direction: Direction | None = None
    frame: tuple[str, str] | None = None

    @property
    def layer(self) -> int:
        """The OSI layer."""
        return LAYERS[self.kind]

    @property
    def considered(self) -> tuple[str, ...]:
        """The ids of what was tried."""
        return tuple(each.by for each in self.tried)


@dataclass
class Trace:
    """The way of one packet: its steps, and where it would arrive if nothing blocked it.

    ``arrived`` is a host's id or an internet host's name; None where the way ends before one.
    """

    steps: list[Step] = field(default_factory=list)
    arrived: str | None = None
    packet: Packet | None = None

    @property
    def passed(self) -> bool:
        """Whether the packet arrives."""
        return self.arrived is not None and all(step.passed for step in self.steps)

    @property
    def circles(self) -> bool:
        """Whether the packet goes round until its time to live is over."""
        last = self.steps[-1] if self.steps else None
        return last is not None and (last.kind, last.passed, last.code) == ("route", False, None)

    def blocks(self) -> Iterator[Step]:
        """Every step that stops the packet, not just the first."""
        return (step for step in self.steps if not step.passed)
