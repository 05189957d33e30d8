"""What a session of a role is marked with: tags, of which some are handed on, and whose it is.

Sources: IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control actions taken with
assumed roles" (source identities); STS API Reference, AssumeRole.  The sentences of refusals are
those that clients report of AWS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gureum.errors import ApiError
from gureum.iam.call import Call, invalid
from gureum.iam.caller import Keys
from gureum.iam.question import request_tags
from gureum.iam.tag import MAX_KEY, MAX_VALUE
from gureum.model import Tags

MAX_TAGS = 50

_SOURCE = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


@dataclass(frozen=True)
class Marks:
    """The marks of a session: ``transitive`` are the keys of the tags that are handed on to a
    session which is begun from it; ``source`` is handed on always, and empty where nobody said it.
    """

    tags: Tags = ()
    transitive: tuple[str, ...] = ()
    source: str = ""


def marks(call: Call) -> Marks:
    """What a session that a call begins is marked with: what it asks for, and what is handed on.

    Raises:
        ApiError: ``ValidationError``, ``InvalidParameterValue``.
    """
    given = _given(call)
    handed = _handed_on(call)
    if any(key.lower() in handed for key, _ in given):
        raise _wrong(
            "One of the specified transitive tag keys can't be set because it conflicts with a "
            "transitive tag key from the calling session."
        )
    asked = {key.lower() for key in call.get("TransitiveTagKeys", ())}
    if not asked <= {key.lower() for key, _ in given}:
        raise _wrong("The specified transitive tag key must be included in the requested tags.")
    new = tuple(key for key, _ in given if key.lower() in asked)
    inherited = tuple(handed.values())
    return Marks(
        tags=(*inherited, *given),
        transitive=(*(key for key, _ in inherited), *new),
        source=_source(call),
    )


def marking(call: Call) -> list[str]:
    """The actions that a call which begins a session asks for beside beginning it.

    Raises:
        ApiError: the codes of :func:`marks`.
    """
    found = marks(call)
    tagging = ["sts:TagSession"] if found.tags else []
    return tagging + (["sts:SetSourceIdentity"] if found.source else [])


def request_keys(call: Call) -> Keys:
    """The condition keys of what a request asks a session to be marked with."""
    transitive = (("sts:TransitiveTagKeys", str(key)) for key in call.get("TransitiveTagKeys", ()))
    source = _source(call)
    said = (("sts:SourceIdentity", source),) if source else ()
    return (*request_tags(call.get("Tags")), *transitive, *said)


def _given(call: Call) -> Tags:
    found: dict[str, tuple[str, str]] = {}
    for tag in call.get("Tags", ()):
        key, value = str(tag.get("Key") or ""), str(tag.get("Value") or "")
        if not 1 <= len(key) <= MAX_KEY or len(value) > MAX_VALUE:
            raise invalid(
                "1 validation error detected: Value at 'tags' failed to satisfy constraint: keys "
                f"have 1 to {MAX_KEY} characters, values at most {MAX_VALUE}"
            )
        if key.lower().startswith("aws:"):
            raise _wrong("Tag keys beginning with aws: are reserved.")
        if key.lower() in found:
            raise _wrong(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive."
            )
        found[key.lower()] = (key, value)
    if len(found) > MAX_TAGS:
        raise invalid(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member "
            f"must have length less than or equal to {MAX_TAGS}"
        )
    return tuple(found.values())


def _handed_on(call: Call) -> dict[str, tuple[str, str]]:
    """The tags that the caller's session hands on, by their keys in lower case."""
    session = call.caller.session
    if session is None:
        return {}
    return {key.lower(): (key, value) for key, value in session.tags if key in session.transitive}


def _source(call: Call) -> str:
    """The source identity: what the call says, or what the caller's session has, which stays.

    Raises:
        ApiError: ``ValidationError``.
    """
    asked: str = call.get("SourceIdentity", "")
    kept = call.caller.session.source if call.caller.session else ""
    if asked and not _SOURCE.fullmatch(asked):
        raise invalid(
            f"1 validation error detected: Value '{asked[:80]}' at 'sourceIdentity' failed to "
            r"satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*"
        )
    if kept and asked not in ("", kept):
        raise invalid("The source identity is already set for this assume role session")
    return asked or kept


def _wrong(message: str) -> ApiError:
    return ApiError("InvalidParameterValue", message)
