"""Trust policies: whom they may name.

Source: IAM User Guide, "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

import re
from functools import lru_cache

from gureum.errors import ApiError
from gureum.iam.bearer import lookup
from gureum.iam.call import over_quota
from gureum.iam.rows import Role, User
from gureum.identity.evaluate import Policies, evaluate
from gureum.identity.formats import malformed
from gureum.identity.policy import Kind, Policy, parse, size
from gureum.identity.request import Request
from gureum.model import View

SIZE = 2048
"""Characters of a trust policy."""

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ARN = re.compile(
    r"arn:aws:(?:iam::(?P<account>\d{12}):(?P<kind>root|user|role)(?:/(?P<path>[\x21-\x7e]+))?"
    r"|sts::\d{12}:(?:assumed-role|federated-user)/[\x21-\x7e]+)",
    re.ASCII,
)
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?")


def check(view: View, text: str) -> None:
    """Refuse what is no trust policy, or names somebody who is not there.

    Raises:
        ApiError: ``MalformedPolicyDocument``, ``LimitExceeded``.
    """
    policy = parse(text, "", Kind.TRUST)
    if size(text) > SIZE:
        raise over_quota("ACLSizePerRole", SIZE)
    for statement in policy.statements:
        for kind, name in statement.principals or ():
            if not _known(view, kind, name):
                raise _invalid(kind, name)


def policy_of(role: Role) -> Policy:
    """A role's trust policy."""
    return _parsed(role.trust, f"trust policy of {role.name}")


@lru_cache(maxsize=1024)
def _parsed(text: str, name: str) -> Policy:
    return parse(text, name, Kind.TRUST)


def trusts(role: Role, request: Request) -> bool:
    """Whether a role's trust policy lets somebody in: names them, their role or their account, and
    denies them nothing.  Whether their own account lets them is another question."""
    trace = evaluate(Policies(resource=(policy_of(role),)), request).trace
    applied = [seen for seen in trace if seen.applies]
    return bool(applied) and all(seen.effect == "Allow" for seen in applied)


def _known(view: View, kind: str, name: str) -> bool:
    if kind == "Service":
        return bool(_SERVICE.fullmatch(name))
    if name == "*" or kind != "AWS":
        return True
    if _ACCOUNT.fullmatch(name):
        return True
    found = _ARN.fullmatch(name)
    if found is None:
        return False
    return found["kind"] in ("root", None) or _is_there(view, found)


def _is_there(view: View, found: re.Match[str]) -> bool:
    path, _, name = f"/{found['path'] or ''}".rpartition("/")
    row: User | Role | None
    if found["kind"] == "user":
        row = lookup(view, User, found["account"], name)
    else:
        row = lookup(view, Role, found["account"], name)
    return row is not None and row.path == f"{path}/"


def _invalid(kind: str, name: str) -> ApiError:
    return malformed(f'Invalid principal in policy: "{kind}":"{name[:200]}"')
