"""What the elements of a statement name: actions, resources, principals.

Sources: IAM User Guide, "IAM JSON policy elements: Action", "Resource", "Principal" and
"NotPrincipal".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias

from gureum.identity.request import Context, Principal
from gureum.identity.variables import ARN_PARTS, arn_parts, compiled, expand, glob

Principals: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs of a type (``AWS``, ``Service``, ``Federated``, ``CanonicalUser``) and a name; ``*`` alone
is ``("*", "*")``."""


def action_matches(pattern: str, action: str) -> bool:
    """Whether an action (``ec2:RunInstances``) is meant; case does not matter, nothing is a
    variable."""
    return _action(pattern).fullmatch(action) is not None


@lru_cache(maxsize=4096)
def _action(pattern: str) -> re.Pattern[str]:
    return compiled(expand(pattern, None) or (), ignore_case=True)


def arn_matches(pattern: str, arn: str, context: Context | None) -> bool:
    """Whether an ARN is like a pattern: each of the six parts for itself, wildcards and variables
    in all of them ("Condition operators", "Amazon Resource Name (ARN) condition operators")."""
    wanted = arn_parts(pattern, variables=context is not None)
    seen = arn.split(":", ARN_PARTS - 1)
    if len(wanted) != ARN_PARTS or len(seen) != ARN_PARTS:
        return False
    return all(map(_part_matches, wanted, seen, [context] * ARN_PARTS))


def resource_matches(pattern: str, resource: str, context: Context | None) -> bool:
    """Whether a resource is meant.

    A wildcard stays within its part of the ARN, but a ``*`` at the end of a part may go on over
    colons, and those of the last part over anything ("Using wildcards in resource ARNs").
    Variables stand in the last part only.  Parts that are left out at the end are any.
    """
    if pattern == "*":
        return True
    wanted = arn_parts(pattern, variables=context is not None)
    seen = resource.split(":")
    if len(seen) < ARN_PARTS:
        return False
    if len(wanted) == ARN_PARTS:
        return _spans(wanted, seen, context)
    filled = wanted + ("*",) * (ARN_PARTS - len(wanted))
    return _spans(wanted, seen, None) or _spans(filled, seen, None)


def _spans(wanted: Sequence[str], seen: Sequence[str], context: Context | None) -> bool:
    """Whether parts of a pattern make up all parts of a resource; ``places`` are those parts of the
    resource, in ascending order, at which the next part of the pattern may begin."""
    places: Sequence[int] = [0]
    for part in wanted[:-1]:
        starts = [each for each in places if _part_matches(part, seen[each], None)]
        if part.endswith("*") and starts:
            places = range(starts[0] + 1, len(seen))
        else:
            places = [each + 1 for each in starts if each + 1 < len(seen)]
    return any(_part_matches(wanted[-1], ":".join(seen[each:]), context) for each in places)


def _part_matches(wanted: str, seen: str, context: Context | None) -> bool:
    pattern = expand(wanted, context)
    return pattern is not None and glob(pattern, seen)


class Named(IntEnum):
    """How a statement names who asks, from not at all to in person."""

    NOT = 0
    ACCOUNT = 1
    """By the account: it may let its users in, by policies of theirs."""
    ISSUER = 2
    """By the role (or user) that a session came from."""
    DIRECT = 3
    """By the user's or session's own ARN, or as anybody."""


def named(principals: Principals, who: Principal | None) -> Named:
    """The best way in which a ``Principal`` element names somebody."""
    return max((_named(kind, name, who) for kind, name in principals), default=Named.NOT)


def _named(kind: str, name: str, who: Principal | None) -> Named:
    if kind in ("*", "AWS") and name == "*":
        return Named.DIRECT
    if who is None or kind != who.type:
        return Named.NOT
    if name == who.arn:
        return Named.DIRECT
    if kind == "AWS" and name == who.issuer:
        return Named.ISSUER
    if kind == "AWS" and name in _account_names(who):
        return Named.ACCOUNT
    return Named.NOT


def exempt(principals: Principals, who: Principal | None) -> bool:
    """Whether a ``NotPrincipal`` element leaves somebody alone: everything that they are must be in
    it, the account, the role and the session ("NotPrincipal", "Specifying NotPrincipal with
    Deny")."""
    if any(kind in ("*", "AWS") and name == "*" for kind, name in principals):
        return True
    if who is None:
        return False
    listed = {name for kind, name in principals if kind == who.type}
    return all(listed.intersection(names) for names in _all_names(who))


def _all_names(who: Principal) -> Iterable[tuple[str, ...]]:
    yield (who.arn,)
    if who.type == "AWS":
        yield _account_names(who)
        if who.issuer:
            yield (who.issuer,)


def _account_names(who: Principal) -> tuple[str, ...]:
    if not who.account:
        return ()
    partition = who.arn.split(":")[1]
    return (who.account, f"arn:{partition}:iam::{who.account}:root")
