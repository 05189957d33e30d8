"""STS: who one is, and sessions.

Sources: STS API Reference, GetCallerIdentity, AssumeRole, GetSessionToken; IAM User Guide,
"Methods to assume a role".
"""

from __future__ import annotations

import re

from gureum.errors import ApiError
from gureum.iam import trust
from gureum.iam.access_key import AccessKey, account_of
from gureum.iam.bearer import arn, lookup
from gureum.iam.call import Action, Call, invalid
from gureum.iam.managed_policy import document
from gureum.iam.rows import WORDS, Role
from gureum.iam.session import Session, credentials, lasting
from gureum.iam.session_tags import marking, marks, request_keys
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
_KEY = re.compile(r"(?:AKIA|ASIA)[A-Z2-7]{16}")
_SESSION = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


def get_caller_identity(call: Call) -> Shape:
    """GetCallerIdentity."""
    who = call.caller
    return {"UserId": who.user_id, "Account": who.account, "Arn": who.arn}


def get_access_key_info(call: Call) -> Shape:
    """GetAccessKeyInfo: the account whose key it is, of any account, and whether or not it is there
    still: the id tells."""
    key: str = call.params["AccessKeyId"]
    row = call.txn.view.find(AccessKey, key)  # ids that were made before they told it
    number = row.account if row else account_of(key) if _KEY.fullmatch(key) else None
    if number is None:
        raise invalid(f"Invalid Access Key ID: {key[:128]}")
    return {"Account": number}


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
    return {"Credentials": credentials(call.vault, session, who.account).shown()}


def assume_role(call: Call) -> Shape:
    """AssumeRole."""
    if call.get("SerialNumber"):
        raise ApiError("UnsupportedOperation", "AssumeRole has no SerialNumber in Gureum yet.", 501)
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
        "Credentials": credentials(call.vault, session, role.account).shown(),
        "AssumedRoleUser": {"AssumedRoleId": f"{role.id}:{name}", "Arn": user},
        "PackedPolicySize": packed(session) if session.limited or session.tags else None,
        "SourceIdentity": session.source or None,
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
    for asked in assume_requests(call, wanted):
        if role is None or (who.proven and not trust.trusts(role, asked)):
            raise denied(
                f"User: {who.arn} is not authorized to perform: {asked.action} on resource: "
                f"{wanted}"
            )
    assert role is not None
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


def assume_requests(call: Call, wanted: str) -> list[Request]:
    """What a call of AssumeRole asks of policies: to assume the role, and to mark the session, also
    with what it only hands on.

    Raises:
        ApiError: the codes of :func:`gureum.iam.session_tags.marks`.
    """
    keys = [*call.keys, ("sts:RoleSessionName", str(call.params["RoleSessionName"]))]
    if call.get("ExternalId"):
        keys.append(("sts:ExternalId", str(call.params["ExternalId"])))
    context = Context.of([*keys, *request_keys(call)])
    actions = ["sts:AssumeRole", *marking(call)]
    return [Request(action, wanted, context, call.caller.principal) for action in actions]


def session_of(call: Call, role: Role, name: str, seconds: int) -> Session:
    """A session of a role with the policies that the call gives it.

    Raises:
        ApiError: ``MalformedPolicyDocument``, ``PackedPolicyTooLarge``, ``NoSuchEntity``, the codes
            of :func:`gureum.iam.session_tags.marks`.
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
    marked = marks(call)
    return Session(
        owner=role.id,
        issued=call.now,
        expires=lasting(call.now, seconds),
        name=name,
        policies=policies,
        arns=arns,
        tags=marked.tags,
        transitive=marked.transitive,
        source=marked.source,
    )


def packed(session: Session) -> int:
    """The share of the room for session policies and tags that is used, in percent."""
    tags = sum(len(key) + len(value) for key, value in session.tags)
    return max(1, min(99, 100 * (tags + sum(map(size, session.policies))) // POLICY_SIZE))


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
    "GetAccessKeyInfo": get_access_key_info,
    "GetCallerIdentity": get_caller_identity,
    "GetSessionToken": get_session_token,
    "AssumeRole": assume_role,
}
