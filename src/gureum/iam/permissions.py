"""What applies to somebody: the policies of a user, a user's groups, a role, a session.

Source: IAM User Guide, "Policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from gureum.iam.bearer import Bearer
from gureum.iam.caller import Identity
from gureum.iam.managed_policy import document
from gureum.iam.rows import WORDS, Group, Role, User
from gureum.identity.evaluate import Policies
from gureum.identity.policy import Policy, parse
from gureum.model import View


@lru_cache(maxsize=4096)
def parsed(text: str, name: str) -> Policy:
    """A policy that was accepted, under a name for traces."""
    return parse(text, name)


def policies_of(view: View, who: Identity) -> Policies:
    """All policies that apply to somebody: none to a root, nor to whose row is gone."""
    row = view.rows.get(who.owner)
    if not isinstance(row, User | Role):
        return Policies()
    own, session = of_entity(view, row), _session(view, who)
    return own if session is None else replace(own, session=session)


def of_entity(view: View, row: User | Group | Role) -> Policies:
    """The policies of a user, group or role, with the boundary."""
    identity = [*_own(view, row, f"{WORDS[type(row)]} {row.name}")]
    if isinstance(row, User):
        for key in row.groups:
            group = view.find(Group, key)
            if group is not None:
                identity += _own(view, group, f"group {group.name}")
    limit = None if isinstance(row, Group) else row.boundary
    boundary = tuple(managed(view, [limit])) if limit else None
    return Policies(identity=tuple(identity), boundary=boundary)


def _own(view: View, row: Bearer, name: str) -> Iterator[Policy]:
    """The policies of an entity itself."""
    for called, text in row.inline:
        yield parsed(text, f"{name}/{called}")
    yield from managed(view, row.attached)


def managed(view: View, arns: Iterable[str]) -> Iterator[Policy]:
    """Managed policies as they are now; those that are gone allow nothing."""
    for arn in arns:
        text = document(view, arn)
        if text is not None:
            yield parsed(text, arn)


def _session(view: View, who: Identity) -> tuple[Policy, ...] | None:
    """Session policies; None where the session has none, which is no limit."""
    session = who.session
    if session is None or not session.limited:
        return None
    given = (parsed(text, "session policy") for text in session.policies)
    return (*given, *managed(view, session.arns))
