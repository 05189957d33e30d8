"""Who made a call, as CloudTrail's ``userIdentity`` tells it.

Source: AWS CloudTrail User Guide, "CloudTrail userIdentity element".
"""

from __future__ import annotations

from typing import Any

from gureum.iam.caller import Identity

Element = dict[str, Any]


def element(who: Identity, key: str) -> Element:
    """The element of somebody who called with the access key ``key``."""
    found: Element = {
        "type": kind(who),
        "principalId": who.user_id,
        "arn": who.arn,
        "accountId": who.account,
        "accessKeyId": key,
    }
    if kind(who) == "IAMUser":
        found["userName"] = user_name(who)
    if who.session is not None:
        found["sessionContext"] = _context(who)
    return found


def kind(who: Identity) -> str:
    """The type of an identity: ``Root``, ``IAMUser`` or ``AssumedRole``."""
    if who.principal.root:
        return "Root"
    return "AssumedRole" if who.principal.issuer else "IAMUser"


def user_name(who: Identity) -> str:
    """By which ``Username`` somebody is looked up: a session by its own name."""
    return "root" if who.principal.root else who.arn.rpartition("/")[2]


def _context(who: Identity) -> Element:
    assert who.session is not None
    issuer: Element = {}
    if arn := who.principal.issuer:
        issuer = {
            "type": "Role",
            "principalId": who.owner,
            "arn": arn,
            "accountId": who.account,
            "userName": arn.rpartition("/")[2],
        }
    issued = f"{who.session.issued[:19]}Z"
    source = {"sourceIdentity": who.session.source} if who.session.source else {}
    return {
        **source,
        "sessionIssuer": issuer,
        "webIdFederationData": {},
        "attributes": {"creationDate": issued, "mfaAuthenticated": "false"},
    }


def stranger(who: Identity) -> Element:
    """Somebody of another account: whose trail it is learns no more of them."""
    return {"type": "AWSAccount", "principalId": who.user_id, "accountId": who.account}


def operator() -> Element:
    """Who owns the daemon, and does something with Gureum's own commands."""
    return {"type": "AWSService", "invokedBy": "gureum"}
