"""What policies say of a request, within one account, and which statement says so.

Sources: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny
access", "Policy evaluation for requests within a single account", "Permissions boundaries for IAM
entities".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from gureum.identity.conditions import Checked, check
from gureum.identity.matching import (
    Named,
    action_matches,
    exempt,
    named,
    resource_matches,
)
from gureum.identity.policy import Effect, Policy, Statement
from gureum.identity.request import Request


class Layer(Enum):
    """Where a policy stands in the evaluation."""

    IDENTITY = "identity policy"
    RESOURCE = "resource policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"


class Outcome(Enum):
    """How a request ends; the words are those of ``SimulateCustomPolicy``."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True)
class Policies:
    """All policies that apply to a request.  A ``boundary`` or ``session`` of None is no limit; an
    empty one would let nothing through.  ``resource`` are policies of the resource itself."""

    identity: tuple[Policy, ...] = ()
    resource: tuple[Policy, ...] = ()
    boundary: tuple[Policy, ...] | None = None
    session: tuple[Policy, ...] | None = None

    def layers(self) -> Iterator[tuple[Layer, Policy]]:
        """Every policy with its place."""
        yield from ((Layer.IDENTITY, each) for each in self.identity)
        yield from ((Layer.RESOURCE, each) for each in self.resource)
        yield from ((Layer.BOUNDARY, each) for each in self.boundary or ())
        yield from ((Layer.SESSION, each) for each in self.session or ())


@dataclass(frozen=True)
class Seen:
    """A statement held against a request.

    ``action``, ``resource`` and ``named`` say whether the elements match (``named`` of statements
    without principals is :attr:`Named.DIRECT`); ``conditions`` are all of its conditions, where the
    elements match, else none.  ``index`` counts the statements of a policy from 0.
    """

    layer: Layer
    policy: str
    index: int
    sid: str
    effect: Effect
    action: bool
    resource: bool
    named: Named
    conditions: tuple[Checked, ...] = ()

    @property
    def elements(self) -> bool:
        """Whether action, resource and principal match."""
        return self.action and self.resource and self.named is not Named.NOT

    @property
    def applies(self) -> bool:
        """Whether the statement takes effect."""
        return self.elements and all(each.holds for each in self.conditions)


Trace: TypeAlias = tuple[Seen, ...]


@dataclass(frozen=True)
class Decision:
    """How a request ends, and why.

    ``deciders`` are the statements that deny, or that allow (of each layer that had to); of an
    implicit deny there are none, and ``missing`` is the layer in which nothing allows.
    ``trace`` is every statement looked at.
    """

    outcome: Outcome
    deciders: Trace
    missing: Layer | None
    trace: Trace
    root: bool = False

    @property
    def allowed(self) -> bool:
        """Whether the request may be done."""
        return self.outcome is Outcome.ALLOWED


def evaluate(policies: Policies, request: Request) -> Decision:
    """The decision on a request by a principal of the resource's own account.

    An explicit deny anywhere ends it.  Then a resource's policy that names the user or session in
    person, or anybody, allows it alone.  Otherwise an identity policy must allow it, or a
    resource's policy that names the session's role; and so must the boundary and the session
    policies, where there are any.  A resource's policy that names the account leaves it to identity
    policies.
    """
    bounded = policies.boundary is not None
    trace = tuple(
        _seen(layer, policy, index, request, bounded=bounded)
        for layer, policy in policies.layers()
        for index in range(len(policy.statements))
    )
    applied = tuple(each for each in trace if each.applies)
    denies = tuple(each for each in applied if each.effect == "Deny")
    if denies:
        return Decision(Outcome.EXPLICIT_DENY, denies, None, trace)
    if request.principal is not None and request.principal.root:
        return Decision(Outcome.ALLOWED, (), None, trace, root=True)
    direct = tuple(each for each in applied if _grants(each, Named.DIRECT))
    if direct:
        return Decision(Outcome.ALLOWED, direct, None, trace)
    return _limited(policies, applied, trace)


def _grants(seen: Seen, least: Named) -> bool:
    return seen.layer is Layer.RESOURCE and seen.named >= least


def _limited(policies: Policies, applied: Trace, trace: Trace) -> Decision:
    """The decision where nothing denies and nothing allows past boundary and session policies."""
    deciders: list[Seen] = []
    for layer, there in (
        (Layer.IDENTITY, True),
        (Layer.BOUNDARY, policies.boundary is not None),
        (Layer.SESSION, policies.session is not None),
    ):
        if there:
            allows = [each for each in applied if _stands_for(each, layer)]
            if not allows:
                return Decision(Outcome.IMPLICIT_DENY, (), layer, trace)
            deciders += allows
    return Decision(Outcome.ALLOWED, tuple(deciders), None, trace)


def _stands_for(seen: Seen, layer: Layer) -> bool:
    """Whether an Allow counts in a layer; that of a resource's policy to a role counts as the
    role's own."""
    return seen.layer is layer or (layer is Layer.IDENTITY and _grants(seen, Named.ISSUER))


def _seen(layer: Layer, policy: Policy, index: int, request: Request, *, bounded: bool) -> Seen:
    statement = policy.statements[index]
    context = request.context if policy.variables else None
    action = any(action_matches(each, request.action) for each in statement.actions)
    resource = not statement.resources or statement.not_resources != any(
        resource_matches(each, request.resource, context) for each in statement.resources
    )
    seen = Seen(
        layer,
        policy.name,
        index,
        statement.sid,
        statement.effect,
        action != statement.not_actions,
        resource,
        _named(statement, request, bounded=bounded),
    )
    if not seen.elements or not statement.conditions:
        return seen
    checked = tuple(
        check(each, request.context, variables=policy.variables) for each in statement.conditions
    )
    return replace(seen, conditions=checked)


def _named(statement: Statement, request: Request, *, bounded: bool) -> Named:
    if statement.principals is None:
        return Named.DIRECT
    if not statement.not_principals:
        return named(statement.principals, request.principal)
    # AWS: denies anybody who has a permissions boundary, whoever is listed.
    if exempt(statement.principals, request.principal) and not bounded:
        return Named.NOT
    return Named.DIRECT
