"""What policies would say: SimulateCustomPolicy, SimulatePrincipalPolicy, and keys they ask for.

Source: IAM API Reference, SimulateCustomPolicy, SimulatePrincipalPolicy, EvaluationResult,
GetContextKeysForCustomPolicy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from gureum.errors import ApiError
from gureum.iam.bearer import arn, lookup
from gureum.iam.call import Action, Call, no_such, page
from gureum.iam.permissions import of_entity
from gureum.iam.rows import WORDS, Group, Role, User
from gureum.identity.evaluate import Decision, Layer, Policies, Seen, evaluate
from gureum.identity.policy import Kind, Policy, parse
from gureum.identity.request import Context, Principal, Request
from gureum.kind import Shape

_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")
_SOURCE = re.compile(
    r"arn:aws:iam::(\d{12}):(user|group|role)(/(?:[\x21-\x7e]+/)?)([^/]+)", re.ASCII
)
_VARIABLE = re.compile(r"\$\{\s*([A-Za-z0-9-]+:[^\s,}']+)")
_TYPES: dict[str, type[User | Group | Role]] = {"user": User, "group": Group, "role": Role}


def custom(call: Call) -> Shape:
    """SimulateCustomPolicy: of policies that are given."""
    return _simulated(call, _given(call, Policies()), call.get("CallerArn"))


def principal(call: Call) -> Shape:
    """SimulatePrincipalPolicy: of a user, group or role, and policies that are given besides."""
    row = _source(call)
    own = of_entity(call.txn.view, row)
    asker = call.get("CallerArn")
    if asker is None and isinstance(row, User):
        asker = arn(row, WORDS[User])
    return _simulated(call, _given(call, own), asker)


def _source(call: Call) -> User | Group | Role:
    """The entity whose policies are meant.

    Raises:
        ApiError: ``InvalidInput``, ``NoSuchEntity``.
    """
    wanted = str(call.params["PolicySourceArn"])
    found = _SOURCE.fullmatch(wanted)
    if found is None:
        raise ApiError("InvalidInput", f"Invalid Entity Arn: {wanted[:200]}")
    row = lookup(call.txn.view, _TYPES[found[2]], found[1], found[4])
    if row is None or row.account != call.account or row.path != found[3]:
        raise no_such(f"The {found[2]} with name {found[4][:128]} cannot be found.")
    return row


def _given(call: Call, own: Policies) -> Policies:
    """The policies that a call gives, beside those of an entity."""
    inputs = _parsed(call.get("PolicyInputList", ()), "PolicyInputList")
    limits = call.get("PermissionsBoundaryPolicyInputList")
    bounds = "PermissionsBoundaryPolicyInputList"
    resource = call.get("ResourcePolicy")
    return replace(
        own,
        identity=(*own.identity, *inputs),
        boundary=_parsed(limits, bounds) if limits else own.boundary,
        resource=_parsed([resource], "ResourcePolicy", Kind.RESOURCE) if resource else (),
    )


def _parsed(texts: Iterable[str], name: str, kind: Kind = Kind.IDENTITY) -> tuple[Policy, ...]:
    return tuple(parse(text, f"{name}.{n}", kind) for n, text in enumerate(texts, start=1))


# --- results ------------------------------------------------------------------------------------
def _simulated(call: Call, policies: Policies, asker: str | None) -> Shape:
    who = _principal(asker)
    context = _context(call, who)
    results = [
        _result(evaluate(policies, request), policies, request)
        for request in _requests(call, context, who)
    ]
    numbered = list(enumerate(results))
    items, rest = page(call, numbered, lambda pair: f"{pair[0]:06}")
    return {"EvaluationResults": [result for _, result in items], **rest}


def _principal(asker: str | None) -> Principal | None:
    try:
        return Principal.of(asker) if asker else None
    except ValueError:
        raise ApiError("InvalidInput", f"Invalid Caller Arn: {str(asker)[:200]}") from None


def _context(call: Call, who: Principal | None) -> Context:
    """The keys that a call gives; they stand before those of who asks."""
    pairs = [
        (str(entry["ContextKeyName"]), str(value))
        for entry in call.get("ContextEntries", ())
        for value in entry.get("ContextKeyValues", ())
        if entry.get("ContextKeyName")
    ]
    given = {key.lower() for key, _ in pairs}
    derived = who.keys() if who else ()
    return Context.of([*pairs, *(pair for pair in derived if pair[0].lower() not in given)])


def _requests(call: Call, context: Context, who: Principal | None) -> Iterator[Request]:
    for action, resource in product(call.params["ActionNames"], call.get("ResourceArns", ["*"])):
        if not _ACTION.fullmatch(action):
            raise ApiError("InvalidInput", f"Invalid Action: {action[:128]}")
        yield Request(action, resource, context, who)


def _result(decision: Decision, policies: Policies, request: Request) -> Shape:
    bounded = policies.boundary is not None
    return {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": decision.outcome.value,
        "MatchedStatements": [_matched(seen) for seen in decision.deciders],
        "MissingContextValues": sorted(_missing(decision.trace)),
        "PermissionsBoundaryDecisionDetail": {
            "AllowedByPermissionsBoundary": _within(decision.trace)
        }
        if bounded
        else None,
    }


def _within(trace: Sequence[Seen]) -> bool:
    """Whether the boundary alone would let the request through."""
    effects = {seen.effect for seen in trace if seen.layer is Layer.BOUNDARY and seen.applies}
    return effects == {"Allow"}


def _matched(seen: Seen) -> Shape:
    return {"SourcePolicyId": seen.policy, "SourcePolicyType": _type(seen)}


def _type(seen: Seen) -> str | None:
    """The kind of a policy by its name in traces; of one that was given there is none."""
    if seen.layer is Layer.RESOURCE:
        return "resource"
    if seen.policy.startswith("arn:aws:iam::aws:"):
        return "aws-managed"
    if seen.policy.startswith("arn:"):
        return "user-managed"
    word = seen.policy.partition(" ")[0]
    return word if word in _TYPES else None


def _missing(trace: Iterable[Seen]) -> set[str]:
    """The keys that statements asked for which the request has not."""
    return {each.condition.key for seen in trace for each in seen.conditions if not each.seen}


# --- keys ---------------------------------------------------------------------------------------
def custom_keys(call: Call) -> Shape:
    """GetContextKeysForCustomPolicy."""
    texts = call.params["PolicyInputList"]
    return {"ContextKeyNames": _keys(_parsed(texts, "PolicyInputList"))}


def principal_keys(call: Call) -> Shape:
    """GetContextKeysForPrincipalPolicy."""
    own = of_entity(call.txn.view, _source(call))
    texts = call.get("PolicyInputList", ())
    found = (*own.identity, *(own.boundary or ()), *_parsed(texts, "PolicyInputList"))
    return {"ContextKeyNames": _keys(found)}


def _keys(policies: Sequence[Policy]) -> list[str]:
    """The condition keys and variables of policies, sorted."""
    keys = {
        condition.key
        for policy in policies
        for statement in policy.statements
        for condition in statement.conditions
    }
    places = (
        part
        for policy in policies
        for statement in policy.statements
        for part in (
            *statement.resources,
            *(value for condition in statement.conditions for value in condition.values),
        )
    )
    return sorted(keys | {name for place in places for name in _VARIABLE.findall(place)})


ACTIONS: dict[str, Action] = {
    "SimulateCustomPolicy": custom,
    "SimulatePrincipalPolicy": principal,
    "GetContextKeysForCustomPolicy": custom_keys,
    "GetContextKeysForPrincipalPolicy": principal_keys,
}
