"""Routes of a transit gateway route table as an object in a bucket, which is a file here.

The object is a row until the daemon has written it (:mod:`gureum.services.route_exports`), and for
an hour more.

Sources: Amazon VPC Transit Gateways, "Export route tables to Amazon S3"; EC2 API Reference,
ExportTransitGatewayRoutes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gureum.errors import invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, Txn, ref
from gureum.model.timestamps import age
from gureum.resources.transit_gateway import TransitGatewayRouteTable, live
from gureum.resources.transit_gateway_route import SEARCH, Found, search
from gureum.wire.listing import Candidate, page

KEPT = timedelta(hours=1)
"""How long the row of an object is kept."""

FOLDER = "VPCTransitGateway/TransitGatewayRouteTables"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

_LISTING: Listing[Any] = replace(
    SEARCH,
    action="ExportTransitGatewayRoutes",
    paths={
        **SEARCH.paths,
        "state": "State",
        "type": "Type",
        "transit-gateway-route-destination-cidr-block": "DestinationCidrBlock",
    },
)
"""The routes as they are searched for, with one filter more."""


@dataclass(frozen=True, kw_only=True)
class RouteExport(
    Resource,
    kind="transit-gateway-route-export",
    prefix="tgw-export",
    not_found="InvalidParameterValue",
    noun="transit gateway route export",
):
    """An object: its bucket, its key, its content."""

    table: str = ref("weak")
    bucket: str
    key: str
    text: str


def export(call: Call) -> Shape:
    """ExportTransitGatewayRoutes: those that pass the filters, or all.

    Raises:
        ApiError: ``InvalidRouteTableID.NotFound``, ``InvalidParameterValue``.
    """
    table = live(call, TransitGatewayRouteTable, call.params["TransitGatewayRouteTableId"])
    bucket, filters = call.params["S3Bucket"], call.get("Filters") or []
    if not _BUCKET.fullmatch(bucket):
        raise invalid_value("s3Bucket", bucket)
    shown = [Candidate(found, _shape) for found in search(call, table, filters)]
    routes, _ = page(_LISTING.action, _LISTING, shown, {"Filters": filters}, call.txn.view)
    row = RouteExport(
        **{**call.common(RouteExport), "tags": ()},
        table=table.id,
        bucket=bucket,
        key=f"{FOLDER}/{table.id}_{_milliseconds(call.now)}.json",
        text=json.dumps({"filter": _spoken(filters), "routes": _spoken(routes)}, indent=1),
    )
    call.created(row)
    return {"S3Location": f"s3://{row.bucket}/{row.key}"}


def _shape(found: Found) -> Shape:
    return found.shape


def _milliseconds(now: str) -> int:
    return round(datetime.fromisoformat(now).timestamp() * 1000)


def _spoken(value: Any) -> Any:
    """A value with the names of its members as they are in objects: ``destinationCidrBlock``."""
    if isinstance(value, list):
        return [_spoken(each) for each in value]
    if isinstance(value, dict):
        return {f"{name[0].lower()}{name[1:]}": _spoken(each) for name, each in value.items()}
    return value


def expired(txn: Txn, row: RouteExport, now: str) -> None:
    """Forget a row whose object was written long ago."""
    if age(row.created, now) >= KEPT:
        txn.delete(row)


KIND = Kind(row=RouteExport, actions={"ExportTransitGatewayRoutes": export}, expired=expired)
