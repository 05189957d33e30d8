"""Network Access Analyzer: scopes, which say what ways are looked for, and analyses of them.

Sources: Network Access Analyzer guide, "How Network Access Analyzer works"; EC2 API Reference,
CreateNetworkInsightsAccessScope.  Like an analysis of a path, one of a scope is done while it is
started, over the network of that moment, and kept as it was found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, View, ref
from gureum.resources.network_insights import created_within
from gureum.resources.shapes import tag_list
from gureum.resources.subnet import arn

MAX_SCOPES = 1000
"""Scopes per region (Network Access Analyzer guide, "Quotas")."""

MAX_ANALYSES = 10_000
"""Analyses per region (the same)."""

TYPES = {
    "AWS::EC2::InternetGateway": "igw-",
    "AWS::EC2::EgressOnlyInternetGateway": "eigw-",
    "AWS::EC2::Instance": "i-",
    "AWS::EC2::NetworkInterface": "eni-",
    "AWS::EC2::NatGateway": "nat-",
    "AWS::EC2::SecurityGroup": "sg-",
    "AWS::EC2::Subnet": "subnet-",
    "AWS::EC2::VPC": "vpc-",
    "AWS::EC2::TransitGateway": "tgw-",
    "AWS::EC2::TransitGatewayAttachment": "tgw-attach-",
    "AWS::EC2::VPCEndpoint": "vpce-",
    "AWS::EC2::VPCEndpointService": "vpce-svc-",
    "AWS::EC2::VPCPeeringConnection": "pcx-",
    "AWS::EC2::VPNGateway": "vgw-",
}
"""What a ResourceStatement may name, with how the ids of the type begin."""

_ADDRESSES = ("SourceAddresses", "DestinationAddresses")
_PORTS = ("SourcePorts", "DestinationPorts")
_LISTS = ("SourcePrefixLists", "DestinationPrefixLists")


@dataclass(frozen=True, kw_only=True)
class AccessScope(
    Resource,
    kind="network-insights-access-scope",
    prefix="nis",
    not_found="InvalidNetworkInsightsAccessScopeId.NotFound",
    malformed="InvalidNetworkInsightsAccessScopeId.Malformed",
    noun="network insights access scope",
):
    """What ways are looked for.  ``content`` are ``MatchPaths`` and ``ExcludePaths`` as JSON."""

    content: str


@dataclass(frozen=True, kw_only=True)
class AccessScopeAnalysis(
    Resource,
    kind="network-insights-access-scope-analysis",
    prefix="nisa",
    not_found="InvalidNetworkInsightsAccessScopeAnalysisId.NotFound",
    malformed="InvalidNetworkInsightsAccessScopeAnalysisId.Malformed",
    noun="network insights access scope analysis",
):
    """What was found.  ``result`` is empty while it runs, then ``AnalyzedEniCount``,
    ``WarningMessage`` and ``findings`` (each the list of its components) as JSON; or ``failed``,
    and why.  ``ended`` is the time at which it was written."""

    scope: str = ref()
    result: str
    ended: str | None = None


@dataclass(frozen=True)
class Finding:
    """One way that an analysis has found, as the API's path components."""

    id: str
    created: str
    analysis: AccessScopeAnalysis
    components: list[Shape]


# --- scopes -------------------------------------------------------------------------------------
def create(call: Call) -> Shape:
    """CreateNetworkInsightsAccessScope."""
    if sum(1 for _ in call.txn.all(AccessScope)) >= MAX_SCOPES:
        raise ApiError(
            "ResourceLimitExceeded",
            "The maximum number of network insights access scopes has been reached.",
        )
    given = {name: call.get(name, []) for name in ("MatchPaths", "ExcludePaths")}
    if not any(given.values()):
        raise ApiError(
            "MissingParameter", "The request must contain the parameter MatchPaths or ExcludePaths"
        )
    for path in (*given["MatchPaths"], *given["ExcludePaths"]):
        ends = [path.get("Source"), path.get("Destination"), *path.get("ThroughResources", ())]
        for statement in ends:
            _check(statement or {})
    row = call.created(
        AccessScope(**call.common(AccessScope), content=json.dumps(given, separators=(",", ":")))
    )
    return {
        "NetworkInsightsAccessScope": show_scope(row, call.txn.view),
        "NetworkInsightsAccessScopeContent": _content(row),
    }


def _check(statement: dict[str, Any]) -> None:
    """Refuse what no packet and no resource can meet, rather than find nothing.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    header = statement.get("PacketHeaderStatement") or {}
    for name in _ADDRESSES:
        for text in header.get(name, ()):
            _cidr(text, name)
    for name in _PORTS:
        for text in header.get(name, ()):
            port_range(text, name)
    for name in _LISTS:
        for text in header.get(name, ()):
            raise invalid_value(name, text, "Managed prefix lists do not exist here")
    for text in (statement.get("ResourceStatement") or {}).get("ResourceTypes", ()):
        if text not in TYPES:
            raise invalid_value("ResourceTypes", text, f"Known are {', '.join(TYPES)}")


def _cidr(text: str, parameter: str) -> None:
    try:
        ip_network(text, strict=False)
    except ValueError:
        said = "It must be an IP address or CIDR block"
        raise invalid_value(parameter, text, said) from None


def port_range(text: str, parameter: str) -> tuple[int, int]:
    """A port (``80``) or range of ports (``80-90``) as its first and last.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    first, dash, last = text.partition("-")
    ends = (first, last if dash else first)
    if not all(each.isascii() and each.isdigit() and int(each) <= 65535 for each in ends):
        raise invalid_value(parameter, text, "Ports are 0 to 65535, ranges first-last")
    if int(ends[0]) > int(ends[1]):
        raise invalid_value(parameter, text, "It must not be empty")
    return int(ends[0]), int(ends[1])


def delete(call: Call) -> Shape:
    """DeleteNetworkInsightsAccessScope: refused while there are analyses of it."""
    row = call.txn.get(AccessScope, call.params["NetworkInsightsAccessScopeId"])
    if any(call.txn.referrers(row.id, AccessScopeAnalysis)):
        raise ApiError(
            "AnalysisExistsForNetworkInsightsAccessScope",
            f"There are analyses of the access scope '{row.id}'; delete them first.",
        )
    call.txn.delete(row)
    return {"NetworkInsightsAccessScopeId": row.id}


def show_scope(row: AccessScope, view: View) -> Shape:
    """The API's ``NetworkInsightsAccessScope`` structure."""
    return {
        "NetworkInsightsAccessScopeId": row.id,
        "NetworkInsightsAccessScopeArn": arn(row),
        "CreatedDate": row.created,
        "UpdatedDate": row.created,
        "Tags": tag_list(row),
    }


def get_content(call: Call) -> Shape:
    """GetNetworkInsightsAccessScopeContent."""
    row = call.txn.get(AccessScope, call.params["NetworkInsightsAccessScopeId"])
    return {"NetworkInsightsAccessScopeContent": _content(row)}


def _content(row: AccessScope) -> Shape:
    given: Shape = json.loads(row.content)
    return {"NetworkInsightsAccessScopeId": row.id, **given}


# --- analyses -----------------------------------------------------------------------------------
def start(call: Call) -> Shape:
    """StartNetworkInsightsAccessScopeAnalysis: it runs until the server has written its result."""
    scope = call.txn.get(AccessScope, call.params["NetworkInsightsAccessScopeId"])
    if sum(1 for _ in call.txn.all(AccessScopeAnalysis)) >= MAX_ANALYSES:
        raise ApiError(
            "ResourceLimitExceeded",
            "The maximum number of network insights access scope analyses has been reached.",
        )
    row = call.created(
        AccessScopeAnalysis(**call.common(AccessScopeAnalysis), scope=scope.id, result="")
    )
    return {"NetworkInsightsAccessScopeAnalysis": show_analysis(row, call.txn.view)}


def delete_analysis(call: Call) -> Shape:
    """DeleteNetworkInsightsAccessScopeAnalysis."""
    key = call.params["NetworkInsightsAccessScopeAnalysisId"]
    row = call.txn.get(AccessScopeAnalysis, key)
    call.txn.delete(row)
    return {"NetworkInsightsAccessScopeAnalysisId": row.id}


def show_analysis(row: AccessScopeAnalysis, view: View) -> Shape:
    """The API's ``NetworkInsightsAccessScopeAnalysis`` structure."""
    shape: Shape = {
        "NetworkInsightsAccessScopeAnalysisId": row.id,
        "NetworkInsightsAccessScopeAnalysisArn": arn(row),
        "NetworkInsightsAccessScopeId": row.scope,
        "StartDate": row.created,
        "Status": _status(row),
        "Tags": tag_list(row),
    }
    if not row.result:
        return shape
    shape["EndDate"] = row.ended or row.created
    result = json.loads(row.result)
    if "failed" in result:
        return shape | {"StatusMessage": result["failed"], "FindingsFound": "unknown"}
    warning = result["WarningMessage"]
    if warning:
        shape["WarningMessage"] = warning
    found = "true" if result["findings"] else "unknown" if warning else "false"
    return shape | {"FindingsFound": found, "AnalyzedEniCount": result["AnalyzedEniCount"]}


def _status(row: AccessScopeAnalysis) -> str:
    if not row.result:
        return "running"
    return "failed" if "failed" in json.loads(row.result) else "succeeded"


def _findings(call: Call) -> Iterator[Finding]:
    row = call.txn.get(AccessScopeAnalysis, call.params["NetworkInsightsAccessScopeAnalysisId"])
    found = json.loads(row.result) if row.result else {}
    for number, components in enumerate(found.get("findings", ()), 1):
        # Rows are ordered by when they were made, and these were made one after the other.
        yield Finding(f"{row.id}-{number}", f"{row.created}/{number:06}", row, components)


def _show_finding(finding: Finding, view: View) -> Shape:
    return {
        "NetworkInsightsAccessScopeAnalysisId": finding.analysis.id,
        "NetworkInsightsAccessScopeId": finding.analysis.scope,
        "FindingId": finding.id,
        "FindingComponents": finding.components,
    }


def _beside_findings(call: Call) -> Shape:
    key = call.params["NetworkInsightsAccessScopeAnalysisId"]
    status = _status(call.txn.get(AccessScopeAnalysis, key))
    return {"NetworkInsightsAccessScopeAnalysisId": key, "AnalysisStatus": status}


def _wanted(call: Call, row: AccessScopeAnalysis) -> bool:
    """Whether an analysis is of the scope, and of the time, that the call names."""
    scope = call.get("NetworkInsightsAccessScopeId")
    times = call.get("AnalysisStartTimeBegin"), call.get("AnalysisStartTimeEnd")
    return scope in (None, row.scope) and created_within(row, *times)


KIND = Kind(
    row=AccessScope,
    actions={
        "CreateNetworkInsightsAccessScope": create,
        "DeleteNetworkInsightsAccessScope": delete,
        "GetNetworkInsightsAccessScopeContent": get_content,
    },
    reads=frozenset({"GetNetworkInsightsAccessScopeContent"}),
    listings=(
        Listing(
            action="DescribeNetworkInsightsAccessScopes",
            result="NetworkInsightsAccessScopes",
            show=show_scope,
            ids="NetworkInsightsAccessScopeIds",
        ),
    ),
)

ANALYSIS = Kind(
    row=AccessScopeAnalysis,
    actions={
        "StartNetworkInsightsAccessScopeAnalysis": start,
        "DeleteNetworkInsightsAccessScopeAnalysis": delete_analysis,
    },
    listings=(
        Listing(
            action="DescribeNetworkInsightsAccessScopeAnalyses",
            result="NetworkInsightsAccessScopeAnalyses",
            show=show_analysis,
            ids="NetworkInsightsAccessScopeAnalysisIds",
            keep=_wanted,
        ),
        Listing(
            action="GetNetworkInsightsAccessScopeAnalysisFindings",
            result="AnalysisFindings",
            show=_show_finding,
            rows=_findings,
            beside=_beside_findings,
        ),
    ),
)
