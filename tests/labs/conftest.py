"""A cloud in memory in which labs are started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from gureum.engines.fake import FakeEngine
from gureum.resources.instance import Instance
from gureum.server.console_explain import Explainer
from gureum.server.labs import Labs
from tests.cli.clouds import Workshop, until


class Forwarding(FakeEngine):
    """An engine whose hosts pass packets on: user data does not run in memory."""

    def forwards(self, host: str, version: int = 4) -> bool:
        """Every host does, if its interface may."""
        return True


@dataclass
class LabCloud(Workshop):
    """A cloud in memory, and the labs in it as the daemon runs them."""

    engine: FakeEngine = field(default_factory=Forwarding)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.labs = Labs(self.parts, Explainer(self.parts.networks, self.parts.engine))

    def until_stopped(self, instance: str) -> None:
        """Wait until an instance is stopped."""

        def stopped() -> bool:
            row = self.parts.store.view.find(Instance, instance)
            return row is not None and row.state == "stopped"

        until(stopped)


@pytest.fixture
def cloud() -> Iterator[LabCloud]:
    made = LabCloud()
    yield made
    made.close()
