"""Carries out calls of CloudTrail's API: looking up what the trail has of the caller's account."""

from __future__ import annotations

from dataclasses import dataclass

from gureum.errors import ApiError
from gureum.iam.caller import Caller
from gureum.kind import Shape
from gureum.server.dispatch import OPEN, Gate
from gureum.server.identity_api import unbuilt
from gureum.store import Store
from gureum.trail.lookup import ACTIONS
from gureum.wire import Request


@dataclass(frozen=True)
class TrailApi:
    """CloudTrail on a store; ``recording`` is whether anything is recorded."""

    store: Store
    recording: bool = True

    def __call__(self, request: Request, who: Caller, gate: Gate = OPEN) -> Shape:
        """The answer to a request that ``gate`` lets through.

        Raises:
            ApiError: the refusal.
        """
        action = ACTIONS.get(request.action)
        if action is None:
            raise unbuilt(request)
        gate.before(self.store.view)
        if not self.recording:
            raise ApiError(
                "OperationNotPermittedException", "The daemon was started with --audit off."
            )
        return action(self.store.trail, request.params, who.account, who.region)
