"""The API's actions on VPC Block Public Access.

Sources: EC2 API Reference, ModifyVpcBlockPublicAccessOptions and
CreateVpcBlockPublicAccessExclusion; VPC User Guide, "VPC BPA basics" and "Amazon VPC quotas".
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gureum.errors import ApiError, invalid_combination, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Txn, View
from gureum.model.timestamps import age
from gureum.resources.public_access import (
    GONE,
    PublicAccessExclusion,
    PublicAccessOptions,
    options_id,
)
from gureum.resources.shapes import tag_list
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import Vpc

MAX_EXCLUSIONS = 50
"""Exclusions per region (Amazon VPC quotas)."""

KEPT = timedelta(hours=1)
"""How long a deleted exclusion is still shown."""


# --- options ------------------------------------------------------------------------------------
def modify_options(call: Call) -> Shape:
    """ModifyVpcBlockPublicAccessOptions: for all VPCs of the account in the region."""
    old = call.txn.find(PublicAccessOptions, options_id(call.account, call.region))
    row = PublicAccessOptions(
        id=options_id(call.account, call.region),
        account=call.account,
        region=call.region,
        created=old.created if old else call.now,
        mode=call.params["InternetGatewayBlockMode"],
        state="update-in-progress",
        updated=call.now,
    )
    call.txn.put(row)
    return {"VpcBlockPublicAccessOptions": _show_options(call)}


def describe_options(call: Call) -> Shape:
    """DescribeVpcBlockPublicAccessOptions."""
    return {"VpcBlockPublicAccessOptions": _show_options(call)}


def _show_options(call: Call) -> Shape:
    key = options_id(call.account, call.region)
    row = call.txn.find(PublicAccessOptions, key)
    if row is not None:
        return show_options(row)
    never = PublicAccessOptions(
        id=key, account=call.account, region=call.region, created="", updated=""
    )
    return {k: v for k, v in show_options(never).items() if k != "LastUpdateTimestamp"}


def show_options(row: PublicAccessOptions) -> Shape:
    """The API's ``VpcBlockPublicAccessOptions`` structure."""
    return {
        "AwsAccountId": row.account,
        "AwsRegion": row.region,
        "State": row.state,
        "InternetGatewayBlockMode": row.mode,
        "LastUpdateTimestamp": row.updated,
        "ManagedBy": "account",
        "ExclusionsAllowed": "allowed",
    }


def settled_options(txn: Txn, row: PublicAccessOptions, now: str) -> None:
    """The network follows the mode."""
    if row.state == "update-in-progress":
        txn.put(replace(row, state="update-complete"))


# --- exclusions ---------------------------------------------------------------------------------
def create(call: Call) -> Shape:
    """CreateVpcBlockPublicAccessExclusion: of one VPC or one subnet."""
    vpc, subnet = call.get("VpcId"), call.get("SubnetId")
    if vpc and subnet:
        raise invalid_combination("Only one of vpcId and subnetId may be specified.")
    if not vpc and not subnet:
        raise missing_parameter("vpcId")
    target: Vpc | Subnet = call.txn.get(Vpc, vpc) if vpc else call.txn.get(Subnet, str(subnet))
    if any(row.state not in GONE for row in call.txn.referrers(target.id, PublicAccessExclusion)):
        raise ApiError("InvalidParameterValue", f"{target.id} has an exclusion already.")
    there = sum(1 for row in call.txn.all(PublicAccessExclusion) if row.state not in GONE)
    if there >= MAX_EXCLUSIONS:
        raise ApiError("ResourceLimitExceeded", "The maximum number of exclusions is reached.")
    row = PublicAccessExclusion(
        **call.common(PublicAccessExclusion),
        vpc=vpc or None,
        subnet=subnet or None,
        arn=f"arn:aws:ec2:{call.region}:{call.account}:{target.kind}/{target.id}",
        mode=call.params["InternetGatewayExclusionMode"],
        updated=call.now,
    )
    return _answer(call, call.created(row))


def modify(call: Call) -> Shape:
    """ModifyVpcBlockPublicAccessExclusion: another mode."""
    row = _there(call)
    mode = call.params["InternetGatewayExclusionMode"]
    changed = replace(row, mode=mode, state="update-in-progress", updated=call.now)
    return _answer(call, call.txn.put(changed))


def delete(call: Call) -> Shape:
    """DeleteVpcBlockPublicAccessExclusion: it is shown for another hour."""
    row = replace(_there(call), state="delete-in-progress", updated=call.now)
    return _answer(call, call.txn.put(row))


def _there(call: Call) -> PublicAccessExclusion:
    """The exclusion, unless it is deleted or on its way.

    Raises:
        ApiError: ``InvalidVpcBlockPublicAccessExclusionId.NotFound``, ``IncorrectState``.
    """
    row = call.txn.get(PublicAccessExclusion, call.params["ExclusionId"])
    if row.state in GONE:
        raise ApiError("IncorrectState", f"The exclusion {row.id} is in state {row.state}.")
    return row


def _answer(call: Call, row: PublicAccessExclusion) -> Shape:
    return {"VpcBlockPublicAccessExclusion": show(row, call.txn.view)}


def settled(txn: Txn, row: PublicAccessExclusion, now: str) -> None:
    """The network follows the exclusion."""
    if row.state in ("create-in-progress", "update-in-progress"):
        txn.put(replace(row, state=row.state.replace("in-progress", "complete")))
    elif row.state == "delete-in-progress":
        gone = replace(row, vpc=None, subnet=None, state="delete-complete")
        txn.put(replace(gone, updated=now, ended=now))


def expired(txn: Txn, row: PublicAccessExclusion, now: str) -> None:
    """Forget what was deleted an hour ago."""
    if row.ended and age(row.ended, now) >= KEPT:
        txn.delete(row)


def show(row: PublicAccessExclusion, view: View) -> Shape:
    """The API's ``VpcBlockPublicAccessExclusion`` structure."""
    shape: Shape = {
        "ExclusionId": row.id,
        "InternetGatewayExclusionMode": row.mode,
        "ResourceArn": row.arn,
        "State": row.state,
        "CreationTimestamp": row.created,
        "LastUpdateTimestamp": row.updated,
        "Tags": tag_list(row),
    }
    return shape | ({"DeletionTimestamp": row.ended} if row.ended else {})


OPTIONS = Kind(
    row=PublicAccessOptions,
    actions={
        "ModifyVpcBlockPublicAccessOptions": modify_options,
        "DescribeVpcBlockPublicAccessOptions": describe_options,
    },
    reads=frozenset({"DescribeVpcBlockPublicAccessOptions"}),
    settled=settled_options,
)

KIND = Kind(
    row=PublicAccessExclusion,
    actions={
        "CreateVpcBlockPublicAccessExclusion": create,
        "ModifyVpcBlockPublicAccessExclusion": modify,
        "DeleteVpcBlockPublicAccessExclusion": delete,
    },
    listings=(
        Listing(
            action="DescribeVpcBlockPublicAccessExclusions",
            result="VpcBlockPublicAccessExclusions",
            show=show,
            ids="ExclusionIds",
        ),
    ),
    settled=settled,
    expired=expired,
)
