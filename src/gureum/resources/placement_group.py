"""Placement group: which instances are to be near each other, or apart; a record, as there is one
machine.

Sources: EC2 API Reference, CreatePlacementGroup; EC2 User Guide, "Placement groups".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Selector, Shape
from gureum.model import Txn, View
from gureum.resources.instance import ENDED, Instance
from gureum.resources.instance_types import clusters
from gureum.resources.placement import PlacementGroup, named
from gureum.resources.shapes import tag_list, unsupported

PARTITIONS = range(1, 8)
"""How many partitions a group can have in a zone (EC2 User Guide)."""

MAX_NAME = 255


def create_placement_group(call: Call) -> Shape:
    """CreatePlacementGroup."""
    unsupported(call, "LinkedGroupId", "ParentGroupId")
    name = call.get("GroupName")
    if not name:
        raise missing_parameter("GroupName")
    if len(name) > MAX_NAME or not name.isascii():
        raise invalid_value("groupName", name)
    if named(call.txn, name) is not None:
        raise ApiError(
            "InvalidPlacementGroup.Duplicate", f"The placement group '{name}' already exists."
        )
    strategy = call.get("Strategy", "cluster")
    row = PlacementGroup(
        **call.common(PlacementGroup),
        name=name,
        strategy=strategy,
        partitions=_partitions(call, strategy),
        spread=_spread(call, strategy),
    )
    return {"PlacementGroup": show(call.created(row), call.txn.view)}


def _partitions(call: Call, strategy: str) -> int | None:
    count = call.get("PartitionCount")
    if strategy != "partition":
        if count:
            raise invalid_combination(
                "The partition count can be specified for the strategy 'partition' only."
            )
        return None
    count = 2 if count is None else count
    if count not in PARTITIONS:
        raise invalid_value("partitionCount", count, "It must be between 1 and 7.")
    return int(count)


def _spread(call: Call, strategy: str) -> Literal["host", "rack"] | None:
    level: Literal["host", "rack"] | None = call.get("SpreadLevel")
    if strategy != "spread":
        if level:
            raise invalid_combination(
                "The spread level can be specified for the strategy 'spread' only."
            )
        return None
    return level or "rack"


def delete_placement_group(call: Call) -> Shape:
    """DeletePlacementGroup: not while instances are in it."""
    row = group_named(call.txn, call.params["GroupName"])
    members = (each for each in call.txn.referrers(row.id, Instance) if each.state not in ENDED)
    if next(members, None) is not None:
        raise ApiError(
            "InvalidPlacementGroup.InUse",
            f"The placement group '{row.name}' is in use and may not be deleted.",
        )
    call.txn.put(replace(row, state="deleting"))
    return {}


# --- instances ----------------------------------------------------------------------------------
def group_named(txn: Txn, name: str) -> PlacementGroup:
    """The group of that name.

    Raises:
        ApiError: ``InvalidPlacementGroup.Unknown``.
    """
    row = named(txn, name)
    if row is None or row.state == "deleting":
        raise ApiError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    return row


def placed(call: Call, given: Mapping[str, Any], kind: str) -> tuple[str | None, int | None]:
    """The id of the group that ``Placement`` names, and the partition in it.

    Raises:
        ApiError: ``InvalidPlacementGroup.Unknown``, ``InvalidPlacementGroupId.Malformed``,
            ``InvalidParameterCombination``, ``InvalidParameterValue``.
    """
    name, key, number = given.get("GroupName"), given.get("GroupId"), given.get("PartitionNumber")
    if name and key:
        raise invalid_combination("Only one of groupName and groupId may be specified.")
    if not name and not key:
        if number:
            raise invalid_combination("A partition number needs a placement group.")
        return None, None
    row = group_named(call.txn, name) if name else call.txn.get(PlacementGroup, str(key))
    if row.strategy == "cluster" and not clusters(kind):
        raise invalid_combination(
            f"Cluster placement groups are not supported by the '{kind}' instance type. Specify a "
            "supported instance type or change the placement group strategy, and try again."
        )
    if not number:
        return row.id, None
    if row.partitions is None:
        raise invalid_combination("A partition number needs a group of the strategy 'partition'.")
    if not 1 <= number <= row.partitions:
        raise invalid_value("partitionNumber", number)
    return row.id, int(number)


# --- states and answers -------------------------------------------------------------------------
def settled(txn: Txn, row: PlacementGroup, now: str) -> None:
    """The cloud has the group, or has it no more."""
    if row.state == "pending":
        txn.put(replace(row, state="available"))
    elif row.state == "deleting":
        txn.delete(row)


def show(row: PlacementGroup, view: View) -> Shape:
    """The API's ``PlacementGroup`` structure."""
    shape: Shape = {
        "GroupId": row.id,
        "GroupName": row.name,
        "GroupArn": f"arn:aws:ec2:{row.region}:{row.account}:placement-group/{row.name}",
        "State": row.state,
        "Strategy": row.strategy,
        "PartitionCount": row.partitions,
        "SpreadLevel": row.spread,
        "Tags": tag_list(row),
    }
    return {name: value for name, value in shape.items() if value is not None}


KIND = Kind(
    row=PlacementGroup,
    actions={
        "CreatePlacementGroup": create_placement_group,
        "DeletePlacementGroup": delete_placement_group,
    },
    settled=settled,
    listings=(
        Listing(
            action="DescribePlacementGroups",
            result="PlacementGroups",
            show=show,
            ids="GroupIds",
            selectors={
                "GroupNames": Selector(
                    path="GroupName",
                    code="InvalidPlacementGroup.Unknown",
                    message="The Placement Group '{}' is unknown.",
                )
            },
        ),
    ),
)
