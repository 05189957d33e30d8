"""The trail over the unix socket: what it has, and what the daemon's owner does in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from gureum.errors import ApiError
from gureum.kind import Shape
from gureum.resources.region import DEFAULT_REGION
from gureum.server.authentication import utc
from gureum.server.identity_api import DEFAULT_ACCOUNT
from gureum.server.recorder import Recorder, Which
from gureum.store import Entry, Search, Store
from gureum.trail.event import HOME

MOST = 1000
"""Events of one answer."""

WAY_IN = "unix socket"
"""The source address of what Gureum's own commands do."""


class Asked(Protocol):
    """What a handler of the console is given; see :class:`gureum.server.console.Ask`."""

    def maybe(self, name: str) -> str | None: ...

    def flag(self, name: str) -> bool: ...


A = TypeVar("A", bound=Asked)
T = TypeVar("T")

_NAMES: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("POST", "/accounts"): ("CreateAccount", ("name", "number")),
    ("POST", "/accounts/keys"): ("CreateRootAccessKey", ("owner",)),
    ("DELETE", "/accounts/keys"): ("DeleteRootAccessKey", ("owner", "key")),
    ("POST", "/accounts/rotate"): ("RotateSecretKey", ()),
    ("POST", "/segment"): ("ModifySegment", ("place", "mode")),
    ("POST", "/import"): ("ImportAccount", ("account", "region")),
    ("POST", "/internet"): ("CreateInternetHost", ("name", "ip")),
    ("DELETE", "/internet"): ("DeleteInternetHost", ("name",)),
    ("POST", "/labs/start"): ("StartLab", ("name",)),
    ("POST", "/labs/solve"): ("SolveLab", ("name",)),
    ("POST", "/labs/stop"): ("StopLab", ("name",)),
}
"""The routes that change something: what the event is called, and the members that it shows."""


@dataclass(frozen=True)
class ConsoleTrail:
    """Answers ``gureum audit-log``, and records what other commands change."""

    store: Store
    which: Which
    clock: Callable[[], datetime] = field(default=utc)

    def events(self, ask: Asked) -> Shape:
        """The latest events that are asked for, the oldest of them first; with ``above`` those
        after that number."""
        above = _number(ask, "above")
        search = Search(
            account=ask.maybe("account"),
            region=ask.maybe("region"),
            since=ask.maybe("since"),
            until=ask.maybe("until"),
            columns={
                name: value
                for name in ("name", "user", "source", "key", "event")
                if (value := ask.maybe(name)) is not None
            },
            resource=ask.maybe("resource"),
            refused=ask.flag("refused"),
            above=above,
        )
        limit = min(_number(ask, "limit") or MOST, MOST)
        found = self.store.trail.find(search, limit, forward=above is not None)
        if above is None:
            found.reverse()
        return {
            "events": [_shown(entry) for _, entry in found],
            "last": found[-1][0] if found else above or 0,
            "recorded": self.which,
        }

    def watching(self, method: str, path: str, handler: Callable[[A], T]) -> Callable[[A], T]:
        """The handler of a route, recorded if it is one that changes something."""
        known = _NAMES.get((method, path))
        if known is None or self.which == "off":
            return handler
        name, members = known

        def watched(ask: A) -> T:
            try:
                answer = handler(ask)
            except ApiError as error:
                self._tell(name, members, ask, {}, error)
                raise
            self._tell(name, members, ask, answer if isinstance(answer, dict) else {}, None)
            return answer

        return watched

    def _tell(
        self,
        name: str,
        members: tuple[str, ...],
        ask: Asked,
        answer: Mapping[str, Any],
        error: ApiError | None,
    ) -> None:
        params = {member: value for member in members if (value := ask.maybe(member)) is not None}
        account, region = _where(ask, answer)
        recorder = Recorder(self.store, self.which, self.clock)
        recorder.operator(name, WAY_IN, "gureum", account, region, params, error)


def _where(ask: Asked, answer: Mapping[str, Any]) -> tuple[str, str]:
    """The account and region in whose trail an event is; that of an account is in its own."""
    made = answer.get("account")
    owner = ask.maybe("owner") or ""
    if isinstance(made, str) or owner.isdecimal():
        return (made if isinstance(made, str) else owner), HOME
    return ask.maybe("account") or DEFAULT_ACCOUNT, ask.maybe("region") or DEFAULT_REGION


def _number(ask: Asked, name: str) -> int | None:
    text = ask.maybe(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise ApiError("BadRequest", f"{name} must be a number.")
    return int(text)


def _shown(entry: Entry) -> Shape:
    return {
        "about": [name for _, name in entry.resources],
        "event": msgspec.json.decode(entry.body),
    }
