"""Structures of answers as the AWS CLI saves them, in one order whatever made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gureum.wire.models import service

_FREE = frozenset(
    {
        *("AssociationSet", "Associations", "Attachments", "BlockDeviceMappings", "Instances"),
        *("IpPermissions", "IpPermissionsEgress", "IpRanges", "Ipv6Ranges", "PrefixListIds"),
        *("PropagatingVgws", "RouteTableIds", "UserIdGroupPairs"),
    }
)
"""Lists whose order means nothing, and is not kept.  In others the first is the primary one, or the
order is what the caller gave."""


def plain(action: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of an action as the CLI writes it: members in the model's order, without those
    that have no value."""
    shape = service("ec2").output_shape(action)
    found: dict[str, Any] = _plain(shape, answer)
    return found


def _plain(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {
            name: _member(name, member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if shape.type_name == "list":
        return [_plain(shape.member, item) for item in value]
    return value


def _member(name: str, shape: Any, value: Any) -> Any:
    found = _plain(shape, value)
    return sorted(found, key=json.dumps) if name in _FREE else found
