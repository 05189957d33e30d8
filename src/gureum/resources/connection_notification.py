"""Connection notification: to whom AWS tells what happens to endpoints; a record here.

Source: AWS PrivateLink Guide, "Receive alerts for endpoint service events"; EC2 API Reference,
CreateVpcEndpointConnectionNotification.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gureum.errors import ApiError, invalid_combination
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, View, ref
from gureum.resources.endpoint_service import EndpointService
from gureum.resources.vpc_endpoint import VpcEndpoint

EVENTS = frozenset({"Accept", "Connect", "Delete", "Reject"})


@dataclass(frozen=True, kw_only=True)
class ConnectionNotification(
    Resource,
    kind="vpc-endpoint-connection-notification",
    prefix="vpce-nfn",
    not_found="InvalidConnectionNotification",
    malformed="InvalidConnectionNotification",
    noun="connection notification",
    missing="The connection notification '{id}' does not exist",
):
    """A topic that is told events of a service or of an endpoint, with which it goes."""

    service: str | None = ref("cascade", default=None)
    endpoint: str | None = ref("cascade", default=None)
    topic: str
    events: tuple[str, ...]


def create(call: Call) -> Shape:
    """CreateVpcEndpointConnectionNotification: of a service or of an endpoint."""
    service, endpoint = call.get("ServiceId"), call.get("VpcEndpointId")
    if bool(service) == bool(endpoint):
        raise invalid_combination("Exactly one of ServiceId and VpcEndpointId must be given.")
    row = ConnectionNotification(
        **call.common(ConnectionNotification),
        service=call.txn.get(EndpointService, service).id if service else None,
        endpoint=call.txn.get(VpcEndpoint, endpoint).id if endpoint else None,
        topic=_topic(call.params["ConnectionNotificationArn"]),
        events=_events(call.params["ConnectionEvents"]),
    )
    answer: Shape = {"ConnectionNotification": show(call.created(row), call.txn.view)}
    return answer | ({"ClientToken": call.get("ClientToken")} if call.get("ClientToken") else {})


def _topic(arn: str) -> str:
    if not arn.startswith("arn:aws:sns:"):
        raise ApiError("InvalidParameter", f"Invalid SNS topic ARN: {arn}")
    return arn


def _events(given: Sequence[str]) -> tuple[str, ...]:
    if not given or set(given) - EVENTS:
        raise ApiError(
            "InvalidParameter", f"Connection events are some of {', '.join(sorted(EVENTS))}."
        )
    return tuple(dict.fromkeys(given))


def modify(call: Call) -> Shape:
    """ModifyVpcEndpointConnectionNotification: the topic, the events."""
    row = call.txn.get(ConnectionNotification, call.params["ConnectionNotificationId"])
    topic = _topic(call.get("ConnectionNotificationArn", row.topic))
    events = _events(call.get("ConnectionEvents", row.events))
    call.txn.put(replace(row, topic=topic, events=events))
    return {"ReturnValue": True}


def delete(call: Call) -> Shape:
    """DeleteVpcEndpointConnectionNotifications: each on its own."""
    failed: list[Shape] = []
    for key in dict.fromkeys(call.params["ConnectionNotificationIds"]):
        row = call.txn.find(ConnectionNotification, key)
        if row is not None:
            call.txn.delete(row)
            continue
        said = ConnectionNotification.missing.format(id=key)
        error = {"Code": ConnectionNotification.not_found, "Message": said}
        failed.append({"ResourceId": key, "Error": error})
    return {"Unsuccessful": failed}


def show(row: ConnectionNotification, view: View) -> Shape:
    """The API's ``ConnectionNotification`` structure."""
    of = {"ServiceId": row.service} if row.service else {"VpcEndpointId": row.endpoint}
    return {
        "ConnectionNotificationId": row.id,
        **of,
        "ConnectionNotificationType": "Topic",
        "ConnectionNotificationArn": row.topic,
        "ConnectionEvents": list(row.events),
        "ConnectionNotificationState": "Enabled",
        "ServiceRegion": row.region,
    }


def _listed(call: Call) -> Iterable[ConnectionNotification]:
    key = call.get("ConnectionNotificationId")
    if key:
        return [call.txn.get(ConnectionNotification, key)]
    return call.txn.all(ConnectionNotification)


KIND = Kind(
    row=ConnectionNotification,
    actions={
        "CreateVpcEndpointConnectionNotification": create,
        "ModifyVpcEndpointConnectionNotification": modify,
        "DeleteVpcEndpointConnectionNotifications": delete,
    },
    listings=(
        Listing(
            action="DescribeVpcEndpointConnectionNotifications",
            result="ConnectionNotificationSet",
            show=show,
            rows=_listed,
        ),
    ),
)
