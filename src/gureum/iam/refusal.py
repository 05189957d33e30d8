"""What is said to who may not: IAM's sentences, and the message that tells more to who may know.

Sources: IAM User Guide, "Troubleshoot access denied error messages"; STS API Reference,
DecodeAuthorizationMessage; EC2 API Reference, ``UnauthorizedOperation``.
"""

from __future__ import annotations

import json
from typing import Any

from gureum.errors import ApiError
from gureum.iam.call import Call
from gureum.iam.caller import Identity
from gureum.iam.vault import Vault, VaultError
from gureum.identity.evaluate import Decision, Layer, Outcome, Seen
from gureum.identity.request import Request
from gureum.kind import Shape

MAX_MESSAGE = 10_240
"""Characters of an encoded message (STS API Reference)."""
_MOST_KEYS = 40
"""Condition keys in a message, and :data:`_MOST_STATEMENTS` of policies: so that it stays short."""
_MOST_STATEMENTS = 20
_LONGEST = 120
"""Characters of each value in a message."""

_POLICIES = {
    Layer.IDENTITY: "identity-based policy",
    Layer.RESOURCE: "resource-based policy",
    Layer.BOUNDARY: "permissions boundary",
    Layer.SESSION: "session policy",
}


def refusal(
    vault: Vault, who: Identity, request: Request, decision: Decision, *, reads: bool
) -> ApiError:
    """The refusal of a request; that of EC2's actions which change something has the encoded
    message."""
    said = f"User: {who.arn} is not authorized to perform: {request.action}"
    if request.resource != "*":
        said += f" on resource: {request.resource}"
    said += _because(request, decision)
    if request.action.startswith("cloudtrail:"):
        return ApiError("AccessDeniedException", said)
    if request.action.startswith("ram:"):
        return ApiError("AccessDeniedException", said, 403)
    if not request.action.startswith("ec2:"):
        return ApiError("AccessDenied", said, 403)
    said = f"You are not authorized to perform this operation. {said}"
    if not reads:
        text = json.dumps(facts(who, request, decision), separators=(",", ":"))
        encoded = vault.seal(text, _named(who.account))
        said += f". Encoded authorization failure message: {encoded}"
    return ApiError("UnauthorizedOperation", said, 403)


def _because(request: Request, decision: Decision) -> str:
    if decision.outcome is Outcome.EXPLICIT_DENY:
        policy = _POLICIES[decision.deciders[0].layer]
        return f" with an explicit deny in {'an' if policy[0] == 'i' else 'a'} {policy}"
    policy = _POLICIES[decision.missing or Layer.IDENTITY]
    return f" because no {policy} allows the {request.action} action"


def _named(account: str) -> str:
    return f"authorization message of {account}"


# --- the message --------------------------------------------------------------------------------
def facts(who: Identity, request: Request, decision: Decision) -> Shape:
    """A decision as decoded messages have it, with the statements that were looked at."""
    keys = sorted(request.context.values.items())[:_MOST_KEYS]
    return {
        "allowed": decision.allowed,
        "explicitDeny": decision.outcome is Outcome.EXPLICIT_DENY,
        "matchedStatements": {"items": [_statement(seen) for seen in decision.deciders[:5]]},
        "failures": {"items": [_statement(seen) for seen in _failed(decision)]},
        "context": {
            "principal": {"id": who.user_id, "arn": who.arn},
            "action": request.action,
            "resource": request.resource,
            "conditions": {"items": [_condition(key, values) for key, values in keys]},
        },
    }


def _failed(decision: Decision) -> list[Seen]:
    """Statements that would have applied but for their conditions."""
    return [seen for seen in decision.trace if seen.elements and not seen.applies][
        :_MOST_STATEMENTS
    ]


def _statement(seen: Seen) -> dict[str, Any]:
    return {
        "statementId": seen.sid,
        "effect": seen.effect.upper(),
        "sourcePolicyId": seen.policy[:_LONGEST],
        "statement": seen.index + 1,
        "failedConditions": [
            f"{each.condition.operator} {each.condition.key}"[:_LONGEST]
            for each in seen.conditions
            if not each.holds
        ][:5],
    }


def _condition(key: str, values: tuple[str, ...]) -> dict[str, Any]:
    items = [{"value": value[:_LONGEST]} for value in values[:5]]
    return {"key": key[:_LONGEST], "values": {"items": items}}


def decode(call: Call) -> Shape:
    """DecodeAuthorizationMessage: of messages to the caller's own account."""
    message: str = call.params["EncodedMessage"]
    try:
        text = call.vault.open(message, _named(call.account))
    except VaultError:
        raise ApiError(
            "InvalidAuthorizationMessageException", "Message is invalid or cannot be decoded."
        ) from None
    return {"DecodedMessage": text}
