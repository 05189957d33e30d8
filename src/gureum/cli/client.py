"""Talks to the daemon over its unix socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gureum.cli.failure import FAILED, NO_DAEMON, NO_PLACE, NOT_ALLOWED, Failure
from gureum.cli.options import Where
from gureum.server.settings import SYSTEM_STATE, socket_path

if TYPE_CHECKING:
    import httpx

PATIENCE = 60.0
"""Seconds; the daemon answers in milliseconds unless it waits for the kernel."""

_NO_PLACE = frozenset({"NoSuchPlace", "AmbiguousPlace", "WrongPlace", "NotRunning", "NoAddress"})


class Daemon:
    """The daemon that serves a state folder.

    Every method raises :class:`Failure` where no daemon answers, where its socket may not be
    opened, and where it refuses.
    """

    def __init__(self, state: Path, where: Where | None = None) -> None:
        self.state = state
        self._where = where.params() if where else {}

    def get(self, path: str, **params: Any) -> Any:
        """The answer to a question."""
        return self._send("GET", path, {**self._where, **params}, None)

    def post(self, path: str, body: dict[str, Any] | None = None, **params: Any) -> Any:
        """The answer to a wish."""
        return self._send("POST", path, params, {**self._where, **(body or {})})

    def delete(self, path: str, **params: Any) -> Any:
        """The answer to a wish that something be gone."""
        return self._send("DELETE", path, params, None)

    @contextlib.contextmanager
    def stream(self, path: str, body: dict[str, Any]) -> Iterator[Iterator[Any]]:
        """What the daemon tells until it has said everything, one JSON value a line; leaving hangs
        up."""
        import httpx

        self._knock()
        transport = httpx.HTTPTransport(uds=str(socket_path(self.state)))
        try:
            with (
                httpx.Client(transport=transport, base_url="http://gureum") as client,
                client.stream(
                    "POST", path, json={**self._where, **body}, timeout=PATIENCE
                ) as answer,
            ):
                if answer.status_code >= 400:
                    answer.read()
                    _answer(answer)
                yield (json.loads(line) for line in answer.iter_lines())
        except httpx.TimeoutException:
            raise Failure(f"the cloud in {self.state} does not answer") from None
        except httpx.TransportError as error:
            raise Failure(f"the cloud in {self.state} hung up: {error}") from None

    def _send(
        self, method: str, path: str, params: dict[str, Any], body: dict[str, Any] | None
    ) -> Any:
        import httpx

        self._knock()
        given = {name: value for name, value in params.items() if value is not None}
        transport = httpx.HTTPTransport(uds=str(socket_path(self.state)))
        try:
            with httpx.Client(transport=transport, base_url="http://gureum") as client:
                answer = client.request(method, path, params=given, json=body, timeout=PATIENCE)
        except httpx.TimeoutException:
            raise Failure(f"the cloud in {self.state} does not answer") from None
        except httpx.TransportError as error:
            raise Failure(f"the cloud in {self.state} hung up: {error}") from None
        return _answer(answer)

    def _knock(self) -> None:
        """Find out whether anybody is there: httpx would not say what is wrong (and httpcore 1.0.9
        leaves the socket open)."""
        with socket.socket(socket.AF_UNIX) as knocker:
            try:
                knocker.connect(str(socket_path(self.state)))
            except PermissionError:
                raise Failure(
                    f"the cloud in {self.state} belongs to another user: try sudo", NOT_ALLOWED
                ) from None
            except OSError:
                raise self._nobody() from None

    def _nobody(self) -> Failure:
        hint = "start it with 'gureum up'"
        if os.geteuid() != 0 and self.state != SYSTEM_STATE and SYSTEM_STATE.is_dir():
            hint += f", or 'sudo gureum' for the one in {SYSTEM_STATE}"
        return Failure(f"no cloud is running in {self.state}: {hint}", NO_DAEMON)


def _answer(answer: httpx.Response) -> Any:
    try:
        value = answer.json()
    except ValueError:
        raise Failure(f"the cloud answered {answer.status_code}: {answer.text[:200]}") from None
    if answer.status_code < 400:
        return value
    error = value.get("error", {})
    code = error.get("code", "")
    message = error.get("message", f"the cloud answered {answer.status_code}")
    raise Failure(message, NO_PLACE if code in _NO_PLACE else FAILED, code)


def refuse_without_rights(what: str) -> None:
    """End the command unless it may make networks.

    Raises:
        Failure: CAP_NET_ADMIN or CAP_SYS_ADMIN is missing.
    """
    if not has_rights(Path("/proc/self/status").read_text(encoding="ascii")):
        raise Failure(
            f"{what} needs root (or CAP_NET_ADMIN and CAP_SYS_ADMIN): try sudo", NOT_ALLOWED
        )


_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21  # linux/capability.h


def has_rights(status: str) -> bool:
    """Whether a process may make networks, by its ``/proc/…/status`` (proc_pid_status(5))."""
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    effective = int(line.split()[1], 16)
    needed = 1 << _CAP_NET_ADMIN | 1 << _CAP_SYS_ADMIN
    return effective & needed == needed
