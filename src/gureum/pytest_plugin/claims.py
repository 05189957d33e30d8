"""Claims about who reaches whom, whose failure is the explanation."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any, Protocol

import click
import pytest

from gureum.cli.explain import Service
from gureum.cli.explain_show import show_answer
from gureum.cli.failure import Failure
from gureum.pytest_plugin.cloud import Cloud
from gureum.server.places import INSTANCE, is_address

UP = "running"
_SERVICE = Service()


class Claim(Protocol):
    """Fails the test unless the claim about an exchange between two places holds.

    It is about both IP versions where both places have addresses of both, and with ``ipv6`` about
    that one alone, or about IPv4.  Of a place that is not there, and of a service that is none, no
    claim holds: a misspelt name must not make a test pass.
    """

    def __call__(
        self, source: str, target: str, service: str = "icmp", *, ipv6: bool | None = None
    ) -> None: ...


class Reaches:
    """The network lets the exchange through from every client port."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(
        self, source: str, target: str, service: str = "icmp", *, ipv6: bool | None = None
    ) -> None:
        """See :class:`Claim`."""
        __tracebackhide__ = True  # pytest shows the line of the test, which is what matters
        for found in _explained(self._cloud, source, target, service, ipv6):
            if found["reach"] != "all":
                only = " from every client port" if found["reach"] == "some" else ""
                said = f"{source} does not reach {target} by {service}{only}{_over(found)}"
                pytest.fail(f"{said}:\n\n{_told(found)}")


class CannotReach:
    """The network lets the exchange through from no client port, between places that are both up:
    of one that is not, that would hold whatever the rules are."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(
        self, source: str, target: str, service: str = "icmp", *, ipv6: bool | None = None
    ) -> None:
        """See :class:`Claim`."""
        __tracebackhide__ = True
        explained = _explained(self._cloud, source, target, service, ipv6)
        for found in explained:
            if found["reach"] != "none":
                said = f"{source} reaches {target} by {service}{_over(found)}"
                pytest.fail(f"{said}:\n\n{_told(found)}")
        found = explained[0]
        for end in (found["source"], found["place"]):
            if end and end["kind"] == INSTANCE and end["state"] != UP:
                said = f"that {source} cannot reach {target} says nothing"
                pytest.fail(f"{said}: {end['id']} is {end['state']}, not {UP}")


def _explained(
    cloud: Cloud, source: str, target: str, service: str, ipv6: bool | None
) -> list[dict[str, Any]]:
    """What is explained over each IP version that is meant."""
    __tracebackhide__ = True
    # An address, unlike the names of a place, is of one version.
    alone = any(is_address(each) for each in (source, target))
    versions = (bool(ipv6),) if alone or ipv6 is not None else (False, True)
    try:
        header = _SERVICE.convert(service, None, None)
        body = {"source": source, "target": target, **header}
        found: list[dict[str, Any]] = []
        for each in versions:
            try:
                found.append(cloud.console.post("/explain", body | {"ipv6": each}))
            except Failure as failure:
                if failure.code != "NoAddress" or not found:
                    raise
    except click.ClickException as error:
        refused = error.format_message()
    else:
        return found
    pytest.fail(refused)  # out of the except, lest pytest show where the error came from too


def _over(found: dict[str, Any]) -> str:
    return " over IPv6" if ":" in found["address"] else ""


def _told(found: dict[str, Any]) -> str:
    """What 'gureum explain' prints."""
    with redirect_stdout(io.StringIO()) as said:
        show_answer(found, verbose=0)
    return said.getvalue()
