"""Tags of any resource: given, taken and listed by id, whatever the resource is.

Sources: EC2 User Guide, "Tag your Amazon EC2 resources"; EC2 API Reference, CreateTags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from gureum.errors import ApiError
from gureum.kind import (
    Call,
    Kind,
    Listing,
    Shape,
    check_tag,
    check_tag_count,
    check_tag_values,
    given_tags,
)
from gureum.model import Resource, Tags, Txn, View
from gureum.model.txn import not_found
from gureum.resources.own_tags import OwnTags, own_tags_id, tags_for
from gureum.resources.shared_vpc import OpenToGuests
from gureum.wire.models import enumeration

OWN = "aws:"
"""The beginning of the keys that only AWS itself may set."""

MAX_RESOURCES = 1000
"""Resources of one call."""


@dataclass(frozen=True)
class Tagging:
    """One tag of a resource, as DescribeTags lists it."""

    id: str
    created: str
    resource: str
    type: str
    key: str
    value: str


@cache
def _types() -> frozenset[str]:
    return enumeration("ec2", "ResourceType")


def _asked(call: Call) -> list[Resource]:
    """The resources that the call names, each once.

    Raises:
        ApiError: the not-found code of the type that the id's prefix tells, ``InvalidID``.
    """
    keys = list(dict.fromkeys(call.params["Resources"]))
    if len(keys) > MAX_RESOURCES:
        raise ApiError(
            "InvalidParameterValue",
            f"The request must contain at most {MAX_RESOURCES} resource IDs",
        )
    return [_resource(call.txn, key) for key in keys]


def _resource(txn: Txn, key: str) -> Resource:
    row = txn.view.rows.get(key)
    if row is not None and row.kind in _types() and row.region == txn.region:
        if row.account == txn.account or _is_shown(txn, row):
            return row
        if row.beside(txn.view, txn.account):
            return txn.get(type(row), key)  # tells whose it is
    prefix = key.rpartition("-")[0]
    for cls in Resource.by_kind.values():
        if cls.prefix == prefix and cls.kind in _types():
            raise not_found(cls, key)
    raise ApiError("InvalidID", f"The ID '{key}' is not valid")


def _is_shown(txn: Txn, row: Resource) -> bool:
    """Whether a row is the owner's of a VPC of which the caller has a subnet: it gets tags of the
    caller's own, which nobody else sees."""
    return isinstance(row, OpenToGuests) and row.open_to(txn.view, txn.account)


def _put(call: Call, row: Resource, tags: Tags) -> None:
    """Store the tags that the caller has for a resource."""
    if row.account == call.account:
        call.txn.put(replace(row, tags=tags))
        return
    if not tags:
        if (known := call.txn.find(OwnTags, own_tags_id(call.account, row.id))) is not None:
            call.txn.delete(known)
        return
    common = {**call.common(OwnTags, own_tags_id(call.account, row.id)), "tags": tags}
    call.txn.put(OwnTags(**common, resource=row.id))


def _mine(txn: Txn, row: Resource) -> bool:
    return row.account == txn.account and row.region == txn.region


def create_tags(call: Call) -> Shape:
    """CreateTags: a tag whose key is there gets the new value.  One bad value for one resource
    refuses the whole call."""
    given = dict(given_tags(call.params["Tags"]))
    for row in _asked(call):
        check_tag_values(row.kind, given.items())
        tags = {**dict(tags_for(call.txn.view, row, call.account)), **given}
        check_tag_count(tags)
        _put(call, row, tuple(tags.items()))
    return {}


def delete_tags(call: Call) -> Shape:
    """DeleteTags: by key, or by key and value; all of the caller's own where none are given."""
    wanted = call.get("Tags", ())
    for tag in wanted:
        check_tag(tag.get("Key"), tag.get("Value"))
    for row in _asked(call):
        tags = tags_for(call.txn.view, row, call.account)
        _put(call, row, tuple(tag for tag in tags if not _goes(tag, wanted)))
    return {}


def _goes(tag: tuple[str, str], wanted: list[Mapping[str, Any]]) -> bool:
    key, value = tag
    if not wanted:
        return not key.startswith(OWN)
    return any(each["Key"] == key and each.get("Value", value) == value for each in wanted)


def _listed(call: Call) -> Iterator[Tagging]:
    mine = (row for row in call.txn.view.rows.values() if row.tags and _mine(call.txn, row))
    for row in sorted(mine, key=lambda row: (row.created, row.id)):
        about = call.txn.view.rows[row.resource] if isinstance(row, OwnTags) else row
        if about.kind not in _types():  # what other services have is theirs to tell of
            continue
        for key, value in sorted(row.tags):
            yield Tagging(f"{row.id}/{key}", row.created, about.id, about.kind, key, value)


def show(tag: Tagging, view: View) -> Shape:
    """The API's ``TagDescription`` structure."""
    return {
        "Key": tag.key,
        "Value": tag.value,
        "ResourceId": tag.resource,
        "ResourceType": tag.type,
    }


KIND: Kind[Resource] = Kind(
    row=None,
    actions={"CreateTags": create_tags, "DeleteTags": delete_tags},
    listings=(
        Listing(
            action="DescribeTags",
            result="Tags",
            show=show,
            rows=_listed,
            paths={"tag:": ""},
        ),
    ),
)
