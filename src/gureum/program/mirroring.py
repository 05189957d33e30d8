"""Copies of packets: what a traffic mirror session asks of the network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a mirror's filter: packets that are copied, or with ``copy`` False are not.

    ``why`` is the id that explains it.  ``protocol`` is an IP protocol number or None for all,
    ports are inclusive ranges (TCP, UDP) or None for all; ``source`` and ``target`` are prefixes of
    one IP version.
    """

    why: str
    copy: bool
    protocol: int | None
    source: str
    target: str
    source_ports: tuple[int, int] | None = None
    target_ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where copies go, and of which packets: the first choice that fits a packet decides.

    A copy is ``length`` octets of a frame at most, or all of it, in VXLAN (RFC 7348) with the
    identifier ``vni``, to the address ``target``.  ``slot`` tells mirrors of a router apart (24
    bits).  With ``names`` conversations with the resolver are copied, too, whatever the choices.
    """

    session: str
    slot: int
    target: str
    vni: int
    length: int | None
    entering: tuple[Choice, ...]
    leaving: tuple[Choice, ...]
    names: bool = False
