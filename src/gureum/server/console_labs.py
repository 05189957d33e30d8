"""What ``gureum lab`` asks of the daemon.

::

    GET    /labs                            every lab, and which are started and solved
    POST   /labs/start   {name}             build a lab's cloud
    POST   /labs/check   {name, answer, hint}  ask its question again
    POST   /labs/solve   {name}             mend it
    POST   /labs/stop    {name, all}        remove it, or all
"""

from __future__ import annotations

from typing import Protocol

from gureum.kind import Shape
from gureum.server.labs import Labs


class Asked(Protocol):
    """The parameters of a question (:class:`gureum.server.console.Ask`)."""

    def text(self, name: str) -> str:
        """A parameter that must be there."""

    def maybe(self, name: str) -> str | None:
        """A parameter, or None."""

    def flag(self, name: str) -> bool:
        """Whether a parameter is set."""


class ConsoleLabs:
    """The answers about labs."""

    def __init__(self, labs: Labs) -> None:
        self._labs = labs

    def all(self, ask: Asked) -> Shape:
        """Every lab."""
        return {"labs": self._labs.all()}

    def start(self, ask: Asked) -> Shape:
        """A lab, started."""
        return self._labs.start(ask.text("name"))

    def check(self, ask: Asked) -> Shape:
        """How a lab is."""
        return self._labs.check(ask.text("name"), ask.maybe("answer"), hint=ask.flag("hint"))

    def solve(self, ask: Asked) -> Shape:
        """A lab, mended."""
        return self._labs.solve(ask.text("name"))

    def stop(self, ask: Asked) -> Shape:
        """One lab ended, or all."""
        if ask.flag("all"):
            return {"labs": self._labs.stop_all()}
        return {"labs": [self._labs.stop(ask.text("name"))]}
