"""Carries out calls of RAM's API: one transaction a call, and each token of a client once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gureum.errors import ApiError
from gureum.iam.caller import Caller
from gureum.kind import Call, Shape
from gureum.model import Txn
from gureum.ram.registry import ACTIONS, READS
from gureum.server.dispatch import OPEN, Gate, Tell, digest, recalled, unheard, utc_now
from gureum.server.identity_api import unbuilt
from gureum.store import Remembered, Store
from gureum.wire import Request


@dataclass(frozen=True)
class RamApi:
    """RAM on a store."""

    store: Store
    clock: Callable[[], str] = utc_now

    def __call__(
        self, request: Request, who: Caller, gate: Gate = OPEN, tell: Tell = unheard
    ) -> Shape:
        """The answer to a request that ``gate`` lets through; what ``tell`` says of a change is
        committed with it.

        Raises:
            ApiError: the refusal; nothing has changed then.
        """
        action = ACTIONS.get(request.action)
        if action is None:
            raise unbuilt(request)
        if self.reads(request):
            view = self.store.view
            gate.before(view)
            return action(self._call(request, Txn(view, who.account, who.region)))
        key = f"ram/{who.account}/{who.region}/{request.action}/{request.token}"
        mark = digest(request.params)
        answer: Shape | None = None

        def remember() -> Remembered | None:
            if request.token is None or answer is None:
                return None
            return Remembered(key, mark, msgspec.json.encode(answer), self.clock())

        with self.store.transaction(who.account, who.region, remember, lambda: tell(answer)) as txn:
            gate.before(txn.view)
            known = self.store.remembered(key) if request.token is not None else None
            if known is not None:
                return recalled(known, mark, _MISMATCH)
            answer = action(self._call(request, txn))
        return answer

    def reads(self, request: Request) -> bool:
        """Whether a call changes nothing."""
        return request.action in READS

    def _call(self, request: Request, txn: Txn) -> Call:
        return Call(request.action, request.params, txn, self.clock())


_MISMATCH = ApiError(
    "IdempotentParameterMismatchException",
    "The client token was used before with other parameters.",
)
