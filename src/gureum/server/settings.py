"""What a daemon is told at its start, and where its state is: for the daemon and its commands."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gureum.model.cidr import is_loopback
from gureum.server.rates import Rates, rates

HOST, PORT = "127.0.0.1", 4566
"""Where the API is served: the port that tools for local clouds try first."""

SYSTEM_STATE = Path("/var/lib/gureum")
"""The state folder of root's cloud."""

MAX_SOCKET_PATH = 107
"""Bytes of a unix socket's path (unix(7): ``sun_path`` has 108 with the final zero)."""


@dataclass(frozen=True)
class Settings:
    """What a daemon is told at its start.

    ``bridge_filter`` and ``host_link`` are the engine's; ``durable`` makes commits outlive the loss
    of power, at the cost of a disk flush each.  ``ami_aliases`` are image ids of elsewhere and the
    images here that they stand for; ``allow_reset`` lets clients empty the cloud; without
    ``machines`` instances are records with a network and no processes.  Flows are recorded every
    ``flow_log_interval`` seconds.  ``auth`` says how callers are known: ``open`` takes any
    credentials, ``verify`` checks signatures, ``enforce`` policies too.  An open cloud is not
    served beyond loopback unless ``allow_anyone`` says so.  ``audit`` says which calls are
    recorded: none, those that may change something, or all; of ``audit_size`` MiB and
    ``audit_days`` at most.  ``rate`` says how often an account may call (see
    :func:`gureum.server.rates.rates`); ``auto`` is as AWS has it beyond loopback, and as often as
    they like on it, where callers are this machine's own.  ``registries`` (``host`` or
    ``host:port``) are those that instances may have the daemon pull from and push to: it does so on
    this machine's network, on which instances have nothing to look for.
    """

    state: Path
    host: str = HOST
    port: int = PORT
    bridge_filter: Literal["auto", "netfilter", "isolated"] = "auto"
    host_link: bool = True
    durable: bool = False
    ami_aliases: tuple[tuple[str, str], ...] = ()
    allow_reset: bool = False
    machines: bool = True
    flow_log_interval: int = 60
    auth: Literal["open", "verify", "enforce"] = "open"
    allow_anyone: bool = False
    audit: Literal["off", "writes", "all"] = "writes"
    audit_size: int = 64
    audit_days: int = 90
    rate: str = "auto"
    registries: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse settings that would leave a door open unasked.

        Raises:
            SettingsError: they do.
        """
        if self.auth == "open" and not self.allow_anyone and not is_loopback(self.host):
            raise SettingsError(
                f"on {self.host} anybody who reaches the port would own the cloud: give --auth "
                "verify or enforce, or --allow-anyone if that is meant"
            )
        self.rates()
        if self.auth != "open" and self.allow_reset:
            raise SettingsError("--allow-reset lets anybody empty the cloud: only with --auth open")

    def rates(self) -> Rates | None:
        """How often an account may call; None for as often as it likes.

        Raises:
            SettingsError: ``rate`` says nothing that is known.
        """
        if self.rate == "auto":
            return None if is_loopback(self.host) else Rates()
        try:
            return rates(self.rate)
        except ValueError as error:
            raise SettingsError(f"--rate: {error}") from None


class SettingsError(Exception):
    """What a daemon is told does not go together."""


class RunningError(Exception):
    """Another daemon serves this state folder."""


def default_state() -> Path:
    """The state folder: ``GUREUM_STATE``, else the system's for root, else the XDG one."""
    if given := os.environ.get("GUREUM_STATE"):
        return Path(given).absolute()
    if os.geteuid() == 0:
        return SYSTEM_STATE
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "gureum"


def socket_path(state: Path) -> Path:
    """The unix socket of the daemon that serves a state folder."""
    return state / "gureum.sock"


def lock_path(state: Path) -> Path:
    """The file that the daemon of a state folder holds a lock on for as long as it lives."""
    return state / "daemon.lock"


def vault_path(state: Path) -> Path:
    """The file with the key that seals secrets in the database."""
    return state / "secret.key"


def failure_path(state: Path) -> Path:
    """The file in which a daemon that could not tear everything down says why."""
    return state / "daemon.error"
