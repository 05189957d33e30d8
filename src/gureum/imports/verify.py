"""Holds what was imported against what was read: every member that is not kept is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gureum.imports.answers import IDS, Answers
from gureum.imports.export import shown
from gureum.imports.listed import LISTED
from gureum.imports.report import Report
from gureum.kind import Call

DERIVED = frozenset(
    {
        *("AvailabilityZoneId", "AvailableIpAddressCount", "Operator", "OwnerAlias"),
        *("PublicDnsName", "PublicIpDnsNameOptions", "PublicIpv4Pool", "NetworkBorderGroup"),
        *(
            "RequesterId",
            "State",
            "StateReason",
            "StateTransitionReason",
            "UsageOperationUpdateTime",
        ),
        *("BgpStatus", "CustomerGatewayConfiguration", "GatewayAssociationState", "VgwTelemetry"),
    }
)
"""Members that follow from others, or change as time goes by: a machine that ran boots here."""


_HASHED = "IamInstanceProfile.Id"
"""Follows from the profile's ARN here."""


def verify(call: Call, answers: Answers, report: Report) -> None:
    """Compare the items that are here with the same ones of the answers."""
    for what, listed in LISTED.items():
        rows = [row for row in call.txn.view.all(listed.row) if row.account == call.account]
        answer = shown(what, listed, rows, call.txn.view)
        here = {str(item[IDS[what]]): item for item in answer[listed.member or what]}
        for item in answers.of(what):
            key = str(item.get(IDS[what], ""))
            if key in here:
                for path, given, found in _differences(item, here[key], what):
                    report.lose(path, key, given, found)


def _differences(given: Any, here: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """The members that an item has and that are not the same here."""
    if isinstance(given, Mapping) and isinstance(here, Mapping):
        for name, value in given.items():
            if name not in DERIVED and not f"{path}.{name}".endswith(_HASHED):
                yield from _differences(value, here.get(name), f"{path}.{name}")
    elif isinstance(given, list) and isinstance(here, list):
        yield from _of_lists(given, here, path)
    elif _said(given) != _said(here):
        yield path, given, here


def _of_lists(given: list[Any], here: list[Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    """Lists are compared item by item, in whatever order they are: structures with those of the
    same ids, else with the one that is most like them."""
    rest = []
    often = Counter(_ids(item) for item in (*given, *here))
    named = {ids: number for number, ids in enumerate(map(_ids, here)) if often[ids] == 2}
    taken: set[int] = set()
    for item in given:
        number = named.pop(_ids(item), None) if _ids(item) else None
        if number is None:
            rest.append(item)
        else:
            taken.add(number)
            yield from _differences(item, here[number], f"{path}[]")
    left = [item for number, item in enumerate(here) if number not in taken]
    for item in rest:
        yield from _unnamed(item, left, f"{path}[]")


_TELLING = ("Id", "Name", "Address", "CidrIp", "CidrIpv6", "CidrBlock", "RuleNumber")
"""Ends of the names of members that tell items of a list apart."""


def _ids(item: Any) -> tuple[tuple[str, str], ...]:
    """What a structure is told from others by, if by anything."""
    if not isinstance(item, Mapping):
        return ()
    names = (name for name in item if name.endswith(_TELLING))
    return tuple((name, str(item[name])) for name in sorted(names))


def _unnamed(item: Any, left: list[Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    """What an item says that the one of ``left`` that is most like it does not."""
    if _over(item):
        return
    alike = (sum(1 for _ in _differences(item, other, "")) for other in left)
    best = min(zip(alike, range(len(left)), strict=True), default=None)
    if best is None or (not isinstance(item, Mapping) and best[0]):
        if _said(item) is not None:
            yield path, item, None
        return
    yield from _differences(item, left.pop(best[1]), path)


def _over(item: Any) -> bool:
    """Whether it is a block that the VPC or subnet has no more."""
    states = (
        [item.get(name) for name in ("CidrBlockState", "Ipv6CidrBlockState")]
        if isinstance(item, Mapping)
        else []
    )
    return any(state and state.get("State") in ("disassociated", "failed") for state in states)


def _said(value: Any) -> Any:
    """A value so that two that say the same are equal; None where it says nothing."""
    if value in (None, "", False, [], {}):
        return None
    if isinstance(value, str) and len(value) >= 19 and value[4] == "-":
        try:
            return datetime.fromisoformat(value).replace(microsecond=0)
        except ValueError:
            return value
    return value
