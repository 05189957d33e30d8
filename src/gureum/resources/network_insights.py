"""Network Insights: paths that somebody wants to know about, and analyses of them.

Sources: Reachability Analyzer guide; EC2 API Reference, CreateNetworkInsightsPath,
StartNetworkInsightsAnalysis.  An analysis is done while it is started, over the network of that
moment, and kept as it was found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, FilterValues, Kind, Listing, Shape
from gureum.model import Resource, View, ref
from gureum.model.timestamps import timestamp
from gureum.resources.instance import Instance
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.subnet import arn
from gureum.resources.transit_gateway import TransitGateway, TransitGatewayAttachment
from gureum.resources.vpc_endpoint import VpcEndpoint
from gureum.resources.vpc_peering import VpcPeeringConnection
from gureum.resources.vpn_gateway import VpnGateway

MAX_PATHS = 1000
"""Paths per region (Reachability Analyzer guide, "Quotas")."""

MAX_ANALYSES = 10_000
"""Analyses per region (the same)."""

ENDS: tuple[type[Resource], ...] = (Instance, NetworkInterface, InternetGateway)
"""What a path may begin or end at."""
_UNSUPPORTED: tuple[type[Resource], ...] = (
    TransitGateway,
    TransitGatewayAttachment,
    VpcEndpoint,
    VpcPeeringConnection,
    VpnGateway,
)
"""What it may at AWS, and is not followed from or to here."""


@dataclass(frozen=True, kw_only=True)
class PathFilter:
    """Fields of the packet at one end of a path; ports are inclusive ranges, None is any."""

    source_ip: str | None = None
    source_ports: tuple[int, int] | None = None
    target_ip: str | None = None
    target_ports: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkInsightsPath(
    Resource,
    kind="network-insights-path",
    prefix="nip",
    not_found="InvalidNetworkInsightsPathId.NotFound",
    malformed="InvalidNetworkInsightsPathId.Malformed",
    noun="network insights path",
):
    """A question: from where, to where, with which packet.  The ends need not exist any more."""

    source: str
    target: str | None = None
    source_ip: str | None = None
    target_ip: str | None = None
    protocol: str
    port: int | None = None
    at_source: PathFilter | None = None
    at_target: PathFilter | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkInsightsAnalysis(
    Resource,
    kind="network-insights-analysis",
    prefix="nia",
    not_found="InvalidNetworkInsightsAnalysisId.NotFound",
    malformed="InvalidNetworkInsightsAnalysisId.Malformed",
    noun="network insights analysis",
):
    """An answer.  ``result`` are the members of the API's structure that tell what was found, as
    JSON."""

    path: str = ref()
    result: str
    filter_in: tuple[str, ...] = ()
    filter_out: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


# --- paths --------------------------------------------------------------------------------------
def create_path(call: Call) -> Shape:
    """CreateNetworkInsightsPath."""
    if sum(1 for _ in call.txn.all(NetworkInsightsPath)) >= MAX_PATHS:
        raise ApiError(
            "NetworkInsightsPathLimitExceeded",
            "The maximum number of network insights paths has been reached.",
        )
    _check_filters(call)
    target = call.get("Destination")
    if target is None and call.get("DestinationIp") is None and _target_ip(call) is None:
        raise ApiError(
            "MissingParameter",
            "The request must contain the parameter Destination or a destination IP address",
        )
    source = _end(call, call.params["Source"])
    target = _end(call, target) if target is not None else None
    row = call.created(
        NetworkInsightsPath(
            **call.common(NetworkInsightsPath),
            source=source,
            target=target,
            **packet_fields(call.params),
        )
    )
    return {"NetworkInsightsPath": show_path(row, call.txn.view)}


def packet_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a request, or an answer, says of a path's packet.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    return {
        "source_ip": _ip(given.get("SourceIp"), "SourceIp"),
        "target_ip": _ip(given.get("DestinationIp"), "DestinationIp"),
        "protocol": given["Protocol"],
        "port": _port(given.get("DestinationPort"), "DestinationPort"),
        "at_source": _filter(given.get("FilterAtSource")),
        "at_target": _filter(given.get("FilterAtDestination")),
    }


def is_end(key: str) -> bool:
    """Whether an id is of a type that a path can begin or end at."""
    return any(key.startswith(f"{cls.prefix}-") for cls in (*ENDS, *_UNSUPPORTED))


def _check_filters(call: Call) -> None:
    """What the guide says excludes what."""
    for given, excluded in (
        ("FilterAtSource", ("SourceIp", "DestinationPort")),
        ("FilterAtDestination", ("DestinationIp",)),
    ):
        for name in excluded:
            if call.get(given) is not None and call.get(name) is not None:
                raise invalid_combination(
                    f"The parameter {given} cannot be used with the parameter {name}"
                )


def _target_ip(call: Call) -> str | None:
    given = (call.get(name) or {} for name in ("FilterAtSource", "FilterAtDestination"))
    found = next(
        (each["DestinationAddress"] for each in given if "DestinationAddress" in each), None
    )
    return str(found) if found is not None else None


def _end(call: Call, text: str) -> str:
    """The id of an end, given as an id or an ARN.

    Raises:
        ApiError: the not-found codes of what it names, ``InvalidParameterValue``.
    """
    key = text.rpartition("/")[2] if text.startswith("arn:") else text
    for cls in (*ENDS, *_UNSUPPORTED):
        if key.startswith(f"{cls.prefix}-"):
            return call.txn.get(cls, key).id
    raise invalid_value(
        "source or destination", text, "It must be an instance, network interface or "
        "internet gateway",
    )  # fmt: skip


def _ip(text: str | None, parameter: str) -> str | None:
    if text is None:
        return None
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise invalid_value(parameter, text, "It must be an IPv4 address") from None


def _port(value: int | None, parameter: str) -> int | None:
    if value is not None and not 0 <= value <= 65535:
        raise invalid_value(parameter, value, "Ports go from 0 to 65535")
    return value


def _filter(given: dict[str, Any] | None) -> PathFilter | None:
    if given is None:
        return None
    return PathFilter(
        source_ip=_ip(given.get("SourceAddress"), "SourceAddress"),
        source_ports=_ports(given.get("SourcePortRange")),
        target_ip=_ip(given.get("DestinationAddress"), "DestinationAddress"),
        target_ports=_ports(given.get("DestinationPortRange")),
    )


def _ports(given: dict[str, Any] | None) -> tuple[int, int] | None:
    if given is None:
        return None
    first = _port(given.get("FromPort", 0), "FromPort") or 0
    last = _port(given.get("ToPort", 65535), "ToPort") or 0
    if first > last:
        raise invalid_value("PortRange", f"{first}-{last}", "It must not be empty")
    return first, last


def delete_path(call: Call) -> Shape:
    """DeleteNetworkInsightsPath: refused while there are analyses of it."""
    row = call.txn.get(NetworkInsightsPath, call.params["NetworkInsightsPathId"])
    if any(call.txn.referrers(row.id, NetworkInsightsAnalysis)):
        raise ApiError(
            "AnalysisExistsForNetworkInsightsPath",
            f"There are analyses of the network insights path '{row.id}'; delete them first.",
        )
    call.txn.delete(row)
    return {"NetworkInsightsPathId": row.id}


def show_path(row: NetworkInsightsPath, view: View) -> Shape:
    """The API's ``NetworkInsightsPath`` structure."""
    values = {
        "NetworkInsightsPathId": row.id,
        "NetworkInsightsPathArn": arn(row),
        "CreatedDate": row.created,
        "Source": row.source,
        "SourceArn": _arn(row, row.source),
        "Destination": row.target,
        "DestinationArn": _arn(row, row.target) if row.target else None,
        "SourceIp": row.source_ip,
        "DestinationIp": row.target_ip,
        "Protocol": row.protocol,
        "DestinationPort": row.port,
        "FilterAtSource": _show_filter(row.at_source),
        "FilterAtDestination": _show_filter(row.at_target),
        "Tags": tag_list(row),
    }
    return {name: value for name, value in values.items() if value is not None}


def _arn(row: Resource, key: str) -> str:
    kind = next(cls.kind for cls in (*ENDS, *_UNSUPPORTED) if key.startswith(f"{cls.prefix}-"))
    return f"arn:aws:ec2:{row.region}:{row.account}:{kind}/{key}"


def _show_filter(item: PathFilter | None) -> Shape | None:
    if item is None:
        return None
    values = {
        "SourceAddress": item.source_ip,
        "SourcePortRange": _show_ports(item.source_ports),
        "DestinationAddress": item.target_ip,
        "DestinationPortRange": _show_ports(item.target_ports),
    }
    return {name: value for name, value in values.items() if value is not None}


def _show_ports(ports: tuple[int, int] | None) -> Shape | None:
    return {"FromPort": ports[0], "ToPort": ports[1]} if ports else None


def _port_range(end: str, side: str) -> FilterValues:
    """The values of a filter by a port range: ``80-443``, or ``80`` where that is one port."""

    def values(row: NetworkInsightsPath, view: View) -> list[str]:
        item = row.at_source if end == "source" else row.at_target
        ports = (item.source_ports if side == "source" else item.target_ports) if item else None
        if ports is None:
            return []
        return [str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"]

    return values


# --- analyses -----------------------------------------------------------------------------------
def start_analysis(call: Call) -> Shape:
    """StartNetworkInsightsAnalysis: says that it runs; the next question finds it done."""
    path = call.txn.get(NetworkInsightsPath, call.params["NetworkInsightsPathId"])
    if sum(1 for _ in call.txn.all(NetworkInsightsAnalysis)) >= MAX_ANALYSES:
        raise ApiError(
            "ResourceLimitExceeded",
            "The maximum number of network insights analyses has been reached.",
        )
    unsupported(call, "AdditionalAccounts")
    row = NetworkInsightsAnalysis(
        **call.common(NetworkInsightsAnalysis),
        path=path.id,
        result="",
        filter_in=tuple(call.get("FilterInArns", ())),
        filter_out=tuple(call.get("FilterOutArns", ())),
    )
    found = call.analyse(call.txn.view, path, row.filter_in, row.filter_out)
    call.created(replace(row, result=json.dumps(found, separators=(",", ":"))))
    return {"NetworkInsightsAnalysis": _show_head(row) | {"Status": "running"}}


def delete_analysis(call: Call) -> Shape:
    """DeleteNetworkInsightsAnalysis."""
    key = call.params["NetworkInsightsAnalysisId"]
    row = call.txn.get(NetworkInsightsAnalysis, key)
    call.txn.delete(row)
    return {"NetworkInsightsAnalysisId": row.id}


def show_analysis(row: NetworkInsightsAnalysis, view: View) -> Shape:
    """The API's ``NetworkInsightsAnalysis`` structure."""
    result: Shape = json.loads(row.result)
    return _show_head(row) | {"Status": "succeeded"} | result


def _show_head(row: NetworkInsightsAnalysis) -> Shape:
    return {
        "NetworkInsightsAnalysisId": row.id,
        "NetworkInsightsAnalysisArn": arn(row),
        "NetworkInsightsPathId": row.path,
        "StartDate": row.created,
        "FilterInArns": list(row.filter_in),
        "FilterOutArns": list(row.filter_out),
        "Tags": tag_list(row),
    }


def _wanted(call: Call, row: NetworkInsightsAnalysis) -> bool:
    """Whether an analysis is of the path, and of the time, that DescribeNetworkInsightsAnalyses
    names."""
    path = call.get("NetworkInsightsPathId")
    times = call.get("AnalysisStartTime"), call.get("AnalysisEndTime")
    return path in (None, row.path) and created_within(row, *times)


def created_within(row: Resource, begin: datetime | None, end: datetime | None) -> bool:
    """Whether a row was created within two times, both included; None is any time."""
    return (begin is None or row.created >= timestamp(begin)) and (
        end is None or row.created <= timestamp(end)
    )


KIND = Kind(
    row=NetworkInsightsPath,
    actions={
        "CreateNetworkInsightsPath": create_path,
        "DeleteNetworkInsightsPath": delete_path,
    },
    listings=(
        Listing(
            action="DescribeNetworkInsightsPaths",
            result="NetworkInsightsPaths",
            show=show_path,
            ids="NetworkInsightsPathIds",
            paths={
                f"filter-at-{end}.{side}-address": f"FilterAt{end.title()}.{side.title()}Address"
                for end in ("source", "destination")
                for side in ("source", "destination")
            },
            computed={
                f"filter-at-{end}.{side}-port-range": _port_range(end, side)
                for end in ("source", "destination")
                for side in ("source", "destination")
            },
        ),
    ),
)

ANALYSIS = Kind(
    row=NetworkInsightsAnalysis,
    actions={
        "StartNetworkInsightsAnalysis": start_analysis,
        "DeleteNetworkInsightsAnalysis": delete_analysis,
    },
    listings=(
        Listing(
            action="DescribeNetworkInsightsAnalyses",
            result="NetworkInsightsAnalyses",
            show=show_analysis,
            ids="NetworkInsightsAnalysisIds",
            paths={"path-found": "NetworkPathFound"},
            keep=_wanted,
        ),
    ),
)
