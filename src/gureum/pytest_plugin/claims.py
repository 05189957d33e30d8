"""Claims about who reaches whom, whose failure is the explanation."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any, Protocol

import click
import pytest

from gureum.cli.explain import Service
from gureum.cli.explain_show import show_answer
from gureum.pytest_plugin.cloud import Cloud
from gureum.server.places import INSTANCE

UP = "running"
_SERVICE = Service()


class Claim(Protocol):
    """Fails the test unless the claim about an exchange between two places holds.

    Of a place that is not there, and of a service that is none, no claim holds: a misspelt name
    must not make a test pass.
    """

    def __call__(self, source: str, target: str, service: str = "icmp") -> None: ...


class Reaches:
    """The network lets the exchange through from every client port."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(self, source: str, target: str, service: str = "icmp") -> None:
        """See :class:`Claim`."""
        __tracebackhide__ = True  # pytest shows the line of the test, which is what matters
        found = _explained(self._cloud, source, target, service)
        if found["reach"] != "all":
            only = " from every client port" if found["reach"] == "some" else ""
            pytest.fail(f"{source} does not reach {target} by {service}{only}:\n\n{_told(found)}")


class CannotReach:
    """The network lets the exchange through from no client port, between places that are both up:
    of one that is not, that would hold whatever the rules are."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(self, source: str, target: str, service: str = "icmp") -> None:
        """See :class:`Claim`."""
        __tracebackhide__ = True
        found = _explained(self._cloud, source, target, service)
        if found["reach"] != "none":
            pytest.fail(f"{source} reaches {target} by {service}:\n\n{_told(found)}")
        for end in (found["source"], found["place"]):
            if end and end["kind"] == INSTANCE and end["state"] != UP:
                said = f"that {source} cannot reach {target} says nothing"
                pytest.fail(f"{said}: {end['id']} is {end['state']}, not {UP}")


def _explained(cloud: Cloud, source: str, target: str, service: str) -> dict[str, Any]:
    __tracebackhide__ = True
    try:
        header = _SERVICE.convert(service, None, None)
        body = {"source": source, "target": target, **header}
        found: dict[str, Any] = cloud.console.post("/explain", body)
    except click.ClickException as error:
        refused = error.format_message()
    else:
        return found
    pytest.fail(refused)  # out of the except, lest pytest show where the error came from too


def _told(found: dict[str, Any]) -> str:
    """What 'gureum explain' prints."""
    with redirect_stdout(io.StringIO()) as said:
        show_answer(found, verbose=0)
    return said.getvalue()
