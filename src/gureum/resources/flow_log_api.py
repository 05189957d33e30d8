"""The actions of flow logs.

Sources: EC2 API Reference, CreateFlowLogs; VPC User Guide, "Publish flow logs to Amazon S3" and
"… to CloudWatch Logs".  Where the documentation has no words, the codes and sentences are those
that clients report of AWS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from gureum.errors import ApiError, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, View
from gureum.model.txn import not_found
from gureum.resources.flow_log import DestinationOptions, FlowLog
from gureum.resources.flow_log_format import (
    DEFAULT_FORMAT,
    FIELDS,
    TRANSIT_FIELDS,
    TRANSIT_FORMAT,
    fields_of,
)
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.subnet import Subnet
from gureum.resources.transit_gateway import TransitGateway, TransitGatewayAttachment
from gureum.resources.vpc import Vpc

MAX_PER_RESOURCE = 2
"""Flow logs of one interface, subnet or VPC (VPC quotas)."""
MAX_PER_TRANSIT = 250
"""Flow logs of one transit gateway or attachment, as is reported of AWS."""
MAX_RESOURCES, MAX_TRANSITS, MAX_IDS = 300, 25, 1000
INTERVALS = (60, 600)
TRANSIT_INTERVAL = 60

_MONITORED: dict[str, type[Resource]] = {
    "VPC": Vpc,
    "Subnet": Subnet,
    "NetworkInterface": NetworkInterface,
    "TransitGateway": TransitGateway,
    "TransitGatewayAttachment": TransitGatewayAttachment,
}
_TRANSITS = (TransitGateway, TransitGatewayAttachment)
_GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_GROUP_ARN = re.compile(r"arn:aws[a-z-]*:logs:[a-z0-9-]*:\d*:log-group:([^:*]+)(:\*)?")
_BUCKET_ARN = re.compile(r"arn:aws[a-z-]*:s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/.*)?")


def create_flow_logs(call: Call) -> Shape:
    """CreateFlowLogs: one for each resource; those of resources that are not there are told of,
    and the others made."""
    unsupported(call, "TagFieldSpecifications")
    cls = _MONITORED.get(call.params["ResourceType"])
    if cls is None:
        raise _not_here("ResourceType", call.params["ResourceType"])
    transit = cls in _TRANSITS
    _check_request(call, transit=transit)
    settings = _settings(call, transit=transit)
    call.tags_for(FlowLog.kind)
    made: list[str] = []

    def make(key: str) -> None:
        made.append(_make(call, cls, key, settings).id)

    unsuccessful = _each(call.params["ResourceIds"], make)
    return {
        "FlowLogIds": made,
        "ClientToken": call.get("ClientToken", ""),
        "Unsuccessful": unsuccessful,
    }


def _check_request(call: Call, *, transit: bool) -> None:
    if transit and call.get("TrafficType"):
        kind = call.params["ResourceType"]
        raise _invalid(f"TrafficType is not supported for the resource type {kind}.")
    if not transit and not call.get("TrafficType"):
        raise missing_parameter("TrafficType")
    most = MAX_TRANSITS if transit else MAX_RESOURCES
    if len(call.params["ResourceIds"]) > most:
        raise _invalid(f"At most {most} resource ids can be given")


def _each(keys: Sequence[str], act: Callable[[str], None]) -> list[Shape]:
    """Do something about each id once; those of which it is refused, with the reason."""
    unsuccessful = []
    for key in dict.fromkeys(keys):
        try:
            act(key)
        except ApiError as error:
            if error.code == "FlowLogAlreadyExists" or error.code.endswith(".Malformed"):
                raise
            said = {"Code": error.code, "Message": error.message}
            unsuccessful.append({"ResourceId": key, "Error": said})
    return unsuccessful


def _make(call: Call, cls: type[Resource], key: str, settings: dict[str, Any]) -> FlowLog:
    # An owner of a VPC may record all interfaces in it, a participant its own ones only.
    known = call.txn.see if cls is NetworkInterface else call.txn.get
    resource = known(cls, key)
    if isinstance(resource, _TRANSITS) and resource.state == "deleted":
        raise not_found(cls, key)
    others = [
        row for row in call.txn.referrers(resource.id, FlowLog) if row.account == call.account
    ]
    target = settings["group"], settings["destination"]
    if any((other.group, other.destination) == target for other in others):
        raise ApiError(
            "FlowLogAlreadyExists",
            "Error. There is an existing Flow Log with the same configuration and log destination.",
        )
    if len(others) >= (MAX_PER_TRANSIT if cls in _TRANSITS else MAX_PER_RESOURCE):
        raise ApiError(
            "FlowLogsLimitExceeded",
            f"The maximum number of flow logs of {resource.id} has been reached.",
        )
    return call.created(FlowLog(**call.common(FlowLog), resource=resource.id, **settings))


def _settings(call: Call, *, transit: bool) -> dict[str, Any]:
    """What all flow logs of the call have in common."""
    kind = call.get("LogDestinationType", "cloud-watch-logs")
    group, destination = call.get("LogGroupName"), call.get("LogDestination")
    if group is None and destination is None:
        raise _invalid("LogDestination can't be empty if LogGroupName is not provided.")
    if group is not None and destination is not None:
        raise _invalid("Please only provide LogGroupName or only provide LogDestination.")
    if kind == "s3":
        _check_bucket(group, destination)
    elif kind == "cloud-watch-logs":
        if call.get("DeliverLogsPermissionArn") is None:
            raise _invalid(
                "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs."
            )
        group = _checked_group(group, destination)
    else:
        raise _not_here("LogDestinationType", kind)
    return {
        "traffic": call.get("TrafficType", "ALL"),
        "destination_type": kind,
        "group": group,
        "destination": destination,
        "role": call.get("DeliverLogsPermissionArn"),
        "cross_account_role": call.get("DeliverCrossAccountRole"),
        "log_format": _log_format(call, transit=transit),
        "interval": _interval(call, transit=transit),
        "options": _options(call, kind),
    }


def _check_bucket(group: str | None, destination: str | None) -> None:
    if group is not None:
        raise _invalid("LogDestination type must be cloud-watch-logs if LogGroupName is provided.")
    match = _BUCKET_ARN.fullmatch(destination or "")
    if match is None:
        raise _invalid(f"LogDestination: {destination} is not a valid ARN of an S3 bucket.")
    if "AWSLogs" in (match[2] or "").split("/"):
        raise _invalid("LogDestination: AWSLogs is reserved and cannot be used as a subfolder.")


def _checked_group(group: str | None, destination: str | None) -> str:
    if destination is not None:
        match = _GROUP_ARN.fullmatch(destination)
        if match is None:
            raise _invalid(f"LogDestination: {destination} is not a valid ARN of a log group.")
        group = match[1]
    if group is None or not _GROUP_NAME.fullmatch(group):
        raise _invalid(f"LogGroupName: {group} is not a valid name of a log group.")
    return group


def _log_format(call: Call, *, transit: bool) -> str:
    text = str(call.get("LogFormat", TRANSIT_FORMAT if transit else DEFAULT_FORMAT))
    try:
        fields_of(text, TRANSIT_FIELDS if transit else FIELDS)
    except ValueError as error:
        raise _invalid(f"Invalid LogFormat: {error}") from None
    return text


def _interval(call: Call, *, transit: bool) -> int:
    allowed = (TRANSIT_INTERVAL,) if transit else INTERVALS
    value = int(call.get("MaxAggregationInterval", allowed[-1]))
    if value not in allowed:
        raise _invalid("Invalid Flow Log Max Aggregation Interval")
    return value


def _options(call: Call, kind: str) -> DestinationOptions | None:
    given = call.get("DestinationOptions")
    if given is None:
        return None
    if kind != "s3":
        raise _invalid("DestinationOptions can only be given if LogDestinationType is s3.")
    if given.get("FileFormat", "plain-text") != "plain-text":
        raise _not_here("FileFormat", given["FileFormat"])
    return DestinationOptions(
        hive=given.get("HiveCompatiblePartitions", False),
        per_hour=given.get("PerHourPartition", False),
    )


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameter", message)


def _not_here(name: str, value: str) -> ApiError:
    return ApiError(
        "UnsupportedOperation", f"The {name} {value} is not available in this cloud yet."
    )


def delete_flow_logs(call: Call) -> Shape:
    """DeleteFlowLogs: nothing is recorded any more; what has been recorded stays."""
    keys = call.params["FlowLogIds"]
    if len(keys) > MAX_IDS:
        raise _invalid(f"At most {MAX_IDS} flow log ids can be given")
    unsuccessful = _each(keys, lambda key: call.txn.delete(call.txn.get(FlowLog, key)))
    return {"Unsuccessful": unsuccessful}


def show(row: FlowLog, view: View) -> Shape:
    """The API's ``FlowLog`` structure."""
    values = {
        "FlowLogId": row.id,
        "CreationTime": row.created,
        "DeliverLogsStatus": "SUCCESS",
        "FlowLogStatus": "ACTIVE",
        "ResourceId": row.resource,
        "TrafficType": None if row.of_transit else row.traffic,
        "LogDestinationType": row.destination_type,
        "LogGroupName": row.group,
        "LogDestination": row.destination,
        "DeliverLogsPermissionArn": row.role,
        "DeliverCrossAccountRole": row.cross_account_role,
        "LogFormat": row.log_format,
        "MaxAggregationInterval": row.interval,
        "DestinationOptions": _show_options(row.options),
        "Tags": tag_list(row),
    }
    return {name: value for name, value in values.items() if value is not None}


def _show_options(options: DestinationOptions | None) -> Shape | None:
    if options is None:
        return None
    return {
        "FileFormat": "plain-text",
        "HiveCompatiblePartitions": options.hive,
        "PerHourPartition": options.per_hour,
    }


KIND = Kind(
    row=FlowLog,
    actions={"CreateFlowLogs": create_flow_logs, "DeleteFlowLogs": delete_flow_logs},
    listings=(
        Listing(
            action="DescribeFlowLogs",
            result="FlowLogs",
            show=show,
            ids="FlowLogIds",
            paths={"deliver-log-status": "DeliverLogsStatus"},
        ),
    ),
)
