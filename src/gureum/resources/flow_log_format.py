"""The fields of a flow log record, and the format that orders them.

Source: VPC User Guide, "Flow log records" ("Available fields").
"""

from __future__ import annotations

import re
from collections.abc import Mapping

FIELDS: dict[str, int] = {
    **dict.fromkeys(
        (
            *("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport"),
            *("protocol", "packets", "bytes", "start", "end", "action", "log-status"),
        ),
        2,
    ),
    **dict.fromkeys(
        (
            *("vpc-id", "subnet-id", "instance-id", "tcp-flags", "type"),
            *("pkt-srcaddr", "pkt-dstaddr"),
        ),
        3,
    ),
    **dict.fromkeys(("region", "az-id", "sublocation-type", "sublocation-id"), 4),
    **dict.fromkeys(
        ("pkt-src-aws-service", "pkt-dst-aws-service", "flow-direction", "traffic-path"), 5
    ),
    **dict.fromkeys(
        (
            *("ecs-cluster-arn", "ecs-cluster-name", "ecs-container-instance-arn"),
            *("ecs-container-instance-id", "ecs-container-id", "ecs-second-container-id"),
            *("ecs-service-name", "ecs-task-definition-arn", "ecs-task-arn", "ecs-task-id"),
        ),
        7,
    ),
    "reject-reason": 8,
}
"""Each field, and the version of flow logs that brought it."""

_TRANSIT = (
    *("version", "resource-type", "account-id", "tgw-id", "tgw-attachment-id"),
    *("tgw-src-vpc-account-id", "tgw-dst-vpc-account-id", "tgw-src-vpc-id", "tgw-dst-vpc-id"),
    *("tgw-src-subnet-id", "tgw-dst-subnet-id", "tgw-src-eni", "tgw-dst-eni", "tgw-src-az-id"),
    *("tgw-dst-az-id", "tgw-pair-attachment-id", "srcaddr", "dstaddr", "srcport", "dstport"),
    *("protocol", "packets", "bytes", "start", "end", "log-status", "type"),
    *("packets-lost-no-route", "packets-lost-blackhole", "packets-lost-mtu-exceeded"),
    *("packets-lost-ttl-expired", "tcp-flags", "region", "flow-direction"),
    *("pkt-src-aws-service", "pkt-dst-aws-service"),
)
TRANSIT_FIELDS: dict[str, int] = {name: FIELDS.get(name, 6) for name in _TRANSIT}
"""The same of flow logs of transit gateways (VPC Transit Gateways, "Transit Gateway Flow Log
records")."""

DEFAULT_FORMAT = " ".join(f"${{{name}}}" for name, version in FIELDS.items() if version == 2)
"""The format where none is asked for: the fields of version 2."""
TRANSIT_FORMAT = " ".join(f"${{{name}}}" for name in TRANSIT_FIELDS)
"""The same of transit gateways: all their fields."""

_FIELD = re.compile(r"\$\{([a-z0-9-]+)\}")


def fields_of(log_format: str, known: Mapping[str, int] = FIELDS) -> tuple[str, ...]:
    """The fields that a format names, of those that there are, in their order.

    Raises:
        ValueError: it names none, one that does not exist, or something that is no field.
    """
    words = log_format.split()
    if not words:
        raise ValueError("a log format has at least one field")
    found = []
    for word in words:
        match = _FIELD.fullmatch(word)
        if match is None or match[1] not in known:
            raise ValueError(f"{word} is no field of a flow log")
        found.append(match[1])
    return tuple(found)


def version_of(fields: tuple[str, ...], known: Mapping[str, int] = FIELDS) -> int:
    """The version of records with these fields: the highest among them."""
    return max(known[name] for name in fields)
