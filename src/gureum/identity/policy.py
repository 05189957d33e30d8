"""Policies: JSON read as strictly as IAM does, with its sentences where it refuses.

Sources: IAM User Guide, "Grammar of the IAM JSON policy language", "IAM JSON policy element
reference", "IAM and AWS STS quotas".  ``MalformedPolicyDocument`` says what is wrong in general
only: IAM tells no place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeAlias, cast

from gureum.errors import ApiError
from gureum.identity.conditions import Condition, date, parse_operator
from gureum.identity.formats import LEGACY, check_actions, check_resources, malformed
from gureum.identity.matching import Principals

Effect: TypeAlias = Literal["Allow", "Deny"]
Version: TypeAlias = Literal["2012-10-17", "2008-10-17"]

CURRENT: Version = "2012-10-17"
VERSIONS = (CURRENT, "2008-10-17")
MANAGED_SIZE = 6144
"""Characters of a managed policy, white space not counted."""


class Kind(Enum):
    """What a policy hangs on, which decides what it must and must not say."""

    IDENTITY = "identity"
    """A user, group, role; boundaries and session policies are the same: no principals."""
    RESOURCE = "resource"
    """A resource: says who."""
    TRUST = "trust"
    """A role, and who may assume it: a resource's policy without resources."""


@dataclass(frozen=True)
class Statement:
    """One statement.  ``actions`` and ``resources`` are those named, or with ``not_actions`` and
    ``not_resources`` those excepted; ``principals`` likewise, None where there is no such element.
    A trust policy's statements have no resources: they are about the role."""

    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    sid: str = ""
    not_actions: bool = False
    not_resources: bool = False
    principals: Principals | None = None
    not_principals: bool = False
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Policy:
    """A policy: its statements, in the order of the document, under the ``name`` by which traces
    call it."""

    name: str
    statements: tuple[Statement, ...]
    version: Version = CURRENT
    id: str = ""

    @property
    def variables(self) -> bool:
        """Whether ``${…}`` are variables: in the current version only."""
        return self.version == CURRENT


def parse(text: str, name: str, kind: Kind = Kind.IDENTITY) -> Policy:
    """Read a policy.

    Raises:
        ApiError: ``MalformedPolicyDocument`` in IAM's words.
    """
    document = _loaded(text)
    statements = [_statement(each) for each in _checked_top(document)]
    version = document.get("Version", VERSIONS[1])
    if kind is Kind.IDENTITY and version != CURRENT:
        raise malformed(f"Policy document must be version {CURRENT} or greater.")
    check(statements, kind)
    return Policy(name, tuple(statements), version, document.get("Id", ""))


def check_size(text: str) -> None:
    """Refuse a managed policy that is too large.

    Raises:
        ApiError: ``LimitExceeded``.
    """
    if size(text) > MANAGED_SIZE:
        raise ApiError("LimitExceeded", f"Cannot exceed quota for PolicySize: {MANAGED_SIZE}", 409)


def check_inline_size(texts: Iterable[str], limit: int, owner: str) -> None:
    """Refuse inline policies that are together larger than ``limit`` characters (users 2,048,
    groups 5,120, roles 10,240); ``owner`` is ``user bob``.

    Raises:
        ApiError: ``LimitExceeded``.
    """
    if sum(map(size, texts)) > limit:
        message = f"Maximum policy size of {limit} bytes exceeded for {owner}"
        raise ApiError("LimitExceeded", message, 409)


def size(text: str) -> int:
    """The characters of a policy that quotas count: all but white space."""
    return sum(not each.isspace() for each in text)


def check(statements: Iterable[Statement], kind: Kind) -> None:
    """What IAM looks at once a document is well-formed, in its order.

    Raises:
        ApiError: ``MalformedPolicyDocument``.
    """
    statements = tuple(statements)
    _check_sids(statements, kind)
    look = _check_trust if kind is Kind.TRUST else _check_elements
    for each in statements:
        look(each, kind)
    for each in statements:
        check_resources(each.resources)
    for each in statements:
        check_actions(each.actions)


_SID = re.compile(r"[0-9A-Za-z]*")
_TRUST_ACTIONS = {
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:setcontext",
    "sts:setsourceidentity",
    "sts:tagsession",
}


def _check_sids(statements: tuple[Statement, ...], kind: Kind) -> None:
    """IAM's own policies have letters and digits only; services let resources' have more."""
    sids = [each.sid for each in statements if each.sid]
    if len(set(sids)) != len(sids):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    if kind is not Kind.RESOURCE and not all(map(_SID.fullmatch, sids)):
        raise malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
            "regular expression [0-9A-Za-z]*"
        )


def _check_elements(statement: Statement, kind: Kind) -> None:
    if not statement.actions:
        raise malformed("Policy statement must contain actions.")
    if not statement.resources:
        raise malformed("Policy statement must contain resources.")
    if kind is Kind.RESOURCE:
        _check_principals(statement)
    elif statement.principals is not None:
        raise malformed("Policy document should not specify a principal.")


def _check_principals(statement: Statement) -> None:
    if statement.principals is None:
        raise malformed("Missing required field Principal")
    if statement.not_principals and statement.effect == "Allow":
        raise malformed("Allow with NotPrincipal is not allowed.")


def _check_trust(statement: Statement, kind: Kind) -> None:
    _check_principals(statement)
    if statement.not_principals:
        raise malformed("AssumeRole policy must not contain NotPrincipal field.")
    if not statement.actions:
        raise malformed("Missing required field Action")
    if not {each.lower() for each in statement.actions} <= _TRUST_ACTIONS:
        raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    if statement.not_resources:
        raise malformed("AssumeRole policy must not contain resources.")
    if statement.resources:
        raise malformed("Has prohibited field Resource")


def syntax_error() -> ApiError:
    """What IAM says of a document that does not follow the grammar."""
    return malformed("Syntax errors in policy.")


def _loaded(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise syntax_error() from None
    if not isinstance(document, dict):
        raise syntax_error()
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _checked_top(document: dict[str, Any]) -> list[Any]:
    """The statements of a document, one or more."""
    if not document.keys() <= {"Version", "Id", "Statement"}:
        raise syntax_error()
    if document.get("Version", CURRENT) not in VERSIONS:
        raise syntax_error()
    if not isinstance(document.get("Id", ""), str):
        raise syntax_error()
    statements = document.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    if not listed:
        raise syntax_error()
    return listed


_PAIRED = ("Principal", "Action", "Resource")
"""Elements that have a contrary, which excludes them."""
_ELEMENTS = {"Sid", "Effect", "Condition", *_PAIRED, *(f"Not{each}" for each in _PAIRED)}
_PRINCIPALS = ("AWS", "Service", "Federated", "CanonicalUser")


def _statement(written: object) -> Statement:
    """One statement of a document, as the grammar has it."""
    if not isinstance(written, dict) or not written.keys() <= _ELEMENTS:
        raise syntax_error()
    for one in _PAIRED:
        if one in written and f"Not{one}" in written:
            raise syntax_error()
    sid = written.get("Sid", "")
    if not isinstance(sid, str):
        raise syntax_error()
    return Statement(
        effect=_effect(written),
        actions=_either(written, "Action"),
        resources=_either(written, "Resource"),
        sid=sid,
        not_actions="NotAction" in written,
        not_resources="NotResource" in written,
        principals=_principals(written),
        not_principals="NotPrincipal" in written,
        conditions=tuple(_conditions(written.get("Condition", {}))),
    )


def _effect(written: Mapping[str, Any]) -> Effect:
    effect = written.get("Effect")
    if effect in ("Allow", "Deny"):
        return cast(Effect, effect)
    if isinstance(effect, str) and effect.lower() in ("allow", "deny"):
        raise malformed(LEGACY)
    raise syntax_error()


def _either(written: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts of an element or of its ``Not`` form."""
    return _texts(written.get(name, written.get(f"Not{name}", [])))


def _texts(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in listed):
        raise syntax_error()
    return tuple(listed)


def _principals(written: Mapping[str, Any]) -> Principals | None:
    value = written.get("Principal", written.get("NotPrincipal"))
    if value is None and not {"Principal", "NotPrincipal"} & written.keys():
        return None
    if value == "*":
        return (("*", "*"),)
    if not isinstance(value, dict) or not value or not value.keys() <= set(_PRINCIPALS):
        raise syntax_error()
    return tuple((kind, name) for kind, names in value.items() for name in _texts(names))


def _conditions(written: object) -> Iterator[Condition]:
    if not isinstance(written, dict):
        raise syntax_error()
    for name, keys in written.items():
        operator = parse_operator(name)
        if not isinstance(keys, dict) or (keys and operator is None):
            raise syntax_error()
        for key, value in keys.items():
            assert operator is not None
            values = tuple(map(_scalar, value if isinstance(value, list) else [value]))
            if operator.base.startswith("Date") and None in map(date, values):
                raise malformed(LEGACY)
            yield Condition(operator, key, values)


def _scalar(value: object) -> str:
    """A value of a condition: a text, number or boolean, as a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise syntax_error()
