"""Tags of users, roles, policies and instance profiles, and what else all of them have when made.

Source: IAM User Guide, "Tags for IAM resources".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError
from gureum.iam.access_key import GLOBAL
from gureum.iam.bearer import show_tags
from gureum.iam.call import Action, Call, invalid, page, path_of
from gureum.kind import MAX_TAGS, Shape
from gureum.model import Resource, Tags

MAX_KEY, MAX_VALUE = 128, 256


def given(tags: Iterable[Mapping[str, Any]], before: Tags = ()) -> Tags:
    """Tags as a request gives them, added to those there are; keys ignore case.

    Raises:
        ApiError: ``InvalidInput``, ``ValidationError``, ``LimitExceeded``.
    """
    new: dict[str, tuple[str, str]] = {}
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        if key.lower() in new:
            raise ApiError(
                "InvalidInput",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            )
        if not 1 <= len(key) <= MAX_KEY or len(value) > MAX_VALUE:
            raise invalid(
                "1 validation error detected: Value at 'tags' failed to satisfy constraint: keys "
                f"have 1 to {MAX_KEY} characters, values at most {MAX_VALUE}"
            )
        if key.lower().startswith("aws:"):
            raise ApiError("InvalidInput", "Tag keys beginning with aws: are reserved.")
        new[key.lower()] = (key, value)
    found = {key.lower(): (key, value) for key, value in before} | new
    if len(found) > MAX_TAGS:
        raise ApiError(
            "LimitExceeded",
            "The number of tags has reached the maximum limit.",
            409,
        )
    return tuple(found.values())


def common(call: Call, key: str, name: str) -> dict[str, Any]:
    """The fields that every new entity of IAM has, ``key`` being its row's id, with the path and
    the tags asked for.

    Raises:
        ApiError: the codes of :func:`given` and :func:`path_of`.
    """
    return {
        "id": key,
        "account": call.account,
        "region": GLOBAL,
        "created": call.now,
        "tags": given(call.get("Tags", ())),
        "name": name,
        "path": path_of(call),
    }


def actions(noun: str, find: Callable[[Call], Resource]) -> dict[str, Action]:
    """TagX, UntagX and ListXTags of a type; ``find`` gives the row that a call names."""

    def tag(call: Call) -> Shape:
        row = find(call)
        call.txn.put(replace(row, tags=given(call.params["Tags"], row.tags)))
        return {}

    def untag(call: Call) -> Shape:
        row = find(call)
        gone = {key.lower() for key in call.params["TagKeys"]}
        kept = tuple(pair for pair in row.tags if pair[0].lower() not in gone)
        call.txn.put(replace(row, tags=kept))
        return {}

    def listed(call: Call) -> Shape:
        tags, rest = page(call, find(call).tags, lambda pair: pair[0])
        return {"Tags": show_tags(tuple(tags)), **rest}

    return {f"Tag{noun}": tag, f"Untag{noun}": untag, f"List{noun}Tags": listed}
