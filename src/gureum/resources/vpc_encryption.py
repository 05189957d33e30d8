"""VPC encryption controls: whether what a VPC carries in plain text is told of, or not admitted.

They are records: nothing is encrypted here, and nothing refused for not being so.

Sources: VPC User Guide, "Enforce VPC encryption in transit"; EC2 API Reference,
CreateVpcEncryptionControl, ModifyVpcEncryptionControl, ModifyAccountVpcEncryptionControl.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gureum.errors import ApiError, missing_parameter
from gureum.kind import Call, Kind, Listing, Selector, Shape
from gureum.model import Reader, Resource, Txn, View, ref
from gureum.resources.egress_only_gateway import EgressOnlyGateway
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.shapes import tag_list
from gureum.resources.vpc import Vpc
from gureum.resources.vpc_peering import LINKED, VpcPeeringConnection, state_of
from gureum.resources.vpn_gateway import VpnGateway

EXCLUSIONS = (
    "InternetGateway",
    "EgressOnlyInternetGateway",
    "NatGateway",
    "VirtualPrivateGateway",
    "VpcPeering",
    "Lambda",
    "VpcLattice",
    "ElasticFileSystem",
    "GlobalAccelerator",
    "ApiGatewayV2",
)
"""What can be left out of a control."""


@dataclass(frozen=True, kw_only=True)
class VpcEncryptionControl(
    Resource,
    kind="vpc-encryption-control",
    prefix="vpcec",
    not_found="InvalidVpcEncryptionControlId.NotFound",
    malformed="InvalidVpcEncryptionControlId.Malformed",
    noun="VPC encryption control",
):
    """The control of a VPC, which has one at most and takes it along; ``excluded`` are those of
    ``EXCLUSIONS`` that it leaves out."""

    vpc: str = ref("cascade")
    mode: Literal["monitor", "enforce"] = "monitor"
    state: str = "creating"
    message: str | None = None
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AccountEncryption(
    Resource,
    kind="account-vpc-encryption",
    prefix="account-vpc-encryption",
    not_found="InvalidParameterValue",
    noun="account VPC encryption control",
):
    """What an account wants of its VPCs in a region."""

    mode: str = "unmanaged"
    excluded: tuple[str, ...] = ()
    changed: str | None = None


# --- of a VPC -----------------------------------------------------------------------------------
def create_control(call: Call) -> Shape:
    """CreateVpcEncryptionControl: it begins with monitoring."""
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    if any(True for _ in call.txn.referrers(vpc.id, VpcEncryptionControl)):
        raise ApiError(
            "Resource.AlreadyAssociated", f"Network {vpc.id} already has an encryption control."
        )
    row = call.created(VpcEncryptionControl(**call.common(VpcEncryptionControl), vpc=vpc.id))
    return {"VpcEncryptionControl": show(row, call.txn.view)}


def modify_control(call: Call) -> Shape:
    """ModifyVpcEncryptionControl: mode, exclusions, or both.

    What stands in the way of enforcing is told by the state, as it comes to nothing then.
    """
    row = call.txn.get(VpcEncryptionControl, call.params["VpcEncryptionControlId"])
    asked = {name: call.get(f"{name}Exclusion") for name in EXCLUSIONS}
    mode = call.get("Mode") or row.mode
    if call.get("Mode") is None and not any(asked.values()):
        raise missing_parameter("mode")
    row = replace(row, excluded=_excluded(row.excluded, asked), message=None)
    if mode == "enforce" and (found := sorted(_in_the_way(call.txn.view, row))):
        row = replace(row, state="enforce-failed", message=f"Not encrypted: {', '.join(found)}")
    else:
        row = replace(row, mode=mode, state=f"{mode}-in-progress")
    return {"VpcEncryptionControl": show(call.txn.put(row), call.txn.view)}


def _excluded(old: tuple[str, ...], asked: dict[str, str | None]) -> tuple[str, ...]:
    def left_out(name: str) -> bool:
        word = asked[name]
        return word == "enable" if word else name in old

    return tuple(name for name in EXCLUSIONS if left_out(name))


def _in_the_way(reader: Reader, row: VpcEncryptionControl) -> Iterator[str]:
    """What a VPC has through which packets go unencrypted and that is not left out."""
    vpc = row.vpc
    found: dict[str, list[str]] = {
        "InternetGateway": [each.id for each in reader.referrers(vpc, InternetGateway)],
        "EgressOnlyInternetGateway": [each.id for each in reader.referrers(vpc, EgressOnlyGateway)],
        "NatGateway": [
            each.id for each in reader.referrers(vpc, NatGateway) if each.state == "available"
        ],
        "VirtualPrivateGateway": [each.id for each in reader.referrers(vpc, VpnGateway)],
        "VpcPeering": [
            each.id
            for each in reader.referrers(vpc, VpcPeeringConnection)
            if state_of(reader, each) in LINKED
        ],
    }
    for name, ids in found.items():
        if name not in row.excluded:
            yield from ids


def delete_control(call: Call) -> Shape:
    """DeleteVpcEncryptionControl."""
    row = call.txn.get(VpcEncryptionControl, call.params["VpcEncryptionControlId"])
    call.txn.delete(row)
    return {"VpcEncryptionControl": show(row, call.txn.view) | {"State": "deleting"}}


def settled(txn: Txn, row: VpcEncryptionControl, now: str) -> None:
    """The cloud has it as it is."""
    if row.state == "creating" or row.state.endswith("-in-progress"):
        txn.put(replace(row, state="available"))


def show(row: VpcEncryptionControl, view: View) -> Shape:
    """The API's ``VpcEncryptionControl`` structure."""
    told = {name: {"State": _word(name in row.excluded)} for name in EXCLUSIONS}
    shape: Shape = {
        "VpcId": row.vpc,
        "VpcEncryptionControlId": row.id,
        "Mode": row.mode,
        "State": row.state,
        "ResourceExclusions": told,
        "Tags": tag_list(row),
    }
    return shape | ({"StateMessage": row.message} if row.message else {})


def _word(left_out: bool) -> str:
    return "enabled" if left_out else "disabled"


# --- of an account ------------------------------------------------------------------------------
def _of_account(call: Call) -> AccountEncryption:
    key = f"account-vpc-encryption-{call.account}/{call.region}"
    found = call.txn.find(AccountEncryption, key)
    return found or AccountEncryption(
        id=key, account=call.account, region=call.region, created=call.now
    )


def modify_account(call: Call) -> Shape:
    """ModifyAccountVpcEncryptionControl: kept; no VPC's control follows it."""
    row = _of_account(call)
    asked = {name: call.get(name) for name in EXCLUSIONS}
    if call.get("Mode") is None and not any(asked.values()):
        raise missing_parameter("mode")
    row = replace(
        row,
        mode=call.get("Mode") or row.mode,
        excluded=_excluded(row.excluded, asked),
        changed=call.now,
    )
    return _show_account(call.txn.put(row))


def describe_account(call: Call) -> Shape:
    """DescribeAccountVpcEncryptionControl."""
    return _show_account(_of_account(call))


def _show_account(row: AccountEncryption) -> Shape:
    shape: Shape = {
        "State": "transitions-successful" if row.changed else "default-state",
        "Mode": row.mode,
        "Exclusions": {name: _word(name in row.excluded) for name in EXCLUSIONS},
        "ManagedBy": "account",
        "LastUpdateTimestamp": row.changed,
    }
    known = {name: value for name, value in shape.items() if value is not None}
    return {"AccountVpcEncryptionControl": known}


KIND = Kind(
    row=VpcEncryptionControl,
    actions={
        "CreateVpcEncryptionControl": create_control,
        "ModifyVpcEncryptionControl": modify_control,
        "DeleteVpcEncryptionControl": delete_control,
    },
    listings=(
        Listing(
            action="DescribeVpcEncryptionControls",
            result="VpcEncryptionControls",
            show=show,
            ids="VpcEncryptionControlIds",
            selectors={
                "VpcIds": Selector(
                    "VpcId", "InvalidVpcID.NotFound", "The vpc ID '{}' does not exist"
                )
            },
        ),
    ),
    settled=settled,
)

ACCOUNT = Kind(
    row=AccountEncryption,
    actions={
        "ModifyAccountVpcEncryptionControl": modify_account,
        "DescribeAccountVpcEncryptionControl": describe_account,
    },
    reads=frozenset({"DescribeAccountVpcEncryptionControl"}),
)
