"""Recorded flows, as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from gureum.errors import ApiError
from gureum.explain.packet import protocol_name
from gureum.kind import Shape
from gureum.resources.flow_log import FlowLog
from gureum.server.cloud import Cloud
from gureum.server.places import Scope
from gureum.services.flow_recorder import Told

_FLAGS = ((2, "SYN"), (16, "ACK"), (1, "FIN"), (4, "RST"))


class Flows:
    """Tells of flows as soon as they have been recorded."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def show(self, scope: Scope, key: str | None, after: int) -> Shape:
        """The flows recorded after that number, of one flow log or of all of the account in the
        region; the interval ends with the question, so what has flowed until now is told.

        Raises:
            ApiError: ``InvalidFlowLogId.NotFound``, ``NoFlowLog`` where there is none at all.
        """
        logs = _logs(scope, key)
        self._cloud.flows.collect()
        found = self._cloud.flows.told(after)
        mine = [each for each in found if not logs.isdisjoint(each.logs)]
        return {
            "rows": [_row(each) for each in sorted(mine, key=lambda each: each.flow.begin)],
            "last": max((each.number for each in found), default=after),
            "files": str(self._cloud.state / "flow-logs"),
        }


def _logs(scope: Scope, key: str | None) -> set[str]:
    mine = (row for row in scope.view.all(FlowLog)
            if (row.account, row.region) == (scope.account, scope.region))  # fmt: skip
    logs = {row.id for row in mine}
    if key is not None:
        if key not in logs:
            raise ApiError(FlowLog.not_found, FlowLog.missing.format(id=key))
        return {key}
    if not logs:
        hint = "'aws ec2 create-flow-logs' makes one"
        raise ApiError("NoFlowLog", f"There is no flow log in {scope.region}: {hint}.")
    return logs


def _row(told: Told) -> Shape:
    flow = told.flow
    return {
        "time": f"{datetime.fromtimestamp(flow.begin, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "interface": flow.interface,
        "way": "in" if flow.inward else "out",
        "from": _end(flow.source, flow.sport),
        "to": _end(flow.target, flow.dport),
        "protocol": protocol_name(flow.protocol),
        "flags": " ".join(_names(flow.tcp_flags)),
        "packets": flow.packets,
        "bytes": flow.octets,
        "action": "ACCEPT" if flow.accepted else "REJECT",
    }


def _end(ip: str, port: int) -> str:
    if not port:
        return ip
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _names(flags: int) -> Iterable[str]:
    return (name for bit, name in _FLAGS if flags & bit)
