"""What the reconciler may ask of the services, whoever carries them out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from gureum.model import View
from gureum.program import Service


class ServiceRoom(Protocol):
    """Answers in routers, one socket a service.  All methods may be called from any thread, one at
    a time."""

    def sync(self, wanted: Collection[Service], view: View) -> None:
        """Answer exactly ``wanted``, of the revision ``view``, which is in force.

        Raises:
            OSError: one cannot be answered; the others are.
        """

    def change(self, add: Collection[Service], view: View) -> None:
        """Answer these, too; ``view`` is in force.

        Raises:
            OSError: one cannot be answered; the others are.
        """

    def close(self, services: Collection[Service]) -> None:
        """Answer these no more: their router may go."""

    def stop(self) -> None:
        """Answer nothing any more."""


class NoServices:
    """Where nobody answers."""

    def sync(self, wanted: Collection[Service], view: View) -> None:
        """See :class:`ServiceRoom`; so all others."""

    def change(self, add: Collection[Service], view: View) -> None:
        return

    def close(self, services: Collection[Service]) -> None:
        return

    def stop(self) -> None:
        return
