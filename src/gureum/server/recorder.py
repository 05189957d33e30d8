"""Writes calls to the trail: each once, with what it changed, or when it is clear how it ended.

Which calls are recorded: all that may change something, those that give credentials, and those that
policies refused; with ``all`` the others that only read, too.  Who could not be identified is in
nobody's trail, as in AWS; the daemon's log has them.  Calls that came too fast are not recorded
either: to write them down would cost more than to refuse them, and push out what happened.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gureum.errors import ApiError
from gureum.iam.caller import Caller
from gureum.kind import Shape
from gureum.model.timestamps import seconds
from gureum.resources.region import DEFAULT_REGION
from gureum.server.authentication import utc
from gureum.server.identity_api import DEFAULT_ACCOUNT
from gureum.store import Entry, Store
from gureum.trail.event import GIVES, Heard, Outcome, entry, entry_of_other, operators_entry
from gureum.wire import Request

Which = Literal["off", "writes", "all"]

REFUSALS = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"})
"""Codes that are recorded of calls, too, which would only read."""


@dataclass(frozen=True)
class Recorder:
    """Records calls in the trail of ``store``."""

    store: Store
    which: Which = "writes"
    clock: Callable[[], datetime] = utc

    def witness(self, request_id: str, address: str, agent: str) -> Witness:
        """Who sees one call from its beginning to its end."""
        return Witness(self, request_id, address, agent)

    def operator(
        self,
        name: str,
        address: str,
        agent: str,
        account: str = DEFAULT_ACCOUNT,
        region: str = DEFAULT_REGION,
        params: Mapping[str, Any] | None = None,
        error: ApiError | None = None,
    ) -> None:
        """Record what somebody did to the cloud by a way that is not AWS's."""
        if self.which == "off":
            return
        event = str(uuid.uuid4())
        heard = Heard(event, event, address, agent)
        outcome = Outcome(seconds(self.clock()), error=error)
        told = operators_entry(heard, name, account, region, params or {}, outcome)
        self.store.tell([told])


@dataclass
class Witness:
    """Sees one call.  It is told who calls what, and how that ended."""

    recorder: Recorder
    request_id: str
    address: str
    agent: str
    request: Request | None = None
    who: Caller | None = None
    reads: bool = False
    done: bool = field(default=False, init=False)

    def sees(self, request: Request, who: Caller, reads: bool) -> None:
        """Who calls what; later once more, with the parameters."""
        self.request, self.who, self.reads = request, who, reads

    def tell(self, result: Shape | None) -> Iterable[Entry]:
        """What the trail says of a call that succeeds with ``result``: for the transaction that
        carries it out.  Nothing where there is no result (yet)."""
        if result is None or not self._wants(None):
            return ()
        self.done = True
        return self._entries(Outcome(seconds(self.recorder.clock()), result))

    def ended(self, result: Shape) -> None:
        """The call succeeded: write what no transaction has."""
        if not self.done:
            self.recorder.store.tell(self.tell(result))

    def refused(self, error: ApiError) -> None:
        """The call was refused."""
        if not self.done and self._wants(error):
            self.done = True
            self.recorder.store.tell(
                self._entries(Outcome(seconds(self.recorder.clock()), error=error))
            )

    def _wants(self, error: ApiError | None) -> bool:
        if self.request is None or self.who is None or self.recorder.which == "off":
            return False
        if not self.reads or self.recorder.which == "all":
            return True
        gives = self.request.service == "sts" and self.request.action in GIVES
        return gives or (error is not None and error.code in REFUSALS)

    def _entries(self, outcome: Outcome) -> list[Entry]:
        request, who = self.request, self.who
        assert request is not None
        assert who is not None
        told = [entry(self._heard(), request, who, self.reads, outcome)]
        owner = _other_owner(request, who, outcome)
        if owner is not None:
            shared = str(uuid.uuid4())
            told = [entry(self._heard(), request, who, self.reads, outcome, shared=shared)]
            told.append(entry_of_other(self._heard(), request, who, owner, shared, outcome))
        return told

    def _heard(self) -> Heard:
        return Heard(self.request_id, str(uuid.uuid4()), self.address, self.agent)


def _other_owner(request: Request, who: Caller, outcome: Outcome) -> str | None:
    """The account of a role that somebody of another assumed."""
    if request.service != "sts" or request.action != "AssumeRole" or outcome.error is not None:
        return None
    parts = str(request.params.get("RoleArn", "")).split(":")
    owner = parts[4] if len(parts) == 6 else who.account
    return owner if owner != who.account else None
