"""Traffic mirror sessions and targets: whose packets are copied, and to whom.

Sources: Traffic Mirroring guide, "Traffic mirror sessions" and "targets"; EC2 API Reference.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import View
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.traffic_mirror import (
    TrafficMirrorSession,
    TrafficMirrorTarget,
    lower,
    sessions_of,
)

MAX_TARGETS, MAX_SESSIONS = 10_000, 10_000
"""Targets and sessions per account (Traffic Mirroring guide, "Quotas")."""
MAX_PER_INTERFACE, MAX_PER_TARGET = 3, 10
"""Sessions of one source, and of one interface as a target (the same)."""
_NUMBERS, _NETWORKS, _LENGTHS = range(1, 32767), range(1 << 24), range(1, 8501)
_REMOVED = {"packet-length": "length", "description": "description", "virtual-network-id": "vni"}
"""What ModifyTrafficMirrorSession can take away, and where it is kept."""


# --- targets ------------------------------------------------------------------------------------
def create_target(call: Call) -> Shape:
    """CreateTrafficMirrorTarget."""
    unsupported(call, "GatewayLoadBalancerEndpointId")
    interface, balancer = call.get("NetworkInterfaceId"), call.get("NetworkLoadBalancerArn")
    if (interface is None) == (balancer is None):
        raise invalid_combination(
            "Exactly one of networkInterfaceId and networkLoadBalancerArn must be specified."
        )
    if interface is not None:
        _check_ipv4(call.txn.get(NetworkInterface, interface), "networkInterfaceId")
        if sessions_of(call.txn, interface):
            raise ApiError(
                "InterfaceInUseByTrafficMirrorSession",
                f"The network interface '{interface}' is in use by a Traffic Mirror session.",
            )
    if sum(1 for _ in call.txn.all(TrafficMirrorTarget)) >= MAX_TARGETS:
        raise _too_many("TrafficMirrorTargetLimitExceeded", "targets")
    row = call.created(
        TrafficMirrorTarget(
            **call.common(TrafficMirrorTarget),
            interface=interface,
            balancer=balancer,
            description=call.get("Description"),
        )
    )
    return {
        "TrafficMirrorTarget": show_target(row, call.txn.view),
        "ClientToken": call.get("ClientToken", ""),
    }


def delete_target(call: Call) -> Shape:
    """DeleteTrafficMirrorTarget: refused while a session uses it."""
    row = call.txn.get(TrafficMirrorTarget, call.params["TrafficMirrorTargetId"])
    if any(True for _ in call.txn.referrers(row.id, TrafficMirrorSession)):
        raise ApiError(
            "TrafficMirrorTargetInUseException",
            f"The Traffic Mirror target '{row.id}' cannot be deleted because a Traffic Mirror "
            "session is currently using it.",
        )
    call.txn.delete(row)
    return {"TrafficMirrorTargetId": row.id}


def show_target(row: TrafficMirrorTarget, view: View) -> Shape:
    """The API's ``TrafficMirrorTarget`` structure."""
    values = {
        "TrafficMirrorTargetId": row.id,
        "NetworkInterfaceId": row.interface,
        "NetworkLoadBalancerArn": row.balancer,
        "Type": "network-interface" if row.interface else "network-load-balancer",
        "Description": row.description,
        "OwnerId": row.account,
        "Tags": tag_list(row),
    }
    return {name: value for name, value in values.items() if value is not None}


# --- sessions -----------------------------------------------------------------------------------
def create_session(call: Call) -> Shape:
    """CreateTrafficMirrorSession: its VXLAN identifier is drawn where none is given."""
    if sum(1 for _ in call.txn.all(TrafficMirrorSession)) >= MAX_SESSIONS:
        raise _too_many("TrafficMirrorSessionLimitExceeded", "sessions")
    source = call.txn.get(NetworkInterface, call.params["NetworkInterfaceId"])
    _check_ipv4(source, "networkInterfaceId")
    vni = call.get("VirtualNetworkId")
    row = TrafficMirrorSession(
        **call.common(TrafficMirrorSession, _free_id(call)),
        interface=source.id,
        **{"vni": _free_network(call) if vni is None else vni, **_fields(call, "VirtualNetworkId")},
    )
    check_session(call, row)
    call.created(row)
    return {
        "TrafficMirrorSession": show_session(row, call.txn.view),
        "ClientToken": call.get("ClientToken", ""),
    }


def modify_session(call: Call) -> Shape:
    """ModifyTrafficMirrorSession: what is removed has its default again."""
    row = call.txn.get(TrafficMirrorSession, call.params["TrafficMirrorSessionId"])
    removed: dict[str, Any] = {_REMOVED[name]: None for name in call.get("RemoveFields", ())}
    given = _fields(call)
    if both := sorted(removed.keys() & given.keys()):
        raise invalid_combination(f"{', '.join(both)} cannot be both given and removed.")
    if "vni" in removed:
        removed["vni"] = _free_network(call)
    row = replace(row, **removed, **given)
    check_session(call, row)
    call.txn.put(row)
    return {"TrafficMirrorSession": show_session(row, call.txn.view)}


def delete_session(call: Call) -> Shape:
    """DeleteTrafficMirrorSession."""
    row = call.txn.get(TrafficMirrorSession, call.params["TrafficMirrorSessionId"])
    call.txn.delete(row)
    return {"TrafficMirrorSessionId": row.id}


def _fields(call: Call, *but: str) -> dict[str, Any]:
    """The fields that a request gives."""
    names = {
        "target": "TrafficMirrorTargetId",
        "filter": "TrafficMirrorFilterId",
        "number": "SessionNumber",
        "vni": "VirtualNetworkId",
        "length": "PacketLength",
        "description": "Description",
    }
    found = {field: call.get(name) for field, name in names.items() if name not in but}
    return {field: value for field, value in found.items() if value is not None}


def _free_id(call: Call) -> str:
    """An id whose end no other session has."""
    taken = {row.slot for row in call.txn.view.all(TrafficMirrorSession)}
    while int((drawn := call.new_id(TrafficMirrorSession))[-6:], 16) in taken:
        pass
    return drawn


def _free_network(call: Call) -> int:
    taken = {row.vni for row in call.txn.all(TrafficMirrorSession)}
    while (drawn := secrets.randbelow(len(_NETWORKS))) in taken:
        pass
    return drawn


def check_session(call: Call, row: TrafficMirrorSession) -> None:
    """Raises:
    ApiError: ``InvalidTrafficMirrorTargetId.NotFound``, ``InvalidParameterValue``, the codes of
        quotas, ``InterfaceInUseByTrafficMirrorTarget``.
    """
    target = call.txn.get(TrafficMirrorTarget, row.target)
    for name, value, known in (
        ("sessionNumber", row.number, _NUMBERS),
        ("virtualNetworkId", row.vni, _NETWORKS),
        ("packetLength", _LENGTHS[0] if row.length is None else row.length, _LENGTHS),
    ):
        if value not in known:
            raise invalid_value(name, value, f"It must be between {known[0]} and {known[-1]}")
    _check_no_target(call, row.interface)
    others = [each for each in sessions_of(call.txn, row.interface) if each.id != row.id]
    if any(each.number == row.number for each in others):
        raise invalid_value("sessionNumber", row.number, "The interface has such a session already")
    if len(others) >= MAX_PER_INTERFACE:
        raise _too_many("TrafficMirrorSessionsPerInterfaceLimitExceeded", "sessions of a source")
    of_target = [each for each in call.txn.referrers(row.target, TrafficMirrorSession)
                 if each.id != row.id]  # fmt: skip
    if target.interface is not None and len(of_target) >= MAX_PER_TARGET:
        raise _too_many("TrafficMirrorSessionsPerTargetLimitExceeded", "sessions of a target")


def _check_ipv4(eni: NetworkInterface, parameter: str) -> None:
    """Copies travel in IPv4, from and to the primary address."""
    if eni.ip is None:
        raise invalid_value(parameter, eni.id, "It is in an IPv6-only subnet")


def _check_no_target(call: Call, interface: str) -> None:
    """No interface is a source and a target at the same time (Traffic Mirroring guide,
    "considerations"): copies would be copied."""
    if any(True for _ in call.txn.referrers(interface, TrafficMirrorTarget)):
        raise ApiError(
            "InterfaceInUseByTrafficMirrorTarget",
            f"The network interface '{interface}' is in use by a Traffic Mirror target.",
        )


def _too_many(code: str, what: str) -> ApiError:
    return ApiError(code, f"The maximum number of Traffic Mirror {what} has been exceeded.")


def show_session(row: TrafficMirrorSession, view: View) -> Shape:
    """The API's ``TrafficMirrorSession`` structure."""
    values = {
        "TrafficMirrorSessionId": row.id,
        "TrafficMirrorTargetId": row.target,
        "TrafficMirrorFilterId": row.filter,
        "NetworkInterfaceId": row.interface,
        "OwnerId": row.account,
        "PacketLength": row.length,
        "SessionNumber": row.number,
        "VirtualNetworkId": row.vni,
        "Description": row.description,
        "Tags": tag_list(row),
    }
    return {name: value for name, value in values.items() if value is not None}


KIND = Kind(
    row=TrafficMirrorSession,
    actions={
        "CreateTrafficMirrorSession": create_session,
        "ModifyTrafficMirrorSession": modify_session,
        "DeleteTrafficMirrorSession": delete_session,
    },
    listings=(
        Listing(
            action="DescribeTrafficMirrorSessions",
            result="TrafficMirrorSessions",
            show=show_session,
            ids="TrafficMirrorSessionIds",
        ),
    ),
    lower=lower,
)

TARGET = Kind(
    row=TrafficMirrorTarget,
    actions={
        "CreateTrafficMirrorTarget": create_target,
        "DeleteTrafficMirrorTarget": delete_target,
    },
    listings=(
        Listing(
            action="DescribeTrafficMirrorTargets",
            result="TrafficMirrorTargets",
            show=show_target,
            ids="TrafficMirrorTargetIds",
        ),
    ),
)
