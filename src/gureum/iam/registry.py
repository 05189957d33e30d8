"""The actions of IAM's and STS's APIs, by name.  A duplicate is an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gureum.iam import (
    access_key_api,
    access_key_use,
    account_api,
    attachment,
    details,
    managed_policy,
    refusal,
    role,
    service_role,
    simulate,
    sts,
    user,
)
from gureum.iam.call import Action


def _all(rooms: Iterable[Mapping[str, Action]]) -> dict[str, Action]:
    found: dict[str, Action] = {}
    for actions in rooms:
        for name, action in actions.items():
            if name in found:
                raise ValueError(f"two files claim the action {name}")
            found[name] = service_role.guarded(name, action)
    return found


ACTIONS = _all(
    (
        user.ACTIONS,
        role.ACTIONS,
        service_role.ACTIONS,
        managed_policy.ACTIONS,
        attachment.ACTIONS,
        access_key_api.ACTIONS,
        access_key_use.ACTIONS,
        account_api.ACTIONS,
        simulate.ACTIONS,
        details.ACTIONS,
    )
)

STS_ACTIONS = _all((sts.ACTIONS, {"DecodeAuthorizationMessage": refusal.decode}))
"""The actions of STS's API; none changes anything."""

READS = frozenset(name for name in ACTIONS if name.startswith(("Get", "List", "Simulate")))
"""Those that change nothing."""
