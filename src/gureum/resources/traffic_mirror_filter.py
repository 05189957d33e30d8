"""Traffic mirror filters and their rules: which packets of a source are copied.

Sources: Traffic Mirroring guide, "Traffic mirror filters"; EC2 API Reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import View
from gureum.resources.shapes import PORTS, TCP, UDP, tag_list
from gureum.resources.traffic_mirror import (
    TrafficMirrorFilter,
    TrafficMirrorFilterRule,
    TrafficMirrorSession,
    rules_of,
)

MAX_FILTERS = 10_000
"""Filters per account (Traffic Mirroring guide, "Quotas")."""
MAX_RULES = 10
"""Rules per filter (the same)."""
_NUMBERS = range(1, 32767)
_REMOVED = {
    "destination-port-range": "target_ports",
    "source-port-range": "source_ports",
    "protocol": "protocol",
    "description": "description",
}
"""What ModifyTrafficMirrorFilterRule can take away, and where it is kept."""


# --- filters ------------------------------------------------------------------------------------
def create_filter(call: Call) -> Shape:
    """CreateTrafficMirrorFilter: it copies nothing until it has rules."""
    if sum(1 for _ in call.txn.all(TrafficMirrorFilter)) >= MAX_FILTERS:
        raise ApiError(
            "TrafficMirrorFilterLimitExceeded",
            "The maximum number of Traffic Mirror filters has been exceeded.",
        )
    row = call.created(
        TrafficMirrorFilter(**call.common(TrafficMirrorFilter), description=call.get("Description"))
    )
    return {
        "TrafficMirrorFilter": show_filter(row, call.txn.view),
        "ClientToken": call.get("ClientToken", ""),
    }


def delete_filter(call: Call) -> Shape:
    """DeleteTrafficMirrorFilter: with its rules, unless a session uses it."""
    row = call.txn.get(TrafficMirrorFilter, call.params["TrafficMirrorFilterId"])
    if any(True for _ in call.txn.referrers(row.id, TrafficMirrorSession)):
        raise ApiError(
            "TrafficMirrorFilterInUse",
            f"The Traffic Mirror filter '{row.id}' cannot be deleted because a Traffic Mirror "
            "session is currently using it.",
        )
    call.txn.delete(row)
    return {"TrafficMirrorFilterId": row.id}


def modify_services(call: Call) -> Shape:
    """ModifyTrafficMirrorFilterNetworkServices."""
    row = call.txn.get(TrafficMirrorFilter, call.params["TrafficMirrorFilterId"])
    added, removed = call.get("AddNetworkServices", ()), call.get("RemoveNetworkServices", ())
    kept = [each for each in row.services if each not in removed]
    row = call.txn.put(replace(row, services=tuple(dict.fromkeys((*kept, *added)))))
    return {"TrafficMirrorFilter": show_filter(row, call.txn.view)}


def show_filter(row: TrafficMirrorFilter, view: View) -> Shape:
    """The API's ``TrafficMirrorFilter`` structure."""
    rules = rules_of(view, row.id)
    shape: Shape = {
        "TrafficMirrorFilterId": row.id,
        "IngressFilterRules": [show_rule(each, view) for each in rules if _is_ingress(each)],
        "EgressFilterRules": [show_rule(each, view) for each in rules if not _is_ingress(each)],
        "NetworkServices": list(row.services),
        "Tags": tag_list(row),
    }
    return shape if row.description is None else shape | {"Description": row.description}


def _is_ingress(rule: TrafficMirrorFilterRule) -> bool:
    return rule.direction == "ingress"


# --- rules --------------------------------------------------------------------------------------
def create_rule(call: Call) -> Shape:
    """CreateTrafficMirrorFilterRule."""
    of = call.txn.get(TrafficMirrorFilter, call.params["TrafficMirrorFilterId"])
    if len(rules_of(call.txn.view, of.id)) >= MAX_RULES:
        raise ApiError(
            "TrafficMirrorFilterRuleLimitExceeded",
            "The maximum number of Traffic Mirror filter rules has been exceeded.",
        )
    row = TrafficMirrorFilterRule(
        **call.common(TrafficMirrorFilterRule), filter=of.id, **rule_fields(call.params)
    )
    check_rule(call, row)
    call.created(row)
    return {
        "TrafficMirrorFilterRule": show_rule(row, call.txn.view),
        "ClientToken": call.get("ClientToken", ""),
    }


def modify_rule(call: Call) -> Shape:
    """ModifyTrafficMirrorFilterRule: what is removed has its default again."""
    row = call.txn.get(TrafficMirrorFilterRule, call.params["TrafficMirrorFilterRuleId"])
    removed: dict[str, Any] = {_REMOVED[name]: None for name in call.get("RemoveFields", ())}
    given = rule_fields(call.params)
    if both := sorted(removed.keys() & given.keys()):
        raise invalid_combination(f"{', '.join(both)} cannot be both given and removed.")
    row = replace(row, **removed, **given)
    check_rule(call, row)
    call.txn.put(row)
    shape = show_rule(row, call.txn.view)
    return {"TrafficMirrorFilterRule": {k: v for k, v in shape.items() if k != "Tags"}}


def delete_rule(call: Call) -> Shape:
    """DeleteTrafficMirrorFilterRule."""
    row = call.txn.get(TrafficMirrorFilterRule, call.params["TrafficMirrorFilterRuleId"])
    call.txn.delete(row)
    return {"TrafficMirrorFilterRuleId": row.id}


def rule_fields(params: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a rule that a request gives, or an answer.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    found = {
        "direction": params.get("TrafficDirection"),
        "number": params.get("RuleNumber"),
        "action": params.get("RuleAction"),
        "source": _cidr(params.get("SourceCidrBlock"), "sourceCidrBlock"),
        "target": _cidr(params.get("DestinationCidrBlock"), "destinationCidrBlock"),
        "protocol": params.get("Protocol"),
        "source_ports": _ports(params.get("SourcePortRange"), "sourcePortRange"),
        "target_ports": _ports(params.get("DestinationPortRange"), "destinationPortRange"),
        "description": params.get("Description"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _cidr(text: str | None, parameter: str) -> str | None:
    if text is None:
        return None
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise invalid_value(parameter, text, "This is not a valid CIDR block") from None


def _ports(given: Mapping[str, Any] | None, parameter: str) -> tuple[int, int] | None:
    if given is None:
        return None
    first = given.get("FromPort", 0)
    last = given.get("ToPort", given.get("FromPort", PORTS[-1]))
    if first not in PORTS or last not in PORTS or first > last:
        raise invalid_value(parameter, f"{first}-{last}", "Ports go from 0 to 65535")
    return int(first), int(last)


def check_rule(call: Call, row: TrafficMirrorFilterRule) -> None:
    """Raises:
    ApiError: ``InvalidParameterValue``, ``InvalidParameterCombination``,
        ``TrafficMirrorFilterRuleAlreadyExists``.
    """
    if row.number not in _NUMBERS:
        raise invalid_value("ruleNumber", row.number, "It must be between 1 and 32766")
    if row.protocol is not None and not 0 <= row.protocol <= 255:
        raise invalid_value("protocol", row.protocol, "Unknown protocol")
    if (":" in row.source) != (":" in row.target):
        raise invalid_combination("Both CIDR blocks of a rule are of one IP version.")
    if (row.source_ports or row.target_ports) and row.protocol not in (TCP, UDP):
        raise invalid_combination("Port ranges can be given for TCP and UDP only.")
    for other in rules_of(call.txn.view, row.filter):
        same = (other.direction, other.number) == (row.direction, row.number)
        if same and other.id != row.id:
            raise ApiError(
                "TrafficMirrorFilterRuleAlreadyExists",
                f"The {row.direction} rule number {row.number} already exists in the Traffic "
                f"Mirror filter '{row.filter}'.",
            )


def show_rule(row: TrafficMirrorFilterRule, view: View) -> Shape:
    """The API's ``TrafficMirrorFilterRule`` structure."""
    values = {
        "TrafficMirrorFilterRuleId": row.id,
        "TrafficMirrorFilterId": row.filter,
        "TrafficDirection": row.direction,
        "RuleNumber": row.number,
        "RuleAction": row.action,
        "Protocol": row.protocol,
        "SourcePortRange": _show_ports(row.source_ports),
        "DestinationPortRange": _show_ports(row.target_ports),
        "SourceCidrBlock": row.source,
        "DestinationCidrBlock": row.target,
        "Description": row.description,
        "Tags": tag_list(row),
    }
    return {name: value for name, value in values.items() if value is not None}


def _show_ports(ports: tuple[int, int] | None) -> Shape | None:
    return None if ports is None else {"FromPort": ports[0], "ToPort": ports[1]}


KIND = Kind(
    row=TrafficMirrorFilter,
    actions={
        "CreateTrafficMirrorFilter": create_filter,
        "DeleteTrafficMirrorFilter": delete_filter,
        "ModifyTrafficMirrorFilterNetworkServices": modify_services,
    },
    listings=(
        Listing(
            action="DescribeTrafficMirrorFilters",
            result="TrafficMirrorFilters",
            show=show_filter,
            ids="TrafficMirrorFilterIds",
        ),
    ),
)

RULE = Kind(
    row=TrafficMirrorFilterRule,
    actions={
        "CreateTrafficMirrorFilterRule": create_rule,
        "ModifyTrafficMirrorFilterRule": modify_rule,
        "DeleteTrafficMirrorFilterRule": delete_rule,
    },
    listings=(
        Listing(
            action="DescribeTrafficMirrorFilterRules",
            result="TrafficMirrorFilterRules",
            show=show_rule,
            ids="TrafficMirrorFilterRuleIds",
            keep=lambda call, row: call.get("TrafficMirrorFilterId") in (None, row.filter),
        ),
    ),
)
