"""Carries out calls of IAM's and STS's APIs: one transaction a call, in IAM's one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gureum.iam.access_key import GLOBAL
from gureum.iam.call import Call
from gureum.iam.caller import Caller
from gureum.iam.registry import ACTIONS, READS, STS_ACTIONS
from gureum.iam.vault import Vault
from gureum.kind import Shape
from gureum.model import Txn
from gureum.server.dispatch import OPEN, Gate, Tell, unheard, utc_now
from gureum.server.identity_api import unbuilt
from gureum.store import Store
from gureum.wire import Request


@dataclass(frozen=True)
class IamApi:
    """IAM and STS on a store; ``vault`` seals the secrets of new keys."""

    store: Store
    vault: Vault
    clock: Callable[[], str] = utc_now

    def __call__(
        self, request: Request, who: Caller, gate: Gate = OPEN, tell: Tell = unheard
    ) -> Shape:
        """The answer to a request that ``gate`` lets through; what ``tell`` says of a change is
        committed with it.

        Raises:
            ApiError: the refusal; nothing has changed then.
        """
        action = (STS_ACTIONS if request.service == "sts" else ACTIONS).get(request.action)
        if action is None:
            raise unbuilt(request)
        if self.reads(request):
            view = self.store.view
            gate.before(view)
            return action(self._call(request, who, Txn(view, who.account, GLOBAL)))
        answer: Shape | None = None
        with self.store.transaction(who.account, GLOBAL, tell=lambda: tell(answer)) as txn:
            gate.before(txn.view)
            answer = action(self._call(request, who, txn))
        return answer

    def reads(self, request: Request) -> bool:
        """Whether a call changes nothing."""
        return request.service == "sts" or request.action in READS

    def _call(self, request: Request, who: Caller, txn: Txn) -> Call:
        return Call(
            request.action, request.params, txn, self.clock(), who.identity, self.vault, who.keys
        )
