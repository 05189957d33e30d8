"""Engines make a kernel equal to a program; this is what every engine can do.

An engine is given statements, never resources, and no engine knows another.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from gureum.program import Service, Statement

TableKind = Literal["arp", "mac", "route", "conntrack", "nat", "socket"]
Row: TypeAlias = dict[str, str | int]
"""A row of a live table: values by column, in the order in which they are worth reading."""


class EngineError(Exception):
    """Part of a change could not be carried out; the rest was.

    ``failures`` are sentences that name what was attempted, on what, and the kernel's answer.
    A later ``sync`` with the same wanted statements carries out what is missing.
    """

    def __init__(self, failures: Collection[str]) -> None:
        self.failures = tuple(failures)
        shown = "; ".join(self.failures[:3])
        more = f" (and {len(self.failures) - 3} more)" if len(self.failures) > 3 else ""
        super().__init__(f"{shown}{more}")


class Engine(Protocol):
    """Makes packets flow as the statements say.  All methods may be called from any thread."""

    def sync(self, wanted: Collection[Statement]) -> None:
        """Make the kernel equal to exactly ``wanted``: observe, repair, remove our leftovers.

        Raises:
            EngineError: after everything was tried.
        """

    def apply(self, add: Collection[Statement], remove: Collection[Statement]) -> None:
        """Carry out a difference; statements that are already there, or gone, are no change.

        Raises:
            EngineError: after everything was tried.
        """

    def netns(self, host: str) -> Path:
        """The namespace file of an instance, a NAT gateway or a named internet host."""

    def listen(self, service: Service) -> socket.socket:
        """A socket in the service's router, bound to its address and port: of TCP it listens.  What
        is sent from it is sent from that address.

        Raises:
            OSError: there is no such router, or no socket is to be had.
        """

    def forwards(self, host: str, version: int = 4) -> bool:
        """Whether a host passes packets of an IP version on (``ip_forward`` and ``forwarding``,
        ip-sysctl of the kernel's manual).

        Raises:
            LookupError: there is no such host.
        """

    def tables(self, kind: TableKind, place_id: str) -> list[Row]:
        """A live table of a place, in the cloud's own names: neighbours (``arp``), stations known
        to bridges (``mac``), routes by route table, tracked flows, translations, sockets.

        ``place_id`` is the id of a router, segment, host or gateway, or an internet host's name.

        Raises:
            LookupError: there is no such place.
            OSError: the table could not be read.
        """

    def close(self) -> None:
        """Let go of handles; what is in the kernel stays and packets keep flowing."""
