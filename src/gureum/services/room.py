"""What the reconciler may ask of the services, whoever carries them out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, TypeVar

from gureum.engines.flows import Station
from gureum.model import View
from gureum.program import Recorded, RecordedLink, Service

Asked = TypeVar("Asked", contravariant=True)


class ServiceRoom(Protocol[Asked]):
    """Does in routers what some statements ask for: answers, one socket a service, or records.  All
    methods may be called from any thread, one at a time."""

    def sync(self, wanted: Collection[Asked], view: View) -> None:
        """Do exactly what is wanted, of the revision ``view``, which is in force.

        Raises:
            OSError, EngineError: one cannot be done; the others are.
        """

    def change(self, add: Collection[Asked], view: View) -> None:
        """Do this, too; ``view`` is in force.

        Raises:
            OSError, EngineError: one cannot be done; the others are.
        """

    def close(self, removed: Collection[Asked]) -> None:
        """Do this no more: its router may go."""

    def stop(self) -> None:
        """Do nothing any more."""


class NoServices:
    """Where nobody does anything."""

    def sync(self, wanted: Collection[object], view: View) -> None:
        """See :class:`ServiceRoom`; so all others."""

    def change(self, add: Collection[object], view: View) -> None:
        return

    def close(self, removed: Collection[object]) -> None:
        return

    def stop(self) -> None:
        return


class Rooms:
    """Two rooms as one: who answers, and who records."""

    def __init__(self, services: ServiceRoom[Service], flows: ServiceRoom[Station]) -> None:
        self._services = services
        self._flows = flows

    def sync(self, wanted: Collection[Service | Station], view: View) -> None:
        """See :class:`ServiceRoom`; so all others."""
        self._services.sync(services_in(wanted), view)
        self._flows.sync(recorded_in(wanted), view)

    def change(self, add: Collection[Service | Station], view: View) -> None:
        self._services.change(services_in(add), view)
        self._flows.change(recorded_in(add), view)

    def close(self, removed: Collection[Service | Station]) -> None:
        self._services.close(services_in(removed))
        self._flows.close(recorded_in(removed))

    def stop(self) -> None:
        self._services.stop()
        self._flows.stop()


def services_in(statements: Collection[object]) -> list[Service]:
    """The services among some statements."""
    return [each for each in statements if isinstance(each, Service)]


def recorded_in(statements: Collection[object]) -> list[Station]:
    """The recorded interfaces and attachments among some statements."""
    return [each for each in statements if isinstance(each, (Recorded, RecordedLink))]
