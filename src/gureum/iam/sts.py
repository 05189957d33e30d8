"""STS: who one is, and sessions.

Sources: STS API Reference, GetCallerIdentity, AssumeRole, GetSessionToken; IAM User Guide,
"Methods to assume a role".
"""

from __future__ import annotations

import re

from gureum.errors import ApiError
from gureum.iam import trust
from gureum.iam.bearer import arn, lookup
from gureum.iam.call import Action, Call, invalid
from gureum.iam.managed_policy import document
from gureum.iam.rows import WORDS, Role
from gureum.iam.session import Session, credentials, lasting
from gureum.identity.policy import parse, size
from gureum.identity.request import Context, Request
from gureum.kind import Shape

SHORTEST = 900
"""Seconds of the shortest session."""
CHAINED = 3600
"""Seconds of the longest session of a role that a session of a role assumes, or of a root."""
LONGEST = 129_600
"""Seconds of the longest session of a user."""
POLICY_SIZE = 2048
MAX_POLICIES = 10

_ROLE = re.compile(r"arn:aws:iam::(\d{12}):role(/(?:[\x21-\x7e]+/)?)([\w+=,.@-]{1,64})", re.ASCII)
_SESSION = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


def get_caller_identity(call: Call) -> Shape:
    """GetCallerIdentity."""
    who = call.caller
    return {"UserId": who.user_id, "Account": who.account, "Arn": who.arn}


def get_session_token(call: Call) -> Shape:
    """GetSessionToken: a user's or root's own rights for a while."""
    who = call.caller
    if who.session is not None:
        raise denied("Cannot call GetSessionToken with session credentials")
    if not who.owner:
        raise denied("Cannot call GetSessionToken: nobody is known in an open cloud but by keys")
    most = CHAINED if who.principal.root else LONGEST
    seconds = _seconds(call, min(43_200, most), most)
    session = Session(who.owner, call.now, lasting(call.now, seconds))
    return {"Credentials": credentials(call.vault, session).shown()}


def assume_role(call: Call) -> Shape:
    """AssumeRole."""
    for member in ("Tags", "TransitiveTagKeys", "SourceIdentity", "SerialNumber"):
        if call.get(member):
            raise ApiError(
                "UnsupportedOperation", f"AssumeRole has no {member} in Gureum yet.", 501
            )
    name: str = call.params["RoleSessionName"]
    if not _SESSION.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name[:80]}' at 'roleSessionName' failed to "
            r"satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*"
        )
    role = trusting_role(call)
    seconds = _seconds(call, CHAINED, role.longest)
    if call.caller.session is not None and seconds > CHAINED:
        raise invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining."
        )
    session = session_of(call, role, name, seconds)
    user = f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}"
    return {
        "Credentials": credentials(call.vault, session).shown(),
        "AssumedRoleUser": {"AssumedRoleId": f"{role.id}:{name}", "Arn": user},
        "PackedPolicySize": packed(session) if session.limited else None,
    }


def trusting_role(call: Call) -> Role:
    """The role that a call names, which must trust the caller.

    Raises:
        ApiError: ``AccessDenied``, which does not tell whether there is such a role.
    """
    who, wanted = call.caller, str(call.params["RoleArn"])
    role = named_role(call, wanted)
    if who.proven and who.principal.root:
        raise denied("Roles may not be assumed by root accounts.")
    if role is None or (who.proven and not trust.trusts(role, assume_request(call, wanted))):
        raise denied(
            f"User: {who.arn} is not authorized to perform: sts:AssumeRole on resource: {wanted}"
        )
    return role


def named_role(call: Call, wanted: str) -> Role | None:
    """The role of an ARN, or None.

    Raises:
        ApiError: ``ValidationError`` where it is no role's ARN.
    """
    found = _ROLE.fullmatch(wanted)
    if found is None:
        raise invalid(f"{wanted[:200]} is invalid")
    role = lookup(call.txn.view, Role, found[1], found[3])
    return role if role is not None and arn(role, WORDS[Role]) == wanted else None


def assume_request(call: Call, wanted: str) -> Request:
    """What a call of AssumeRole asks of policies."""
    keys = [*call.keys, ("sts:RoleSessionName", str(call.params["RoleSessionName"]))]
    if call.get("ExternalId"):
        keys.append(("sts:ExternalId", str(call.params["ExternalId"])))
    return Request("sts:AssumeRole", wanted, Context.of(keys), call.caller.principal)


def session_of(call: Call, role: Role, name: str, seconds: int) -> Session:
    """A session of a role with the policies that the call gives it.

    Raises:
        ApiError: ``MalformedPolicyDocument``, ``PackedPolicyTooLarge``, ``NoSuchEntity``.
    """
    text = call.get("Policy") or ""
    arns = tuple(str(each.get("arn", "")) for each in call.get("PolicyArns", ()))
    if text:
        parse(text, "")
    if size(text) > POLICY_SIZE or len(arns) > MAX_POLICIES:
        raise ApiError(
            "PackedPolicyTooLarge", "Packed policy consumes 100% or more of allotted space."
        )
    for each in arns:
        own = each.split(":")[4:5] in ([role.account], ["aws"])
        if not own or document(call.txn.view, each) is None:
            raise invalid(f"The policy {each[:200]} does not exist or is not attachable.")
    policies = (text,) if text else ()
    return Session(role.id, call.now, lasting(call.now, seconds), name, policies, arns)


def packed(session: Session) -> int:
    """The share of the room for session policies that is used, in percent."""
    return max(1, min(99, 100 * sum(map(size, session.policies)) // POLICY_SIZE))


def _seconds(call: Call, default: int, most: int) -> int:
    seconds: int = call.get("DurationSeconds", default)
    if seconds < SHORTEST:
        raise invalid(
            f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to "
            f"satisfy constraint: Member must have value greater than or equal to {SHORTEST}"
        )
    if seconds > most:
        raise invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            if call.action == "AssumeRole"
            else f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to "
            f"satisfy constraint: Member must have value less than or equal to {most}"
        )
    return seconds


def denied(message: str) -> ApiError:
    """``AccessDenied``."""
    return ApiError("AccessDenied", message, 403)


ACTIONS: dict[str, Action] = {
    "GetCallerIdentity": get_caller_identity,
    "GetSessionToken": get_session_token,
    "AssumeRole": assume_role,
}
