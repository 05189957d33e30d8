"""Answers to Describe calls: filters and pages, generic over everything that can be listed.

What a filter's name means is found in this order: a computed value; a given path; the shown
``Tags`` for ``tag:Key``, ``tag-key`` and ``tag-value``; the member of the same name in the output
shape (``vpc-id`` is ``VpcId``, ``attachment.instance-id`` is ``Attachment.InstanceId`` or
``Attachments[].InstanceId``).  Any other name is refused as AWS does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from gureum.errors import invalid_combination
from gureum.model import Resource
from gureum.wire.faults import spoken
from gureum.wire.filters import (
    Candidate,
    Shown,
    Values,
    nodes_at,
    passing,
    unknown_filter,
    values_at,
)
from gureum.wire.models import SCALARS, input_members, limits, service, walk
from gureum.wire.pages import paginate

__all__ = ["Candidate", "page", "values_at"]

_TAG_FILTERS = {"tag-key": "tag.key", "tag-value": "tag.value"}  # Tags, or a few times TagSet
_LEAST, _PAGE = 5, 1000
"""AWS's usual bounds of MaxResults where the model has none; there, more than 1000 means 1000."""


class Row(Protocol):
    """What orders rows: when they were made, then their id."""

    @property
    def id(self) -> str: ...
    @property
    def created(self) -> str: ...


AnyRow = TypeVar("AnyRow", bound=Row)


class Listed(Protocol):
    """The part of a listing's description that is needed here (see ``gureum.kind.Listing``).

    The path named ``""`` is where the default names are looked up, if not in the element itself;
    the one named ``tag:`` leads to the tags, if they are not there (empty: the element is a tag).
    """

    @property
    def result(self) -> str: ...
    @property
    def ids(self) -> str | None: ...
    @property
    def paths(self) -> Mapping[str, str]: ...
    @property
    def computed(self) -> Mapping[str, Callable[[Any, Any], Iterable[str]]]: ...


def page(
    action: str,
    listing: Listed,
    candidates: Iterable[Candidate[AnyRow]],
    params: Mapping[str, Any],
    view: Any,
    service_name: str = "ec2",
) -> tuple[list[Shown], str | None]:
    """The structures that pass the call's filters, one page of them, and the next page's token.

    ``view`` is handed to computed filters.  Without MaxResults and NextToken all are returned, in
    the order given; pages are in the order of creation.

    Raises:
        ApiError: ``InvalidParameterValue``, ``FilterLimitExceeded``,
            ``InvalidParameterCombination``, ``InvalidPaginationToken``.
    """
    max_results, token = params.get("MaxResults"), params.get("NextToken") or None
    if max_results is not None and listing.ids and params.get(listing.ids):
        raise invalid_combination(
            f"The parameter {spoken(listing.ids)} cannot be used with the parameter maxResults"
        )
    # DescribeNatGateways and a few others call the member Filter.
    filters = params.get("Filters") or params.get("Filter") or ()
    passes = passing(filters, resolver(action, listing, view, service_name))
    if max_results is None and token is None:
        return [candidate.shown for candidate in candidates if passes(candidate)], None
    low, high = None, None
    if max_results is not None and "MaxResults" in input_members(service_name, action):
        low, high = limits(service_name, action, "MaxResults")
        low = _LEAST if low is None else low
        max_results = min(max_results, _PAGE) if high is None else max_results
    found, token = paginate(
        candidates,
        lambda candidate: (candidate.row.created, candidate.row.id),
        keep=passes,
        max_results=max_results,
        next_token=token,
        low=low,
        high=high,
        scope=action,
    )
    return [candidate.shown for candidate in found], token


def resolver(
    action: str, listing: Listed, view: Any, service_name: str = "ec2"
) -> Callable[[str], Values[Any]]:
    """From a filter's name to its values, for one listing and one revision of everything."""

    def resolve(name: str) -> Values[Any]:
        if name in listing.computed:
            computed = listing.computed[name]
            return lambda candidate: computed(candidate.row, view)
        if name.startswith("tag:") and "tag:" in listing.paths:
            return _tag_values(listing.paths["tag:"], name.removeprefix("tag:"))
        path = listing.paths.get(name) if name else None
        if path is None:
            root = listing.paths.get("", "")
            path = default_path(service_name, action, listing.result, root, name)
        if path is None:
            raise unknown_filter(name)
        if name.startswith("tag:"):
            return _tag_values(path.removesuffix(".Key"), name.removeprefix("tag:"))
        return lambda candidate: values_at(candidate.shown, path)

    return resolve


def _tag_values(path: str, key: str) -> Values[Any]:
    """The value of one tag; ``path`` leads to the tags, or is empty where an item is a tag."""

    def values(candidate: Candidate[Any]) -> list[str]:
        # A resource shows no tags but its own, if it shows them at all.
        if isinstance(candidate.row, Resource) and candidate.row.tag(key) is None:
            return []
        tags = nodes_at(candidate.shown, path) if path else [candidate.shown]
        return [tag.get("Value") or "" for tag in tags if tag.get("Key") == key]

    return values


@lru_cache(maxsize=4096)  # names come from clients
def default_path(service_name: str, action: str, result: str, root: str, name: str) -> str | None:
    """The path in a listed structure that a filter's name alone says, or None.

    ``result`` is the member of the output with the list, ``root`` a path to start from.  Filters
    of one tag (``tag:Key``) lead to the keys of the tags.
    """
    if name.startswith("tag:"):
        name = "tag-key"
    name = _TAG_FILTERS.get(name, name)
    shape = walk(service(service_name).output_shape(action), f"{result}[]")
    path = [root] if root else []
    if root:
        shape = walk(shape, root)
    for segment in name.split("."):
        found = _member(shape, segment)
        if found is None:
            return None
        step, shape = found
        path.append(step)
    return ".".join(path) if shape.type_name in SCALARS else None


def _member(shape: Any, segment: str) -> tuple[str, Any] | None:
    """The step into a structure that a segment of a filter's name means, and where it leads."""
    if shape is None or shape.type_name != "structure":
        return None
    for member, its in shape.members.items():
        if _same(segment, member, plural=its.type_name == "list"):
            if its.type_name == "list":
                return f"{member}[]", its.member
            return member, its
    return None


def _same(segment: str, member: str, plural: bool) -> bool:
    """Whether ``instance-id`` (or the older ``instanceId``) names ``InstanceId``."""
    if not segment[:1].islower():
        return False
    if not segment.islower():
        return "-" not in segment and segment[0].upper() + segment[1:] == member
    word = segment.replace("-", "")
    ends = ("", "s", "es", "set") if plural else ("",)
    return any(word + end == member.lower() for end in ends)
